"""What a person is told: in the portal, and by e-mail where they have an address. Who tells it is portal/telling.py."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.models.person import Person
from portal.models.project import Project


class Notification(models.Model):
    """One thing told to one person. Kept for a while; what lasts is in the ledger.

    `once` is what it is about: the same is told to nobody twice. `project` is whose affairs it tells of: whoever may
    not see it any more does not read on.
    """

    class Kind(models.TextChoices):
        ASKED = "asked", _("asked to sign")
        REMINDED = "reminded", _("reminded")
        ESCALATED = "escalated", _("escalated")
        MENTIONED = "mentioned", _("mentioned")
        SAID = "said", _("said in a conversation")
        LAPSED = "lapsed", _("signature counts no more")
        CONDITION = "condition", _("condition")
        WAIVER = "waiver", _("waiver")

    class Mail(models.TextChoices):
        WAITING = "waiting", _("waits to be sent")
        SENT = "sent", _("sent")
        NONE = "none", _("not by e-mail")
        GIVEN_UP = "given_up", _("could not be sent")

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=12, choices=Kind)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    once = models.CharField(max_length=200)
    line = models.CharField(max_length=200, help_text=_("what it is, in one line"))
    text = models.TextField(blank=True, help_text=_("what there is to say about it"))
    url = models.CharField(max_length=400, help_text=_("the page to open, from the root of the portal"))
    told_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True, blank=True)
    mail = models.CharField(max_length=8, choices=Mail)
    next_try_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=200, blank=True, help_text=_("why it was not sent"))

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(fields=("person", "once"), name="notification_once"),
            models.CheckConstraint(
                condition=Q(mail="waiting", next_try_at__isnull=False)
                | (~Q(mail="waiting") & Q(next_try_at__isnull=True)),
                name="notification_waits_for_a_time",
            ),
            models.CheckConstraint(
                condition=Q(mail="sent", sent_at__isnull=False) | (~Q(mail="sent") & Q(sent_at__isnull=True)),
                name="notification_sent_when",
            ),
        )
        indexes = (
            models.Index(fields=("person", "-id"), name="notification_of_person"),
            models.Index(
                fields=("next_try_at",), condition=Q(mail="waiting"), name="notification_to_be_sent"
            ),
        )

    def __str__(self) -> str:
        return f"{self.person}: {self.line}"
