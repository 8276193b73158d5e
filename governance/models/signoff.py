"""Sign-offs: a person's signed word on one requirement for stated parts. Never edited, never deleted."""

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.models import Bundle, Content, Lane, Person


class SignOff(models.Model):
    """What was said, of what, under which clause, with the exact bytes that were signed."""

    class Decision(models.TextChoices):
        APPROVE = "approve", _("approved")
        APPROVE_WITH_CONDITIONS = "approve_with_conditions", _("approved with conditions")
        REQUEST_CHANGES = "request_changes", _("asked for changes")
        REJECT = "reject", _("rejected")

    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="signoffs")
    lane = models.ForeignKey(Lane, on_delete=models.PROTECT, related_name="signoffs")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="signoffs")
    on_behalf_of = models.ForeignKey(
        Person,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("who was away, and whose right it was"),
    )
    role = models.SlugField()
    decision = models.CharField(max_length=24, choices=Decision)
    requirement = models.CharField(max_length=120)
    clause = models.CharField(max_length=64, help_text=_("digest of the requirement's clause"))
    covered = models.JSONField(help_text=_("digest of each covered part"))
    evidence = models.JSONField(default=list, help_text=_("digests of the evidence on the page"))
    documents = models.JSONField(default=list, help_text=_("digests of the documents on the page"))
    meaning = models.CharField(max_length=500)
    comment = models.TextField(blank=True)
    comment_salt = models.CharField(
        max_length=64, blank=True, help_text=_("opens the statement's commitment to the comment")
    )
    statement = models.ForeignKey(Content, on_delete=models.PROTECT, related_name="+")
    envelope = models.ForeignKey(Content, on_delete=models.PROTECT, related_name="+")
    key_id = models.CharField(max_length=100)
    signed_at = models.DateTimeField(default=timezone.now)
    supersedes = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="superseded_by",
        help_text=_("what the same seat said of this requirement before"),
    )

    class Meta:
        verbose_name = _("sign-off")
        verbose_name_plural = _("sign-offs")
        ordering = ("-signed_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(on_behalf_of__isnull=True) | ~models.Q(on_behalf_of=models.F("person")),
                name="signoff_for_another",
            ),
        )

    def __str__(self) -> str:
        return f"{self.person}: {self.decision} ({self.role})"

    @property
    def subject(self) -> str:
        return f"signoff:{self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only."""
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("a sign-off is never deleted; withdraw it")


class Condition(models.Model):
    """What has to be done by a day for an approval to go on counting. Stated with the signature, and bound by it."""

    signoff = models.ForeignKey(SignOff, on_delete=models.PROTECT, related_name="conditions")
    number = models.PositiveSmallIntegerField()
    text = models.TextField()
    salt = models.CharField(max_length=64, help_text=_("opens the statement's commitment to the text"))
    due = models.DateTimeField()

    class Meta:
        verbose_name = _("condition")
        verbose_name_plural = _("conditions")
        ordering = ("signoff", "number")
        constraints = (
            models.UniqueConstraint(fields=("signoff", "number"), name="condition_numbered"),
            models.CheckConstraint(condition=models.Q(number__gt=0), name="condition_numbered_from_one"),
        )

    def __str__(self) -> str:
        return f"{self.number} of {self.signoff}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only."""
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("a condition is never deleted; sign anew without it")


class Fulfilment(models.Model):
    """Whoever stated a condition says that it is met; both stand."""

    condition = models.OneToOneField(Condition, on_delete=models.PROTECT, related_name="fulfilment")
    confirmed_at = models.DateTimeField(default=timezone.now)
    confirmed_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    how = models.TextField(help_text=_("what shows it"))

    class Meta:
        verbose_name = _("fulfilment")
        verbose_name_plural = _("fulfilments")

    def __str__(self) -> str:
        return f"{self.condition} met"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only."""
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("a fulfilment is never deleted; withdraw the signature, or sign anew")


class Withdrawal(models.Model):
    """The signer takes a sign-off back; both stand."""

    signoff = models.OneToOneField(SignOff, on_delete=models.PROTECT, related_name="withdrawal")
    withdrawn_at = models.DateTimeField(default=timezone.now)
    withdrawn_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    why = models.TextField()

    class Meta:
        verbose_name = _("withdrawal")
        verbose_name_plural = _("withdrawals")

    def __str__(self) -> str:
        return f"{self.signoff} withdrawn"
