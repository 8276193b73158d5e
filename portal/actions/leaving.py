"""Who leaves hands over what they hold: one look at all of it, one heir for each thing or for all, one transaction.

Each kind of thing is known by a `Duties` that settings.DUTIES names, because some belong to apps above the portal. Not
in charge of what somebody did: that stays theirs, and counts only while the design says so.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from portal import ledger, rights
from portal.actions import accounts, changes, delegations, edits, grants, projects
from portal.errors import Invalid, Refused, Stale
from portal.event_kinds import EventKind
from portal.holders import holders_on
from portal.models import Change, Grant, Lane, Person, Project, Right, Team
from portal.models.change import CHANGE_MOVES
from portal.moving import make
from portal.ways import right_word

WHY_LIMIT = 500
# On how many lanes it is looked whether somebody else can sign; a role beyond them counts as held by nobody else.
LOOKED_AT = 1_000


@dataclass(frozen=True, slots=True)
class Duty:
    """One thing somebody holds. `without` says what becomes of it where nobody takes it over; empty: that cannot be."""

    key: str
    what: str
    without: str = ""


class Duties(Protocol):
    """What one kind of thing knows. Keys begin with the kind's own word and a colon."""

    def of(self, person: Person) -> list[Duty]:
        """What the person holds of this kind now."""

    def settle(self, *, by: Person, person: Person, heirs: Mapping[str, Person | None], why: str) -> None:
        """Hand each of these over to its heir, or, where that is None, do what `without` says; in the caller's
        business transaction."""


def held_by(person: Person) -> list[Duty]:
    """Everything that would be orphaned if the person left, in the order of settings.DUTIES."""
    return [duty for kind in _kinds().values() for duty in kind.of(person)]


def leave(
    *,
    by: Person,
    person: Person,
    why: str,
    heir: Person | None = None,
    heirs: Mapping[str, Person | None] | None = None,
) -> None:
    """Disable an account for good: sessions and tokens end, rights and memberships too, what they hold goes to heirs.

    `heirs` name who takes over a duty by its key, `heir` who takes over the rest. Raises Forbidden for who may, Invalid
    naming what still needs an heir, Stale where they hold something else than `heirs` speak of, Refused for the last
    administrator.
    """
    rights.check_estate(by, Right.MANAGE)
    _check_leaver(by, person)
    why = _reason(why)
    with ledger.business():
        grants.lock_admins()
        Person.objects.select_for_update(no_key=True).get(pk=person.pk)
        settled = _settled(person, heir, heirs or {})
        for word, kind in _kinds().items():
            own = {key: one for key, one in settled.items() if key.partition(":")[0] == word}
            if own:
                kind.settle(by=by, person=person, heirs=own, why=why)
        _end_all(by, person, why)
        person.is_active = False
        person.set_unusable_password()
        person.save(update_fields=["is_active", "password"])
        grants.check_admin_left()
        ledger.record(
            EventKind.PERSON_LEFT,
            by=by,
            project="",
            subject=f"person:{person.pk}",
            person=str(person.pk),
            name=person.name,
            heirs={key: str(one.pk) if one else None for key, one in settled.items()},
            why=why,
        )


def _kinds() -> dict[str, Duties]:
    return {word: cast(Duties, import_string(path)) for word, path in settings.DUTIES.items()}


def _check_leaver(by: Person, person: Person) -> None:
    if person.is_system:
        raise rights.absent()
    if person.pk == by.pk:
        raise Refused(
            _("Nobody disables themselves. Ask another administrator to do it."), code="leaver_is_oneself"
        )
    if not person.is_active:
        raise Stale(_("%(name)s is disabled already.") % {"name": person.name}, code="person_disabled")


def _reason(why: str) -> str:
    if not why.strip():
        raise Invalid(_("Say why, so that a later review understands it."), code="why_missing", field="why")
    if len(why.strip()) > WHY_LIMIT:
        raise Invalid(
            _("Say why in at most %(limit)s characters.") % {"limit": WHY_LIMIT}, code="why_long", field="why"
        )
    return why.strip()


def _settled(
    person: Person, heir: Person | None, heirs: Mapping[str, Person | None]
) -> dict[str, Person | None]:
    """Who takes over each duty; None where it ends with the person."""
    duties = held_by(person)
    if unknown := sorted(heirs.keys() - {duty.key for duty in duties}):
        raise Stale(
            _("%(name)s does not hold “%(key)s” any more. Look again at what there is, then go on.")
            % {"name": person.name, "key": unknown[0]},
            code="duty_gone",
            field="heirs",
        )
    for one in {heir, *heirs.values()} - {None}:
        assert one is not None
        if one.pk == person.pk or not one.is_active or one.kind != Person.Kind.PERSON:
            raise Invalid(
                _("%(name)s cannot take anything over. Name an active person who stays.")
                % {"name": one.name},
                code="heir_unfit",
                field="heir" if one == heir else "heirs",
            )
    settled = {duty.key: heirs.get(duty.key, heir) for duty in duties}
    missing = [duty for duty in duties if settled[duty.key] is None and not duty.without]
    if missing:
        raise Invalid(
            _("Somebody has to take this over first: %(what)s. Name an heir for it, or one for everything.")
            % {"what": "; ".join(duty.what for duty in missing[:5])},
            code="heir_missing",
            field="heir",
            missing=[duty.key for duty in missing],
        )
    return settled


def _end_all(by: Person, person: Person, why: str) -> None:
    """Sessions, tokens, delegations to others, memberships and rights of their own: nothing could come back."""
    accounts.end_access(by=by, person=person)
    for one in delegations.lasting().filter(person=person):
        delegations.end(by=by, delegation=one)
    teams = Team.objects.filter(group__in=person.groups.all()).order_by("pk")
    held = Grant.objects.in_force(timezone.now()).filter(person=person).order_by("pk")
    ops = [edits.leave(team=team, person=person, why=why) for team in teams]
    ops += [edits.take(grant=grant, why=why) for grant in held]
    for start in range(0, len(ops), edits.AT_MOST):
        edits.edit(by=by, ops=ops[start : start + edits.AT_MOST], why=why)


# --- what somebody may hold -------------------------------------------------------------------------------------------


class _Projects:
    """Ownerships. A project never loses its last active owner."""

    def of(self, person: Person) -> list[Duty]:
        """The projects they own; those of others too may go on without them."""
        active = Count("owners", filter=Q(owners__is_active=True) & ~Q(owners=person))
        return [
            Duty(
                f"project:{project.key}",
                _("the project %(name)s") % {"name": project.name},
                _("the other owners keep it") if project.others else "",
            )
            for project in Project.objects.filter(pk__in=person.owned_projects.all())
            .annotate(others=active)
            .order_by("key")
        ]

    def settle(self, *, by: Person, person: Person, heirs: Mapping[str, Person | None], why: str) -> None:
        """Hand over or give up each."""
        keys = [key.partition(":")[2] for key in heirs]
        for project in Project.objects.filter(key__in=keys).order_by("key"):
            heir = heirs[f"project:{project.key}"]
            if heir is None:
                projects.remove_owner(by=by, project=project, person=person, why=why)
            else:
                projects.hand_over(by=by, project=project, person=person, heir=heir, why=why)


class _Roles:
    """Roles that nobody else could sign in somewhere: the heir gets the grant too, or joins the team."""

    def of(self, person: Person) -> list[Duty]:
        """Grants of signing, own and through teams, without which a role would be held by nobody on some lane."""
        found: list[Duty] = []
        for grant, lanes in _alone(person).items():
            where = ", ".join(
                dict.fromkeys(f"{lane.project.name} · {lane.stage.name}" for lane in lanes[:3])
            ) or grants.where(grant)
            through = _(" through %(team)s") % {"team": grant.team.name} if grant.team else ""
            found.append(
                Duty(
                    f"role:{grant.pk}",
                    _("%(right)s on %(where)s%(through)s, where nobody else can")
                    % {"right": right_word(grant.right, grant.role), "where": where, "through": through},
                    _("nobody can sign there until somebody is granted it"),
                )
            )
        return found

    def settle(self, *, by: Person, person: Person, heirs: Mapping[str, Person | None], why: str) -> None:
        """Propose the same grants for the heirs, as one change; who takes over a team's role joins it."""
        ops = []
        for grant in Grant.objects.filter(pk__in=[key.partition(":")[2] for key in heirs]).select_related(
            "person", "team", "project", "portfolio"
        ):
            heir = heirs[f"role:{grant.pk}"]
            if heir is None:
                continue
            if grant.team is not None:
                joining = edits.join(team=grant.team, person=heir, why=_("Takes it over."))
                if joining not in ops:
                    ops.append(joining)
                continue
            ops.append(
                edits.give(
                    right=Right.SIGN,
                    role=grant.role,
                    person=heir,
                    project=grant.project,
                    portfolio=grant.portfolio,
                    stage=grant.stage,
                    until=grant.end,
                    why=_("Takes it over."),
                )
            )
        if ops:
            edits.edit(by=by, ops=ops, why=why)


def _alone(person: Person) -> dict[Grant, list[Lane]]:
    """Grants by which the person signs, each with the lanes (some of them) on which nobody else has its role."""
    groups = person.groups.values("pk")
    held = list(
        Grant.objects.in_force(timezone.now())
        .filter(Q(person=person) | Q(team__group__in=groups), right=Right.SIGN)
        .select_related("person", "team", "project", "portfolio")
        .order_by("pk")
    )
    if not held:
        return {}
    reached = Q(pk__in=())
    for grant in held:
        reached |= _reached(grant)
    lanes = list(
        Lane.objects.filter(reached)
        .select_related("project", "stage")
        .prefetch_related("project__portfolios")
        .order_by("project__key", "stage__position")[:LOOKED_AT]
    )
    names = {grant.codename for grant in held}
    holders = holders_on({lane.pk: list(names) for lane in lanes})
    found: dict[Grant, list[Lane]] = defaultdict(list)
    for grant in held:
        for lane in lanes:
            others = [
                one
                for one in holders[lane.pk, grant.codename]
                if one.instead_of is None and one.person.pk != person.pk
            ]
            if not others and _reaches(grant, lane):
                found[grant].append(lane)
    return dict(found)


def _reached(grant: Grant) -> Q:
    here = Q(stage__slug=grant.stage) if grant.stage else Q()
    if grant.project_id is not None:
        return here & Q(project=grant.project_id)
    return (
        here & Q(project__portfolios=grant.portfolio_id)
        if grant.portfolio_id is not None
        else here & Q(pk__gt=0)
    )


def _reaches(grant: Grant, lane: Lane) -> bool:
    if grant.stage not in ("", lane.stage.slug):
        return False
    if grant.project_id is not None:
        return grant.project_id == lane.project_id
    return grant.portfolio_id is None or grant.portfolio_id in {
        one.pk for one in lane.project.portfolios.all()
    }


class _Delegations:
    """Where they stand in for somebody who is away: another one does, or nobody."""

    def of(self, person: Person) -> list[Duty]:
        """What they stand in for now or later."""
        return [
            Duty(
                f"delegation:{one.pk}",
                _("standing in for %(name)s until %(day)s")
                % {"name": one.person.name, "day": f"{one.until:%Y-%m-%d}"},
                _("nobody stands in"),
            )
            for one in delegations.lasting().filter(delegate=person).order_by("pk")
        ]

    def settle(self, *, by: Person, person: Person, heirs: Mapping[str, Person | None], why: str) -> None:
        """End each; that the heir stands in for the rest of the time is proposed."""
        for one in delegations.lasting().filter(pk__in=[key.partition(":")[2] for key in heirs]):
            delegations.end(by=by, delegation=one)
            heir = heirs[f"delegation:{one.pk}"]
            if heir is not None:
                delegations.delegate_for(
                    by=by,
                    person=one.person,
                    delegate=heir,
                    starts_at=one.starts_at if one.starts_at > timezone.now() else None,
                    until=one.until,
                    why=one.why,
                )


class _Changes:
    """Changes they proposed and nobody decided yet."""

    def of(self, person: Person) -> list[Duty]:
        """Those that wait."""
        return [
            Duty(
                f"change:{change.pk}",
                _("change %(number)s of %(kind)s, which waits: %(why)s")
                % {"number": change.pk, "kind": change.get_kind_display(), "why": change.why},
                _("it is withdrawn"),
            )
            for change in _waiting(person)
        ]

    def settle(self, *, by: Person, person: Person, heirs: Mapping[str, Person | None], why: str) -> None:
        """Let the heir stand behind it, who has to be somebody who could propose it; or take it back."""
        for change in _waiting(person).select_for_update(of=("self",)):
            if f"change:{change.pk}" not in heirs:
                continue
            heir = heirs[f"change:{change.pk}"]
            if heir is None:
                make(
                    change,
                    CHANGE_MOVES,
                    "withdraw",
                    by=by,
                    facts={"change": change.pk, "kind": change.kind, "why": why},
                    decided_at=timezone.now(),
                    decided_by=by,
                    answer=why,
                )
                continue
            _check_could(heir, change)
            change.asked_by = heir
            change.save(update_fields=["asked_by"])
            ledger.record(
                EventKind.CHANGE_HANDED_OVER,
                by=by,
                project=change.project_key,
                subject=change.subject,
                change=change.pk,
                kind=change.kind,
                person=str(person.pk),
                name=person.name,
                heir=str(heir.pk),
                heir_name=heir.name,
                why=why,
            )


def _waiting(person: Person) -> QuerySet[Change]:
    return (
        Change.objects.filter(asked_by=person, status=Change.Status.WAITING)
        .select_related("project")
        .order_by("pk")
    )


def _check_could(heir: Person, change: Change) -> None:
    try:
        changes.kind_of(change.kind).check(by=heir, wish=change.wish)
    except Refused as refusal:
        raise Invalid(
            _("%(name)s cannot stand behind change %(number)s: they may not make such a change themselves.")
            % {"name": heir.name, "number": change.pk},
            code="heir_lacks_right",
            field="heirs",
        ) from refusal


PROJECTS: Duties = _Projects()
ROLES: Duties = _Roles()
DELEGATIONS: Duties = _Delegations()
CHANGES: Duties = _Changes()
