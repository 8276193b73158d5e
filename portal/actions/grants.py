"""Grants and revokes rights. The grant is the truth; its projection is rewritten in the same transaction."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import ledger, rights
from portal.errors import Forbidden, Invalid, Refused
from portal.event_kinds import EventKind
from portal.holders import grantors
from portal.models import Change, Grant, Lane, Person, Portfolio, Project, Right, Stage, Team
from portal.models.grant import IN_USE, in_force
from portal.projecting import project_grants

ESTATE = "the estate"
WHY_LIMIT = 500
ROLE = re.compile(r"[a-z][a-z0-9-]{0,49}")
# What only the team may be given in a pipeline that it owns; to see, sign, audit or manage may be anybody's.
ACTING = frozenset({Right.REQUEST, Right.PROMOTE, Right.ROLL_BACK})


def grant(
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
    change: Change | None = None,
    given_by: Person | None = None,
) -> Grant:
    """Give a right to a person or team on a project or a portfolio, or on the whole estate when both are None.

    `change` is what it is part of, `given_by` who proposed that (default: `by`, who applies it).

    Raises Invalid naming the field, Absent/Forbidden for who may grant.
    """
    check_grantor(by, project, portfolio)
    check_gift(
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
    with ledger.business():
        _lock(portfolio)
        # One that ran out still stands in the way of the unique constraint; it is closed by the system first.
        same = Grant.objects.filter(
            person=person,
            team=team,
            right=right,
            role=role,
            project=project,
            portfolio=portfolio,
            stage=stage,
        )
        for ended in _closed(same.filter(until__lte=timezone.now())):
            _record_end(ended, "ran out")
        _check_review(same, until)
        try:
            with transaction.atomic():
                given = Grant.objects.create(
                    person=person,
                    team=team,
                    right=right,
                    role=role,
                    project=project,
                    portfolio=portfolio,
                    stage=stage,
                    until=until,
                    why=why.strip(),
                    given_by=given_by or by,
                    change=change,
                )
        except IntegrityError as error:
            raise Invalid(
                _("%(holder)s holds this right there already; revoke it first to change it.")
                % {"holder": person or team},
                code="grant_duplicate",
                field="holder",
            ) from error
        project_grants(reached(project, portfolio), stage=stage)
        ledger.record(
            EventKind.GRANT_GIVEN,
            by=by,
            project=project.key if project else "",
            subject=f"grant:{given.pk}",
            until=until.isoformat() if until else None,
            why=given.why,
            change=change and change.pk,
            **facts_of(given),
        )
        return given


def check_gift(
    *,
    right: Right,
    why: str,
    person: Person | None,
    team: Team | None,
    role: str,
    project: Project | None,
    portfolio: Portfolio | None,
    stage: str,
    until: datetime | None,
) -> None:
    """Raise Invalid naming the field where such a right can be given to nobody, or not to them, whoever gives it."""
    if project is not None and portfolio is not None:
        raise Invalid(_("Name a project or a portfolio, one of them."), code="grant_place", field="portfolio")
    if (person is None) == (team is None):
        raise Invalid(_("Name a person or a team, one of them."), code="grant_holder", field="holder")
    if person is not None and (not person.is_active or person.is_system):
        raise Invalid(
            _("%(name)s is disabled and can hold no right.") % {"name": person.name},
            code="person_disabled",
            field="holder",
        )
    if right not in IN_USE:
        raise Invalid(
            _("Nothing asks for this right in this version, so it is not given."),
            code="right_unused",
            field="right",
        )
    if right == Right.PROVISION and (project or portfolio or stage or team):
        raise Invalid(
            _("This right is on the whole estate and for one service account: a directory brings everybody."),
            code="provision_estate",
            field="right",
        )
    if right == Right.PROVISION and person is not None and person.kind != Person.Kind.SERVICE:
        raise Invalid(
            _("People are brought by a service account; name one."), code="provision_service", field="holder"
        )
    _check_role(right, role)
    if right == Right.SIGN and person is not None and person.kind != Person.Kind.PERSON:
        raise Invalid(
            _("A service account never signs; name a person."), code="service_never_signs", field="holder"
        )
    if stage and not _stages(project).filter(slug=stage).exists():
        raise Invalid(
            _("There is no stage “%(stage)s” there.") % {"stage": stage}, code="stage_unknown", field="stage"
        )
    if team is not None and right in ACTING:
        check_pipeline_team(team, reached(project, portfolio))
    if until is not None and until <= timezone.now():
        raise Invalid(
            _("“Until” lies in the past; choose a later time or leave it empty."),
            code="until_past",
            field="until",
        )
    _check_why(why)


def first_grant(*, by: Person, person: Person) -> Grant:
    """Give `manage` on the estate, for good, to an administrator made on the command line.

    Nobody else can give the first. Who holds it already keeps what they have.
    """
    if not by.is_system:
        raise Forbidden(
            _("Administrators are made on the command line: manage.py create_admin."),
            code="command_line_only",
        )
    with ledger.business():
        there = Grant.objects.filter(
            person=person, right=Right.MANAGE, project=None, portfolio=None, stage="", revoked_at=None
        )
        now = timezone.now()
        # An access review may ask about it, and then ends it as it ends any other that nobody confirms.
        lasting = Q(until__isnull=True) | Q(under_review__isnull=False, until_given__isnull=True)
        found = there.filter(in_force(now), lasting).first()
        if found is not None:
            return found
        # One that ends, or ended, gives way to the one for good.
        replaced = _closed(there)
        given = Grant.objects.create(
            person=person, right=Right.MANAGE, why="made on the command line", given_by=by
        )
        for one in replaced:
            ran_out = one.until is not None and one.until <= now
            _record_end(one, "ran out" if ran_out else f"replaced by grant {given.pk}")
        ledger.record(
            EventKind.GRANT_GIVEN,
            by=by,
            project="",
            subject=f"grant:{given.pk}",
            until=None,
            why=given.why,
            change=None,
            **facts_of(given),
        )
        return given


def revoke(
    *, by: Person, grant: Grant, why: str, change: Change | None = None, entrusted: bool = False
) -> None:
    """Take a right back; it is gone at once, also for what is already under way.

    `entrusted`: an access review asks `by` about this grant, so that they need not manage there. Raises Refused for the
    grant of the last administrator.
    """
    if not entrusted:
        check_grantor(by, grant.project, grant.portfolio)
    _check_why(why)
    administers = grant.right == Right.MANAGE and where(grant) == ESTATE
    with ledger.business():
        if administers:
            lock_admins()
        _lock(grant.portfolio)
        now = timezone.now()
        if not Grant.objects.filter(pk=grant.pk, revoked_at__isnull=True).update(
            revoked_at=now, revoked_by=by, revoked_in=change
        ):
            raise Invalid(_("This right was revoked already."), code="revoked_already", field="grant")
        if administers:
            check_admin_left(gone=Grant.objects.get(pk=grant.pk))
        project_grants(reached(grant.project, grant.portfolio), stage=grant.stage)
        ledger.record(
            EventKind.GRANT_REVOKED,
            by=by,
            project=grant.project.key if grant.project else "",
            subject=f"grant:{grant.pk}",
            why=why.strip(),
            change=change and change.pk,
            **facts_of(grant),
        )


def lapse(*, by: Person, grants: QuerySet[Grant], why: str) -> list[Grant]:
    """Close grants that ended by themselves, by the system, and give those it closed; nobody held them any more."""
    with ledger.business():
        found = _closed(grants.filter(until__lte=timezone.now()))
        for ended in found:
            _record_end(ended, why)
        return found


def lock_admins() -> None:
    """Let everything that could leave the estate without an administrator follow one another."""
    list(administering().order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))


def check_admin_left(*, gone: Grant | None = None) -> None:
    """Raise Refused where nobody is left who manages the estate: called after a change, to undo it.

    Where somebody managed it for good, somebody has to go on doing so: others may hold it until a day only, or until an
    access review has run out. `gone` is the grant that was revoked.
    """
    held = administering()
    standing = Grant.objects.on_estate().filter(
        Q(person__isnull=True) | Q(person__kind=Person.Kind.PERSON),
        right=Right.MANAGE,
        stage="",
        until__isnull=True,
        revoked_at__isnull=True,
    )
    lasting = (gone is not None and gone.until is None) or standing.exists()
    if not able(held.filter(until__isnull=True) if lasting else held).exists():
        raise Refused(
            _(
                "This would leave nobody who manages the estate for good, only some until a day."
                " Give somebody else that right without an end first; then it can be done."
            )
            if able(held).exists()
            else _(
                "This would leave nobody who manages the estate. Give somebody else that right first;"
                " then it can be done."
            ),
            code="last_admin",
        )


@contextmanager
def keeping_an_admin(members: Collection[Person]) -> Iterator[None]:
    """Around what may end memberships of these people, in the caller's business transaction.

    Raises Refused where it would leave nobody who manages the estate: what is said elsewhere does not take the last.
    """
    groups = Person.groups.through.objects.filter(person__in=members).values("group_id")
    if not administering().filter(team__group__in=groups).exists():
        yield
        return
    lock_admins()
    before = able(administering()).exists()
    yield
    if before:
        check_admin_left()


def able(held: QuerySet[Grant]) -> QuerySet[Person]:
    """The active people who hold one of these grants, themselves or through a team."""
    return Person.objects.filter(is_active=True, kind=Person.Kind.PERSON).filter(
        Q(pk__in=held.filter(person__isnull=False).values("person"))
        | Q(groups__in=held.filter(team__isnull=False).values("team__group"))
    )


def administering() -> QuerySet[Grant]:
    """The grants in force by which the estate is managed."""
    return Grant.objects.in_force(timezone.now()).on_estate().filter(right=Right.MANAGE, stage="")


def may_grant(person: Person, project: Project | None, portfolio: Portfolio | None = None) -> bool:
    """Whether the person may grant there: `manage` on the estate, on every lane of the project or the portfolio."""
    if Right.MANAGE in rights.on_estate(person):
        return True
    if portfolio is not None:
        return rights.manages(person, portfolio)
    held = rights.held_on(person, _lanes_of(project)).values() if project is not None else ()
    return bool(held) and all(Right.MANAGE.value in names for names in held)


def check_grantor(by: Person, project: Project | None, portfolio: Portfolio | None = None) -> None:
    """Raise Absent or Forbidden unless the person may grant there."""
    if may_grant(by, project, portfolio):
        return
    if portfolio is not None:
        rights.see_portfolio(by, portfolio)
        raise Forbidden(
            _("You need the right to %(right)s on portfolio %(portfolio)s. %(grantors)s can grant it.")
            % {
                "right": str(Right.MANAGE.label),
                "portfolio": portfolio.name,
                "grantors": grantors(portfolio=portfolio),
            },
            code="right_missing",
            right=Right.MANAGE.value,
            portfolio=portfolio.slug,
        )
    for lane in () if project is None else _lanes_of(project):
        rights.check(by, Right.MANAGE, lane)
    rights.check_estate(by, Right.MANAGE)  # there is no lane on which to hold it


def _lanes_of(project: Project) -> QuerySet[Lane]:
    return Lane.objects.filter(project=project).select_related("project", "stage")


def check_pipeline_team(team: Team, projects: QuerySet[Project]) -> None:
    """Raise Invalid where one of these projects goes through a pipeline that another team owns."""
    other = (
        projects.filter(pipeline__team__isnull=False)
        .exclude(pipeline__team=team)
        .select_related("pipeline__team")
        .first()
    )
    if other is not None:
        assert other.pipeline.team is not None
        raise Invalid(
            _(
                "%(project)s goes through the pipeline of %(owner)s, so only %(owner)s can be given this right there."
                " Name that team, or move the project to another pipeline."
            )
            % {"project": other.name, "owner": other.pipeline.team.name},
            code="pipeline_of_another_team",
            field="holder",
        )


def _check_role(right: Right, role: str) -> None:
    if right != Right.SIGN:
        if role:
            raise Invalid(
                _("Only the right to sign carries a role; leave it empty."),
                code="role_unexpected",
                field="role",
            )
        return
    if not role:
        raise Invalid(
            _("The right to sign needs a role, such as fairness."), code="role_missing", field="role"
        )
    if not ROLE.fullmatch(role):
        raise Invalid(
            _(
                "A role is written as policies write it: lower-case letters, digits and hyphens, such as model-risk."
            ),
            code="role_invalid",
            field="role",
        )


def _check_why(why: str) -> None:
    if not why.strip():
        raise Invalid(_("Say why, so that a later review understands it."), code="why_missing", field="why")
    if len(why.strip()) > WHY_LIMIT:
        raise Invalid(
            _("Say why in at most %(limit)s characters.") % {"limit": WHY_LIMIT},
            code="why_long",
            field="why",
        )


def _check_review(same: QuerySet[Grant], until: datetime | None) -> None:
    """Raise Invalid where an access review asks about this very right, and this would let it last longer meanwhile.

    Also where it was revoked since the review began, so that giving it anew is no way around the answer.
    """
    asked = same.filter(in_force(timezone.now()), under_review__isnull=False).order_by("-pk").first()
    if asked is None or (asked.until is not None and until is not None and until <= asked.until):
        return
    raise Invalid(
        _(
            "Access review %(number)s asks about this right, so meanwhile it is not given here for longer."
            " Confirm it there first, or give it again when the review is over."
        )
        % {"number": asked.under_review},
        code="review_asks",
        field="until",
        review=asked.under_review,
    )


def _lock(portfolio: Portfolio | None) -> None:
    """Let whoever puts a project into the portfolio at the same moment come before or after, not between."""
    if portfolio is not None:
        Portfolio.objects.select_for_update().get(pk=portfolio.pk)


def reached(project: Project | None, portfolio: Portfolio | None) -> QuerySet[Project]:
    """The projects whose lanes show a grant; those of the estate are not projected, but read directly."""
    if project is not None:
        return Project.objects.filter(pk=project.pk)
    return Project.objects.none() if portfolio is None else portfolio.projects.all()


def _stages(project: Project | None) -> QuerySet[Stage]:
    """The stages a grant may name: of portfolio and estate any that there is, since projects are added later."""
    if project is None:
        return Stage.objects.all()
    return Stage.objects.filter(pipeline=project.pipeline_id)


def where(given: Grant) -> str:
    """Where a grant holds, as the ledger says it."""
    if given.project is not None:
        place = given.project.key
    else:
        place = f"portfolio {given.portfolio.slug}" if given.portfolio is not None else ESTATE
    return place + (f" · {given.stage}" if given.stage else "")


def _closed(grants: QuerySet[Grant]) -> list[Grant]:
    """Close these by the system, and give those it closed: locked first, so that two at once do not both say so."""
    locked = grants.filter(revoked_at__isnull=True).select_for_update(no_key=True, of=("self",))
    found = list(locked.select_related("person", "team", "project", "portfolio"))
    Grant.objects.filter(pk__in=[one.pk for one in found]).update(
        revoked_at=timezone.now(), revoked_by=Person.objects.system()
    )
    return found


def _record_end(ended: Grant, why: str) -> None:
    ledger.record(
        EventKind.GRANT_REVOKED,
        by=None,
        project=ended.project.key if ended.project else "",
        subject=f"grant:{ended.pk}",
        why=why,
        change=None,
        **facts_of(ended),
    )


def facts_of(given: Grant) -> dict[str, str]:
    """What every event of a grant says of it."""
    holder = given.person or given.team
    assert holder is not None  # a constraint says so
    return {
        "grant": str(given.pk),
        "holder_kind": "person" if given.person else "team",
        "holder_id": str(given.person_id or (given.team and given.team.slug)),
        "holder": holder.name,
        "right": given.right,
        "role": given.role,
        "where": where(given),
        "stage": given.stage,
    }
