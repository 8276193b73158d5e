"""Changes: proposed edits of rights and of what else needs two administrators; to read, to propose, to decide."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import rights
from portal.actions import changes, edits
from portal.actions.edits import Op
from portal.api.auth import acting
from portal.api.fields import At, Facts, Words
from portal.api.inputs import Input, Why, checked, one_of
from portal.api.listing import Listing
from portal.api.people import PersonSerializer
from portal.effects import effects
from portal.models import Change, Person, Right
from portal.models.person import spelled
from portal.proposed import lines, with_names
from portal.queries import changes_for


class ProposalSerializer(serializers.Serializer[Change]):
    """A change; without project and portfolio it belongs to the whole estate."""

    id = serializers.IntegerField()
    kind = serializers.CharField()
    status = serializers.CharField()
    project = serializers.CharField(source="project.key", default=None, allow_null=True)
    portfolio = serializers.CharField(source="portfolio.slug", default=None, allow_null=True)
    why = serializers.CharField()
    alone = serializers.BooleanField()
    asked_at = At()
    asked_by = PersonSerializer()
    decided_at = At(allow_null=True)
    decided_by = PersonSerializer(allow_null=True)
    answer = serializers.CharField()


class WholeProposalSerializer(ProposalSerializer):
    """A change with what it does: the operations as they were proposed, and each in words."""

    wish = Facts()
    does = Words(source="pk", help_text="a sentence for each operation")

    def to_representation(self, instance: Change) -> dict[str, Any]:
        return {**super().to_representation(instance), "does": does(instance)}


class NewOp(Input):
    """One operation.

    give: person or team, right, where; revoke: grant; put and take_out: project and portfolio; join and leave: person
    and team.
    """

    op = serializers.ChoiceField(choices=["give", "revoke", "put", "take_out", "join", "leave"])
    person = serializers.CharField(required=False, max_length=150, help_text="a login")
    team = serializers.SlugField(required=False)
    right = serializers.ChoiceField(choices=Right.choices, required=False)
    role = serializers.SlugField(required=False, allow_blank=True)
    project = serializers.CharField(required=False, max_length=100)
    portfolio = serializers.SlugField(required=False)
    stage = serializers.SlugField(required=False, allow_blank=True)
    until = serializers.DateTimeField(required=False, allow_null=True)
    grant = serializers.IntegerField(required=False, min_value=1)

    def validate(self, attrs: Any) -> Any:
        """What the operation cannot do without."""
        needed = {
            "give": ["right"],
            "revoke": ["grant"],
            "join": ["person", "team"],
            "leave": ["person", "team"],
        }.get(attrs["op"], ["project", "portfolio"])
        missing = [name for name in needed if name not in attrs]
        if missing:
            raise serializers.ValidationError({name: [f"{attrs['op']} needs {name}."] for name in missing})
        return attrs


class NewChange(Input):
    """Operations on rights, with one reason for all."""

    ops = NewOp(many=True, allow_empty=False)
    why = serializers.CharField(max_length=500)


def answered(change: Change, status: int = 201) -> Response:
    """A change as the answer to what asked for it: `status` where it was applied, 202 where it waits."""
    status = status if change.status == Change.Status.APPLIED else 202
    return Response(WholeProposalSerializer(change).data, status=status)


class EffectSerializer(serializers.Serializer[Any]):
    """What one person could do more, and what no more."""

    name = serializers.CharField()
    gains = Words()
    loses = Words()


class PreviewSerializer(serializers.Serializer[Any]):
    """What operations would do: each in words, and for whom; `weighed` false: too many to tell what differs."""

    does = Words()
    people = EffectSerializer(many=True)
    weighed = serializers.BooleanField()


@extend_schema_view(
    get=extend_schema(parameters=[OpenApiParameter("status", str, enum=Change.Status.values)])
)
class Changes(Listing):
    """Changes where one manages or audits, and one's own; newest first."""

    serializer_class = ProposalSerializer

    def get_queryset(self) -> QuerySet[Any]:
        status = one_of(self.request, "status", list(Change.Status.values))
        found = changes_for(self.person)
        return found.filter(status=status) if status else found

    @extend_schema(request=NewChange, responses={201: WholeProposalSerializer, 202: WholeProposalSerializer})
    def post(self, request: Request) -> Response:
        """Propose a change of rights: 201 where it is applied at once, 202 where it waits for a second admin."""
        ops, why = _ops(request)
        edits.RIGHTS.check(by=self.person, wish={"ops": ops})
        return answered(edits.edit(by=self.person, ops=ops, why=why, **edits.home(ops)))


class PreviewChange(APIView):
    """What a change of rights would do, without doing it."""

    @extend_schema(request=NewChange, responses=PreviewSerializer)
    def post(self, request: Request) -> Response:
        """Tell exactly what these operations would change, and for whom. Nothing is changed or proposed."""
        ops, _why = _ops(request)
        told = effects(by=acting(request), ops=ops)
        found = {
            "does": [line.sentence for line in lines(ops)],
            "people": told.people,
            "weighed": told.weighed,
        }
        return Response(PreviewSerializer(found).data)


class OneChange(APIView):
    """One change."""

    @extend_schema(responses=WholeProposalSerializer)
    def get(self, request: Request, number: int) -> Response:
        """A change with what it does."""
        return Response(WholeProposalSerializer(_change(acting(request), number)).data)


class ApplyChange(APIView):
    """The second administrator's yes."""

    @extend_schema(request=None, responses=WholeProposalSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Apply what somebody else proposed; refused for a token, and where what it was based on has changed."""
        by = acting(request)
        changes.apply(by=by, change=_change(by, number))
        return Response(WholeProposalSerializer(_change(by, number)).data)


class RefuseChange(APIView):
    """The second administrator's no."""

    @extend_schema(request=Why, responses=WholeProposalSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Refuse what somebody else proposed, with a reason."""
        by = acting(request)
        changes.refuse(by=by, change=_change(by, number), **checked(Why, request))
        return Response(WholeProposalSerializer(_change(by, number)).data)


class WithdrawChange(APIView):
    """A change taken back."""

    @extend_schema(request=Why, responses=WholeProposalSerializer)
    def post(self, request: Request, number: int) -> Response:
        """Take back what one proposed oneself."""
        by = acting(request)
        changes.withdraw(by=by, change=_change(by, number), **checked(Why, request))
        return Response(WholeProposalSerializer(_change(by, number)).data)


def does(change: Change) -> list[str]:
    """A sentence for each thing a change does, with people's names."""
    if change.kind == Change.Kind.RIGHTS:
        return [line.sentence for line in lines(change.wish["ops"])]
    return with_names(changes.kind_of(change.kind).facts(change.wish))


def _ops(request: Request) -> tuple[list[Op], str]:
    """The operations sent, with people by id instead of login; who is not known is refused to who may grant."""
    wish = checked(NewChange, request)
    logins = {spelled(op["person"]) for op in wish["ops"] if "person" in op}
    people = dict(
        Person.objects.filter(login__in=logins).exclude(kind=Person.Kind.SYSTEM).values_list("login", "pk")
    )
    found = []
    for op in wish["ops"]:
        if "person" in op:
            login = spelled(op["person"])
            op["person"] = str(people[login]) if login in people else op["person"]
        if op["op"] == "give":
            until = op.get("until")
            op |= {"until": until.isoformat() if until else None}
            op = {"role": "", "stage": "", **op}
        found.append(Op(**{**op, "why": wish["why"]}))  # type: ignore[typeddict-item]
    return found, wish["why"]


def _change(person: Person, number: int) -> Change:
    found = changes_for(person).filter(pk=number).first()
    if found is None:
        raise rights.absent()
    return found
