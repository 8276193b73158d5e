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

_MEMBERS = """
UNION ALL
SELECT party.person, party.holder, CAST(NULL AS bigint), '', '', '' FROM party
UNION ALL
SELECT party.person, party.holder, CAST(member.group_id AS bigint), '', '', ''
  FROM party JOIN portal_person_groups member ON member.person_id = party.holder"""

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
    found = _read(
        [(_PARTY + _ON_ESTATE + (_ON_LANES if lanes else ""), {**_asked(people, now), "lanes": lanes})]
    )
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
    for _person, holder, group, right, role, stage in _read(
        [(_PARTY + _ON_ESTATE + _MEMBERS, _asked([person], now))]
    ):
        people, groups, estate = found[_uuid(holder) != person.pk]
        if right:
            estate.add((right, role, stage))
        elif group is not None:
            groups.add(group)
        else:
            people.add(_uuid(holder))
    own, lent = (Party(*map(frozenset, some)) for some in found)
    return own, lent


# --- lists by key, a window at a time --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Window:
    """So many of a list by key: the first after a key, the last before one (backwards), or from the start."""

    limit: int
    after: str = ""
    before: str = ""


def keys_in(
    window: Window,
    own: Party,
    lent: Party,
    *,
    signs: bool,
    stages: Collection[str],
    only: Collection[int] | None,
    now: datetime,
) -> list[str]:
    """Keys in the window of projects on which a party holds a row, or that have one of these stages; in one query.

    Without `signs` rights to sign are left out; `only` are the projects to keep to, by id.
    """
    within = ""
    if window.before:
        within += "AND project_key < :edge "
    elif window.after:
        within += "AND project_key > :edge "
    if only is not None:
        within += "AND project_id IN (:only)"
    order = "DESC" if window.before else "ASC"
    given = {
        "now": now,
        "limit": window.limit,
        "edge": window.before or window.after,
        "only": only,
        "signing": SIGN_PREFIX,
        "lendable": DELEGABLE,
        "stages": stages,
    }
    parts = []
    for party, which in ((own, "" if signs else _NO_SIGNING), (lent, _LENDABLE)):
        for table, column, holders in (
            ("portal_laneuserobjectpermission", "user_id", party.people),
            ("portal_lanegroupobjectpermission", "group_id", party.groups),
        ):
            text = _KEYS_OF_HOLDER.format(table=table, holder=column, which=which, within=within, order=order)
            parts += [(text, {**given, "holder": holder}) for holder in holders]
    if stages:
        parts.append((_KEYS_OF_STAGES.format(within=within, order=order), given))
    if not parts:
        return []
    return [key for (key,) in _read(parts, f"ORDER BY key {order} LIMIT :limit", given)]


# --- asking ----------------------------------------------------------------------------------------------------------


def _asked(people: Collection[Person], now: datetime) -> dict[str, Any]:
    able = [person.pk for person in people if person.kind == Person.Kind.PERSON]
    return {"people": [person.pk for person in people], "able": able, "now": now}


def _read(
    parts: Collection[tuple[str, dict[str, Any]]], end: str = "", given: dict[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """The rows of the union of these statements, each with its own values."""
    values: list[Any] = []
    text = " UNION ".join(_filled(part, some, values) for part, some in parts)
    if end:
        text += " " + _filled(end, given or {}, values)
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def _filled(text: str, given: dict[str, Any], values: list[Any]) -> str:
    """The text with a placeholder for each value, in whose order `values` grows; nothing to choose from is NULL."""

    def mark(name: re.Match[str]) -> str:
        value = given[name[1]]
        if isinstance(value, str) or not isinstance(value, Collection):
            values.append(_raw(value))
            return "%s"
        values.extend(map(_raw, value))
        return ", ".join(["%s"] * len(value)) or "NULL"

    return re.sub(r":(\w+)", mark, text)


def _raw(value: Any) -> Any:
    """A value as this database's driver takes it."""
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return str(value) if isinstance(value, Right) else value


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)
