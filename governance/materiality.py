"""From how much hangs on a project to its tier: two questions of a policy, and the table their answers lead through.

Total: every pair of answers has its tier, and every tier its place from the least strict to the strictest. Pure. Not in
charge of what was answered (`governance.models.MaterialityAnswer`), nor of the tier in force, which two administrators
change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from portal.marked import Path_, listed


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and the answers there are: their names, and as they are read."""

    text: str
    answers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Materiality:
    """`tiers[purpose][exposure]` is the tier; `order` names the tiers from the least strict on."""

    exposure: Question
    purpose: Question
    tiers: dict[str, dict[str, str]]
    order: tuple[str, ...]

    def leads_to(self, exposure: str, purpose: str) -> str | None:
        """The tier of these answers; None for answers that the policy does not know (any more)."""
        return self.tiers.get(purpose, {}).get(exposure)

    def is_below(self, tier: str, other: str) -> bool:
        """Whether a tier is less strict than another; one that is not named is below all."""
        return other in self.order and (
            tier not in self.order or self.order.index(tier) < self.order.index(other)
        )

    def as_json(self) -> dict[str, Any]:
        """What is hashed of it: with the order of its answers, which is that of the form."""

        def asked(question: Question) -> dict[str, Any]:
            return {"question": question.text, "answers": [list(pair) for pair in question.answers.items()]}

        return {
            "exposure": asked(self.exposure),
            "purpose": asked(self.purpose),
            "tiers": self.tiers,
            "order": list(self.order),
        }


def read(said: Mapping[str, Any]) -> Materiality:
    """What a policy says, once `mistakes` found none."""
    return Materiality(
        Question(said["exposure"]["question"], dict(said["exposure"]["answers"])),
        Question(said["purpose"]["question"], dict(said["purpose"]["answers"])),
        {purpose: dict(row) for purpose, row in said["tiers"].items()},
        tuple(said["order"]),
    )


def mistakes(said: Mapping[str, Any], tiers: Mapping[str, Any]) -> Iterator[tuple[Path_, str, str]]:
    """What the schema cannot see, as (path within, message, remedy): holes in the table, names that are none."""
    exposures, purposes = said["exposure"]["answers"], said["purpose"]["answers"]
    table: Mapping[str, Mapping[str, str]] = said["tiers"]
    yield from _names(("tiers",), table, purposes, "answers about the purpose")
    for purpose, row in table.items():
        yield from _names(("tiers", purpose), row, exposures, "answers about the exposure")
        for exposure, tier in row.items():
            if tier not in tiers:
                yield (
                    ("tiers", purpose, exposure),
                    f"There is no tier {tier} in this policy.",
                    f"Use {listed(tiers, 'or')}.",
                )
    yield from _names(("order",), dict.fromkeys(said["order"]), tiers, "tiers")


def _names(
    path: Path_, found: Mapping[str, Any], wanted: Mapping[str, Any], what: str
) -> Iterator[tuple[Path_, str, str]]:
    missing, unknown = [n for n in wanted if n not in found], [n for n in found if n not in wanted]
    if missing:
        yield path, f"Nothing is said of {listed(missing)}.", f"Name all {what}: {listed(wanted)}."
    if unknown:
        yield path, f"There is no {listed(unknown, 'or')} here.", f"Name the {what}: {listed(wanted)}."
