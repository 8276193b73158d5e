"""Models and migrations say the same."""

from django.apps import apps
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from tests.conventions.tree import APPS


def test_no_migration_is_missing() -> None:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    changes = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps)).changes(
        graph=loader.graph
    )
    missing = {app: [str(operation) for migration in found for operation in migration.operations]
               for app, found in changes.items() if app in APPS}  # fmt: skip
    assert not missing, f"run manage.py makemigrations: {missing}"


def test_every_app_has_migrations_on_one_line() -> None:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    assert not loader.detect_conflicts()
    assert set(APPS) <= loader.migrated_apps
