"""Who could have acted as somebody else, in the terms of a Case: bars, and who let in whom.

`portal.let_in` and `portal.makers` find them. Not in charge of what follows: `governance.checks` say that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from governance.gate import (
    CAN_PROMOTE,
    CAN_REQUEST,
    Barred,
    Holder,
    SignOffFact,
    WaiverFact,
    instant,
    parse_instant,
)
from governance.newest import Known
from portal.let_in import LetIn, could_be, could_be_and
from portal.models import Person, Right

Holders = dict[int, tuple[Holder, ...]]  # by lane id
Acts = Sequence[tuple[Person | None, datetime]]


def bars_behind(acts: Acts) -> list[frozenset[Barred]]:
    """For each who asked for something, or made it, and when: the bars of those who could have done it as them."""
    return _bars(acts, could_be(acts, Right.REQUEST))


def behind(
    acts: Acts, holders: Holders, found: Sequence[Known], now: datetime
) -> tuple[list[frozenset[Barred]], Holders, list[Known]]:
    """The same; and these holders and what is known, saying who had lately let in those who can sign or waive, now, and
    those who did, when they did; and who could have asked for a waiver as whoever did. In two queries where nobody let
    anybody in."""
    signs = [one for some in holders.values() for one in some if _signs(one)]
    words: list[SignOffFact | WaiverFact] = [fact for one in found for fact in one.signoffs]
    words += [waived.fact for one in found for waived in one.waivers]
    # Who asked for each waiver, and for whom, in the order of `found`.
    asked = [
        (who, waived.asked_at)
        for one in found
        for waived in one.waivers
        for who in (waived.asked_by, waived.asked_for)
    ]
    # Whoever could come as somebody could also let a stand-in of theirs sign.
    moments = {
        (UUID(person), at): None
        for at, people in (
            *((now, one.people) for one in signs),
            *((parse_instant(fact.at), fact.people) for fact in words),
        )
        for person in people
    }
    every = [*acts, *asked]
    others, told = could_be_and(every, Right.REQUEST, moments=list(moments))
    bars = _bars(every, others)
    bars, of_askers = bars[: len(acts)], iter(bars[len(acts) :])
    found = [_asked_by(one, of_askers) for one in found]
    if not any(one.by for one in told):
        return bars, holders, list(found)
    known = dict(zip(moments, told, strict=True))

    def of(one: Holder | SignOffFact | WaiverFact, at: datetime) -> list[LetIn]:
        return [known[UUID(person), at] for person in one.people]

    return (
        bars,
        {
            lane: tuple(_told(one, of(one, now)) if _signs(one) else one for one in some)
            for lane, some in holders.items()
        },
        [
            replace(
                one,
                signoffs=tuple(_told(fact, of(fact, parse_instant(fact.at))) for fact in one.signoffs),
                waivers=tuple(
                    replace(waived, fact=_told(waived.fact, of(waived.fact, parse_instant(waived.fact.at))))
                    for waived in one.waivers
                ),
            )
            for one in found
        ],
    )


def _bars(acts: Acts, told: Sequence[LetIn]) -> list[frozenset[Barred]]:
    return [
        frozenset(Barred(str(one), _why(who, one in let.again)) for one in let.by)
        for (who, _at), let in zip(acts, told, strict=True)
    ]


def _why(who: Person | None, again: bool) -> str:
    if who is None or who.kind != Person.Kind.PERSON:
        return "token_maker"
    return "let_back_in" if again else "let_in"


def _signs(one: Holder) -> bool:
    return one.role not in (CAN_REQUEST, CAN_PROMOTE)


Fact = TypeVar("Fact", Holder, SignOffFact, WaiverFact)


def _asked_by(one: Known, bars: Iterator[frozenset[Barred]]) -> Known:
    """The same, saying of each waiver who could have asked for it as whoever did; two bars for each."""
    if not one.waivers:
        return one
    told = []
    for waived in one.waivers:
        own = {waived.fact.asked_by, waived.fact.asked_for}
        others = {bar for bar in next(bars) | next(bars) if bar.person not in own}
        behind = tuple(sorted(others, key=lambda bar: (bar.person, bar.why)))
        told.append(replace(waived, fact=replace(waived.fact, behind=behind)) if behind else waived)
    return replace(one, waivers=tuple(told))


def _told(one: Fact, let: Sequence[LetIn]) -> Fact:
    by = frozenset().union(*(some.by for some in let)) - {UUID(person) for person in one.people}
    if not by:
        return one
    again = frozenset().union(*(some.again for some in let)) & by
    told: dict[str, Any] = {
        "let_in": tuple(sorted(map(str, by))),
        "let_back_in": tuple(sorted(map(str, again))),
    }
    ends = [some.until for some in let if some.until is not None]
    if ends and hasattr(one, "let_until"):
        told["let_until"] = instant(min(ends))
    return replace(one, **told)
