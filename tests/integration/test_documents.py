"""Documents written in the portal: what they are about, what is refused, and what the ledger keeps."""

import hashlib

import pytest

from governance.actions import documents
from governance.models import Document
from portal import content, ledger
from portal.errors import Absent, Forbidden, Invalid
from portal.event_kinds import EventKind
from portal.models import Event
from tests.cast import Cast
from tests.factories import bundle_asked, bundle_registered

TEXT = "# Purpose\r\n\r\nOffers to customers.\r\n\r\n## Limits\r\nNot for prices.\r\n"


def test_a_document_is_pinned_by_the_digest_of_its_text(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    made = documents.write(by=cast.dev, bundle=bundle, kind="intended-use", title=" Intended use ", text=TEXT)
    kept = TEXT.replace("\r\n", "\n").encode()
    assert content.get(made.digest) == kept
    assert made.digest == hashlib.sha256(kept).hexdigest()
    assert (made.title, made.author, made.origin) == ("Intended use", cast.dev, Document.Origin.WRITTEN)
    assert made.sections == ["Purpose", "Limits"]
    assert set(made.parts) == {"data", "flow", "models", "other"} & set(bundle.parts)
    assert all(bundle.parts[part] == digest for part, digest in made.parts.items())
    event = ledger.events(kinds=[EventKind.DOCUMENT_RECORDED])[-1]
    assert (event.subject, event.actor_id, event.project) == (made.subject, str(cast.dev.pk), "CHURN")
    assert (event.facts["digest"], event.facts["sections"]) == (made.digest, "Purpose\nLimits")
    again = documents.write(by=cast.olga, bundle=bundle, kind="intended-use", title="Again", text=TEXT)
    assert (again.digest, again.content_id) == (made.digest, made.content_id)


def test_what_people_typed_is_in_the_ledger_by_commitment_and_can_be_erased(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    title, text = "What Fay Okafor said of it", "# Seen by Eli Brandt\n\nAll is well.\n"
    made = documents.write(by=cast.dev, bundle=bundle, kind="intended-use", title=title, text=text)
    row = Event.objects.get(kind=EventKind.DOCUMENT_RECORDED)
    body = bytes(row.body).decode()
    assert "Okafor" not in body
    assert "Brandt" not in body
    (event,) = ledger.read([row])
    assert (event.facts["title"], event.facts["sections"]) == (title, "Seen by Eli Brandt")
    assert ledger.sentence(event, str) == f"Document “{title}” (intended-use) was recorded for v1"
    for path in ("facts.title", "facts.sections"):
        assert ledger.erase(row.seq, path)
    (event,) = ledger.read([Event.objects.get(pk=row.pk)])
    assert event.erased == {"title", "sections"}
    assert (event.facts["digest"], event.subject) == (made.digest, made.subject)
    assert "Document “(erased)”" in ledger.sentence(event, str)


def test_what_cannot_be_kept_is_refused_by_field(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    asked = bundle_asked(cast, "v2")
    events = Event.objects.count()
    for wish, field in (
        ({"kind": ""}, "kind"),
        ({"kind": "Intended use"}, "kind"),
        ({"kind": "x" * 51}, "kind"),
        ({"title": " "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"text": " \n"}, "text"),
        ({"text": "x" * (documents.LIMIT + 1)}, "text"),
        ({"bundle": asked}, "bundle"),
    ):
        told = {"bundle": bundle, "kind": "intended-use", "title": "Title", "text": "Text."}
        with pytest.raises(Invalid) as refused:
            documents.write(by=cast.dev, **{**told, **wish})  # type: ignore[arg-type]
        assert refused.value.field == field, wish
    assert Event.objects.count() == events
    assert not Document.objects.exists()


def test_whoever_may_ask_for_a_promotion_may_write(cast: Cast) -> None:
    bundle = bundle_registered(cast)

    def write(by: object) -> Document:
        return documents.write(by=by, bundle=bundle, kind="intended-use", title="Title", text="Text.")  # type: ignore[arg-type]

    assert write(cast.olga).author == cast.olga
    with pytest.raises(Forbidden) as refused:
        write(cast.fay)
    assert "ask for a promotion on Customer churn" in refused.value.sentence
    with pytest.raises(Absent):
        write(cast.otto)
