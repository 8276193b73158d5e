"""Publishes policies: proposed by one administrator, published by another where settings ask for one.

Reading them is governance/policy.py's.
"""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from governance.models import PolicyVersion
from governance.policy import parse
from governance.policy_words import differences
from governance.queries import newest_version, parsed
from portal import ledger, rights
from portal.actions import changes
from portal.errors import Invalid, Stale
from portal.event_kinds import EventKind
from portal.models import Change, Person, Right
from portal.projecting import permission


def propose(*, by: Person, source: str, why: str, reviewed: bool = False) -> Change:
    """Propose to publish the next version of the policy the text names; see portal.actions.changes.ask.

    `reviewed`: it comes out of a repository.
    """
    rights.check_estate(by, Right.MANAGE)
    wish = {"source": source, "does": _does(source)}
    return changes.ask(by=by, kind=Change.Kind.POLICY, wish=wish, why=why, reviewed=reviewed)


def publish(
    *, by: Person, source: str, proposed_by: Person | None = None, change: Change | None = None
) -> PolicyVersion:
    """Publish the next version of the policy the text names. Raises PolicyError with lines, columns and remedies.

    `proposed_by` wrote it, and `change` is the change by which `by` publishes it; both default to `by` alone.

    Publishing what is in force already changes nothing and is refused; so is, as Stale, publishing at the same moment
    as somebody else.
    """
    rights.check_estate(by, Right.MANAGE)
    document = parse(source)
    with ledger.business():
        newest = newest_version(document.name)
        if newest is not None and newest.digest == document.digest:
            raise Invalid(
                _("Version %(version)s of policy “%(name)s” says the same already.")
                % {"version": newest.version, "name": document.name},
                code="policy_same",
                field="source",
            )
        number = 1 if newest is None else newest.version + 1
        try:
            with transaction.atomic():
                published = PolicyVersion.objects.create(
                    name=document.name,
                    version=number,
                    source=source,
                    digest=document.digest,
                    published_by=proposed_by or by,
                    change=change,
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
            change=change and change.pk,
            version=number,
            digest=document.digest,
            source=source,
            tiers=sorted(document.tiers),
        )
        return published


class _Policies:
    """What a change of policy means: `{"source": YAML, "does": what it changes of the version then in force}`."""

    def check(self, *, by: Person, wish: Any) -> None:
        """Policies are the estate's."""
        rights.check_estate(by, Right.MANAGE)

    def basis(self, wish: Any) -> Any:
        """The number of the version in force."""
        name = parse(wish["source"]).name
        return {"policy": name, "version": _last(name)}

    def only_takes(self, wish: Any) -> bool:
        """A policy that asks for less is no taking of rights."""
        return False

    def facts(self, wish: Any) -> list[str]:
        """Which version it would be, or is, and what that changes. Those proposed before it was kept say the first."""
        return list(wish.get("does") or _does(wish["source"]))

    def apply(self, *, by: Person, asked_by: Person, wish: Any, change: Change) -> None:
        """Publish it."""
        publish(by=by, source=wish["source"], proposed_by=asked_by, change=change)


POLICIES: changes.Kind = _Policies()


def _does(source: str) -> list[str]:
    document = parse(source)
    last = newest_version(document.name)
    return [
        f"publish policy {document.name} version {_last(document.name) + 1}, {document.digest}",
        *differences(None if last is None else parsed(last.source), document),
    ]


def _last(name: str) -> int:
    newest = newest_version(name)
    return 0 if newest is None else newest.version
