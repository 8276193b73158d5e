"""Who asked, who signed what, and by what right each of them acted; and the bundle it was about."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from governance.report import words
from governance.report.chain import Chain
from governance.report.values import Authority, Fact, Signature
from governance.sentences import state_word
from portal import ledger
from portal.event_kinds import EventKind
from portal.ledger import Entry

K = EventKind


class People(Chain):
    """Tells what people did, each act with the grant that allowed it."""

    def signature(self, entry: Entry) -> Signature:
        facts = entry.facts
        said = self.all.json(facts["statement"])["predicate"]
        gone = self.withdrawn.get(entry.subject)
        return Signature(
            name=self.actor(entry),
            role=words.topic(facts["role"]),
            decision=facts["decision"],
            decided={
                "approve": _("Approved"),
                "approve_with_conditions": _("Approved with conditions"),
                "request_changes": _("Asked for changes"),
                "reject": _("Rejected"),
            }.get(facts["decision"], words.topic(facts["decision"])),
            meaning=facts["meaning"],
            time=words.local(words.moment(said["at"]["utc"]), said["at"]["zone"]),
            zone=said["at"]["zone"],
            comment=facts["comment"] or "",
            statement=words.grouped(facts["statement"]),
            facts=(
                Fact(_("Requirement"), facts["requirement"], code=True),
                Fact(_("Clause"), words.grouped(facts["clause"]), digest=True),
                Fact(_("Parts covered"), ", ".join(sorted(facts["covered"]))),
                *self._conditions(entry),
                Fact(_("Statement"), words.grouped(facts["statement"]), digest=True),
                Fact(_("Envelope"), words.grouped(facts["envelope"]), digest=True),
                Fact(_("Signed with key"), words.grouped(facts["key_id"]), digest=True),
                Fact(_("Shown with it"), self._shown(said)),
                *self._opened(said),
            ),
            seq=entry.seq,
            withdrawn=(
                _("Withdrawn on %(when)s: %(why)s")
                % {"when": words.instant(gone.at), "why": gone.facts["why"] or ledger.ERASED}
                if gone is not None
                else ""
            ),
        )

    def _opened(self, said: Mapping[str, Any]) -> tuple[Fact, ...]:
        """What stood on pages the signer opened before; nothing of signatures from before that was kept."""
        opened = said["recorded"].get("opened", [])
        if not opened:
            return ()
        kinds = {"evidence": _("evidence"), "document": _("document"), "difference": _("difference to")}
        lines = [
            _("%(what)s %(digest)s… from %(first)s to %(last)s")
            % {
                "what": kinds.get(one["what"], one["what"]),
                "digest": one["digest"][:8],
                "first": words.clock(words.moment(one["first"])),
                "last": words.instant(words.moment(one["last"])),
            }
            for one in opened
        ]
        return (Fact(_("Opened before, first to last"), "; ".join(lines)),)

    def _conditions(self, entry: Entry) -> tuple[Fact, ...]:
        """What an approval was under, and whether that was met."""
        met = {e.facts["number"]: e for e in self.all.of(K.CONDITION_MET) if e.subject == entry.subject}
        lines = []
        for stated in self.all.of(K.CONDITION_STATED):
            if stated.subject != entry.subject:
                continue
            facts, done = stated.facts, met.get(stated.facts["number"])
            text = _("%(text)s Due %(when)s.") % {
                "text": facts["text"] or ledger.ERASED,
                "when": words.instant(words.moment(facts["due"])),
            }
            text += " " + (
                _("Said to be met on %(when)s: %(how)s")
                % {"when": words.instant(done.at), "how": done.facts["how"] or ledger.ERASED}
                if done
                else _("Not said to be met.")
            )
            lines.append(Fact(_("Condition %(number)s") % {"number": facts["number"]}, text))
        return tuple(lines)

    def _shown(self, said: Mapping[str, Any]) -> str:
        """The evidence and documents that were on the page when it was signed, with what the gate found of each."""
        pieces = [*said["evidence"], *said["documents"]]
        if not pieces:
            return _("no evidence or document")
        return "; ".join(
            _("%(kind)s (%(finding)s) %(digest)s…")
            % {
                "kind": words.topic(one["kind"]),
                "finding": state_word(one["finding"]).lower(),
                "digest": one["digest"][:8],
            }
            for one in pieces
        )

    def asked(self) -> tuple[Fact, ...]:
        facts = self.submitted.facts
        lines = [
            Fact(_("Asked by"), self.actor(self.submitted)),
            Fact(_("On"), words.instant(self.submitted.at)),
            Fact(_("Why"), facts["why"] or ledger.ERASED),
            Fact(_("Project"), f"{facts['project_name']} ({self.all.project})"),
            Fact(
                _("From, to"),
                _("bundle %(bundle)s to %(stage)s") % {"bundle": self.bundle, "stage": facts["stage_name"]},
            ),
        ]
        lines += [self._material(entry) for entry in self.all.of(K.MATERIALITY_ANSWERED)]
        for entry in self.all.of(
            K.REQUEST_PROMOTED,
            K.REQUEST_HELD,
            K.REQUEST_TICKETED,
            K.REQUEST_WITHDRAWN,
            K.REQUEST_HANDED_OVER,
            K.REQUEST_SUPERSEDED,
            K.REQUEST_LANDED,
        ):
            label = {
                K.REQUEST_PROMOTED: _("Promotion asked for"),
                K.REQUEST_HELD: _("Held"),
                K.REQUEST_TICKETED: _("Change ticket"),
                K.REQUEST_WITHDRAWN: _("Withdrawn"),
                K.REQUEST_HANDED_OVER: _("Handed over"),
                K.REQUEST_SUPERSEDED: _("Superseded"),
                K.REQUEST_LANDED: _("Done"),
            }[entry.kind]
            why = entry.facts.get("why") or entry.facts.get("reason") or ""
            if entry.kind == K.REQUEST_TICKETED:
                why = entry.facts["ticket"] or _("taken away, was %(was)s") % {"was": entry.facts["was"]}
            by = _("by %(who)s") % {"who": self.actor(entry)} if entry.actor_kind != "system" else ""
            if entry.kind == K.REQUEST_HANDED_OVER:
                by = _("from %(name)s to %(heir)s by %(who)s") % {
                    "name": entry.facts["name"] or self.name(entry.facts["person"]),
                    "heir": entry.facts["heir_name"] or self.name(entry.facts["heir"]),
                    "who": self.name(entry.actor_id),
                }
            if entry.kind == K.REQUEST_SUPERSEDED:
                by = _("by request %(number)s") % {"number": entry.facts["by_request"]}
            lines.append(
                Fact(
                    label, " ".join(filter(None, [words.instant(entry.at), by])) + (f": {why}" if why else "")
                )
            )
        return tuple(lines)

    def _material(self, entry: Entry) -> Fact:
        """What owners answered, and the tier it leads to beside the one that judged."""
        facts = entry.facts
        said = _("%(exposure)s; %(purpose)s. That leads to tier %(tier)s") % {
            "exposure": facts["exposure"],
            "purpose": facts["purpose"],
            "tier": facts["leads_to"],
        }
        judged = self.case.tier if self.case else ""
        if judged and judged != facts["leads_to"]:
            said += _(", and it was judged in tier %(judged)s") % {"judged": judged}
        return Fact(
            _("Materiality"),
            _("%(said)s (answered by %(name)s on %(when)s: %(why)s)")
            % {
                "said": said,
                "name": facts["person_name"] or self.name(entry.actor_id),
                "when": words.instant(entry.at),
                "why": facts["why"] or ledger.ERASED,
            },
        )

    def bundle_facts(self) -> tuple[Fact, ...]:
        if self.registered is None:
            return (Fact(_("Bundle"), self.bundle),)
        facts = self.registered.facts
        return (
            Fact(_("Bundle"), self.bundle),
            Fact(_("Registered"), words.instant(self.registered.at)),
            Fact(
                _("Origin"),
                {"exported": _("exported by the portal"), "picked": _("picked from the design node")}.get(
                    facts["origin"], facts["origin"]
                ),
            ),
            Fact(_("Author"), facts["author_name"] or self.name(facts["author"])),
            Fact(_("Exported in DSS by"), facts["author_in_dss"] or words.NOT_SAID),
            Fact(
                _("Archive"),
                _("%(members)s members, %(size)s")
                % {"members": f"{facts['members']:,}", "size": words.size(facts["size"])},
            ),
            Fact(_("Archive, SHA-256"), words.grouped(facts["archive"]), digest=True),
        )

    def authorities(self) -> tuple[Authority, ...]:
        """For each act of a person, the grants in force then that allowed it, directly or through a team."""
        acts = [(self.submitted, "request", "", _("asked"))]
        acts += [
            (e, "sign", e.facts["role"], _("signed %(role)s") % {"role": words.topic(e.facts["role"])})
            for e in self.given
        ]
        acts += [
            (e, right, "", did)
            for kind, right, did in (
                (K.WAIVER_ASKED, "request", _("asked for a waiver")),
                (K.WAIVER_GRANTED, "waive", _("waived a requirement")),
                (K.WAIVER_REFUSED, "waive", _("refused a waiver")),
            )
            for e in self.all.of(kind)
        ]
        acts += [(run.started, "promote", "", _("promoted")) for run in self.promotions]
        lines: list[Authority] = []
        for act, right, role, did in acts:
            for grant in self._grants(act, right, role):
                facts = grant.facts
                what = _("sign %(role)s") % {"role": words.topic(role)} if role else words.topic(right)
                through = (
                    ""
                    if facts["holder_kind"] == "person"
                    else _(" through %(team)s") % {"team": facts["holder"]}
                )
                line = Authority(
                    name=self.actor(act),
                    did=did,
                    right=f"{what}, {facts['where']}{through}",
                    given=_("%(who)s on %(when)s")
                    % {"who": self.name(grant.actor_id), "when": words.day(grant.at)},
                    why=facts["why"] or ledger.ERASED,
                    seq=grant.seq,
                )
                if line not in lines:
                    lines.append(line)
            lines += [line for line in self._lent(act, did) if line not in lines]
        return tuple(lines)

    def _lent(self, act: Entry, did: str) -> Iterable[Authority]:
        """The delegation by which somebody acted in the place of another."""
        principal = act.facts.get("on_behalf_of")
        over = {e.facts["delegation"] for e in self.all.of(K.DELEGATION_ENDED) if e.seq < act.seq}
        for made in self.all.of(K.DELEGATION_MADE):
            facts = made.facts
            if (
                principal
                and made.seq < act.seq
                and (facts["person"], facts["delegate"]) == (principal, act.actor_id)
                and facts["delegation"] not in over
                and words.moment(facts["starts_at"]) <= act.at < words.moment(facts["until"])
            ):
                yield Authority(
                    name=self.actor(act),
                    did=did,
                    right=_("stand in for %(who)s until %(until)s")
                    % {"who": self.name(principal), "until": words.instant(words.moment(facts["until"]))},
                    given=_("%(who)s on %(when)s")
                    % {"who": self.name(made.actor_id), "when": words.day(made.at)},
                    why=facts["why"] or ledger.ERASED,
                    seq=made.seq,
                )

    def _grants(self, act: Entry, right: str, role: str) -> Iterable[Entry]:
        # Who stood in for somebody used that person's right.
        holder = act.facts.get("on_behalf_of") or act.actor_id
        joined: set[str] = set()
        for entry in self.all.of(K.TEAM_JOINED, K.TEAM_LEFT):
            if entry.seq < act.seq and entry.facts["person"] == holder:
                (joined.add if entry.kind == K.TEAM_JOINED else joined.discard)(entry.facts["team"])
        over = {e.facts["grant"] for e in self.all.of(K.GRANT_REVOKED) if e.seq < act.seq}
        for grant in self.all.of(K.GRANT_GIVEN):
            facts = grant.facts
            until = facts["until"]
            if (
                grant.seq < act.seq
                and facts["right"] == right
                and facts["role"] == role
                and facts["holder_id"] in {holder, *joined}
                and facts["grant"] not in over
                and (not until or words.moment(until) > act.at)
            ):
                yield grant
