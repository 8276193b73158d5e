"""Describes the landscape: nodes, pipelines with their stages and places. Parts of a change of the estate.

What asks for a second administrator, and what changes or removes, is portal/actions/landscape.py's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal import ledger, rights
from portal.errors import Invalid
from portal.event_kinds import EventKind
from portal.models import Node, Person, Pipeline, Place, Right, Stage, Team

URL_LIMIT = 200


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
    *,
    by: Person,
    slug: str,
    name: str,
    kind: str,
    url: str,
    key_name: str,
    verify_tls: bool = True,
    change: int | None = None,
) -> Node:
    """Add a DSS node. Only its key's name is kept; the key stays where settings say. Raises Invalid naming a field.

    `change` is the number of the change of the estate that it is part of.
    """
    rights.check_estate(by, Right.MANAGE)
    check_url(url)
    node = Node(
        slug=slug, name=name, kind=kind, url=url.rstrip("/"), key_name=key_name, verify_tls=verify_tls
    )
    with ledger.business():
        keep(node)
        ledger.record(
            EventKind.NODE_ADDED,
            by=by,
            project="",
            subject=f"node:{node.pk}",
            node=slug,
            kind=kind,
            url=node.url,
            change=change,
        )
    return node


def add_pipeline(
    *,
    by: Person,
    slug: str,
    name: str,
    stages: Sequence[NewStage],
    team: Team | None = None,
    change: int | None = None,
) -> Pipeline:
    """Add a pipeline with all its stages and places. Raises Invalid naming the field."""
    rights.check_estate(by, Right.MANAGE)
    if not stages:
        raise Invalid(_("A pipeline needs at least one stage."), code="stages_missing", field="stages")
    with ledger.business():
        pipeline = Pipeline(slug=slug, name=name, team=team)
        keep(pipeline)
        for position, new in enumerate(stages):
            if not new.places:
                raise Invalid(
                    _("Stage “%(stage)s” needs a place to run.") % {"stage": new.slug},
                    code="place_missing",
                    field="places",
                )
            stage = Stage(pipeline=pipeline, slug=new.slug, name=new.name, position=position)
            keep(stage)
            for where in new.places:
                check_places(where)
                place = Place(
                    stage=stage,
                    slug=where.slug,
                    deployer=where.deployer,
                    infra_id=where.infra_id,
                    automation=where.automation,
                )
                keep(place)
        ledger.record(
            EventKind.PIPELINE_ADDED,
            by=by,
            project="",
            subject=f"pipeline:{pipeline.pk}",
            pipeline=slug,
            stages=", ".join(new.slug for new in stages),
            places={new.slug: [where.infra_id for where in new.places] for new in stages},
            change=change,
        )
        return pipeline


def check_url(url: str) -> None:
    """Raise Invalid unless a DSS can be asked there: an http(s) address without user, password, query or fragment.

    A host without a dot is fine, as inside a company or between containers. What is secret has no place in an address.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        usable = usable and len(url) <= URL_LIMIT
    except ValueError:
        usable = False
    if not usable or any(character.isspace() or not character.isprintable() for character in url):
        raise Invalid(
            _(
                "This is no address of a DSS. Give it as a browser opens it, such as https://dss.example.com:11200."
            ),
            code="url_invalid",
            field="url",
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise Invalid(
            _(
                "Leave user, password and everything after “?” or “#” out of the address; the key is kept by its name."
            ),
            code="url_secret",
            field="url",
        )


def check_places(where: NewPlace) -> None:
    """Raise Invalid unless the place's nodes are of the kinds it needs."""
    if where.deployer.kind not in (Node.Kind.DEPLOYER, Node.Kind.DESIGN):
        raise Invalid(
            _("“%(node)s” is no Deployer. Name the node that answers for the Deployer.")
            % {"node": where.deployer.slug},
            code="place_deployer",
            field="places",
        )
    if where.automation.kind != Node.Kind.AUTOMATION:
        raise Invalid(
            _("“%(node)s” is no Automation node. Name the node behind the infrastructure.")
            % {"node": where.automation.slug},
            code="place_automation",
            field="places",
        )


def keep(row: Node | Pipeline | Stage | Place) -> None:
    """Check and save, raising Invalid. What of a stage or place is wrong is named as the pipeline's field."""
    whole = {Stage: "stages", Place: "places"}.get(type(row), "")
    try:
        # Django's idea of an address wants a dot in every host; check_url() has looked at it.
        row.full_clean(exclude=["url"], validate_unique=False, validate_constraints=False)
        with transaction.atomic():
            row.save()
    except ValidationError as error:
        field, problems = next(iter(error.message_dict.items()))
        raise Invalid(" ".join(problems), code="estate_invalid", field=whole or field) from error
    except IntegrityError as error:
        raise Invalid(
            _("There is one called “%(slug)s” already; choose another name.") % {"slug": row.slug},
            code="estate_taken",
            field=whole or "slug",
        ) from error
