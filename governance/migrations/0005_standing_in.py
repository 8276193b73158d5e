import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from portal.protection import install_sql, remove_sql

TABLE, HOW = "governance_signoff", {"key": ("id",)}


def protect(apps, schema_editor):
    for statement in install_sql(schema_editor.connection.vendor, TABLE, **HOW):
        schema_editor.execute(statement, params=None)


def open_up(apps, schema_editor):
    for statement in remove_sql(schema_editor.connection.vendor, TABLE):
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    """A sign-off names for whom it was given. The table is opened for that and protected again."""

    dependencies = [
        ('governance', '0004_change'),
        ('portal', '0007_people'),
    ]

    operations = [
        migrations.RunPython(open_up, protect),
        migrations.AddField('signoff', 'on_behalf_of', models.ForeignKey(blank=True, help_text='who was away, and whose right it was', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        migrations.AddConstraint('signoff', models.CheckConstraint(condition=models.Q(on_behalf_of__isnull=True) | ~models.Q(on_behalf_of=models.F('person')), name='signoff_for_another')),
        migrations.RunPython(protect, open_up),
    ]
