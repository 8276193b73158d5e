"""The ledger's pages: who may read what, filters, pages by number, and one event."""

import pytest

from portal import ledger
from portal.actions import grants, people
from portal.event_kinds import EventKind
from portal.models import Event, Right
from tests.cast import Cast
from tests.factories import request_at
from tests.pages import outsider_sees_nothing, queries_of, refused, signed_in, words


def test_an_auditor_reads_all_of_it_newest_first(cast: Cast) -> None:
    request_at(cast)
    page = words(signed_in(cast.nora).get("/ledger/"))
    assert "Dev Rao asked for v1 to go to qa" in page
    assert page.index("asked for v1 to go to qa") < page.index("Bundle v1 was registered")
    assert "Ada Novak gave Nora Feld the right to audit" in page


def test_who_audits_one_project_reads_that_one(cast: Cast) -> None:
    request_at(cast)
    grants.grant(by=cast.ada, person=cast.eli, right=Right.AUDIT, project=cast.churn, why="Audits churn.")
    answer = signed_in(cast.eli).get("/ledger/?project=")
    assert "Dev Rao asked for v1 to go to qa" in words(answer)
    assert {entry.project for entry, _sentence, _actor in answer.context["entries"]} == {"CHURN"}
    foreign = Event.objects.filter(project="").values_list("seq", flat=True)[0]
    outsider_sees_nothing(signed_in(cast.eli), f"/ledger/{foreign}/")


def test_others_are_refused_with_the_reason(cast: Cast) -> None:
    refused(
        signed_in(cast.dev).get("/ledger/"),
        403,
        "You need the right to read the ledger and make reports on the whole estate.",
    )
    refused(signed_in(cast.otto).get("/ledger/0/"), 403, "You need the right to read the ledger")


def test_it_is_filtered(cast: Cast) -> None:
    wish = request_at(cast)
    client = signed_in(cast.nora)
    answer = client.get("/ledger/", {"project": "CHURN", "kind": "request.submitted"})
    assert [entry.kind for entry, *_rest in answer.context["entries"]] == [EventKind.REQUEST_SUBMITTED]
    answer = client.get("/ledger/", {"subject": wish.subject})
    assert {entry.subject for entry, *_rest in answer.context["entries"]} == {wish.subject}
    assert "Nothing like that happened" in words(client.get("/ledger/?subject=request:999"))


def tokens(cast: Cast, number: int) -> None:
    """Events by the dozen."""
    with ledger.business():
        for n in range(number):
            people.make_token(by=cast.dev, name=f"token {number}-{n}")


def test_its_pages_begin_where_the_last_ended_and_take_the_same_queries(cast: Cast) -> None:
    client = signed_in(cast.nora)
    tokens(cast, 10)
    few = queries_of(client, "/ledger/")
    tokens(cast, 240)
    assert queries_of(client, "/ledger/") == few
    seen: list[int] = []
    path = "/ledger/"
    while path:
        answer = client.get(path)
        seen += [entry.seq for entry, *_rest in answer.context["entries"]]
        path = f"/ledger/?before={answer.context['older']}" if answer.context["older"] is not None else ""
    assert seen == list(range(Event.objects.count()))[::-1]


def test_one_event_shows_its_facts_and_the_bytes_that_were_hashed(cast: Cast) -> None:
    request_at(cast)
    event = Event.objects.get(kind="request.submitted")
    page = words(signed_in(cast.nora).get(f"/ledger/{event.seq}/"))
    assert "It is better." in page  # a personal value, from its disclosure
    assert bytes(event.leaf).hex() in page
    assert '"commitment": "' in page
    outsider_sees_nothing(signed_in(cast.nora), "/ledger/999999/")


def test_what_was_erased_is_said_to_be(cast: Cast) -> None:
    request_at(cast)
    event = Event.objects.get(kind="request.submitted")
    ledger.erase(event.seq, "facts.why")
    page = words(signed_in(cast.nora).get(f"/ledger/{event.seq}/"))
    assert "why erased" in page
    assert "It is better." not in page


@pytest.mark.parametrize("before", ["²", "٣", "soon", "-1", "9" * 5000])
def test_it_begins_with_the_newest_where_the_place_is_no_number(cast: Cast, before: str) -> None:
    answer = signed_in(cast.nora).get("/ledger/", {"before": before})
    assert answer.context["entries"][0][0].seq == Event.objects.count() - 1
