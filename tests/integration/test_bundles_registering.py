"""Registering bundles against the sandbox DSS: kills, trouble on the way, and bundles that are not what they say."""

import io
import json
import stat
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from portal import content, lease, ledger
from portal.actions import bundles
from portal.dss import archive
from portal.dss.client import Dss
from portal.event_kinds import EventKind
from portal.models import Bundle, Person
from tests import factories
from tests.cast import Cast, make_cast
from tests.conftest import Database
from tests.factories import bundle_asked
from tests.integration.test_grants import refusals_of
from tests.pages import signed_in, words
from tests.world import World


class Killed(BaseException):
    """SIGKILL."""


def ask(world: World, bundle_id: str, *, pick: bool = False) -> Bundle:
    return bundles.ask_bundle(by=world.dev, project=world.project, bundle_id=bundle_id, pick=pick)


def register(bundle: Bundle, times: int = 1) -> Bundle:
    """As the task and then the sweep do it, its pauses not waited out."""
    for _ in range(times):
        Bundle.objects.filter(pk=bundle.pk, lease_until__isnull=False).update(
            lease_until=timezone.now() - timedelta(seconds=1)
        )
        bundles.register(by=Person.objects.system(), bundle_pk=bundle.pk)
    return Bundle.objects.get(pk=bundle.pk)


class Lying(factories.Dss):
    """A node that gives another archive than was asked for."""

    def __init__(self, bundle: Bundle, body: bytes) -> None:
        super().__init__(bundle)
        self._body = body

    @contextmanager
    def open_bundle(self, project: str, bundle_id: str) -> Iterator[Iterator[bytes]]:
        yield iter([self._body])


def kinds(bundle: Bundle) -> list[str]:
    return [entry.kind.value for entry in ledger.events(subject=bundle.subject)]


@pytest.mark.parametrize("at", ["list_bundles", "export_bundle", "open_bundle", "read_manifest", "put_json"])
def test_killed_at_any_point_it_is_registered_once(
    world: World, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    asked = ask(world, "once")
    owner: Any = {"read_manifest": bundles, "put_json": content}.get(at, Dss)
    real = getattr(owner, at)

    def killed(*args: Any, **named: Any) -> Any:
        real(*args, **named)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(owner, at, killed)
        with pytest.raises(Killed):
            register(asked)
    bundles.register(by=Person.objects.system(), bundle_pk=asked.pk)
    assert Bundle.objects.get(pk=asked.pk).status == "asked", "the dead worker's claim still holds"
    done = register(asked)
    assert done.is_registered, done.problem
    assert world.effects()["exports"] == 1
    assert kinds(asked) == [EventKind.BUNDLE_ASKED, EventKind.BUNDLE_REGISTERED]
    assert done.author == world.dev


@pytest.mark.parametrize(
    "trouble",
    [
        {"kind": "drop_before", "method": "PUT"},
        {"kind": "drop_after", "method": "PUT"},
        {"kind": "status", "status": 503, "method": "PUT"},
        {"kind": "status_after", "status": 500, "method": "PUT"},
        {"kind": "not_json", "method": "PUT"},
        {"kind": "truncate", "keep": 0.5, "path": "/archive$"},
        {"kind": "truncate", "keep": 0.5, "path": "/archive$", "honest": True},
        {"kind": "corrupt", "path": "/archive$"},
    ],
    ids=lambda trouble: "-".join(str(value) for value in trouble.values()),
)
def test_trouble_that_passes(world: World, trouble: dict[str, Any]) -> None:
    world.control.fault(node="design", **trouble)
    done = register(ask(world, "through"), times=3)
    assert done.is_registered, done.problem
    assert world.effects()["exports"] == 1
    assert done.problem == ""


def test_a_design_node_that_stays_away(world: World) -> None:
    asked = ask(world, "away")
    world.sandbox.kill()
    first = register(asked)
    assert first.status == "asked"
    assert first.lease_until is not None
    assert first.lease_until > timezone.now(), "the sweep leaves it alone for a while"
    failed = register(asked, times=bundles.ATTEMPTS)
    assert failed.status == "failed"
    assert "could not be reached" in failed.problem
    assert kinds(asked)[-1] == EventKind.BUNDLE_FAILED


def test_an_archive_that_is_always_damaged(world: World) -> None:
    asked = ask(world, "torn")
    world.control.fault("truncate", keep=0.5, path="/archive$", honest=True, times=None)
    assert register(asked).status == "asked"
    assert register(asked, times=bundles.ATTEMPTS).status == "failed"


def test_an_archive_without_end_is_given_up_at_once(world: World, settings: Any) -> None:
    asked = ask(world, "endless")
    settings.DSS_STREAM_MB = 0.001
    failed = register(asked)
    assert (failed.status, failed.attempts) == ("failed", 1)
    assert "more than the limit of 0.001 MB" in failed.problem


def test_who_lost_the_lease_leaves_it_to_the_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask(world, "taken")
    with monkeypatch.context() as patch:
        patch.setattr(lease, "_renew", lambda held, _over: setattr(held, "lost", True))
        left = register(asked)
    assert (left.status, left.problem) == ("asked", "")
    assert register(asked).is_registered


def test_somebody_elses_export_is_not_taken_for_ours(world: World) -> None:
    """The node was away at the first attempt, so nothing says whether the bundle was there before."""
    with Dss(
        url=world.sandbox.nodes["design"].url, key=world.sandbox.key("design", "ada"), node="design"
    ) as theirs:
        theirs.export_bundle("CHURN", "theirs")
    asked = ask(world, "theirs")
    world.control.fault("drop_before", node="design", method="GET", times=4)
    assert register(asked).status == "asked"
    failed = register(asked)
    assert failed.status == "failed"
    assert "has a bundle “theirs” already" in failed.problem


def test_a_bundle_that_is_picked(world: World) -> None:
    with world.dss("design") as dss:
        dss.export_bundle("CHURN", "made-there")
    done = register(ask(world, "made-there", pick=True))
    assert done.is_registered
    assert world.effects()["exports"] == 1
    unknown = register(ask(world, "never-made", pick=True))
    assert unknown.status == "failed"
    assert "has no bundle “never-made”" in unknown.problem


@pytest.mark.parametrize(
    "told, kept",
    [
        ("m" * 2000, "m" * 150),
        ("dev\x00", "dev\ufffd"),
        ("de\nv\x1b[1m", "de v\ufffd[1m"),
        ("olga", "olga"),
    ],
)
def test_who_exported_it_is_kept_whatever_the_archive_says(cast: Cast, told: str, kept: str) -> None:
    asked = bundle_asked(cast, pick=True)
    with factories.answering(bundles, factories.Dss(asked, exported_by=told)):
        done = register(asked)
    assert done.is_registered, done.problem
    assert done.author_in_dss == kept
    assert done.author == (cast.olga if told == "olga" else cast.dev), "nobody is matched by a part of a name"
    assert ledger.events(subject=asked.subject)[-1].facts["author_in_dss"] == kept


def test_an_archive_with_a_zero_character_in_its_key_is_refused(cast: Cast) -> None:
    asked = bundle_asked(cast)
    body = factories.archive("CHURN\x00", "v1", factories.MEMBERS)
    with factories.answering(bundles, Lying(asked, body)):
        done = register(asked)
    assert done.status == "failed"
    assert "The archive says it is projectKey “CHURN\ufffd”, not “CHURN”." in done.problem


def hostile(kind: str) -> bytes:
    """An archive of Churn's with something in it that no DSS exports."""
    head = json.dumps({"projectKey": "CHURN", "bundleId": "v1"})
    link = zipfile.ZipInfo("project_config/lib/python/link.py")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    more: dict[str, list[tuple[Any, bytes]]] = {
        "outside": [("project_config/../../../etc/cron.d/job", b"* * * * * root id")],
        "twice": [("project_config/recipes/a.py", b"shown"), ("project_config/recipes/a.py", b"run")],
        "link": [(link, b"/etc/passwd")],
        "bomb": [("managed_datasets/zeros.csv", bytes(80 * 1024**2))],
        "many": [(f"managed_folders/many/{number}", b"") for number in range(archive.MAX_MEMBERS)],
    }
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as file, warnings.catch_warnings(action="ignore"):
        file.writestr("export-manifest.json", head)
        for name, held in more[kind]:
            file.writestr(name, held)
    return body.getvalue()


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        (
            "outside",
            "bad_path",
            "'project_config/../../../etc/cron.d/job', which would land outside its folder",
        ),
        ("twice", "duplicate_member", "two files named 'project_config/recipes/a.py'"),
        (
            "link",
            "special_member",
            "'project_config/lib/python/link.py' of the archive is a link or a device",
        ),
        ("bomb", "zip_bomb", "would unpack to 83886"),
        ("many", "too_many_members", "files; more than "),
    ],
)
def test_a_hostile_archive_is_refused_with_its_reason(
    cast: Cast, kind: str, code: str, said: str, full_size: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not full_size:  # two hundred thousand take seconds to write
        monkeypatch.setattr(archive, "MAX_MEMBERS", 2_000)
    asked = bundle_asked(cast)
    with factories.answering(bundles, Lying(asked, hostile(kind))):
        done = register(asked)
    assert (done.status, done.manifest_id, done.parts) == ("failed", None, {})
    assert said in done.problem
    told = ledger.events(subject=asked.subject)[-1]
    assert (told.kind, told.facts["code"]) == (EventKind.BUNDLE_FAILED, code)
    page = words(signed_in(cast.dev).get("/projects/CHURN/bundles/v1/"))
    assert "It could not be registered" in page
    assert done.problem in page


def test_a_bundle_whose_worker_always_dies_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask(world, "deadly")

    def killed(*_args: Any, **_named: Any) -> Any:
        raise Killed

    monkeypatch.setattr(bundles, "read_manifest", killed)
    for _ in range(bundles.LOST_WORKERS):
        with pytest.raises(Killed):
            register(asked)
    assert register(asked).status == "failed"


def test_a_failed_one_may_be_asked_for_again(world: World) -> None:
    asked = ask(world, "again")
    world.control.fault("status", status=403, method="PUT", node="design", message="no")
    assert register(asked).status == "failed"
    again = ask(world, "again")
    assert again.pk == asked.pk
    assert register(again).is_registered


def test_of_two_who_ask_again_at_once_one_is_told_so(each_database: Database) -> None:
    """Else the second would ask anew for what a worker may have registered meanwhile."""
    cast = make_cast()
    asked = bundle_asked(cast)
    for turn in range(1, 5):
        Bundle.objects.filter(pk=asked.pk).update(status="failed")
        refused = refusals_of(
            *(
                lambda by=by: bundles.ask_bundle(by=by, project=cast.churn, bundle_id=asked.bundle_id)
                for by in (cast.olga, cast.dev)
            )
        )
        assert [refusal.code for refusal in refused] == ["bundle_taken"]
        assert kinds(asked) == [EventKind.BUNDLE_ASKED] * (1 + turn)
