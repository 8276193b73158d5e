"""Changes the rules that apply to a project: its tier and its policy. Two administrators, never an owner."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.policy import parse
from governance.queries import policy_of
from governance.standing import standing_of
from portal import ledger, rights
from portal.actions import changes
from portal.errors import Forbidden, Invalid, Refused
from portal.event_kinds import EventKind
from portal.models import Change, Event, Person, Project, Right


def propose(*, by: Person, project: Project, tier: str, policy: str = "", why: str) -> Change:
    """Propose another tier, and perhaps another policy, for a project; it waits for a second administrator.

    Raises Forbidden for an owner of the project and for who is no administrator, Invalid naming the field.
    """
    wish = {
        "project": project.key,
        "tier": tier,
        "policy": policy or project.policy,
        "was": {"tier": project.tier, "policy": project.policy},
    }
    stands = standing_of(project)
    if stands.leads_to and wish["policy"] == project.policy:
        wish["leads_to"] = stands.leads_to
    return changes.ask(by=by, kind=Change.Kind.TIER, wish=wish, why=why, project=project)


def why_not(person: Person, project: Project) -> str:
    """The sentence for somebody who may not propose another tier here, or an empty text: what to show."""
    try:
        TIERS.check(by=person, wish={"project": project.key})
    except Refused as refusal:
        return refusal.sentence
    return ""


class _Tiers:
    """What a change of tier means: `{"project": key, "tier": slug, "policy": slug, "was": {"tier", "policy"}}`."""

    def check(self, *, by: Person, wish: Any) -> None:
        """An administrator of the estate who does not own the project, nor did lately: giving it up takes a click."""
        rights.check_estate(by, Right.MANAGE)
        project = _project(wish)
        if project.owners.filter(pk=by.pk).exists():
            raise Forbidden(
                _(
                    "You own %(project)s, so its rules are not yours to change."
                    " Ask two administrators who do not own it."
                )
                % {"project": project.name},
                code="tier_own_project",
                project=project.key,
            )
        if _owned_lately(by, project):
            raise Forbidden(
                _(
                    "You owned %(project)s until lately, so its rules are not yours to change yet."
                    " Ask two administrators who did not own it."
                )
                % {"project": project.name},
                code="tier_own_project",
                project=project.key,
            )

    def basis(self, wish: Any) -> Any:
        """The rules that apply now."""
        project = _project(wish)
        return {"tier": project.tier, "policy": project.policy}

    def only_takes(self, wish: Any) -> bool:
        """Nobody changes a tier alone."""
        return False

    def facts(self, wish: Any) -> list[str]:
        """From what to what."""
        was = wish.get("was") or self.basis(wish)
        before = f"tier {was['tier']} of {was['policy']}"
        said = [f"{wish['project']}: from {before} to tier {wish['tier']} of {wish['policy']}"]
        if wish.get("leads_to"):
            said.append(f"what its owners answered about its materiality leads to tier {wish['leads_to']}")
        return said

    def apply(self, *, by: Person, asked_by: Person, wish: Any, change: Change) -> None:
        """Set them; raises Invalid where the policy has no such tier or nothing would change."""
        with ledger.business():
            project = Project.objects.select_for_update(of=("self",)).get(key=wish["project"])
            before = {"tier": project.tier, "policy": project.policy}
            after = {"tier": wish["tier"], "policy": wish["policy"]}
            if before == after:
                raise Invalid(
                    _("%(project)s is in this tier already.") % {"project": project.name},
                    code="tier_same",
                    field="tier",
                )
            project.tier, project.policy = wish["tier"], wish["policy"]
            tiers = parse(policy_of(project).source).tiers
            if project.tier not in tiers:
                raise Invalid(
                    _("Policy “%(policy)s” has no tier “%(tier)s”; it has: %(known)s.")
                    % {"policy": project.policy, "tier": project.tier, "known": ", ".join(tiers)},
                    code="tier_unknown",
                    field="tier",
                )
            project.save(update_fields=["tier", "policy"])
            ledger.record(
                EventKind.PROJECT_RERULED,
                by=by,
                project=project.key,
                subject=f"project:{project.pk}",
                name=project.name,
                before=before,
                after=after,
                change=change.pk,
                asked_by=str(asked_by.pk),
            )


TIERS: changes.Kind = _Tiers()


def _owned_lately(person: Person, project: Project) -> bool:
    """Whether the person gave up or handed over the project within the cooling-off period."""
    ended = Event.objects.filter(
        subject=f"project:{project.pk}",
        kind__in=[EventKind.OWNER_REMOVED.value, EventKind.PROJECT_HANDED_OVER.value],
        at__gt=timezone.now() - timedelta(seconds=settings.COOLING_OFF_SECONDS),
    )
    return any(ledger.decoded(bytes(one.body))["facts"]["person"] == str(person.pk) for one in ended)


def _project(wish: Any) -> Project:
    return Project.objects.get(key=wish["project"])
