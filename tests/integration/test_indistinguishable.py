"""What belongs to another team is as if it were not there: in answers, lists, counts, searches, exports and reports.

Asked by an outsider, by a member of another team who may do everything on its own project, and by a token of an
administrator that reaches that project alone. Addresses are those of tests/no_way_around.md.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote, quote_plus, urlencode
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from pytest_django.plugin import DjangoDbBlocker

from deployments.actions import requests
from governance.actions import signoffs
from governance.models import SignOff
from portal.actions import grants, portfolios
from portal.models import Grant, Portfolio, Right
from tests.addresses import PLACE, names_read
from tests.bodies import body_for, query_for
from tests.cast import imported, make_cast
from tests.databases import quicker_database
from tests.factories import bundle_registered
from tests.furnished import Furnished, Who, design_answers, furnished, undone
from tests.integration.test_no_way_around import Line, the_table

OUTSIDERS = ("outsider", "another team", "token elsewhere")
SLOW = {"/api/v1/schema/"}  # names no object, and is written anew for each who asks
# What a directory asks for there is all its own, or the same everywhere.
OF_DIRECTORIES = ("/scim/v2/Groups/", "/scim/v2/Schemas/", "/scim/v2/ResourceTypes/")
# Whoever manages a project is told there of everybody, for they pick of all people; and of a kind of document both
# teams have one of their own.
OF_EVERYBODY = {
    "/api/v1/projects/<key>/rights/of/<login>/",
    "/projects/<key>/documents/<kind>/",
    "/api/v1/projects/<key>/documents/<kind>/",
}
# A secret or a challenge is made anew whenever they are opened.
MADE_ANEW = {"/account/factors/app/", "/account/factors/passkey/"}
# Headers that tell how long a page is, which its body tells too, and what time it is.
PASSING = {"Content-Length", "Expires"}
NO_NUMBER, NO_NAME = "999999999", "no-such-thing"


@pytest.fixture(scope="module")
def portal(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Furnished]:
    """One of each thing and everybody, in one transaction that is undone at the end."""
    with django_db_blocker.unblock(), quicker_database(request.config), undone(), design_answers():
        yield furnished(make_cast())


@dataclass(frozen=True)
class Told:
    """All that an answer tells: its status, headers, cookies, words, and how many queries it took."""

    status: int
    headers: tuple[tuple[str, str], ...]
    cookies: tuple[str, ...]
    body: str
    queries: int


def ask(who: Who, method: str, address: str, body: Any = None, hide: tuple[str, ...] = ()) -> Told:
    """Send it and undo it. `hide` is what was asked for, which an answer may say back."""
    count = 0

    def counting(execute: Any, *rest: Any) -> Any:
        nonlocal count
        count += 1
        return execute(*rest)

    with undone(), connection.execute_wrapper(counting):
        answer = who.send(method, address, body)
    spare = (address.partition("?")[0], *(one for one in hide if len(one) > 3))

    def plain(text: str) -> str:
        for one in spare:
            text = text.replace(one, "⟨asked⟩")
        return text

    headers = {
        name: plain(in_order(value) if name == "Content-Security-Policy" else value)
        for name, value in answer.headers.items()
        if name not in PASSING
    }
    return Told(
        answer.status_code,
        tuple(sorted(headers.items())),
        tuple(sorted(answer.cookies)),
        plain(steady(answer.content.decode(errors="replace"))),
        count,
    )


def in_order(policy: str) -> str:
    """A content security policy, whose directives and sources mean the same in any order."""
    return "; ".join(sorted(" ".join(sorted(directive.split())) for directive in policy.split(";")))


def steady(page: str) -> str:
    """A page without what differs each time: its CSRF token and what time it is."""
    page = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", page)
    page = re.sub(r"<time\b.*?</time>", "⟨time⟩", page, flags=re.DOTALL)
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "⟨time⟩", page)


def takes(who: str, path: str) -> bool:
    """Whether this address looks at who it is: a page takes no token, SCIM nothing else."""
    if path.startswith(("/api/", "/scim/")):
        return path.startswith("/api/")
    return not who.startswith("token")


def lines(*, places: bool) -> list[Line]:
    """The lines of the table, but for Django's admin and addresses that name nothing."""
    return [
        line
        for line in the_table().lines
        if bool(PLACE.search(line.path)) == places
        and line.method != "any"
        and not line.path.startswith(("/admin/", "/sso/"))
        and line.path not in SLOW
    ]


# --- one thing, by its address ----------------------------------------------------------------------------------------


def nothing_like(value: str) -> str:
    """What could stand in the place of this value, and names nothing."""
    if value.isdecimal():
        return NO_NUMBER
    try:
        UUID(value)
    except ValueError:
        return NO_NAME
    return str(uuid4())


def alike(portal: Furnished, path: str, *, member: bool) -> list[list[dict[str, str]]]:
    """What to put into the places of an address, in groups within which everything has to be answered alike.

    The first of each group is there and belongs to somebody else; a `member` of another team also finds it, and misses
    others, under their own project.
    """
    theirs = portal.values(path)
    if path.startswith("/scim/v2/Users/"):
        theirs["pk"] = str(portal.cast.mona.pk)  # no directory brought her
    found = [[theirs, *({**theirs, name: nothing_like(value)} for name, value in theirs.items())]]
    if member and "key" in theirs and len(theirs) > 1:
        own = {**theirs, "key": str(portal.others.by_word["key"])}
        found.append(
            [
                own,
                *(
                    {**own, name: nothing_like(value)}
                    for name, value in theirs.items()
                    if name != "key" and path not in OF_EVERYBODY
                ),
            ]
        )
    return found


PLACED = {
    f"{line.method} {line.path}": line
    for line in lines(places=True)
    if not line.path.startswith(OF_DIRECTORIES)
}


@pytest.mark.parametrize("name", PLACED)
def test_what_is_anothers_is_as_if_it_were_not_there(portal: Furnished, name: str, full_size: bool) -> None:
    method, path = PLACED[name].method, PLACED[name].path
    askers = [one for one in OUTSIDERS if takes(one, path)]
    if path.startswith("/scim/"):
        askers = ["directory"]
    if method != "GET" and not full_size:
        askers = askers[-1:]
    for asker in askers:
        who = portal.whos[asker]
        body, query = body_for(portal, who, method, path), query_for(portal, who, method, path)
        for group in alike(portal, path, member=asker != "outsider"):
            # The same words are hidden in each: the outsider's own page also says their login, for one.
            hide = tuple({value for one in group for value in one.values()})
            same(who, method, [(portal.fill(path, odd=one) + query, body, hide) for one in group])


def same(who: Who, method: str, asked: list[tuple[str, Any, tuple[str, ...]]]) -> None:
    """All of these addresses and bodies are answered alike, but for what was asked for."""
    told = [ask(who, method, address, body, hide) for address, body, hide in asked]
    if len({one.queries for one in told}) > 1:  # what is read once per process is read now
        told = [ask(who, method, address, body, hide) for address, body, hide in asked]
    for (address, body, _hide), one in zip(asked, told, strict=True):
        assert one == told[0], f"{who.name} tells {method} {address} {body} from {asked[0][0]} {asked[0][1]}"


# --- what is named in a body or behind the question mark --------------------------------------------------------------


def named(portal: Furnished) -> list[tuple[str, str, list[Any]]]:
    """Addresses that take the name of a thing in a body: method, path, and bodies to be answered alike."""
    word, own = portal.things.by_word, portal.others.by_word
    why = {"why": "For a test."}
    give = {"op": "give", "person": "otto", "right": "view"}
    changes: list[tuple[dict[str, Any], ...]] = [
        ({**give, "project": word["key"]}, {**give, "project": NO_NAME}),
        ({**give, "portfolio": word["portfolio"]}, {**give, "portfolio": NO_NAME}),
        *(
            ({"op": "revoke", "grant": grant.pk}, {"op": "revoke", "grant": int(NO_NUMBER)})
            for grant in Grant.objects.filter(person__in=(portal.cast.mona, portal.cast.nora))
        ),
    ]
    grant = {"person": "otto", "right": "view", **why}
    file = {"text": "scope: project X\ngrants: []\n", **why}
    asked = {"stage": "qa", **why}
    return [
        *(("POST", "/api/v1/changes/", [{"ops": [op], **why} for op in ops]) for ops in changes),
        *(("POST", "/api/v1/changes/preview/", [{"ops": [op], **why} for op in ops]) for ops in changes),
        ("POST", "/api/v1/grants/", [{**grant, "project": one} for one in (word["key"], NO_NAME)]),
        ("POST", "/api/v1/grants/", [{**grant, "portfolio": one} for one in (word["portfolio"], NO_NAME)]),
        (
            "POST",
            "/api/v1/rights/file/",
            [{**file, "scope": f"project {one}"} for one in (word["key"], NO_NAME)],
        ),
        (
            "POST",
            "/api/v1/rights/file/",
            [{**file, "scope": f"portfolio {one}"} for one in (word["portfolio"], NO_NAME)],
        ),
        (
            "POST",
            "/api/v1/requests/",
            [{"project": one, "bundle_id": "v1", **asked} for one in (word["key"], NO_NAME)],
        ),
        (
            "POST",
            "/api/v1/requests/",
            [{"project": own["key"], "bundle_id": one, **asked} for one in ("v1", NO_NAME)],
        ),
        ("POST", "/api/v1/tokens/", [{"name": "x", "projects": [one]} for one in (word["key"], NO_NAME)]),
        (
            "POST",
            "/account/",
            [{"name": "x", "days": "3", "projects": one} for one in (word["key"], NO_NAME)],
        ),
    ]


def test_what_a_body_names_is_as_if_it_were_not_there(portal: Furnished) -> None:
    word = portal.things.by_word
    hide = (*(str(word[name]) for name in ("key", "portfolio")), NO_NAME)
    for asker in OUTSIDERS:
        for method, path, bodies in named(portal):
            if takes(asker, path):
                same(portal.whos[asker], method, [(path, body, hide) for body in bodies])


def test_what_a_search_names_is_as_if_it_were_not_there(portal: Furnished) -> None:
    word = portal.things.by_word
    values: dict[str, tuple[str, ...]] = {
        "project": (word["key"], NO_NAME),
        "q": (word["key"], "Customer churn", NO_NAME),
        "find": ("Churn team", "mona", NO_NAME),
        "subject": (f"request:{word['requests']}", "request:999999999"),
        "about": (f"request:{word['requests']}", "request:999999999"),
        "request": (str(word["requests"]), NO_NUMBER),
        "scope": (f"project {word['key']}", f"project {NO_NAME}"),
        "after": ("1", "2"),
    }
    tried = set()
    for asker in ("another team", "token elsewhere"):
        who = portal.whos[asker]
        for line in lines(places=False):
            if line.method != "GET" or not takes(asker, line.path):
                continue
            before = transaction.savepoint()
            names = names_read(partial(who.send, "GET"), line.path) & values.keys()
            transaction.savepoint_rollback(before)
            for name in names - {"after"}:
                tried.add((line.path, name))
                asked = [(f"{line.path}?{urlencode({name: one})}", None, said(one)) for one in values[name]]
                same(who, "GET", asked)
    assert tried >= {
        ("/projects/", "q"),
        ("/ledger/", "project"),
        ("/ledger/", "subject"),
        ("/api/v1/events/", "project"),
        ("/api/v1/reports/", "about"),
        ("/api/v1/requests/", "project"),
        ("/api/v1/rights/file/", "scope"),
    }


def said(value: str) -> tuple[str, ...]:
    """A value in every way an answer may say it back."""
    return (value, quote(value), quote_plus(value))


# --- lists, counts, exports -------------------------------------------------------------------------------------------

# What anything of churn's would be recognised by. Teams and people are not among it: who manages rights picks of all.
NEEDLES = (
    "CHURN",
    "Customer churn",
    "retail-bank",
    "Retail bank",
    "It is better",
    "Fraud detection",
    "FRAUD",
)


def test_what_others_do_changes_nothing_that_is_told(portal: Furnished) -> None:
    """Every page and answer that somebody gets is the same, word for word, before and after another team is at work."""
    before = dict(everything(portal))
    assert len(before) > 150
    assert {status for status, _body in before.values()} == {200}
    with_more = transaction.savepoint()
    at_work(portal)
    after = dict(everything(portal))
    transaction.savepoint_rollback(with_more)
    assert after.keys() == before.keys()
    for asked, (_status, body) in after.items():
        assert body == before[asked][1], asked
        assert not [needle for needle in NEEDLES if needle in body], asked


def everything(portal: Furnished) -> Iterator[tuple[tuple[str, str], tuple[int, str]]]:
    """All that can be read: by an outsider without naming anything, by the others also of their own project."""
    for asker in OUTSIDERS:
        who = portal.whos[asker]
        for line in (*lines(places=False), *lines(places=True)):
            if line.method != "GET" or not takes(asker, line.path) or line.path in MADE_ANEW:
                continue
            names = {
                name: portal.others.value(line.path, place)
                for place in PLACE.finditer(line.path)
                for name in place.groups()
            }
            if names and (asker == "outsider" or "1" in names.values()):
                continue
            query = query_for(portal, who, "GET", line.path).replace("CHURN", "MAINT").replace("v2", "m1")
            for more in (query, *EXPORTS.get(line.path, ())):
                address = portal.others.fill(line.path) + more
                answer = ask(who, "GET", address)
                if answer.status == 200:
                    yield (asker, address), (answer.status, answer.body)


EXPORTS = {
    "/projects/<key>/rights/file/": ("?as=yaml", "?as=csv"),
    "/portfolios/<portfolio>/rights/file/": ("?as=yaml", "?as=csv"),
    "/api/v1/rights/file/": ("?scope=project+MAINT&as=csv", "?scope=portfolio+all-models"),
    "/projects/": ("?q=a", "?q=e"),
    "/api/v1/grants/": ("?all=1",),
    "/changes/": ("?show=all",),
}


def at_work(portal: Furnished) -> None:
    """Churn's team goes on: another project, a bundle, a request, a signature taken back, rights given."""
    cast = portal.cast
    fraud = imported(
        by=cast.ada,
        node=cast.design,
        pipeline=cast.pipeline,
        key="FRAUD",
        name="Fraud detection",
        tier="light",
        owner="olga",
    )
    for portfolio in Portfolio.objects.all():
        portfolios.put_project(by=cast.ada, portfolio=portfolio, project=fraud)
    for right in (Right.VIEW, Right.REQUEST):
        grants.grant(by=cast.ada, team=cast.team, right=right, project=fraud, why="They build it, too.")
    bundle = bundle_registered(cast, "v7", {"project_config/recipes/score.py": "score(seven)"})
    requests.submit(by=cast.dev, bundle=bundle, lane=cast.prod, why="It is better yet.")
    signoffs.withdraw(by=cast.fay, signoff=SignOff.objects.get(role="fairness"), why="I looked again.")


def test_what_is_said_of_others_would_be_found(portal: Furnished) -> None:
    """The test above finds nothing where it looks for nothing: whoever sees churn is told all of it."""
    told = [
        ask(portal.whos["admin"], "GET", path).body
        for path in ("/projects/", "/portfolios/", "/ledger/", "/")
    ]
    told.append(ask(portal.whos["viewer"], "GET", "/projects/CHURN/requests/").body)
    assert [needle for needle in NEEDLES[:2] if any(needle in body for body in told)] == list(NEEDLES[:2])
