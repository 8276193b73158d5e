"""Evidence that people bring: figures that were counted elsewhere. Whoever brings it is its author.

What a kind may look like is its reader's to say, an entry of `READERS`. Not in charge of what the portal counts itself
(`governance.actions.evidence`).
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from governance import explainability_import, fairness_import
from governance.actions.evidence import about, keep, sensitive, sensitive_if_asked
from governance.models import Evidence
from portal import ledger, rights
from portal.errors import Invalid, Refused
from portal.models import Bundle, Lane, Person, Project, Right


def take_in(*, by: Person, bundle: Bundle, lane: Lane, kind: str, content: Any) -> Evidence:
    """Keep figures that somebody counted elsewhere as evidence on a bundle, of the stage of this lane.

    `content` is a JSON value. Raises Absent or Forbidden for the right to request, Invalid for a kind that nobody can
    bring and for content that cannot be read, naming the field and the remedy.
    """
    rights.check(by, Right.REQUEST, lane)
    if bundle.project_id != lane.project_id:
        raise rights.absent()
    if kind not in READERS:
        raise Invalid(
            _("Evidence of the kind “%(kind)s” cannot be brought; choose one of %(known)s.")
            % {"kind": kind, "known": ", ".join(sorted(READERS))},
            code="evidence_kind",
            field="kind",
        )
    if not bundle.is_registered:
        raise Refused(
            _("Bundle %(bundle)s is not registered yet.") % {"bundle": bundle.bundle_id},
            code="bundle_not_registered",
        )
    # As its file would be, whichever way it came.
    fairness_import.check_size(
        len(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"))
    )
    result, source = READERS[kind](lane.project, content)
    with ledger.business():
        return keep(
            by=by,
            bundle=bundle,
            stage=lane.stage.slug,
            kind=kind,
            parts=about(kind, bundle, result),
            result=result,
            source=source | {"upload": _fingerprint(content)},
        )


def _fingerprint(content: Any) -> str:
    """Of the value that was brought, whatever it holds: not all of it has a canonical form."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _fairness(project: Project, content: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    asked = sensitive(project)
    result = fairness_import.read(content, min_group=asked.least) | {"suppress_below": asked.most}
    return result, {"format": content["format"]}


def _explainability(project: Project, content: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    asked = sensitive_if_asked(project)
    bound = {"suppress_below": asked.most} if asked else {}
    return explainability_import.read(content) | bound, {"format": content["format"]}


READERS: dict[str, Callable[[Project, Any], tuple[dict[str, Any], dict[str, Any]]]] = {
    Evidence.Kind.EXPLAINABILITY.value: _explainability,
    Evidence.Kind.FAIRNESS.value: _fairness,
}
"""What reads a kind of evidence: `(project, content)` to the result that is kept, and what is told of its source."""
