"""Tests that others ran, as a pipeline reports them in JUnit XML, and what a bundle holds before it runs anywhere.

Not in charge of tests that the portal runs itself (`governance.actions.evidence.record_tests`), which no report
stands in for.
"""

from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext as _

from governance import junit
from governance.actions.evidence import about, keep
from governance.models import Evidence
from governance.testing import DESIGN
from portal import content, ledger, rights
from portal.dss.recipes import Held
from portal.errors import Invalid
from portal.lookups import lanes_of
from portal.models import Bundle, Lane, Person, Right

XML = "application/xml"


def record_report(*, by: Person, bundle: Bundle, stage: str, file: Any) -> Evidence:
    """Keep a JUnit report (anything with `read`) of tests of this bundle at a stage, or `design`, as its sender's.

    Whoever may ask for a promotion there may send it; for `design`, anywhere in the project. Raises Invalid naming
    `stage`, or `file` for what cannot be read.
    """
    _check_may(by, bundle, stage)
    if not bundle.is_registered:
        raise Invalid(
            _("Bundle %(bundle)s is not registered yet.") % {"bundle": bundle.bundle_id},
            code="bundle_not_registered",
            field="bundle",
        )
    text = file.read(junit.MAX_BYTES + 1)
    try:
        result = junit.as_result(junit.parse(text))
    except junit.JUnitError as error:
        raise Invalid(error.sentence, code=error.code, field="file") from None
    staged = content.stage_bytes(text, XML)
    with ledger.business():
        sent = content.put_staged(staged)
        return keep(
            by=by,
            bundle=bundle,
            stage=stage,
            kind=Evidence.Kind.REPORT,
            parts=about(Evidence.Kind.REPORT, bundle),
            result=result,
            source={"report": sent.digest},
        )


def record_project(*, by: Person, bundle: Bundle, code: Held) -> Evidence:
    """Keep which scenarios a bundle that was just registered holds, and how long and branched its recipes are.

    Called in the transaction that registers it (`settings.ON_REGISTERED`).
    """
    result = {
        "v": 1,
        "scenarios": list(code.scenarios),
        "recipes": [
            {("recipe" if name == "name" else name): value for name, value in asdict(recipe).items()}
            for recipe in code.recipes
        ],
        "more": code.more,
    }
    with ledger.business():
        return keep(
            by=by,
            bundle=bundle,
            stage=DESIGN,
            kind=Evidence.Kind.PROJECT,
            parts=about(Evidence.Kind.PROJECT, bundle),
            result=result,
            source={},
        )


def stages_of(by: Person, bundle: Bundle) -> list[tuple[str, str]]:
    """The stages a person may send reports of for this bundle, as (slug, printed name), the design node first."""
    lanes = lanes_of(bundle.project)
    held = rights.held_on(by, lanes)
    may = [lane for lane in lanes if Right.REQUEST.value in held[lane.pk]]
    if not may:
        return []
    own = [(lane.stage.slug, lane.stage.name) for lane in may]
    return own if DESIGN in dict(own) else [(DESIGN, _("the design node")), *own]


def _check_may(by: Person, bundle: Bundle, stage: str) -> None:
    lanes: dict[str, Lane] = {lane.stage.slug: lane for lane in lanes_of(bundle.project)}
    if stage in lanes:
        rights.check(by, Right.REQUEST, lanes[stage])
        return
    if not stages_of(by, bundle):
        rights.check(by, Right.REQUEST, next(iter(lanes.values())))
    if stage != DESIGN:
        known = ", ".join([DESIGN, *lanes])
        raise Invalid(
            _("There is no stage “%(stage)s” here; choose one of %(known)s.")
            % {"stage": stage[:50], "known": known},
            code="stage_unknown",
            field="stage",
        )
