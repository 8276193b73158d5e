"""Reads what was judged before, out of the ledger: the Cases that a draft of a policy is replayed on."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from governance.facts import SignOffFact
from governance.gate import Case, case_from_json
from governance.models import PolicyVersion, SignOff
from governance.replay import Past
from portal import content, ledger
from portal.event_kinds import EventKind
from portal.models import Bundle

AT_A_TIME = 500


def judged_under(policy: str, limit: int | None = None, *, scan: int | None = None) -> Iterator[Past]:
    """The judgements by any version of this policy, the newest first, at most `limit`; a few queries for every 500.

    `scan`: look through so many judgements by whichever policy, no more. Raises Refused where a case is gone from the
    store, or is not what was put there.
    """
    if not PolicyVersion.objects.filter(name=policy).exists():
        return
    rows = ledger.rows(kinds=[EventKind.VERDICT_JUDGED]).order_by("-seq")
    left, unseen = limit, scan
    some = list(rows[: _at_a_time(unseen)])
    while some and left != 0:
        told = [(row.seq, ledger.decoded(bytes(row.body))["facts"]) for row in some]
        told = [(seq, facts) for seq, facts in told if facts["policy"]["name"] == policy][:left]
        bodies = content.get_many({facts["case"] for _seq, facts in told})
        cases = _where_given([case_from_json(json.loads(bodies[facts["case"]])) for _seq, facts in told])
        for (seq, facts), case in zip(told, cases, strict=True):
            yield Past(
                seq=seq,
                request=facts["request"],
                moment=facts["moment"],
                case=case,
                met=facts["outcome"] == "met",
            )
        left = None if left is None else left - len(told)
        unseen = None if unseen is None else unseen - len(some)
        some = list(rows.filter(seq__lt=some[-1].seq)[: _at_a_time(unseen)])


def _at_a_time(unseen: int | None) -> int:
    return AT_A_TIME if unseen is None else min(AT_A_TIME, unseen)


def _where_given(cases: Sequence[Case]) -> list[Case]:
    """The cases, those of before it was written down saying on which bundle each signature was given."""
    untold = {int(fact.id) for case in cases for fact in case.signoffs if not fact.bundle}
    given = {
        str(row.pk): row.bundle for row in SignOff.objects.filter(pk__in=untold).select_related("bundle")
    }
    later: dict[tuple[int, int], int] = {}

    def told(fact: SignOffFact, case: Case) -> SignOffFact:
        signed = given.get(fact.id)
        if fact.bundle or signed is None or signed.bundle_id == case.bundle:
            return fact
        judged = Bundle.objects.filter(project=signed.project_id, bundle_id=case.bundle).first()
        key = (signed.pk, judged.pk if judged else 0)
        if key not in later:
            between = Bundle.objects.filter(project=signed.project_id, pk__gt=key[0], pk__lte=key[1])
            later[key] = between.filter(status=Bundle.Status.REGISTERED).count() if key[1] > key[0] else -1
        return replace(fact, bundle=signed.bundle_id, carried=later[key])

    def whole(case: Case) -> Case:
        signoffs = tuple(told(fact, case) for fact in case.signoffs)
        return case if signoffs == case.signoffs else replace(case, signoffs=signoffs)

    return [whole(case) for case in cases]
