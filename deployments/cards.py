"""The rows of a request's cards: the gate as a checklist, the verdict, the steps. What may be done the rules say.

Not in charge of judging or of rights: it is given a judgement and what the reader may do, and says it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from deployments.actions.asking import standing
from deployments.asking import told_of
from deployments.inbox import to_sign
from deployments.judging import Judged, findings_in_words, why_not_asked, why_not_promoter
from deployments.models import DeploymentRequest, Promotion, Step
from deployments.steps import names_of
from deployments.waiving import Pending, asker_of, number_of, pending, to_waive, whys_of
from deployments.words import step_name, step_note
from governance import waivers
from governance.briefs import anchor_of
from governance.checks import Code, Why
from governance.model_card import KIND as MODEL_CARD
from governance.models import SignOff
from portal.held import Held
from portal.models import Person, Right
from portal.names import names

_FEW = {
    1: gettext_lazy("One thing is"),
    2: gettext_lazy("Two things are"),
    3: gettext_lazy("Three things are"),
    4: gettext_lazy("Four things are"),
    5: gettext_lazy("Five things are"),
}
_SAMPLES = 20
LONG = 10  # rows of a checklist of which all are shown
# What collecting once more would help; figures beyond their thresholds stay so.
_COLLECTABLE = {
    Code.EVIDENCE_MISSING,
    Code.EVIDENCE_OTHER_PARTS,
    Code.EVIDENCE_EXPIRED,
    Code.EVIDENCE_BROUGHT,
    Code.EVIDENCE_UNREADABLE,
    Code.FAIRNESS_NOT_COUNTED,
    Code.GOVERN_NOT_APPROVED,
    Code.GOVERN_UNCLEAR,
    Code.GOVERN_UNKNOWN,
}
# Kinds of requirement whose evidence the portal collects when somebody asks.
_COLLECTED = ("evidence", "govern", "project_standards")


@dataclass(frozen=True, slots=True)
class Bar:
    """The verdict under the checklist: the answer, what comes next, and whether the reader can start it."""

    met: bool
    answer: str
    then: str
    may: bool
    why_not: str


def gate_rows(
    request: DeploymentRequest,
    judged: Judged,
    person: Person,
    held: Collection[str],
    anchors: Collection[str] = (),
) -> list[dict[str, Any]]:
    """The gate as `components/gate.html` shows it, each row with what the reader can do about it now.

    `anchors` are of the evidence that stands on the same page.
    """
    clauses = {one.key: one for one in judged.case.requirements}
    key, bundle = request.lane.project.key, request.bundle.bundle_id
    signable = set(to_sign(person, judged))
    words = findings_in_words(judged)
    waiting = {} if request.is_over else _waiting_waivers(request, judged)
    able = [one for some in waiting.values() for pending_ in some for one in pending_.able]
    known = names([*(one for finding in words for one in finding["unblock"]), *able])
    evidence = reverse("bundle", args=[key, bundle])
    may_add = Right.REQUEST.value in held and not request.is_over
    signed = _signed_bundles(words)
    asked = {} if request.is_over else standing(request)
    reasons = whys_of(judged)
    may_remind = Right.REQUEST.value in held and request.status == DeploymentRequest.Status.OPEN
    rows = []
    for finding in words:
        acts, links = [], []
        met = finding["state"] in ("met", "waived")
        if finding["key"] in signable and not request.is_over:
            acts.append(
                {
                    "label": _("Review and sign"),
                    "url": reverse("sign", args=[key, request.pk, finding["key"]]),
                    "go": True,
                }
            )
        elif finding["kind"] == "sign_off":
            links += [
                {"label": _("Statement"), "url": reverse("signoff", args=[said["signoff"]])}
                for said in finding["params"]["given"]
            ]
        elif finding["kind"] == "change_ticket" and not met and may_add and request.status == "open":
            acts.append({"label": _("Give the ticket"), "url": "#ticket"})
        elif finding["kind"] == "document" and not met and may_add:
            of_card = clauses[finding["key"]].params["kind"] == MODEL_CARD
            write = reverse("model-card", args=[key, bundle]) if of_card else f"{evidence}#documents"
            acts.append({"label": _("Write it") if of_card else _("Add it"), "url": write})
        elif finding["kind"] in _COLLECTED and finding["code"] in _COLLECTABLE and may_add:
            acts.append({"label": _("Collect it"), "url": f"{evidence}#add-evidence"})
        elif finding["kind"] in (*_COLLECTED, "external_check", "tests", "document"):
            anchor = anchor_of(clauses[finding["key"]])
            if finding["kind"] == "document":
                links.append({"label": _("Documents"), "url": f"{evidence}#documents"})
            else:
                here = f"#{anchor}" if anchor in anchors else f"{evidence}#evidence"
                links.append({"label": _("Evidence"), "url": here})
        asks = [] if met else asked.get(finding["key"], [])
        if not met and may_remind and (not acts if finding["kind"] == "sign_off" else asks):
            place = [key, request.pk, finding["key"]]
            if asks:
                acts.append(
                    {"label": _("Remind"), "url": reverse("request-remind", args=place), "post": True}
                )
            if asks or finding["code"] == Code.SIGN_OFF_NOBODY:
                links.append({"label": _("Escalate"), "url": reverse("request-escalate", args=place)})
        pendings = waiting.get(finding["key"], ())
        unblock = {*finding["unblock"], *(one for pending_ in pendings for one in pending_.able)}
        more = [] if request.is_over else _to_waive(request, judged, finding, person, may_remind, pendings)
        acts += [one for one in more if one.get("go")]
        links += [one for one in more if not one.get("go")]
        if waiver := number_of(finding["params"]):
            links.append({"label": _("The waiver"), "url": reverse("waiver", args=[waiver])})
        rows.append(
            {
                "state": finding["state"],
                "title": finding["title"],
                "why": " ".join(
                    filter(
                        None,
                        (
                            finding["sentence"],
                            _compared_with(finding, signed),
                            told_of(asks),
                            _reason_of(finding, reasons),
                            _asked_to_waive(pendings),
                        ),
                    )
                ),
                "unblock": [] if met or request.is_over else sorted({known(one) for one in unblock}),
                "yours": any(act.get("go", False) for act in acts),
                "links": links,
                "acts": acts,
            }
        )
    # The answer first: what the reader can do, then what is missing, what was let pass, what is met.
    rows.sort(key=lambda row: (not row["yours"], {"waived": 1, "met": 2}.get(row["state"], 0)))
    return rows


def folded(rows: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of a long checklist that are to be seen at once, and those that are met and can wait, if any."""
    met = [row for row in rows if row["state"] == "met" and not row["acts"]]
    if len(rows) <= LONG or len(met) == len(rows):
        return list(rows), []
    return [row for row in rows if row not in met], met


def _waiting_waivers(request: DeploymentRequest, judged: Judged) -> dict[str, list[Pending]]:
    """The waivers that wait for an answer, by requirement; none that are about something else by now."""
    found: dict[str, list[Pending]] = {}
    for one in pending([(request, judged)]).get(request.pk, ()):
        if one.outdated:
            continue
        found.setdefault(one.waiver.requirement, []).append(one)
    return found


def _to_waive(
    request: DeploymentRequest,
    judged: Judged,
    finding: Mapping[str, Any],
    person: Person,
    may_ask: bool,
    waiting: Sequence[Pending],
) -> list[dict[str, Any]]:
    """Granting what was asked; or else asking, where somebody could grant it."""
    key = request.lane.project.key
    mine = to_waive(person, waiting)
    if mine:
        return [
            {
                "label": _("Review and waive"),
                "url": reverse("waiver-answer", args=[key, request.pk, one.pk]),
                "go": True,
            }
            for one in mine
        ]
    if waiting:
        return [
            {"label": _("What was asked"), "url": reverse("waiver", args=[one.waiver.pk])} for one in waiting
        ]
    clause = next(one for one in judged.case.requirements if one.key == finding["key"])
    if (
        may_ask
        and finding["state"] not in ("met", "waived")
        and waivers.may_be(clause)
        and waivers.able(judged.case, waivers.asker_bars(str(person.pk)))
    ):
        ask = reverse("waiver-ask", args=[key, request.pk, finding["key"]])
        return [{"label": _("Ask to waive it"), "url": ask}]
    return []


def _asked_to_waive(waiting: Sequence[Pending]) -> str:
    """That somebody asked to let it pass, and why."""
    return " ".join(
        _("%(name)s asks to waive it: “%(why)s”") % {"name": asker_of(one.waiver), "why": one.waiver.why}
        for one in waiting
    )


def _reason_of(finding: Mapping[str, Any], reasons: Mapping[str, str]) -> str:
    """Why it was let pass."""
    why = reasons.get(number_of(finding["params"])) if finding["state"] == "waived" else None
    return _("The reason given: “%(why)s”") % {"why": why} if why else ""


def _other_parts(finding: Mapping[str, Any]) -> list[str]:
    """The signatures that do not count here because the parts they are about are others, by their numbers."""
    return [
        entry["signoff"]
        for entry in finding["params"].get("not_counted", ())
        if entry["why"] == Why.DIFFERS and any(held["field"] == "part" for held in entry["differs"])
    ]


def _signed_bundles(words: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The bundle each such signature was given on, in one query at most."""
    wanted = {one for finding in words for one in _other_parts(finding)}
    if not wanted:
        return {}
    rows = SignOff.objects.filter(pk__in=wanted).values_list("pk", "bundle__bundle_id")
    return {str(pk): bundle for pk, bundle in rows}


def _compared_with(finding: Mapping[str, Any], signed: Mapping[str, str]) -> str:
    """Against which bundle the parts changed: what was signed, which need not be what runs there."""
    bundles = sorted({signed[str(one)] for one in _other_parts(finding) if str(one) in signed})
    return (
        _("Compared with %(bundles)s, which was signed.") % {"bundles": ", ".join(bundles)} if bundles else ""
    )


def verdict_bar(
    request: DeploymentRequest, judged: Judged, person: Person, held: Held, busy: Promotion | None
) -> Bar:
    """The answer of the gate in words, and whether this reader can start the promotion now."""
    stage = request.lane.stage.name
    missing = sum(finding.state not in ("met", "waived") for finding in judged.verdict.findings)
    may, why_not = False, ""
    starts = judged.case.by_itself and not request.held
    lost = why_not_asked(request) if starts else ""
    by_itself = starts and not lost
    if not judged.verdict.met:
        few = _FEW.get(missing)
        answer = (
            _("%(count)s missing.") % {"count": few}
            if few
            else ngettext("%(n)s thing is missing.", "%(n)s things are missing.", missing) % {"n": missing}
        )
        then = (
            _("As soon as everything is met, %(bundle)s goes to %(stage)s by itself.")
            if by_itself
            else _(
                "Once everything is met, somebody with the right to promote brings %(bundle)s to %(stage)s."
            )
        )
        why_not = _("Not before everything above is met.")
    else:
        waived = sum(finding.state == "waived" for finding in judged.verdict.findings)
        answer = (
            ngettext(
                "Everything that %(stage)s asks is met, or waived: one thing.",
                "Everything that %(stage)s asks is met, or waived: %(n)s things.",
                waived,
            )
            % {"stage": stage, "n": waived}
            if waived
            else _("Everything that %(stage)s asks is met.") % {"stage": stage}
            if judged.verdict.findings
            else _("%(stage)s asks nothing of a bundle.") % {"stage": stage}
        )
        starters = sorted(
            names()(holder.person) for holder in judged.case.holders if holder.role == "right:promote"
        )
        then = _("%(bundle)s can go to %(stage)s now.")
        if Right.PROMOTE.value not in held.names:
            then = (
                _("%(names)s can bring %(bundle)s to %(stage)s now.")
                if starters
                else _("Nobody holds the right to promote to %(stage)s.")
            )
            why_not = _("You need the right to start a promotion.")
        elif busy is not None:
            why_not = _("Promotion %(number)s of %(bundle)s holds %(stage)s until it ends.") % {
                "number": busy.pk,
                "bundle": busy.bundle.bundle_id,
                "stage": stage,
            }
        else:
            why_not = why_not_promoter(person, judged, held.principal(Right.PROMOTE.value))
        if by_itself:
            then = (
                _("%(bundle)s goes to %(stage)s by itself as soon as that is free.")
                if busy is not None
                else _("%(bundle)s goes to %(stage)s by itself in a moment.")
            )
        elif lost:
            then = lost
        may = not why_not
        then %= {"bundle": request.bundle.bundle_id, "stage": stage, "names": _any_of(starters)}
        return Bar(True, answer, then, may, why_not)
    return Bar(False, answer, then % {"bundle": request.bundle.bundle_id, "stage": stage}, may, why_not)


def _any_of(said: Sequence[str]) -> str:
    return _(" or ").join(said)


def step_rows(promotion: Promotion) -> list[dict[str, Any]]:
    """The steps of a promotion as `components/steps.html` shows them, with what is usual for those still to come."""
    steps = list(promotion.steps.all())
    usual = usual_seconds(promotion.lane_id, [step.name for step in steps]) if not promotion.is_over else {}
    rows = []
    for step in steps:
        over = step.started_at and step.ended_at
        rows.append(
            {
                "name": step_name(step.name),
                "state": _STEP_STATES[step.status],
                "note": step_note(step),
                "seconds": (step.ended_at - step.started_at).total_seconds() if over else None,  # type: ignore[operator]
                "usual": None if over else usual.get(step.name),
            }
        )
    return rows


def steps_ahead(lane_id: int) -> list[dict[str, Any]]:
    """The steps a promotion started now would have, with how long each usually takes in this lane."""
    planned = names_of(Promotion.Kind.PROMOTE)
    usual = usual_seconds(lane_id, planned)
    return [{"name": step_name(name), "state": "waiting", "usual": usual.get(name)} for name in planned]


def usual_seconds(lane_id: int, wanted: Collection[str]) -> dict[str, float]:
    """The median of how long each step took lately in this lane, in seconds; steps under half a second are left out."""
    taken: dict[str, list[float]] = {}
    done = Step.objects.filter(
        promotion__lane=lane_id, name__in=wanted, status=Step.Status.DONE, started_at__isnull=False
    )
    for name, began, ended in done.order_by("-pk").values_list("name", "started_at", "ended_at")[
        : _SAMPLES * max(1, len(wanted))
    ]:
        if began and ended and len(taken.setdefault(name, [])) < _SAMPLES:
            taken[name].append((ended - began).total_seconds())
    return {name: median(held) for name, held in taken.items() if median(held) >= 0.5}


_STEP_STATES: dict[str, str] = {
    Step.Status.PENDING: "waiting",
    Step.Status.STARTED: "running",
    Step.Status.DONE: "done",
    Step.Status.FAILED: "failed",
    Step.Status.SKIPPED: "skipped",
}
