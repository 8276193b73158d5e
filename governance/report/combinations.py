"""The report of who could take a project through a stage alone or with one colleague, and of risky rights."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.combination_words import RULES, ending_in_words
from governance.combinations import Rule
from governance.report import words
from governance.report.collect import Gathered, below, contents_of
from governance.report.rights import IN_FULL, Rights, gather
from governance.report.values import Block, Fact, Figure, RightsReport, Section, Table
from portal.event_kinds import EventKind
from portal.models import Checkpoint

K = EventKind
Value = Mapping[str, Any]


def collect(*, about: str, project: str, checkpoint: Checkpoint, asked: str) -> Gathered:
    """What was found for this report, under the checkpoint, and how the grants it names were given."""
    found = below(checkpoint.size, subject=asked, kinds=[K.COMBINATIONS_FOUND])
    numbers = {
        number
        for held in contents_of([facts["content"] for _row, facts in found]).values()
        if held.body is not None
        for one in json.loads(held.body)["found"]
        for number in one["grants"]
    }
    return gather(
        about=about,
        project=project,
        checkpoint=checkpoint,
        subjects=[asked],
        grants=sorted(f"grant:{number}" for number in numbers) if len(numbers) <= IN_FULL else (),
        query={"report": asked},
    )


def compose(gathered: Gathered) -> RightsReport:
    """The report of what was gathered."""
    return _Combinations(gathered).whole()


class _Combinations(Rights):
    def __init__(self, gathered: Gathered) -> None:
        super().__init__(gathered)
        self.event = gathered.of(K.COMBINATIONS_FOUND)[0]
        self.value: Value = gathered.json(self.event.facts["content"])
        self.scope = str(self.event.facts["scope"])

    def whole(self) -> RightsReport:
        return self.report(
            about=_("Combinations of rights: %(scope)s") % {"scope": self.scope},
            kicker=_("Report of toxic combinations"),
            headline=self.headline(),
            lead=self.lead(),
            figures=self.figures(),
            sections=[*map(self.project, self.value["found"]), self.rules()],
        )

    def headline(self) -> str:
        facts = self.event.facts
        if facts["alone"]:
            return ngettext(
                "One person could take a project through a stage alone",
                "In %(n)s cases one person could take a project through a stage alone",
                facts["alone"],
            ) % {"n": f"{facts['alone']:,}"}
        if facts["pairs"]:
            return ngettext(
                "Nobody could act alone; one pair could act together",
                "Nobody could act alone; %(n)s pairs could act together",
                facts["pairs"],
            ) % {"n": f"{facts['pairs']:,}"}
        return _("Nobody could take a project through a stage alone or with one colleague")

    def lead(self) -> str:
        return _(
            "Worked out on %(when)s from the rights held then on %(scope)s, for each stage with its policy in force:"
            " who could make a bundle, bring evidence, ask, sign and start with nobody else. Service accounts and"
            " disabled accounts are left out."
        ) % {"when": words.instant(words.moment(self.value["at"])), "scope": self.scope}

    def figures(self) -> list[Figure]:
        facts = self.event.facts
        return [
            Figure(f"{facts['alone']:,}", _("alone, by person and stage")),
            Figure(f"{facts['pairs']:,}", _("pairs, by stage")),
            Figure(f"{facts['risks']:,}", _("risky combinations in one hand")),
            Figure(f"{facts['projects']:,}", _("projects looked at")),
        ]

    def project(self, one: Value) -> Section:
        blocks: list[Block] = []
        tables: list[Table] = []
        for stage in one["stages"]:
            blocks += [
                Block(
                    _("%(stage)s: %(who)s, alone") % {"stage": stage["stage"], "who": self.people(told)},
                    stage["asks"],
                    self.facts(told),
                )
                for told in stage["alone"]
            ]
            if stage["pairs"]:
                tables.append(
                    Table(
                        caption=_("%(stage)s: pairs") % {"stage": stage["stage"]},
                        heads=(_("Who"), _("How"), _("What ends it")),
                        rows=tuple(
                            (self.people(told), self.how(told), self.ending(told)) for told in stage["pairs"]
                        ),
                        widths=(24, 42, 34),
                        note=_more(stage["more_pairs"]),
                    )
                )
            if stage["more_alone"]:
                blocks.append(Block(stage["stage"], _more(stage["more_alone"]), ()))
        if one["risks"]:
            tables.append(
                Table(
                    caption=_("Risky in one hand"),
                    heads=(_("Who"), _("Stage"), _("What"), _("Rights"), _("Grants")),
                    rows=tuple(
                        (
                            self.name(risk["person"]),
                            risk["stage"],
                            str(RULES[Rule(risk["rule"])][0]),
                            risk["rights"],
                            ", ".join(map(str, risk["grants"])),
                        )
                        for risk in one["risks"]
                    ),
                    widths=(20, 14, 24, 28, 14),
                    note=_more(one["more_risks"]),
                )
            )
        if one["grants"]:
            tables.append(
                Table(
                    caption=_("The grants named here"),
                    heads=(_("No."), _("Who"), _("May"), _("Where"), _("Since")),
                    rows=tuple(
                        (number, self.holder(grant), self.right(grant), grant["where"], self.since(grant))
                        for number, grant in sorted(one["grants"].items(), key=lambda item: int(item[0]))
                    ),
                    widths=(7, 24, 21, 18, 30),
                    numbers=frozenset({0}),
                )
            )
        lead = _("Tier %(tier)s; policies: %(policies)s.") % {
            "tier": one["tier"],
            "policies": "; ".join(f"{stage}: {policy}" for stage, policy in one["policies"].items())
            or _("none"),
        }
        if not blocks and not tables:
            lead += " " + _("Nothing was found.")
        heading = f"{one['name']} ({one['project']})"
        return Section(heading, lead=lead, blocks=tuple(blocks), tables=tuple(tables))

    def people(self, told: Value) -> str:
        return _(" with ").join(self.name(person) for person in told["people"])

    def how(self, told: Value) -> str:
        return "; ".join(f"{self.name(doing['person'])} {doing['what']}" for doing in told["doing"])

    def facts(self, told: Value) -> tuple[Fact, ...]:
        """What they would do and through which grants, and what ends it."""
        return (
            *(
                Fact(doing["what"][:1].upper() + doing["what"][1:], _("through %(grants)s") % {
                    "grants": self.grants(doing["grants"]),
                })
                for doing in told["doing"]
            ),
            Fact(_("What ends it"), self.ending(told)),
        )  # fmt: skip

    def grants(self, numbers: Sequence[int]) -> str:
        listed = ", ".join(map(str, numbers))
        return ngettext("grant %(numbers)s", "grants %(numbers)s", len(numbers)) % {"numbers": listed}

    def ending(self, told: Value) -> str:
        ending = told["ending"]
        if ending is None:
            return words.NOT_SAID
        # The first shape of this record names one person, and no teams.
        names = [self.name(person) for person in ending.get("people") or [ending["person"]]]
        return ending_in_words(
            names, ending["right"], ending["stage"], ending["grants"], ending.get("teams", ())
        )

    def rules(self) -> Section:
        more = self.value["more"]
        lead = ngettext(
            "%(n)s more project has findings; it is on the page.",
            "%(n)s more projects have findings; they are on the pages.",
            more,
        ) % {"n": more}
        return Section(
            _("What counts as risky"),
            lead=lead if more else "",
            facts=tuple(Fact(str(title), str(remedy)) for title, remedy in RULES.values()),
        )


def _more(count: int) -> str:
    return (
        ngettext("%(n)s more is not named here.", "%(n)s more are not named here.", count)
        % {"n": f"{count:,}"}
        if count
        else ""
    )
