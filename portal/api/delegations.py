"""Who stands in for whom, from when until when. One's own; everybody's for who looks over the estate."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import rights
from portal.actions import delegations
from portal.api.auth import acting
from portal.api.changes import WholeProposalSerializer
from portal.api.fields import At
from portal.api.inputs import Input, checked
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.api.teams import person_of
from portal.models import Change, Delegation, Right
from portal.queries import delegations_for


class DelegationSerializer(serializers.Serializer[Delegation]):
    """`person` is away, and `delegate` stands in."""

    id = serializers.IntegerField()
    person = PersonSerializer()
    delegate = PersonSerializer()
    starts_at = At()
    until = At()
    status = serializers.ChoiceField(choices=Delegation.Status.choices)
    why = serializers.CharField()
    made_at = At()
    made_by = PersonSerializer()
    ended_at = At(allow_null=True)
    ended_by = PersonSerializer(allow_null=True)


class NewDelegation(Input):
    """Who stands in (by login) and until when; from now on where `starts_at` is left out.

    Only an administrator names a `person`, somebody else who is away.
    """

    person = serializers.CharField(required=False, allow_null=True, default=None, max_length=150)
    delegate = serializers.CharField(max_length=150)
    starts_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    until = serializers.DateTimeField()
    why = serializers.CharField(max_length=500)


class Delegations(Listing):
    """Who stands in for one, and for whom one does; everybody's for who looks over the estate."""

    serializer_class = DelegationSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return delegations_for(self.person)

    @extend_schema(request=NewDelegation, responses={201: DelegationSerializer, 202: WholeProposalSerializer})
    def post(self, request: Request) -> Response:
        """Say that one is away, or, as an administrator, that somebody else is: a change, 202 where it waits.

        Only in a session.
        """
        wish = checked(NewDelegation, request)
        login = wish.pop("person")
        if login is None or login.lower() == self.person.login:
            wish["delegate"] = person_of(wish["delegate"], "delegate")
            made = delegations.delegate(by=self.person, **wish)
            return Response(DelegationSerializer(made).data, status=201)
        rights.check_estate(self.person, Right.MANAGE)
        wish["delegate"] = person_of(wish["delegate"], "delegate")
        change = delegations.delegate_for(by=self.person, person=person_of(login, "person"), **wish)
        if change.status != Change.Status.APPLIED:
            return Response(WholeProposalSerializer(change).data, status=202)
        made = delegations_for(self.person).get(change=change)
        return Response(DelegationSerializer(made).data, status=201)


class EndDelegation(APIView):
    """The early end of a delegation."""

    @extend_schema(request=None, responses=DelegationSerializer)
    def post(self, request: Request, number: int) -> Response:
        """End it now. What was done meanwhile stands."""
        by = acting(request)
        found = delegations_for(by).filter(pk=number).first()
        if found is None:
            raise rights.absent()
        delegations.end(by=by, delegation=found)
        return Response(DelegationSerializer(delegations_for(by).get(pk=number)).data)
