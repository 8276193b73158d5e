"""The evidence and the documents: what was counted and computed, with its charts and the numbers behind them."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance import explainability_charts
from governance.fairness import Table as Table_
from governance.fairness import key_of, name_of, table_of, tables
from governance.fairness_charts import MOST_GROUPS, RATES, compared_chart, kinds_of, rates_chart
from governance.parity import BY_SCORE, assess
from governance.report import words
from governance.report.chain import Chain
from governance.report.values import Drawing, Fact, Paper, Piece, Requirement, Table
from governance.sentences import column_name, group_name, method_name, state_word, with_interval
from governance.standards_words import standards_table
from governance.suppression import by_score, hidden, least_of
from portal import ledger
from portal.charts import importance_chart
from portal.ledger import Entry

TOP_FEATURES = 12
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


MOST_TESTS = 50  # of one report, in print; the whole result is in the pack


def _share(rate: float | None, interval: Sequence[float] | None) -> str:
    """A rate in per cent with its interval; a dash where there is nobody to take it of."""
    if rate is None:
        return words.NOT_SAID
    if interval is None:  # the first shape of results kept none of rates by label
        return words.share(rate)
    return f"{words.share(rate)}  ({words.range_of(interval, lambda n: f'{100 * n:.1f}')})"


def _points(told: Mapping[str, Any]) -> str:
    """How far what happened lies above what was predicted, in points of a hundred."""
    low, high = told["interval"]
    return f"{100 * told['gap']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def score_tables(
    topic: str, groups: Sequence[Mapping[str, Any]], away: Set[tuple[str, ...]], least: int
) -> list[Table]:
    """Each group's predicted share against the share that happened, by score; nothing where that tells of few."""
    rows = [
        (
            name_of(key_of(group)),
            f"{part['from']:.1f} to {part['to']:.1f}",
            f"{part['n']:,}",
            words.share(part["mean_score"]),
            words.share(part["observed"]),
            _points(part),
        )
        for group, parts in zip(groups, by_score(groups, away, least), strict=False)
        for part in parts
    ]
    if not rows:
        return []
    more = len(rows) - MOST_GROUPS
    return [
        Table(
            caption=_("Predicted and what happened by score, by %(by)s") % {"by": topic},
            heads=(
                _("Group"),
                _("Scores"),
                _("Scored"),
                _("Predicted"),
                _("Happened"),
                _("Difference in points (interval)"),
            ),
            rows=tuple(rows[:MOST_GROUPS]),
            widths=(22, 14, 11, 12, 12, 29),
            numbers=frozenset({1, 2, 3, 4, 5}),
            note=_("%(n)s more rows stand in the attached pack.") % {"n": more} if more > 0 else "",
        )
    ]


def _left_out(group: Mapping[str, Any], least: int) -> str:
    """Why a group's figures are not printed."""
    return _("below %(least)s") % {"least": least} if group["n"] < least else _("withheld")


def _ranked(rank: int | None, share: float) -> str:
    return words.NOT_SAID if rank is None else f"{words.share(share)}  ({rank}.)"


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
            "test-report": self._test_report,
            "project": self._project,
        }
        about = drawn.get(entry.facts["evidence"], self._plain_piece)
        return about(entry, result)

    def _piece_facts(self, entry: Entry, source: str = "") -> tuple[Fact, ...]:
        facts = entry.facts
        when = {"when": words.instant(entry.at), "row": f"{entry.seq:,}"}
        recorded = (
            _("%(when)s, row %(row)s") % when
            if entry.actor_kind == "system"
            else _("%(when)s, brought by %(who)s, row %(row)s") % (when | {"who": self.name(entry.actor_id)})
        )
        return (
            Fact(_("Recorded"), recorded),
            Fact(_("Source"), source or words.source(facts["source"])),
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
        judged = assess(result, self._asked_of("fairness").get("metrics", ()), MOST_GROUPS)
        away = hidden(result)
        least = least_of(result)
        lead = _(
            "%(rows)s scored rows were counted; selected means that %(outcome)s is %(favourable)s. Intervals are 95 %% "
            "intervals. Rates of groups below %(least)s people are not printed."
        ) % {
            "rows": f"{result['rows']:,}",
            "outcome": result["outcome"],
            "favourable": result["favourable"],
            "least": least,
        }
        found = tables(result)
        missing = [row for row in judged if table_of(found, row["by"]) is None]
        return Piece(
            heading=self._heading(_("Fairness"), entry),
            lead=lead,
            facts=self._piece_facts(entry),
            drawings=(
                *(
                    self._attribute(
                        table,
                        [row for row in judged if table_of([table], row["by"]) is not None],
                        away.get(table.by, frozenset()),
                        least,
                    )
                    for table in found
                ),
                *(
                    Drawing(
                        heading=words.capital(column_name(row["by"])),
                        found=(self._metric(row),),
                        charts=(),
                        tables=(),
                    )
                    for row in missing
                ),
            ),
            tables=(),
            seq=entry.seq,
        )

    def _attribute(
        self, table: Table_, judged: Sequence[Mapping[str, Any]], away: Set[tuple[str, ...]], least: int
    ) -> Drawing:
        topic = column_name(table.by)
        reference = name_of(table.reference) if table.reference is not None else None
        wanted = {kind for row in judged for kind in kinds_of(row["metric"])}
        charts = [
            rates_chart(
                table,
                kind,
                away,
                _("%(rate)s by %(by)s") % {"rate": words.capital(str(RATES[kind])), "by": topic},
                reference=reference if kind == "selection" else None,
            )
            for kind in RATES
            if kind == "selection" or kind in wanted
        ]
        charts += [compared_chart(row, words.capital(words.topic(row["metric"]))) for row in judged]
        groups = list(table.groups or ())
        printed = [self._groups(table, groups, reference, away, least)]
        if groups and "positives" in groups[0]:
            printed.append(self._labelled(topic, groups, away, least))
        if groups and "calibration" in groups[0]:
            printed.append(self._calibrated(topic, groups, away, least))
            if any(row["metric"] == BY_SCORE for row in judged):
                printed += score_tables(topic, groups, away, least)
        return Drawing(
            heading=words.capital(topic),
            found=tuple(self._metric(row) for row in judged),
            charts=tuple(chart for chart in charts if chart is not None),
            tables=tuple(printed),
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
            "no_label": _("it was not counted, for no label column is named"),
            "no_score": _("it was not counted, for no score column is named"),
            "too_many_groups": _("it was not counted, for there are too many groups"),
            "one_class": _("everybody has the same outcome or the same label"),
            "undefined": _("a group has nobody to compute it from"),
            "small_group": _("a group has fewer than %(least)s people") % {"least": row["min_group"]},
        }.get(row["reason"], "")
        if not because and row["group"] is None:
            because = _("there is one group only")
        if not because and row["reference"] is None:
            because = _("%(group)s: %(value)s") % {
                "group": group_name(row),
                "value": with_interval(row["value"], row["interval"]),
            }
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

    def _groups(
        self,
        table: Table_,
        groups: Sequence[Mapping[str, Any]],
        reference: str | None,
        away: Set[tuple[str, ...]],
        least: int,
    ) -> Table:
        lost = table.reference in away
        rows = []
        for group in groups[:MOST_GROUPS]:
            name = name_of(key_of(group))
            if key_of(group) in away:
                rows.append((name, _left_out(group, least), *[words.NOT_SAID] * 4))
                continue
            stands = name == reference
            rows.append(
                (
                    name,
                    f"{group['n']:,}",
                    f"{group['selected']:,}",
                    _share(group["rate"], group["interval"]),
                    _("reference") if stands else words.NOT_SAID if lost else words.ratio(group.get("ratio")),
                    words.NOT_SAID
                    if stands or lost
                    else words.range_of(group.get("ratio_interval"), words.ratio),
                )
            )
        more = len(groups) - MOST_GROUPS
        small = sum(group["n"] < least for group in groups[:MOST_GROUPS])
        others = sum(key_of(group) in away for group in groups[:MOST_GROUPS]) - small
        note = " ".join(
            filter(
                None,
                [
                    ngettext("%(n)s small group is suppressed.", "%(n)s small groups are suppressed.", small)
                    % {"n": words.capital(words.spelled(small))}
                    if small
                    else "",
                    ngettext(
                        "%(n)s more is, so that nobody can reckon a small one.",
                        "%(n)s more are, so that nobody can reckon a small one.",
                        others,
                    )
                    % {"n": words.capital(words.spelled(others))}
                    if others
                    else "",
                    _("%(n)s more groups stand in the attached pack.") % {"n": more} if more > 0 else "",
                ],
            )
        )
        return Table(
            caption=_("Groups by %(by)s") % {"by": column_name(table.by)},
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

    def _labelled(
        self, topic: str, groups: Sequence[Mapping[str, Any]], away: Set[tuple[str, ...]], least: int
    ) -> Table:
        """Each group by what really happened: whom the model finds, wrongly selects, and how often it is right."""
        rows = []
        for group in groups[:MOST_GROUPS]:
            name = name_of(key_of(group))
            if key_of(group) in away:
                rows.append((name, _left_out(group, least), *[words.NOT_SAID] * 4))
                continue
            rows.append(
                (
                    name,
                    f"{group['positives']:,}",
                    f"{group['negatives']:,}",
                    *(
                        _share(group[kind], group.get(f"{kind}_interval"))
                        for kind in ("tpr", "fpr", "precision")
                    ),
                )
            )
        return Table(
            caption=_("Groups by %(by)s, by what really happened") % {"by": topic},
            heads=(
                _("Group"),
                _("Qualify"),
                _("Do not"),
                _("True positive rate"),
                _("False positive rate"),
                _("Precision"),
            ),
            rows=tuple(rows),
            widths=(18, 11, 11, 20, 20, 20),
            numbers=frozenset({1, 2, 3, 4, 5}),
        )

    def _calibrated(
        self, topic: str, groups: Sequence[Mapping[str, Any]], away: Set[tuple[str, ...]], least: int
    ) -> Table:
        """Each group's predicted share against the share that happened."""
        rows = []
        for group in groups[:MOST_GROUPS]:
            name, held = name_of(key_of(group)), group["calibration"]
            if key_of(group) in away or not held:
                said = _left_out(group, least) if key_of(group) in away else _("nobody")
                rows.append((name, said, *[words.NOT_SAID] * 3))
                continue
            rows.append(
                (
                    name,
                    f"{held['n']:,}",
                    words.share(held["mean_score"]),
                    words.share(held["observed"]),
                    _points(held),
                )
            )
        return Table(
            caption=_("Predicted and what happened, by %(by)s") % {"by": topic},
            heads=(
                _("Group"),
                _("Scored"),
                _("Predicted"),
                _("Happened"),
                _("Difference in points (interval)"),
            ),
            rows=tuple(rows),
            widths=(26, 14, 16, 16, 28),
            numbers=frozenset({1, 2, 3, 4}),
        )

    def _explainability(self, entry: Entry, result: Mapping[str, Any]) -> Piece:
        asked = self._asked_of("explainability")
        features = result["features"]
        shown = features[: max(TOP_FEATURES, int(asked.get("top", 0)))]
        least = explainability_charts.least_people(result, self._asked_of("fairness").get("metrics", ()))
        lead = ngettext(
            "%(known)s feature carries importance (%(method)s).",
            "%(known)s features carry importance (%(method)s).",
            len(features),
        ) % {"known": words.capital(words.spelled(len(features))), "method": method_name(result["method"])}
        if len(shown) < len(features):
            lead += " " + _("The first %(shown)s are shown.") % {"shown": words.spelled(len(shown))}
        if asked:
            lead += " " + _("The policy forbids %(forbid)s among the first %(top)s.") % {
                "forbid": words.series(map(words.topic, asked.get("forbid", ()))) or _("nothing"),
                "top": words.spelled(int(asked.get("top", 0))),
            }
        chart = importance_chart(
            explainability_charts.bars(result, len(shown)), title=_("Share of the whole importance")
        )
        drawings = [
            Drawing(heading=_("Features that matter most"), found=(), charts=(chart,), tables=()),
            *self._proxies(result, asked),
            *self._drift(result, asked),
        ]
        if curves := explainability_charts.curves(result):
            drawings.append(
                Drawing(
                    heading=_("Mean prediction as one feature moves"),
                    found=(),
                    charts=tuple(curves),
                    tables=(),
                )
            )
        return Piece(
            heading=self._heading(_("Explainability"), entry),
            lead=lead,
            facts=self._piece_facts(entry),
            drawings=tuple(drawings),
            tables=tuple(
                self._subpopulation(one) for one in explainability_charts.subpopulations(result, least)
            ),
            seq=entry.seq,
        )

    def _proxies(self, result: Mapping[str, Any], asked: Mapping[str, Any]) -> list[Drawing]:
        part = explainability_charts.proxies_part(result, asked)
        if part is None:
            return []
        table = Table(
            caption=_("How closely features go with sensitive columns (0: not at all, 1: wholly)"),
            heads=(_("Feature"), _("Column"), _("By"), _("95 % interval"), _("Rows")),
            rows=tuple(
                (
                    row["feature"],
                    words.topic(row["of"]),
                    f"{row['value']:.3f}",
                    words.range_of(row["interval"], lambda n: f"{n:.3f}"),
                    words.NOT_SAID if row["n"] is None else f"{row['n']:,}",
                )
                for row in part.rows
            ),
            widths=(32, 22, 12, 20, 14),
            numbers=frozenset({2, 3, 4}),
        )
        return [
            Drawing(
                heading=_("Proxies of sensitive columns"),
                found=(self._found(part),),
                charts=(part.chart,) if part.chart is not None else (),
                tables=(table,) if part.rows else (),
            )
        ]

    def _drift(self, result: Mapping[str, Any], asked: Mapping[str, Any]) -> list[Drawing]:
        """As it was judged: what ran then is in the case."""
        part = explainability_charts.drift_part(result, asked, self.case.live if self.case else None)
        if part is None:
            return []
        rows = tuple(
            (
                row["feature"],
                _ranked(row["rank_there"], row["share_there"]),
                _ranked(row["rank"], row["share"]),
                f"{100 * row['change']:+z.1f}",
            )
            for row in part.rows
        )
        table = Table(
            caption=_("The share of each feature, with its rank"),
            heads=(_("Feature"), _("Ran there"), _("This bundle"), _("Moved by points")),
            rows=rows,
            widths=(40, 22, 22, 16),
            numbers=frozenset({1, 2, 3}),
        )
        return [
            Drawing(
                heading=_("Against what ran there"),
                found=(self._found(part),),
                charts=(),
                tables=(table,) if rows else (),
            )
        ]

    def _found(self, part: explainability_charts.Part) -> Requirement:
        return Requirement("", part.state, state_word(part.state) if part.state else "", part.said)

    def _subpopulation(self, analysis: Mapping[str, Any]) -> Table:
        rows = []
        for one in analysis["modalities"][:MOST_GROUPS]:
            people = words.NOT_SAID if one["n"] is None else f"{one['n']:,.0f}"
            rows.append(
                (
                    one["modality"],
                    _("below %(least)s") % {"least": one["least"]} if "least" in one else _("withheld"),
                    *[words.NOT_SAID] * 3,
                )
                if "left_out" in one
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

    def _test_report(self, entry: Entry, result: Mapping[str, Any]) -> Piece:
        """What a pipeline reported: the counts, and by name what did not pass."""
        runs = result["runs"]
        bad = [run for run in runs if run["outcome"] != "SUCCESS"]
        shown = [
            (run["scenario"], str(run["outcome"]).capitalize(), run.get("message") or words.NOT_SAID)
            for run in bad
        ]
        table = Table(
            caption=_("Tests that did not pass"),
            heads=(_("Test"), _("Outcome"), _("What it says")),
            rows=tuple(shown[:MOST_TESTS]),
            widths=(45, 12, 43),
            numbers=frozenset(),
        )
        return Piece(
            heading=self._heading(_("Test report"), entry),
            lead=_(
                "%(sender)s sent it: %(good)s of the %(listed)s tests that ran passed; skipped: %(skipped)s."
            )
            % {
                "sender": self.name(entry.actor_id),
                "listed": f"{len(runs):,}",
                "good": f"{len(runs) - len(bad):,}",
                "skipped": f"{len(result.get('skipped', ())):,}",
            },
            facts=self._piece_facts(entry),
            drawings=(),
            tables=(table,) if bad else (),
            seq=entry.seq,
        )

    def _project(self, entry: Entry, result: Mapping[str, Any]) -> Piece:
        """What a bundle holds, measured as it was registered."""
        recipes = sorted(
            result["recipes"], key=lambda one: (-(one["complexity"] or 0), -one["lines"], one["recipe"])
        )
        table = Table(
            caption=_("Code recipes, the most branched first"),
            heads=(_("Recipe"), _("Language"), _("Lines"), _("Complexity")),
            rows=tuple(
                (
                    one["recipe"],
                    one["language"],
                    f"{one['lines']:,}",
                    words.NOT_SAID if one["complexity"] is None else str(one["complexity"]),
                )
                for one in recipes[:MOST_TESTS]
            ),
            widths=(50, 20, 15, 15),
            numbers=frozenset({2, 3}),
        )
        names = ", ".join(result["scenarios"][:MOST_TESTS]) or _("none")
        return Piece(
            heading=self._heading(_("Project before packaging"), entry),
            lead=_("It holds %(recipes)s code recipes, and these scenarios: %(names)s.")
            % {"recipes": f"{len(recipes) + int(result.get('more', 0)):,}", "names": names},
            facts=self._piece_facts(entry, _("The bundle itself, measured as it was registered.")),
            drawings=(),
            tables=(table,) if recipes else (),
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
        made = {"written": _("written by %(who)s"), "uploaded": _("uploaded by %(who)s")}.get(
            facts["origin"], _("generated by %(who)s")
        )
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
                *(
                    (Fact(_("Kind of file"), words.kind_of_file(facts["media_type"])),)
                    if facts["origin"] == "uploaded"
                    else ()
                ),
                Fact(_("About the parts"), ", ".join(sorted(facts["parts"]))),
                Fact(_("Content"), words.grouped(facts["content"]), digest=True),
            ),
        )
