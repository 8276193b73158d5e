"""What somebody typed into a form while their session ended: it goes through the sign-in page and is given back once.

It travels in the sign-in form itself, so nothing is kept for anybody who has not signed in. Never a password.
"""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.forms import BaseForm, PasswordInput
from django.http import HttpRequest
from django.utils.translation import gettext as _

LIMIT = 250_000  # characters; the longest document fits
_PREFIX = "typed-"
_KEY = "typed"


def of_form(sent: Mapping[str, Any]) -> dict[str, str]:
    """What a form held, by the names it travels under. More than LIMIT is not taken along."""
    held = {
        f"{_PREFIX}{name}": str(value)
        for name, value in sent.items()
        if value and name != "csrfmiddlewaretoken" and "password" not in name.lower()
    }
    return held if sum(map(len, held.values())) <= LIMIT else {}


def on_its_way(sent: Mapping[str, Any]) -> dict[str, str]:
    """What the sign-in form carries of another form, so that a wrong password does not lose it."""
    return {name: str(value) for name, value in sent.items() if name.startswith(_PREFIX)}


def keep(request: HttpRequest, page: str) -> None:
    """Keep what the sign-in form carried, in the session that has begun, for the page it is led to."""
    held = on_its_way(request.POST)
    if held and sum(map(len, held.values())) <= LIMIT:
        fields = {name.removeprefix(_PREFIX): text for name, text in held.items()}
        request.session[_KEY] = {"page": page, "fields": fields}


def give_back(request: HttpRequest, *forms: BaseForm | None) -> None:
    """Fill the forms of a page with what was typed there before signing in again, once, and say so."""
    kept = request.session.get(_KEY)
    if not kept or request.method != "GET" or kept["page"] != request.path:
        return
    del request.session[_KEY]
    given = False
    for form in forms:
        for bound in form.visible_fields() if form is not None and not form.is_bound else ():
            text = kept["fields"].get(bound.html_name)
            if text and not isinstance(bound.field.widget, PasswordInput):
                bound.form.initial[bound.name] = text
                given = True
    if given:
        messages.info(request, _("What you had typed is filled in again. Read it, then send it."))
