"""Who is in which team, by whose word: the group of a team holds whoever has a membership from any source.

Runs inside the caller's business transaction and records what changed. Who may is the actions' to ask.
"""

from collections.abc import Collection

from portal import ledger
from portal.event_kinds import EventKind
from portal.models import Membership, Person, Team
from portal.models.identity import Source


def admit(
    *, by: Person, team: Team, person: Person, source: str = Source.LOCAL, change: int | None = None
) -> None:
    """Add a membership from a source; told where the person was not in the team before.

    `change` is the number of the change of rights that it is part of.
    """
    Membership.objects.get_or_create(person=person, team=team, source=source)
    if person.groups.filter(pk=team.group_id).exists():
        return
    person.groups.add(team.group)
    _told(EventKind.TEAM_JOINED, by, team, person, source, change)


def dismiss(*, by: Person, team: Team, person: Person, source: str = "", change: int | None = None) -> None:
    """End the membership from a source, or from all; told where the person is not in the team any more."""
    held = Membership.objects.filter(person=person, team=team)
    (held.filter(source=source) if source else held).delete()
    if source and held.exists():
        return
    if person.groups.filter(pk=team.group_id).exists():
        person.groups.remove(team.group)
        _told(EventKind.TEAM_LEFT, by, team, person, source or Source.LOCAL, change)


def refresh(*, by: Person, person: Person, source: str, teams: Collection[Team]) -> None:
    """Let the person's memberships from a source be exactly these; those from other sources stay."""
    wanted = {team.pk: team for team in teams}
    held = {
        row.team_id: row.team
        for row in Membership.objects.filter(person=person, source=source).select_related("team__group")
    }
    for pk in sorted(wanted.keys() - held.keys()):
        admit(by=by, team=wanted[pk], person=person, source=source)
    for pk in sorted(held.keys() - wanted.keys()):
        dismiss(by=by, team=held[pk], person=person, source=source)


def _told(kind: EventKind, by: Person, team: Team, person: Person, source: str, change: int | None) -> None:
    ledger.record(
        kind,
        by=by,
        project="",
        subject=f"team:{team.pk}",
        team=team.slug,
        person=str(person.pk),
        name=person.name,
        source=source,
        change=change,
    )
