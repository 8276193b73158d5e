"""The model card of a bundle as a guided form: a field for each section of Annex IV, filled in as far as is known."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from governance.actions import documents, model_cards
from governance.checks import has_section
from governance.forms import CardForm
from governance.model_card import KIND, card_of
from governance.model_card_fields import FIELDS, SOURCE
from governance.queries import rules_of_tier
from portal import typed
from portal.errors import Refused
from portal.lookups import bundle_for
from portal.models import Bundle
from portal.pages import person_of, told_by


@require_http_methods(["GET", "HEAD", "POST"])
def card(request: HttpRequest, key: str, bundle_id: str) -> HttpResponse:
    """Write the model card. What was only suggested counts once it is confirmed or changed."""
    person = person_of(request)
    bundle = bundle_for(person, key, bundle_id)
    documents.check_may_write(by=person, bundle=bundle, kind=KIND)
    found = card_of(bundle)
    if request.method != "POST":
        form = CardForm(card=found)
        typed.give_back(request, form)
        return _page(request, bundle, form)
    form = CardForm(request.POST, card=found)
    if form.is_valid():
        with told_by(form):
            document = model_cards.write(by=person, bundle=bundle, sections=form.confirmed)
            missing = form.left_out
            messages.success(
                request,
                _("The model card is recorded and pinned by its digest. Every section is filled in.")
                if not missing
                else _("The model card is recorded and pinned by its digest. Missing in it: %(sections)s.")
                % {"sections": ", ".join(missing)},
            )
            return redirect("document", document.pk)
    return _page(request, bundle, form, 400)


def _asked(bundle: Bundle) -> frozenset[str]:
    """The keys of the sections that the policy asks for at any stage; none where no policy applies."""
    try:
        rules = rules_of_tier(bundle.project).values()
    except Refused:
        return frozenset()
    wanted = {
        str(section)
        for stage in rules
        for clause in stage.requirements
        if clause.kind == "document" and clause.params["kind"] == KIND
        for section in clause.params.get("sections", ())
    }
    return frozenset(
        field.key for field in FIELDS if any(has_section([field.heading], one) for one in wanted)
    )


def _page(request: HttpRequest, bundle: Bundle, form: CardForm, status: int = 200) -> HttpResponse:
    asked = _asked(bundle)
    sections = [
        {
            "section": section,
            "text": text,
            "confirm": confirm,
            "asked": section.field.key in asked,
            # What has to be written or confirmed is open where the policy asks for it, and what is wrong.
            "open": bool(text.errors) or (section.field.key in asked and not section.confirmed),
        }
        for section, text, confirm in form.sections
    ]
    if not any(one["open"] for one in sections):
        first = next((one for one in sections if not one["section"].confirmed), None)
        if first is not None:
            first["open"] = True
    shown: dict[str, Any] = {
        "sections": sections,
        "left": [one["section"].field for one in sections if one["asked"] and not one["section"].confirmed],
        "project": bundle.project,
        "bundle": bundle,
        "form": form,
        "card": form.card,
        "source": SOURCE,
    }
    return render(request, "governance/model_card.html", shown, status=status)
