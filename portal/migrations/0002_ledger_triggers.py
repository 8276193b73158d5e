"""The ledger, its checkpoints, its disclosures and the content store refuse to be rewritten.

On SQLite a later migration that rebuilds one of these tables drops its triggers: it has to take them away first and
install them again after, as this one does.
"""

from django.db import migrations

from portal.protection import install_sql, remove_sql

PROTECTED = {
    "portal_event": {"key": ("seq",)},
    "portal_checkpoint": {"key": ("id",)},
    "portal_content": {"key": ("digest",), "repeatable": True},
    "portal_disclosure": {"key": ("event_id", "path"), "deletable": True},
}


def install(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    for table, how in PROTECTED.items():
        for statement in install_sql(vendor, table, **how):
            schema_editor.execute(statement, params=None)


def remove(apps, schema_editor):
    for table in PROTECTED:
        for statement in remove_sql(schema_editor.connection.vendor, table):
            schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("portal", "0001_initial")]

    operations = [migrations.RunPython(install, remove)]
