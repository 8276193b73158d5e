"""Imports projects from a design node, and names their owners."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal import ledger, rights
from portal.dss.connect import asking
from portal.errors import Invalid
from portal.event_kinds import EventKind
from portal.models import Lane, Node, Person, Pipeline, Project, Right, Team
from portal.models.person import spelled

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
    scored_dataset: str = "",
    outcome_column: str = "",
    favourable_value: str = "",
    label_column: str = "",
    model_id: str = "",
) -> Project:
    """Mirror a DSS project: its name and owner as the design node tells them, one lane per stage.

    A DSS owner whose login is known here becomes an owner; ownership gives no right by itself. Raises Invalid for a
    key the node does not know or that was imported before and for a pipeline of another team, Unavailable when the node
    does not answer.
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
        model_id=model_id,
    )
    try:
        project.full_clean(validate_unique=False)
    except ValidationError as error:
        field, problems = next(iter(error.message_dict.items()))
        raise Invalid(" ".join(problems), code="project_invalid", field=field) from error
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
        owner = Person.objects.filter(
            login=spelled(found.owner_login), is_active=True, kind=Person.Kind.PERSON
        ).first()
        if owner is not None:
            project.owners.add(owner)
            ledger.record(
                EventKind.OWNER_ADDED,
                by=by,
                project=key,
                subject=f"project:{project.pk}",
                person=str(owner.pk),
                name=owner.name,
            )
        return project
