"""Signing: the words signed, the password, what changed meanwhile, who is barred; and a signature's own page."""

import hashlib
import json

from deployments.models import DeploymentRequest
from governance.actions import documents as document_actions
from governance.models import Document, SignOff
from portal import content, ledger
from portal.demo.cast import PASSWORD
from portal.event_kinds import EventKind
from tests.cast import Cast
from tests.factories import all_but_signed, bundle_registered, fairness_of, intended_use, request_at, signed
from tests.pages import outsider_sees_nothing, refused, signed_in, words


def to_production(cast: Cast) -> DeploymentRequest:
    """A request of v1 to production in which all but the three signatures is met."""
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    return request_at(cast, "open", bundle, cast.prod)


def path_of(wish: DeploymentRequest, role: str = "fairness") -> str:
    """The address of the page to sign one requirement on."""
    return f"/projects/CHURN/requests/{wish.pk}/sign/sign_off:{role}/"


def filled(bound: str, **other: str) -> dict[str, str]:
    """The form as Fay fills it in."""
    return {"decision": "approve", "comment": "", "password": PASSWORD, "bound": bound, **other}


def kept(wish: DeploymentRequest) -> list[tuple[str, str, str]]:
    """Who was refused what on this request, and why, as the ledger has it."""
    told = ledger.events(subject=wish.subject, kinds=[EventKind.ACCESS_REFUSED])
    return [(event.actor_id, event.facts["action"], event.facts["code"]) for event in told]


def test_everything_that_is_signed_is_on_the_page(cast: Cast) -> None:
    wish = to_production(cast)
    answer = signed_in(cast.fay).get(path_of(wish))
    page = words(answer)
    for said in (
        "Fairness by gender",
        "What matters most to the model",
        "Intended use",
        "Tests in QA",
        "It covers these parts",
        "I have reviewed all parts of bundle v1 of Customer churn for the stage Production",
        "Rules: demo-policy, version 1",
        "Read it here",
    ):
        assert said in page
    assert answer.context["draft"].clause.digest in answer.content.decode()


def test_the_documents_are_read_on_the_page(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    written = "# Intended use\n\nFor <b>offers</b>.\n\n- not for prices\n- not for credit\n"
    document_actions.write(
        by=cast.olga, bundle=bundle, kind="intended-use", title="What it is for", text=written
    )
    answer = signed_in(cast.fay).get(path_of(request_at(cast, "open", bundle, cast.prod)))
    page = answer.content.decode()
    assert "For &lt;b&gt;offers&lt;/b&gt;." in page
    assert "<ul><li>not for prices</li><li>not for credit</li></ul>" in page
    sections = Document.objects.get(origin="generated").sections
    assert sections
    assert f"{' '.join(sections)} Download the whole document" in words(answer)


def test_what_the_page_says_is_signed_is_what_is_signed(cast: Cast) -> None:
    wish = to_production(cast)
    client = signed_in(cast.fay)
    page = client.get(path_of(wish)).context
    offered = {decision: f"{page['reviewed']} {verdict}" for decision, verdict in page["verdicts"]}
    assert dict(page["verdicts"]) == {decision: said for decision, _word, said in page["meanings"]}
    client.post(path_of(wish), filled(page["draft"].bound))
    signoff = SignOff.objects.get()
    statement = json.loads(content.get(signoff.statement_id))
    assert offered["approve"] == statement["predicate"]["meaning"] == signoff.meaning


def test_a_signature_counts_at_once_and_has_a_page(cast: Cast) -> None:
    wish = to_production(cast)
    client = signed_in(cast.fay)
    bound = client.get(path_of(wish)).context["draft"].bound
    answer = client.post(path_of(wish), filled(bound, comment="Equal to a hair."), follow=True)
    assert answer.redirect_chain == [(f"/projects/CHURN/requests/{wish.pk}/", 302)]
    assert "Met Fairness signed by one person Signed by Fay Okafor" in words(answer)
    signoff = SignOff.objects.get()
    page = words(client.get(f"/signoffs/{signoff.pk}/"))
    assert "Fay Okafor signed for fairness" in page
    assert "“Equal to a hair.”" in page
    outsider_sees_nothing(signed_in(cast.otto), f"/signoffs/{signoff.pk}/")
    saved = client.get(f"/signoffs/{signoff.pk}/statement/")
    assert hashlib.sha256(saved.content).hexdigest() == signoff.statement_id
    assert (
        f'href="/signoffs/{signoff.pk}/statement/"' in client.get(f"/signoffs/{signoff.pk}/").content.decode()
    )
    outsider_sees_nothing(signed_in(cast.otto), f"/signoffs/{signoff.pk}/statement/")


def test_a_second_click_signs_nothing_more(cast: Cast) -> None:
    wish = to_production(cast)
    client = signed_in(cast.fay)
    bound = client.get(path_of(wish)).context["draft"].bound
    client.post(path_of(wish), filled(bound))
    answer = client.post(path_of(wish), filled(bound), follow=True)
    assert answer.redirect_chain == [(f"/projects/CHURN/requests/{wish.pk}/", 302)]
    assert "You signed exactly this already, and your signature stands." in words(answer)
    assert SignOff.objects.count() == 1


def test_a_wrong_password_signs_nothing_and_is_named_on_its_field(cast: Cast) -> None:
    wish = to_production(cast)
    client = signed_in(cast.fay)
    bound = client.get(path_of(wish)).context["draft"].bound
    answer = client.post(path_of(wish), filled(bound, password="guess"))
    assert answer.status_code == 400
    assert answer.context["form"].errors == {
        "password": ["This is not your password, so nothing was signed. Type it again."]
    }
    assert "guess" not in answer.content.decode()
    assert not SignOff.objects.exists()
    assert kept(wish) == [(str(cast.fay.pk), "sign", "password_wrong")]


def test_what_is_missing_is_said_before_anything_is_typed(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    fairness_of(cast, bundle)
    intended_use(cast, bundle)
    wish = request_at(cast, "open", bundle, cast.prod)
    client = signed_in(cast.fay)
    answer = client.get(path_of(wish))
    why = (
        "You cannot approve yet: the document “model documentation” and the explainability evidence are missing, "
        "and an approval counts only for what was there to read."
    )
    assert words(answer).index(why) < words(answer).index("1. What changes")
    assert 'value="approve" required disabled' in answer.content.decode()
    bound = answer.context["draft"].bound
    sent = client.post(path_of(wish), filled(bound))
    assert sent.status_code == 400
    assert sent.context["form"].errors["decision"][0].startswith(why)
    assert not SignOff.objects.exists()
    said = filled(bound, decision="request_changes", comment="Document the model.")
    assert "Signed: asked for changes." in words(client.post(path_of(wish), said, follow=True))


def test_a_word_typed_when_the_session_ended_is_given_back(cast: Cast) -> None:
    wish = to_production(cast)
    client = signed_in(cast.fay)
    bound = client.get(path_of(wish)).context["draft"].bound
    client.logout()
    door = client.post(path_of(wish), filled(bound, decision="reject", comment="Too few people."))
    assert PASSWORD not in door.content.decode()
    sent = {"next": door.context["next"], **door.context["typed"], "username": "fay", "password": PASSWORD}
    form = client.post("/login/", sent, follow=True).context["form"]
    given = {name: form[name].value() for name in ("decision", "comment", "password", "bound")}
    assert given == {"decision": "reject", "comment": "Too few people.", "password": None, "bound": bound}
    assert not SignOff.objects.exists()


def test_a_no_needs_words(cast: Cast) -> None:
    wish = to_production(cast)
    client = signed_in(cast.fay)
    bound = client.get(path_of(wish)).context["draft"].bound
    answer = client.post(path_of(wish), filled(bound, decision="reject"))
    assert answer.context["form"].errors == {"comment": ["Say what has to change."]}
    assert list(client.post(path_of(wish), filled(bound, decision="")).context["form"].errors) == ["decision"]


def test_what_changed_meanwhile_is_not_signed(cast: Cast) -> None:
    wish = to_production(cast)
    client = signed_in(cast.fay)
    bound = client.get(path_of(wish)).context["draft"].bound
    fairness_of(cast, wish.bundle, women=0.2)
    answer = client.post(path_of(wish), filled(bound))
    refused(
        answer,
        409,
        "Nothing was signed What you read has changed since you opened the page. Read it again, then sign.",
    )
    assert 'name="password"' not in answer.content.decode()
    assert not SignOff.objects.exists()


def test_who_asked_cannot_sign(cast: Cast) -> None:
    bundle = bundle_registered(cast, by=cast.olga)
    all_but_signed(cast, bundle)
    wish = request_at(cast, "open", bundle, cast.prod)
    DeploymentRequest.objects.filter(pk=wish.pk).update(requested_by=cast.fay)
    client = signed_in(cast.fay)
    page = client.get(path_of(wish))
    assert "You asked for this promotion, so your signature would not be independent." in words(page)
    assert 'name="password"' not in page.content.decode()
    refused(
        client.post(path_of(wish), filled(page.context["draft"].bound)), 403, "You asked for this promotion"
    )
    assert not SignOff.objects.exists()


def test_another_role_is_refused_with_the_reason(cast: Cast) -> None:
    wish = to_production(cast)
    refused(
        signed_in(cast.eli).get(path_of(wish)),
        403,
        "You need the right to sign for fairness on Customer churn in Production.",
    )
    assert kept(wish) == []  # looking is not trying
    refused(signed_in(cast.eli).post(path_of(wish)), 403, "You need the right to sign for fairness")
    assert kept(wish) == [(str(cast.eli.pk), "sign", "right_missing")]
    refused(
        signed_in(cast.fay).get(path_of(wish, "beauty")),
        409,
        "The policy in force does not ask for this any more.",
    )
    outsider_sees_nothing(signed_in(cast.otto), path_of(wish))
    outsider_sees_nothing(signed_in(cast.otto), path_of(wish), post=True)
    assert len(kept(wish)) == 1  # what an outsider tries is not kept


def test_only_its_signer_takes_a_signature_back(cast: Cast) -> None:
    wish = to_production(cast)
    signoff = signed(cast.fay, wish, "fairness")
    path = f"/signoffs/{signoff.pk}/"
    assert "Take my signature back" not in words(signed_in(cast.eli).get(path))
    refused(
        signed_in(cast.eli).post(path, {"why": "No."}), 403, "Only Fay Okafor can withdraw this signature."
    )
    client = signed_in(cast.fay)
    assert list(client.post(path, {"why": ""}).context["form"].errors) == ["why"]
    assert "Your signature is withdrawn and counts no more." in words(
        client.post(path, {"why": "I misread."}, follow=True)
    )
    refused(client.post(path, {"why": "I misread."}), 409, "This signature was withdrawn already.")
    assert "Not met Fairness signed by one person" in words(
        client.get(f"/projects/CHURN/requests/{wish.pk}/")
    )
