"""Waivers, their answers and their ends. None of it is rewritten or removed."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from portal.protection import install_sql, remove_sql

PROTECTED = ("governance_waiver", "governance_waiveranswer", "governance_waiverwithdrawal")


def protect(apps, schema_editor):
    for table in PROTECTED:
        for statement in install_sql(schema_editor.connection.vendor, table, key=("id",)):
            schema_editor.execute(statement, params=None)


def open_up(apps, schema_editor):
    for table in PROTECTED:
        for statement in remove_sql(schema_editor.connection.vendor, table):
            schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):

    dependencies = [
        ('governance', '0012_uploads'),
        ('portal', '0015_waivers'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Waiver',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('requirement', models.CharField(max_length=120)),
                ('clause', models.CharField(help_text="digest of the requirement's clause", max_length=64)),
                ('title', models.TextField(help_text='the requirement in words')),
                ('parts', models.JSONField(help_text='digest of each part of the bundle')),
                ('finding', models.JSONField(help_text='what may not change of the finding')),
                ('finding_digest', models.CharField(max_length=64)),
                ('found', models.TextField(help_text='the finding in words; people in it by their ids')),
                ('why', models.TextField(help_text='why it should go on all the same')),
                ('why_salt', models.CharField(help_text="opens the statement's commitment to the reason", max_length=64)),
                ('until', models.DateTimeField(help_text='the first instant at which it counts no more')),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('bundle', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='waivers', to='portal.bundle')),
                ('lane', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='waivers', to='portal.lane')),
                ('on_behalf_of', models.ForeignKey(blank=True, help_text='who was away, and whose right it was', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'waiver',
                'verbose_name_plural': 'waivers',
                'ordering': ('-id',),
            },
        ),
        migrations.CreateModel(
            name='WaiverAnswer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('granted', models.BooleanField()),
                ('answered_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('comment', models.TextField(blank=True, help_text='what whoever answered says about it')),
                ('comment_salt', models.CharField(blank=True, max_length=64)),
                ('meaning', models.TextField(blank=True)),
                ('key_id', models.CharField(blank=True, max_length=100)),
                ('answered_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('asker', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('envelope', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.content')),
                ('statement', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.content')),
                ('waiver', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='answer', to='governance.waiver')),
            ],
            options={
                'verbose_name': 'answer to a waiver',
                'verbose_name_plural': 'answers to waivers',
                'ordering': ('-id',),
            },
        ),
        migrations.CreateModel(
            name='WaiverWithdrawal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('withdrawn_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('why', models.TextField()),
                ('waiver', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='withdrawal', to='governance.waiver')),
                ('withdrawn_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'end of a waiver',
                'verbose_name_plural': 'ends of waivers',
                'ordering': ('-id',),
            },
        ),
        migrations.AddIndex(
            model_name='waiver',
            index=models.Index(fields=['lane', 'bundle'], name='waiver_of_bundle'),
        ),
        migrations.AddConstraint(
            model_name='waiver',
            constraint=models.CheckConstraint(condition=models.Q(('until__gt', models.F('asked_at'))), name='waiver_ends_later'),
        ),
        migrations.AddConstraint(
            model_name='waiver',
            constraint=models.CheckConstraint(condition=models.Q(('requirement__startswith', 'sign_off'), _negated=True), name='waiver_of_no_word'),
        ),
        migrations.AddConstraint(
            model_name='waiver',
            constraint=models.CheckConstraint(condition=models.Q(('on_behalf_of__isnull', True), models.Q(('on_behalf_of', models.F('asked_by')), _negated=True), _connector='OR'), name='waiver_for_another'),
        ),
        migrations.AddConstraint(
            model_name='waiveranswer',
            constraint=models.CheckConstraint(condition=models.Q(('answered_by', models.F('asker')), _negated=True), name='waiver_answered_by_another'),
        ),
        migrations.AddConstraint(
            model_name='waiveranswer',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('envelope__isnull', False), ('granted', True), ('statement__isnull', False), models.Q(('key_id', ''), _negated=True), models.Q(('meaning', ''), _negated=True)), models.Q(('envelope__isnull', True), ('granted', False), ('key_id', ''), ('meaning', ''), ('statement__isnull', True), models.Q(('comment', ''), _negated=True)), _connector='OR'), name='waiver_signed_or_reasoned'),
        ),
        migrations.RunPython(protect, open_up),
    ]
