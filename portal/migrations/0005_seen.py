"""Rows on lanes name their project's key, and an index lists by it what somebody sees."""

from django.db import migrations, models
from django.db.models import OuterRef, Q, Subquery

TABLES = (("LaneUserObjectPermission", "user"), ("LaneGroupObjectPermission", "group"))


def say_keys(apps, schema_editor):
    projects = apps.get_model("portal", "Project").objects.filter(pk=OuterRef("project"))
    for table, _holder in TABLES:
        apps.get_model("portal", table).objects.update(project_key=Subquery(projects.values("key")[:1]))


class Migration(migrations.Migration):

    dependencies = [
        ("portal", "0004_change"),
    ]

    operations = [
        *(
            migrations.AddField(
                model_name=table.lower(),
                name="project_key",
                field=models.CharField(default="", max_length=100),
                preserve_default=False,
            )
            for table, _holder in TABLES
        ),
        migrations.RunPython(say_keys, migrations.RunPython.noop),
        *(
            migrations.AddIndex(
                model_name=table.lower(),
                index=models.Index(fields=[holder, "project_key", "until"], name=f"lane_{holder}_by_key"),
            )
            for table, holder in TABLES
        ),
        *(
            migrations.AddConstraint(
                model_name=table.lower(),
                constraint=models.CheckConstraint(condition=~Q(project_key=""), name=f"lane_{holder}_says_key"),
            )
            for table, holder in TABLES
        ),
    ]
