"""Reads of the portal for lists: the rows a person may know of, and who may look over more than a project.

Not in charge of finding the one thing an address names (`portal.lookups`) nor of rights as such (`portal.rights`).
"""

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import rights
from portal.errors import Invalid
from portal.holders import grantors
from portal.lookups import lanes_of
from portal.models import Bundle, Change, Delegation, Grant, Lane, Person, Pipeline, Project, Right, Team


def lane_for(project: Project, stage: str) -> Lane:
    """The lane of a project at a stage; raises Invalid naming the field `stage`."""
    lanes = {lane.stage.slug: lane for lane in lanes_of(project)}
    if stage not in lanes:
        raise Invalid(
            _("There is no stage “%(stage)s” here; stages are: %(known)s.")
            % {"stage": stage, "known": ", ".join(lanes)},
            code="stage_unknown",
            field="stage",
        )
    return lanes[stage]


def bundles_of(project: Project) -> QuerySet[Bundle]:
    """The bundles of a project, with the people they name; their manifests stay where they are."""
    return Bundle.objects.filter(project=project).select_related("project", "asked_by", "author")


def looks_over_estate(person: Person) -> bool:
    """Whether the person administers or audits the whole estate."""
    return bool({Right.MANAGE.value, Right.AUDIT.value} & rights.on_estate(person))


def check_looks_over_estate(person: Person) -> None:
    """Raise Forbidden unless the person administers or audits the whole estate."""
    if not looks_over_estate(person):
        rights.check_estate(person, Right.MANAGE)


def check_audit(person: Person, project: Project | None) -> None:
    """Raise unless the person audits the whole estate, or, of one project, any lane of it."""
    if project is None:
        rights.check_estate(person, Right.AUDIT)
        return
    lanes = lanes_of(project)
    held = rights.held_on(person, lanes)
    if not any(Right.AUDIT.value in names for names in held.values()):
        rights.check(person, Right.AUDIT, lanes[0])


def grants_for(person: Person, project: Project | None = None) -> QuerySet[Grant]:
    """Grants on the projects the person may see, and for who looks over the estate also those on all of it."""
    found = Grant.objects.select_related("person", "team", "project", "portfolio", "given_by", "revoked_by")
    if project is not None:
        return found.filter(project=project)
    if looks_over_estate(person):
        return found
    return found.filter(
        Q(project__in=rights.visible_projects(person)) | Q(portfolio__in=rights.visible_portfolios(person))
    )


def teams_for(person: Person) -> QuerySet[Team]:
    """The person's own teams; all of them for who looks over the estate.

    A token narrowed to projects knows of those that own one of these or hold a right there.
    """
    found = Team.objects.select_related("group")
    if looks_over_estate(person):
        return found
    own = found.filter(group__in=person.groups.values("pk"))
    if person.scope is None or person.scope.projects is None:
        return own
    there = rights.visible_projects(person)
    granted = Grant.objects.in_force(timezone.now()).filter(project__in=there, team__isnull=False)
    return own.filter(Q(projects__in=there) | Q(pk__in=granted.values("team"))).distinct()


def pipelines_for(person: Person) -> QuerySet[Pipeline]:
    """The pipelines of the projects the person may see; all of them for who looks over the estate."""
    found = Pipeline.objects.select_related("team").prefetch_related(
        "stages__places__deployer", "stages__places__automation"
    )
    if looks_over_estate(person):
        return found
    return found.filter(pk__in=rights.visible_projects(person).values("pipeline"))


def delegations_for(person: Person) -> QuerySet[Delegation]:
    """Who stands in for the person and for whom they do; everybody's for who looks over the estate."""
    found = Delegation.objects.select_related("person", "delegate", "made_by", "ended_by")
    if looks_over_estate(person):
        return found
    if person.scope is not None:
        return found.none()
    return found.filter(Q(person=person) | Q(delegate=person))


def changes_for(person: Person) -> QuerySet[Change]:
    """The changes a person may read: all for who looks over the estate, else their own and their projects'."""
    found = Change.objects.select_related("project", "portfolio", "asked_by", "decided_by")
    return found if looks_over_estate(person) else found.filter(_theirs(person))


def waiting_changes(person: Person, *, estate: bool) -> list[Change]:
    """The changes that wait where a person manages or audits; `estate`: they look over all of it. One query then."""
    found = Change.objects.filter(status=Change.Status.WAITING)
    return list(found if estate else found.filter(_theirs(person)))


def count_changes(person: Person) -> str:
    """How many changes wait that somebody else proposed, for the navigation; nothing to say of none."""
    found = Change.objects.filter(status=Change.Status.WAITING).exclude(asked_by=person)
    held, _somewhere = rights.oversight(person)
    if not {Right.MANAGE.value, Right.AUDIT.value} & held:
        found = found.filter(_theirs(person))
    count = found.count()
    return str(count) if count else ""


def _theirs(person: Person) -> Q:
    managed = rights.lanes_with(person, [Right.MANAGE, Right.AUDIT]).values("project")
    portfolios = Grant.objects.in_force(timezone.now()).filter(
        Q(person=person) | Q(team__group__in=person.groups.values("pk")), right=Right.MANAGE, stage=""
    )
    own = Q(asked_by=person) if person.scope is None else Q(pk__in=())
    return (
        own
        | Q(project__in=managed)
        | Q(portfolio__in=portfolios.filter(portfolio__isnull=False).values("portfolio"))
    )


def proposed(change: Change) -> str:
    """What to tell whoever proposed a change that waits."""
    return _("Proposed as change %(number)s. %(names)s can apply it.") % {
        "number": change.pk,
        "names": deciders_of(change),
    }


def deciders_of(change: Change) -> str:
    """Names of the people who can apply or refuse a change: whoever manages there, but who proposed it."""
    return grantors(change.project, change.portfolio, but=change.asked_by)
