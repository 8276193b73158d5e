"""Telling people things: once, of what they may know, and by e-mail until the mail server takes it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone
from pytest_django import Settings

from portal import ledger, telling
from portal.actions import grants
from portal.models import Grant, Notification, Person
from portal.telling import News
from tests.api import Api, same_at_any_size
from tests.cast import Cast
from tests.pages import queries_of, signed_in, words


class Down(BaseEmailBackend):
    """A mail server that is away, and names an address while it says so."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        raise ConnectionRefusedError("fay@example.com: no route")


@pytest.fixture
def sends(settings: Settings) -> None:
    settings.ADDRESS = "https://countersign.example"


def news(cast: Cast, **more: Any) -> News:
    """That Fay is asked to sign."""
    said = {
        "kind": Notification.Kind.ASKED,
        "once": "asked:1",
        "line": "Customer churn: you are asked to sign for fairness",
        "url": "/projects/CHURN/requests/1/",
        "text": "Dev Rao asks to bring v1 to Production.",
        "project": cast.churn,
    }
    return News(**{**said, **more})


def tell(people: Sequence[Person], what: News) -> list[Person]:
    with ledger.business():
        return telling.tell(people, what)


@pytest.mark.usefixtures("sends")
def test_somebody_is_told_once_on_a_page_and_by_letter(cast: Cast) -> None:
    assert tell([cast.fay, cast.fay], news(cast)) == [cast.fay]
    assert tell([cast.fay], news(cast)) == [], "the same is told to nobody twice"
    assert telling.send_due() == 1
    assert telling.send_due() == 0
    (letter,) = mail.outbox
    assert letter.to == ["fay@example.com"]
    assert letter.subject == "[Countersign] Customer churn: you are asked to sign for fairness"
    assert "https://countersign.example/projects/CHURN/requests/1/" in str(letter.body)
    row = Notification.objects.get()
    assert (row.mail, row.tries, row.next_try_at) == ("sent", 1, None)
    client = signed_in(cast.fay)
    first = words(client.get("/notifications/"))
    assert "you are asked to sign for fairness new" in first
    assert " new " not in words(client.get("/notifications/")), "it was read"
    assert "Nothing yet" in words(signed_in(cast.eli).get("/notifications/"))


@pytest.mark.usefixtures("sends")
def test_no_letter_goes_to_whoever_lost_the_right_or_left_meanwhile(cast: Cast) -> None:
    tell([cast.fay, cast.eli], news(cast))
    with ledger.business():
        for grant in Grant.objects.filter(person=cast.fay, revoked_at=None):
            grants.revoke(by=cast.ada, grant=grant, why="Moved on.")
    Person.objects.filter(pk=cast.eli.pk).update(is_active=False)
    assert telling.send_due() == 0
    assert mail.outbox == []
    assert set(Notification.objects.values_list("mail", flat=True)) == {"none"}
    assert not telling.told(cast.fay).exists(), "nor is it on the page"


@pytest.mark.usefixtures("sends")
def test_a_mail_server_that_is_away_is_asked_again_and_given_up_in_the_end(
    cast: Cast, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Down"
    tell([cast.fay], news(cast))
    for number, wait in enumerate(telling.AGAIN, start=1):
        assert telling.send_due() == 0
        row = Notification.objects.get()
        assert (row.mail, row.tries, row.problem) == ("waiting", number, "ConnectionRefusedError")
        assert row.next_try_at is not None
        assert abs(row.next_try_at - timezone.now() - wait) < timedelta(seconds=10)
        telling.send_due()
        assert Notification.objects.get().tries == number, "not before its time"
        Notification.objects.update(next_try_at=timezone.now())
    telling.send_due()
    assert Notification.objects.get().mail == "given_up"
    assert "fay@example.com" not in caplog.text
    assert "the letter could not be sent" in words(signed_in(cast.fay).get("/notifications/"))


@pytest.mark.usefixtures("sends")
def test_a_worker_that_died_over_a_letter_leaves_it_to_another(cast: Cast) -> None:
    tell([cast.fay], news(cast))
    Notification.objects.update(next_try_at=timezone.now() + telling.CLAIM)  # taken, and not sent
    assert telling.send_due() == 0
    Notification.objects.update(next_try_at=timezone.now())
    assert telling.send_due() == 1


@pytest.mark.usefixtures("sends")
def test_a_line_stays_one_line_whatever_names_hold(cast: Cast) -> None:
    odd = "Churn\r\nBcc: otto@example.com\n" + "x" * 300
    tell([cast.fay], news(cast, line=odd))
    assert telling.send_due() == 1
    (letter,) = mail.outbox
    assert len(letter.subject) <= 200
    assert letter.recipients() == ["fay@example.com"]
    assert "Bcc" not in letter.message()


def test_whoever_has_no_address_or_is_no_person_gets_no_letter(cast: Cast, settings: Settings) -> None:
    Person.objects.filter(pk=cast.fay.pk).update(email="")
    service = Person.objects.create_person("robot", name="Robot", kind=Person.Kind.SERVICE)
    cast.fay.refresh_from_db()
    assert tell([cast.fay, service, Person.objects.system()], news(cast)) == [cast.fay]
    assert Notification.objects.get().mail == "none"
    settings.MAILS = False
    tell([cast.eli], news(cast))
    assert Notification.objects.get(person=cast.eli).mail == "none"


def test_what_was_told_long_ago_is_forgotten(cast: Cast) -> None:
    tell([cast.fay], news(cast))
    tell([cast.fay], news(cast, once="asked:2"))
    Notification.objects.filter(once="asked:1").update(told_at=timezone.now() - timedelta(days=181))
    telling.forget_old()
    assert [one.once for one in Notification.objects.all()] == ["asked:2"]


def test_a_long_list_takes_as_many_queries_as_a_short_one(cast: Cast) -> None:
    begun = 0

    def grow(count: int) -> None:
        nonlocal begun
        Notification.objects.bulk_create(
            Notification(
                person=cast.fay,
                kind="asked",
                once=f"{number}",
                line=f"Line {number}",
                url="/",
                project=cast.churn,
                mail="none",
                read_at=timezone.now(),
            )
            for number in range(begun, begun + count)
        )
        begun += count

    grow(10)
    short = queries_of(signed_in(cast.fay), "/notifications/")
    grow(990)
    assert queries_of(signed_in(cast.fay), "/notifications/") == short
    Notification.objects.all().delete()
    same_at_any_size(Api(signed_in(cast.fay)), "notifications/", grow)
