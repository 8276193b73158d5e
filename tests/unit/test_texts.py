"""What cannot be seen in a text and acts all the same comes in by no form and no address of the API."""

import inspect

import pytest
from django import forms
from django.http import QueryDict

import deployments.forms
import governance.forms
import portal.forms
from portal.api.inputs import Why
from portal.api.people import NewPerson
from portal.api.sessions import NewPassword
from portal.texts import plain

TURNED = "live \u202egnp.exe\u202c, \u2066so\u2069\u200f\x07 it says"


@pytest.mark.parametrize(
    "text, left",
    [
        (TURNED, "live gnp.exe, so it says"),
        ("one\ttwo\r\nthree\n", "one\ttwo\r\nthree\n"),
        (
            "\u05e9\u05dc\u05d5\u05dd, na\u00efve \U0001f600",
            "\u05e9\u05dc\u05d5\u05dd, na\u00efve \U0001f600",
        ),
    ],
)
def test_only_what_cannot_be_seen_is_taken_out(text: str, left: str) -> None:
    assert plain(text) == left


def test_a_form_takes_it_out_but_of_a_password() -> None:
    sent = QueryDict(mutable=True)
    sent.update({"decision": "reject", "comment": TURNED, "password": TURNED, "bound": "b"})
    form = governance.forms.SignForm(sent, way="password")
    assert form.is_valid()
    assert form.cleaned_data["comment"] == plain(TURNED)
    assert form.cleaned_data["password"] == TURNED


def test_the_api_takes_it_out_but_of_a_password() -> None:
    why = Why(data={"why": TURNED})
    assert why.is_valid()
    assert why.validated_data == {"why": plain(TURNED)}
    person = NewPerson(data={"login": "x", "name": TURNED})
    assert person.is_valid()
    assert person.validated_data["name"] == plain(TURNED)
    passwords = NewPassword(data={"current": TURNED, "new": TURNED})
    assert passwords.is_valid()
    assert passwords.validated_data == {"current": TURNED, "new": TURNED}


@pytest.mark.parametrize("module", [portal.forms, governance.forms, deployments.forms])
def test_every_form_does(module: object) -> None:
    found = [
        made
        for _name, made in inspect.getmembers(module, inspect.isclass)
        if issubclass(made, forms.BaseForm) and made.__module__ == getattr(module, "__name__", "")
    ]
    others = [made.__name__ for made in found if not issubclass(made, portal.forms.Form)]
    assert others in ([], ["SignInForm"])
