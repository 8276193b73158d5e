"""People, as administrators see and add them, and as everything else names them."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal import rights
from portal.actions import people
from portal.api.fields import At
from portal.api.inputs import Input, checked
from portal.api.listing import Listing
from portal.models import Person, Right
from portal.models.person import spelled


class PersonSerializer(serializers.Serializer[Person]):
    """A person as records name them."""

    id = serializers.UUIDField()
    login = serializers.CharField()
    name = serializers.CharField()


class AccountSerializer(PersonSerializer):
    """A person with their account."""

    kind = serializers.CharField()
    email = serializers.CharField()
    zone = serializers.CharField()
    is_active = serializers.BooleanField()
    joined_at = At()


class NewPerson(Input):
    """A person or service account to be added."""

    login = serializers.CharField(max_length=150)
    name = serializers.CharField(max_length=200)
    email = serializers.EmailField(required=False, default="", allow_blank=True)
    password = serializers.CharField(required=False, default=None, max_length=500, trim_whitespace=False)
    zone = serializers.CharField(required=False, default="UTC", max_length=64)
    # Never "system": that is the portal itself.
    kind = serializers.ChoiceField(
        choices=[Person.Kind.PERSON, Person.Kind.SERVICE], required=False, default=Person.Kind.PERSON
    )


class People(Listing):
    """Everybody, for administrators."""

    serializer_class = AccountSerializer
    ordering = ("login",)

    def get_queryset(self) -> QuerySet[Any]:
        rights.check_estate(self.person, Right.MANAGE)
        return Person.objects.exclude(kind=Person.Kind.SYSTEM)

    @extend_schema(request=NewPerson, responses={201: AccountSerializer})
    def post(self, request: Request) -> Response:
        """Add a person or a service account."""
        rights.check_estate(self.person, Right.MANAGE)
        person = people.add_person(by=self.person, **checked(NewPerson, request))
        return Response(AccountSerializer(person).data, status=201)


def account_for(by: Person, login: str) -> Person:
    """Anybody's account, for administrators of the estate; raises Forbidden for others, Absent for nobody."""
    rights.check_estate(by, Right.MANAGE)
    person = Person.objects.filter(login=spelled(login)).exclude(kind=Person.Kind.SYSTEM).first()
    if person is None:
        raise rights.absent()
    return person
