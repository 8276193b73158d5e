"""Says which group elsewhere means which team here. It gives rights to whoever is in the group, so it is a change.

Unmapping only takes rights away: it needs nobody else, and ends the memberships that came from there at once.
"""

from typing import Any

from django.utils.translation import gettext as _

from portal import ledger, memberships, rights
from portal.actions import changes, grants
from portal.directory import refresh_group
from portal.errors import Invalid
from portal.event_kinds import EventKind
from portal.models import Change, GroupMapping, Membership, Person, Right, Team
from portal.models.identity import Source

GROUP_LIMIT = 255


def map_group(*, by: Person, provider: str, group: str, team: Team, why: str) -> Change:
    """Propose that a group means a team; applied at once where nobody else is asked for."""
    wish = {"op": "map", "provider": provider, "group": group, "team": team.slug}
    return changes.ask(by=by, kind=Change.Kind.GROUPS, wish=wish, why=why)


def unmap_group(*, by: Person, mapping: GroupMapping, why: str) -> Change:
    """Let a group mean nothing any more; the memberships that came from it end."""
    wish = {
        "op": "unmap",
        "provider": mapping.provider,
        "group": mapping.group,
        "team": mapping.team.slug,
    }
    return changes.ask(by=by, kind=Change.Kind.GROUPS, wish=wish, why=why)


class _Groups:
    """What changes of mappings mean, for portal.actions.changes."""

    def check(self, *, by: Person, wish: Any) -> None:
        rights.check_estate(by, Right.MANAGE)

    def basis(self, wish: Any) -> Any:
        """Whether the mapping is there."""
        return _found(wish).exists()

    def only_takes(self, wish: Any) -> bool:
        return bool(wish["op"] == "unmap")

    def facts(self, wish: Any) -> list[str]:
        return [f"{wish['op']} {wish['provider']} group {wish['group']} to team {wish['team']}"]

    def apply(self, *, by: Person, asked_by: Person, wish: Any, change: Change) -> None:
        """Make or end the mapping; the proposer is who made it."""
        team = Team.objects.filter(slug=wish["team"]).select_related("group").first()
        if team is None:
            raise Invalid(
                _("There is no team “%(name)s”.") % {"name": wish["team"]}, code="team_unknown", field="team"
            )
        provider, group = wish["provider"], wish["group"]
        if provider not in (Source.OIDC, Source.SAML, Source.SCIM):
            raise Invalid(_("Choose OIDC, SAML or SCIM."), code="provider_unknown", field="provider")
        if not group or len(group) > GROUP_LIMIT or group != group.strip():
            raise Invalid(
                _("Give the group's name as it is there, of at most %(limit)s characters.")
                % {"limit": GROUP_LIMIT},
                code="group_invalid",
                field="group",
            )
        with ledger.business():
            if wish["op"] == "map":
                self._map(asked_by, provider, group, team, change)
            else:
                self._unmap(by, provider, group, team, change)

    def _map(self, by: Person, provider: str, group: str, team: Team, change: Change) -> None:
        _row, made = GroupMapping.objects.get_or_create(
            provider=provider, group=group, team=team, defaults={"made_by": by}
        )
        if not made:
            raise Invalid(_("This group means this team already."), code="mapping_there", field="group")
        _told(EventKind.GROUP_MAPPED, by, provider, group, team, change)
        refresh_group(by=by, provider=provider, group=group)

    def _unmap(self, by: Person, provider: str, group: str, team: Team, change: Change) -> None:
        found = GroupMapping.objects.filter(provider=provider, group=group, team=team)
        if not found.delete()[0]:
            raise Invalid(_("This mapping is not there any more."), code="mapping_gone", field="group")
        _told(EventKind.GROUP_UNMAPPED, by, provider, group, team, change)
        # Which of its groups let somebody in is not kept: all that came from there end, and what another group gives
        # comes back with the next sign-in.
        rows = list(Membership.objects.filter(team=team, source=provider).select_related("person"))
        with grants.keeping_an_admin([row.person for row in rows]):
            for row in rows:
                memberships.dismiss(by=by, team=team, person=row.person, source=provider)
            refresh_group(by=by, provider=provider, group=None)


GROUPS: changes.Kind = _Groups()


def _found(wish: Any) -> Any:
    return GroupMapping.objects.filter(
        provider=wish["provider"], group=wish["group"], team__slug=wish["team"]
    )


def _told(kind: EventKind, by: Person, provider: str, group: str, team: Team, change: Change) -> None:
    ledger.record(
        kind,
        by=by,
        project="",
        subject=f"team:{team.pk}",
        provider=provider,
        group=group,
        team=team.slug,
        change=change.pk,
    )
