"""Toxic combinations in words: what somebody would do, what ends it, and the rules of risky rights."""

from collections.abc import Mapping, Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from governance.combinations import SIGN, Rule
from governance.facts import Clause
from portal.models import Right
from portal.ways import right_word

# Title, and what to do; a sentence each. docs/access-review.md explains them.
RULES: Mapping[Rule, tuple[Promise | str, Promise | str]] = {
    Rule.TWO_ROLES: (
        gettext_lazy("Signs in two roles"),
        gettext_lazy(
            "Give one of the roles to somebody else: two signatures asked for are meant to come from two people."
        ),
    ),
    Rule.MANAGES_AND_SIGNS: (
        gettext_lazy("Manages rights and signs"),
        gettext_lazy("Take one of the two away: who decides who may sign is not to sign."),
    ),
    Rule.MANAGES_AND_STARTS: (
        gettext_lazy("Manages rights and starts promotions"),
        gettext_lazy(
            "Take one of the two away: who decides who may ask and sign is not to start what they asked and signed for."
        ),
    ),
    Rule.MANAGES_AND_WAIVES: (
        gettext_lazy("Manages rights and waives"),
        gettext_lazy(
            "Take one of the two away: who decides who may ask and sign is not to let pass what they leave open."
        ),
    ),
    Rule.AUDITS_AND_ACTS: (
        gettext_lazy("Audits and acts"),
        gettext_lazy("Take one of the two away: nobody audits what they did themselves."),
    ),
}


def act_in_words(act: str, name: str, stage: str) -> str:
    """What somebody would do: "asks for Production"."""
    if act == "register":
        return _("makes and registers the bundle, and brings evidence and documents")
    if act == "request":
        return _("asks for %(stage)s") % {"stage": stage}
    if act == "waive":
        return _("waives for %(stage)s what should have run before") % {"stage": stage}
    if act == "promote":
        return _("starts the promotion to %(stage)s") % {"stage": stage}
    return _("signs in %(stage)s for %(role)s") % {
        "stage": stage,
        "role": name.removeprefix(SIGN).replace("-", " "),
    }


def ending_in_words(
    names: Sequence[str], right: str, stage: str, grants: Sequence[int], teams: Sequence[str]
) -> str:
    """What to revoke, in one line."""
    name = _(" and ").join(names)
    said = ngettext(
        "Revoke grant %(numbers)s, by which %(name)s may %(right)s in %(stage)s.",
        "Revoke grants %(numbers)s, by which %(name)s may %(right)s in %(stage)s.",
        len(grants),
    ) % {"numbers": ", ".join(map(str, grants)), "name": name, "right": right, "stage": stage}
    if teams:
        said += " " + _("Or take %(name)s out of %(teams)s.") % {
            "name": name,
            "teams": _(" and ").join(teams),
        }
    return said


def asks_in_words(requirements: Sequence[Clause] | None, places: int) -> str:
    """What the policy asks at a stage, as far as it decides who it takes; None: it says nothing about it."""
    if requirements is None:
        return _("The policy says nothing about this stage, so nobody can bring anything there.")
    said = (
        ngettext(
            "The policy asks for %(n)s signature of somebody who neither asked nor made the bundle.",
            "The policy asks for %(n)s signatures of different people who neither asked nor made the bundle.",
            places,
        )
        % {"n": places}
        if places
        else _("The policy asks for no signature here.")
    )
    others = sum(clause.kind != "sign_off" for clause in requirements)
    if others and not places:
        said += " " + _("What else it asks for (tests, evidence, documents), whoever may ask can bring.")
    return said


def named(name: str) -> str:
    """A codename in a word or two."""
    if name.startswith(SIGN):
        return right_word(Right.SIGN, name.removeprefix(SIGN))
    return right_word(name)
