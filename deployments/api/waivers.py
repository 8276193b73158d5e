"""Waivers of a request: those asked for, asking for one, and answering. A token never waives."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deployments.actions import waiving
from deployments.judging import judge_now
from deployments.models import DeploymentRequest
from deployments.queries import request_for
from deployments.waiving import waivers_of
from governance.actions.waivers import end_of_day, to_waive
from governance.api.waivers import WaiverDetailSerializer, WaiverSerializer, detail_of, waiver_for
from governance.models import Waiver
from portal import rights, signing
from portal.api.auth import acting, by_token
from portal.api.inputs import Input, PasswordField, checked
from portal.api.listing import Listing
from portal.api.proofs import proof_in
from portal.models import Person, Right
from portal.refusals import audited


class NewWaiver(Input):
    """What is to pass all the same, why, and until the end of which day."""

    requirement = serializers.CharField(max_length=120)
    why = serializers.CharField(max_length=2000)
    until = serializers.DateField()


class NewWaiverGrant(Input):
    """A grant: `bound` of what was read, and the password once more, or a `code`, or neither, as for a signature."""

    bound = serializers.CharField(max_length=64)
    comment = serializers.CharField(required=False, default="", allow_blank=True, max_length=2000)
    password = PasswordField(required=False)
    code = serializers.CharField(required=False, max_length=40)


class WaiverRefusal(Input):
    """Why it is not waived."""

    why = serializers.CharField(max_length=2000)


class WaiverDraftSerializer(serializers.Serializer[Any]):
    """A waiver that somebody could grant. `bound` is the digest of what would be signed and goes back with the grant.

    `barred` says why this person may not grant it, `outdated` why nobody can any more; both are empty otherwise.
    """

    waiver = WaiverSerializer()
    meaning = serializers.CharField()
    barred = serializers.CharField()
    outdated = serializers.CharField()
    bound = serializers.CharField()


class WaiversOfRequest(Listing):
    """The waivers asked for of a request's bundle and stage, refused and ended ones among them; newest first."""

    serializer_class = WaiverSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return waivers_of(request_for(self.person, self.kwargs["number"]))

    @extend_schema(request=NewWaiver, responses={201: WaiverDetailSerializer})
    def post(self, request: Request, number: int) -> Response:
        """Ask to let what is found of a requirement pass. Whoever can grant it is told."""
        by = acting(request)
        wish = request_for(by, number)
        rights.check(by, Right.REQUEST, wish.lane)
        word = checked(NewWaiver, request)
        clause, _finding = to_waive(judge_now(wish).case, word["requirement"])
        word["until"] = end_of_day(clause, word["until"])
        made = waiving.ask(by=by, request=wish, **word)
        return Response(detail_of(waiver_for(by, made.pk)), status=201)


class WaivingOfRequest(APIView):
    """What would be granted."""

    @extend_schema(responses=WaiverDraftSerializer)
    def get(self, request: Request, number: int, waiver: int) -> Response:
        """What one would grant now; needs the right to waive."""
        by = acting(request)
        wish = request_for(by, number)
        draft = waiving.draft(by=by, request=wish, waiver=_of(wish, waiver))
        said = ("waiver", "meaning", "barred", "outdated", "bound")
        return Response(WaiverDraftSerializer({name: getattr(draft, name) for name in said}).data)


class GrantWaiver(APIView):
    """A waiver is granted."""

    @extend_schema(request=NewWaiverGrant, responses={201: WaiverDetailSerializer})
    def post(self, request: Request, number: int, waiver: int) -> Response:
        """Let it pass, with the password once more. Only in a session: tokens never waive."""
        by = acting(request)
        wish = request_for(by, number)
        asked = _of(wish, waiver)
        _not_by_token(request, by, wish)
        word = checked(NewWaiverGrant, request)
        proof = proof_in(request, word)
        with audited(by, wish.lane.project, wish.subject, "waive"):
            waiving.grant(by=by, proof=proof, request=wish, waiver=asked, **word)
        return Response(detail_of(waiver_for(by, waiver)), status=201)


class RefuseWaiver(APIView):
    """A waiver is refused."""

    @extend_schema(request=WaiverRefusal, responses=WaiverDetailSerializer)
    def post(self, request: Request, number: int, waiver: int) -> Response:
        """Say no, and why. Only in a session."""
        by = acting(request)
        wish = request_for(by, number)
        asked = _of(wish, waiver)
        _not_by_token(request, by, wish)
        waiving.refuse(by=by, request=wish, waiver=asked, **checked(WaiverRefusal, request))
        return Response(detail_of(waiver_for(by, waiver)))


def _of(wish: DeploymentRequest, number: int) -> Waiver:
    """A waiver of this request; raises Absent."""
    found = waivers_of(wish).filter(pk=number).first()
    if found is None:
        raise rights.absent()
    return found


def _not_by_token(request: Request, by: Person, wish: DeploymentRequest) -> None:
    """A token that lacks the right is told so like anybody; none of them waives."""
    if by_token(request):
        rights.check(by, Right.WAIVE, wish.lane)
        signing.reauthenticate(by, "", how="token")
