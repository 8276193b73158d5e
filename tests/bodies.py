"""What is sent to every address that changes something: a body that would do, for whoever may.

A value, or a function of the portal and of who asks. Addresses that take nothing, or of which only the refusal is
shown, are not here: they are sent an empty body.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.files.base import ContentFile
from django.utils import timezone

from deployments.actions import signing, waiving
from deployments.models import Ask, DeploymentRequest, Promotion
from governance import reviews
from governance.actions import policies
from governance.models import Condition, SignOff, Waiver
from portal import estate_file
from portal.demo.cast import PASSWORD
from portal.errors import Refused
from portal.models import Grant, Portfolio, Project
from portal.places import Place
from portal.rights_files import written
from tests.cast import MATERIAL, POLICY
from tests.furnished import Furnished, Who, later

Body = Any | Callable[[Furnished, Who], Any]
WHY = {"why": "For a test."}
NEW = "another-long-password"
FIGURES = {
    "format": "counts",
    "outcome": "offer",
    "favourable": "yes",
    "tables": [
        {
            "by": ["gender"],
            "groups": [
                {"group": ["F"], "n": 400, "selected": 100},
                {"group": ["M"], "n": 400, "selected": 200},
            ],
        }
    ],
}


def soon(zone: str = "", days: int = 1) -> str:
    """A day ahead, or more."""
    return (timezone.now() + timedelta(days=days)).strftime(f"%Y-%m-%dT%H:%M{zone}")


def tick(place: Callable[[Furnished], str]) -> Callable[[Furnished, Who], Any]:
    """The matrix with one more box ticked: Otto may see."""

    def body(f: Furnished, _who: Who) -> Any:
        return {"cell": [f"person:{f.cast.otto.pk}@{place(f)}|view||"], "newest": "0", "seen": "", **WHY}

    return body


def give(f: Furnished, _who: Who) -> Any:
    """The form that gives Otto a right."""
    return {"holder": f"person:{f.cast.otto.pk}", "right": "view", "role": "", "stage": "", **WHY}


def signature(f: Furnished, who: Who, requirement: str = "") -> Any:
    """Of whoever may sign in their own role: that something has to change. Of others: what would be one."""
    number = f.things.by_word["requests"]
    requirement = requirement or f"sign_off:{who.name if who.name in f.theirs else 'fairness'}"
    try:
        bound = signing.draft(
            by=who.person or f.cast.otto,
            request=DeploymentRequest.objects.get(pk=number),
            requirement=requirement,
        ).bound
    except Refused:
        bound = "0" * 64
    return {"decision": "request_changes", "comment": "Say more.", "password": PASSWORD, "bound": bound}


def signature_of_api(f: Furnished, who: Who) -> Any:
    """As `signature`, for the API."""
    role = who.name if who.name in f.theirs else "fairness"
    return {"requirement": f"sign_off:{role}", **signature(f, who)}


def waived(f: Furnished, who: Who) -> Any:
    """A waiver that is granted by whoever may; of others: what would grant it."""
    number = f.things.by_word["requests"]
    request = DeploymentRequest.objects.get(pk=number)
    waiver = Waiver.objects.get(pk=f.things.by_word["waivers"])
    try:
        bound = waiving.draft(by=who.person or f.cast.otto, request=request, waiver=waiver).bound
    except Refused:
        bound = "0" * 64
    return {"password": PASSWORD, "bound": bound}


def away_for(f: Furnished, _who: Who) -> Any:
    """Abe stands in: he has nothing that would be in the way."""
    return {"delegate": str(f.cast.abe.pk), "until": soon(), **WHY}


def rights_file(f: Furnished, place: str) -> str:
    """What is given at a place, as a file, and one right more."""
    kind, _colon, name = place.partition(":")
    found = {
        "project": lambda: Place(project=Project.objects.get(key=name)),
        "portfolio": lambda: Place(portfolio=Portfolio.objects.get(slug=name)),
    }.get(kind, Place)()
    text = written(found)
    return text + "- person: otto\n  right: view\n  why: For a test.\n"


def answers(f: Furnished) -> dict[int, str]:
    """A right under review that is neither the owner's nor an administrator's, and the digest it is read with."""
    grant = Grant.objects.select_related("person", "team", "project", "portfolio").get(
        pk=f.things.by_word["grants"]
    )
    return {grant.pk: reviews.facts_of([grant])[grant.pk].digest}


def answers_of_page(f: Furnished, _who: Who) -> Any:
    """What is ticked and signed on the page of a place."""
    ((pk, digest),) = answers(f).items()
    return {f"answer-{pk}": "confirm", f"digest-{pk}": digest, "password": PASSWORD, "why": ""}


def missing(f: Furnished, _who: Who) -> Any:
    """A signature that is missing from the request in production."""
    return {"requirement": f.things.by_word["requirement"]}


def answers_of_api(f: Furnished, _who: Who) -> Any:
    """As `answers_of_page`, for the API."""
    ((pk, digest),) = answers(f).items()
    return {"answers": [{"grant": pk, "answer": "confirm", "digest": digest}], "password": PASSWORD}


def estate_changed(_f: Furnished, _who: Who) -> Any:
    """The estate as it is, but for the name of a node, as a file."""
    document = estate_file.current()
    document["nodes"]["spare"]["name"] = "Other"
    return {"text": estate_file.written(document), **WHY}


def document_file(_f: Furnished, _who: Who) -> Any:
    """A text, sent as a file."""
    return {"kind": "intended-use", "title": "Use", "file": ContentFile(b"# Purpose\nOffers.", "use.md")}


def junit_file(_f: Furnished, _who: Who) -> Any:
    """A JUnit report of the design node."""
    text = b'<testsuite name="unit"><testcase classname="a" name="b"/></testsuite>'
    return {"stage": "design", "file": ContentFile(text, "junit.xml")}


PROJECT, BUNDLE = "/projects/<key>/", "/projects/<key>/bundles/<bundle_id>/"
REQUEST, PROMOTION = "/projects/<key>/requests/<number>/", "/projects/<key>/promotions/<number>/"


def taken_in(place: Callable[[Furnished], str]) -> Callable[[Furnished, Who], Any]:
    """The same file, sent to the page of a place."""
    return lambda f, _who: {"text": rights_file(f, place(f)), **WHY}


PLACES: dict[str, Callable[[Furnished], str]] = {
    "/rights/": lambda _f: "estate",
    "/projects/<key>/rights/": lambda _f: "project:CHURN",
    "/portfolios/<portfolio>/rights/": lambda f: f"portfolio:{f.things.by_word['portfolio']}",
}

REVIEW = "/access-reviews/<number>/"
PAGES: dict[str, Body] = {
    "POST /access-reviews/start/": lambda _f, _who: {"due": soon(days=7), **WHY},
    f"POST {REVIEW}call-off/": WHY,
    f"POST {REVIEW}places/<at>/": answers_of_page,
    "POST /estate/file/": estate_changed,
    "POST /account/": {"name": "Mine", "days": "30"},
    "POST /account/away/": away_for,
    "POST /account/password/": {"current": PASSWORD, "new": NEW, "again": NEW},
    "POST /account/prove/": {"password": PASSWORD},
    "POST /accounts/<login>/disable/": WHY,
    "POST /accounts/<login>/link/": {"provider": "saml", "subject": "otto"},
    "POST /accounts/<login>/remove-factors/": WHY,
    "POST /changes/<pk>/refuse/": WHY,
    "POST /changes/<pk>/withdraw/": WHY,
    "POST /identity/groups/": {"provider": "saml", "group": "churn", "team_slug": "churn-team", **WHY},
    "POST /identity/groups/<pk>/end/": WHY,
    "POST /identity/teams/<slug>/second-factor/": {"required": "yes"},
    "POST /people/<pk>/": {"name": "Nightly", "days": "30"},
    "POST /people/<pk>/away/": away_for,
    "POST /people/<pk>/change/": {"name": "Otto White", "email": "otto@example.com", "zone": "UTC"},
    "POST /people/<pk>/leave/": WHY,
    "POST /people/add/": {"kind": "person", "name": "Kim Day", "login": "kim", "zone": "UTC"},
    "POST /policy-drafts/": {"text": POLICY.replace("min: 0.8", "min: 0.9"), **WHY},
    "POST /portfolios/": {"name": "Insurance"},
    "POST /portfolios/<slug>/put/": {"key": "MAINT", **WHY},
    "POST /portfolios/<slug>/take-out/<key>/": WHY,
    "POST /signoffs/<pk>/": WHY,
    "POST /waivers/<pk>/": WHY,
    f"POST {REQUEST}waive/<requirement>/": lambda _f, _who: {"until": soon()[:10], **WHY},
    f"POST {REQUEST}waivers/<pk>/": lambda f, who: {"answer": "grant", "comment": "", **waived(f, who)},
    "POST /signoffs/<pk>/conditions/<number>/met/": {"how": "Counted again.", "password": PASSWORD},
    f"POST {PROJECT}bundles/": {"how": "export", "bundle_id": "v9"},
    f"POST {PROJECT}owners/": {"owner": "dev", **WHY},
    f"POST {PROJECT}owners/<pk>/": {"heir": "dev", **WHY},
    f"POST {PROJECT}owners/dss/": {"shown": '["user:olga"]', "who_0": "olga", "grant_0": "on", **WHY},
    f"POST {REQUEST}conversation/": {"text": "For a test."},
    f"POST {REQUEST}escalate/<requirement>/": WHY,
    f"POST {PROJECT}requests/": {"bundle": "v3", "stage": "qa", **WHY},
    f"POST {PROJECT}materiality/": {"exposure": "many", "purpose": "people", **WHY},
    f"POST {PROJECT}tier/": {"rules": "demo-policy/light", **WHY},
    f"POST {BUNDLE}collect/": {"stage": "qa", "what": "fairness"},
    f"POST {BUNDLE}evidence/": {"kind": "fairness", "stage": "qa", "text": json.dumps(FIGURES)},
    f"POST {BUNDLE}model-card/": {"intended-purpose": "Offers to customers who may leave."},
    f"POST {BUNDLE}documents/": {"kind": "intended-use", "title": "Use", "text": "# Purpose\nOffers."},
    f"POST {BUNDLE}documents/upload/": document_file,
    f"POST {BUNDLE}tests/": junit_file,
    f"POST {REQUEST}promote/": {"promote-why": "It is ready."},
    f"POST {REQUEST}ticket/": {"ticket": "CHG0042"},
    f"POST {REQUEST}withdraw/": {"withdraw-why": "Not now."},
    f"POST {REQUEST}sign/<requirement>/": signature,
    f"POST {PROMOTION}stop/": WHY,
    f"POST {PROMOTION}release/": WHY,
    **{f"POST {base}edit/": tick(place) for base, place in PLACES.items()},
    "POST /teams/<team>/members/": {"login": "otto", **WHY},
    "POST /teams/<team>/members/<login>/end/": WHY,
    "POST /teams/<team>/rights/edit/": lambda f, _who: {
        "cell": ["team:churn-team@project:MAINT|view||"],
        "newest": "0",
        "seen": "",
        **WHY,
    },
    **{f"POST {base}each/": give for base in PLACES},
    **{f"POST {base}file/": taken_in(place) for base, place in PLACES.items()},
    **{f"POST {base}<pk>/revoke/": WHY for base in (*PLACES, "/teams/<team>/rights/")},
}

API_PROJECT, API_BUNDLE = "/api/v1/projects/<key>/", "/api/v1/projects/<key>/bundles/<bundle_id>/"
API_REVIEW = "/api/v1/access-reviews/<number>/"
API: dict[str, Body] = {
    "POST /api/v1/access-reviews/": lambda _f, _who: {"due": soon("Z", days=7), **WHY},
    f"POST {API_REVIEW}call-off/": WHY,
    f"POST {API_REVIEW}signatures/": answers_of_api,
    "POST /api/v1/changes/": {
        "ops": [{"op": "give", "person": "otto", "right": "view", "project": "CHURN"}],
        **WHY,
    },
    "POST /api/v1/changes/preview/": {
        "ops": [{"op": "give", "person": "otto", "right": "view", "project": "CHURN"}],
        **WHY,
    },
    "POST /api/v1/changes/<number>/refuse/": WHY,
    "POST /api/v1/changes/<number>/withdraw/": WHY,
    "POST /api/v1/delegations/": lambda f, _who: {"delegate": "abe", "until": soon("Z"), **WHY},
    "POST /api/v1/estate/file/": estate_changed,
    "POST /api/v1/grants/": {"person": "otto", "right": "view", "project": "CHURN", **WHY},
    "POST /api/v1/grants/<number>/revoke/": WHY,
    "POST /api/v1/mappings/": {"provider": "saml", "group": "churn", "team": "churn-team", **WHY},
    "POST /api/v1/mappings/<number>/end/": WHY,
    "POST /api/v1/me/password/": {"current": PASSWORD, "new": NEW},
    "POST /api/v1/nodes/": {
        "slug": "other",
        "name": "Other",
        "kind": "design",
        "url": "http://127.0.0.1:9/other",
        "key_name": "other",
        **WHY,
    },
    "PATCH /api/v1/nodes/<slug>/": {"name": "Other", **WHY},
    "POST /api/v1/nodes/<slug>/remove/": WHY,
    "PATCH /api/v1/people/<login>/": {"name": "Otto White"},
    "POST /api/v1/people/": {"login": "kim", "name": "Kim Day"},
    "POST /api/v1/people/<login>/disable/": WHY,
    "POST /api/v1/people/<login>/enable/": WHY,
    "POST /api/v1/people/<login>/identities/": {"provider": "saml", "subject": "otto"},
    "POST /api/v1/people/<login>/leave/": WHY,
    "POST /api/v1/people/<login>/remove-factors/": WHY,
    "POST /api/v1/people/<login>/tokens/": {"name": "Nightly"},
    "POST /api/v1/pipelines/": {
        "slug": "other",
        "name": "Other",
        "stages": [
            {
                "slug": "live",
                "name": "Live",
                "places": [
                    {"slug": "live", "deployer": "deployer", "infra_id": "X", "automation": "auto-prod"}
                ],
            }
        ],
        **WHY,
    },
    "PATCH /api/v1/pipelines/<slug>/": {"name": "Other", **WHY},
    "POST /api/v1/pipelines/<slug>/remove/": WHY,
    "POST /api/v1/policies/preview/": {"source": POLICY},
    "POST /api/v1/policies/": {"source": POLICY.replace("7d}", "8d}"), **WHY},
    "POST /api/v1/portfolios/": {"name": "Insurance"},
    "POST /api/v1/portfolios/<slug>/projects/": {"project": "MAINT", **WHY},
    "POST /api/v1/portfolios/<slug>/projects/<key>/take-out/": WHY,
    "POST /api/v1/projects/": {
        "key": "FRAUD",
        "node": "design",
        "pipeline": "standard",
        "policy": "demo-policy",
        "tier": "light",
    },
    f"POST {API_PROJECT}bundles/": {"bundle_id": "v9"},
    f"POST {API_PROJECT}owners/": {"login": "dev", **WHY},
    f"POST {API_PROJECT}owners/<login>/hand-over/": {"heir": "dev", **WHY},
    f"POST {API_PROJECT}owners/dss/": {
        "choices": [{"kind": "user", "name": "olga", "person": "olga"}],
        **WHY,
    },
    f"POST {API_PROJECT}materiality/": {"exposure": "many", "purpose": "people", **WHY},
    f"POST {API_PROJECT}tier/": {"tier": "light", **WHY},
    f"POST {API_BUNDLE}collections/": {"stage": "qa", "what": "fairness"},
    f"POST {API_BUNDLE}evidence/": {"kind": "fairness", "stage": "qa", "content": FIGURES},
    f"POST {API_BUNDLE}model-card/": {"sections": {"intended-purpose": "Offers to customers who may leave."}},
    f"POST {API_BUNDLE}documents/": {"kind": "intended-use", "title": "Use", "text": "# Purpose\nOffers."},
    f"POST {API_BUNDLE}documents/upload/": document_file,
    f"POST {API_BUNDLE}tests/": junit_file,
    "POST /api/v1/promotions/<number>/release/": WHY,
    "POST /api/v1/promotions/<number>/stop/": WHY,
    "POST /api/v1/requests/": {"project": "CHURN", "bundle_id": "v3", "stage": "qa", **WHY},
    "POST /api/v1/requests/<number>/promote/": {},
    "POST /api/v1/requests/<number>/signoffs/": signature_of_api,
    "POST /api/v1/requests/<number>/ticket/": {"ticket": "CHG0042"},
    "POST /api/v1/requests/<number>/withdraw/": WHY,
    "POST /api/v1/requests/<number>/comments/": {"text": "For a test."},
    "POST /api/v1/requests/<number>/escalate/": lambda f, who: {**missing(f, who), **WHY},
    "POST /api/v1/requests/<number>/remind/": missing,
    "POST /api/v1/rights/file/": lambda f, _who: {
        "scope": "project CHURN",
        "text": rights_file(f, "project:CHURN"),
        **WHY,
    },
    "POST /api/v1/signoffs/<number>/withdraw/": WHY,
    "POST /api/v1/requests/<number>/waivers/": lambda _f, _who: {
        "requirement": "document:model-documentation",
        "until": soon()[:10],
        **WHY,
    },
    "POST /api/v1/requests/<number>/waivers/<waiver>/grant/": waived,
    "POST /api/v1/requests/<number>/waivers/<waiver>/refuse/": WHY,
    "POST /api/v1/waivers/<number>/withdraw/": WHY,
    "POST /api/v1/signoffs/<number>/conditions/<condition>/met/": {
        "how": "Counted again.",
        "password": PASSWORD,
    },
    "POST /api/v1/teams/": {"name": "Insurance"},
    "POST /api/v1/teams/<slug>/members/": {"login": "otto", **WHY},
    "POST /api/v1/teams/<slug>/second-factor/": {"required": True},
    "POST /api/v1/tokens/": {"name": "Mine"},
}

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}
SCIM: dict[str, Body] = {
    "POST /scim/v2/Users": {"schemas": [USER], "userName": "kim", "displayName": "Kim Day"},
    "PUT /scim/v2/Users/<pk>": {"schemas": [USER], "userName": "ida", "displayName": "Ida Berg"},
    "PATCH /scim/v2/Users/<pk>": {
        **PATCH,
        "Operations": [{"op": "replace", "path": "displayName", "value": "Ida Berg"}],
    },
    "POST /scim/v2/Groups": {"schemas": [GROUP], "displayName": "Others"},
    "PUT /scim/v2/Groups/<pk>": {"schemas": [GROUP], "displayName": "Others"},
    "PATCH /scim/v2/Groups/<pk>": {
        **PATCH,
        "Operations": [{"op": "replace", "path": "displayName", "value": "Others"}],
    },
}

BODIES = {**PAGES, **API, **SCIM}
# What stands behind the question mark, where an address wants it.
QUERIES = {
    "GET /api/v1/projects/<key>/documents/<kind>/diff/": "?old=<documents>&new=<documents>",
    "GET /api/v1/projects/<key>/bundles/<bundle_id>/diff/": "?bundle=v2",
    "GET /api/v1/projects/<key>/rights/of/<login>/": "?stage=qa",
    "GET /api/v1/requests/<number>/signing/": "?requirement=<requirement>",
    "GET /api/v1/rights/file/": "?scope=project+CHURN",
    "DELETE /api/v1/projects/<key>/owners/<login>/": "?why=For+a+test.",
    "DELETE /api/v1/teams/<slug>/members/<login>/": "?why=For+a+test.",
}


def let_ask(f: Furnished) -> None:
    """Somebody was asked to sign, some time ago."""
    number, requirement = f.things.by_word["requests"], f.things.by_word["requirement"]
    begun = timezone.now() - timedelta(days=1)
    Ask.objects.create(
        request_id=number, requirement=requirement, person=f.cast.fay, begun_at=begun, told_at=begun
    )


def let_conditions(f: Furnished) -> None:
    """Every signature was given under a condition."""
    for signoff in SignOff.objects.all():
        Condition.objects.create(signoff=signoff, number=1, text="Count again.", salt="0" * 32, due=later(30))


CONDITIONS = (
    "/signoffs/<pk>/conditions/<number>/met/",
    "/api/v1/signoffs/<number>/conditions/<condition>/met/",
)
# What has to be so first, and is undone with the rest.
BEFORE: dict[str, Callable[[Furnished], Any]] = {
    **{
        path: lambda f: Promotion.objects.filter(lane=f.cast.qa).update(holds_lane=True)
        for path in (f"{PROMOTION}release/", "/api/v1/promotions/<number>/release/")
    },
    **dict.fromkeys(CONDITIONS, let_conditions),
    **dict.fromkeys((f"{REQUEST}remind/<requirement>/", "/api/v1/requests/<number>/remind/"), let_ask),
    **{
        path: lambda f: policies.publish(by=f.cast.ada, source=MATERIAL)
        for path in (f"{PROJECT}materiality/", f"{API_PROJECT}materiality/")
    },
}


def arrange(f: Furnished, path: str) -> None:
    """Let things be as this address needs them."""
    if path in BEFORE:
        BEFORE[path](f)


def query_for(f: Furnished, who: Who, method: str, path: str) -> str:
    """What this asker asks for there, behind the address."""
    return f.fill(QUERIES.get(f"{method} {path}", ""), who.name)


def body_for(f: Furnished, who: Who, method: str, path: str) -> Any:
    """What this asker sends there."""
    if method == "GET":
        return None
    body = BODIES.get(f"{method} {path}", {})
    return body(f, who) if callable(body) else body
