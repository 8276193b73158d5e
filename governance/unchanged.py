"""Which findings of a judgement still stand when the same facts are judged under other requirements. Pure.

A requirement that says the same finds the same, so only the others need judging anew. Sign-offs are judged together,
and by what there was to read, so theirs stand or fall together.
"""

from collections.abc import Iterable

from governance import testing
from governance.checks import current_evidence
from governance.facts import Case, Finding


def unchanged(then: Case, findings: Iterable[Finding], now: Case) -> dict[str, Finding]:
    """By key, of the `findings` that `then` came to, those that `now`, its facts under other requirements, comes to.

    Where something was waived none: what a waiver lets pass hangs on more than one requirement.
    """
    if then.waivers or now.waivers:
        return {}
    said = {clause.key: clause.digest for clause in then.requirements}
    same = {clause.key for clause in now.requirements if said.get(clause.key) == clause.digest}
    together = _signed(then) == _signed(now) and _read(then) == _read(now) and not _replaced(now)
    return {one.key: one for one in findings if one.key in same and (together or one.kind != "sign_off")}


def _signed(case: Case) -> list[tuple[str, str]]:
    return [(clause.key, clause.digest) for clause in case.requirements if clause.kind == "sign_off"]


def _read(case: Case) -> list[tuple[str, ...]]:
    """What the other requirements give a signer to read, and who is no judge of it: of each its kind alone."""
    found: list[tuple[str, ...]] = []
    for clause in case.requirements:
        if clause.kind == "tests":
            found.append(("tests", testing.kind_of(clause), clause.params["at"]))
        elif clause.kind in ("document", "evidence"):
            found.append((clause.kind, clause.params["kind"]))
    return found


def _replaced(case: Case) -> bool:
    """Whether newer evidence stands where some was signed: then it matters what the two come to."""
    kinds = {piece.digest: piece for piece in case.evidence}
    for digest in {digest for fact in case.signoffs for digest in fact.evidence}:
        piece = kinds.get(digest)
        if piece is None:
            continue
        now = current_evidence(case, piece.kind, piece.stage if piece.kind in testing.STAGED else None)
        if now is not None and now.digest != digest:
            return True
    return False
