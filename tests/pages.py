"""What tests of pages share: somebody signed in, a page as a person reads it, and how many queries it took."""

import html
import re
from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.models import Person


def signed_in(person: Person) -> Client:
    """A browser in which the person is signed in."""
    client = Client()
    client.force_login(person)
    return client


def words(answer: HttpResponse | Any) -> str:
    """The text of a page with its markup taken out and runs of white space made one space."""
    text = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", answer.content.decode(), flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def refused(answer: HttpResponse | Any, status: int, sentence: str) -> None:
    """The answer is a page with this status that says this."""
    assert answer.status_code == status, words(answer)
    assert sentence in words(answer)


def outsider_sees_nothing(client: Client, path: str, *, post: bool = False) -> None:
    """What an outsider gets here is, but for its CSRF token, what any address gives that leads nowhere."""
    there = client.post(path) if post else client.get(path)
    nowhere = client.get("/nothing/of/that/kind/")
    assert (there.status_code, nowhere.status_code) == (404, 404)
    assert _without_token(there) == _without_token(nowhere)


def _without_token(answer: Any) -> str:
    page = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", answer.content.decode())
    return page.replace(' aria-current="page"', "")


def queries_of(client: Client, path: str) -> int:
    """How many queries a page takes."""
    client.get(path)  # once before, so that nothing is counted that only the first asks
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(path)
    assert answer.status_code == 200, answer
    return len(asked)
