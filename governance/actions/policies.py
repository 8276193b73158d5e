"""Publishes policies. Reading them is governance/policy.py's."""

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from governance.models import PolicyVersion
from governance.policy import parse
from portal import ledger, rights
from portal.errors import Invalid, Stale
from portal.event_kinds import EventKind
from portal.models import Person, Right
from portal.projecting import permission


def publish(*, by: Person, source: str) -> PolicyVersion:
    """Publish the next version of the policy the text names. Raises PolicyError with lines, columns and remedies.

    Publishing what is in force already changes nothing and is refused; so is, as Stale, publishing at the same moment
    as somebody else.
    """
    rights.check_estate(by, Right.MANAGE)
    document = parse(source)
    with ledger.business():
        versions = PolicyVersion.objects.filter(name=document.name)
        newest = versions.order_by("-version").first()
        if newest is not None and newest.digest == document.digest:
            raise Invalid(
                _("Version %(version)s of policy “%(name)s” says the same already.")
                % {"version": newest.version, "name": document.name},
                code="policy_same",
                field="source",
            )
        number = (versions.aggregate(last=Max("version"))["last"] or 0) + 1
        try:
            with transaction.atomic():
                published = PolicyVersion.objects.create(
                    name=document.name, version=number, source=source, digest=document.digest, published_by=by
                )
        except IntegrityError as error:
            raise Stale(
                _("Somebody published a version of policy “%(name)s” just now. Read it, then publish again.")
                % {"name": document.name},
                code="policy_published_meanwhile",
            ) from error
        for role in document.roles:
            permission(f"sign_{role}")
        ledger.record(
            EventKind.POLICY_PUBLISHED,
            by=by,
            project="",
            subject=f"policy:{published.pk}",
            policy=document.name,
            version=number,
            digest=document.digest,
            source=source,
            tiers=sorted(document.tiers),
        )
        return published
