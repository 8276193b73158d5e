"""Reads what was judged before, out of the ledger: the Cases that a draft of a policy is replayed on."""

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from governance.facts import Finding, SignOffFact
from governance.gate import Case, case_from_bytes
from governance.models import PolicyVersion, SignOff
from governance.replay import Past
from portal import content, ledger
from portal.event_kinds import EventKind
from portal.models import Bundle

AT_A_TIME = 100


def judged_under(policy: str, limit: int | None = None, *, scan: int | None = None) -> Iterator[Past]:
    """The judgements by any version of this policy, the newest first, at most `limit`; a few queries for every 100.

    `scan`: look through so many judgements by whichever policy, no more. Raises Refused where a case is gone from the
    store, or is not what was put there.
    """
    if not PolicyVersion.objects.filter(name=policy).exists():
        return
    rows = ledger.rows(kinds=[EventKind.VERDICT_JUDGED]).order_by("-seq").values_list("seq", "body")
    left, unseen, given = limit, scan, _WhereGiven()
    some = list(rows[: _at_a_time(unseen)])
    while some and left != 0:
        read = [(seq, _EVENTS.decode(bytes(body)).facts) for seq, body in some]
        told = [(seq, one) for seq, one in read if one.policy.name == policy][:left]
        bodies = content.get_many({one.case for _seq, one in told})
        for seq, one in told:  # built one by one: a case is large, and what dies young costs little
            case = given.whole(case_from_bytes(bodies[one.case]))
            yield Past(
                seq=seq,
                request=one.request,
                moment=one.moment,
                case=case,
                met=one.outcome == "met",
                findings=one.findings,
            )
        left = None if left is None else left - len(told)
        unseen = None if unseen is None else unseen - len(some)
        some = list(rows.filter(seq__lt=some[-1][0])[: _at_a_time(unseen)])


class _Under(msgspec.Struct):
    """The policy a judgement was made by."""

    name: str


class _Judged(msgspec.Struct):
    """What the event of a judgement says; `case` is the digest of its Case."""

    request: int
    moment: str
    outcome: str
    case: str
    policy: _Under
    findings: tuple[Finding, ...]


class _Event(msgspec.Struct):
    facts: _Judged


# Of an event's facts only these are looked at, so the others are not made into objects.
_EVENTS = msgspec.json.Decoder(_Event)


def _at_a_time(unseen: int | None) -> int:
    return AT_A_TIME if unseen is None else min(AT_A_TIME, unseen)


class _WhereGiven:
    """Says in Cases of before it was written down on which bundle each signature was given.

    Signatures are read a thousand at a time, by their numbers, so that many Cases take few queries.
    """

    def __init__(self) -> None:
        self._read: set[int] = set()
        self._given: dict[str, tuple[int, int, str]] = {}
        self._later: dict[tuple[int, int], int] = {}

    def whole(self, case: Case) -> Case:
        """The case, with what is known of its signatures."""
        signoffs = tuple(self._told(fact, case) for fact in case.signoffs)
        return case if signoffs == case.signoffs else replace(case, signoffs=signoffs)

    def _of(self, number: int) -> tuple[int, int, str]:
        """The signature's bundle, its project, and the bundle's name; zeros where there is no such signature."""
        thousand = number // 1000
        if thousand not in self._read:
            self._read.add(thousand)
            rows = SignOff.objects.filter(pk__gte=thousand * 1000, pk__lt=(thousand + 1) * 1000)
            found = rows.values_list("pk", "bundle__pk", "bundle__project", "bundle__bundle_id")
            self._given |= {str(signoff): (bundle, project, name) for signoff, bundle, project, name in found}
        return self._given.get(str(number), (0, 0, ""))

    def _told(self, fact: SignOffFact, case: Case) -> SignOffFact:
        if fact.bundle:
            return fact
        signed, project, name = self._of(int(fact.id))
        if not name or name == case.bundle:
            return fact
        judged = Bundle.objects.filter(project=project, bundle_id=case.bundle).values_list("pk", flat=True)
        key = (signed, judged.first() or 0)
        if key not in self._later:
            between = Bundle.objects.filter(project=project, pk__gt=key[0], pk__lte=key[1])
            counted = between.filter(status=Bundle.Status.REGISTERED).count() if key[1] > key[0] else -1
            self._later[key] = counted
        return replace(fact, bundle=name, carried=self._later[key])
