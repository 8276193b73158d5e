"""The SQL of rights: what people hold, in their own right or lent to them, read in one statement each.

By hand, because what every page and every click asks must cost little more than one indexed query: the ORM takes longer
to put such a union together than the database to answer it. One text for both databases. What counts of the rows is
portal/held.py's and portal/seen.py's.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from portal.models import Person, Right
from portal.models.grant import DELEGABLE, SIGN_PREFIX, codename
from portal.prepared import keeping, padded, raw

# --- the statements: `:name` stands for a value or, in brackets, for as many as there are -----------------------------

# Who counts for whom: everybody for themselves, and those they stand in for now. Somebody disabled lends nothing, a
# service account neither lends nor stands in, and what was lent is not lent on.
_PARTY = """
WITH party (person, holder) AS (
  SELECT id, id FROM portal_person WHERE id IN (:people)
  UNION ALL
  SELECT lent.delegate_id, lent.person_id
    FROM portal_delegation lent JOIN portal_person lender ON lender.id = lent.person_id
   WHERE lent.delegate_id IN (:able) AND lent.starts_at <= :now AND lent.until > :now AND lent.ended_at IS NULL
     AND lender.is_active AND lender.kind = 'person'
)"""

# The unique indexes of live estate grants answer these.
_ON_ESTATE = """
SELECT party.person, party.holder, CAST(NULL AS bigint), held."right", held.role, held.stage
  FROM party JOIN portal_grant held ON held.person_id = party.holder
 WHERE held.project_id IS NULL AND held.portfolio_id IS NULL AND held.revoked_at IS NULL
   AND (held.until IS NULL OR held.until > :now)
UNION ALL
SELECT party.person, party.holder, CAST(NULL AS bigint), held."right", held.role, held.stage
  FROM party JOIN portal_person_groups member ON member.person_id = party.holder
  JOIN portal_team team ON team.group_id = member.group_id JOIN portal_grant held ON held.team_id = team.id
 WHERE held.project_id IS NULL AND held.portfolio_id IS NULL AND held.revoked_at IS NULL
   AND (held.until IS NULL OR held.until > :now)"""

_ON_LANES = """
UNION ALL
SELECT party.person, party.holder, held.content_object_id, named.codename, '', ''
  FROM party JOIN portal_laneuserobjectpermission held ON held.user_id = party.holder
  JOIN auth_permission named ON named.id = held.permission_id
 WHERE held.content_object_id IN (:lanes) AND (held.until IS NULL OR held.until > :now)
UNION ALL
SELECT party.person, party.holder, held.content_object_id, named.codename, '', ''
  FROM party JOIN portal_person_groups member ON member.person_id = party.holder
  JOIN portal_lanegroupobjectpermission held ON held.group_id = member.group_id
  JOIN auth_permission named ON named.id = held.permission_id
 WHERE held.content_object_id IN (:lanes) AND (held.until IS NULL OR held.until > :now)"""

# Every holder at least once, with each of their groups, and estate rights beside whichever of the two holds them.
_WITH_GROUPS = """
SELECT party.holder, CAST(NULL AS bigint), held."right", held.role, held.stage
  FROM party JOIN portal_grant held ON held.person_id = party.holder
 WHERE held.project_id IS NULL AND held.portfolio_id IS NULL AND held.revoked_at IS NULL
   AND (held.until IS NULL OR held.until > :now)
UNION ALL
SELECT party.holder, member.group_id, held."right", held.role, held.stage
  FROM party LEFT JOIN portal_person_groups member ON member.person_id = party.holder
  LEFT JOIN portal_team team ON team.group_id = member.group_id
  LEFT JOIN portal_grant held
    ON held.team_id = team.id AND held.project_id IS NULL AND held.portfolio_id IS NULL AND held.revoked_at IS NULL
   AND (held.until IS NULL OR held.until > :now)"""

# What somebody holds themselves on the estate, and which of some codenames on any lane.
_OVERSEEN = """
SELECT held."right", held.role, held.stage, 0
  FROM portal_grant held
 WHERE held.project_id IS NULL AND held.portfolio_id IS NULL AND held.revoked_at IS NULL
   AND (held.until IS NULL OR held.until > :now)
   AND (held.person_id = :person OR held.team_id IN (
     SELECT team.id FROM portal_team team JOIN portal_person_groups member ON member.group_id = team.group_id
      WHERE member.person_id = :person))
UNION
SELECT named.codename, '', '', 1
  FROM portal_laneuserobjectpermission held JOIN auth_permission named ON named.id = held.permission_id
 WHERE held.user_id = :person AND named.codename IN (:names) AND (held.until IS NULL OR held.until > :now)
UNION
SELECT named.codename, '', '', 1
  FROM portal_person_groups member JOIN portal_lanegroupobjectpermission held ON held.group_id = member.group_id
  JOIN auth_permission named ON named.id = held.permission_id
 WHERE member.person_id = :person AND named.codename IN (:names) AND (held.until IS NULL OR held.until > :now)"""

# Who holds `manage` on every lane of a project, and who on the estate or a portfolio at every stage. It is never lent,
# and service accounts are nobody to ask.
_MANAGERS_OF_PROJECT = """
WITH spot (lane, stage) AS (
  SELECT lane.id, stage.slug FROM portal_lane lane JOIN portal_stage stage ON stage.id = lane.stage_id
   WHERE lane.project_id = :project
), power (person_id, team_id, stage) AS (
  SELECT person_id, team_id, stage FROM portal_grant
   WHERE project_id IS NULL AND portfolio_id IS NULL AND revoked_at IS NULL AND "right" = :manage
     AND (until IS NULL OR until > :now)
), held (person, lane) AS (
  SELECT power.person_id, spot.lane FROM power JOIN spot ON power.stage IN ('', spot.stage)
  UNION
  SELECT member.person_id, spot.lane FROM power JOIN portal_team team ON team.id = power.team_id
    JOIN portal_person_groups member ON member.group_id = team.group_id JOIN spot ON power.stage IN ('', spot.stage)
  UNION
  SELECT there.user_id, spot.lane
    FROM spot JOIN portal_laneuserobjectpermission there ON there.content_object_id = spot.lane
    JOIN auth_permission named ON named.id = there.permission_id
   WHERE named.codename = :manage AND (there.until IS NULL OR there.until > :now)
  UNION
  SELECT member.person_id, spot.lane
    FROM spot JOIN portal_lanegroupobjectpermission there ON there.content_object_id = spot.lane
    JOIN auth_permission named ON named.id = there.permission_id
    JOIN portal_person_groups member ON member.group_id = there.group_id
   WHERE named.codename = :manage AND (there.until IS NULL OR there.until > :now)
)
SELECT who.id, who.name FROM held JOIN portal_person who ON who.id = held.person
 WHERE who.is_active AND who.kind = 'person'
 GROUP BY who.id, who.name HAVING count(*) = (SELECT count(*) FROM spot)"""

_MANAGERS = """
WITH power (person_id, team_id) AS (
  SELECT person_id, team_id FROM portal_grant
   WHERE project_id IS NULL AND (portfolio_id IS NULL OR portfolio_id = :portfolio) AND revoked_at IS NULL
     AND "right" = :manage AND stage = '' AND (until IS NULL OR until > :now)
)
SELECT who.id, who.name FROM portal_person who
 WHERE who.is_active AND who.kind = 'person' AND who.id IN (
   SELECT person_id FROM power WHERE person_id IS NOT NULL
   UNION
   SELECT member.person_id FROM power JOIN portal_team team ON team.id = power.team_id
     JOIN portal_person_groups member ON member.group_id = team.group_id)"""

# The first rows of every single holder, to be merged. Read together, as `user in ... or group in ...`, a database walks
# through all that they hold or through all projects, however few the page shows.
_KEYS_OF_HOLDER = """
SELECT key FROM (
  SELECT DISTINCT project_key AS key FROM {table}
   WHERE {holder} = :holder AND (until IS NULL OR until > :now) {which} {within}
   ORDER BY project_key {order} LIMIT :limit
) AS part"""

_KEYS_OF_STAGES = """
SELECT key FROM (
  SELECT project_key AS key FROM (SELECT key AS project_key, id AS project_id FROM portal_project) AS project
   WHERE EXISTS (SELECT 1 FROM portal_lane lane JOIN portal_stage stage ON stage.id = lane.stage_id
                  WHERE lane.project_id = project.project_id AND stage.slug IN (:stages)) {within}
   ORDER BY project_key {order} LIMIT :limit
) AS part"""

# PostgreSQL plans each part of a long union anew, which takes longer than to answer it; this is one part for all of a
# person's groups. Their estate rights and whether they stand in for anybody come along, for whom it is not enough.
_KEYS_AT_ONCE = """
SELECT held."right", held.stage, NULL FROM portal_grant held
 WHERE held.project_id IS NULL AND held.portfolio_id IS NULL AND held.revoked_at IS NULL
   AND (held.until IS NULL OR held.until > :now)
   AND (held.person_id = :person OR held.team_id = ANY (ARRAY(
     SELECT team.id FROM portal_team team JOIN portal_person_groups member ON member.group_id = team.group_id
      WHERE member.person_id = :person)))
UNION ALL
SELECT '', 'lent', NULL WHERE EXISTS (
  SELECT 1 FROM portal_delegation
   WHERE delegate_id = :person AND starts_at <= :now AND until > :now AND ended_at IS NULL)
UNION ALL
SELECT '', '', key FROM (
  (SELECT DISTINCT project_key AS key FROM portal_laneuserobjectpermission
    WHERE user_id = :person AND (until IS NULL OR until > :now) {which} {within}
    ORDER BY project_key {order} LIMIT :limit)
  UNION
  SELECT firsts.project_key FROM portal_person_groups member CROSS JOIN LATERAL (
    SELECT DISTINCT project_key FROM portal_lanegroupobjectpermission
     WHERE group_id = member.group_id AND (until IS NULL OR until > :now) {which} {within}
     ORDER BY project_key {order} LIMIT :limit) firsts
   WHERE member.person_id = :person
  ORDER BY key {order} LIMIT :limit
) AS page"""

_SIGNING = "SELECT id FROM auth_permission WHERE substr(codename, 1, 5) = :signing"
_NO_SIGNING = f"AND permission_id NOT IN ({_SIGNING})"
_LENDABLE = f"AND permission_id IN ({_SIGNING} OR codename IN (:lendable))"


# --- what counts -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that counts for a person: held by `holder`, on a lane (None: on the estate, `stage` narrowing it)."""

    person: UUID
    holder: UUID
    lane: int | None
    name: str
    stage: str


@dataclass(frozen=True, slots=True)
class Party:
    """A person, or those who lend to them; their groups; their estate rights as (right, role, stage)."""

    people: frozenset[UUID]
    groups: frozenset[int]
    estate: frozenset[tuple[str, str, str]]


def rows_of(people: Collection[Person], lanes: Collection[int], now: datetime) -> list[Row]:
    """What counts for these people on the estate and on these lanes, unweighed, in one query."""
    if not people:
        return []
    found = _read(_PARTY + _ON_ESTATE + (_ON_LANES if lanes else ""), people, now, lanes)
    return [
        # Rows on lanes say the codename itself; grants the right and the role.
        Row(
            _uuid(person),
            _uuid(holder),
            lane,
            codename(Right(what), role) if lane is None else what,
            stage,
        )
        for person, holder, lane, what, role, stage in found
    ]


def parties(person: Person, now: datetime) -> tuple[Party, Party]:
    """The person, and whoever lends to them, each with groups and estate rights; in one query."""
    found: tuple[Any, Any] = ((set(), set(), set()), (set(), set(), set()))
    for holder, group, right, role, stage in _read(_PARTY + _WITH_GROUPS, [person], now):
        people, groups, estate = found[_uuid(holder) != person.pk]
        people.add(_uuid(holder))
        if group is not None:
            groups.add(group)
        if right is not None:
            estate.add((right, role, stage))
    own, lent = (Party(*map(frozenset, some)) for some in found)
    return own, lent


def overseen(person: Person, names: Collection[str], now: datetime) -> list[tuple[str, str, str, int]]:
    """Of their own or their teams': estate rights as (right, role, stage, 0), and (codename, "", "", 1) of these names.

    The latter where they are held on any lane; in one query.
    """
    return _asked(_OVERSEEN, {"person": person.pk, "names": padded(sorted(names)), "now": now})


def managers(project: int | None, portfolio: int | None, now: datetime) -> list[tuple[UUID, str]]:
    """Ids and names of who can grant on a project, on a portfolio, or with neither on the whole estate; one query."""
    given = {"project": project, "portfolio": portfolio, "manage": Right.MANAGE.value, "now": now}
    found = _asked(_MANAGERS if project is None else _MANAGERS_OF_PROJECT, given)
    return [(_uuid(pk), name) for pk, name in found]


# --- lists by key, a window at a time --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Window:
    """So many of a list by key: those after a key, or backwards those before it; without a key from the list's end."""

    limit: int
    edge: str = ""
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """What a window is read with: no rights to sign without `signs`; `only` these projects, by id (None: all)."""

    window: Window
    signs: bool
    only: Collection[int] | None
    now: datetime

    def filled(self, text: str, values: list[Any], which: str, **given: Any) -> str:
        """A text with what narrows it and its values put in."""
        window = self.window
        within = f"AND project_key {'<' if window.backwards else '>'} :edge " if window.edge else ""
        within += "" if self.only is None else "AND project_id IN (:only)"
        text = text.replace("{which}", which).replace("{within}", within).replace("{order}", self.order)
        given |= {"signing": SIGN_PREFIX, "lendable": DELEGABLE}
        given |= {"now": self.now, "limit": window.limit, "edge": window.edge, "only": self.only}
        return _filled(text, given, values)

    @property
    def order(self) -> str:
        return "DESC" if self.window.backwards else "ASC"

    @property
    def own(self) -> str:
        return "" if self.signs else _NO_SIGNING


def keys_at_once(person: Person, listing: Listing) -> tuple[set[tuple[str, str]], bool, list[str]]:
    """Their own estate rights as (right, stage), whether they stand in for anybody, and keys of what they hold rows on.

    In one query, on PostgreSQL only.
    """
    values: list[Any] = []
    text = listing.filled(_KEYS_AT_ONCE, values, listing.own, person=person.pk)
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        found = cursor.fetchall()
    keys = [key for _right, _stage, key in found if key]
    estate = {(right, stage) for right, stage, key in found if right}
    return estate, ("", "lent", None) in found, keys


def keys_in(listing: Listing, own: Party, lent: Party, stages: Collection[str]) -> list[str]:
    """Keys of projects on which a party holds a row, or that have one of these stages; in one query."""
    parts: list[str] = []
    values: list[Any] = []
    for party, which in ((own, listing.own), (lent, _LENDABLE)):
        for table, column, holders in (
            ("portal_laneuserobjectpermission", "user_id", party.people),
            ("portal_lanegroupobjectpermission", "group_id", party.groups),
        ):
            text = _KEYS_OF_HOLDER.replace("{table}", table).replace("{holder}", column)
            parts += [listing.filled(text, values, which, holder=holder) for holder in holders]
    if stages:
        parts.append(listing.filled(_KEYS_OF_STAGES, values, "", stages=stages))
    if not parts:
        return []
    with connection.cursor() as cursor:
        text = f"{' UNION '.join(parts)} ORDER BY key {listing.order} LIMIT %s"
        cursor.execute(text, [*values, listing.window.limit])
        return [key for (key,) in cursor.fetchall()]


# --- asking ----------------------------------------------------------------------------------------------------------


def _read(
    text: str, people: Collection[Person], now: datetime, lanes: Collection[int] = ()
) -> list[tuple[Any, ...]]:
    everybody = padded([person.pk for person in people])
    able = padded([person.pk for person in people if person.kind == Person.Kind.PERSON])
    return _asked(text, {"people": everybody, "able": able, "now": now, "lanes": padded(list(lanes))})


def _asked(text: str, given: dict[str, Any]) -> list[tuple[Any, ...]]:
    """All rows of a statement that is asked again and again, always in one of a few lengths."""
    values: list[Any] = []
    with keeping(connection) as cursor:
        cursor.execute(_filled(text, given, values), values)
        return list(cursor.fetchall())


def _filled(text: str, given: dict[str, Any], values: list[Any]) -> str:
    """The text with a placeholder for each value, in whose order `values` grows; nothing to choose from is NULL."""

    def mark(name: re.Match[str]) -> str:
        value = given[name[1]]
        if isinstance(value, str) or not isinstance(value, Collection):
            values.append(raw(value, connection))
            return "%s"
        values.extend(raw(one, connection) for one in value)
        return ", ".join(["%s"] * len(value)) or "NULL"

    return re.sub(r":(\w+)", mark, text)


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)
