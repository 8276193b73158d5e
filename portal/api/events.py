"""The ledger to read: each event with its facts and the sentence it reads as."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers

from portal import ledger
from portal.api.fields import At, Facts, Words
from portal.api.inputs import one_of, whole_number
from portal.api.listing import Listing
from portal.event_kinds import EventKind
from portal.ledger import Entry
from portal.lookups import project_for
from portal.names import names
from portal.queries import check_audit


class EventSerializer(serializers.Serializer[Entry]):
    """An event. `digest` is that of its canonical body, `leaf` the tree's; `erased` names facts that were erased."""

    seq = serializers.IntegerField()
    kind = serializers.CharField()
    at = At()
    zone = serializers.CharField()
    actor_id = serializers.CharField()
    actor_kind = serializers.CharField()
    actor = serializers.CharField()
    project = serializers.CharField()
    subject = serializers.CharField()
    facts = Facts()
    erased = Words()
    sentence = serializers.CharField()
    digest = serializers.CharField()
    leaf = serializers.CharField()


@extend_schema_view(
    get=extend_schema(
        parameters=[
            OpenApiParameter("project", str, description="only events of this project"),
            OpenApiParameter("subject", str, description="only events of this subject, such as request:7"),
            OpenApiParameter("kind", str, enum=EventKind.values, description="only events of this kind"),
            OpenApiParameter("after", int, description="only events after this seq"),
        ]
    )
)
class Events(Listing):
    """Events, oldest first, for auditors: of the estate, or of a project with the right to audit any of its lanes."""

    serializer_class = EventSerializer
    ordering = ("seq",)

    def get_queryset(self) -> QuerySet[Any]:
        asked = self.request.query_params
        project = project_for(self.person, asked["project"]) if asked.get("project") else None
        check_audit(self.person, project)
        kind = one_of(self.request, "kind", EventKind.values)
        return ledger.rows(
            project=project.key if project else None,
            subject=asked.get("subject") or None,
            kinds=[EventKind(kind)] if kind else None,
            after=whole_number(self.request, "after"),
        )

    def shown(self, rows: list[Any]) -> list[Any]:
        entries = ledger.read(rows)
        known = names(ledger.people_in(entries))
        return [
            {
                **{name: getattr(entry, name) for name in Entry.__dataclass_fields__},
                "erased": sorted(entry.erased),
                "facts": dict(entry.facts),
                "actor": known(entry.actor_id),
                "sentence": ledger.sentence(entry, known),
            }
            for entry in entries
        ]
