"""Reads what was judged before, out of the ledger: the Cases that a draft of a policy is replayed on."""

import json
from collections.abc import Iterator

from governance.gate import case_from_json
from governance.replay import Past
from portal import content, ledger
from portal.event_kinds import EventKind

AT_A_TIME = 500


def judged_under(policy: str, limit: int | None = None) -> Iterator[Past]:
    """The judgements by any version of this policy, the newest first, at most `limit`; two queries for every 500.

    Raises Refused where a case is gone from the store, or is not what was put there.
    """
    rows = ledger.rows(kinds=[EventKind.VERDICT_JUDGED]).order_by("-seq")
    left, some = limit, list(rows[:AT_A_TIME])
    while some and left != 0:
        told = [(row.seq, ledger.decoded(bytes(row.body))["facts"]) for row in some]
        told = [(seq, facts) for seq, facts in told if facts["policy"]["name"] == policy][:left]
        cases = content.get_many({facts["case"] for _seq, facts in told})
        for seq, facts in told:
            yield Past(
                seq=seq,
                request=facts["request"],
                moment=facts["moment"],
                case=case_from_json(json.loads(cases[facts["case"]])),
                met=facts["outcome"] == "met",
            )
        left = None if left is None else left - len(told)
        some = list(rows.filter(seq__lt=some[-1].seq)[:AT_A_TIME])
