"""People, as administrators see and add them, and as everything else names them."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import rights
from portal.actions import leaving, people
from portal.actions.leaving import Duty
from portal.api.auth import acting
from portal.api.fields import At
from portal.api.inputs import Input, checked
from portal.api.listing import Listing
from portal.errors import Invalid
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
    has_password = serializers.BooleanField(
        source="has_usable_password", help_text="false: they sign in elsewhere, or need a code to choose one"
    )
    joined_at = At()


class NewPerson(Input):
    """A person or service account to be added."""

    login = serializers.CharField(max_length=150)
    name = serializers.CharField(max_length=200)
    email = serializers.EmailField(required=False, default="", allow_blank=True)
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
        """Add a person or a service account. A person sets a first password with a code (`reset-password`)."""
        rights.check_estate(self.person, Right.MANAGE)
        person = people.add_person(by=self.person, **checked(NewPerson, request))
        return Response(AccountSerializer(person).data, status=201)


class ChangedPerson(Input):
    """What changes of an account; what is left out stays."""

    name = serializers.CharField(required=False, max_length=200)
    email = serializers.EmailField(required=False, allow_blank=True)
    zone = serializers.CharField(required=False, max_length=64)


class OnePerson(APIView):
    """One account, for administrators."""

    @extend_schema(responses=AccountSerializer)
    def get(self, request: Request, login: str) -> Response:
        """Somebody's account."""
        return Response(AccountSerializer(account_for(acting(request), login)).data)

    @extend_schema(request=ChangedPerson, responses=AccountSerializer)
    def patch(self, request: Request, login: str) -> Response:
        """Change how somebody is called, reached, or in which zone they read times."""
        by = acting(request)
        person = account_for(by, login)
        people.change_person(by=by, person=person, **checked(ChangedPerson, request))
        return Response(AccountSerializer(person).data)


class DutySerializer(serializers.Serializer[Duty]):
    """One thing somebody holds; `without` says what becomes of it without an heir, and is empty where one is needed."""

    key = serializers.CharField()
    what = serializers.CharField()
    without = serializers.CharField()


class DutiesOfPerson(APIView):
    """What somebody would have to hand over."""

    @extend_schema(responses=DutySerializer(many=True))
    def get(self, request: Request, login: str) -> Response:
        """Everything that somebody holds and that somebody has to take over if they leave."""
        found = leaving.held_by(account_for(acting(request), login))
        return Response([DutySerializer(one).data for one in found])


class Leaver(Input):
    """Why somebody leaves, and who takes over: `heir` everything, `heirs` single things by their keys, all by login.

    A key given null is left without an heir.
    """

    why = serializers.CharField(max_length=500)
    heir = serializers.CharField(required=False, allow_null=True, default=None, max_length=150)
    heirs = serializers.DictField(
        child=serializers.CharField(allow_null=True, max_length=150), required=False, default=dict
    )


class Leave(APIView):
    """The end of an account."""

    @extend_schema(request=Leaver, responses=AccountSerializer)
    def post(self, request: Request, login: str) -> Response:
        """Disable an account: sessions, tokens, rights and memberships end, what they hold goes to heirs."""
        by = acting(request)
        person = account_for(by, login)
        wish = checked(Leaver, request)
        leaving.leave(
            by=by,
            person=person,
            why=wish["why"],
            heir=_heir(wish["heir"], "heir"),
            heirs={key: _heir(one, "heirs") for key, one in wish["heirs"].items()},
        )
        return Response(AccountSerializer(person).data)


def _heir(login: str | None, field: str) -> Person | None:
    if login is None:
        return None
    person = Person.objects.filter(login=spelled(login)).exclude(kind=Person.Kind.SYSTEM).first()
    if person is None:
        raise Invalid(
            _("Nobody here has the login “%(login)s”.") % {"login": login}, code="person_unknown", field=field
        )
    return person


def account_for(by: Person, login: str) -> Person:
    """Anybody's account, for administrators of the estate; raises Forbidden for others, Absent for nobody."""
    rights.check_estate(by, Right.MANAGE)
    person = Person.objects.filter(login=spelled(login)).exclude(kind=Person.Kind.SYSTEM).first()
    if person is None:
        raise rights.absent()
    return person
