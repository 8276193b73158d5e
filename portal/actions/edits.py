"""Edits of rights: several grants and revocations as one change, an event for each.

An edit is a list of operations, JSON values so that it can wait for a second administrator and come from a file:

    {"op": "give", "person": "<uuid>" | "team": "<slug>", "right": "sign", "role": "fairness",
     "project": "<key>" | "portfolio": "<slug>" | neither for the estate, "stage": "", "until": "<ISO 8601>" | null,
     "why": "..."}
    {"op": "revoke", "grant": 7, "why": "..."}

Giving a right that is held there already replaces it: the old grant is revoked, so `until` and `why` can be edited.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, TypeVar
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import ledger
from portal.actions import changes, grants
from portal.errors import Invalid
from portal.models import Change, Grant, Person, Portfolio, Project, Right, Team

AT_MOST = 2_000


class Op(TypedDict, total=False):
    """One operation, as above; `op` says which."""

    op: str
    person: str
    team: str
    right: str
    role: str
    project: str
    portfolio: str
    stage: str
    until: str | None
    grant: int
    why: str


def give(
    *,
    right: Right,
    why: str,
    person: Person | None = None,
    team: Team | None = None,
    role: str = "",
    project: Project | None = None,
    portfolio: Portfolio | None = None,
    stage: str = "",
    until: datetime | None = None,
) -> Op:
    """The operation that gives a right."""
    op = Op(
        op="give",
        right=right.value,
        role=role,
        stage=stage,
        until=until.isoformat() if until else None,
        why=why.strip(),
    )
    if person is not None:
        op["person"] = str(person.pk)
    if team is not None:
        op["team"] = team.slug
    if project is not None:
        op["project"] = project.key
    if portfolio is not None:
        op["portfolio"] = portfolio.slug
    return op


def take(*, grant: Grant, why: str) -> Op:
    """The operation that revokes a grant."""
    return Op(op="revoke", grant=grant.pk, why=why.strip())


def edit(
    *,
    by: Person,
    ops: Sequence[Op],
    why: str,
    project: Project | None = None,
    portfolio: Portfolio | None = None,
) -> Change:
    """Propose these operations as one change; `project` or `portfolio` say whose administrators find it.

    Raises Invalid naming the field and, in `params["at"]`, the position of the operation; Absent/Forbidden for who may
    grant there.
    """
    if not ops:
        raise Invalid(
            _("Nothing would change. Choose what to give or to revoke."), code="edit_empty", field="why"
        )
    if len(ops) > AT_MOST:
        raise Invalid(
            _("These are %(count)s changes; make at most %(most)s at once.")
            % {"count": len(ops), "most": AT_MOST},
            code="edit_long",
            field="why",
        )
    return changes.ask(
        by=by,
        kind=Change.Kind.RIGHTS,
        wish={"ops": list(ops)},
        why=why,
        project=project,
        portfolio=portfolio,
    )


class _Rights:
    """What changes of rights mean, for portal.actions.changes."""

    def check(self, *, by: Person, wish: Any) -> None:
        """Whoever may grant everywhere this touches."""
        for project, portfolio in _Known(wish["ops"]).places():
            grants.check_grantor(by, project, portfolio)

    def basis(self, wish: Any) -> Any:
        """The grants in force that these operations would replace or revoke, by their ids, an entry an operation."""
        known = _Known(wish["ops"])
        return [[grant.pk for grant in known.standing(op)] for op in wish["ops"]]

    def only_takes(self, wish: Any) -> bool:
        return all(op["op"] == "revoke" for op in wish["ops"])

    def facts(self, wish: Any) -> list[str]:
        """A line an operation; holders by their ids, as the ledger keeps people."""
        known = _Known(wish["ops"])
        return [known.line(op) for op in wish["ops"]]

    def apply(self, *, by: Person, asked_by: Person, wish: Any, change: Change) -> None:
        """Revoke and give, in order; the proposer is who gives, the event says who applied it."""
        known = _Known(wish["ops"])
        with ledger.business():
            for at, op in enumerate(wish["ops"]):
                try:
                    self._apply(by, asked_by, op, known, change)
                except Invalid as refusal:
                    refusal.params["at"] = at
                    raise

    def _apply(self, by: Person, asked_by: Person, op: Op, known: "_Known", change: Change) -> None:
        standing = known.standing(op)
        if op["op"] == "revoke" and not standing:
            raise Invalid(
                _("Grant %(grant)s is not in force any more.") % {"grant": op["grant"]},
                code="revoked_already",
                field="grant",
            )
        for grant in standing:
            grants.revoke(by=by, grant=grant, why=op["why"], change=change)
            known.went(grant)
        if op["op"] == "revoke":
            return
        grants.grant(
            by=by,
            right=_right(op),
            why=op["why"],
            person=known.person(op),
            team=known.team(op),
            role=op.get("role", ""),
            project=known.project(op),
            portfolio=known.portfolio(op),
            stage=op.get("stage", ""),
            until=_until(op),
            change=change,
            given_by=asked_by,
        )


RIGHTS: changes.Kind = _Rights()


class _Known:
    """What operations name, read once: a constant number of queries, however many operations."""

    def __init__(self, ops: Sequence[Op]) -> None:
        self._ops = ops
        self._people = {str(one.pk): one for one in Person.objects.filter(pk__in=_named(ops, "person"))}
        self._teams = {one.slug: one for one in Team.objects.filter(slug__in=_named(ops, "team"))}
        projects = Project.objects.filter(key__in=_named(ops, "project")).select_related("pipeline")
        self._projects = {one.key: one for one in projects}
        portfolios = Portfolio.objects.filter(slug__in=_named(ops, "portfolio"))
        self._portfolios = {one.slug: one for one in portfolios}
        live = Grant.objects.in_force(timezone.now()).select_related("person", "team", "project", "portfolio")
        self._grants = {one.pk: one for one in live.filter(pk__in=_named(ops, "grant"))}
        held = live.filter(
            Q(person__in=list(self._people.values())) | Q(team__in=list(self._teams.values())),
            Q(project__in=list(self._projects.values()))
            | Q(portfolio__in=list(self._portfolios.values()))
            | Q(project__isnull=True, portfolio__isnull=True),
        )
        self._held = {_cell(grant): grant for grant in held}
        self._gone: set[int] = set()

    def person(self, op: Op) -> Person | None:
        """The person an operation names; raises Invalid for somebody unknown, as the next three do."""
        return _find(self._people, op.get("person"), "holder", _("Nobody here has the id “%(name)s”."))

    def team(self, op: Op) -> Team | None:
        return _find(self._teams, op.get("team"), "holder", _("There is no team “%(name)s”."))

    def project(self, op: Op) -> Project | None:
        return _find(self._projects, op.get("project"), "project", _("There is no project “%(name)s”."))

    def portfolio(self, op: Op) -> Portfolio | None:
        return _find(
            self._portfolios, op.get("portfolio"), "portfolio", _("There is no portfolio “%(name)s”.")
        )

    def places(self) -> list[tuple[Project | None, Portfolio | None]]:
        """Everywhere these operations reach, each once; (None, None) is the estate."""
        found: dict[tuple[int | None, int | None], tuple[Project | None, Portfolio | None]] = {}
        for op in self._ops:
            if op["op"] == "revoke":
                grant = self._grants.get(op["grant"])
                if grant is None:
                    continue  # applying it says so; there is nothing to be allowed
                place = (grant.project, grant.portfolio)
            else:
                place = (self.project(op), self.portfolio(op))
            project, portfolio = place
            found[project.pk if project else None, portfolio.pk if portfolio else None] = place
        return list(found.values()) or [(None, None)]

    def standing(self, op: Op) -> list[Grant]:
        """The grants in force that an operation revokes or replaces; none once `went` was told of them."""
        if op["op"] == "revoke":
            grant = self._grants.get(op["grant"])
        else:
            person, team = self.person(op), self.team(op)
            project, portfolio = self.project(op), self.portfolio(op)
            grant = self._held.get(
                (
                    person and person.pk,
                    team and team.pk,
                    op["right"],
                    op.get("role", ""),
                    project and project.pk,
                    portfolio and portfolio.pk,
                    op.get("stage", ""),
                )
            )
        return [grant] if grant is not None and grant.pk not in self._gone else []

    def went(self, grant: Grant) -> None:
        """This grant was revoked by an operation before."""
        self._gone.add(grant.pk)

    def line(self, op: Op) -> str:
        """What an operation does, people by their ids: for the ledger."""
        if op["op"] == "revoke":
            return f"revoke grant {op['grant']}"
        role = f" for {op['role']}" if op.get("role") else ""
        place = op.get("project") or (
            f"portfolio {op['portfolio']}" if op.get("portfolio") else grants.ESTATE
        )
        stage = f" · {op['stage']}" if op.get("stage") else ""
        until = f" until {op['until']}" if op.get("until") else ""
        who = f"team {op['team']}" if op.get("team") else f"person {op.get('person')}"
        return f"give {who} the right to {op['right']}{role} on {place}{stage}{until}"


_Found = TypeVar("_Found")


def _find(known: Mapping[str, _Found], name: str | None, field: str, sentence: str) -> _Found | None:
    if not name:
        return None
    if name not in known:
        raise Invalid(sentence % {"name": name}, code=f"{field}_unknown", field=field)
    return known[name]


def _named(ops: Sequence[Op], what: str) -> list[Any]:
    """Whatever operations name under a key; ids of people that are none are left for `_find` to refuse."""
    found = {op[what] for op in ops if op.get(what)}  # type: ignore[literal-required]
    return [one for one in found if what != "person" or _is_uuid(str(one))]


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _cell(grant: Grant) -> tuple[Any, ...]:
    """Who, what and where of a grant: no two in force share it."""
    return (
        grant.person_id,
        grant.team_id,
        grant.right,
        grant.role,
        grant.project_id,
        grant.portfolio_id,
        grant.stage,
    )


def _right(op: Op) -> Right:
    try:
        return Right(op["right"])
    except (KeyError, ValueError):
        raise Invalid(
            _("“%(right)s” is no right; rights are: %(known)s.")
            % {"right": op.get("right", ""), "known": ", ".join(Right.values)},
            code="right_unknown",
            field="right",
        ) from None


def _until(op: Op) -> datetime | None:
    text = op.get("until")
    if not text:
        return None
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        until = None
    if until is None or until.tzinfo is None:
        raise Invalid(
            _("“%(until)s” is no time with a zone; write it like 2027-03-31T18:00:00+02:00.")
            % {"until": text},
            code="until_invalid",
            field="until",
        )
    return until
