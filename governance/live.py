"""What is known of the bundles that run where others are to go, as a Case keeps it. Reads only.

Which bundle runs is told by the caller (deployments). Not in charge of what it means: `governance.explained` is.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q

from governance.explained import MOST_RANKED
from governance.facts import LiveFact, instant
from governance.models import Evidence
from governance.newest import newest, same_parts
from portal.models import Bundle


def live_facts(bundles: Sequence[Bundle | None]) -> list[LiveFact]:
    """Of each of these the newest explainability evidence about parts equal to its own, in one query for all.

    None among them is a place where nothing runs.
    """
    known = {bundle.pk: bundle for bundle in bundles if bundle is not None}
    found = {pk: LiveFact(bundle.bundle_id) for pk, bundle in known.items()}
    if known:
        # Of bundles with equal parts the same row is the newest, so it is looked for once for each set of parts.
        wanted = Q(pk__in=())
        for bundle in known.values():
            wanted |= Q(project=bundle.project_id) & same_parts(bundle.parts)
        rows = Evidence.objects.filter(wanted, kind=Evidence.Kind.EXPLAINABILITY).exclude(parts={})
        for row in newest(rows, "recorded_at", "project", "parts").select_related("result"):
            for pk, bundle in known.items():
                if row.project_id == bundle.project_id and row.parts.items() <= bundle.parts.items():
                    found[pk] = max(found[pk], _fact(bundle, row), key=lambda fact: fact.at)
    return [LiveFact("") if bundle is None else found[bundle.pk] for bundle in bundles]


def _fact(bundle: Bundle, row: Evidence) -> LiveFact:
    result = json.loads(bytes(row.result.body))
    return LiveFact(
        bundle.bundle_id,
        row.digest,
        instant(row.recorded_at),
        str(result.get("method", "")),
        _features(result),
    )


def _features(result: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    return tuple((str(one["feature"]), float(one["share"])) for one in result["features"][:MOST_RANKED])
