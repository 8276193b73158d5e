"""Rights as files: one file states the rights given at one place wholly, as YAML or CSV, to be kept in a repository.

Reading names every mistake with its line, its column and what to do; writing is sorted and stable, so that what is
exported and applied again changes nothing. What a file does not list is revoked. Not in charge of applying: the
operations found here go through portal/actions/edits.py like any other.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, cast

import yaml
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from yaml.composer import ComposerError
from yaml.error import Mark
from yaml.events import AliasEvent, Event, NodeEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from portal.actions import edits, grants
from portal.actions.edits import Op
from portal.errors import Invalid
from portal.models import Grant, Person, Portfolio, Project, Right, Team
from portal.models.person import spelled
from portal.places import Place
from portal.texts import unseen, writable

MAX_BYTES = 1024 * 1024
MAX_PROBLEMS = 50
HOLDER = ("team", "person")
GRANT_KEYS = ("team", "person", "right", "role", "stage", "until", "why")
KEYS = ("scope", "projects", "grants")
COLUMNS = ("scope", *GRANT_KEYS)
# What a spreadsheet would work out instead of showing it. An apostrophe before it says that it is a text; one that
# stands there already gets another, so that what is read is what was written.
FORMULA = re.compile("'*[=+\\-@]")
ORDER = {right: position for position, right in enumerate(Right.values)}
Format = Literal["yaml", "csv"]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with a file; lines and columns count from 1 (of a CSV file the column is that of the table)."""

    line: int
    column: int
    message: str
    remedy: str

    def __post_init__(self) -> None:
        for name in ("message", "remedy"):
            object.__setattr__(self, name, writable(getattr(self, name)))

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.message} {self.remedy}"


class FileError(Invalid):
    """A file that cannot be used; `problems` holds every one found, in the order of the text."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems))[:MAX_PROBLEMS]
        first = self.problems[0]
        more = " " + _("And %(count)s more.") % {"count": len(problems) - 1} if len(self.problems) > 1 else ""
        super().__init__(
            _("The file cannot be used. Line %(line)s, column %(column)s: %(said)s")
            % {"line": first.line, "column": first.column, "said": f"{first.message} {first.remedy}{more}"},
            code="rights_file_invalid",
            field="text",
            problems=[str(one) for one in self.problems],
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One grant as a file states it, as texts; `spots` are line and column by key."""

    said: Mapping[str, str]
    spots: Mapping[str, tuple[int, int]]

    def at(self, key: str) -> tuple[int, int]:
        """Where a key stands; where it is missing, the entry itself."""
        return self.spots.get(key) or self.spots[""]


@dataclass(frozen=True, slots=True)
class Stated:
    """What a file says of one place; `projects` of a portfolio, None where it does not say."""

    scope: str
    spot: tuple[int, int]
    entries: list[Entry] = field(default_factory=list)
    projects: list[tuple[str, tuple[int, int]]] | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that can be used: what it states of a place, and the operations that make it so."""

    place: Place
    ops: list[Op]


# --- writing ----------------------------------------------------------------------------------------------------------


def written(place: Place, form: Format = "yaml", *, estate: bool = False) -> str:
    """The rights given at a place, as a file: sorted, and equal for equal rights.

    `estate`: for whoever looks over it. Nobody else is told which projects a portfolio holds, nor changes that.
    """
    found = (
        Grant.objects.in_force(timezone.now())
        .filter(place.own)
        .select_related("person", "team", "project", "portfolio")
    )
    rows = [_row(grant) for grant in sorted(found, key=_sort)]
    if form == "csv":
        text = io.StringIO()
        table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
        table.writeheader()
        for row in rows or [{}]:
            said = {"scope": scope_of(place), **row}
            table.writerow(
                {key: f"'{value}" if FORMULA.match(value) else value for key, value in said.items()}
            )
        return text.getvalue()
    stated: dict[str, Any] = {"scope": scope_of(place)}
    if place.portfolio is not None and estate:
        stated["projects"] = sorted(place.portfolio.projects.values_list("key", flat=True))
    stated["grants"] = rows
    head = _(
        "The rights given at this place, all of them: what is not listed is revoked when this is applied."
    )
    return f"# {head}\n" + yaml.safe_dump(stated, sort_keys=False, allow_unicode=True, width=110)


def scope_of(place: Place) -> str:
    """`estate`, `portfolio <slug>` or `project <key>`."""
    return place.key.replace(":", " ")


def _row(grant: Grant) -> dict[str, str]:
    said = {
        "team": grant.team.slug if grant.team else "",
        "person": grant.person.login if grant.person else "",
        "right": grant.right,
        "role": grant.role,
        "stage": grant.stage,
        "until": grant.end.astimezone(UTC).isoformat() if grant.end else "",
        "why": grant.why,
    }
    return {key: value for key, value in said.items() if value}


def _sort(grant: Grant) -> tuple[Any, ...]:
    holder = grant.team.slug if grant.team else grant.person.login if grant.person else ""
    return grant.team is None, holder, ORDER[grant.right], grant.role, grant.stage


# --- reading ----------------------------------------------------------------------------------------------------------


def wanted(text: str | bytes, form: Format) -> list[Wanted]:
    """What a file states, place by place, with the operations that would make it so.

    Raises FileError with every mistake: in its form, and in whom and what it names.
    """
    stated = _read_csv(_text(text)) if form == "csv" else [_read_yaml(_text(text))]
    problems: list[Problem] = []
    found: list[Wanted] = []
    for one in stated:
        try:
            usable = _wanted(one, problems)
        except Invalid as refusal:
            problems.append(_problem(one.spot, refusal.sentence, _("Write a scope that there is.")))
            continue
        if any(
            other.place.key == usable.place.key for other in found
        ):  # each would revoke what the other states
            said = _("This place is stated before, spelled otherwise.")
            problems.append(_problem(one.spot, said, _("Spell the scope alike on each line.")))
        found.append(usable)
    if problems:
        raise FileError(problems)
    return found


def _text(text: str | bytes) -> str:
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > MAX_BYTES:
        raise FileError([Problem(1, 1, _("The file is larger than 1 MiB."), _("Split it by place."))])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        wrong = Problem(line, column, _("This byte is not UTF-8."), _("Save the file as UTF-8."))
        raise FileError([wrong]) from error


def _problem(spot: tuple[int, int], message: str, remedy: str) -> Problem:
    return Problem(spot[0], spot[1], message, remedy)


def _spot(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


class _Loader(yaml.BaseLoader):
    """Every scalar a text; no anchors, whose grants would stand in two places at once."""

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        event: Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor is not None):
            mark = cast("Mark | None", event.start_mark)
            raise ComposerError(None, None, _("anchors and aliases are not part of this"), mark)
        return super().compose_node(parent, index)


def _read_yaml(text: str) -> Stated:
    remedy = _("Check indentation, quotes and brackets here and on the line above.")
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
    except yaml.reader.ReaderError as error:
        before = text[: int(error.position)]
        spot = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        wrong = _problem(spot, _("This character is not allowed in YAML."), _("Delete it."))
        raise FileError([wrong]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        spot = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = str(error.problem or error.context or _("the YAML cannot be read")).strip()
        raise FileError([_problem(spot, f"{said[:1].upper()}{said[1:]}.", remedy)]) from error
    except (ValueError, OverflowError) as error:  # an escape that is beyond Unicode
        mark = loader.get_mark()
        wrong = _problem(
            (mark.line + 1, mark.column + 1), _("There is no such character."), _("Delete its escape.")
        )
        raise FileError([wrong]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise FileError([Problem(1, 1, _("This is no YAML that can be read."), remedy)]) from error
    problems: list[Problem] = []
    if not isinstance(root, MappingNode):
        spot = (1, 1) if root is None else _spot(root)
        raise FileError(
            [_problem(spot, _("The file states no place."), _("Begin with `scope:` and `grants:`."))]
        )
    top = _mapping(root, KEYS, problems)
    scope, scope_spot = "", _spot(root)
    if "scope" in top:
        scope, scope_spot = _scalar(top["scope"], "scope", problems), _spot(top["scope"])
    else:
        remedy = _("Add `scope: project KEY`, `scope: portfolio slug` or `scope: estate`.")
        problems.append(_problem(scope_spot, _("The key scope is missing."), remedy))
    entries = []
    if "grants" not in top:
        remedy = _("Add `grants:` with a list; `grants: []` states that there is none, and revokes all.")
        problems.append(_problem(_spot(root), _("The key grants is missing."), remedy))
    else:
        for item in _sequence(top["grants"], "grants", problems):
            if not isinstance(item, MappingNode):
                remedy = _("Write `- team: name` with the right below.")
                problems.append(_problem(_spot(item), _("This is no grant."), remedy))
                continue
            keys = _mapping(item, GRANT_KEYS, problems)
            entries.append(
                Entry(
                    {key: _scalar(node, key, problems) for key, node in keys.items()},
                    {"": _spot(item), **{key: _spot(node) for key, node in keys.items()}},
                )
            )
    projects = None
    if "projects" in top:
        projects = [
            (_scalar(node, "projects", problems), _spot(node))
            for node in _sequence(top["projects"], "projects", problems)
        ]
    if problems:
        raise FileError(problems)
    return Stated(scope, scope_spot, entries, projects)


def _mapping(node: MappingNode, known: tuple[str, ...], problems: list[Problem]) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, ScalarNode) else ""
        if name not in known:
            remedy = _("Known here: %(known)s.") % {"known": ", ".join(known)}
            problems.append(
                _problem(_spot(key), _("“%(key)s” is not known here.") % {"key": name[:60]}, remedy)
            )
        elif name in found:
            said = _("The key %(key)s is given twice.") % {"key": name}
            problems.append(_problem(_spot(key), said, _("Keep one of them.")))
        else:
            found[name] = value
    return found


def _sequence(node: Node, key: str, problems: list[Problem]) -> list[Node]:
    if isinstance(node, SequenceNode):
        return list(node.value)
    said = _("%(key)s is not a list.") % {"key": key}
    problems.append(_problem(_spot(node), said, _("Write a list; `[]` for none.")))
    return []


def _scalar(node: Node, key: str, problems: list[Problem]) -> str:
    if isinstance(node, ScalarNode):
        problems.extend(_unseen(str(node.value), _spot(node)))
        return str(node.value).strip()
    problems.append(_problem(_spot(node), _("%(key)s is not a text.") % {"key": key}, _("Write one value.")))
    return ""


def _unseen(value: str, spot: tuple[int, int]) -> Iterator[Problem]:
    """What no page would take in either, and no database keeps."""
    if unseen(value):
        said = _("This text holds a character that cannot be seen.")
        yield _problem(spot, said, _("Delete it."))


def _read_csv(text: str) -> list[Stated]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    remedy = _("Quote what holds a comma, a quote or a line break.")
    found: dict[str, Stated] = {}
    problems: list[Problem] = []
    line = 1  # where the row begins that is read: one that holds line breaks ends further down
    try:
        head = [name.strip() for name in next(rows, [])]
        if sorted(head) != sorted(COLUMNS):
            said = _("The first line does not name the columns.")
            remedy = _("Begin with: %(head)s.") % {"head": ",".join(COLUMNS)}
            raise FileError([Problem(1, 1, said, remedy)])
        while True:
            line = rows.line_num + 1
            row = next(rows, None)
            if row is None:
                break
            if not any(value.strip() for value in row):
                continue
            if len(row) != len(head):
                said = _("This line has %(count)s columns, not %(all)s.") % {
                    "count": len(row),
                    "all": len(head),
                }
                raise FileError([Problem(line, 1, said, remedy)])
            spots = {key: (line, number) for number, key in enumerate(head, start=1)}
            said_ = {}
            for key, value in zip(head, row, strict=True):
                problems.extend(_unseen(value, spots[key]))
                if value := value.strip():
                    said_[key] = value[1:] if FORMULA.match(value) and value[0] == "'" else value
            scope = " ".join(said_.pop("scope", "").split())
            one = found.setdefault(scope, Stated(scope, spots["scope"]))
            if said_:  # a line with nothing but its scope states that nothing is given there
                one.entries.append(Entry(said_, {"": (line, 1), **spots}))
    except csv.Error as error:
        raise FileError([Problem(line, 1, _("This is no CSV that can be read."), remedy)]) from error
    if problems:
        raise FileError(problems)
    if not found:
        remedy = _("Add a line; one with nothing but its scope states that nothing is given there.")
        raise FileError([Problem(1, 1, _("The file states no place."), remedy)])
    return list(found.values())


# --- what it comes to -------------------------------------------------------------------------------------------------


def place_named(scope: str) -> Place:
    """The place of `estate`, `portfolio <slug>` or `project <key>`; raises Invalid naming the field `scope`."""
    kind, _space, name = scope.strip().partition(" ")
    name = name.strip()
    if kind == "estate" and not name:
        return Place()
    if kind == "project" and (project := Project.objects.select_related("pipeline").filter(key=name).first()):
        return Place(project=project)
    if kind == "portfolio" and (portfolio := Portfolio.objects.filter(slug=name).first()):
        return Place(portfolio=portfolio)
    raise Invalid(
        _("There is no place “%(scope)s”.") % {"scope": scope[:120]}, code="scope_unknown", field="scope"
    )


def _wanted(stated: Stated, problems: list[Problem]) -> Wanted:
    place = place_named(stated.scope)
    logins = [spelled(entry.said["person"]) for entry in stated.entries if "person" in entry.said]
    people = {
        one.login: one for one in Person.objects.filter(login__in=logins).exclude(kind=Person.Kind.SYSTEM)
    }
    slugs = [entry.said["team"] for entry in stated.entries if "team" in entry.said]
    teams = {one.slug: one for one in Team.objects.filter(slug__in=slugs)}
    standing = {
        _cell(grant): grant
        for grant in Grant.objects.in_force(timezone.now())
        .filter(place.own)
        .select_related("person", "team")
        .order_by("pk")
    }
    ops: list[Op] = []
    seen: dict[tuple[Any, ...], int] = {}
    for entry in stated.entries:
        before = len(problems)
        problems.extend(_unknown(entry, people, teams))
        until = _time(entry.said["until"]) if entry.said.get("until") else None
        if entry.said.get("until") and until is None:
            remedy = _("Write it like 2027-03-31T18:00:00+02:00.")
            problems.append(_problem(entry.at("until"), _("This is no time with a zone."), remedy))
        if len(problems) > before:
            continue
        wish: dict[str, Any] = {
            "right": Right(entry.said["right"]),
            "role": entry.said.get("role", ""),
            "stage": entry.said.get("stage", ""),
            "person": people.get(spelled(entry.said.get("person", ""))),
            "team": teams.get(entry.said.get("team", "")),
            "until": until,
            "why": entry.said.get("why", ""),
            **place.address,
        }
        holder = wish["person"] or wish["team"]
        cell = (wish["person"] is None, holder.pk, wish["right"].value, wish["role"], wish["stage"])
        there = standing.pop(cell, None)
        stands = there is not None and there.end == until and there.why == wish["why"].strip()
        try:
            if (
                not stands
            ):  # what stands may, though it would not be given now: to somebody disabled since, say
                grants.check_gift(**wish)
        except Invalid as refusal:
            key = (
                entry.at("team" if "team" in entry.said else "person") if refusal.field == "holder" else None
            )
            spot = key or entry.at(refusal.field)
            remedy = _("Change it, or delete this grant from the file.")
            problems.append(_problem(spot, refusal.sentence, remedy))
            continue
        if cell in seen:
            said = _("This grant is stated twice; the first is on line %(line)s.") % {"line": seen[cell]}
            problems.append(_problem(entry.at(""), said, _("Keep one of them.")))
            continue
        seen[cell] = entry.at("")[0]
        if not stands:
            ops.append(edits.give(**wish))
    away = [edits.take(grant=grant, why="") for grant in standing.values()]
    return Wanted(place, [*_membership(stated, place, problems), *away, *ops])


def _time(text: str) -> datetime | None:
    """An instant that there is and that can be kept, which the last hours of the year 9999 far west cannot."""
    try:
        found = parse_datetime(text)
        return None if found is None or timezone.is_naive(found) else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def with_why(found: Wanted, why: str) -> list[Op]:
    """The operations, those without a reason of their own with this one."""
    return [Op(**{**op, "why": op.get("why") or why}) for op in found.ops]


def _unknown(entry: Entry, people: Mapping[str, Person], teams: Mapping[str, Team]) -> Iterator[Problem]:
    """What is missing of an entry, or names what nobody knows."""
    holders = [key for key in HOLDER if key in entry.said]
    if len(holders) != 1:
        yield _problem(
            entry.at(""), _("A grant names a team or a person, one of them."), _("Keep one of them.")
        )
    for key in ("right", "why"):
        if not entry.said.get(key):
            said = _("The key %(key)s is missing.") % {"key": key}
            yield _problem(entry.at(""), said, _("Add `%(key)s:`.") % {"key": key})
    right = entry.said.get("right", "")
    if right and right not in Right.values:
        said = _("“%(right)s” is no right.") % {"right": right[:60]}
        yield _problem(
            entry.at("right"), said, _("Use one of: %(known)s.") % {"known": ", ".join(Right.values)}
        )
    if "person" in entry.said and spelled(entry.said["person"]) not in people:
        said = _("Nobody here has the login “%(login)s”.") % {"login": entry.said["person"][:60]}
        yield _problem(entry.at("person"), said, _("Add them first, or delete this grant."))
    if "team" in entry.said and entry.said["team"] not in teams:
        said = _("There is no team “%(team)s”.") % {"team": entry.said["team"][:60]}
        yield _problem(entry.at("team"), said, _("Add it first, or delete this grant."))


def _membership(stated: Stated, place: Place, problems: list[Problem]) -> list[Op]:
    """The projects that a portfolio's file puts in and takes out."""
    if stated.projects is None:
        return []
    if place.portfolio is None:
        said = _("Only the file of a portfolio lists projects.")
        problems.append(_problem(stated.spot, said, _("Delete the key projects.")))
        return []
    found = {one.key: one for one in Project.objects.filter(key__in=[key for key, _spot in stated.projects])}
    for key, spot in stated.projects:
        if key not in found:
            said = _("There is no project “%(key)s”.") % {"key": key[:60]}
            problems.append(_problem(spot, said, _("Import it first, or delete it here.")))
    inside = {one.key: one for one in place.portfolio.projects.all()}
    return [
        *(
            edits.put(portfolio=place.portfolio, project=found[key], why="")
            for key in sorted(found.keys() - inside.keys())
        ),
        *(
            edits.take_out(portfolio=place.portfolio, project=inside[key], why="")
            for key in sorted(inside.keys() - found.keys())
        ),
    ]


def _cell(grant: Grant) -> tuple[Any, ...]:
    return grant.person_id is None, grant.person_id or grant.team_id, grant.right, grant.role, grant.stage
