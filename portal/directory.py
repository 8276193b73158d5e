"""What the groups that a directory sent mean here: memberships of the teams that an administrator mapped them to.

Runs inside the caller's business transaction; what changed is recorded by portal/memberships.py.
"""

from portal import memberships
from portal.models import GroupMapping, Person
from portal.models.identity import Source


def refresh_person(*, by: Person, person: Person) -> None:
    """Let the person's memberships by SCIM be what their groups mean now; of somebody disabled, none."""
    names = set(person.directory_groups.values_list("name", flat=True)) if person.is_active else set()
    known = GroupMapping.objects.filter(provider=Source.SCIM, group__in=names).select_related("team__group")
    teams = {row.team_id: row.team for row in known}
    memberships.refresh(by=by, person=person, source=Source.SCIM, teams=list(teams.values()))


def refresh_group(*, by: Person, provider: str, group: str | None) -> None:
    """After a mapping changed: of everybody in this group, or, where it is None, in any. Only SCIM tells before."""
    if provider != Source.SCIM:
        return
    people = Person.objects.filter(directory_groups__isnull=False)
    if group is not None:
        people = people.filter(directory_groups__name=group)
    for person in people.distinct().order_by("pk"):
        refresh_person(by=by, person=person)
