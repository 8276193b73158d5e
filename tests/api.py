"""A person or a token at the REST API, as tests speak to it; and the query counts of lists."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.actions.people import make_token
from portal.models import Event, Person

PREFIX = "/api/v1/"
ABSENT = "There is nothing here, or you may not see it. Ask an administrator if you should."


@dataclass
class Api:
    """Sends and checks. Paths are those behind /api/v1/; answers are JSON values."""

    client: Client = field(default_factory=Client)
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """The whole answer."""
        more = {} if body is None else {"data": body, "content_type": "application/json"}
        address = path if path.startswith("http") else PREFIX + path
        return getattr(self.client, method)(address, headers=self.headers, **more)

    def get(self, path: str) -> Any:
        """The JSON of a GET that succeeds."""
        answer = self.send("get", path)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def rows(self, path: str) -> list[Any]:
        """The first page of a list."""
        return self.get(path)["results"]

    def post(self, path: str, /, **body: Any) -> Any:
        """The JSON of a POST that succeeds."""
        answer = self.send("post", path, body)
        assert answer.status_code in (200, 201), answer.content
        return answer.json()

    def refused(self, status: int, method: str, path: str, body: Any = None) -> Any:
        """The problem of what is refused with this status; nothing may be in the ledger of it but a refusal."""
        before = Event.objects.count()
        answer = self.send(method, path, {} if body is None and method == "post" else body)
        assert answer.status_code == status, answer.content
        assert answer["Content-Type"] == "application/problem+json"
        told = answer.json()
        assert told["status"] == status
        assert told["type"].endswith(f":{told['code']}")
        assert told["detail"]
        assert not Event.objects.filter(seq__gte=before).exclude(
            kind__in=("access.refused", "verdict.judged")
        )
        return told

    def absent(self, method: str, path: str, body: Any = None) -> None:
        """It answers as if there were nothing, word for word."""
        told = self.refused(404, method, path, body)
        assert (told["code"], told["detail"]) == ("absent", ABSENT)
        assert set(told) == {"type", "title", "status", "detail", "code"}


def session(person: Person) -> Api:
    """A person who signed in."""
    api = Api()
    api.client.force_login(person)
    return api


def token(person: Person, **scope: Any) -> Api:
    """A program with a token of the person's: all a token may carry, or `carrying` and `projects` as told."""
    _row, secret = make_token(by=person, name=f"for a test, {person.tokens.count()}", **scope)
    return Api(headers={"Authorization": f"Bearer {secret}"})


def told(kind: str) -> Event:
    """The last event, which has to be of this kind."""
    last = Event.objects.latest("seq")
    assert last.kind == kind
    return last


def queries(api: Api, path: str, *, rows: int) -> int:
    """How many queries a list takes; it has to show this many rows."""
    api.get(path)  # what is read once per process is read now
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert len(api.rows(path)) == rows
    return len(found)


def same_at_any_size(
    api: Api, path: str, grow: Callable[[int], None], *, already: int = 0, most: int = 12
) -> None:
    """The list takes as many queries for 10 rows as for 1,000, of which a page shows 50, and at most `most`."""
    grow(10 - already)
    few = queries(api, path, rows=10)
    grow(990)
    many = queries(api, path, rows=50)
    assert few == many
    assert many <= most
