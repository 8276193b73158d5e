"""Approvals under conditions: what has to be done by a day, and that it was. Neither is rewritten or removed."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from portal.protection import install_sql, remove_sql

SIGNOFF = "governance_signoff"
STATED = ("governance_condition", "governance_fulfilment")


def _run(schema_editor, statements):
    for statement in statements:
        schema_editor.execute(statement, params=None)


def open_up(apps, schema_editor):
    """SQLite makes the table anew, and its triggers would go with the old one."""
    _run(schema_editor, remove_sql(schema_editor.connection.vendor, SIGNOFF))


def protect(apps, schema_editor):
    _run(schema_editor, install_sql(schema_editor.connection.vendor, SIGNOFF, key=("id",)))


def protect_stated(apps, schema_editor):
    for table in STATED:
        _run(schema_editor, install_sql(schema_editor.connection.vendor, table, key=("id",)))


def open_up_stated(apps, schema_editor):
    for table in STATED:
        _run(schema_editor, remove_sql(schema_editor.connection.vendor, table))


class Migration(migrations.Migration):

    dependencies = [
        ('governance', '0006_review'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(open_up, protect),
        migrations.AddField(
            model_name='signoff',
            name='supersedes',
            field=models.ForeignKey(blank=True, help_text='what the same seat said of this requirement before', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='superseded_by', to='governance.signoff'),
        ),
        migrations.AlterField(
            model_name='signoff',
            name='decision',
            field=models.CharField(choices=[('approve', 'approved'), ('approve_with_conditions', 'approved with conditions'), ('request_changes', 'asked for changes'), ('reject', 'rejected')], max_length=24),
        ),
        migrations.RunPython(protect, open_up),
        migrations.CreateModel(
            name='Condition',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('text', models.TextField()),
                ('salt', models.CharField(help_text="opens the statement's commitment to the text", max_length=64)),
                ('due', models.DateTimeField()),
                ('signoff', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='conditions', to='governance.signoff')),
            ],
            options={
                'verbose_name': 'condition',
                'verbose_name_plural': 'conditions',
                'ordering': ('signoff', 'number'),
            },
        ),
        migrations.CreateModel(
            name='Fulfilment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('confirmed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('how', models.TextField(help_text='what shows it')),
                ('condition', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='fulfilment', to='governance.condition')),
                ('confirmed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'fulfilment',
                'verbose_name_plural': 'fulfilments',
            },
        ),
        migrations.AddConstraint(
            model_name='condition',
            constraint=models.UniqueConstraint(fields=('signoff', 'number'), name='condition_numbered'),
        ),
        migrations.AddConstraint(
            model_name='condition',
            constraint=models.CheckConstraint(condition=models.Q(('number__gt', 0)), name='condition_numbered_from_one'),
        ),
        migrations.RunPython(protect_stated, open_up_stated),
    ]
