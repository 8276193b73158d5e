"""Access reviews for programs: to start, to read, to answer with a signature, to call off. A token never signs."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance import reviews
from governance.actions import access_reviews, reports
from governance.actions.access_reviews import Answer
from governance.actions.signoffs import STATEMENT_TYPE
from governance.api.reports import ReportSerializer
from governance.models import AccessReview, ReviewedGrant, ReviewPlace, ReviewSignature
from governance.review_statement import CONFIRM, REVOKE
from portal import content, rights, signing
from portal.api.auth import acting, by_token
from portal.api.downloads import Download, sent
from portal.api.fields import At
from portal.api.grants import GrantSerializer
from portal.api.inputs import Input, PasswordField, Why, checked, one_of, whole_number
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.api.proofs import proof_in
from portal.errors import Invalid
from portal.models import Person, Portfolio, Project, Right
from portal.refusals import audited


class ProgressSerializer(serializers.Serializer[Any]):
    """How many rights are asked about, by what became of them."""

    asked = serializers.IntegerField()
    waiting = serializers.IntegerField()
    confirmed = serializers.IntegerField()
    revoked = serializers.IntegerField()
    lapsed = serializers.IntegerField(help_text="ended at the due date for want of an answer")
    spared = serializers.IntegerField(help_text="kept for the last administrator")
    otherwise = serializers.IntegerField(help_text="revoked or run out meanwhile, or not asked any more")


class AccessReviewSerializer(serializers.Serializer[AccessReview]):
    """A review; without project and portfolio it is about the whole estate. `is_running`: it can be answered."""

    id = serializers.IntegerField()
    project = serializers.CharField(source="project.key", default=None, allow_null=True)
    portfolio = serializers.CharField(source="portfolio.slug", default=None, allow_null=True)
    status = serializers.ChoiceField(choices=AccessReview.Status.choices)
    is_running = serializers.BooleanField()
    why = serializers.CharField()
    due = At()
    started_at = At()
    started_by = PersonSerializer()
    ended_at = At(allow_null=True)
    ended_by = PersonSerializer(allow_null=True)


class WholeReviewSerializer(AccessReviewSerializer):
    """A review with how far it is, as far as one may see, and the words one signs."""

    progress = ProgressSerializer()
    meaning = serializers.CharField()


class PlaceUnderReviewSerializer(serializers.Serializer[ReviewPlace]):
    """A place a review asks about, how far it is, and whether one answers there."""

    id = serializers.IntegerField()
    project = serializers.CharField(source="project.key", default=None, allow_null=True)
    portfolio = serializers.CharField(source="portfolio.slug", default=None, allow_null=True)
    progress = ProgressSerializer()
    yours = serializers.BooleanField(help_text="whether you answer there, but for rights of your own")


class ReviewedGrantSerializer(serializers.Serializer[ReviewedGrant]):
    """A right a review asks about. `digest` is what an answer names it by; `answer` is empty while it waits."""

    id = serializers.IntegerField()
    place = serializers.IntegerField(source="place_id")
    grant = GrantSerializer()
    until_given = At(
        source="grant.end", allow_null=True, help_text="the end it was given, and has when confirmed"
    )
    digest = serializers.CharField()
    answer = serializers.CharField()
    answered_at = At(allow_null=True)
    answered_by = PersonSerializer(allow_null=True)
    signature = serializers.IntegerField(source="signature_id", allow_null=True)


class SignatureSerializer(serializers.Serializer[ReviewSignature]):
    """Somebody's signed answers, with the digests of what was signed."""

    id = serializers.IntegerField()
    signed_by = PersonSerializer()
    signed_at = At()
    meaning = serializers.CharField()
    why = serializers.CharField()
    statement = serializers.CharField(source="statement_id")
    envelope = serializers.CharField(source="envelope_id")
    key_id = serializers.CharField()


class NewReview(Input):
    """What to ask about (neither: the whole estate), until when, why."""

    project = serializers.CharField(required=False, allow_null=True, default=None, max_length=100)
    portfolio = serializers.SlugField(required=False, allow_null=True, default=None)
    due = serializers.DateTimeField()
    why = serializers.CharField(max_length=460)


class NewAnswer(Input):
    """What is said of one grant, with the digest it was read with."""

    grant = serializers.IntegerField(min_value=1)
    answer = serializers.ChoiceField(choices=[CONFIRM, REVOKE])
    digest = serializers.CharField(max_length=64)


class NewAnswers(Input):
    """Answers under one signature, and what shows who signs; `why` is needed to revoke.

    Where the account has no password: a `code` of its authenticator app, or neither, where the person showed in this
    session a moment ago who they are.
    """

    answers = NewAnswer(many=True, allow_empty=False)
    why = serializers.CharField(required=False, default="", allow_blank=True, max_length=460)
    password = PasswordField(required=False)
    code = serializers.CharField(required=False, max_length=40)


@extend_schema_view(
    get=extend_schema(parameters=[OpenApiParameter("status", str, enum=AccessReview.Status.values)])
)
class AccessReviews(Listing):
    """Reviews of the estate, or those that ask about projects one owns, manages or audits; newest first."""

    serializer_class = AccessReviewSerializer

    def get_queryset(self) -> QuerySet[Any]:
        status = one_of(self.request, "status", list(AccessReview.Status.values))
        found = reviews.reviews_for(self.person)
        return found.filter(status=status) if status else found

    @extend_schema(request=NewReview, responses={201: WholeReviewSerializer})
    def post(self, request: Request) -> Response:
        """Start one; each right there ends at the due date from now on, unless it is confirmed."""
        wish = checked(NewReview, request)
        rights.check_estate(self.person, Right.MANAGE)
        key, slug = wish.pop("project"), wish.pop("portfolio")
        project = Project.objects.filter(key=key).first() if key else None
        portfolio = Portfolio.objects.filter(slug=slug).first() if slug else None
        for name, given, found in (("project", key, project), ("portfolio", slug, portfolio)):
            if given and found is None:
                raise Invalid(
                    _("There is no %(what)s “%(name)s”.") % {"what": name, "name": given},
                    code=f"{name}_unknown",
                    field=name,
                )
        made = access_reviews.start(by=self.person, project=project, portfolio=portfolio, **wish)
        return Response(_whole(self.person, made.pk), status=201)


class OneReview(APIView):
    """One review."""

    @extend_schema(responses=WholeReviewSerializer)
    def get(self, request: Request, number: int) -> Response:
        """A review with how far it is: all of it, or what one may look at."""
        return Response(_whole(acting(request), number))


class PlacesUnderReview(Listing):
    """The places a review asks about, as far as one may look."""

    serializer_class = PlaceUnderReviewSerializer
    ordering = ("id",)

    def get_queryset(self) -> QuerySet[Any]:
        return reviews.places_for(self.person, reviews.review_for(self.person, self.kwargs["number"]))

    def shown(self, rows: list[Any]) -> list[Any]:
        progress, mine = reviews.progress_at(rows), reviews.answers_at(self.person, rows)
        for row in rows:
            row.progress, row.yours = progress[row.pk], row.pk in mine
        return rows


@extend_schema_view(
    get=extend_schema(
        parameters=[
            OpenApiParameter("place", int, description="only those at this place"),
            OpenApiParameter("waiting", bool, description="only those that wait for an answer"),
        ]
    )
)
class GrantsUnderReview(Listing):
    """The rights a review asks about, as far as one may look."""

    serializer_class = ReviewedGrantSerializer
    ordering = ("id",)

    def get_queryset(self) -> QuerySet[Any]:
        review = reviews.review_for(self.person, self.kwargs["number"])
        place = whole_number(self.request, "place")
        found = ReviewedGrant.objects.filter(review=review)
        if place is not None:
            found = found.filter(place=reviews.place_for(self.person, review.pk, place))
        else:
            found = found.filter(place__in=reviews.places_for(self.person, review).values("pk"))
        if self.request.query_params.get("waiting", "") in ("true", "1"):
            found = found.filter(reviews.waiting())
        return reviews.whole(found).select_related("grant__revoked_by")

    def shown(self, rows: list[Any]) -> list[Any]:
        facts = reviews.facts_of([row.grant for row in rows])
        for row in rows:
            row.digest = facts[row.grant_id].digest
        return rows


class AnswersInReview(Listing):
    """Signatures in a review, newest first."""

    serializer_class = SignatureSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return reviews.signatures_for(self.person, reviews.review_for(self.person, self.kwargs["number"]))

    @extend_schema(request=NewAnswers, responses={201: SignatureSerializer})
    def post(self, request: Request, number: int) -> Response:
        """Confirm and revoke, with the password once more. Only in a session: tokens never sign."""
        by = self.person
        review = reviews.review_for(by, number)
        if by_token(request):
            signing.reauthenticate(by, "", how="token")
        word = checked(NewAnswers, request)
        proof = proof_in(request, word)
        answers = [Answer(**one) for one in word["answers"]]
        with audited(by, review.project, review.subject, "answer"):
            given = access_reviews.answer(by=by, review=review, proof=proof, answers=answers, why=word["why"])
        return Response(SignatureSerializer(given).data, status=201)


class ReviewStatement(Download):
    """What was signed."""

    @extend_schema(responses={200: OpenApiResponse(OpenApiTypes.BINARY, "the statement, canonical JSON")})
    def get(self, request: Request, number: int, signature: int) -> HttpResponse:
        """The bytes that were signed, as they are kept: their digest is the signature's `statement`."""
        by = acting(request)
        found = reviews.signatures_for(by, reviews.review_for(by, number)).filter(pk=signature).first()
        if found is None:
            raise rights.absent()
        return sent(content.get(found.statement_id), STATEMENT_TYPE, f"review-{number}-{signature}.json")


class CallOffReview(APIView):
    """The end of a review before its due date."""

    @extend_schema(request=Why, responses=WholeReviewSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Call it off: what nobody answered for keeps the end it was given. For administrators."""
        by = acting(request)
        access_reviews.call_off(by=by, review=reviews.review_for(by, number), **checked(Why, request))
        return Response(_whole(by, number))


class ReportOnReview(APIView):
    """The PDF of a review."""

    @extend_schema(request=None, responses={201: ReportSerializer})
    def post(self, request: Request, number: int) -> Response:
        """Ask for it. Asking twice gives the one under way."""
        by = acting(request)
        review = reviews.review_for(by, number)
        made = reports.ask_report(by=by, project=review.project, about=review.subject)
        return Response(ReportSerializer(made).data, status=201)


def _whole(person: Person, number: int) -> dict[str, Any]:
    review = reviews.review_for(person, number)
    return {
        **AccessReviewSerializer(review).data,
        "progress": ProgressSerializer(reviews.progress_seen(person, [review])[review.pk]).data,
        "meaning": access_reviews.meaning(review),
    }
