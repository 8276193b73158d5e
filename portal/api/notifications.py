"""What somebody was told."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from portal import telling
from portal.api.fields import At
from portal.api.listing import Listing
from portal.models import Notification


class NotificationSerializer(serializers.Serializer[Notification]):
    """One thing told: a line, what there is to say about it, and the page to open. `mail` is how its letter stands."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(Notification.Kind.choices)
    project = serializers.CharField(source="project.key", default=None, allow_null=True)
    line = serializers.CharField()
    text = serializers.CharField()
    url = serializers.CharField()
    told_at = At()
    read_at = At(allow_null=True)
    mail = serializers.ChoiceField(Notification.Mail.choices)


class Notifications(Listing):
    """What one was told, newest first. Reading it here marks nothing as read."""

    serializer_class = NotificationSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return telling.told(self.person)
