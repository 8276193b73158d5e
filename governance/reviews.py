"""Access reviews as they are read: which somebody may see, who answers for what, how far it is. Writes nothing.

Who answers: for a project its owners, and for everything the estate's administrators; nobody for a grant of their own,
be it theirs, their team's or of somebody who lends it to them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

from django.db.models import Count, F, Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.facts import instant
from governance.models import AccessReview, ReviewedGrant, ReviewPlace, ReviewSignature, SignOff
from governance.models.access_review import running
from governance.review_statement import GrantFacts
from portal import rights
from portal.canonical import digest
from portal.errors import Forbidden
from portal.event_kinds import EventKind
from portal.models import Delegation, Event, Grant, Person, Project, Right, Token
from portal.models.grant import DELEGABLE
from portal.queries import looks_over_estate

K = EventKind
A = ReviewedGrant.Answer

# What somebody does with a right, as far as the ledger tells; to see leaves nothing there, signatures have their table.
USES: Mapping[str, tuple[EventKind, ...]] = {
    Right.REQUEST: (K.REQUEST_SUBMITTED, K.REQUEST_TICKETED, K.REQUEST_WITHDRAWN, K.BUNDLE_ASKED, K.COLLECTION_ASKED,
        K.DOCUMENT_RECORDED),
    Right.PROMOTE: (K.REQUEST_PROMOTED, K.PROMOTION_STOPPED, K.LANE_RELEASED),
    Right.MANAGE: (K.GRANT_GIVEN, K.GRANT_REVOKED, K.CHANGE_ASKED, K.CHANGE_APPLIED, K.CHANGE_REFUSED),
    Right.AUDIT: (K.REPORT_ASKED,),
}  # fmt: skip
# Without a project to look in, only what is done seldom is looked for.
SELDOM = (Right.MANAGE, Right.AUDIT)


# --- which reviews, which places --------------------------------------------------------------------------------------


def reviews_for(person: Person) -> QuerySet[AccessReview]:
    """All for who looks over the estate; else those that ask about a project one owns, manages or audits, and sees."""
    found = AccessReview.objects.select_related("project", "portfolio", "started_by", "ended_by")
    if looks_over_estate(person):
        return found
    return found.filter(pk__in=ReviewPlace.objects.filter(_seen(person)).values("review"))


def places_for(person: Person, review: AccessReview | int) -> QuerySet[ReviewPlace]:
    """The places of a review that the person may look at."""
    # By its key, of which the database is only asked what it can hold: an address may say any number.
    number = review if isinstance(review, int) else review.pk
    found = ReviewPlace.objects.filter(review__pk=number).select_related("project", "portfolio", "review")
    return found if looks_over_estate(person) else found.filter(_seen(person))


def review_for(person: Person, number: int) -> AccessReview:
    """One review; raises Absent for who sees none of its projects, Forbidden for a mere member of one."""
    found = reviews_for(person).filter(pk=number).first()
    if found is None:
        _refuse(person, ReviewPlace.objects.filter(review__pk=number))
    return found


def place_for(person: Person, number: int, at: int) -> ReviewPlace:
    """One place of a review; raises Absent for who does not see its project, Forbidden for a mere member of it."""
    found = places_for(person, number).filter(pk=at).first()
    if found is None:
        _refuse(person, ReviewPlace.objects.filter(review__pk=number, pk=at))
    return found


def _refuse(person: Person, places: QuerySet[ReviewPlace]) -> NoReturn:
    hidden = rights.visible_projects(person).filter(pk__in=places.values("project")).first()
    if hidden is None:
        raise rights.absent()
    raise Forbidden(
        _(
            "What an access review asks is for the owners of %(project)s, and for those who manage or audit it."
        )
        % {"project": hidden.name},
        code="right_missing",
        right=Right.MANAGE.value,
        project=hidden.key,
    )


def signatures_for(person: Person, review: AccessReview) -> QuerySet[ReviewSignature]:
    """The signatures of a review: all for who looks over the estate, else those on what one may look at."""
    found = ReviewSignature.objects.filter(review=review).select_related("signed_by", "review")
    if looks_over_estate(person):
        return found
    seen = ReviewedGrant.objects.filter(place__in=places_for(person, review).values("pk"))
    others = ReviewedGrant.objects.filter(signature__isnull=False).exclude(
        place__in=places_for(person, review).values("pk")
    )
    return found.filter(pk__in=seen.values("signature")).exclude(pk__in=others.values("signature"))


def _seen(person: Person) -> Q:
    """Places of projects that the person owns and sees, or manages or audits."""
    over = rights.lanes_with(person, [Right.MANAGE, Right.AUDIT]).values("project")
    return Q(project__in=_owned(person)) | Q(project__in=over)


def _owned(person: Person) -> QuerySet[Project]:
    """Ownership gives no right: who owns a project without any right on it does not see it, and answers for nothing."""
    return rights.visible_projects(person).filter(owners=person)


# --- who answers ------------------------------------------------------------------------------------------------------


def administers(person: Person) -> bool:
    """Whether the person answers for everything."""
    return Right.MANAGE.value in rights.on_estate(person)


def answers_at(person: Person, places: Sequence[ReviewPlace]) -> set[int]:
    """At which of these places the person answers, by id."""
    if person.scope is not None or not person.is_active or person.kind != Person.Kind.PERSON:
        return set()
    if administers(person):
        return {place.pk for place in places}
    asked = [place.project_id for place in places if place.project_id is not None]
    mine = set(_owned(person).filter(pk__in=asked).values_list("pk", flat=True))
    return {place.pk for place in places if place.project_id in mine}


def own_grants(person: Person) -> Q:
    """The grants by which the person holds something: their own, their teams', and those of whom they stand in for.

    Of these also where they will stand in for them later on, and only what can be lent. And those of a service account
    whose token they made: they could come as it.
    """
    lenders = Delegation.objects.filter(
        delegate=person, until__gt=timezone.now(), ended_at__isnull=True
    ).values("person")
    lent = _held_by(lenders) & Q(right__in=[right.value for right in DELEGABLE])
    robots = Token.objects.filter(
        made_by=person, person__kind=Person.Kind.SERVICE, revoked_at=None, expires_at__gt=timezone.now()
    ).values("person")
    return _held_by([person.pk]) | lent | _held_by(robots)


def _held_by(people: QuerySet[Any, Any] | list[UUID]) -> Q:
    groups = Person.groups.through.objects.filter(person__in=people).values("group")
    return Q(person__in=people) | Q(team__group__in=groups)


def waiting() -> Q:
    """Grants under review that nobody answered for and that are in force still."""
    return Q(answer="", grant__revoked_at__isnull=True) & (
        Q(grant__until__isnull=True) | Q(grant__until__gt=timezone.now())
    )


def lapsed() -> Q:
    """Grants that nobody confirmed in time, whether or not that was written down yet."""
    ended = Q(answer="", grant__revoked_at__isnull=True, grant__until__lte=timezone.now())
    shortened = Q(grant__until_given__isnull=True) | Q(grant__until_given__gt=F("grant__until"))
    return Q(answer=A.LAPSED) | (ended & Q(grant__under_review=F("review")) & shortened)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for somebody in a review: at a place of theirs, or (no place) anywhere, for an administrator."""

    review: AccessReview
    place: ReviewPlace | None
    count: int


def waits_for(person: Person) -> list[Waiting]:
    """What somebody can answer for now; of every review that runs, a line for an administrator, a line a place else.

    One query where no review runs.
    """
    now = timezone.now()
    reviews = {
        one.pk: one
        for one in AccessReview.objects.filter(running(now)).select_related("project", "portfolio")
    }
    if not reviews or person.scope is not None or person.kind != Person.Kind.PERSON or not person.is_active:
        return []
    asked = ReviewedGrant.objects.filter(waiting(), review__in=reviews).exclude(
        grant__in=Grant.objects.filter(own_grants(person), under_review__in=reviews)
    )
    if administers(person):
        by_review = asked.order_by().values("review").annotate(count=Count("pk"))
        return [Waiting(reviews[row["review"]], None, row["count"]) for row in by_review]
    mine = asked.filter(place__project__in=_owned(person)).order_by()
    found = {row["place"]: row["count"] for row in mine.values("place").annotate(count=Count("pk"))}
    places = (
        ReviewPlace.objects.filter(pk__in=found).select_related("project").order_by("review", "project__key")
    )
    return [Waiting(reviews[place.review_id], place, found[place.pk]) for place in places]


# --- how far it is ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """How many grants are asked about, by what became of them; `waiting` nobody has answered for."""

    asked: int = 0
    waiting: int = 0
    confirmed: int = 0
    revoked: int = 0
    lapsed: int = 0
    spared: int = 0
    otherwise: int = 0

    @property
    def answered(self) -> int:
        """What is settled, in whichever way."""
        return self.asked - self.waiting

    @property
    def percent(self) -> int:
        return 100 * self.answered // self.asked if self.asked else 100


def progress_of(reviews: Iterable[AccessReview]) -> dict[int, Progress]:
    """By review, in one query."""
    return _progress("review", [one.pk for one in reviews])


def progress_seen(person: Person, reviews: Iterable[AccessReview]) -> dict[int, Progress]:
    """By review, how far it is at the places somebody may look at; in one query."""
    ids = [one.pk for one in reviews]
    seen = ReviewedGrant.objects.filter(review__in=ids)
    if not looks_over_estate(person):
        seen = seen.filter(place__in=ReviewPlace.objects.filter(_seen(person)).values("pk"))
    found = _counted(seen, "review")
    return {one: found.get(one, Progress()) for one in ids}


def progress_at(places: Iterable[ReviewPlace]) -> dict[int, Progress]:
    """By place, in one query."""
    return _progress("place", [one.pk for one in places])


def _progress(by: str, ids: list[int]) -> dict[int, Progress]:
    found = _counted(ReviewedGrant.objects.filter(**{f"{by}__in": ids}), by)
    return {one: found.get(one, Progress()) for one in ids}


def _counted(asked: QuerySet[ReviewedGrant], by: str) -> dict[int, Progress]:
    settled = Q(answer__in=(A.CONFIRMED, A.REVOKED, A.SPARED))
    counts = {
        "waiting": waiting(),
        "confirmed": Q(answer=A.CONFIRMED),
        "revoked": Q(answer=A.REVOKED),
        "lapsed": lapsed(),
        "spared": Q(answer=A.SPARED),
        "otherwise": ~(waiting() | lapsed() | settled),
    }
    rows = asked.order_by().values(by)
    return {
        row.pop(by): Progress(**row)
        for row in rows.annotate(
            asked=Count("pk"), **{name: Count("pk", filter=which) for name, which in counts.items()}
        )
    }


# --- what is answered for ---------------------------------------------------------------------------------------------


def asked_at(place: ReviewPlace) -> QuerySet[ReviewedGrant]:
    """The grants a review asks about at a place, those that wait first, with all that is read of them."""
    return whole(ReviewedGrant.objects.filter(place=place)).order_by(
        "answer", "grant__right", "grant__role", "pk"
    )


def whole(asked: QuerySet[ReviewedGrant]) -> QuerySet[ReviewedGrant]:
    """With all that is read of them."""
    return asked.select_related(
        "grant__person", "grant__team", "grant__project", "grant__portfolio", "grant__given_by", "answered_by",
        "place", "signature",
    )  # fmt: skip


def facts_of(grants: Collection[Grant]) -> dict[int, GrantFacts]:
    """What an answer binds of each of these grants as they are now, by id; one query for the teams' members."""
    groups = {grant.team.group_id for grant in grants if grant.team is not None}
    members = members_of(groups) if groups else {}
    return {grant.pk: fact_of(grant, members) for grant in grants}


def members_of(groups: Collection[int]) -> dict[int, list[str]]:
    """Who is in each of these groups and has an account that is open, by uuid."""
    found: dict[int, list[str]] = defaultdict(list)
    for group, person in Person.groups.through.objects.filter(
        group__in=groups, person__is_active=True
    ).values_list("group_id", "person_id"):
        found[group].append(str(person))
    return found


def fact_of(grant: Grant, members: Mapping[int, list[str]]) -> GrantFacts:
    """What an answer binds of a grant, with who is in the teams."""
    inside = sorted(members.get(grant.team.group_id, ())) if grant.team is not None else []
    if grant.project is not None:
        where = f"project {grant.project.key}"
    else:
        where = f"portfolio {grant.portfolio.slug}" if grant.portfolio is not None else "the estate"
    return GrantFacts(
        id=grant.pk,
        holder_kind="person" if grant.team is None else "team",
        holder=str(grant.person_id) if grant.team is None else grant.team.slug,
        right=grant.right,
        role=grant.role,
        where=where,
        stage=grant.stage,
        end=instant(grant.end) if grant.end else None,
        given_at=instant(grant.given_at),
        given_by=str(grant.given_by_id),
        members=len(inside),
        members_digest=digest(inside) if grant.team is not None else "",
    )


def last_used(place: ReviewPlace, grants: Collection[Grant]) -> dict[int, datetime]:
    """When each of these grants' rights was last used there, as far as the ledger and signatures tell; three queries.

    Of what is not on one project only what is done seldom is looked for: who managed and who audited.
    """
    groups = {grant.team.group_id for grant in grants if grant.team is not None}
    inside = members_of(groups) if groups else {}
    people: dict[int, set[str]] = {
        grant.pk: {str(grant.person_id)} if grant.team is None else set(inside.get(grant.team.group_id, ()))
        for grant in grants
    }
    everybody = {UUID(one) for some in people.values() for one in some}
    asked = {grant.right for grant in grants} & (USES.keys() if place.project_id else set(SELDOM))
    seen: dict[tuple[str, str, str], datetime] = {}
    kinds = {kind: right for right in asked for kind in USES[right]}
    if kinds:
        events = Event.objects.filter(kind__in=list(kinds), actor__in=everybody)
        if place.project is not None:
            events = events.filter(project=place.project.key)
        for actor, kind, at in events.order_by().values_list("actor", "kind").annotate(Max("at")):
            _later(seen, (str(actor), kinds[EventKind(kind)], ""), at)
    if place.project_id and any(grant.right == Right.SIGN for grant in grants):
        signed = SignOff.objects.filter(lane__project=place.project_id, person__in=everybody)
        for signer, role, at in signed.order_by().values_list("person", "role").annotate(Max("signed_at")):
            _later(seen, (str(signer), Right.SIGN.value, role), at)
    found: dict[int, datetime] = {}
    for grant in grants:
        times = [seen[key] for one in people[grant.pk] if (key := (one, grant.right, grant.role)) in seen]
        if times:
            found[grant.pk] = max(times)
    return found


def _later(seen: dict[Any, datetime], key: Any, at: datetime) -> None:
    seen[key] = max(at, seen.get(key, at))
