"""What still keeps a bundle from where it was asked to go, at the top of its page: titles that lead to where one acts.

Judged afresh, as on the request's own page; nothing here decides. Without a request the stage that follows is looked
at, without what only a request can have.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from deployments.judging import Judged, findings_in_words, judge_bundle, judge_many
from deployments.lanes import Standing
from deployments.models import DeploymentRequest
from governance.briefs import anchor_of
from governance.model_card import KIND as MODEL_CARD
from portal.errors import Refused
from portal.models import Bundle

SHOWN_REQUESTS = 2
# What a request brings with it, or only waits for.
_OF_A_REQUEST = ("sign_off", "change_ticket", "window", "soak")


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement that is not met, and where one reads or does something about it."""

    state: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Missing:
    """What is missing for one stage. `url` is the request's; empty where nobody has asked yet."""

    heading: str
    url: str
    rows: Sequence[Row]


def missing(
    bundle: Bundle,
    wishes: Sequence[DeploymentRequest],
    stands: Sequence[Standing],
    anchors: Collection[str],
    *,
    may_add: bool,
) -> list[Missing]:
    """For each open request, else for the first stage that asks something and does not run the bundle.

    `wishes` come with lane, project, stage, who asked and the bundle's author; `anchors` are on the bundle's page.
    """
    asked = [one for one in wishes if one.status == DeploymentRequest.Status.OPEN][:SHOWN_REQUESTS]
    if asked:
        judged = judge_many(asked)
        return [_of_request(one, judged[one.pk], anchors, may_add=may_add) for one in asked]
    if any(one.status == DeploymentRequest.Status.PROMOTING for one in wishes):
        return []
    for standing in stands:
        if standing.runs is not None and standing.runs.bundle_id == bundle.pk:
            continue
        try:
            found = judge_bundle(bundle, standing.lane, None)
        except Refused:
            continue
        if not found.case.requirements:
            continue
        rows = _rows(found, bundle, anchors, may_add=may_add, url="", leave=_OF_A_REQUEST)
        stage = standing.lane.stage.name
        said = (
            ngettext(
                "%(stage)s would ask for one thing that is not there",
                "%(stage)s would ask for %(n)s things that are not there",
                len(rows),
            )
            % {"n": len(rows), "stage": stage}
            if rows
            else _("All that %(stage)s asks of a bundle is there") % {"stage": stage}
        )
        return [Missing(said, "", rows)]
    return []


def _of_request(
    wish: DeploymentRequest, judged: Judged | Refused, anchors: Collection[str], *, may_add: bool
) -> Missing:
    url = reverse("request", args=[wish.lane.project.key, wish.pk])
    said = {"number": wish.pk, "stage": wish.lane.stage.name}
    if isinstance(judged, Refused):
        return Missing(
            _("Request %(number)s to %(stage)s: the gate cannot be asked") % said,
            url,
            [Row("cannot_tell", judged.sentence, url)],
        )
    rows = _rows(judged, wish.bundle, anchors, may_add=may_add, url=url)
    if not rows:
        return Missing(_("Request %(number)s to %(stage)s: all is met") % said, url, ())
    heading = ngettext(
        "Request %(number)s to %(stage)s: one thing is missing",
        "Request %(number)s to %(stage)s: %(n)s things are missing",
        len(rows),
    )
    return Missing(heading % (said | {"n": len(rows)}), url, rows)


def _rows(
    judged: Judged,
    bundle: Bundle,
    anchors: Collection[str],
    *,
    may_add: bool,
    url: str,
    leave: Collection[str] = (),
) -> list[Row]:
    clauses = {one.key: one for one in judged.case.requirements}
    rows = []
    for finding in findings_in_words(judged):
        if finding["state"] in ("met", "waived") or finding["kind"] in leave:
            continue
        clause = clauses[finding["key"]]
        anchor = anchor_of(clause)
        if anchor in anchors:
            place = f"#{anchor}"
        elif clause.kind == "document" and clause.params["kind"] == MODEL_CARD and may_add:
            place = reverse("model-card", args=[bundle.project.key, bundle.bundle_id])
        elif clause.kind == "document":
            place = "#documents"
        elif url:
            place = url
        else:
            place = "#evidence"
        rows.append(Row(finding["state"], finding["title"], place))
    return rows
