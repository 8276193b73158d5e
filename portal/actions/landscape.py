"""Changes the estate: brings all of it to a document, or one node or pipeline to what is said of it, as one change.

Nothing that has a history is removed or turned into something else: what ran somewhere keeps its meaning.
"""

from typing import Any, Literal

from django.db import transaction
from django.db.models import Model, ProtectedError, Q, RestrictedError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal import ledger, rights
from portal.actions import changes
from portal.actions.estate import NewPlace, NewStage, add_node, add_pipeline, check_places, check_url, keep
from portal.actions.grants import ACTING
from portal.errors import Invalid
from portal.estate_file import Document, current, described, differences, normal
from portal.event_kinds import EventKind
from portal.models import Change, Grant, Lane, Node, Person, Pipeline, Place, Project, Right, Stage, Team
from portal.projecting import project_grants

# Positions are unique in a pipeline, so stages step aside before they are put in another order.
ASIDE = 1_000
Noun = Literal["node", "pipeline"]


def bring(*, by: Person, document: Document, why: str, reviewed: bool = False) -> Change:
    """Propose to bring the estate to a document (`portal.estate_file.read`); see portal.actions.changes.ask.

    `reviewed`: it comes from a file whose repository somebody else reviews. Raises Invalid where nothing would change,
    or naming what stands in the way.
    """
    return _ask(by, {"document": document}, why, reviewed)


def check_teams(document: Document) -> None:
    """Raise Invalid naming the first pipeline that a document gives to a team nobody knows."""
    owners = {slug: said["team"] for slug, said in document["pipelines"].items() if said["team"] is not None}
    known = set(Team.objects.filter(slug__in=owners.values()).values_list("slug", flat=True))
    for pipeline, team in owners.items():
        if team not in known:
            raise Invalid(
                _(
                    "Pipeline “%(pipeline)s”: there is no team “%(team)s”. Write one that there is, or add it first."
                )
                % {"pipeline": pipeline, "team": team},
                code="team_unknown",
                field="team",
            )


def rehearse(*, by: Person, document: Document) -> list[str]:
    """What bringing the estate to a document would do, a line each; nothing is changed.

    Raises Forbidden for who may, Invalid naming what stands in the way.
    """
    rights.check_estate(by, Right.MANAGE)
    does = differences(current(), document)
    if does:
        changes.rehearse(by=by, kind=Change.Kind.ESTATE, wish={"document": document, "does": does})
    return does


def add(*, by: Person, noun: Noun, slug: str, said: Document, why: str) -> Change:
    """Propose to add a node or pipeline, said as a document says it.

    Raises as `bring`, and Invalid where it is there.
    """
    rights.check_estate(by, Right.MANAGE)
    if slug in current()[f"{noun}s"]:
        raise Invalid(
            _("There is one called “%(slug)s” already; choose another name.") % {"slug": slug},
            code="estate_taken",
            field="slug",
        )
    return _ask(by, _part(noun, slug, said), why)


def alter(*, by: Person, noun: Noun, slug: str, said: Document, why: str) -> Change:
    """Propose to change what is said of a node or pipeline; what is left out stays. Raises as `bring`, and Absent."""
    rights.check_estate(by, Right.MANAGE)
    there = current()[f"{noun}s"].get(slug)
    if there is None:
        raise rights.absent()
    return _ask(by, _part(noun, slug, {**there, **said}), why)


def remove(*, by: Person, noun: Noun, slug: str, why: str) -> Change:
    """Propose to remove a node or pipeline. Raises as `bring`, and Absent."""
    rights.check_estate(by, Right.MANAGE)
    if slug not in current()[f"{noun}s"]:
        raise rights.absent()
    return _ask(by, {"part": {f"{noun}s": {slug: None}}}, why)


def _part(noun: Noun, slug: str, said: Document) -> Document:
    """A wish about one of them, as a document says it: equal things in equal words."""
    whole = normal({"nodes": {}, "pipelines": {}, f"{noun}s": {slug: said}})
    return {"part": {f"{noun}s": whole[f"{noun}s"]}}


def _ask(by: Person, wish: Any, why: str, reviewed: bool = False) -> Change:
    rights.check_estate(by, Right.MANAGE)
    now = current()
    does = differences(now, _document(wish, now))
    if not does:
        raise Invalid(_("The estate is like this already."), code="estate_same", field="document")
    return changes.ask(
        by=by, kind=Change.Kind.ESTATE, wish={**wish, "does": does}, why=why, reviewed=reviewed
    )


def _document(wish: Any, now: Document) -> Document:
    """The whole estate that a wish comes to."""
    if "document" in wish:
        whole: Document = wish["document"]
        return whole
    found: Document = {}
    for nouns in ("nodes", "pipelines"):
        part = wish["part"].get(nouns, {})
        merged = {**now[nouns], **part}
        found[nouns] = {slug: said for slug, said in merged.items() if said is not None}
    return found


class _Estate:
    """What a change of estate means.

    `{"document": the whole estate}`, or `{"part": {"nodes": {slug: said or null}, "pipelines": {...}}}` of what alone
    is added, changed or (null) removed; beside it `does`, the differences as they were when it was proposed.
    """

    def check(self, *, by: Person, wish: Any) -> None:
        """Administrators of the estate."""
        rights.check_estate(by, Right.MANAGE)

    def basis(self, wish: Any) -> Any:
        """The whole estate as it is, or what it says of the part."""
        now = current()
        if "document" in wish:
            return now
        return {
            nouns: {slug: now[nouns].get(slug) for slug in sorted(part)}
            for nouns, part in sorted(wish["part"].items())
        }

    def only_takes(self, wish: Any) -> bool:
        """Where things run is no right."""
        return False

    def facts(self, wish: Any) -> list[str]:
        """The differences."""
        return list(wish.get("does") or differences(current(), _document(wish, current())))

    def apply(self, *, by: Person, asked_by: Person, wish: Any, change: Change) -> None:
        """Add, change and remove, in an order in which each finds what it needs."""
        document = _document(wish, current())
        with ledger.business():
            for slug, said in document["nodes"].items():
                _bring_node(by, slug, said, change)
            nodes = {node.slug: node for node in Node.objects.all()}
            for slug, said in document["pipelines"].items():
                _bring_pipeline(by, slug, said, nodes, change)
            for pipeline in Pipeline.objects.exclude(slug__in=document["pipelines"]):
                _remove(by, pipeline, EventKind.PIPELINE_REMOVED, change, pipeline=pipeline.slug)
            for node in Node.objects.exclude(slug__in=document["nodes"]):
                _remove(by, node, EventKind.NODE_REMOVED, change, node=node.slug)


ESTATE: changes.Kind = _Estate()


def _bring_node(by: Person, slug: str, said: Document, change: Change) -> None:
    node = Node.objects.filter(slug=slug).first()
    if node is None:
        add_node(by=by, slug=slug, change=change.pk, **said)
        return
    before = {field: getattr(node, field) for field in said}
    if before == said:
        return
    if node.kind != said["kind"] and _has_history(node):
        raise Invalid(
            _("“%(node)s” is in use as a %(kind)s; add another node instead of changing its kind.")
            % {"node": slug, "kind": node.get_kind_display()},
            code="node_in_use",
            field="nodes",
        )
    check_url(said["url"])
    for field, value in said.items():
        setattr(node, field, value)
    keep(node)
    ledger.record(
        EventKind.NODE_CHANGED,
        by=by,
        project="",
        subject=f"node:{node.pk}",
        node=slug,
        before=before,
        after=said,
        change=change.pk,
    )


def _bring_pipeline(by: Person, slug: str, said: Document, nodes: dict[str, Node], change: Change) -> None:
    pipeline = Pipeline.objects.filter(slug=slug).select_related("team").first()
    team = _team(said["team"])
    if pipeline is None:
        stages = [
            NewStage(
                stage["stage"],
                stage["name"],
                [_place(place, nodes) for place in stage["places"]],
            )
            for stage in said["stages"]
        ]
        add_pipeline(by=by, slug=slug, name=said["name"], stages=stages, team=team, change=change.pk)
        return
    before = described(pipeline)
    if before == said:
        return
    if not said["stages"]:
        raise Invalid(_("A pipeline needs at least one stage."), code="stages_missing", field="stages")
    if team is not None and team != pipeline.team:
        _check_owner(pipeline, team)
    pipeline.name, pipeline.team = said["name"], team
    keep(pipeline)
    _bring_stages(pipeline, said["stages"], nodes)
    ledger.record(
        EventKind.PIPELINE_CHANGED,
        by=by,
        project="",
        subject=f"pipeline:{pipeline.pk}",
        pipeline=slug,
        before=before,
        after=said,
        change=change.pk,
    )


def _place(said: Document, nodes: dict[str, Node]) -> NewPlace:
    """A place with its nodes; raises Invalid for a node that is not there."""
    for role in ("deployer", "automation"):
        if said[role] not in nodes:
            raise Invalid(
                _("There is no node “%(slug)s”.") % {"slug": said[role]}, code="node_unknown", field=role
            )
    return NewPlace(said["place"], nodes[said["deployer"]], said["infra_id"], nodes[said["automation"]])


def _bring_stages(pipeline: Pipeline, said: list[Document], nodes: dict[str, Node]) -> None:
    there = {stage.slug: stage for stage in pipeline.stages.all()}
    wanted = [stage["stage"] for stage in said]
    for slug, stage in there.items():
        if slug not in wanted:
            _remove_stage(stage)
    moved = [there[slug] for slug in wanted if slug in there]
    for stage in moved:
        stage.position += ASIDE
    Stage.objects.bulk_update(moved, ["position"])
    added = False
    for position, one in enumerate(said):
        stage = there.get(one["stage"]) or Stage(pipeline=pipeline, slug=one["stage"])
        stage.name, stage.position = one["name"], position
        new = stage.pk is None
        keep(stage)
        _bring_places(stage, one["places"], nodes)
        if new:
            added = True
            Lane.objects.bulk_create(
                Lane(project=project, stage=stage) for project in pipeline.projects.all()
            )
    if added:
        # Rights granted on a project for every stage hold on the new one, too.
        project_grants(pipeline.projects.all())


def _bring_places(stage: Stage, said: list[Document], nodes: dict[str, Node]) -> None:
    if not said:
        raise Invalid(
            _("Stage “%(stage)s” needs a place to run.") % {"stage": stage.slug},
            code="place_missing",
            field="places",
        )
    there = {place.slug: place for place in stage.places.all()}
    for slug, place in there.items():
        if slug not in [one["place"] for one in said]:
            _delete(place, "places")
    for one in said:
        new = _place(one, nodes)
        check_places(new)
        place = there.get(one["place"]) or Place(stage=stage, slug=one["place"])
        same = place.pk and (
            (place.deployer, place.infra_id, place.automation) == (new.deployer, new.infra_id, new.automation)
        )
        if same:
            continue
        if place.pk and _has_history(place):
            raise Invalid(
                _(
                    "Promotions ran at place “%(place)s” of stage “%(stage)s”, so it cannot become another."
                    " Give the new place a name of its own."
                )
                % {"place": place.slug, "stage": stage.slug},
                code="place_in_use",
                field="places",
            )
        place.deployer, place.infra_id, place.automation = new.deployer, new.infra_id, new.automation
        keep(place)


def _remove_stage(stage: Stage) -> None:
    named = Grant.objects.filter(
        project__pipeline=stage.pipeline, stage=stage.slug, revoked_at__isnull=True
    ).count()
    if named:
        raise Invalid(
            ngettext(
                "One right is granted for stage “%(stage)s” alone. Revoke it first.",
                "%(count)s rights are granted for stage “%(stage)s” alone. Revoke them first.",
                named,
            )
            % {"count": named, "stage": stage.slug},
            code="stage_granted",
            field="stages",
        )
    for lane in stage.lanes.all():
        _delete(lane, "stages")
    for place in stage.places.all():
        _delete(place, "places")
    _delete(stage, "stages")


def _remove(by: Person, row: Node | Pipeline, kind: EventKind, change: Change, **facts: Any) -> None:
    noun = "pipeline" if isinstance(row, Pipeline) else "node"
    subject = f"{noun}:{row.pk}"
    _delete(row, f"{noun}s")
    ledger.record(kind, by=by, project="", subject=subject, change=change.pk, **facts)


def _delete(row: Model, field: str) -> None:
    try:
        with transaction.atomic():
            row.delete()
    except (ProtectedError, RestrictedError) as error:
        raise Invalid(
            _("“%(row)s” is in use or has a history, so it stays. Leave it in the document.") % {"row": row},
            code="estate_in_use",
            field=field,
        ) from error


def _has_history(row: Model) -> bool:
    """Whether something refers to the row that must not lose it."""
    try:
        with transaction.atomic():
            type(row)._default_manager.get(pk=row.pk).delete()
            transaction.set_rollback(True)
    except (ProtectedError, RestrictedError):
        return True
    return False


def _check_owner(pipeline: Pipeline, team: Team) -> None:
    """Raise Invalid where a project or a grant contradicts that the pipeline becomes this team's own."""
    project = Project.objects.filter(pipeline=pipeline).exclude(team=team).first()
    if project is not None:
        raise Invalid(
            _("%(project)s is not %(team)s's, so the pipeline it goes through cannot become theirs.")
            % {"project": project.name, "team": team.name},
            code="pipeline_of_another_team",
            field="team",
        )
    grant = (
        Grant.objects.filter(
            Q(project__pipeline=pipeline) | Q(portfolio__projects__pipeline=pipeline),
            team__isnull=False,
            right__in=ACTING,
            revoked_at__isnull=True,
        )
        .exclude(team=team)
        .select_related("team", "project", "portfolio")
        .first()
    )
    if grant is not None:
        raise Invalid(
            _("%(other)s may act on %(place)s, and so in this pipeline. Revoke that first.")
            % {"other": grant.team, "place": grant.project or grant.portfolio},
            code="pipeline_of_another_team",
            field="team",
        )


def _team(slug: str | None) -> Team | None:
    if slug is None:
        return None
    team = Team.objects.filter(slug=slug).first()
    if team is None:
        raise Invalid(_("There is no team “%(name)s”.") % {"name": slug}, code="team_unknown", field="team")
    return team
