"""Operations on rights as people read them: who, what, where, until when, and what is replaced. Reads only.

For the preview of an edit, the page of a change, and the difference between a file and what is in force.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from portal.errors import Refused
from portal.models import Grant, Person, Portfolio, Project, Team
from portal.names import names
from portal.places import Place, place_of
from portal.ways import day, right_word

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Line:
    """One operation. `verb` is gives, changes, revokes, puts, takes, joins or leaves; `was`: what it ends, in words."""

    verb: str
    who: str
    team: bool
    what: str
    where: str
    stage: str
    until: datetime | None
    why: str
    was: str = ""

    @property
    def shape(self) -> str:
        """A shape of its own for each verb."""
        return {"gives": "check", "changes": "half", "puts": "check", "joins": "check"}.get(self.verb, "dash")

    @property
    def tone(self) -> str:
        return {"gives": "met", "puts": "met", "joins": "met", "changes": "doubt"}.get(self.verb, "not")

    @property
    def word(self) -> str:
        return {
            "gives": _("Gives"),
            "changes": _("Changes"),
            "revokes": _("Revokes"),
            "puts": _("Puts in"),
            "takes": _("Takes out"),
            "joins": _("Joins"),
            "leaves": _("Leaves"),
        }[self.verb]

    @property
    def membership(self) -> bool:
        """Whether it is about being in a portfolio or a team, rather than about one right."""
        return self.verb in ("puts", "takes", "joins", "leaves")

    @property
    def sentence(self) -> str:
        """All of it, as one sentence."""
        if self.membership:
            return f"{self.word}: {self.who}, {self.where}"
        who = _("team %(name)s") % {"name": self.who} if self.team else self.who
        stage = _("stage %(stage)s") % {"stage": self.stage} if self.stage else _("every stage")
        said = f"{self.word}: {who}, {self.what}, {self.where}, {stage}"
        if self.verb != "revokes":
            said += ", " + (
                _("until %(until)s") % {"until": self.until.isoformat()} if self.until else _("no end")
            )
        return said + (f" ({self.was})" if self.was else "")


def lines(ops: Sequence[Any]) -> list[Line]:
    """A line for each operation, in their order; a constant number of queries."""
    every = Grant.objects.select_related("person", "team", "project", "portfolio")
    revoked = every.in_bulk([op["grant"] for op in ops if op["op"] == "revoke"])
    ids = [one for one in _values(ops, "person") if _ID.fullmatch(one)]
    people = {str(pk): name for pk, name in Person.objects.filter(pk__in=ids).values_list("pk", "name")}
    teams = dict(Team.objects.filter(slug__in=_values(ops, "team")).values_list("slug", "name"))
    projects = {one.key: one for one in Project.objects.filter(key__in=_values(ops, "project"))}
    portfolios = {one.slug: one for one in Portfolio.objects.filter(slug__in=_values(ops, "portfolio"))}
    standing = _standing(ops, projects, portfolios)

    def line(op: Any) -> Line:
        project = projects.get(op.get("project") or "")
        portfolio = portfolios.get(op.get("portfolio") or "")
        if op["op"] in ("put", "take_out"):
            return Line(
                verb="puts" if op["op"] == "put" else "takes",
                who=project.name if project else str(op.get("project")),
                team=False,
                what=_("with every right granted on the portfolio"),
                where=Place(portfolio=portfolio).name,
                stage="",
                until=None,
                why=op.get("why", ""),
            )
        if op["op"] in ("join", "leave"):
            slug, one = str(op.get("team")), str(op.get("person"))
            return Line(
                verb="joins" if op["op"] == "join" else "leaves",
                who=people.get(one, one),
                team=False,
                what=_("with every right of the team"),
                where=_("team %(name)s") % {"name": teams.get(slug, slug)},
                stage="",
                until=None,
                why=op.get("why", ""),
            )
        if op["op"] == "revoke":
            return _revoking(revoked.get(op["grant"]), op)
        team = op.get("team") or ""
        was = standing.get(_cell(op))
        return Line(
            verb="changes" if was is not None else "gives",
            who=teams.get(team, team) if team else people.get(str(op.get("person")), str(op.get("person"))),
            team=bool(team),
            what=right_word(op["right"], op.get("role", "")),
            where=Place(project, portfolio).name,
            stage=op.get("stage", ""),
            until=parse_datetime(op["until"]) if op.get("until") else None,
            why=op.get("why", ""),
            was="" if was is None else _ended(was),
        )

    return [line(op) for op in ops]


def with_names(said: Sequence[str]) -> list[str]:
    """Sentences that name people by their ids, with their names instead."""
    known = names([one for line in said for one in _ID.findall(line)])
    return [_ID.sub(lambda found: known(found[0]), line) for line in said]


def refusal_of(refusal: Refused, ops: Sequence[Any]) -> str:
    """A refusal of an edit, with the operation that it is about."""
    at = refusal.params.get("at")
    if not isinstance(at, int) or at >= len(ops):
        return refusal.sentence
    return f"{lines([ops[at]])[0].sentence}: {refusal.sentence}"


def _revoking(grant: Grant | None, op: Any) -> Line:
    if grant is None:
        return Line("revokes", "?", False, "?", f"grant {op['grant']}", "", None, op.get("why", ""))
    return Line(
        verb="revokes",
        who=str(grant.person or grant.team),
        team=grant.team is not None,
        what=right_word(grant.right, grant.role),
        where=place_of(grant).name,
        stage=grant.stage,
        until=grant.until,
        why=op.get("why", ""),
        was=_ended(grant),
    )


def _ended(grant: Grant) -> str:
    until = _("until %(day)s") % {"day": day(grant.until)} if grant.until else _("no end")
    return _("was: %(until)s, “%(why)s”") % {"until": until, "why": grant.why}


def _cell(op: Any) -> tuple[str, ...]:
    return (
        str(op.get("person") or ""),
        op.get("team") or "",
        op["right"],
        op.get("role", ""),
        op.get("project") or "",
        op.get("portfolio") or "",
        op.get("stage", ""),
    )


def _standing(
    ops: Sequence[Any], projects: dict[str, Project], portfolios: dict[str, Portfolio]
) -> dict[tuple[str, ...], Grant]:
    """The grants that operations which give would replace."""
    giving = [op for op in ops if op["op"] == "give"]
    if not giving:
        return {}
    found = Grant.objects.in_force(timezone.now()).filter(
        Q(project__in=list(projects.values()))
        | Q(portfolio__in=list(portfolios.values()))
        | Q(project__isnull=True, portfolio__isnull=True),
        right__in={op["right"] for op in giving},
    )
    holders = [one for one in _values(giving, "person") if _ID.fullmatch(one)]
    slugs = {op["team"] for op in giving if op.get("team")}
    found = found.filter(Q(person__in=holders) | Q(team__slug__in=slugs))
    return {
        (
            str(one.person_id or ""),
            one.team.slug if one.team else "",
            one.right,
            one.role,
            one.project.key if one.project else "",
            one.portfolio.slug if one.portfolio else "",
            one.stage,
        ): one
        for one in found.select_related("team", "project", "portfolio")
    }


def _values(ops: Sequence[Any], what: str) -> set[str]:
    return {str(op[what]) for op in ops if op.get(what)}
