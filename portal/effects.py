"""What an edit of rights would do to whom: what people hold before and after. Changes nothing: it is rehearsed."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.actions import edits
from portal.actions.edits import Op
from portal.held import held_by_each
from portal.models import Delegation, Lane, Person
from portal.models.delegation import running
from portal.models.grant import SIGN_PREFIX
from portal.ways import right_word

# People x lanes that are weighed one by one; of more, only who is touched is told.
AT_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Effect:
    """What one person can do more, and what no more, each as "promote in Production"; both empty: no difference."""

    name: str
    gains: tuple[str, ...]
    loses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Effects:
    """Whom an edit touches, by name; `weighed`: whether gains and losses were worked out, or were too many."""

    people: tuple[Effect, ...]
    weighed: bool


def effects(*, by: Person, ops: Sequence[Op]) -> Effects:
    """Rehearse it and tell what it does to whom. Raises as `edits.edit` would."""
    edits.RIGHTS.check(by=by, wish={"ops": list(ops)})  # before anything is told of whom it names
    people = _touched(ops)
    lanes = _lanes(ops)
    weighed = lanes is not None and len(people) * len(lanes) <= AT_MOST
    if not weighed or lanes is None:
        edits.rehearse(by=by, ops=ops, look=lambda: None)
        return Effects(tuple(Effect(person.name, (), ()) for person in people), weighed=False)
    before = held_by_each(people, lanes)
    after = edits.rehearse(by=by, ops=ops, look=lambda: held_by_each(people, lanes))
    projects = {lane.project_id for lane in lanes}
    found = []
    for person in people:
        gains: dict[tuple[str, str], int] = defaultdict(int)
        loses: dict[tuple[str, str], int] = defaultdict(int)
        for lane in lanes:
            old, new = before[person.pk, lane.pk].names, after[person.pk, lane.pk].names
            for name in sorted(new - old):
                gains[name, lane.stage.name] += 1
            for name in sorted(old - new):
                loses[name, lane.stage.name] += 1
        found.append(Effect(person.name, _told(gains, len(projects)), _told(loses, len(projects))))
    return Effects(tuple(found), weighed=True)


def _told(counts: dict[tuple[str, str], int], projects: int) -> tuple[str, ...]:
    said = []
    for (name, stage), count in counts.items():
        right = "sign" if name.startswith(SIGN_PREFIX) else name
        word = right_word(right, name.removeprefix(SIGN_PREFIX) if right == "sign" else "")
        line = _("%(right)s in %(stage)s") % {"right": word, "stage": stage}
        if projects > 1:
            line += " " + _("(%(count)s of %(all)s projects)") % {"count": count, "all": projects}
        said.append(line)
    return tuple(said)


def _touched(ops: Sequence[Op]) -> list[Person]:
    """The people named, the members of teams named, and who stands in for one of them; by name."""
    known = edits.known(ops)
    able = Person.objects.filter(is_active=True).exclude(kind=Person.Kind.SYSTEM)
    named = Q(pk__in=known.people) | Q(groups__team__in=known.teams)
    first = list(able.filter(named).distinct())
    away = Delegation.objects.filter(running(timezone.now()), person__in=[one.pk for one in first])
    return list(
        able.filter(Q(pk__in=[one.pk for one in first]) | Q(pk__in=away.values("delegate_id"))).order_by(
            "name", "pk"
        )
    )


def _lanes(ops: Sequence[Op]) -> list[Lane] | None:
    """The lanes these operations reach; None where they reach the whole estate."""
    known = edits.known(ops)
    if known.estate:
        return None
    reached = Q(project__in=known.projects) | Q(project__portfolios__in=known.portfolios)
    lanes = Lane.objects.filter(reached).select_related("stage").order_by("project", "stage__position")
    return list(lanes.distinct()[: AT_MOST + 1])
