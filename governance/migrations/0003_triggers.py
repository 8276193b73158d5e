"""Signatures, their withdrawals and published policies refuse to be rewritten or removed.

On SQLite a later migration that rebuilds one of these tables drops its triggers: it has to take them away first and
install them again after, as this one does.
"""

from django.db import migrations

from portal.protection import install_sql, remove_sql

PROTECTED = {
    "governance_signoff": {"key": ("id",)},
    "governance_withdrawal": {"key": ("id",)},
    "governance_policyversion": {"key": ("id",)},
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
    dependencies = [("governance", "0002_initial"), ("portal", "0002_ledger_triggers")]

    operations = [migrations.RunPython(install, remove)]
