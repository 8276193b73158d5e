"""Imports projects from a design node, and names their owners."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal import ledger, rights
from portal.dss.connect import asking
from portal.errors import Forbidden, Invalid, Refused, Stale
from portal.event_kinds import EventKind
from portal.models import Counterpart, Lane, Node, Person, Pipeline, Project, Right, Team
from portal.models.person import spelled

WHY_LIMIT = 500
# What the columns hold; DSS allows longer.
NAME_LIMIT = 200
OWNER_LIMIT = 150


def import_project(
    *,
    by: Person,
    node: Node,
    key: str,
    pipeline: Pipeline,
    policy: str,
    tier: str,
    team: Team | None = None,
    owner: Person | None = None,
    scored_dataset: str = "",
    outcome_column: str = "",
    favourable_value: str = "",
    label_column: str = "",
    score_column: str = "",
    model_id: str = "",
) -> Project:
    """Mirror a DSS project: its name and owner as the design node tells them, one lane per stage.

    A DSS owner who is known here becomes its owner; `owner` is who does instead, and has to be named where DSS's is
    unknown: a project always has an owner who is here. Ownership gives no right by itself. Raises Invalid for a
    wish that cannot be, Unavailable when the node does not answer.
    """
    rights.check_estate(by, Right.MANAGE)
    if node.kind != Node.Kind.DESIGN:
        raise Invalid(
            _("%(node)s is no design node; projects are imported from where they are built.")
            % {"node": node.name},
            code="node_not_design",
            field="node",
        )
    team = team or pipeline.team
    if pipeline.team is not None and team != pipeline.team:
        raise Invalid(
            _("Pipeline %(pipeline)s is %(owner)s's own; a project of %(team)s cannot go through it.")
            % {"pipeline": pipeline.name, "owner": pipeline.team.name, "team": team and team.name},
            code="pipeline_of_another_team",
            field="pipeline",
        )
    with asking(node) as dss:
        found = next((project for project in dss.list_projects() if project.key == key), None)
    if found is None:
        raise Invalid(
            _("%(node)s knows no project “%(key)s”; check the key and that the portal's key may read it.")
            % {"node": node.name, "key": key},
            code="project_unknown",
            field="key",
        )
    project = Project(
        key=key,
        name=(found.name or key)[:NAME_LIMIT],
        node=node,
        pipeline=pipeline,
        policy=policy,
        tier=tier,
        team=team,
        dss_owner=found.owner_login[:OWNER_LIMIT],
        scored_dataset=scored_dataset,
        outcome_column=outcome_column,
        favourable_value=favourable_value,
        label_column=label_column,
        score_column=score_column,
        model_id=model_id,
    )
    try:
        project.full_clean(validate_unique=False)
    except ValidationError as error:
        field, problems = next(iter(error.message_dict.items()))
        raise Invalid(" ".join(problems), code="project_invalid", field=field) from error
    owner = owner or owner_here(node, found.owner_login)
    if owner is None:
        raise Invalid(
            _(
                "DSS says that “%(login)s” owns it, who is nobody here. Name somebody here who owns it from now on."
            )
            % {"login": found.owner_login[:50]},
            code="owner_unknown",
            field="owner",
        )
    _check_able(owner)
    with ledger.business():
        try:
            with transaction.atomic():
                project.save()
        except IntegrityError as error:
            raise Invalid(
                _("“%(key)s” was imported already.") % {"key": key}, code="project_imported", field="key"
            ) from error
        Lane.objects.bulk_create(Lane(project=project, stage=stage) for stage in pipeline.stages.all())
        ledger.record(
            EventKind.PROJECT_IMPORTED,
            by=by,
            project=key,
            subject=f"project:{project.pk}",
            node=node.slug,
            name=project.name,
            tier=tier,
            pipeline=pipeline.slug,
            team=team.slug if team else "",
            dss_owner=found.owner_login,
        )
        project.owners.add(owner)
        _owned(EventKind.OWNER_ADDED, by, project, owner, _("Imported."))
        return project


def owner_here(node: Node, login: str) -> Person | None:
    """The active person that a DSS login is here: as once confirmed, or else of the same login."""
    known = (
        Counterpart.objects.filter(node=node, kind=Counterpart.Kind.USER, name=login)
        .select_related("person")
        .first()
    )
    found = known.person if known else Person.objects.filter(login=spelled(login)).first()
    able = found is not None and found.is_active and found.kind == Person.Kind.PERSON
    return found if able else None


def add_owner(*, by: Person, project: Project, person: Person, why: str) -> None:
    """Make somebody an owner too. An owner's act, or an administrator's; it gives no right by itself."""
    check_owner(by, project)
    why = reason(why)
    _check_able(person)
    with ledger.business():
        Project.objects.select_for_update(no_key=True, of=("self",)).get(pk=project.pk)
        if project.owners.filter(pk=person.pk).exists():
            raise Stale(
                _("%(name)s owns %(project)s already.") % {"name": person.name, "project": project.name},
                code="owner_already",
            )
        project.owners.add(person)
        _owned(EventKind.OWNER_ADDED, by, project, person, why)


def remove_owner(*, by: Person, project: Project, person: Person, why: str) -> None:
    """End somebody's ownership. Raises Refused for the last owner who is here: hand the project over instead."""
    check_owner(by, project)
    why = reason(why)
    with ledger.business():
        _lock_owner(project, person)
        if not project.owners.filter(is_active=True).exclude(pk=person.pk).exists():
            raise Refused(
                _("%(name)s is the only owner of %(project)s who is here. Hand it over to somebody instead.")
                % {"name": person.name, "project": project.name},
                code="last_owner",
                project=project.key,
            )
        project.owners.remove(person)
        _owned(EventKind.OWNER_REMOVED, by, project, person, why)


def hand_over(*, by: Person, project: Project, person: Person, heir: Person, why: str) -> None:
    """Let `heir` own the project in the place of `person`. An owner's act, or an administrator's.

    Rights are not handed over: they come from grants.
    """
    check_owner(by, project)
    why = reason(why)
    _check_able(heir)
    if heir.pk == person.pk:
        raise Invalid(
            _("%(name)s owns it already; name somebody else.") % {"name": heir.name},
            code="heir_self",
            field="heir",
        )
    with ledger.business():
        _lock_owner(project, person)
        project.owners.remove(person)
        project.owners.add(heir)
        ledger.record(
            EventKind.PROJECT_HANDED_OVER,
            by=by,
            project=project.key,
            subject=f"project:{project.pk}",
            project_name=project.name,
            person=str(person.pk),
            name=person.name,
            heir=str(heir.pk),
            heir_name=heir.name,
            why=why,
        )


def may_own(person: Person, project: Project) -> bool:
    """Whether `check_owner` would let the person pass: what to show."""
    own = person.scope is None and project.owners.filter(pk=person.pk).exists()
    return own or Right.MANAGE.value in rights.on_estate(person)


def check_owner(by: Person, project: Project) -> None:
    """An owner who signed in, or who manages the estate."""
    if may_own(by, project):
        return
    rights.see(by, project)
    raise Forbidden(
        _("Only an owner of %(project)s or an administrator can do this. Ask %(names)s.")
        % {
            "project": project.name,
            "names": _(" or ").join(project.owners.filter(is_active=True).values_list("name", flat=True))
            or _("an administrator"),
        },
        code="not_an_owner",
        project=project.key,
    )


def _check_able(person: Person) -> None:
    if not person.is_active or person.kind != Person.Kind.PERSON:
        raise Invalid(
            _("%(name)s is disabled or no person, and cannot own a project.") % {"name": person.name},
            code="owner_unfit",
            field="owner",
        )


def _lock_owner(project: Project, person: Person) -> None:
    """The project, so that two who give up at once follow each other; raises Stale for who is no owner."""
    Project.objects.select_for_update(no_key=True, of=("self",)).get(pk=project.pk)
    if not project.owners.filter(pk=person.pk).exists():
        raise Stale(
            _("%(name)s does not own %(project)s any more.") % {"name": person.name, "project": project.name},
            code="owner_gone",
        )


def _owned(kind: EventKind, by: Person, project: Project, person: Person, why: str) -> None:
    ledger.record(
        kind,
        by=by,
        project=project.key,
        subject=f"project:{project.pk}",
        person=str(person.pk),
        name=person.name,
        why=why,
    )


def reason(why: str) -> str:
    """Why something is done, trimmed; raises Invalid where it says nothing or too much."""
    if not why.strip():
        raise Invalid(_("Say why, so that a later review understands it."), code="why_missing", field="why")
    if len(why.strip()) > WHY_LIMIT:
        raise Invalid(
            _("Say why in at most %(limit)s characters.") % {"limit": WHY_LIMIT}, code="why_long", field="why"
        )
    return why.strip()
