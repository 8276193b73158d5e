"""Requests: to ask, to look at with their gate, to take back, to promote, and to ask for a report."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deployments.actions import promotions, requests
from deployments.api.promotions import MyPromotionSerializer, PromotionSerializer, shown
from deployments.judging import Judged, findings_in_words, judge_now
from deployments.models import DeploymentRequest
from deployments.queries import promotions_for, request_for, request_verbs, requests_for
from governance.actions import reports
from governance.api.reports import ReportSerializer
from governance.queries import reports_for
from governance.ticket import TICKET_LIMIT
from portal import rights
from portal.api.auth import acting
from portal.api.fields import At, Facts, Words
from portal.api.inputs import Input, PerhapsWhy, Why, checked, one_of
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.errors import Refused
from portal.lookups import bundle_for, project_for
from portal.models import Person
from portal.names import names
from portal.queries import lane_for
from portal.refusals import audited


class RequestSerializer(serializers.Serializer[DeploymentRequest]):
    """A wish: this bundle to this stage. `held` says why its last promotion did not succeed."""

    number = serializers.IntegerField(source="pk")
    project = serializers.CharField(source="lane.project.key")
    stage = serializers.CharField(source="lane.stage.slug")
    bundle_id = serializers.CharField(source="bundle.bundle_id")
    status = serializers.ChoiceField(choices=DeploymentRequest.Status.choices)
    held = serializers.CharField()
    why = serializers.CharField()
    ticket = serializers.CharField(help_text="number of the change ticket, empty without one")
    requested_at = At()
    requested_by = PersonSerializer()
    on_behalf_of = PersonSerializer(allow_null=True)


class NamedSerializer(serializers.Serializer[Any]):
    """A person by id and printed name."""

    id = serializers.CharField()
    name = serializers.CharField()


class FindingSerializer(serializers.Serializer[Any]):
    """One requirement: met or not, why, in words and as a code with parameters, and who can unblock it."""

    key = serializers.CharField()
    kind = serializers.CharField()
    title = serializers.CharField()
    state = serializers.ChoiceField(choices=["met", "not_met", "cannot_tell", "waived"])
    code = serializers.CharField()
    params = Facts()
    sentence = serializers.CharField()
    unblock = NamedSerializer(many=True)
    holds_until = serializers.CharField(allow_null=True)


class PolicyRefSerializer(serializers.Serializer[Any]):
    """The policy version that was asked, and the tier."""

    name = serializers.CharField()
    version = serializers.IntegerField()
    digest = serializers.CharField()
    tier = serializers.CharField()


class GateSerializer(serializers.Serializer[Any]):
    """The gate as judged at `at`: a finding per requirement. `problem` says why nothing could be judged."""

    met = serializers.BooleanField()
    at = serializers.CharField(allow_null=True)
    holds_until = serializers.CharField(allow_null=True)
    automation = serializers.CharField(allow_null=True)
    policy = PolicyRefSerializer(allow_null=True)
    findings = FindingSerializer(many=True)
    problem = serializers.CharField()


class RequestDetailSerializer(RequestSerializer):
    """A request with its gate (null once it is over), its promotions, and what the reader can do.

    `can` holds `withdraw`, `promote`, `set_ticket`, `sign:<requirement>` and `waive:<number of the waiver>`; the gate
    decides afresh whether it happens.
    """

    gate = GateSerializer(allow_null=True)
    promotions = PromotionSerializer(many=True)
    reports = ReportSerializer(many=True, help_text="those about this request, for who may audit its project")
    can = Words()


class NewRequest(Input):
    """Which bundle should go to which stage, and why."""

    project = serializers.CharField(max_length=100)
    bundle_id = serializers.CharField(max_length=100)
    stage = serializers.SlugField()
    why = serializers.CharField(max_length=5000)
    ticket = serializers.CharField(max_length=TICKET_LIMIT, required=False, default="", allow_blank=True)


class TicketOfRequest(Input):
    """The number of the change ticket; empty takes it away."""

    ticket = serializers.CharField(max_length=TICKET_LIMIT, allow_blank=True)


@extend_schema_view(
    get=extend_schema(
        parameters=[
            OpenApiParameter("project", str, description="only requests of this project"),
            OpenApiParameter(
                "status", str, enum=DeploymentRequest.Status.values, description="only requests in this state"
            ),
        ]
    )
)
class Requests(Listing):
    """The requests of the projects one may see, newest first."""

    serializer_class = RequestSerializer

    def get_queryset(self) -> QuerySet[Any]:
        key = self.request.query_params.get("project")
        status = one_of(self.request, "status", DeploymentRequest.Status.values)
        found = requests_for(self.person)
        if key:
            found = found.filter(lane__project=project_for(self.person, key))
        return found.filter(status=status) if status else found

    @extend_schema(request=NewRequest, responses={201: RequestDetailSerializer})
    def post(self, request: Request) -> Response:
        """Ask for a bundle to go to a stage. An older open request for that stage is superseded."""
        wish = checked(NewRequest, request)
        bundle = bundle_for(self.person, wish["project"], wish["bundle_id"])
        lane = lane_for(bundle.project, wish["stage"])
        made = requests.submit(
            by=self.person, bundle=bundle, lane=lane, why=wish["why"], ticket=wish["ticket"]
        )
        return Response(detail(self.person, made.pk), status=201)


class OneRequest(APIView):
    """One request."""

    @extend_schema(responses=RequestDetailSerializer)
    def get(self, request: Request, number: int) -> Response:
        """A request with its gate judged now, its promotions, and what one can do."""
        return Response(detail(acting(request), number))


class GateOfRequest(APIView):
    """The gate alone."""

    @extend_schema(responses=GateSerializer)
    def get(self, request: Request, number: int) -> Response:
        """The gate of a request, judged now; also of one that is over: what it would say today."""
        return Response(gate(judge(request_for(acting(request), number))))


class WithdrawRequest(APIView):
    """The end of a wish."""

    @extend_schema(request=Why, responses=RequestDetailSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Take an open request back."""
        by = acting(request)
        requests.withdraw(by=by, request=request_for(by, number), **checked(Why, request))
        return Response(detail(by, number))


class TicketRequest(APIView):
    """The change ticket of a wish."""

    @extend_schema(request=TicketOfRequest, responses=RequestDetailSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Give an open request another change ticket; the gate is judged with it."""
        by = acting(request)
        requests.set_ticket(by=by, request=request_for(by, number), **checked(TicketOfRequest, request))
        return Response(detail(by, number))


class PromoteRequest(APIView):
    """The start of a promotion."""

    @extend_schema(request=PerhapsWhy, responses={201: MyPromotionSerializer})
    def post(self, request: Request, number: int) -> Response:
        """Start the promotion, if the gate is open now. A held request asks for a reason."""
        by = acting(request)
        wish = request_for(by, number)
        word = checked(PerhapsWhy, request)
        with audited(by, wish.lane.project, wish.subject, "promote"):
            promotion = promotions.promote(by=by, request=wish, **word)
        return Response(shown(by, promotion.pk), status=201)


class ReportsOfRequest(APIView):
    """Reports about a request."""

    @extend_schema(request=None, responses={201: ReportSerializer})
    def post(self, request: Request, number: int) -> Response:
        """Ask for the audit report of a request. It is made in the background: look at its status."""
        by = acting(request)
        about = request_for(by, number)
        return Response(
            ReportSerializer(reports.ask_report(by=by, project=about.lane.project, about=about.subject)).data,
            status=201,
        )


def detail(person: Person, number: int) -> dict[str, Any]:
    """A request as it is now, with what the person can do."""
    request = request_for(person, number)
    judged = None if request.is_over else judge(request)
    held = rights.held_on(person, [request.lane])[request.lane_id]
    tried = promotions_for(person).filter(request=request).order_by("pk")
    told = reports_for(person).filter(about=request.subject).order_by("pk")
    return {
        **RequestSerializer(request).data,
        "gate": None if judged is None else gate(judged),
        "promotions": [PromotionSerializer(one).data for one in tried],
        "reports": [ReportSerializer(one).data for one in told],
        "can": request_verbs(person, request, held, judged if isinstance(judged, Judged) else None),
    }


def judge(request: DeploymentRequest) -> Judged | Refused:
    """What the gate says now, or why it cannot be asked."""
    try:
        return judge_now(request)
    except Refused as refusal:
        return refusal


def gate(judged: Judged | Refused) -> dict[str, Any]:
    """The gate for a program, with the sentences that people read."""
    if isinstance(judged, Refused):
        nothing: dict[str, Any] = {
            "at": None,
            "holds_until": None,
            "automation": None,
            "policy": None,
            "findings": [],
        }
        return {"met": False, **nothing, "problem": judged.sentence}
    case, verdict = judged.case, judged.verdict
    known = names([one for finding in verdict.findings for one in finding.unblock])
    return {
        "met": verdict.met,
        "at": case.at,
        "holds_until": verdict.holds_until,
        "automation": case.automation,
        "policy": {
            "name": case.policy.name,
            "version": case.policy.version,
            "digest": case.policy.digest,
            "tier": case.tier,
        },
        "findings": [
            {**finding, "unblock": [{"id": one, "name": known(one)} for one in finding["unblock"]]}
            for finding in findings_in_words(judged)
        ],
        "problem": "",
    }
