"""What shows who signs, as programs send it: the password or a code, or what the session saw a moment ago."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request

from portal.errors import Invalid
from portal.pages import take_shown
from portal.reauthentication import Code, Password, Proof


def proof_in(request: Request, word: dict[str, Any]) -> Proof:
    """What shows who signs, taken out of the word. Raises Invalid where nothing does."""
    password, code = word.pop("password", None), word.pop("code", None)
    if password is not None:
        return Password(password)
    if code is not None:
        return Code(code)
    shown = take_shown(request._request)
    if shown is None:
        raise Invalid(
            _("Send your password once more, or show on your account page who you are, then sign."),
            code="proof_missing",
            field="password",
        )
    return shown
