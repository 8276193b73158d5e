"""The evidence and the documents: what was counted and computed, with its charts and the numbers behind them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.checks import assess
from governance.report import words
from governance.report.chain import Chain
from governance.report.values import Drawing, Fact, Paper, Piece, Requirement, Table
from governance.sentences import state_word, with_interval
from governance.standards_words import standards_table
from portal import ledger
from portal.charts import Bar, Chart, GroupRate, Interval, importance_chart, interval_chart, rate_chart
from portal.ledger import Entry

TOP_FEATURES = 12
MOST_GROUPS = 40
RATIO_AXIS = 1.2
MOST_SCENARIO_STEPS = 12


def scenarios(caption: str, runs: Iterable[Mapping[str, Any]]) -> Table:
    """A table of scenario runs as DSS reports them."""
    rows = []
    for run in runs:
        began, ended = run.get("started_ms"), run.get("ended_ms")
        took = (
            words.span((ended - began) / 1000) if began is not None and ended is not None else words.NOT_SAID
        )
        steps = [
            f"{step['name']} {str(step['outcome']).lower()}"
            + (f" ({step['message']})" if step.get("message") else "")
            for step in run.get("steps", [])[:MOST_SCENARIO_STEPS]
        ]
        rows.append(
            (run["scenario"], str(run["outcome"]).capitalize(), took, "; ".join(steps) or words.NOT_SAID)
        )
    return Table(
        caption=caption,
        heads=(_("Scenario"), _("Outcome"), _("Took"), _("Its steps, as DSS reports them")),
        rows=tuple(rows),
        widths=(28, 12, 10, 50),
        numbers=frozenset({2}),
    )


class Findings(Chain):
    """Draws each piece of evidence; groups too small to publish are suppressed."""

    def piece(self, entry: Entry) -> Piece:
        result = self.all.json(entry.facts["result"])
        drawn = {
            "fairness": self._fairness,
            "explainability": self._explainability,
            "tests": self._tests,
            "external_check": self._external,
            "project_standards": self._standards,
            "govern": self._govern,
        }
        about = drawn.get(entry.facts["evidence"], self._plain_piece)
        return about(entry, result)

    def _piece_facts(self, entry: Entry) -> tuple[Fact, ...]:
        facts = entry.facts
        return (
            Fact(
                _("Recorded"),
                _("%(when)s, row %(row)s") % {"when": words.instant(entry.at), "row": f"{entry.seq:,}"},
            ),
            Fact(_("Source"), words.source(facts["source"])),
            Fact(_("About the parts"), ", ".join(sorted(facts["parts"]))),
            Fact(_("Evidence"), words.grouped(facts["digest"]), digest=True),
            Fact(_("Result"), words.grouped(facts["result"]), digest=True),
        )

    def _heading(self, what: str, entry: Entry) -> str:
        if not entry.facts["stage"]:
            return _("%(what)s, %(bundle)s") % {"what": what, "bundle": entry.facts["bundle"]}
        return _("%(what)s, %(bundle)s at %(stage)s") % {
            "what": what,
            "bundle": entry.facts["bundle"],
            "stage": words.inside(self._stage_word(entry.facts["stage"])),
        }

    def _stage_word(self, slug: str) -> str:
        return (
            str(self.submitted.facts["stage_name"])
            if slug == self.submitted.facts["stage"]
            else slug.upper()
            if len(slug) < 4
            else slug
        )

    def _asked_of(self, kind: str) -> Mapping[str, Any]:
        """The policy's clause about this kind of evidence, as it was judged; empty where it asks for none."""
        for clause in self.case.requirements if self.case else ():
            if clause.kind == "evidence" and clause.params.get("kind") == kind:
                return clause.params
        return {}

    def _fairness(self, entry: Entry, result: Mapping[str, Any]) -> Piece:
        metrics = self._asked_of("fairness").get("metrics", ())
        judged = assess(result, metrics)
        least = max([int(result["min_group"]), *(int(row["min_group"]) for row in judged)])
        lead = _(
            "%(rows)s scored rows were counted; selected means that %(outcome)s is %(favourable)s. Intervals are 95 %% "
            "intervals. Rates of groups below %(least)s people are not printed."
        ) % {
            "rows": f"{result['rows']:,}",
            "outcome": result["outcome"],
            "favourable": result["favourable"],
            "least": least,
        }
        return Piece(
            heading=self._heading(_("Fairness"), entry),
            lead=lead,
            facts=self._piece_facts(entry),
            drawings=tuple(
                self._attribute(held, [row for row in judged if row["by"] == held["attribute"]], least)
                for held in result["attributes"]
            ),
            tables=(),
            seq=entry.seq,
        )

    def _attribute(self, held: Mapping[str, Any], judged: Sequence[Mapping[str, Any]], least: int) -> Drawing:
        shown = [group for group in held["groups"] if group["n"] >= least][:MOST_GROUPS]
        label = words.capital(words.topic(held["attribute"]))
        charts: list[Chart] = []
        if shown:
            rates = [
                GroupRate(
                    g["group"],
                    g["selected"],
                    g["n"],
                    low=g["interval"][0],
                    high=g["interval"][1],
                    reference=g["group"] == held["reference"],
                )
                for g in shown
            ]
            charts.append(
                rate_chart(
                    rates, title=_("Selection rate by %(by)s") % {"by": words.topic(held["attribute"])}
                )
            )
        for row in judged:
            chart = self._compared(row)
            if chart is not None:
                charts.append(chart)
        return Drawing(
            heading=label,
            found=tuple(self._metric(row) for row in judged),
            charts=tuple(charts),
            tables=(self._groups(held, least),),
        )

    def _metric(self, row: Mapping[str, Any]) -> Requirement:
        """What one fairness metric came to: the group that decided, its figure, and what the policy asks."""
        least = row["threshold"].get("min")
        asked = (
            _("at least %(value)s is asked") % {"value": words.ratio(least)}
            if least is not None
            else _("at most %(value)s is allowed") % {"value": words.ratio(row["threshold"]["max"])}
        )
        because = {
            "not_counted": _("it was not counted"),
            "undefined": _("a group has nobody to compute it from"),
            "small_group": _("a group has fewer than %(least)s people") % {"least": row["min_group"]},
        }.get(row["reason"], "")
        if not because and row["group"] is None:
            because = _("there is one group only")
        if not because:
            because = _("%(group)s against %(reference)s: %(value)s") % {
                "group": row["group"],
                "reference": row["reference"],
                "value": with_interval(row["value"], row["interval"]),
            }
        return Requirement(
            words.capital(words.topic(row["metric"])),
            row["state"],
            state_word(row["state"]),
            f"{because}; {asked}.",
        )

    def _compared(self, row: Mapping[str, Any]) -> Chart | None:
        rows = [
            Interval(
                label=_("%(group)s against %(reference)s")
                % {"group": g["group"], "reference": g["reference"]},
                value=g["value"],
                low=g["interval"][0] if g["interval"][1] is not None else None,
                high=g["interval"][1],
                state=g["state"],
            )
            for g in row["groups"]
        ]
        if not rows:
            return None
        threshold = row["threshold"].get("min", row["threshold"].get("max"))
        asked = _("at least") if "min" in row["threshold"] else _("at most")
        title_ = words.capital(words.topic(row["metric"]))
        # A ratio is read against 1: the axis reaches beyond it unless an interval needs more room.
        around_one = "min" in row["threshold"] and all((one.high or 0.0) <= RATIO_AXIS for one in rows)
        return interval_chart(
            rows,
            title=title_,
            threshold=threshold,
            threshold_label=asked,
            domain=(0.0, RATIO_AXIS) if around_one else None,
        )

    def _groups(self, held: Mapping[str, Any], least: int) -> Table:
        rows = []
        hidden = 0
        for group in held["groups"][:MOST_GROUPS]:
            if group["n"] < least:
                hidden += 1
                rows.append((group["group"], _("below %(least)s") % {"least": least}, *[words.NOT_SAID] * 4))
                continue
            reference = group["group"] == held["reference"]
            rows.append(
                (
                    group["group"],
                    f"{group['n']:,}",
                    f"{group['selected']:,}",
                    f"{words.share(group['rate'])}  ({words.range_of(group['interval'], lambda n: f'{100 * n:.1f}')})",
                    _("reference") if reference else words.ratio(group.get("ratio")),
                    words.NOT_SAID if reference else words.range_of(group.get("ratio_interval"), words.ratio),
                )
            )
        more = len(held["groups"]) - MOST_GROUPS
        note = " ".join(
            filter(
                None,
                [
                    ngettext("%(n)s small group is suppressed.", "%(n)s small groups are suppressed.", hidden)
                    % {"n": words.capital(words.spelled(hidden))}
                    if hidden
                    else "",
                    _("%(n)s more groups stand in the attached pack.") % {"n": more} if more > 0 else "",
                ],
            )
        )
        return Table(
            caption=_("Groups by %(by)s") % {"by": words.topic(held["attribute"])},
            heads=(
                _("Group"),
                _("People"),
                _("Selected"),
                _("Rate (interval)"),
                _("Ratio"),
                _("Ratio, interval"),
            ),
            rows=tuple(rows),
            widths=(20, 11, 12, 26, 12, 19),
            numbers=frozenset({1, 2, 3, 4, 5}),
            note=note,
        )

    def _explainability(self, entry: Entry, result: Mapping[str, Any]) -> Piece:
        asked = self._asked_of("explainability")
        features = result["features"]
        shown = features[: max(TOP_FEATURES, int(asked.get("top", 0)))]
        least = max(
            [30, *(int(m.get("min_group", 1)) for m in self._asked_of("fairness").get("metrics", ()))]
        )
        lead = ngettext(
            "%(known)s feature carries importance (%(method)s).",
            "%(known)s features carry importance (%(method)s).",
            len(features),
        ) % {"known": words.capital(words.spelled(len(features))), "method": result["method"]}
        if len(shown) < len(features):
            lead += " " + _("The first %(shown)s are shown.") % {"shown": words.spelled(len(shown))}
        if asked:
            lead += " " + _("The policy forbids %(forbid)s among the first %(top)s.") % {
                "forbid": words.series(map(words.topic, asked.get("forbid", ()))) or _("nothing"),
                "top": words.spelled(int(asked.get("top", 0))),
            }
        chart = importance_chart(
            [Bar(one["feature"], 100 * one["share"]) for one in shown],
            title=_("Share of the whole importance"),
        )
        return Piece(
            heading=self._heading(_("Explainability"), entry),
            lead=lead,
            facts=self._piece_facts(entry),
            drawings=(Drawing(heading=_("Features that matter most"), found=(), charts=(chart,), tables=()),),
            tables=tuple(self._subpopulation(one, least) for one in result["subpopulations"]),
            seq=entry.seq,
        )

    def _subpopulation(self, analysis: Mapping[str, Any], least: int) -> Table:
        rows = []
        for one in analysis["modalities"][:MOST_GROUPS]:
            small = one["n"] is not None and one["n"] < least
            people = words.NOT_SAID if one["n"] is None else f"{one['n']:,.0f}"
            rows.append(
                (one["modality"], _("below %(least)s") % {"least": least}, *[words.NOT_SAID] * 3)
                if small
                else (
                    one["modality"],
                    people,
                    words.share(one["positive_rate"]),
                    words.share(one["actual_rate"]),
                    words.NOT_SAID if one["auc"] is None else f"{one['auc']:.3f}",
                )
            )
        return Table(
            caption=_("Performance by %(feature)s") % {"feature": words.topic(analysis["feature"])},
            heads=(_("Group"), _("Rows"), _("Predicted positive"), _("Actually positive"), _("AUC")),
            rows=tuple(rows),
            widths=(32, 14, 20, 20, 14),
            numbers=frozenset({1, 2, 3, 4}),
        )

    def _tests(self, entry: Entry, result: Mapping[str, Any]) -> Piece:
        runs = result["runs"]
        good = sum(run["outcome"] == "SUCCESS" for run in runs)
        return Piece(
            heading=self._heading(_("Tests"), entry),
            lead=_("%(listed)s scenarios are marked as tests; %(ran)s ran, %(good)s of them with success.")
            % {
                "listed": words.capital(words.spelled(len(result["listed"]))),
                "ran": words.spelled(len(runs)),
                "good": words.spelled(good),
            },
            facts=self._piece_facts(entry),
            drawings=(),
            tables=(scenarios(_("Test scenarios"), runs),),
            seq=entry.seq,
        )

    def _standards(self, entry: Entry, result: Mapping[str, Any]) -> Piece:
        table = standards_table(result)
        return Piece(
            heading=self._heading(table["title"], entry),
            lead=_("What the checks of DSS found when the bundle was exported."),
            facts=self._piece_facts(entry),
            drawings=(),
            tables=(
                Table(
                    caption=_("Checks"),
                    heads=(_("Check"), _("Found"), _("It says")),
                    rows=tuple(
                        (row["name"], row["found"], row["said"] or words.NOT_SAID) for row in table["rows"]
                    ),
                    widths=(35, 20, 45),
                    numbers=frozenset(),
                ),
            ),
            seq=entry.seq,
        )

    def _govern(self, entry: Entry, result: Mapping[str, Any]) -> Piece:
        lead = (
            _("Govern could not be asked: %(why)s.") % {"why": str(result["trouble"]).rstrip(".")}
            if result["trouble"]
            else _("What Govern said of the artifact %(name)s.")
            % {"name": result["name"] or result["artifact"]}
        )
        return Piece(
            heading=self._heading(_("Sign-off in Dataiku Govern"), entry),
            lead=lead,
            facts=(
                *(Fact(one["step"], words.topic(str(one["status"])).lower()) for one in result["signoffs"]),
                *self._piece_facts(entry),
            ),
            drawings=(),
            tables=(),
            seq=entry.seq,
        )

    def _external(self, entry: Entry, result: Mapping[str, Any]) -> Piece:
        said = _("It passed.") if result["state"] == "passed" else _("It did not pass.")
        if result["summary"]:
            said += " " + _("It says: “%(text)s”.") % {"text": str(result["summary"]).rstrip(".")}
        facts = self._piece_facts(entry)
        return Piece(
            heading=self._heading(words.capital(words.topic(result["name"])), entry),
            lead=said,
            facts=(Fact(_("Its own report"), result["link"]), *facts) if result["link"] else facts,
            drawings=(),
            tables=(),
            seq=entry.seq,
        )

    def _plain_piece(self, entry: Entry, _result: Mapping[str, Any]) -> Piece:
        return Piece(
            heading=self._heading(words.capital(words.topic(entry.facts["evidence"])), entry),
            lead=_("Its result is in the attached pack."),
            facts=self._piece_facts(entry),
            drawings=(),
            tables=(),
            seq=entry.seq,
        )

    def paper(self, entry: Entry) -> Paper:
        facts = entry.facts
        by = self.name(entry.actor_id) if entry.actor_kind != "system" else _("DSS, asked by the portal")
        made = _("written by %(who)s") if facts["origin"] == "written" else _("generated by %(who)s")
        title, told = (
            ledger.ERASED if facts[fact] is None else facts[fact] for fact in ("title", "sections")
        )
        sections = ", ".join(told.split("\n"))
        return Paper(
            title=title,
            kind=words.capital(words.topic(facts["document"])),
            sections=sections,
            facts=(
                Fact(
                    _("Recorded"),
                    _("%(when)s, %(made)s, row %(row)s")
                    % {"when": words.instant(entry.at), "made": made % {"who": by}, "row": f"{entry.seq:,}"},
                ),
                Fact(_("Sections"), sections or _("none")),
                Fact(_("About the parts"), ", ".join(sorted(facts["parts"]))),
                Fact(_("Content"), words.grouped(facts["content"]), digest=True),
            ),
        )
