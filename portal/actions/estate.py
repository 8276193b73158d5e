"""Describes the landscape: nodes, pipelines with their stages and places. An admin's acts."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from portal import ledger, rights
from portal.errors import Invalid
from portal.event_kinds import EventKind
from portal.models import Node, Person, Pipeline, Place, Right, Stage, Team


@dataclass(frozen=True, slots=True)
class NewPlace:
    """An infrastructure of a Deployer and the Automation node behind it."""

    slug: str
    deployer: Node
    infra_id: str
    automation: Node


@dataclass(frozen=True, slots=True)
class NewStage:
    """A stage with its places, in the pipeline's order."""

    slug: str
    name: str
    places: Sequence[NewPlace]


def add_node(
    *, by: Person, slug: str, name: str, kind: str, url: str, key_name: str, verify_tls: bool = True
) -> Node:
    """Add a DSS node. Its key stays where settings say; only the key's name is kept."""
    rights.check_estate(by, Right.MANAGE)
    node = Node(
        slug=slug, name=name, kind=kind, url=url.rstrip("/"), key_name=key_name, verify_tls=verify_tls
    )
    with ledger.business():
        _clean(node)
        node.save()
        ledger.record(
            EventKind.NODE_ADDED,
            by=by,
            project="",
            subject=f"node:{node.pk}",
            node=slug,
            kind=kind,
            url=node.url,
        )
    return node


def add_pipeline(
    *, by: Person, slug: str, name: str, stages: Sequence[NewStage], team: Team | None = None
) -> Pipeline:
    """Add a pipeline with all its stages and places."""
    rights.check_estate(by, Right.MANAGE)
    if not stages:
        raise Invalid(_("A pipeline needs at least one stage."), code="stages_missing", field="stages")
    with ledger.business():
        pipeline = Pipeline(slug=slug, name=name, team=team)
        _clean(pipeline)
        pipeline.save()
        for position, new in enumerate(stages):
            if not new.places:
                raise Invalid(
                    _("Stage “%(stage)s” needs a place to run.") % {"stage": new.slug},
                    code="place_missing",
                    field="places",
                )
            stage = Stage(pipeline=pipeline, slug=new.slug, name=new.name, position=position)
            _clean(stage)
            stage.save()
            for where in new.places:
                place = Place(
                    stage=stage,
                    slug=where.slug,
                    deployer=where.deployer,
                    infra_id=where.infra_id,
                    automation=where.automation,
                )
                _clean(place)
                place.save()
        ledger.record(
            EventKind.PIPELINE_ADDED,
            by=by,
            project="",
            subject=f"pipeline:{pipeline.pk}",
            pipeline=slug,
            stages=", ".join(new.slug for new in stages),
            places={new.slug: [where.infra_id for where in new.places] for new in stages},
        )
        return pipeline


def _clean(row: Node | Pipeline | Stage | Place) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        field, problems = next(iter(error.message_dict.items()))
        raise Invalid(" ".join(problems), code="estate_invalid", field=field) from error
