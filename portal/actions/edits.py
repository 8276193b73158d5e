"""Edits of rights: several grants and revocations as one change, an event for each.

An edit is a list of operations, JSON values so that it can wait for a second administrator and come from a file:

    {"op": "give", "person": "<uuid>" | "team": "<slug>", "right": "sign", "role": "fairness",
     "project": "<key>" | "portfolio": "<slug>" | neither for the estate, "stage": "", "until": "<ISO 8601>" | null,
     "why": "..."}
    {"op": "revoke", "grant": 7, "why": "..."}
    {"op": "put" | "take_out", "project": "<key>", "portfolio": "<slug>", "why": "..."}
    {"op": "join" | "leave", "person": "<uuid>", "team": "<slug>", "why": "..."}

Giving a right that is held there already replaces it: the old grant is revoked, so `until` and `why` can be edited.
Putting a project into a portfolio hands the portfolio's rights down to it, and joining a team hands on the team's, so
both are changes of rights as well.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, TypeVar
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import ledger, rights
from portal.actions import changes, grants, people, portfolios
from portal.errors import Invalid
from portal.models import Change, Grant, Membership, Person, Portfolio, Project, Right, Team
from portal.models.identity import Source
from portal.queries import looks_over_estate

AT_MOST = 2_000
MEMBERSHIP = ("put", "take_out")
TEAMING = ("join", "leave")


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


def put(*, portfolio: Portfolio, project: Project, why: str) -> Op:
    """The operation that puts a project into a portfolio."""
    return Op(op="put", portfolio=portfolio.slug, project=project.key, why=why.strip())


def take_out(*, portfolio: Portfolio, project: Project, why: str) -> Op:
    """The operation that takes a project out of a portfolio."""
    return Op(op="take_out", portfolio=portfolio.slug, project=project.key, why=why.strip())


def join(*, team: Team, person: Person, why: str) -> Op:
    """The operation that makes a person a member of a team."""
    return Op(op="join", team=team.slug, person=str(person.pk), why=why.strip())


def leave(*, team: Team, person: Person, why: str) -> Op:
    """The operation that ends a membership."""
    return Op(op="leave", team=team.slug, person=str(person.pk), why=why.strip())


def give_right(
    *,
    by: Person,
    right: Right,
    why: str,
    person: Person | None = None,
    team: Team | None = None,
    role: str = "",
    project: Project | None = None,
    portfolio: Portfolio | None = None,
    stage: str = "",
    until: datetime | None = None,
) -> Change:
    """Give one right, or another end to one that is held. Raises as `edit`, and Invalid where it is held just so."""
    grants.check_grantor(by, project, portfolio)
    if (person is None) == (team is None):
        raise Invalid(_("Name a person or a team, one of them."), code="grant_holder", field="holder")
    standing = Grant.objects.in_force(timezone.now()).filter(
        person=person, team=team, right=right, role=role, project=project, portfolio=portfolio, stage=stage
    )
    if standing.filter(until=until).exists():
        raise Invalid(
            _("%(holder)s holds this right there already; revoke it, or choose another end for it.")
            % {"holder": person or team},
            code="grant_duplicate",
            field="holder",
        )
    op = give(
        right=right,
        why=why,
        person=person,
        team=team,
        role=role,
        project=project,
        portfolio=portfolio,
        stage=stage,
        until=until,
    )
    return edit(by=by, ops=[op], why=why, project=project, portfolio=portfolio)


def take_right(*, by: Person, grant: Grant, why: str) -> Change:
    """Revoke one grant. Raises as `edit`, and Invalid where it was revoked already."""
    grants.check_grantor(by, grant.project, grant.portfolio)
    if grant.revoked_at is not None:
        raise Invalid(_("This right was revoked already."), code="revoked_already", field="grant")
    op = take(grant=grant, why=why)
    return edit(by=by, ops=[op], why=why, project=grant.project, portfolio=grant.portfolio)


def put_member(*, by: Person, team: Team, person: Person, why: str) -> Change:
    """Make somebody a member by hand. Raises as `edit`, and Invalid for who is one already, or cannot be."""
    rights.check_estate(by, Right.MANAGE)
    if Membership.objects.filter(team=team, person=person, source=Source.LOCAL).exists():
        raise Invalid(
            _("%(name)s is in %(team)s already.") % {"name": person.name, "team": team.name},
            code="member_already",
            field="login",
        )
    return edit(by=by, ops=[join(team=team, person=person, why=why)], why=why)


def take_member(*, by: Person, team: Team, person: Person, why: str) -> Change:
    """End a membership, whoever gave it. Raises as `edit`, and Invalid for who is none."""
    rights.check_estate(by, Right.MANAGE)
    if not person.groups.filter(pk=team.group_id).exists():
        raise Invalid(
            _("%(name)s is not in %(team)s.") % {"name": person.name, "team": team.name},
            code="member_gone",
            field="login",
        )
    return edit(by=by, ops=[leave(team=team, person=person, why=why)], why=why)


def edit(
    *,
    by: Person,
    ops: Sequence[Op],
    why: str,
    project: Project | None = None,
    portfolio: Portfolio | None = None,
    reviewed: bool = False,
) -> Change:
    """Propose these operations as one change; `project` or `portfolio` say whose administrators find it.

    `reviewed`: they come from a file whose repository somebody else reviews (see `changes.ask`).

    Raises Invalid naming the field and, in `params["at"]`, the position of the operation; Absent/Forbidden for who may
    grant there.
    """
    if not ops:
        raise Invalid(
            _("Nothing would change. Choose what to give or to revoke."), code="edit_empty", field="why"
        )
    _check_once(ops)
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
        reviewed=reviewed,
    )


def rehearse(*, by: Person, ops: Sequence[Op], look: "Callable[[], _Found]") -> "_Found":
    """What `look` finds once these operations are applied; all of it is undone before this returns.

    Raises as `edit`.
    """
    _check_once(ops)
    wish = {"ops": list(ops)}
    RIGHTS.check(by=by, wish=wish)
    found: list[_Found] = []
    try:
        with ledger.business():
            RIGHTS.apply(by=by, asked_by=by, wish=wish, change=Change(pk=0))
            found.append(look())
            raise _Rehearsed
    except _Rehearsed:
        return found[0]


class _Rehearsed(Exception):
    """Everything went well; undo it."""


def _check_once(ops: Sequence[Op]) -> None:
    """Raise Invalid where two operations are about the same right of the same holder at the same place."""
    seen: dict[tuple[Any, ...], int] = {}
    for at, op in enumerate(ops):
        if op["op"] == "revoke":
            key: tuple[Any, ...] = ("revoke", op.get("grant"))
        elif op["op"] in MEMBERSHIP:
            key = ("member", op.get("project"), op.get("portfolio"))
        elif op["op"] in TEAMING:
            key = ("team", op.get("person"), op.get("team"))
        else:
            names = ("person", "team", "right", "role", "project", "portfolio", "stage")
            key = ("give", *(str(op.get(name) or "") for name in names))
        if key in seen:
            raise Invalid(
                _("This is the same as number %(first)s of these changes; name it once.")
                % {"first": seen[key] + 1},
                code="edit_twice",
                field="holder",
                at=at,
            )
        seen[key] = at


class _Rights:
    """What changes of rights mean, for portal.actions.changes."""

    def check(self, *, by: Person, wish: Any) -> None:
        """Whoever may grant everywhere this touches; portfolios and teams are for the estate's administrators."""
        if any(op["op"] in (*MEMBERSHIP, *TEAMING) for op in wish["ops"]):
            rights.check_estate(by, Right.MANAGE)
        known = _Known(wish["ops"])
        if Right.MANAGE.value not in rights.on_estate(by) and known.hidden_from(by):
            raise rights.absent()
        places = known.places()
        known.named_grants()
        for project, portfolio in places:
            grants.check_grantor(by, project, portfolio)

    def basis(self, wish: Any) -> Any:
        """An entry an operation: the ids of the grants in force that it would replace, revoke or hand down.

        Of a project that is put into a portfolio or taken out also whether it is in there; alike of who joins a team.
        """
        known = _Known(wish["ops"])
        return [known.basis(op) for op in wish["ops"]]

    def only_takes(self, wish: Any) -> bool:
        """Whether nobody is given anything: a portfolio or team that carries no grant hands nothing down.

        Unless it is to carry one: whoever applies that would give it to more than they looked at.
        """
        known = _Known(wish["ops"])
        given = [op for op in wish["ops"] if op["op"] not in ("revoke", "take_out", "leave")]
        nothing = all(op["op"] in ("put", "join") and not known.carried(op) for op in given)
        return nothing and not _awaits_grants(given)

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
        if op["op"] in MEMBERSHIP:
            portfolio, project = known.membership(op)
            move = portfolios.put_project if op["op"] == "put" else portfolios.take_project
            move(by=by, portfolio=portfolio, project=project, change=change.pk)
            return
        if op["op"] in TEAMING:
            team, person = known.teaming(op)
            turn = people.join_team if op["op"] == "join" else people.leave_team
            turn(by=by, team=team, person=person, change=change.pk)
            return
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


def _awaits_grants(given: Sequence[Op]) -> bool:
    """Whether a change waits that gives something to a team or portfolio into which these operations put."""
    if not given:
        return False
    teams = {op["team"] for op in given if op.get("team")}
    folios = {op["portfolio"] for op in given if op.get("portfolio")}
    waiting = Change.objects.filter(kind=Change.Kind.RIGHTS, status=Change.Status.WAITING).order_by()
    return any(
        op["op"] == "give" and (op.get("team") in teams or op.get("portfolio") in folios)
        for wish in waiting.values_list("wish", flat=True)
        for op in wish["ops"]
    )


@dataclass(frozen=True, slots=True)
class Touched:
    """What operations are about, by primary keys; `estate`: some are about all of it.

    Of who joins or leaves a team all places are touched at which the team holds something.
    """

    people: frozenset[UUID]
    teams: frozenset[int]
    projects: frozenset[int]
    portfolios: frozenset[int]
    estate: bool


def home(ops: Sequence[Op]) -> dict[str, Any]:
    """Whose administrators find a change of these: those of the one place it is about, else the estate's."""
    if any(op["op"] in TEAMING for op in ops):
        return {}
    about = known(ops)
    if len(about.projects) == 1 and not about.portfolios and not about.estate:
        return {"project": Project.objects.get(pk=next(iter(about.projects)))}
    if len(about.portfolios) == 1 and not about.projects and not about.estate:
        return {"portfolio": Portfolio.objects.get(pk=next(iter(about.portfolios)))}
    return {}


def known(ops: Sequence[Op]) -> Touched:
    """Whom and what these operations are about; raises Invalid for what nobody knows."""
    return _Known(ops).touched()


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
        every = Grant.objects.select_related("person", "team", "project", "portfolio")
        self._named = {one.pk: one for one in every.filter(pk__in=_named(ops, "grant"))}
        now = timezone.now()
        self._grants = {
            pk: one
            for pk, one in self._named.items()
            if one.revoked_at is None and (one.until is None or one.until > now)
        }
        held = live.filter(
            Q(person__in=list(self._people.values())) | Q(team__in=list(self._teams.values())),
            Q(project__in=list(self._projects.values()))
            | Q(portfolio__in=list(self._portfolios.values()))
            | Q(project__isnull=True, portfolio__isnull=True),
        )
        self._held = {_cell(grant): grant for grant in held}
        self._gone: set[int] = set()
        moved = {op["portfolio"] for op in ops if op["op"] in MEMBERSHIP and op.get("portfolio")}
        self._members: set[tuple[str, str]] = set()
        self._carried: dict[str, list[int]] = {}
        if moved:
            self._members = set(
                Portfolio.projects.through.objects.filter(
                    portfolio__slug__in=moved, project__key__in=list(self._projects)
                ).values_list("portfolio__slug", "project__key")
            )
            for slug, pk in (
                live.filter(portfolio__slug__in=moved).order_by("pk").values_list("portfolio__slug", "pk")
            ):
                self._carried.setdefault(slug, []).append(pk)
        joined = {op["team"] for op in ops if op["op"] in TEAMING and op.get("team")}
        self._joined: set[tuple[str, str]] = set()
        self._held_by_team: dict[str, list[Grant]] = {}
        if joined:
            self._joined = {
                (slug, str(pk))
                for slug, pk in Person.groups.through.objects.filter(
                    group__team__slug__in=joined, person__in=list(self._people.values())
                ).values_list("group__team__slug", "person")
            }
            for grant in live.filter(team__slug__in=joined).order_by("pk"):
                assert grant.team is not None
                self._held_by_team.setdefault(grant.team.slug, []).append(grant)

    def membership(self, op: Op) -> tuple[Portfolio, Project]:
        """The portfolio and the project that an operation of membership names."""
        portfolio, project = self.portfolio(op), self.project(op)
        if portfolio is None or project is None:
            raise Invalid(
                _("Name the portfolio and the project."),
                code="membership_incomplete",
                field="project" if project is None else "portfolio",
            )
        return portfolio, project

    def teaming(self, op: Op) -> tuple[Team, Person]:
        """The team and the person of an operation that lets somebody join or leave."""
        team, person = self.team(op), self.person(op)
        if team is None or person is None:
            raise Invalid(
                _("Name the team and the person."),
                code="member_incomplete",
                field="team" if team is None else "person",
            )
        return team, person

    def carried(self, op: Op) -> list[int]:
        """The grants in force that an operation hands down: those on its portfolio, or those of its team."""
        if op["op"] in TEAMING:
            return [grant.pk for grant in self._held_by_team.get(op.get("team", ""), [])]
        return self._carried.get(op.get("portfolio", ""), [])

    def basis(self, op: Op) -> list[Any]:
        """See `_Rights.basis`."""
        if op["op"] in MEMBERSHIP:
            inside = (op.get("portfolio", ""), op.get("project", "")) in self._members
            return [inside, *self.carried(op)]
        if op["op"] in TEAMING:
            inside = (op.get("team", ""), op.get("person", "")) in self._joined
            return [inside, *self.carried(op)]
        return [grant.pk for grant in self.standing(op)]

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
            if op["op"] in MEMBERSHIP:
                self.membership(op)
                continue  # for the estate's administrators, which is asked apart
            if op["op"] in TEAMING:
                self.teaming(op)
                continue
            if op["op"] == "revoke":
                grant = self._named.get(op["grant"])
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

    def hidden_from(self, by: Person) -> bool:
        """Whether these name a project, portfolio or grant that is not there, or of which the person may not know.

        Both are looked for alike, so that neither the answer nor the time it takes tells which it is.
        """
        projects, portfolios = rights.visible_projects(by), rights.visible_portfolios(by)
        keys, slugs = set(_named(self._ops, "project")), set(_named(self._ops, "portfolio"))
        numbers = set(_named(self._ops, "grant"))
        there = Q(project__in=projects.values("pk")) | Q(portfolio__in=portfolios.values("pk"))
        if looks_over_estate(by):
            there |= Q(project__isnull=True, portfolio__isnull=True)
        return (
            set(projects.filter(key__in=keys).values_list("key", flat=True)) != keys
            or set(portfolios.filter(slug__in=slugs).values_list("slug", flat=True)) != slugs
            or set(Grant.objects.filter(there, pk__in=numbers).values_list("pk", flat=True)) != numbers
        )

    def named_grants(self) -> None:
        """Raise Invalid where an operation revokes what never was a grant."""
        for at, op in enumerate(self._ops):
            if op["op"] == "revoke" and op.get("grant") not in self._named:
                raise Invalid(
                    _("There is no grant %(grant)s.") % {"grant": op.get("grant")},
                    code="grant_unknown",
                    field="grant",
                    at=at,
                )

    def touched(self) -> Touched:
        """See `known`; of a membership the holders are those of the portfolio's grants."""
        places: set[tuple[int | None, int | None]] = set()
        handed = {op["portfolio"] for op in self._ops if op["op"] in MEMBERSHIP}
        carried = [pk for slug in handed for pk in self._carried.get(slug, ())]
        handing = Grant.objects.filter(pk__in=carried)
        people = set(handing.filter(person__isnull=False).values_list("person_id", flat=True))
        teams = set(handing.filter(team__isnull=False).values_list("team_id", flat=True))
        for op in self._ops:
            if op["op"] in MEMBERSHIP:
                places.add((self.membership(op)[1].pk, None))
                continue
            if op["op"] in TEAMING:
                joined, joiner = self.teaming(op)
                people.add(joiner.pk)
                held = self._held_by_team.get(joined.slug, [])
                places |= {(grant.project_id, grant.portfolio_id) for grant in held}
                continue
            if op["op"] == "revoke":
                grant = self._named.get(op["grant"])
                if grant is None:
                    continue
                person, team, place = grant.person, grant.team, (grant.project_id, grant.portfolio_id)
            else:
                person, team = self.person(op), self.team(op)
                project, portfolio = self.project(op), self.portfolio(op)
                place = (project.pk if project else None, portfolio.pk if portfolio else None)
            people |= {person.pk} if person else set()
            teams |= {team.pk} if team else set()
            places.add(place)
        return Touched(
            people=frozenset(people),
            teams=frozenset(teams),
            projects=frozenset(project for project, _portfolio in places if project is not None),
            portfolios=frozenset(portfolio for _project, portfolio in places if portfolio is not None),
            estate=(None, None) in places,
        )

    def went(self, grant: Grant) -> None:
        """This grant was revoked by an operation before."""
        self._gone.add(grant.pk)

    def line(self, op: Op) -> str:
        """What an operation does, people by their ids: for the ledger."""
        if op["op"] in MEMBERSHIP:
            verb, into = ("put", "into") if op["op"] == "put" else ("take", "out of")
            return f"{verb} {op.get('project')} {into} portfolio {op.get('portfolio')}"
        if op["op"] in TEAMING:
            verb, into = ("put", "into") if op["op"] == "join" else ("take", "out of")
            return f"{verb} person {op.get('person')} {into} team {op.get('team')}"
        if op["op"] == "revoke":
            grant = self._named.get(op["grant"])
            if grant is None:
                return f"revoke grant {op['grant']}"
            who = f"team {grant.team.slug}" if grant.team else f"person {grant.person_id}"
            role = f" for {grant.role}" if grant.role else ""
            return f"revoke grant {grant.pk}: {who}, {grant.right}{role} on {grants.where(grant)}"
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
