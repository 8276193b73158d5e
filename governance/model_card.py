"""A model card: its sections, what is suggested for them, and its text as Markdown. Writes nothing.

Suggestions come from what the portal knows of a bundle: the project, what DSS told with the evidence, figures, tests,
signatures. They name no person: a document cannot forget one. Not in charge of keeping it
(`governance.actions.model_cards`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from governance.docx import markdown_headings
from governance.exhibits import fairness_tables
from governance.explainability_charts import least_people, subpopulations
from governance.facts import instant
from governance.model_card_fields import BY_KEY, FIELDS, SOURCE, Field
from governance.models import Document, Evidence, SignOff
from governance.newest import newest, same_parts
from governance.policy import StageRules
from governance.queries import evidence_holding, rules_of_tier
from governance.sentences import method_name, when
from governance.suppression import hidden
from portal import content
from portal.errors import Invalid, Refused
from portal.models import Bundle

KIND = "model-card"
SECTION_LIMIT = 7000  # characters; all of them and their headings are within what a document may have
SHOWN_FEATURES = 10
SHOWN_BUNDLES = 10
EMPTY = "Not filled in yet: "


@dataclass(frozen=True, slots=True)
class Section:
    """One field of the card as it stands: `text` is what is there, `suggestion` what is known.

    `confirmed`: the text was written for a bundle with the same parts; else it is a suggestion or of another bundle,
    `of`, and has to be confirmed. `missing`: there is no text, and nothing to suggest.
    """

    field: Field
    text: str
    suggestion: str
    confirmed: bool
    of: str = ""

    @property
    def missing(self) -> bool:
        return not self.text.strip()


@dataclass(frozen=True, slots=True)
class Card:
    """The card of a bundle as it could be written now; `written` is the last version that holds for its parts."""

    sections: tuple[Section, ...]
    written: Document | None

    @property
    def missing(self) -> list[Section]:
        return [section for section in self.sections if section.missing]

    @property
    def unconfirmed(self) -> list[Section]:
        return [section for section in self.sections if not section.missing and not section.confirmed]


def card_of(bundle: Bundle) -> Card:
    """The card of a bundle, filled as far as it can be; the same number of queries whatever there is."""
    versions = Document.objects.filter(
        project=bundle.project_id, kind=KIND, content__media_type__startswith="text/"
    )
    holding = (
        versions.filter(same_parts(bundle.parts))
        .select_related("bundle")
        .order_by("-recorded_at", "-pk")
        .first()
    )
    last = holding or versions.select_related("bundle").order_by("-recorded_at", "-pk").first()
    texts = {} if last is None else parse(content.get(last.content_id).decode(errors="replace"))
    known = suggestions(bundle)
    sections = []
    for field in FIELDS:
        text, suggestion = texts.get(field.key, ""), known.get(field.key, "")
        of = last.bundle.bundle_id if last is not None and holding is None and text else ""
        sections.append(
            Section(field, text or suggestion, suggestion, bool(text) and holding is not None, of)
        )
    return Card(tuple(sections), holding)


# --- as text ---


def compose(title: str, texts: Mapping[str, str]) -> str:
    """The Markdown of a card: a heading for each section that has a text, in Annex IV's order; what is empty is named.

    Raises Invalid naming the section that is unknown, too long, or holds a heading of another section's kind.
    """
    for key in texts:
        if key not in BY_KEY:
            raise Invalid(
                _("There is no section “%(key)s” in a model card. Use one of: %(known)s.")
                % {"key": key[:100], "known": ", ".join(BY_KEY)},
                code="model_card_section",
                field=key[:100],
            )
    filled = {key: tidy(text) for key, text in texts.items() if text.strip()}
    for key, text in filled.items():
        _check(BY_KEY[key], text)
    if not filled:
        raise Invalid(
            _("The model card is empty. Fill in or confirm at least one section."),
            code="model_card_empty",
            field="sections",
        )
    absent = [field.heading for field in FIELDS if field.key not in filled]
    lines = [f"# {title}", "", f"Sections by {SOURCE}. This text claims conformity with nothing."]
    if absent:
        lines += ["", EMPTY + "; ".join(absent) + "."]
    for field in FIELDS:
        if field.key in filled:
            lines += ["", f"## {heading_of(field)}", "", filled[field.key]]
    return "\n".join(lines) + "\n"


def heading_of(field: Field) -> str:
    """A section's heading in the text."""
    return f"{field.heading} (Annex IV, {field.annex})"


def tidy(text: str) -> str:
    """A section's text as it is kept, so that a version reads back as it was written."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n").strip()


def parse(text: str) -> dict[str, str]:
    """The texts of a card by section; of a document that was written otherwise, what stands under our headings."""
    by_heading = {f"## {heading_of(field)}": field.key for field in FIELDS}
    found: dict[str, list[str]] = {}
    now: list[str] | None = None
    for line in text.split("\n"):
        if line in by_heading:
            now = found.setdefault(by_heading[line], [])
        elif now is not None:
            now.append(line)
    return {key: tidy("\n".join(lines)) for key, lines in found.items()}


def _check(field: Field, text: str) -> None:
    if len(text) > SECTION_LIMIT:
        raise Invalid(
            _("“%(heading)s” is longer than %(limit)s characters. Shorten it, or refer to another document.")
            % {"heading": field.heading, "limit": f"{SECTION_LIMIT:,}"},
            code="model_card_long",
            field=field.key,
        )
    if markdown_headings(text) or "```" in text or "~~~" in text:
        raise Invalid(
            _(
                "“%(heading)s” holds a heading or a fence of code, which would look like another section. Begin no "
                "line with # and underline none; write lists or paragraphs."
            )
            % {"heading": field.heading},
            code="model_card_heading",
            field=field.key,
        )


# --- what is known ---


def suggestions(bundle: Bundle) -> dict[str, str]:
    """What the portal knows for each section, as text; sections of which it knows nothing are not there."""
    rows = newest(evidence_holding(bundle).select_related("result").exclude(parts={}), "recorded_at", "kind")
    held = {row.kind: (row, json.loads(bytes(row.result.body))) for row in rows}
    explained = held.get(Evidence.Kind.EXPLAINABILITY.value)
    fairness = held.get(Evidence.Kind.FAIRNESS.value)
    tests = held.get(Evidence.Kind.TESTS.value)
    try:
        rules = rules_of_tier(bundle.project)
    except Refused:
        rules = {}
    metrics = [
        metric
        for stage in rules.values()
        for clause in stage.requirements
        if clause.kind == "evidence" and clause.params.get("kind") == "fairness"
        for metric in clause.params["metrics"]
    ]
    model = explained[1].get("model", {}) if explained else {}
    found = {
        "version": _version(bundle),
        "design": _design(model, explained),
        "data": _data(bundle, model, fairness),
        "input-data": _input_data(model),
        "validation": _validation(tests, fairness, metrics, bundle),
        "performance": _performance(model, explained, metrics),
        "metrics": _metrics(model, rules),
        "human-oversight": _oversight(rules),
        "lifecycle-changes": _changes(bundle),
        "post-market-monitoring": _watch(rules),
    }
    return {key: tidy(text)[:SECTION_LIMIT] for key, text in found.items() if text.strip()}


_Held = tuple[Evidence, dict[str, Any]] | None


def _version(bundle: Bundle) -> str:
    text = _("Bundle %(bundle)s of project %(project)s, SHA-256 of its archive %(archive)s.") % {
        "bundle": bundle.bundle_id,
        "project": bundle.project.key,
        "archive": bundle.archive,
    }
    return f"{text} {_line(bundle.notes)}" if bundle.notes else text


def _design(model: Mapping[str, Any], explained: _Held) -> str:
    lines = []
    if model.get("algorithm"):
        lines.append(_("Algorithm: %(algorithm)s.") % {"algorithm": _spaced(model["algorithm"])})
    if model.get("prediction_type"):
        lines.append(_("Kind of prediction: %(kind)s.") % {"kind": _spaced(model["prediction_type"])})
    if model.get("target"):
        lines.append(_("It predicts %(target)s.") % {"target": model["target"]})
    if model.get("threshold") is not None:
        lines.append(
            _("A row is selected from a probability of %(threshold)s on.") % {"threshold": model["threshold"]}
        )
    if explained:
        row, result = explained
        lines += [
            "",
            _("What matters most, as shares of all importance by %(method)s, on %(when)s:")
            % {
                "method": method_name(str(result.get("method", ""))),
                "when": when(instant(row.recorded_at)),
            },
        ]
        lines += [
            f"- {one['feature']}: {100 * one['share']:.1f} %" for one in result["features"][:SHOWN_FEATURES]
        ]
    return "\n".join(lines)


def _data(bundle: Bundle, model: Mapping[str, Any], fairness: _Held) -> str:
    lines = []
    if model.get("trained_ms"):
        moment = datetime.fromtimestamp(model["trained_ms"] / 1000, UTC)
        lines.append(_("Trained on %(day)s.") % {"day": f"{moment:%Y-%m-%d}"})
    if bundle.project.scored_dataset:
        lines.append(_("Scored dataset: %(dataset)s.") % {"dataset": bundle.project.scored_dataset})
    if fairness:
        rows = fairness[1].get("rows")
        lines.append(_("Rows counted of it: %(rows)s.") % {"rows": f"{rows:,}"})
    return "\n".join(lines)


def _input_data(model: Mapping[str, Any]) -> str:
    inputs = model.get("inputs")
    return _("Columns it is given: %(columns)s.") % {"columns": ", ".join(inputs)} if inputs else ""


def _validation(tests: _Held, fairness: _Held, metrics: Sequence[Mapping[str, Any]], bundle: Bundle) -> str:
    lines = []
    if tests:
        row, result = tests
        runs = result.get("runs", [])
        good = sum(run.get("outcome") == "SUCCESS" for run in runs)
        lines.append(
            _("Test scenarios at %(stage)s on %(when)s: %(good)s of %(all)s passed.")
            % {
                "stage": row.stage,
                "when": when(instant(row.recorded_at)),
                "good": good,
                "all": len(result.get("listed", [])),
            }
        )
    if fairness and not hidden(fairness[1]):
        lines += [f"- {table['title']}: {table['said']}" for table in fairness_tables(fairness[1], metrics)]
    elif fairness:
        lines.append(_("Fairness figures are in the evidence; some groups are too small to be published."))
    signed = SignOff.objects.filter(bundle=bundle, withdrawal=None).order_by("signed_at", "pk")[
        :SHOWN_BUNDLES
    ]
    lines += [
        _("- Signed for %(role)s on %(when)s: %(decision)s.")
        % {"role": one.role, "when": when(instant(one.signed_at)), "decision": one.get_decision_display()}
        for one in signed
    ]
    return "\n".join(lines)


def _performance(model: Mapping[str, Any], explained: _Held, metrics: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"- {name}: {value:.3f}" for name, value in model.get("metrics", {}).items()]
    if lines:
        lines.insert(0, _("As DSS tells of the version:"))
    for one in subpopulations(explained[1], least_people(explained[1], metrics)) if explained else ():
        rows = [row for row in one["modalities"] if "left_out" not in row and row.get("auc") is not None]
        if rows:
            lines += ["", _("Area under the curve by %(column)s:") % {"column": one["name"]}]
            lines += [f"- {row['modality']}: {row['auc']:.3f} ({row['n']:,.0f})" for row in rows]
    return "\n".join(lines)


def _metrics(model: Mapping[str, Any], rules: Mapping[str, StageRules]) -> str:
    names = ", ".join(model.get("metrics", ()))
    return _("Measured: %(names)s. Say why these fit.") % {"names": names} if names and rules else ""


def _oversight(rules: Mapping[str, StageRules]) -> str:
    lines = []
    for stage, held in rules.items():
        roles = [
            f"{clause.params['role']} ({clause.params['people']})"
            for clause in held.requirements
            if clause.kind == "sign_off"
        ]
        if roles:
            lines.append(
                _("Before a version goes to %(stage)s, these have to sign (number of people): %(roles)s.")
                % {"stage": stage, "roles": ", ".join(roles)}
            )
    return "\n".join(lines)


def _changes(bundle: Bundle) -> str:
    before = (
        Bundle.objects.filter(project=bundle.project_id, status=Bundle.Status.REGISTERED)
        .exclude(registered_at=None)
        .filter(registered_at__lt=bundle.registered_at or bundle.asked_at)
        .order_by("-registered_at", "-pk")[:SHOWN_BUNDLES]
    )
    lines = [
        f"- {one.bundle_id}, {one.registered_at:%Y-%m-%d}" + (f": {_line(one.notes)}" if one.notes else "")
        for one in before
    ]
    return "\n".join([_("Registered before this one, the newest first:"), *lines]) if lines else ""


def _watch(rules: Mapping[str, StageRules]) -> str:
    watched = {stage: held.after for stage, held in rules.items() if held.after.watch}
    return "\n".join(
        _("After it goes live at %(stage)s it is watched for %(seconds)s seconds; on failure: %(then)s.")
        % {"stage": stage, "seconds": f"{after.watch:,}", "then": _spaced(after.on_failure)}
        for stage, after in watched.items()
    )


def _spaced(word: object) -> str:
    return str(word).replace("_", " ").lower()


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
