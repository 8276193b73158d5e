"""Gathers what the ledger says about one request, as far as a checkpoint proves it.

From events alone, with the contents whose digests those events name: a fact missing here is a fact to record. The
number of queries does not grow with the request. Not in charge of words (compose) or of rendering.
"""

import base64
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from governance.checks import current_document, current_evidence
from governance.gate import Case, case_from_json
from governance.report.proofs import prove
from portal import checkpoints, content, ledger, signing
from portal.canonical import canonical, digest
from portal.errors import Refused
from portal.event_kinds import EventKind
from portal.ledger import Entry
from portal.models import Checkpoint, Content, Disclosure, Event, Right

K = EventKind
PACK_TYPE = "urn:countersign:pack:v1"
# What one content may weigh to travel inside the pack; a larger one is named by its digest.
CARRIED = 2 * 1024 * 1024
# A login opens doors and proves nothing that the name does not.
WITHHELD = {"facts.login"}

ABOUT_BUNDLES = (K.BUNDLE_ASKED, K.BUNDLE_REGISTERED, K.BUNDLE_FAILED)
ABOUT_EVIDENCE = (K.COLLECTION_ASKED, K.COLLECTION_FAILED, K.EVIDENCE_RECORDED, K.DOCUMENT_RECORDED)
ABOUT_RIGHTS = (K.GRANT_GIVEN, K.GRANT_REVOKED, K.TEAM_JOINED, K.TEAM_LEFT)
ABOUT_WAIVERS = (K.WAIVER_ASKED, K.WAIVER_GRANTED, K.WAIVER_REFUSED, K.WAIVER_WITHDRAWN)
AROUND = (
    *ABOUT_BUNDLES, *ABOUT_EVIDENCE, *ABOUT_RIGHTS, K.SIGNOFF_GIVEN, K.SIGNOFF_WITHDRAWN,
    K.CONDITION_STATED, K.CONDITION_MET, K.POLICY_PUBLISHED, *ABOUT_WAIVERS,
    K.PROJECT_IMPORTED, K.OWNER_ADDED, K.DEPLOYMENT_CHANGED, K.DELEGATION_MADE, K.DELEGATION_ENDED,
    K.MATERIALITY_ANSWERED,
)  # fmt: skip
ACTING = (Right.REQUEST.value, Right.PROMOTE.value, Right.SIGN.value, Right.WAIVE.value)

_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Seal:
    """The checkpoint the report rests on: how many events it covers, root (hex), signed note, and the signing key."""

    origin: str
    size: int
    root: str
    note: str
    at: str
    key_id: str
    public_key: str
    verifier_key: str


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What opens one commitment of a body: SHA-256 over the salt's bytes and the value."""

    path: str
    salt: str
    value: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What proves one event: the exact bytes, their leaf (hex), the audit path to the root, and its disclosures."""

    seq: int
    leaf: str
    body: bytes
    path: tuple[str, ...]
    disclosures: tuple[Disclosed, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A content named by an event: its bytes, or None where it is too large to travel."""

    digest: str
    media_type: str
    size: int
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that one report is made of. `entries` are ordered by seq, each has its proof; `names` are by person uuid."""

    about: str
    project: str
    query: Mapping[str, Any]
    entries: tuple[Entry, ...]
    proofs: Mapping[int, Proof]
    contents: Mapping[str, Held]
    names: Mapping[str, str]
    seal: Seal

    def of(self, *kinds: EventKind) -> list[Entry]:
        """The entries of these kinds, in order."""
        return [entry for entry in self.entries if entry.kind in kinds]

    def json(self, digest_: str) -> Any:
        """The JSON value of a content. Raises Refused where it is missing, too large or no JSON."""
        held = self.contents.get(digest_)
        if held is None or held.body is None:
            raise Refused(
                _("The stored content %(digest)s… is missing; restore it from a backup.")
                % {"digest": digest_[:12]},
                code="content_missing",
            )
        return json.loads(held.body)


def collect(*, project: str, about: str, checkpoint: Checkpoint, asked: str = "") -> Gathered:
    """Everything under the checkpoint that belongs to the request `about` ("request:7") of a project (its key).

    `asked` is the subject of the report itself, so that who asked for it is in it. Raises Refused where there is no
    such request, where a content or event was altered, or where the tree does not fit the checkpoint.
    """
    size = checkpoint.size
    own = below(size, project=project, subject=[about, asked] if asked else [about])
    submitted = next((facts for row, facts in own if row.kind == K.REQUEST_SUBMITTED), None)
    if submitted is None:
        raise Refused(
            _("The ledger holds no %(about)s of this project, so there is nothing to report on.")
            % {"about": about},
            code="report_unknown",
        )
    started = [
        (row, facts)
        for row, facts in below(size, project=project, kinds=[K.PROMOTION_STARTED], after=own[0][0].seq)
        if facts["request"] == submitted["request"]
    ]
    ran = below(size, project=project, subject=[row.subject for row, _facts in started])
    cases = [facts["case"] for row, facts in own if row.kind == K.VERDICT_JUDGED]
    contents = contents_of(cases)
    wanted = _Wanted(
        bundle=submitted["bundle"],
        bundles={submitted["bundle"], *(facts["bundle"] for _row, facts in started)},
        stage=submitted["stage"],
        cases=[case_from_json(json.loads(held.body)) for held in contents.values() if held.body is not None],
        verdicts=[facts for row, facts in own if row.kind == K.VERDICT_JUDGED],
        acting={one for row, facts in [*own, *ran] for one in _actors(row, facts)},
        until=max((row.seq for row, _facts in own if row.kind == K.VERDICT_JUDGED), default=0),
    )
    around = wanted.chosen(below(size, project=[project, ""], kinds=AROUND))
    chain = {row.seq: row for row, _facts in [*own, *ran, *around]}
    people = below(size, project="", subject=people_in(chain.values()), kinds=[K.PERSON_ADDED, K.ADMIN_MADE])
    chain |= {row.seq: row for row, _facts in people}
    rows = [chain[seq] for seq in sorted(chain)]
    entries = tuple(ledger.read(rows))
    contents |= contents_of(named_in(entries) - contents.keys())
    seal = seal_of(checkpoint)
    return Gathered(
        about=about,
        project=project,
        query={
            "project": project,
            "about": about,
            "promotions": sorted(row.subject for row, _facts in started),
            "bundles": sorted(wanted.bundles),
            "stage": wanted.stage,
            "kinds": sorted(kind.value for kind in AROUND),
            "below": size,
        },
        entries=entries,
        proofs=proofs_of(rows, seal),
        contents=contents,
        names=names_in(entries),
        seal=seal,
    )


def pack(gathered: Gathered) -> bytes:
    """The machine-readable side of a report, as canonical JSON: enough to check it with no database and no network."""
    listed = [[entry.seq, entry.leaf] for entry in gathered.entries]
    return canonical(
        {
            "type": PACK_TYPE,
            "about": gathered.about,
            "project": gathered.project,
            "population": {
                "query": dict(gathered.query),
                "events": len(listed),
                "first": gathered.entries[0].seq,
                "last": gathered.entries[-1].seq,
                "digest": digest(listed),
            },
            "checkpoint": {
                "origin": gathered.seal.origin,
                "size": gathered.seal.size,
                "root": gathered.seal.root,
                "note": gathered.seal.note,
            },
            "key": {
                "id": gathered.seal.key_id,
                "pem": gathered.seal.public_key,
                "verifier": gathered.seal.verifier_key,
            },
            "events": [_packed(gathered.proofs[entry.seq]) for entry in gathered.entries],
            "contents": [
                {
                    "digest": held.digest,
                    "media_type": held.media_type,
                    "size": held.size,
                    "body": None if held.body is None else base64.b64encode(held.body).decode(),
                }
                for held in sorted(gathered.contents.values(), key=lambda held: held.digest)
            ],
        }
    )


def _packed(proof: Proof) -> dict[str, Any]:
    return {
        "seq": proof.seq,
        "leaf": proof.leaf,
        "body": base64.b64encode(proof.body).decode(),
        "proof": list(proof.path),
        "disclosures": [
            {"path": one.path, "salt": one.salt, "value": one.value} for one in proof.disclosures
        ],
    }


# --- which events ---

Rows = list[tuple[Event, dict[str, Any]]]


def below(size: int, **wanted: Any) -> Rows:
    """Rows under the checkpoint with the facts of their bodies; personal ones are commitments still."""
    found = ledger.rows(**wanted).filter(seq__lt=size)
    return [(row, ledger.decoded(bytes(row.body))["facts"]) for row in found]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What picks, out of everything recorded around a project, what belongs to one request."""

    bundle: str
    bundles: set[str]
    stage: str
    cases: list[Case]
    verdicts: list[dict[str, Any]]
    acting: set[str]
    until: int

    def judged(self) -> set[str]:
        """Subjects of the evidence and documents that a judgement rested on, whichever bundle they were made for."""
        found: set[str] = set()
        for case in self.cases:
            for kind, name in {(fact.kind, fact.name) for fact in case.evidence}:
                for stage in {fact.stage for fact in case.evidence}:
                    piece = current_evidence(case, kind, stage, name)
                    if piece is not None:
                        found.add(f"evidence:{piece.id}")
            for kind in {fact.kind for fact in case.documents}:
                text = current_document(case, kind)
                if text is not None:
                    found.add(f"document:{text.id}")
        return found

    def chosen(self, rows: Rows) -> Rows:
        judged = self.judged()
        policies = {(facts["policy"]["name"], facts["policy"]["version"]) for facts in self.verdicts}
        counted = {
            str(given["signoff"])
            for facts in self.verdicts
            for finding in facts["findings"]
            for given in finding["params"].get("given", [])
        }
        signed = {
            row.subject
            for row, facts in rows
            if row.kind == K.SIGNOFF_GIVEN
            and (
                (facts["bundle"] == self.bundle and facts["stage"] == self.stage)
                or str(facts["signoff"]) in counted
            )
        }
        named = {
            f"waiver:{one}"
            for facts in self.verdicts
            for finding in facts["findings"]
            for one in _waiver(finding)
        }
        waived = named | {
            row.subject
            for row, facts in rows
            if row.kind in ABOUT_WAIVERS and facts["bundle"] == self.bundle and facts["stage"] == self.stage
        }
        acting = self.acting | {
            one
            for row, facts in rows
            if (row.kind == K.SIGNOFF_GIVEN and row.subject in signed)
            or (row.kind in ABOUT_WAIVERS and row.subject in waived)
            for one in _actors(row, facts)
        }
        holders = acting | {
            facts["team"] for row, facts in rows if row.kind == K.TEAM_JOINED and facts["person"] in acting
        }

        # What counted when it was judged last.
        answered = max(
            (
                row.seq
                for row, _facts in rows
                if row.kind == K.MATERIALITY_ANSWERED and (not self.until or row.seq < self.until)
            ),
            default=None,
        )

        def belongs(row: Event, facts: dict[str, Any]) -> bool:
            if row.kind in ABOUT_BUNDLES:
                return facts["bundle"] in self.bundles
            if row.kind in ABOUT_EVIDENCE:
                return facts["bundle"] == self.bundle or row.subject in judged
            if row.kind in (K.SIGNOFF_GIVEN, K.SIGNOFF_WITHDRAWN, K.CONDITION_STATED, K.CONDITION_MET):
                return row.subject in signed
            if row.kind in ABOUT_WAIVERS:
                return row.subject in waived
            if row.kind == K.POLICY_PUBLISHED:
                return (facts["policy"], facts["version"]) in policies
            if row.kind in (K.GRANT_GIVEN, K.GRANT_REVOKED):
                here = facts["stage"] in ("", self.stage)
                return here and facts["right"] in ACTING and facts["holder_id"] in holders
            if row.kind in (K.TEAM_JOINED, K.TEAM_LEFT):
                return facts["person"] in acting
            if row.kind in (K.DELEGATION_MADE, K.DELEGATION_ENDED):
                return facts["person"] in acting and facts["delegate"] in acting
            if row.kind == K.MATERIALITY_ANSWERED:
                return row.seq == answered
            if row.kind == K.DEPLOYMENT_CHANGED:
                return self.bundle in (facts["bundle"], facts["previous"])
            return True

        return [(row, facts) for row, facts in rows if belongs(row, facts)]


def _waiver(finding: dict[str, Any]) -> list[str]:
    """The waiver that a finding names, whether it counted or not."""
    named = finding["params"].get("waiver")
    return [] if named is None else [str(named["waiver"] if isinstance(named, dict) else named)]


def _actors(row: Event, facts: dict[str, Any]) -> tuple[str, ...]:
    """Who acted, and for whom where they stood in for somebody."""
    principal = facts.get("on_behalf_of")
    return (str(row.actor), principal) if principal else (str(row.actor),)


def people_in(rows: Iterable[Event], *more: bytes) -> list[str]:
    """Subjects of everybody whose id stands in these bodies, or in these other bytes."""
    every = [*(bytes(row.body) for row in rows), *more]
    return sorted({f"person:{found.decode()}" for body in every for found in _UUID.findall(body)})


def names_in(entries: Iterable[Entry]) -> dict[str, str]:
    """Printed names by uuid, from the events that state them; whose name was erased is missing."""
    found: dict[str, str | None] = {}
    for entry in entries:
        facts = entry.facts
        if entry.kind in (K.PERSON_ADDED, K.ADMIN_MADE, K.OWNER_ADDED, K.TEAM_JOINED):
            found[facts["person"]] = facts["name"]
        elif entry.kind in (K.WAIVER_GRANTED, K.WAIVER_REFUSED, K.WAIVER_WITHDRAWN):
            found[entry.actor_id] = facts["name"]
        elif entry.kind in (K.REQUEST_SUBMITTED, K.SIGNOFF_GIVEN, K.PROMOTION_STARTED, K.WAIVER_ASKED):
            found[entry.actor_id] = facts["name"]
            if facts["on_behalf_of"]:
                found[facts["on_behalf_of"]] = facts["for_name"]
        elif entry.kind == K.BUNDLE_REGISTERED:
            found[facts["author"]] = facts["author_name"]
    return {person: name for person, name in found.items() if name is not None}


# --- contents and proofs ---


def named_in(entries: Iterable[Entry]) -> set[str]:
    """The digests of the contents that these events name."""
    named = {
        K.EVIDENCE_RECORDED: ("result",),
        K.DOCUMENT_RECORDED: ("content",),
        K.SIGNOFF_GIVEN: ("statement", "envelope"),
        K.WAIVER_GRANTED: ("statement", "envelope"),
        K.VERDICT_JUDGED: ("case", "verdict"),
    }
    return {entry.facts[fact] for entry in entries for fact in named.get(entry.kind, ())}


def contents_of(digests: Collection[str]) -> dict[str, Held]:
    """The contents of these digests, checked against them; one query for the small, and the sizes of the large."""
    found: dict[str, Held] = {}
    for row in (
        Content.objects.filter(pk__in=digests).defer("body").values_list("digest", "media_type", "size")
    ):
        found[row[0]] = Held(row[0], row[1], row[2], None)
    small = [held.digest for held in found.values() if held.size <= CARRIED]
    for key, kept, kept_in in Content.objects.filter(pk__in=small).values_list("digest", "body", "kept_in"):
        body = content.fetched(key, kept, kept_in)
        if hashlib.sha256(body).hexdigest() != key:
            raise Refused(
                _("The stored content %(digest)s… was altered; restore it from a backup.")
                % {"digest": key[:12]},
                code="content_altered",
            )
        found[key] = Held(key, found[key].media_type, found[key].size, body)
    return found


def seal_of(checkpoint: Checkpoint) -> Seal:
    key = signing.public_key()
    return Seal(
        origin=settings.LEDGER_ORIGIN,
        size=checkpoint.size,
        root=bytes(checkpoint.root).hex(),
        note=checkpoint.note,
        at=ledger.instant(checkpoint.at),
        key_id=signing.key_id(),
        public_key=signing.public_pem(),
        verifier_key=checkpoints.verifier_key(settings.LEDGER_ORIGIN, key),
    )


def proofs_of(rows: list[Event], seal: Seal) -> dict[int, Proof]:
    proven = prove([row.seq for row in rows], seal.size, checkpoints.leaves(seal.size))
    if proven.root.hex() != seal.root:
        raise Refused(
            _(
                "The ledger no longer fits its checkpoint. Run manage.py verify_ledger, then restore from a backup."
            ),
            code="ledger_altered",
        )
    disclosed: dict[int, list[Disclosed]] = {}
    for one in Disclosure.objects.filter(event_id__in=[row.seq for row in rows]).order_by("event_id", "path"):
        if one.path not in WITHHELD:
            disclosed.setdefault(one.event_id, []).append(Disclosed(one.path, one.salt, one.value))
    return {
        row.seq: Proof(
            seq=row.seq,
            leaf=bytes(row.leaf).hex(),
            body=bytes(row.body),
            path=tuple(node.hex() for node in proven.paths[row.seq]),
            disclosures=tuple(disclosed.get(row.seq, ())),
        )
        for row in rows
    }
