"""One pure function per requirement kind: `(case, clause) -> Finding`, and the rules they share.

No clock, no database, no sentences: a Finding carries a code of `Code` and JSON parameters, and
`governance.sentences` says them. A check never raises on odd facts; what it cannot read it cannot tell.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from functools import cached_property, lru_cache, partial
from itertools import chain, combinations
from typing import Any, Protocol

from governance import explained, external_checks, standards, testing, ticket, window
from governance.facts import (
    APPROVE,
    APPROVE_WITH_CONDITIONS,
    CAN_PROMOTE,
    CAN_REQUEST,
    CANNOT_TELL,
    MET,
    NOT_MET,
    REJECT,
    SYSTEM,
    Barred,
    Case,
    Clause,
    DocumentFact,
    EvidenceFact,
    Finding,
    Holder,
    LiveFact,
    SignOffFact,
    State,
    WaiverFact,
    instant,
    parse_instant,
)
from governance.matching import Seating, seat
from governance.parity import NOT_COUNTED, assess
from portal.canonical import digest

# Bars of who could have done it as somebody else.
_BEHIND = ("token_maker", "let_in", "let_back_in")
# Of words that compete with another of the same people, or of people who could be the same: how many are weighed each
# way; of later ones of the second kind none counts.
MOST_WEIGHED = 6


class Code(StrEnum):
    """Everything a finding can say. Each has its sentence in `governance.sentences`."""

    DOCUMENT_CURRENT = "document_current"
    DOCUMENT_EXPIRED = "document_expired"
    DOCUMENT_MISSING = "document_missing"
    DOCUMENT_OTHER_PARTS = "document_other_parts"
    DOCUMENT_SECTIONS_MISSING = "document_sections_missing"
    DOCUMENT_SECTIONS_UNTOLD = "document_sections_untold"
    EVIDENCE_BROUGHT = "evidence_brought"
    EVIDENCE_EXPIRED = "evidence_expired"
    EVIDENCE_MISSING = "evidence_missing"
    EVIDENCE_OTHER_PARTS = "evidence_other_parts"
    EVIDENCE_UNREADABLE = "evidence_unreadable"
    EXTERNAL_FAILED = "external_failed"
    EXTERNAL_PASSED = "external_passed"
    EXPLAINABILITY_CLEAR = "explainability_clear"
    EXPLAINABILITY_DRIFTED = "explainability_drifted"
    EXPLAINABILITY_DRIFT_UNCLEAR = "explainability_drift_unclear"
    EXPLAINABILITY_EMPTY = "explainability_empty"
    EXPLAINABILITY_FORBIDDEN = "explainability_forbidden"
    EXPLAINABILITY_PROXY = "explainability_proxy"
    EXPLAINABILITY_PROXY_UNCLEAR = "explainability_proxy_unclear"
    FAIRNESS_HOLDS = "fairness_holds"
    FAIRNESS_NOT_COUNTED = "fairness_not_counted"
    FAIRNESS_UNCLEAR = "fairness_unclear"
    FAIRNESS_VIOLATED = "fairness_violated"
    GOVERN_APPROVED = "govern_approved"
    GOVERN_NOT_APPROVED = "govern_not_approved"
    GOVERN_UNCLEAR = "govern_unclear"
    GOVERN_UNKNOWN = "govern_unknown"
    KIND_UNKNOWN = "kind_unknown"
    NOT_RECORDED = "not_recorded"
    PROJECT_SOUND = "project_sound"
    PROJECT_UNSOUND = "project_unsound"
    PROJECT_UNTOLD = "project_untold"
    SIGN_OFF_ASKED_AGAIN = "sign_off_asked_again"
    SIGN_OFF_CHANGES_REQUESTED = "sign_off_changes_requested"
    SIGN_OFF_GIVEN = "sign_off_given"
    SIGN_OFF_MISSING = "sign_off_missing"
    SIGN_OFF_NOBODY = "sign_off_nobody"
    SIGN_OFF_REJECTED = "sign_off_rejected"
    SOAK_COMPLETE = "soak_complete"
    SOAK_CUT_SHORT = "soak_cut_short"
    SOAK_NEVER = "soak_never"
    SOAK_RUNNING = "soak_running"
    STANDARDS_BROKEN = "standards_broken"
    STANDARDS_KEPT = "standards_kept"
    STANDARDS_NONE = "standards_none"
    STANDARDS_NOT_RUN = "standards_not_run"
    TESTS_FAILED = "tests_failed"
    TESTS_NONE = "tests_none"
    TESTS_NOT_RUN = "tests_not_run"
    TESTS_PASSED = "tests_passed"
    TESTS_RATE = "tests_rate"
    TESTS_REQUIRED = "tests_required"
    TICKET_GIVEN = "ticket_given"
    TICKET_MISSING = "ticket_missing"
    TICKET_OTHER = "ticket_other"
    TICKET_UNREADABLE = "ticket_unreadable"
    WINDOW_CLOSED = "window_closed"
    WINDOW_OPEN = "window_open"
    WINDOW_UNREADABLE = "window_unreadable"
    WAIVED = "waived"


class Why(StrEnum):
    """Why a person's word does not count, in `not_counted` of a sign-off finding."""

    BARRED = "barred"
    CONDITION_OVERDUE = "condition_overdue"
    COUNTS_ELSEWHERE = "counts_elsewhere"
    DIFFERS = "differs"
    EXPIRED = "expired"
    NOT_CARRIED = "not_carried"
    ONE_PLACE = "one_place"
    ROLE_LOST = "role_lost"
    WITHDRAWN = "withdrawn"


class _About(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def at(self) -> str: ...
    @property
    def parts(self) -> dict[str, str]: ...


# --- what evidence and documents are about ---


def current_evidence(case: Case, kind: str, stage: str | None = None, name: str = "") -> EvidenceFact | None:
    """The newest evidence of a kind (and name) about parts equal to the bundle's."""
    held = case.current.get((kind, name), ())
    return next((fact for fact in held if stage is None or fact.stage == stage), None)


def current_document(case: Case, kind: str) -> DocumentFact | None:
    """The newest document of a kind that is about parts equal to the bundle's."""
    return case.texts.get(kind)


def _of_kind(case: Case, kind: str, stage: str | None, name: str) -> list[EvidenceFact]:
    return [
        fact
        for fact in case.evidence
        if fact.kind == kind and fact.name == name and (stage is None or fact.stage == stage)
    ]


# --- sign_off ---


def check(case: Case, known: Mapping[str, Finding] | None = None) -> tuple[Finding, ...]:
    """The finding of each requirement, in the policy's order; those `known` by key are taken as they are."""
    found: list[Finding] = []
    signed: Callable[[Clause], Finding] | None = None
    for clause in case.requirements:
        if known and clause.key in known:
            found.append(known[clause.key])
        elif clause.kind == "sign_off":  # their places are filled together, once for all of them
            signed = signed or _signed(case)
            found.append(signed(clause))
        else:
            found.append(CHECKS.get(clause.kind, unknown_kind)(case, clause))
    return tuple(found)


def sign_off(case: Case, clause: Clause) -> Finding:
    """Enough people with the role, none of them barred, signed exactly what this bundle is and the page showed."""
    return _signed(case)(clause)


def _signed(case: Case) -> Callable[[Clause], Finding]:
    """The finding of each sign-off requirement of a case."""
    clauses = [held for held in case.requirements if held.kind == "sign_off"]
    seen = _Seen(case)
    words = {held.key: _words(seen, held) for held in clauses}
    places = {held.key: int(held.params.get("people", 1)) for held in clauses}
    could = {
        held.key: [
            one
            for one in _able(seen, held)
            if (one.on_behalf_of or one.person) not in words[held.key].taken(one)
        ]
        for held in clauses
    }
    until, seated = _first_to_end(case, clauses), _seated(places, words, could)
    return lambda clause: _sign_off_finding(case, clause, words, seated, until)


class _Words:
    """The latest word of each person on one sign-off requirement, sorted by what it is worth."""

    def __init__(self) -> None:
        self.counting: list[SignOffFact] = []
        self.against: list[SignOffFact] = []
        self.not_counted: list[dict[str, Any]] = []

    def taken(self, one: Holder) -> set[str]:
        """The seats in which this holder's word would change nothing: who said no, and, where they only stand in for
        somebody, who has spoken already."""
        spoken = (*self.against, *self.counting) if one.on_behalf_of else self.against
        return {fact.seat for fact in spoken}


def _who_let_in(one: SignOffFact | Holder, other: SignOffFact) -> str:
    """Who could be both: one who lately let in the other, or somebody who let both back in; empty for nobody."""
    if not (one.let_in or other.let_in):  # as of almost everybody; whom they let back in they let in
        return ""
    if {*one.people} & {*other.people}:
        return ""
    direct = ({*other.people} & {*one.let_in}) | ({*one.people} & {*other.let_in})
    return min(direct or {*one.let_back_in} & {*other.let_back_in}, default="")


class _Seated:
    """Who fills which place. Whoever stood in for somebody is one with them: the two never fill two places.

    `left_out` are words without which the places fill better or that another takes the place of: given for somebody
    while one of the two signed somewhere else as well, or of two who could be one (`_who_let_in`).
    """

    def __init__(
        self,
        places: Mapping[str, int],
        words: Mapping[str, _Words],
        could: Mapping[str, set[str]],
        left_out: Sequence[SignOffFact] = (),
    ) -> None:
        self.left_out = {fact.id for fact in left_out}
        self._one = _one_each(
            fact for word in words.values() for fact in word.counting if fact.id not in self.left_out
        )
        self.seating: Seating = seat(
            places,
            {
                key: {self.one(fact.person) for fact in word.counting if fact.id not in self.left_out}
                for key, word in words.items()
            },
            {key: {self.one(person) for person in people} for key, people in could.items()},
        )
        self._could = could

    @property
    def filled(self) -> int:
        return sum(len(people) for people in self.seating.filled.values())

    def one(self, person: str) -> str:
        """The name under which a person is seated."""
        return self._one.get(person, person)

    def short(self, key: str, words: _Words, people: int) -> int:
        """How many people a place lacks even if everybody signs who has or can now."""
        able = {self.one(fact.person) for fact in words.counting if fact.id not in self.left_out}
        return max(0, people - len(able | {self.one(person) for person in self._could[key]}))

    def helpers(self, key: str) -> tuple[str, ...]:
        """The people themselves who could help at a place now."""
        found = self.seating.helpers.get(key) or self.seating.swaps.get(key, {})
        return tuple(sorted(person for person in self._could[key] if self.one(person) in found))


def _seated(
    places: Mapping[str, int], words: Mapping[str, _Words], could: Mapping[str, Sequence[Holder]]
) -> _Seated:
    """The seating that fills most places, and then leaves out fewest words, and of those the latest.

    Of two words whose signers could be one, one is left out; of words given for somebody only where that fills more.
    """
    signed = sorted(
        (fact for word in words.values() for fact in word.counting), key=lambda one: (one.at, one.id)
    )
    apart = [(one, other) for one, other in combinations(signed, 2) if _who_let_in(one, other)]
    either = {fact.id for pair in apart for fact in pair}
    weighed = [
        fact
        for fact in signed
        if fact.id in either
        or (fact.on_behalf_of and any(one is not fact and {*one.people} & {*fact.people} for one in signed))
    ]
    surplus = [fact for fact in weighed[MOST_WEIGHED:] if fact.id in either]
    choices = list(reversed(weighed[:MOST_WEIGHED]))
    best: _Seated | None = None
    for some in chain.from_iterable(combinations(choices, n) for n in range(len(choices) + 1)):
        left_out = {fact.id for fact in (*some, *surplus)}
        if any(one.id not in left_out and other.id not in left_out for one, other in apart):
            continue
        kept = [fact for fact in signed if fact.id not in left_out]
        helpers = {
            key: {one.person for one in holders if not any(_who_let_in(one, fact) for fact in kept)}
            for key, holders in could.items()
        }
        seated = _Seated(places, words, helpers, (*some, *surplus))
        if best is None or seated.filled > best.filled:
            best = seated
    assert best is not None  # with every choice left out nobody is one with anybody
    return best


def _one_each(facts: Iterable[SignOffFact]) -> dict[str, str]:
    """People who stood in for each other, by id -> the one name for all of them; the others are not in it."""
    one: dict[str, str] = {}
    for fact in facts:
        if fact.on_behalf_of:
            first, second = sorted(one.get(person, person) for person in fact.people)
            one |= {person: first for person in one if one[person] == second}
            one |= {fact.person: first, fact.on_behalf_of: first}
    return one


class _Seen:
    """What the rules ask of a case for each of its signatures, worked out once."""

    def __init__(self, case: Case) -> None:
        self.case = case

    @cached_property
    def pieces(self) -> dict[str, EvidenceFact]:
        """Evidence by digest."""
        return {held.digest: held for held in self.case.evidence}

    @cached_property
    def texts(self) -> dict[str, DocumentFact]:
        """Documents by digest."""
        return {held.digest: held for held in self.case.documents}

    @cached_property
    def evidence(self) -> dict[str, EvidenceFact | None]:
        """Of each kind of evidence that is asked for, what is there now."""
        return {kind: current_evidence(self.case, kind) for kind in _asked_to_read(self.case, "evidence")}

    @cached_property
    def documents(self) -> dict[str, DocumentFact | None]:
        """Of each kind of document that is asked for, what is there now."""
        return {kind: current_document(self.case, kind) for kind in _asked_to_read(self.case, "document")}

    @cached_property
    def authors(self) -> set[str]:
        """Who brought evidence that counts here."""
        return _evidence_authors(self.case)

    @cached_property
    def bars(self) -> dict[str, Barred]:
        """Whose word does not count here now, and why, whatever they signed."""
        return who_is_barred(self.case)

    def bars_of(self, fact: SignOffFact) -> dict[str, Barred]:
        """The same of one word, which may have been about evidence that somebody else brought."""
        # By the facts, not by their digests: two people may have brought the same.
        brought = {held.author for held in self.case.evidence if held.digest in fact.evidence}
        return self.bars if brought <= {SYSTEM, *self.authors} else who_is_barred(self.case, fact.evidence)


def _words(seen: _Seen, clause: Clause) -> _Words:
    words = _Words()
    about = _about(seen, clause)
    # Theirs, not lent: a word given for somebody lasts as long as that person holds the role.
    holders = {
        holder.person
        for holder in seen.case.holders
        if holder.role == clause.params["role"]
        and not holder.on_behalf_of
        and _holds(seen.case, holder.until)
    }
    for person in sorted(about):
        newest, *older = reversed(about[person])
        found = _weigh(seen, clause, newest, person in holders)
        # An approval that does not fit here leaves what was said before it as it was: an approval, and a no as well.
        if isinstance(found, dict) and found["why"] in (Why.DIFFERS, Why.NOT_CARRIED):
            for fact in older:
                if _weigh(seen, clause, fact, person in holders) is fact:
                    found = fact
                if found is fact or _ends(fact):
                    break
        if isinstance(found, dict):
            words.not_counted.append(found)
        elif found is not None:
            (words.counting if _approves(found) else words.against).append(found)
    return words


def _about(seen: _Seen, clause: Clause) -> dict[str, list[SignOffFact]]:
    """By seat, the words about these parts under this clause, in order of time; where there are none, the nearest
    other: an approval, of which fewest parts differ, and of these the newest.

    Of those about the same documents, and on this bundle or on another, a newer replaces the older; a no, and a word
    that was withdrawn, ends all that was before it. A word about other parts is about another thing: it neither
    replaces nor outlives one about these.
    """
    here: dict[str, dict[object, SignOffFact]] = {}
    other: dict[str, tuple[tuple[bool, int], SignOffFact]] = {}
    for fact in seen.case.signoffs:  # in order of time
        if fact.role != clause.params["role"]:
            continue
        if _other_subject(seen.case, clause, fact, _scope(clause)):
            far = (_ends(fact), sum(seen.case.parts.get(one) != held for one, held in fact.covered.items()))
            if fact.seat not in other or far <= other[fact.seat][0]:
                other[fact.seat] = (far, fact)
        else:
            same = here.setdefault(fact.seat, {})
            if _ends(fact):
                same.clear()
            key = (fact.documents, not fact.bundle)
            same.pop(key, None)
            same[key] = fact
    return {
        **{seat: [fact] for seat, (_far, fact) in other.items()},
        **{seat: list(facts.values()) for seat, facts in here.items()},
    }


def _weigh(
    seen: _Seen, clause: Clause, fact: SignOffFact, holds: bool
) -> SignOffFact | dict[str, Any] | None:
    """The word itself where it counts, for or against; why it does not; or None where it says nothing here."""
    case, scope = seen.case, _scope(clause)
    approves = _approves(fact)
    differs = _other_subject(case, clause, fact, scope)
    barred, whom = _barred(seen, fact)
    # What others do (changing rights, asking as a service account, letting somebody in) takes back an approval,
    # never a no: nobody's objection may fall because of it.
    lasts = barred is not None and not (barred.until or barred.why in _BEHIND or "let_in" in whom)
    bars = barred is not None and (approves or lasts)
    if differs and not approves:
        return None  # a no to something else
    if fact.withdrawn:
        return _discounted(fact, Why.WITHDRAWN)
    if barred is not None and bars:
        until = {"until": barred.until} if barred.until else {}
        return _discounted(fact, Why.BARRED, barred=barred.why, **until, **whom)
    if not holds or fact.left:
        return _discounted(fact, Why.ROLE_LOST)
    if approves and (differs := differs or _other_page(seen, fact, scope)):
        return _discounted(fact, Why.DIFFERS, differs=differs)
    if approves and (limit := _not_carried(case, clause, fact)):
        return _discounted(fact, Why.NOT_CARRIED, bundle=fact.bundle, **limit)
    if approves and _age(case, fact.at, clause)[0]:
        return _discounted(fact, Why.EXPIRED, max_age=clause.params["max_age"])
    if approves and fact.due and fact.due <= case.at:
        return _discounted(fact, Why.CONDITION_OVERDUE, due=fact.due)
    return fact


def _approves(fact: SignOffFact) -> bool:
    return fact.decision in (APPROVE, APPROVE_WITH_CONDITIONS)


def _ends(fact: SignOffFact) -> bool:
    """Whether nothing that was said before it stands any more."""
    return fact.withdrawn or not _approves(fact)


def _not_carried(case: Case, clause: Clause, fact: SignOffFact) -> dict[str, Any]:
    """Why an approval of another bundle with equal parts does not count for this one; empty where it does."""
    carry = clause.params.get("carry")
    if not carry or not fact.bundle:
        return {}
    if carry == "never":
        return {"carry": "never"}
    if "hops" in carry and not 1 <= fact.carried <= carry["hops"]:
        return {"carry": "hops", "limit": carry["hops"]}
    if "max_age" in carry and _carried_until(clause, fact) <= case.at:
        return {"carry": "max_age", "limit": carry["max_age"]}
    return {}


def _carried_until(clause: Clause, fact: SignOffFact) -> str:
    return instant(parse_instant(fact.at) + timedelta(seconds=clause.params["carry"]["max_age"]))


def _scope(clause: Clause) -> set[str]:
    # What no part recognises is in every scope, whatever the clause lists: nobody may sign around it.
    return {*clause.params.get("covers", ()), "other"}


def _other_subject(case: Case, clause: Clause, fact: SignOffFact, scope: set[str]) -> list[dict[str, Any]]:
    """The bound fields in which a sign-off is about something else than this bundle at this stage under this clause."""
    differs: list[dict[str, Any]] = []
    if fact.project != case.project:
        differs.append({"field": "project", "signed": fact.project, "now": case.project})
    if fact.stage != case.stage:
        differs.append({"field": "stage", "signed": fact.stage, "now": case.stage})
    differs += [
        {"field": "part", "part": part, "signed": fact.covered.get(part, ""), "now": case.parts.get(part, "")}
        for part in case.changed(fact.covered, scope)
    ]
    if fact.clause != clause.digest:
        differs.append({"field": "clause", "signed": fact.clause, "now": clause.digest})
    return differs


def _other_page(seen: _Seen, fact: SignOffFact, scope: set[str]) -> list[dict[str, Any]]:
    """What was on the page and no longer says what it said, and what is there now and was not on it."""
    return [*_other_evidence(seen, fact, scope), *_other_documents(seen, fact)]


def _other_evidence(seen: _Seen, fact: SignOffFact, scope: set[str]) -> list[dict[str, Any]]:
    case = seen.case
    differs: list[dict[str, Any]] = []
    shown: set[str] = set()
    for signed in fact.evidence:
        piece = seen.pieces.get(signed)
        if piece is None:
            differs.append(_paper("evidence", "", signed, "", "unknown"))
            continue
        if not scope.intersection(case.changed(piece.parts)):
            shown.add(piece.kind)
        now = current_evidence(case, piece.kind, piece.stage if piece.kind in testing.STAGED else None)
        if now is None:
            differs.append(_paper("evidence", piece.kind, signed, "", "gone"))
        elif now.digest != signed and outcome(case, piece) != outcome(case, now):
            differs.append(_paper("evidence", piece.kind, signed, now.digest, "finding"))
    return differs + _never_seen("evidence", seen.evidence, shown, differs)


def _other_documents(seen: _Seen, fact: SignOffFact) -> list[dict[str, Any]]:
    case, there = seen.case, seen.documents
    differs: list[dict[str, Any]] = []
    for signed in fact.documents:
        text = seen.texts.get(signed)
        latest = None
        if text is not None:
            latest = there[text.kind] if text.kind in there else current_document(case, text.kind)
        if text is None:
            differs.append(_paper("document", "", signed, "", "unknown"))
        elif latest is None:
            differs.append(_paper("document", text.kind, signed, "", "gone"))
        elif latest.digest != signed:
            differs.append(_paper("document", text.kind, signed, latest.digest, "text"))
    shown = {kind for kind, latest in there.items() if latest is not None and latest.digest in fact.documents}
    return differs + _never_seen("document", there, shown, differs)


def _never_seen(
    field: str,
    there: Mapping[str, EvidenceFact | DocumentFact | None],
    seen: set[str],
    differs: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """What was added after a signature: nobody's word is about what its page did not show."""
    told = {row["kind"] for row in differs}
    if "" in told:  # what was signed is not known, so neither is what was not
        return []
    return [
        _paper(field, kind, "", now.digest, "not_seen")
        for kind, now in there.items()
        if now is not None and kind not in seen | told
    ]


def _paper(field: str, kind: str, signed: str, now: str, change: str) -> dict[str, Any]:
    return {"field": field, "kind": kind, "signed": signed, "now": now, "change": change}


def _asked_to_read(case: Case, field: str) -> tuple[str, ...]:
    """The kinds of evidence or documents that the policy asks for, in its order."""
    return tuple(dict.fromkeys(clause.params["kind"] for clause in case.requirements if clause.kind == field))


def not_there(case: Case) -> tuple[Clause, ...]:
    """The evidence and documents that the policy asks for and nobody added yet; an approval would not be about them.

    Tests and soak are not among them: the gate reads those itself, when it is asked.
    """
    return tuple(
        clause
        for clause in case.requirements
        if (clause.kind == "evidence" and current_evidence(case, clause.params["kind"]) is None)
        or (clause.kind == "document" and current_document(case, clause.params["kind"]) is None)
    )


def outcome(case: Case, fact: EvidenceFact) -> list[Any]:
    """What a piece of evidence comes to under this Case's clauses: states without numbers, its digest where none asks.

    Two pieces with equal outcomes have the same finding, so the newer does not void a sign-off on the older.
    """
    said: list[Any] = []
    for clause in case.requirements:
        if clause.kind == "tests":
            if fact.kind != testing.kind_of(clause) or clause.params.get("at") != fact.stage:
                continue
            state, code, _ = _read(_ASSESSED[fact.kind], fact.result, clause.params)
            said.append([clause.key, state, code, [], []])
        elif clause.kind == "evidence" and clause.params.get("kind") == fact.kind:
            state, code, params = _read(_assessing(case, fact.kind), fact.result, clause.params)
            metrics = [[row["metric"], row["by"], row["state"]] for row in params.get("metrics", [])]
            forbidden = sorted(row["forbidden"] for row in params.get("forbidden", []))
            said.append([clause.key, state, code, metrics, forbidden, *_other_states(params)])
    return said or [digest(fact.result)]


def _other_states(params: Mapping[str, Any]) -> list[Any]:
    """Of explainability what is not met or cannot be told beside a forbidden column."""
    proxies, drift = params.get("proxies", {}), params.get("drift", {})
    pairs = sorted(
        [row["feature"], row["of"], row["state"]] for row in proxies.get("rows", ()) if row["state"] != MET
    )
    return [pairs, proxies.get("state"), drift.get("state")]


def _barred(seen: _Seen, fact: SignOffFact) -> tuple[Barred | None, dict[str, Any]]:
    """Why a word does not count for want of independence, and, as parameters, of whom where it is not the signer.

    Of the two of whom one stood in, what lasts comes before what ends.
    """
    bars = seen.bars_of(fact)
    found = sorted(
        (bars[person] for person in fact.people if person in bars), key=lambda one: bool(one.until)
    )
    if not found:
        bar = bar_behind(seen.case, fact, fact.evidence)
        return (bar, {"whom": bar.person, "let_in": True}) if bar else (None, {})
    return found[0], {} if found[0].person == fact.person else {"whom": found[0].person}


def bar_behind(
    case: Case, let: SignOffFact | Holder | WaiverFact, signed: Iterable[str] = ()
) -> Barred | None:
    """The bar of whoever let a signer in: they could have signed, so what lasts of their own bars the signer as well.

    What ends does not, or nobody new could sign for as long. Nor does that they could also have asked as somebody
    else, unless it was by a token or they let both back in: whoever adds a team's people lets in all of them.
    """
    if not let.let_in:  # as of almost everybody; whom they let back in they let in
        return None
    authors = [Barred(person, "evidence_author") for person in _evidence_authors(case, signed)]
    lasting = [one for one in (*authors, *case.barred) if not one.until]
    return next(
        (
            one
            for one in lasting
            if one.person in (let.let_back_in if one.why in _BEHIND else let.let_in) and one.why != "let_in"
        ),
        None,
    )


def who_is_barred(case: Case, signed: Iterable[str] = ()) -> dict[str, Barred]:
    """Whose word does not count here now, and why: of each first what lasts, then what ends last."""
    ending = sorted((one for one in case.barred if one.until > case.at), key=lambda one: one.until)
    lasting = [one for one in reversed(case.barred) if not one.until]
    authors = [Barred(person, "evidence_author") for person in _evidence_authors(case, signed)]
    return {one.person: one for one in (*ending, *authors, *lasting)}


def _evidence_authors(case: Case, signed: Iterable[str] = ()) -> set[str]:
    """People who brought evidence that counts here, or that is among the signed: they do not judge their own."""
    asked = {
        (clause.params["kind"], None)
        if clause.kind == "evidence"
        else (testing.kind_of(clause), clause.params["at"])
        for clause in case.requirements
        if clause.kind in ("evidence", "tests")
    }
    facts = [current_evidence(case, kind, stage) for kind, stage in asked]
    facts += [fact for fact in case.evidence if fact.digest in set(signed)]
    return {fact.author for fact in facts if fact is not None and fact.author != SYSTEM}


def _able(seen: _Seen, clause: Clause) -> list[Holder]:
    """Who holds the role now and may sign here; nobody who is barred, stands in for somebody barred, or was let in
    lately by somebody barred for good."""
    case, barred = seen.case, seen.bars.keys()
    return [
        holder
        for holder in case.holders
        if holder.role == clause.params["role"]
        and not barred & {*holder.people}
        and bar_behind(case, holder) is None
        and _holds(case, holder.until)
    ]


def _holds(case: Case, until: str | None) -> bool:
    return until is None or until > case.at


def _first_to_end(case: Case, clauses: Sequence[Clause]) -> str | None:
    """Sign-off places are filled together, so the end of any signer's grant or bar, or of what
    is carried, or has an age or a condition, may change any of them."""
    roles = {clause.params["role"] for clause in clauses}
    holders = [held for held in case.holders if held.role in roles]
    signers = {person for held in holders for person in held.people}
    signers |= {person for fact in case.signoffs if fact.role in roles for person in fact.people}
    ends = [held.until for held in holders if held.until]
    ends += [one.until for one in case.barred if one.person in signers]
    ends += [held.let_until for held in holders if held.let_until]
    ends += [
        _carried_until(clause, fact)
        for clause in clauses
        if "max_age" in (clause.params.get("carry") or ())
        for fact in case.signoffs
        if fact.role == clause.params["role"] and fact.bundle
    ]
    ends += [
        end
        for clause in clauses
        if "max_age" in clause.params
        for fact in case.signoffs
        if fact.role == clause.params["role"] and (end := _age(case, fact.at, clause)[1])
    ]
    ends += [fact.due for fact in case.signoffs if fact.role in roles and fact.due]
    return min((end for end in ends if end > case.at), default=None)


def _discounted(fact: SignOffFact, why: Why, **more: Any) -> dict[str, Any]:
    return {"person": fact.person, **_for(fact), "signoff": fact.id, "at": fact.at, "why": why.value, **more}


def _for(fact: SignOffFact) -> dict[str, str]:
    return {"on_behalf_of": fact.on_behalf_of} if fact.on_behalf_of else {}


def _said(fact: SignOffFact) -> dict[str, Any]:
    return {
        "person": fact.person,
        **_for(fact),
        "signoff": fact.id,
        "at": fact.at,
        "conditions": fact.decision == APPROVE_WITH_CONDITIONS,
        **({"due": fact.due} if fact.due else {}),
        **({"bundle": fact.bundle} if fact.bundle else {}),
    }


def _sign_off_finding(
    case: Case, clause: Clause, every: Mapping[str, _Words], seated: _Seated, until: str | None
) -> Finding:
    words = every[clause.key]
    key, role, seating = clause.key, clause.params["role"], seated.seating
    elsewhere = {
        person: other for other, people in seating.filled.items() for person in people if other != key
    }
    given: dict[str, SignOffFact] = {}
    # One's own word before one given for somebody: together they fill one place.
    for fact in sorted(words.counting, key=lambda fact: bool(fact.on_behalf_of)):
        one = seated.one(fact.person)
        if fact.id not in seated.left_out and one in seating.filled[key]:
            given.setdefault(one, fact)
    counted = [fact for fact in words.counting if fact in given.values()]
    not_counted = list(words.not_counted)
    for fact in words.counting:
        one = seated.one(fact.person)
        if fact in counted:
            continue
        if fact.id in seated.left_out or one in given:
            kept = (other for other in _kept(every, seated) if _who_let_in(fact, other))
            beside = {
                name: value
                for other in list(kept)[:1]
                for name, value in (("beside", other.person), ("whom", _who_let_in(fact, other)))
            }
            not_counted.append(_discounted(fact, Why.ONE_PLACE, **beside))
        elif one in elsewhere:
            other = elsewhere[one].partition(":")[2]
            not_counted.append(_discounted(fact, Why.COUNTS_ELSEWHERE, elsewhere=other))
    params: dict[str, Any] = {
        "role": role,
        "people": int(clause.params.get("people", 1)),
        "covers": list(clause.params.get("covers", ())),
        "given": [_said(fact) for fact in counted],
        "not_counted": sorted(not_counted, key=lambda entry: (entry["person"], entry["why"])),
        "missing": seating.missing[key],
    }
    if words.against:
        rejected = [fact for fact in words.against if fact.decision == REJECT]
        code = Code.SIGN_OFF_REJECTED if rejected else Code.SIGN_OFF_CHANGES_REQUESTED
        params["against"] = [_said(fact) | {"decision": fact.decision} for fact in words.against]
        people = [person for fact in words.against for person in fact.people]
        return _finding(clause, NOT_MET, code, params, people, until)
    if not seating.missing[key]:
        return _finding(clause, MET, Code.SIGN_OFF_GIVEN, params, (), until)
    if waited_for := not_there(case):
        params["not_there"] = [{"field": held.kind, "kind": held.params["kind"]} for held in waited_for]
    helpers = seated.helpers(key)
    if short := seated.short(key, words, params["people"]):
        params["short"] = short
    if not seating.helpers[key] and key in seating.swaps:
        params["swaps"] = [
            {"person": person, "role": move.place.partition(":")[2], "instead": move.person}
            for person, moves in sorted(seating.swaps[key].items())
            for move in moves
        ]
    if not helpers:
        params["kept_out"] = _kept_out(case, role, _kept(every, seated), elsewhere)
        return _finding(clause, NOT_MET, Code.SIGN_OFF_NOBODY, params, (), until)
    again = any(entry["why"] == Why.DIFFERS for entry in not_counted)
    code = Code.SIGN_OFF_ASKED_AGAIN if again else Code.SIGN_OFF_MISSING
    return _finding(clause, NOT_MET, code, params, helpers, until)


def _kept(every: Mapping[str, _Words], seated: _Seated) -> list[SignOffFact]:
    return [fact for words in every.values() for fact in words.counting if fact.id not in seated.left_out]


def _kept_out(
    case: Case, role: str, counting: Sequence[SignOffFact], elsewhere: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Why each holder of the role cannot help: the first reason that applies."""
    barred = who_is_barred(case)
    found: list[dict[str, Any]] = []
    # Of who stands in for somebody barred, the one who is barred stands here.
    holders = {
        held.person: held
        for held in case.holders
        if held.role == role and not held.on_behalf_of and _holds(case, held.until)
    }
    for person, held in sorted(holders.items()):
        behind = bar_behind(case, held)
        if person in barred:
            bar = barred[person]
            found.append({"person": person, "why": bar.why, **({"until": bar.until} if bar.until else {})})
        elif behind is not None:
            found.append({"person": person, "why": behind.why, "whom": behind.person})
        elif person in elsewhere:
            found.append({"person": person, "why": Why.COUNTS_ELSEWHERE.value})
        else:
            beside = ((fact.person, by) for fact in counting if (by := _who_let_in(held, fact)))
            found += [
                {"person": person, "why": Why.ONE_PLACE.value, "beside": signer, "whom": by}
                for signer, by in list(beside)[:1]
            ]
    return found


# --- document ---


def document(case: Case, clause: Clause) -> Finding:
    """The newest document of the kind is about these parts, young enough, and has every section asked for."""
    kind = clause.params["kind"]
    params: dict[str, Any] = {"kind": kind}
    able = _with_right(case, CAN_REQUEST)
    found = current_document(case, kind)
    if found is None:
        others = [fact for fact in case.documents if fact.kind == kind]
        if others:
            params |= {"at": others[-1].at, "changed": list(case.changed(others[-1].parts))}
            return _finding(clause, NOT_MET, Code.DOCUMENT_OTHER_PARTS, params, able)
        return _finding(clause, NOT_MET, Code.DOCUMENT_MISSING, params, able)
    params |= _identity(found)
    expired, until = _age(case, found.at, clause)
    if expired:
        params |= {"max_age": clause.params["max_age"]}
        return _finding(clause, NOT_MET, Code.DOCUMENT_EXPIRED, params, able)
    wanted = list(clause.params.get("sections", ()))
    absent = [section for section in wanted if not has_section(found.sections, section)]
    params |= {"sections": wanted}
    if wanted and not found.sections_told:
        return _finding(clause, CANNOT_TELL, Code.DOCUMENT_SECTIONS_UNTOLD, params, able, until)
    if absent:
        params |= {"absent": absent}
        return _finding(clause, NOT_MET, Code.DOCUMENT_SECTIONS_MISSING, params, able)
    return _finding(clause, MET, Code.DOCUMENT_CURRENT, params, (), until)


def has_section(headings: Iterable[str], wanted: str) -> bool:
    """Whether a heading holds the wanted words, whole and in order: "2. Training data" has the section `data`."""
    needle = f" {_plain_words(wanted)} "
    return needle.strip() != "" and any(needle in f" {_plain_words(heading)} " for heading in headings)


@lru_cache(maxsize=1024)  # the same few headings in every judgement
def _plain_words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold().replace("_", " ")))


# --- evidence ---


def evidence(case: Case, clause: Clause) -> Finding:
    """The newest evidence of the kind is about these parts, young enough, and within its thresholds."""
    kind = clause.params["kind"]
    if kind not in _ASSESSED:
        return unknown_kind(case, clause)
    return _from_evidence(case, clause, kind, None, _assessing(case, kind), _with_right(case, CAN_REQUEST))


def tests(case: Case, clause: Clause) -> Finding:
    """What was tested on these parts, at the stage or before packaging, passed as the clause asks."""
    kind = testing.kind_of(clause)
    able = _with_right(case, CAN_PROMOTE if kind == "tests" else CAN_REQUEST)
    return _from_evidence(case, clause, kind, clause.params["at"], _ASSESSED[kind], able)


_Assessment = tuple[State, Code, dict[str, Any]]
_Assess = Callable[[Mapping[str, Any], Mapping[str, Any]], _Assessment]


def _from_evidence(
    case: Case,
    clause: Clause,
    kind: str,
    stage: str | None,
    assess_: _Assess,
    able: tuple[str, ...],
    name: str = "",
) -> Finding:
    params: dict[str, Any] = {"kind": kind} | ({"stage": stage} if stage is not None else {})
    params |= {"name": name} if name else {}
    found = current_evidence(case, kind, stage, name)
    if found is None:
        others = _of_kind(case, kind, stage, name)
        if others:
            params |= {"at": others[-1].at, "changed": list(case.changed(others[-1].parts))}
            return _finding(clause, NOT_MET, Code.EVIDENCE_OTHER_PARTS, params, able)
        return _finding(clause, NOT_MET, Code.EVIDENCE_MISSING, params, able)
    params |= _identity(found)
    expired, until = _age(case, found.at, clause)
    if expired:
        params |= {"max_age": clause.params["max_age"]}
        return _finding(clause, NOT_MET, Code.EVIDENCE_EXPIRED, params, able)
    if clause.kind == "evidence" and clause.params.get("from") == "dss" and found.author != SYSTEM:
        return _finding(clause, NOT_MET, Code.EVIDENCE_BROUGHT, params, able)
    state, code, more = _read(assess_, found.result, clause.params)
    return _finding(clause, state, code, params | more, () if state == MET else able, until)


def _read(assess_: _Assess, result: Mapping[str, Any], asked: Mapping[str, Any]) -> _Assessment:
    """A result is outside data frozen long ago: one that cannot be read is a doubt, not a crash of the gate."""
    try:
        return assess_(result, asked)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError):
        return CANNOT_TELL, Code.EVIDENCE_UNREADABLE, {}


def fairness_of(result: Mapping[str, Any], asked: Mapping[str, Any]) -> _Assessment:
    """The worst state over all metrics and attributes decides; each keeps its own numbers."""
    rows = assess(result, asked["metrics"])
    params = {"metrics": rows, "rows": result["rows"], "unscored": result.get("unscored", 0)}
    states = [row["state"] for row in rows]
    if NOT_MET in states:
        return NOT_MET, Code.FAIRNESS_VIOLATED, params
    if any(row["reason"] in NOT_COUNTED for row in rows):
        return CANNOT_TELL, Code.FAIRNESS_NOT_COUNTED, params
    if CANNOT_TELL in states:
        return CANNOT_TELL, Code.FAIRNESS_UNCLEAR, params
    return MET, Code.FAIRNESS_HOLDS, params


def explainability_of(
    result: Mapping[str, Any], asked: Mapping[str, Any], live: LiveFact | None = None
) -> _Assessment:
    """None of the features that matter most is forbidden or a proxy, and they are much as where the bundle goes."""
    state, code, params = explained.assess(result, asked, live)
    return state, Code(code), params


def _assessing(case: Case, kind: str) -> _Assess:
    """How a kind of evidence is assessed under a case."""
    if kind == "explainability":
        return partial(explainability_of, live=case.live)
    return _ASSESSED[kind]


def _coded(assess_: Callable[..., tuple[State, str, dict[str, Any]]]) -> _Assess:
    """What a rule in a module of its own comes to, under the code it names."""

    def coded(result: Mapping[str, Any], asked: Mapping[str, Any]) -> _Assessment:
        state, code, params = assess_(result, asked)
        return state, Code(code), params

    return coded


_ASSESSED: dict[str, _Assess] = {
    "fairness": fairness_of,
    "explainability": explainability_of,
    "project": _coded(testing.project_of),
    "test-report": _coded(testing.tests_of),
    "tests": _coded(testing.tests_of),
}


# --- soak ---


def soak(case: Case, clause: Clause) -> Finding:
    """Parts equal to the bundle's ran at the stage without a gap for as long as asked, now or before."""
    stage, wanted = clause.params["at"], timedelta(seconds=int(clause.params["for"]))
    params: dict[str, Any] = {"stage": stage, "for": int(clause.params["for"])}
    stretches = _stretches(case, stage)
    if not stretches:
        return _finding(clause, NOT_MET, Code.SOAK_NEVER, params, _with_right(case, CAN_PROMOTE))
    for since, until in stretches:
        if parse_instant(until or case.at) - parse_instant(since) >= wanted:
            return _finding(clause, MET, Code.SOAK_COMPLETE, params | {"since": since, "until": until})
    since, until = stretches[-1]
    if until is None:
        done = instant(parse_instant(since) + wanted)
        return _finding(
            clause, NOT_MET, Code.SOAK_RUNNING, params | {"since": since, "done_at": done}, (), done
        )
    return _finding(
        clause,
        NOT_MET,
        Code.SOAK_CUT_SHORT,
        params | {"since": since, "until": until},
        _with_right(case, CAN_PROMOTE),
    )


def _stretches(case: Case, stage: str) -> list[tuple[str, str | None]]:
    """Unbroken stretches in which equal parts ran at a stage; a redeployment of the same parts breaks none."""
    found: list[tuple[str, str | None]] = []
    for fact in case.running:  # sorted by stage and since
        if fact.stage != stage or fact.since > case.at or case.changed(fact.parts, case.parts):
            continue
        until = None if fact.until is None or fact.until > case.at else fact.until
        if found:
            since, before = found[-1]
            if before is None or fact.since <= before:
                found[-1] = (since, None if before is None or until is None else max(before, until))
                continue
        found.append((fact.since, until))
    return found


# --- kinds with a module of their own ---


def change_ticket(case: Case, clause: Clause) -> Finding:
    """The request carries a ticket of the pattern."""
    state, code, params = ticket.check(case, clause)
    able = _with_right(case, CAN_REQUEST) if state == NOT_MET else ()
    return _finding(clause, state, Code(code), params, able)


def in_window(case: Case, clause: Clause) -> Finding:
    """It is a day and an hour at which a bundle may go live."""
    state, code, params, until = window.check(case, clause)
    return _finding(clause, state, Code(code), params, (), until)  # nobody but time can unblock it


def external_check(case: Case, clause: Clause) -> Finding:
    """What another system said last of these parts is that they passed; nobody here can say it instead."""
    name = str(clause.params["name"])
    return _from_evidence(case, clause, "external_check", None, _coded(external_checks.assess), (), name)


def project_standards(case: Case, clause: Clause) -> Finding:
    """DSS's own checks of the bundle found nothing graver than allowed."""
    able = _with_right(case, CAN_REQUEST)
    return _from_evidence(case, clause, "project_standards", None, _coded(standards.standards), able)


def govern(case: Case, clause: Clause) -> Finding:
    """The bundle's sign-off in Dataiku Govern is approved."""
    able = _with_right(case, CAN_REQUEST)
    return _from_evidence(case, clause, "govern", None, _coded(standards.govern), able)


# --- shared ---


def unknown_kind(case: Case, clause: Clause) -> Finding:
    """A clause of a kind this version does not know: it cannot be told, so it does not pass."""
    return _finding(clause, CANNOT_TELL, Code.KIND_UNKNOWN, {"kind": clause.params.get("kind", clause.kind)})


def _finding(
    clause: Clause,
    state: State,
    code: Code,
    params: dict[str, Any],
    unblock: Iterable[str] = (),
    until: str | None = None,
) -> Finding:
    return Finding(clause.key, clause.kind, state, code.value, params, tuple(sorted(set(unblock))), until)


def _identity(fact: _About) -> dict[str, str]:
    return {"id": fact.id, "at": fact.at}


def _age(case: Case, at: str, clause: Clause) -> tuple[bool, str | None]:
    """Whether a fact is too old, and else the instant at which it will be."""
    if "max_age" not in clause.params:
        return False, None
    end = instant(parse_instant(at) + timedelta(seconds=int(clause.params["max_age"])))
    return (True, None) if end <= case.at else (False, end)


def _with_right(case: Case, right: str) -> tuple[str, ...]:
    return tuple(
        sorted({held.person for held in case.holders if held.role == right and _holds(case, held.until)})
    )


CHECKS: dict[str, Callable[[Case, Clause], Finding]] = {
    "change_ticket": change_ticket,
    "document": document,
    "evidence": evidence,
    "external_check": external_check,
    "govern": govern,
    "project_standards": project_standards,
    "sign_off": sign_off,
    "soak": soak,
    "tests": tests,
    "window": in_window,
}
