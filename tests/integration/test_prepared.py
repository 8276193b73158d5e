"""Querysets whose SQL is worked out once give what they would give anew, on both databases."""

import threading
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.db.models import Q, QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.models import Grant, Lane, Person
from portal.prepared import prepared
from tests.cast import Cast, make_cast


@pytest.fixture
def cast(each_database: object) -> Cast:
    return make_cast()


def test_objects_with_what_they_select_come_as_from_the_queryset(cast: Cast) -> None:
    @prepared
    def lanes(keys: Any) -> QuerySet[Lane]:
        return Lane.objects.filter(project__key__in=keys).select_related("project", "stage").order_by("pk")

    found = lanes(keys=[cast.churn.key])
    assert found == list(Lane.objects.filter(project=cast.churn).order_by("pk"))
    with CaptureQueriesContext(connection) as asked:
        assert {(lane.project.key, lane.stage.pipeline_id) for lane in found} == {
            (cast.churn.key, cast.churn.pipeline_id)
        }
    assert not asked.captured_queries


def test_what_each_database_keeps_in_its_own_way_is_compared_and_read_as_itself(cast: Cast) -> None:
    @prepared
    def given(people: Any, since: Any) -> QuerySet[Any, tuple[Any, ...]]:
        rows = Grant.objects.filter(Q(person__in=people) | Q(team__isnull=False), given_at__gt=since)
        return rows.values_list("person", "given_at", "right").order_by("pk")

    long_ago = timezone.now() - timedelta(days=3)
    people = [cast.dev.pk, cast.mona.pk, uuid4()]
    wanted = Grant.objects.filter(Q(person__in=people) | Q(team__isnull=False)).order_by("pk")
    assert wanted.exists()
    assert given(people=people, since=long_ago) == list(wanted.values_list("person", "given_at", "right"))
    assert given(people=people, since=timezone.now() + timedelta(days=1)) == []


def test_any_number_is_asked_for_and_a_few_texts_are_enough(cast: Cast) -> None:
    made: list[int] = []

    @prepared
    def named(logins: Any) -> QuerySet[Any, Any]:
        made.append(1)
        return Person.objects.filter(login__in=logins).values("login").order_by("login")

    everybody = list(Person.objects.order_by("login").values_list("login", flat=True))
    assert len(everybody) >= 8
    for _turn in range(2):
        for number in range(9):
            assert [row["login"] for row in named(logins=everybody[:number])] == everybody[:number]
    # None at all, one, two, four, eight.
    assert len(made) == 5


def test_nothing_to_choose_from_asks_nothing_unless_something_else_may_be_found(cast: Cast) -> None:
    @prepared
    def of(people: Any) -> QuerySet[Grant]:
        return Grant.objects.filter(person__in=people)

    @prepared
    def of_or_for_teams(people: Any) -> QuerySet[Grant]:
        return Grant.objects.filter(Q(person__in=people) | Q(team__isnull=False)).order_by("pk")

    with CaptureQueriesContext(connection) as asked:
        assert of(people=[]) == []
    assert not asked.captured_queries
    assert of_or_for_teams(people=set()) == list(Grant.objects.filter(team__isnull=False).order_by("pk"))


def test_no_value_is_refused_because_it_would_find_nothing_without_a_word(cast: Cast) -> None:
    @prepared
    def of(people: Any) -> QuerySet[Grant]:
        return Grant.objects.filter(person__in=people)

    for people in (None, [cast.dev.pk, None]):
        with pytest.raises(TypeError, match="people cannot be None"):
            of(people=people)


def test_threads_ask_at_once_each_by_its_own_connection(cast: Cast) -> None:
    @prepared
    def named(login: Any) -> QuerySet[Person]:
        return Person.objects.filter(login=login)

    logins = ["dev", "mona", "fay", "eli"]
    found: dict[str, list[list[Person]]] = {login: [] for login in logins}
    together = threading.Barrier(len(logins))

    def ask(login: str) -> None:
        try:
            together.wait(20)
            for _turn in range(30):
                found[login].append(named(login=login))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask, args=(login,)) for login in logins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for login, turns in found.items():
        assert [[person.login for person in people] for people in turns] == [[login]] * 30
