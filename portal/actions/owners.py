"""Owners and groups as DSS has them, brought here: proposals by name, which an administrator confirms.

DSS's answer gives nobody anything. What is confirmed is kept for the next project of the node; rights are asked for as
one change, like any others. Not in charge of ownership as such (portal/actions/projects.py).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from portal import ledger, rights
from portal.actions import edits, projects
from portal.dss.client import Dss
from portal.dss.connect import asking
from portal.dss.errors import DssError
from portal.errors import Invalid
from portal.event_kinds import EventKind
from portal.models import Change, Counterpart, Grant, Node, Person, Project, Right, Team
from portal.models.person import spelled

# DSS's rights on a project that mean that somebody works on it; all others let look only.
WORKING = frozenset({"admin", "writeProjectContent"})
GIVEN = (Right.VIEW, Right.REQUEST)
NAME_LIMIT = 200
K = Counterpart.Kind


@dataclass(frozen=True, slots=True)
class Found:
    """A user or group that DSS names on a project, with who that may be here.

    `works`: may change the project there; `owns`: is its owner there; `known`: an administrator confirmed it before.
    """

    kind: Counterpart.Kind
    name: str
    shown: str
    works: bool
    owns: bool = False
    person: Person | None = None
    team: Team | None = None
    known: bool = False

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Choice:
    """What an administrator says of one of them: who it is (None: nobody here), and what they become."""

    kind: Counterpart.Kind
    name: str
    person: Person | None = None
    team: Team | None = None
    owner: bool = False
    grant: bool = False


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What came of it: how many owners were added, and the change that asks for rights (None: none were missing)."""

    owners: int
    change: Change | None


def look(*, by: Person, project: Project) -> list[Found]:
    """Who DSS says owns and works on the project, owner first, with proposals; asks the design node.

    Raises Forbidden for who does not administer the estate, Unavailable where the node does not answer. What the
    portal's key may not read is left out: at worst there is the owner alone.
    """
    rights.check_estate(by, Right.MANAGE)
    with asking(project.node) as dss:
        named = _named(dss, project)
        users = {user.login: (user.display_name, user.email) for user in _tolerant(dss.list_users)}
    shown = [replace(one, shown=users.get(one.name, (one.name, ""))[0]) for one in named]
    return _proposed(project.node, shown, {login: email for login, (_name, email) in users.items() if email})


def confirm(*, by: Person, project: Project, choices: Sequence[Choice], why: str) -> Confirmed:
    """Keep who is who, add the owners chosen, and ask for view and request for whoever is to have them.

    Raises Forbidden for who does not administer the estate, Invalid naming the field.
    """
    rights.check_estate(by, Right.MANAGE)
    why = projects.reason(why)
    with ledger.business():
        for choice in choices:
            _check_choice(choice)
            if choice.person is not None or choice.team is not None:
                _keep(by, project.node, choice)
        added = 0
        owning = set(project.owners.values_list("pk", flat=True))
        for choice in choices:
            if choice.owner and choice.person is not None and choice.person.pk not in owning:
                projects.add_owner(by=by, project=project, person=choice.person, why=why)
                owning.add(choice.person.pk)
                added += 1
        ops = _ops(project, choices, why)
        change = edits.edit(by=by, ops=ops, why=why, project=project) if ops else None
    return Confirmed(added, change)


_Item = TypeVar("_Item")


def _tolerant(call: Callable[[], list[_Item]]) -> list[_Item]:
    """What DSS lists, or nothing where the key may not see it: names and addresses only help to propose."""
    try:
        return call()
    except DssError:
        return []


def _named(dss: Dss, project: Project) -> list[Found]:
    """Owner, users and groups of the project's permissions; the owner known from the import where those are closed."""
    try:
        told = dss.project_permissions(project.key)
    except DssError as error:
        if error.passing or not project.dss_owner:
            raise
        return [Found(K.USER, project.dss_owner, project.dss_owner, works=True, owns=True)]
    found: dict[tuple[str, str], Found] = {}
    if told.owner:
        found[K.USER, told.owner] = Found(K.USER, told.owner, told.owner, works=True, owns=True)
    for entry in told.entries:
        name = entry.group or entry.user or ""
        kind = K.GROUP if entry.group else K.USER
        if name and (kind, name) not in found:
            found[kind, name] = Found(kind, name, name, works=bool(WORKING & set(entry.rights)))
    return sorted(found.values(), key=lambda one: (not one.owns, not one.works, one.kind, one.name.lower()))


def _proposed(node: Node, named: Sequence[Found], emails: dict[str, str]) -> list[Found]:
    """Each with who that may be here: as confirmed before, of the same login or address, a team of the same name."""
    kept = {
        (one.kind, one.name): one
        for one in Counterpart.objects.filter(node=node).select_related("person", "team")
    }
    logins = [spelled(one.name) for one in named if one.kind == K.USER]
    people = Person.objects.filter(is_active=True, kind=Person.Kind.PERSON).filter(
        Q(login__in=logins) | Q(email__in=[emails[one.name] for one in named if one.name in emails])
    )
    by_login = {one.login: one for one in people}
    by_email = {one.email.lower(): one for one in people if one.email}
    teams = {one.slug: one for one in Team.objects.filter(slug__in=[slugify(one.name) for one in named])}
    found = []
    for one in named:
        known = kept.get((one.kind, one.name))
        if known is not None:
            found.append(replace(one, person=known.person, team=known.team, known=True))
        elif one.kind == K.GROUP:
            found.append(replace(one, team=teams.get(slugify(one.name))))
        else:
            address = emails.get(one.name, "").lower()
            found.append(replace(one, person=by_login.get(spelled(one.name)) or by_email.get(address)))
    return found


def _check_choice(choice: Choice) -> None:
    if choice.kind not in K.values or not choice.name or len(choice.name) > NAME_LIMIT:
        raise Invalid(
            _("“%(name)s” is no user or group of DSS.") % {"name": choice.name[:50]},
            code="counterpart_unknown",
            field="choices",
        )
    if (choice.kind == K.USER and choice.team is not None) or (
        choice.kind == K.GROUP and (choice.person is not None or choice.owner)
    ):
        raise Invalid(
            _("%(name)s: a user is a person, a group is a team, and only people own.")
            % {"name": choice.name},
            code="counterpart_kind",
            field="choices",
        )
    if (choice.owner or choice.grant) and choice.person is None and choice.team is None:
        raise Invalid(
            _("Say who %(name)s is here, or leave it out.") % {"name": choice.name},
            code="counterpart_missing",
            field="choices",
        )


def _keep(by: Person, node: Node, choice: Choice) -> None:
    there = Counterpart.objects.filter(node=node, kind=choice.kind, name=choice.name).first()
    if there is not None and (there.person_id, there.team_id) == (
        choice.person and choice.person.pk,
        choice.team and choice.team.pk,
    ):
        return
    Counterpart.objects.update_or_create(
        node=node,
        kind=choice.kind,
        name=choice.name,
        defaults={"person": choice.person, "team": choice.team, "set_at": timezone.now(), "set_by": by},
    )
    ledger.record(
        EventKind.COUNTERPART_SET,
        by=by,
        project="",
        subject=f"node:{node.pk}",
        node=node.slug,
        kind=choice.kind,
        in_dss=choice.name,
        person=str(choice.person.pk) if choice.person else "",
        team=choice.team.slug if choice.team else "",
        name=choice.person.name if choice.person else choice.team.name if choice.team else "",
    )


def _ops(project: Project, choices: Iterable[Choice], why: str) -> list[edits.Op]:
    """View and request for whoever was chosen and does not hold it on this project already."""
    held: set[tuple[UUID | None, int | None, str]] = {
        (one.person_id, one.team_id, one.right)
        for one in Grant.objects.in_force(timezone.now()).filter(project=project, stage="")
    }
    ops: list[edits.Op] = []
    for choice in choices:
        if not choice.grant:
            continue
        for right in GIVEN:
            key = (
                choice.person.pk if choice.person else None,
                choice.team.pk if choice.team else None,
                right.value,
            )
            if key not in held:
                held.add(key)
                ops.append(
                    edits.give(right=right, person=choice.person, team=choice.team, project=project, why=why)
                )
    return ops
