"""Tokens made before they had a scope: each gets an end and a maker, and keeps what tokens may."""

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from portal.actions import people
from portal.models import Token
from portal.models.grant import CARRIED
from tests.cast import make_cast
from tests.conftest import Database

BEFORE = [("portal", "0006_identity")]


def test_tokens_from_before(each_database: Database) -> None:
    cast = make_cast()
    _kept, secret = people.make_token(by=cast.dev, name="for good", carrying=[])
    revoked, _secret = people.make_token(by=cast.fay, name="ended")
    people.revoke_token(by=cast.ada, token=revoked)
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    old = executor.loader.project_state(BEFORE).apps.get_model("portal", "Token")
    old.objects.update(expires_at=None)
    again = MigrationExecutor(connection)
    again.migrate(again.loader.graph.leaf_nodes())
    kept, ended = Token.objects.get(name="for good"), Token.objects.get(name="ended")
    assert (kept.made_by, kept.every_project, set(kept.rights)) == (
        cast.dev,
        True,
        set(CARRIED) - {"provision"},
    )
    assert (kept.expires_at - kept.made_at).days == 366
    assert ended.revoked_by == cast.fay
    assert people.person_of_token(secret) == cast.dev
