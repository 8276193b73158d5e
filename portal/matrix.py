"""The matrix of rights: teams and people by stage and right, each cell with what it is held through. Reads only.

One for each place (the estate, a portfolio, a project) and one for each team, whose rows are the places where it holds
something. A cell of the form is one possible grant: this holder, this right, this stage, given right there.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.models import Delegation, Grant, Person, Pipeline, Right, Team
from portal.models.delegation import running
from portal.models.grant import DELEGABLE, ESTATE_ONLY, IN_USE, codename
from portal.places import EVERYWHERE, Place, stages_of
from portal.projecting import sign_roles
from portal.ways import Way, company, day, last, right_word, told, ways

ROWS = 50
# Django reads at most a thousand fields of a form; each box that is ticked is one.
BOXES = 900
PERSON = re.compile(r"person:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Column:
    """A right, with its role for the right to sign."""

    right: Right
    role: str = ""

    @property
    def name(self) -> str:
        """Its codename."""
        return codename(self.right, self.role)

    @property
    def word(self) -> str:
        """Short, for the head of a column."""
        return right_word(self.right, self.role)

    @property
    def label(self) -> str:
        """In full."""
        return right_word(self.right, self.role) if self.right == Right.SIGN else str(self.right.label)


@dataclass(frozen=True, slots=True)
class Cell:
    """Held or not by a shape and a word; `why` explains it, a line a way.

    `key` names the grant that could stand right here, `grant` is its number where it does; `there`: the stage exists;
    `first`: it begins a stage.
    """

    stage: str
    column: Column
    stage_name: str
    why: tuple[str, ...] = ()
    until: datetime | None = None
    lent: bool = False
    key: str = ""
    grant: int | None = None
    there: bool = True
    ticked: bool = False
    first: bool = False

    @property
    def held(self) -> bool:
        return bool(self.why)

    @property
    def shape(self) -> str:
        """A shape of its own for each state; see portal.templatetags.ui."""
        if not self.held:
            return "ring" if self.there else "dash"
        return "hexagon" if self.lent else ("half" if self.until else "check")

    @property
    def word(self) -> str:
        if not self.held:
            return _("no") if self.there else _("no such stage")
        if self.lent:
            return _("lent until %(day)s") % {"day": day(self.until)} if self.until else _("lent")
        return _("until %(day)s") % {"day": day(self.until)} if self.until else _("yes")

    @property
    def label(self) -> str:
        """What it is about: "Production · promote"."""
        return f"{self.stage_name} · {self.column.word}"


@dataclass(frozen=True, slots=True)
class Row:
    """A holder at a place. `key` is `team:<slug>@<place>` or `person:<uuid>@<place>`."""

    key: str
    name: str
    note: str
    team: Team | None
    person: Person | None
    place: Place
    cells: tuple[Cell, ...] = ()

    @property
    def held(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.held]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A page of rows, under stages (slug, name) and the rights of each."""

    stages: tuple[tuple[str, str], ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    page: Page[Any]
    newest: int = 0
    seen: tuple[int, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Holder:
    """A team or a person by name; of a person also as much as weighs in what they hold."""

    name: str
    team: int | None = None
    person: Person | None = None

    @property
    def order(self) -> tuple[bool, str, str]:
        """Teams first, then people, by name."""
        return self.team is None, self.name.casefold(), str(self.team or (self.person and self.person.pk))


def of_place(
    place: Place,
    *,
    estate: bool,
    number: Any = 1,
    find: str = "",
    members: bool = False,
    editing: bool = False,
    more: Iterable[str] = (),
    ticked: Collection[str] | None = None,
) -> Matrix:
    """Who holds what at a place.

    `estate`: the reader looks over the estate, so what is granted on all of it is shown. `members`: also those who hold
    something only as member of a team or by standing in. `editing`: only who holds something right here, and `more`
    (keys of holders to begin with); `ticked`: the boxes as somebody left them. A constant number of queries.
    """
    now = timezone.now()
    shown = place.own if editing else place.own | place.inherited
    if estate and not editing:
        shown |= EVERYWHERE
    visible = Grant.objects.in_force(now).filter(shown)
    stages = stages_of(place.project)
    if editing or place.project is None:
        stages = [("", _("Every stage")), *stages]
    whole = place.project is None and place.portfolio is None
    columns = columns_for(sign_roles(), (), estate=whole)
    holders = _holders(visible)
    if editing:
        holders = _with(holders, more)
    elif members:
        holders = _with_members(holders, visible, now)
    if find:
        holders = [one for one in holders if find.casefold() in one.name.casefold()]
    size = max(1, min(ROWS, BOXES // (len(stages) * len(columns)))) if editing else ROWS
    page = Paginator(holders, size).get_page(number)
    team_ids = [one.team for one in page if one.team is not None]
    people = [one.person for one in page if one.person is not None]
    among = company(people)
    asked = {person.pk for person in people} | among.everybody
    groups = {group for some in among.groups.values() for group in some}
    reaching = list(
        Grant.objects.in_force(now)
        .filter(place.own | place.inherited | EVERYWHERE)
        .filter(Q(person__in=asked) | Q(team__in=team_ids) | Q(team__group__in=groups))
        .select_related("person", "team", "project", "portfolio", "given_by")
        .order_by("pk")
    )
    teams = {grant.team.pk: grant.team for grant in reaching if grant.team is not None}
    if set(team_ids) - teams.keys():  # somebody just added one that holds nothing yet
        teams |= Team.objects.in_bulk(team_ids)
    known = tuple(columns_for([column.role for column in columns if column.role], reaching, estate=whole))
    by_person = ways(people, [slug for slug, _name in stages], reaching, among)

    def may_show(grant: Grant) -> bool:
        return estate or grant.project_id is not None or grant.portfolio_id is not None

    rows = []
    for one in page:
        team, person = None if one.team is None else teams[one.team], one.person
        held: dict[tuple[str, str], list[Way]] = {}
        for slug, _stage in stages:
            if person is not None:
                for right, some in by_person[person.pk, slug].items():
                    held[slug, right] = [way for way in some if may_show(way.grant)]
            else:
                for grant in reaching:
                    if grant.team_id == one.team and grant.stage in ("", slug) and may_show(grant):
                        held.setdefault((slug, grant.codename), []).append(Way(grant))
        own = {
            (grant.stage, grant.codename): grant.pk
            for grant in reaching
            if (grant.team_id == one.team if person is None else grant.person_id == person.pk)
            and grant.project_id == (place.project and place.project.pk)
            and grant.portfolio_id == (place.portfolio and place.portfolio.pk)
        }
        rows.append(_row(one.name, team, person, place, stages, known, held, own, ticked, whole=True))
    return Matrix(
        tuple(stages),
        known,
        tuple(rows),
        page,
        _newest(place.own) if editing else 0,
        tuple(cell.grant for row in rows for cell in row.cells if cell.grant is not None),
    )


def of_team(
    team: Team,
    *,
    number: Any = 1,
    editing: bool = False,
    more: Iterable[Place] = (),
    ticked: Collection[str] | None = None,
) -> Matrix:
    """Where a team holds what: a row for each place. A constant number of queries."""
    grants = list(
        Grant.objects.in_force(timezone.now())
        .filter(team=team)
        .select_related("project__pipeline", "portfolio", "given_by", "team")
        .order_by("pk")
    )
    places: dict[str, Place] = {}
    for one in (*(Place(grant.project, grant.portfolio) for grant in grants), *more):
        places.setdefault(one.key, one)
    stages: list[tuple[str, str]] = [("", _("Every stage")), *stages_of(None)]
    columns = tuple(columns_for(sign_roles(), grants))
    size = max(1, min(ROWS, BOXES // (len(stages) * len(columns)))) if editing else ROWS
    page = Paginator(sorted(places.values(), key=_place_order), size).get_page(number)
    pipelines = {one.project.pipeline_id for one in page if one.project is not None}
    has: dict[int, set[str]] = defaultdict(set)
    for pipeline, slug in Pipeline.objects.filter(pk__in=pipelines).values_list("pk", "stages__slug"):
        has[pipeline].add(slug)
    rows = []
    for place in page:
        there = [grant for grant in grants if Place(grant.project, grant.portfolio).key == place.key]
        held: dict[tuple[str, str], list[Way]] = defaultdict(list)
        for grant in there:
            for slug, _stage in stages:
                if grant.stage in ("", slug):
                    held[slug, grant.codename].append(Way(grant))
        own = {(grant.stage, grant.codename): grant.pk for grant in there}
        known = None if place.project is None else has[place.project.pipeline_id]
        rows.append(
            _row(place.name, team, None, place, stages, columns, held, own, ticked, stages_there=known)
        )
    return Matrix(
        tuple(stages),
        columns,
        tuple(rows),
        page,
        _newest(Q(team=team)) if editing else 0,
        tuple(cell.grant for row in rows for cell in row.cells if cell.grant is not None),
    )


def columns_for(roles: Iterable[str], grants: Iterable[Grant], *, estate: bool = True) -> list[Column]:
    """The rights in use in their order, the right to sign once for each role that a policy or a grant names.

    Without `estate` those that count on a project.
    """
    named = sorted({*roles, *(grant.role for grant in grants if grant.role)})
    found: list[Column] = []
    for right in Right:
        if right == Right.SIGN:
            found += [Column(right, role) for role in named]
        elif right in IN_USE and (estate or right not in ESTATE_ONLY):
            found.append(Column(right))
    return found


def holder_key(person: Person | None, team: Team | None) -> str:
    """`team:<slug>` or `person:<uuid>`."""
    return f"team:{team.slug}" if team is not None else f"person:{person.pk if person else ''}"


def _row(
    name: str,
    team: Team | None,
    person: Person | None,
    place: Place,
    stages: Sequence[tuple[str, str]],
    columns: Sequence[Column],
    held: Mapping[tuple[str, str], Sequence[Way]],
    own: Mapping[tuple[str, str], int],
    ticked: Collection[str] | None,
    *,
    whole: bool = False,
    stages_there: Collection[str] | None = None,
) -> Row:
    key = f"{holder_key(person, team)}@{place.key}"
    cells = []
    for slug, stage in stages:
        for number, column in enumerate(columns):
            some = held.get((slug, column.name), ())
            cell = f"{key}|{column.right.value}|{column.role}|{slug}"
            grant = own.get((slug, column.name))
            cells.append(
                Cell(
                    stage=slug,
                    column=column,
                    stage_name=stage,
                    why=tuple(told(way, of_team=person is None) for way in some),
                    until=last(some) if some else None,
                    lent=bool(some) and all(way.delegation is not None for way in some),
                    key=cell,
                    grant=grant,
                    there=stages_there is None or not slug or slug in stages_there,
                    ticked=grant is not None if ticked is None else cell in ticked,
                    first=number == 0,
                )
            )
    if not whole:
        note = ""
    elif team is not None:
        note = _("team")
    elif person is not None and not person.is_active:
        note = _("disabled")
    else:
        note = _("service account") if person is not None and person.kind == Person.Kind.SERVICE else ""
    return Row(key, name, note, team, person, place, tuple(cells))


def _holders(visible: Any) -> list[Holder]:
    """Teams, then people, by name; one query."""
    rows = (
        visible.order_by()
        .values_list(
            "team_id", "team__name", "person_id", "person__name", "person__kind", "person__is_active"
        )
        .distinct()
    )
    found = [
        Holder(team_name, team=team)
        if team is not None
        else Holder(name, person=Person(pk=person, name=name, kind=kind, is_active=active))
        for team, team_name, person, name, kind, active in rows
    ]
    return sorted(found, key=lambda one: one.order)


def _with(holders: list[Holder], more: Iterable[str]) -> list[Holder]:
    """The holders to begin with, first: those that somebody just added stand on the first page."""
    keys = list(more)
    slugs = [key.partition(":")[2] for key in keys if key.startswith("team:")]
    ids = [key.partition(":")[2] for key in keys if PERSON.fullmatch(key)]
    added = [Holder(one.name, team=one.pk) for one in Team.objects.filter(slug__in=slugs)] if slugs else []
    if ids:
        added += [Holder(one.name, person=one) for one in Person.objects.filter(pk__in=ids)]
    there = {one.order for one in added}
    return [*added, *(one for one in holders if one.order not in there)]


def _with_members(holders: list[Holder], visible: Any, now: datetime) -> list[Holder]:
    """Also the members of the teams among them and those who stand in for somebody; two queries."""
    able = Person.objects.filter(is_active=True).exclude(kind=Person.Kind.SYSTEM)
    groups = visible.filter(team__isnull=False).values("team__group_id")
    lendable = visible.filter(right__in=DELEGABLE)
    away = Q(person__in=lendable.filter(person__isnull=False).values("person_id")) | Q(
        person__groups__in=lendable.filter(team__isnull=False).values("team__group_id")
    )
    standing_in = Delegation.objects.filter(running(now), away).values("delegate_id")
    more = able.filter(Q(groups__in=groups) | Q(pk__in=standing_in)).distinct()
    known = {one.person.pk for one in holders if one.person is not None}
    added = [Holder(one.name, person=one) for one in more if one.pk not in known]
    return sorted([*holders, *added], key=lambda one: one.order)


def _newest(where: Q) -> int:
    """The number of the newest grant there is at a place: what is given later was not seen yet."""
    found: int | None = Grant.objects.filter(where).order_by("-pk").values_list("pk", flat=True).first()
    return found or 0


def _place_order(place: Place) -> tuple[int, str]:
    return (0 if place.key == "estate" else 1 if place.portfolio is not None else 2), place.name.casefold()
