"""Large contents may be kept in a storage; the row says in which."""

from django.db import migrations, models

from portal.protection import install_sql, remove_sql

TABLE = "portal_content"


def _run(schema_editor, statements):
    for statement in statements:
        schema_editor.execute(statement, params=None)


def take_away(apps, schema_editor):
    _run(schema_editor, remove_sql(schema_editor.connection.vendor, TABLE))


def put_back(apps, schema_editor):
    _run(
        schema_editor,
        install_sql(schema_editor.connection.vendor, TABLE, key=("digest",), repeatable=True),
    )


class Migration(migrations.Migration):
    dependencies = [("portal", "0013_score_column")]

    operations = [
        migrations.RunPython(take_away, put_back),
        migrations.AlterField(
            model_name="content",
            name="body",
            field=models.BinaryField(help_text="empty where a storage holds the bytes"),
        ),
        migrations.AddField(
            model_name="content",
            name="kept_in",
            field=models.CharField(
                blank=True,
                default="",
                help_text="the storage that holds the bytes; empty: this row",
                max_length=20,
            ),
        ),
        migrations.RunPython(put_back, take_away),
    ]
