"""The one catalogue of what findings and requirements say to people: on pages, in the API, in events and reports.

A sentence names what is so, why, and the next step. Not in charge of deciding anything: codes and parameters come from
`governance.checks`. Every `Code` has its entry; a test counts them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from governance import waivers
from governance.checks import Code, Why
from governance.explainability import METHODS
from governance.facts import (
    APPROVE,
    APPROVE_WITH_CONDITIONS,
    CANNOT_TELL,
    MET,
    NOT_MET,
    PARTS,
    REJECT,
    WAIVED,
    Clause,
    parse_instant,
)
from governance.parity import NOT_COUNTED
from governance.window import DAYS, day_names

Names = Callable[[str], str]
Params = Mapping[str, Any]

NAMED = 5
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, slots=True)
class _Say:
    """How to print people and stages."""

    names: Names
    stages: Names


def stage_name(slug: str) -> str:
    """A stage as prose where no printed name is given: `qa` is QA, `prod` is production."""
    return {"qa": "QA", "prod": _("production"), "design": _("the design node")}.get(slug, slug)


def sentence(code: str, params: Params, names: Names, stages: Names = stage_name) -> str:
    """What a finding says: why it is so and what to do next. `names` prints a person's uuid, `stages` a stage's slug.

    Raises ValueError for a code that is not in the catalogue.
    """
    say = _Say(names, stages)
    text = _SENTENCES[Code(code)](params, say)
    return (
        _join(text, _waiver_not_counted(params["waiver"], say))
        if isinstance(params.get("waiver"), dict)
        else text
    )


def title(clause: Clause, stages: Names = stage_name) -> str:
    """A requirement as a statement that is true or false: "Fairness signed by one person"."""
    params = clause.params
    if clause.kind == "sign_off":
        people = int(params.get("people", 1))
        return ngettext("%(role)s signed by %(n)s person", "%(role)s signed by %(n)s people", people) % {
            "role": _label(params["role"]),
            "n": _count(people),
        }
    if clause.kind == "document":
        sections = params.get("sections") or []
        if sections:
            return _("%(document)s with %(sections)s") % {
                "document": _label(params["kind"]),
                "sections": _and(sections),
            }
        return _("%(document)s written") % {"document": _label(params["kind"])}
    if clause.kind == "evidence" and params["kind"] == "fairness":
        columns = dict.fromkeys(column_name(by) for metric in params["metrics"] for by in metric["by"])
        return _("Groups treated alike by %(columns)s") % {"columns": _and(columns)}
    if clause.kind == "evidence" and params["kind"] == "explainability":
        top = int(params["top"])
        return ngettext(
            "%(columns)s not the feature that matters most",
            "%(columns)s not among the %(n)s features that matter most",
            top,
        ) % {"columns": _capital(_and(map(column_name, params["forbid"]))), "n": _count(top)} + _and_also(
            params
        )
    if clause.kind == "tests":
        return _tests_title(params, stages)
    if clause.kind == "soak":
        return _("Ran in %(stage)s for %(time)s") % {
            "stage": stages(params["at"]),
            "time": duration(int(params["for"])),
        }
    if clause.kind == "project_standards":
        if params["max_severity"] == "none":
            return _("Project standards of DSS kept")
        return _("Project standards of DSS kept, nothing above %(severity)s") % {
            "severity": severity_word(params["max_severity"])
        }
    if clause.kind == "govern":
        if params.get("step"):
            return _("Approved in Dataiku Govern, step %(step)s") % {"step": params["step"]}
        return _("Approved in Dataiku Govern")
    if clause.kind == "external_check":
        return _("%(check)s passed") % {"check": _label(params["name"])}
    if clause.kind == "change_ticket":
        return _("A change ticket like %(pattern)s") % {"pattern": params["pattern"]}
    if clause.kind == "window":
        return _("Goes live on %(window)s only") % {"window": window_words(params)}
    return _("Requirement %(key)s") % {"key": clause.key}


def _tests_title(params: Params, stages: Names) -> str:
    """What a `tests` requirement states."""
    if params.get("from") == "bundle":
        asked = [_("has %(names)s") % {"names": _and(params["scenarios"])}] if "scenarios" in params else []
        if "recipes" in params:
            asked.append(_("keeps its recipes to %(limits)s") % {"limits": recipe_limits(params["recipes"])})
        return _("The bundle %(asked)s") % {"asked": _and(asked)}
    said = (
        _("Test report of %(stage)s passed")
        if params.get("from") == "report"
        else _("Tests passed in %(stage)s")
    ) % {"stage": stages(params["at"])}
    if "pass_rate" in params:
        said += _(", at least %(share)s") % {"share": _share(params["pass_rate"])}
    if "required" in params:
        said += _(", among them %(names)s") % {"names": _and(_few(params["required"]))}
    return said


def recipe_limits(limits: Params) -> str:
    """`at most 400 lines and a complexity of 15`."""
    told = []
    if "lines" in limits:
        told.append(ngettext("%(n)s line", "%(n)s lines", limits["lines"]) % {"n": f"{limits['lines']:,}"})
    if "complexity" in limits:
        told.append(_("a complexity of %(n)s") % {"n": limits["complexity"]})
    return _("at most %(limits)s") % {"limits": _and(told)}


def _share(share: float) -> str:
    return f"{share * 100:.6f}".rstrip("0").rstrip(".") + " %"


def _few(words: Sequence[str]) -> list[str]:
    more = len(words) - NAMED
    return [*words[:NAMED], _("%(n)s more") % {"n": more}] if more > 0 else list(words)


def _and_also(params: Params) -> str:
    """What else is asked of explainability."""
    text = ""
    if "proxies" in params:
        text += _(", none of these a proxy of %(columns)s") % {
            "columns": _or(map(column_name, params["proxies"]["of"]))
        }
    if "drift" in params:
        text += _(", and much the same features as in what runs")
    return text


def does_not_count(entry: Params, names: Names) -> str:
    """Why a signature does not count, of one entry of a finding's `not_counted`."""
    return _not_counted({"not_counted": [entry]}, _Say(names, stage_name))


def window_words(params: Params) -> str:
    """Days, hours and zone of a window: `Monday to Thursday, 09:00 to 16:00 (Europe/Paris)`."""
    days = [
        _day(first)
        if first == last
        else _("%(first)s to %(last)s") % {"first": _day(first), "last": _day(last)}
        for first, last in day_names(params["days"])
    ]
    start, _dash, end = str(params["hours"]).partition("-")
    return _("%(days)s, %(start)s to %(end)s (%(zone)s)") % {
        "days": _and(days),
        "start": start,
        "end": end,
        "zone": params["zone"],
    }


def who(unblock: Sequence[str], names: Names) -> str:
    """Who can unblock it, as a sentence; empty where no one person can."""
    if not unblock:
        return ""
    printed = sorted(names(person) for person in unblock)
    more = len(printed) - NAMED
    if more > 0:
        others = ngettext("%(n)s other", "%(n)s others", more) % {"n": more}
        printed = [*printed[:NAMED], others]
    return _("%(people)s can unblock this now.") % {"people": _or(printed)}


def cannot_approve(not_there: Sequence[Clause]) -> str:
    """Why nobody can approve yet, of `governance.checks.not_there`; an empty text where nothing is missing."""
    if not not_there:
        return ""
    papers = [{"field": clause.kind, "kind": clause.params["kind"]} for clause in not_there]
    return ngettext(
        "You cannot approve yet: %(papers)s is missing, and an approval counts only for what was there to read. "
        "Whoever may ask for promotions can add it on the bundle page; then read this page again. "
        "You can ask for changes or reject now.",
        "You cannot approve yet: %(papers)s are missing, and an approval counts only for what was there to read. "
        "Whoever may ask for promotions can add them on the bundle page; then read this page again. "
        "You can ask for changes or reject now.",
        len(set(map(_paper, papers))),
    ) % {"papers": _papers(papers)}


def cooling_off(why: str, until: str) -> str:
    """Why somebody who changed what a request depends on cannot sign for it yet; to them."""
    what = {
        "changed_rights": _(
            "You changed the rights here or where it runs, so you cannot sign for it until %(until)s."
            " Somebody else with the role has to sign."
        ),
        "changed_policy": _(
            "You changed the rules that apply here, so you cannot sign for it until %(until)s."
            " Somebody else with the role has to sign."
        ),
    }[why]
    return what % {"until": when(until)}


def cooling_off_of(name: str, why: str, until: str) -> str:
    """The same to whoever would sign for them."""
    return _(
        "You would sign for %(name)s, who %(reason)s; that cannot be until %(until)s."
        " Somebody else with the role has to sign."
    ) % {"name": name, "reason": _reason(why), "until": when(until)}


def state_word(state: str) -> str:
    """The word printed for a finding's state; a shape goes with it, never colour alone."""
    return {
        MET: _("Met"),
        NOT_MET: _("Not met"),
        CANNOT_TELL: _("Cannot tell"),
        WAIVED: _("Waived"),
    }[state]


def meaning(decision: str, role: str, *, project: str, bundle: str, stage: str, covers: Sequence[str]) -> str:
    """What a signature says, in the words that are signed. Never translated: the signed bytes are one text for all."""
    subject = f"bundle {bundle} of {project} for the stage {stage}"
    what = "all parts" if set(covers) >= set(PARTS) else "the parts " + ", ".join(sorted(covers))
    topic = role.replace("-", " ").replace("_", " ")
    verb = {
        APPROVE: f"I approve it for {topic}.",
        APPROVE_WITH_CONDITIONS: f"I approve it for {topic} under the conditions I state.",
        REJECT: f"I reject it for {topic}.",
    }.get(decision, f"I request changes to it for {topic}.")
    return f"I have reviewed {what} of {subject}, and the evidence and documents shown with them. {verb}"


def duration(seconds: int) -> str:
    """`90 days`, `24 hours`, `2 seconds`: in the largest unit that divides it, days from two days on."""
    for size, unit in _UNITS:
        if seconds % size == 0 and (seconds >= 2 * size or unit != "day"):
            return _span(seconds // size, unit)
    return _span(seconds, "second")


def number(value: float) -> str:
    """Two decimals."""
    return f"{value:z.2f}"


def percent(share: float) -> str:
    """A share as a percentage with two decimals."""
    return f"{share * 100:.2f} %"


def with_interval(value: float | None, interval: Sequence[float | None]) -> str:
    """`0.93 (95 % interval 0.89 to 0.97)`."""
    low, high = interval
    if value is None or low is None:
        return _("undefined")
    if high is None:
        return _("%(value)s (95 %% interval from %(low)s upwards)") % {
            "value": number(value),
            "low": number(low),
        }
    return _("%(value)s (95 %% interval %(low)s to %(high)s)") % {
        "value": number(value),
        "low": number(low),
        "high": number(high),
    }


# --- sign_off ---


def _given(params: Params, say: _Say) -> str:
    here = [fact for fact in params["given"] if "bundle" not in fact]
    said = (
        [_("Signed by %(people)s.") % {"people": _and(_signer(fact, say) for fact in here)}] if here else []
    )
    for bundle in dict.fromkeys(fact["bundle"] for fact in params["given"] if "bundle" in fact):
        carried = (_signer(fact, say) for fact in params["given"] if fact.get("bundle") == bundle)
        said.append(
            _("Carried from bundle %(bundle)s, signed by %(people)s; unchanged: %(parts)s.")
            % {"bundle": bundle, "people": _and(carried), "parts": _parts(params["covers"])}
        )
    text = " ".join(said)
    under = [fact for fact in params["given"] if fact["conditions"]]
    due = min((fact["due"] for fact in under if "due" in fact), default="")
    if due:
        text += " " + _("Under a condition that is open and due on %(when)s.") % {"when": when(due)}
    elif under:
        text += " " + _("The conditions stated are met.")
    return text


def _parts(covers: Sequence[str]) -> str:
    """The parts a signature covers; what no part recognises is always among them, and goes without saying."""
    if set(covers) >= set(PARTS):
        return _("everything")
    return _and(part for part in PARTS if part in covers and part != "other")


def _short(params: Params) -> str:
    """That no number of signatures given now would do; a finding recorded by an earlier version does not say it."""
    short, able = int(params.get("short", 0)), int(params["people"]) - int(params.get("short", 0))
    if not short or not able:
        return ""
    return ngettext(
        "Only %(able)s can sign it, which is not enough: ask an admin to give the right to one more.",
        "Only %(able)s can sign it, which is not enough: ask an admin to give the right to %(n)s more.",
        short,
    ) % {"able": ngettext("one person", "%(n)s people", able) % {"n": _count(able)}, "n": _count(short)}


def _missing(params: Params, say: _Say) -> str:
    return _join(
        _progress(params, say), _short(params), _waits(params), _not_counted(params, say), _swaps(params, say)
    )


def _asked_again(params: Params, say: _Say) -> str:
    reasons = [
        reason for entry in params["not_counted"] if entry["why"] == Why.DIFFERS for reason in _differs(entry)
    ]
    again = _("Asked again because %(reasons)s.") % {"reasons": _and(dict.fromkeys(reasons))}
    return _join(
        again,
        _progress(params, say),
        _short(params),
        _waits(params),
        _not_counted(params, say, but=Why.DIFFERS),
        _swaps(params, say),
    )


def _nobody(params: Params, say: _Say) -> str:
    kept = [_kept(entry, say) for entry in params.get("kept_out", [])]
    reasons = [
        reason for entry in params["not_counted"] if entry["why"] == Why.DIFFERS for reason in _differs(entry)
    ]
    again = (
        _("Asked again because %(reasons)s.") % {"reasons": _and(dict.fromkeys(reasons))} if reasons else ""
    )
    why = _("%(people)s.") % {"people": _capital(_and(kept))} if kept else ""
    step = _(
        "Nobody can sign %(role)s here now. Ask an admin to give one more person the right to sign it."
    ) % {"role": _topic(params["role"])}
    return _join(again, _progress(params, say), step, why or _not_counted(params, say, but=Why.DIFFERS))


def _rejected(params: Params, say: _Say) -> str:
    by = [_who(fact, say) for fact in params["against"] if fact["decision"] == REJECT]
    return _(
        "%(people)s rejected it. Read the reasons, change the bundle and register it again, or ask them to withdraw "
        "or change their word."
    ) % {"people": _and(by)}


def _changes_requested(params: Params, say: _Say) -> str:
    by = [_who(fact, say) for fact in params["against"]]
    return _(
        "%(people)s asked for changes. Make them and register a new bundle, or answer in the conversation and ask for "
        "another look."
    ) % {"people": _and(by)}


def _progress(params: Params, say: _Say) -> str:
    people, given = params["people"], params["given"]
    if given:
        return _("%(have)s of %(need)s: %(people)s.") % {
            "have": _capital(_count(len(given))),
            "need": _count(people),
            "people": _and(_signer(fact, say) for fact in given),
        }
    return ngettext("One signature is needed.", "%(n)s signatures are needed.", people) % {
        "n": _capital(_count(people))
    }


def _waits(params: Params) -> str:
    """What has to be there before anybody can approve; a finding recorded by an earlier version does not say it."""
    papers = params.get("not_there")
    if not papers:
        return ""
    return ngettext(
        "It can be approved once %(papers)s is there.",
        "It can be approved once %(papers)s are there.",
        len(set(map(_paper, papers))),
    ) % {"papers": _papers(papers)}


def _papers(papers: Sequence[Params]) -> str:
    return _and(dict.fromkeys(map(_paper, papers)))


def _paper(held: Params) -> str:
    text = _("the %(kind)s evidence") if held["field"] == "evidence" else _("the document “%(kind)s”")
    return text % {"kind": _topic(held["kind"])}


def _not_counted(params: Params, say: _Say, but: str = "") -> str:
    said = []
    for entry in params["not_counted"]:
        if entry["why"] == but:
            continue
        person = _who(entry, say)
        if entry["why"] == Why.BARRED:
            said.append(_barred(entry, person, say))
        elif entry["why"] == Why.WITHDRAWN:
            said.append(_("%(person)s withdrew the signature.") % {"person": person})
        elif entry["why"] == Why.NOT_CARRIED:
            said.append(_not_carried(entry, person))
        elif entry["why"] == Why.CONDITION_OVERDUE:
            said.append(
                _(
                    "%(person)s signed under a condition that was due on %(when)s and is not met; it counts again once"
                    " %(person)s says that it is."
                )
                % {"person": person, "when": when(entry["due"])}
            )
        elif entry["why"] == Why.EXPIRED:
            said.append(
                _("%(person)s signed more than %(time)s ago, which is as long as it counts.")
                % {"person": person, "time": duration(int(entry["max_age"]))}
            )
        elif entry["why"] == Why.ROLE_LOST:
            said.append(_("%(person)s signed, but may no longer sign this.") % {"person": person})
        elif entry["why"] == Why.ONE_PLACE and "beside" in entry:
            said.append(
                _("The signature of %(person)s does not count beside that of %(beside)s: %(reason)s.")
                % {"person": person, "beside": say.names(entry["beside"]), "reason": _could_be(entry, say)}
            )
        elif entry["why"] == Why.ONE_PLACE:
            said.append(
                _("The signature of %(person)s does not count besides: the two fill one place.")
                % {"person": person}
            )
        elif entry["why"] == Why.COUNTS_ELSEWHERE:
            said.append(
                _("The signature of %(person)s counts for %(role)s; one person fills one place.")
                % {"person": person, "role": _topic(entry["elsewhere"])}
            )
        else:
            reasons = _and(dict.fromkeys(_differs(entry)))
            said.append(
                _("The signature of %(person)s does not count because %(reasons)s.")
                % {"person": person, "reasons": reasons}
            )
    return " ".join(said)


def _not_carried(entry: Params, person: str) -> str:
    """An approval of another bundle with equal parts that the policy does not carry on to this one."""
    values = {"person": person, "bundle": entry["bundle"], "limit": ""}
    if entry["carry"] == "never":
        text = _("%(person)s signed bundle %(bundle)s; the policy asks for each bundle anew.")
    elif entry["carry"] == "hops":
        values["limit"] = entry["limit"]
        text = ngettext(
            "%(person)s signed bundle %(bundle)s, and that counts for the next %(limit)s bundle only.",
            "%(person)s signed bundle %(bundle)s, and that counts for the next %(limit)s bundles only.",
            int(entry["limit"]),
        )
    else:
        values["limit"] = duration(int(entry["limit"]))
        text = _("%(person)s signed bundle %(bundle)s, and that counts for other bundles for %(limit)s only.")
    return text % values


def _barred(entry: Params, person: str, say: _Say) -> str:
    """A signature that is not independent; of one that only waits for an end, until when it does not count."""
    if "let_in" in entry:
        text = _(
            "%(person)s signed, but had lately got a new way to sign in from %(whom)s, who %(reason)s, so it does not"
            " count."
        )
    elif "whom" in entry:
        text = (
            _("%(person)s signed, but %(whom)s %(reason)s, so it does not count until %(until)s.")
            if "until" in entry
            else _("%(person)s signed, but %(whom)s %(reason)s, so it does not count.")
        )
    else:
        text = (
            _("%(person)s signed, but %(reason)s, so it does not count until %(until)s.")
            if "until" in entry
            else _("%(person)s signed, but %(reason)s, so it does not count.")
        )
    return text % {
        "person": person,
        "whom": say.names(entry["whom"]) if "whom" in entry else "",
        "reason": _reason(entry["barred"]),
        "until": when(entry["until"]) if "until" in entry else "",
    }


def _kept(entry: Params, say: _Say) -> str:
    """Who holds the role and cannot help, and why; where that ends, when."""
    values = {"person": say.names(entry["person"]), "reason": _reason(entry["why"])}
    if "beside" in entry:
        return _("%(person)s does not count beside %(beside)s, who signed: %(reason)s") % {
            **values,
            "beside": say.names(entry["beside"]),
            "reason": _could_be(entry, say),
        }
    if "whom" in entry:
        return _("%(person)s lately got a new way to sign in from %(whom)s, who %(reason)s") % {
            **values,
            "whom": say.names(entry["whom"]),
        }
    if "until" not in entry:
        return _("%(person)s %(reason)s") % values
    return _("%(person)s %(reason)s, and cannot sign until %(until)s") % {
        **values,
        "until": when(entry["until"]),
    }


def _could_be(entry: Params, say: _Say) -> str:
    """Why two signers could be one."""
    person, beside, whom = (entry[name] for name in ("person", "beside", "whom"))
    if whom == beside:
        return _("%(whom)s lately gave them a new way to sign in") % {"whom": say.names(whom)}
    if whom == person:
        return _("they lately gave %(beside)s a new way to sign in") % {"beside": say.names(beside)}
    return _("%(whom)s lately gave both a new way to sign in") % {"whom": say.names(whom)}


def _swaps(params: Params, say: _Say) -> str:
    return " ".join(
        _("%(person)s could sign here once %(other)s signs %(role)s instead.")
        % {
            "person": say.names(move["person"]),
            "other": say.names(move["instead"]),
            "role": _topic(move["role"]),
        }
        for move in params.get("swaps", [])
    )


def _differs(entry: Params) -> list[str]:
    """Why a signature is about something else: the parts in one clause, then each other bound field."""
    differs = entry["differs"]
    parts = [held["part"] for held in differs if held["field"] == "part"]
    reasons = []
    if parts:
        reasons.append(
            ngettext("the part %(parts)s changed", "the parts %(parts)s changed", len(parts))
            % {"parts": _and(parts)}
        )
    for held in differs:
        if held["field"] == "project":
            reasons.append(_("it was given for the project %(signed)s") % {"signed": held["signed"]})
        elif held["field"] == "stage":
            reasons.append(_("it was given for the stage %(signed)s") % {"signed": held["signed"]})
        elif held["field"] == "clause":
            reasons.append(_("the policy now asks something else here"))
        elif held["field"] in ("evidence", "document") and held["change"] != "not_seen":
            reasons.append(_page(held))
    unseen = [held for held in differs if held.get("change") == "not_seen"]
    if unseen:
        reasons.append(_("it was given without %(papers)s") % {"papers": _papers(unseen)})
    return reasons


def _page(held: Params) -> str:
    evidence, kind = held["field"] == "evidence", _topic(held["kind"])
    if held["change"] == "unknown":
        return (
            _("evidence that was signed is not known here")
            if evidence
            else _("a signed document is not known here")
        )
    if held["change"] == "gone":
        text = (
            _("the %(kind)s evidence that was signed is about other parts")
            if evidence
            else _("the document “%(kind)s” that was signed is about other parts")
        )
    else:
        text = (
            _("the %(kind)s evidence now says something else")
            if evidence
            else _("the document “%(kind)s” was rewritten")
        )
    return text % {"kind": kind}


def _reason(why: str) -> str:
    return {
        "requester": _("asked for this deployment"),
        "bundle_author": _("made this bundle"),
        "evidence_author": _("brought evidence for it"),
        waivers.ASKER: _("asked for the waiver"),
        "token_maker": _(
            "made a token of the service account that asked for this deployment or made this bundle"
        ),
        "let_in": _("lately gave whoever asked for this deployment or made this bundle a way to sign in"),
        "let_back_in": _(
            "lately gave whoever asked for this deployment or made this bundle a new way to sign in"
        ),
        "changed_rights": _("lately changed the rights here or where it runs"),
        "changed_policy": _("lately changed the rules that apply here"),
        Why.COUNTS_ELSEWHERE.value: _("already fills another place"),
    }.get(why, _("may not sign here"))


def _signer(fact: Params, say: _Say) -> str:
    return _("%(person)s on %(when)s") % {"person": _who(fact, say), "when": when(fact["at"])}


def _who(fact: Params, say: _Say) -> str:
    """Who signed, and for whom where they stood in for somebody."""
    if not fact.get("on_behalf_of"):
        return say.names(fact["person"])
    return _("%(person)s for %(other)s") % {
        "person": say.names(fact["person"]),
        "other": say.names(fact["on_behalf_of"]),
    }


# --- document ---


def _document_current(params: Params, say: _Say) -> str:
    sections = params["sections"]
    text = _("Written on %(when)s, about these parts.") % {"when": when(params["at"])}
    if sections:
        text += " " + _("It has %(sections)s.") % {"sections": _and(sections)}
    return text


def _document_expired(params: Params, say: _Say) -> str:
    return _("Written on %(when)s, more than %(age)s ago. Review it and add it again.") % {
        "when": when(params["at"]),
        "age": duration(params["max_age"]),
    }


def _document_missing(params: Params, say: _Say) -> str:
    return _("There is no document “%(kind)s” for these parts. Write or generate it on the bundle page.") % {
        "kind": _topic(params["kind"])
    }


def _document_other_parts(params: Params, say: _Say) -> str:
    return _(
        "The newest document “%(kind)s”, of %(when)s, is about other parts: %(parts)s changed. Write or generate it "
        "again."
    ) % {"kind": _topic(params["kind"]), "when": when(params["at"]), "parts": _and(params["changed"])}


def _document_sections(params: Params, say: _Say) -> str:
    absent = params["absent"]
    return ngettext(
        "The section %(sections)s is missing. Add it under a heading of that name.",
        "The sections %(sections)s are missing. Add each under a heading of its name.",
        len(absent),
    ) % {"sections": _and(absent)}


def _document_untold(params: Params, say: _Say) -> str:
    return _(
        "The file has no outline, so nobody can tell whether it has %(sections)s. Make the PDF again with bookmarks "
        "from its headings, or upload the Word document."
    ) % {"sections": _and(params["sections"])}


# --- evidence and tests ---


def _evidence_missing(params: Params, say: _Say) -> str:
    if params["kind"] == "external_check":
        return _(
            "The check “%(check)s” has not reported on these parts. Run it in its own system, which reports by itself."
        ) % {"check": _topic(params["name"])}
    if params["kind"] == "test-report":
        return _(
            "No test report of %(stage)s was sent for these parts. Let the pipeline send its JUnit XML, or add it on "
            "the bundle page."
        ) % {"stage": say.stages(params["stage"])}
    if params["kind"] == "project":
        return _(
            "The bundle was registered before its recipes were measured. Register it again under another id."
        )
    if params["kind"] == "tests":
        return _(
            "No tests have run in %(stage)s on these parts. Promote the bundle to %(stage)s; its tests run there."
        ) % {"stage": say.stages(params["stage"])}
    return _("There is no %(kind)s evidence for these parts. Collect it on the bundle page.") % {
        "kind": _topic(params["kind"])
    }


def _evidence_other_parts(params: Params, say: _Say) -> str:
    values = {"kind": _topic(params["kind"]), "when": when(params["at"]), "parts": _and(params["changed"])}
    if params["kind"] == "external_check":
        return _(
            "The newest report of “%(check)s”, of %(when)s, is about other parts: %(parts)s changed. Run it again in "
            "its own system."
        ) % (values | {"check": _topic(params["name"])})
    if params["kind"] in ("test-report", "project"):
        again = (
            _("Let the pipeline send the report of this bundle.")
            if params["kind"] == "test-report"
            else _("Register this bundle again under another id.")
        )
        text = _("The newest %(kind)s, of %(when)s, is about other parts: %(parts)s changed.") % values
        return f"{text} {again}"
    if params["kind"] == "tests":
        return _(
            "The newest tests in %(stage)s, of %(when)s, ran on other parts: %(parts)s changed. Promote this bundle to "
            "%(stage)s; its tests run there."
        ) % (values | {"stage": say.stages(params["stage"])})
    return (
        _(
            "The newest %(kind)s evidence, of %(when)s, is about other parts: %(parts)s changed. Collect it again."
        )
        % values
    )


def _evidence_brought(params: Params, say: _Say) -> str:
    return _(
        "The newest %(kind)s evidence, of %(when)s, was brought by a person; only what was counted from DSS counts "
        "here. Collect it."
    ) % {"kind": _topic(params["kind"]), "when": when(params["at"])}


def _evidence_expired(params: Params, say: _Say) -> str:
    values = {"when": when(params["at"]), "age": duration(params["max_age"])}
    if params["kind"] == "external_check":
        return _("It reported on %(when)s, more than %(age)s ago. Run it again in its own system.") % values
    if params["kind"] == "test-report":
        return (
            _("The report was sent on %(when)s, more than %(age)s ago. Let the pipeline send a new one.")
            % values
        )
    if params["kind"] == "project":
        return _("The bundle was registered on %(when)s, more than %(age)s ago. Register a new one.") % values
    if params["kind"] == "tests":
        return _("The tests ran on %(when)s, more than %(age)s ago. Run them again in %(stage)s.") % (
            values | {"stage": say.stages(params["stage"])}
        )
    return _("Collected on %(when)s, more than %(age)s ago. Collect it again.") % values


def _evidence_unreadable(params: Params, say: _Say) -> str:
    if params["kind"] == "external_check":
        return _("The report of %(when)s cannot be read. Run the check again in its own system.") % {
            "when": when(params["at"])
        }
    return _("The %(kind)s result of %(when)s cannot be read. Collect it again.") % {
        "kind": _topic(params["kind"]),
        "when": when(params["at"]),
    }


def _fairness(params: Params, say: _Say) -> str:
    """The metrics in the state that decided, each with its numbers, then the next step."""
    rows = params["metrics"]
    shown = [row for row in rows if row["state"] == NOT_MET] or [
        row for row in rows if row["state"] == CANNOT_TELL
    ]
    facts = [fairness_row(row) for row in shown or rows]
    if any(row["state"] == NOT_MET for row in rows):
        step = _("Change the model or its data so that the groups fare alike, and register a new bundle.")
    elif shown and all(row["reason"] in NOT_COUNTED for row in shown):
        steps = {
            "no_label": _(
                "Add a label column to the project's evidence source and collect the evidence again."
            ),
            "no_score": _(
                "Add a score column to the project's evidence source and collect the evidence again."
            ),
            "too_many_groups": _("Change the policy to columns with fewer values, such as bands."),
        }
        reason = next(row["reason"] for row in shown)
        step = steps.get(
            reason,
            _("Add the column to the scored data set and collect the evidence again."),
        )
    elif shown:
        step = _("Add rows to the scored data set and collect the evidence again, or ask for a waiver.")
    else:
        step = _("%(rows)s rows were counted.") % {"rows": f"{params['rows']:,}"}
    return _join(*facts, step)


_NOT_THERE = {
    "no_label": gettext_lazy("By %(by)s: %(metric)s was not counted, because no label column is named."),
    "no_score": gettext_lazy("By %(by)s: %(metric)s was not counted, because no score column is named."),
    "too_many_groups": gettext_lazy(
        "By %(by)s: %(metric)s was not counted, because there are too many groups."
    ),
}


def fairness_row(row: Params) -> str:
    """What one metric came to by one column, as a sentence."""
    by = column_name(row["by"])
    if row["reason"] == "not_counted":
        return _("By %(by)s: %(metric)s was not counted.") % {"by": by, "metric": metric_name(row["metric"])}
    if row["reason"] in _NOT_THERE:
        return _NOT_THERE[row["reason"]] % {"by": by, "metric": metric_name(row["metric"])}
    if row["reason"] == "small_group":
        # How many they are is not said: that few people could be told apart.
        few = [held["group"] for held in row["small"]]
        named = few[:NAMED] + (
            [ngettext("%(n)s other group", "%(n)s other groups", len(few) - NAMED) % {"n": len(few) - NAMED}]
            if len(few) > NAMED
            else []
        )
        return ngettext(
            "By %(by)s: %(small)s has too few people; %(least)s are needed to conclude.",
            "By %(by)s: %(small)s have too few people each; %(least)s are needed to conclude.",
            len(few),
        ) % {"by": by, "small": _and(named), "least": f"{row['min_group']:,}"}
    if row["reason"] == "one_class":
        return _(
            "By %(by)s: %(metric)s cannot be told, because everybody has the same outcome or the same label."
        ) % {"by": by, "metric": metric_name(row["metric"])}
    if row["reason"] == "undefined":
        return _("By %(by)s: %(metric)s is undefined, because a group has nobody to compute it from.") % {
            "by": by,
            "metric": metric_name(row["metric"]),
        }
    if row["group"] is None:
        return _("By %(by)s: there is one group only.") % {"by": by}
    values = {
        "by": by,
        "metric": _capital(metric_name(row["metric"])),
        "group": group_name(row),
        "reference": row["reference"],
        "value": with_interval(row["value"], row["interval"]),
        "asked": threshold_words(row),
    }
    if row["reference"] is None:  # a group is held against what was predicted of it
        of_group = (
            _(
                "By %(by)s: %(metric)s of %(group)s is %(value)s; the interval crosses the threshold: %(asked)s."
            )
            if row["reason"] == "crosses"
            else _("By %(by)s: %(metric)s of %(group)s is %(value)s; %(asked)s.")
        )
        return of_group % (values | {"metric": metric_name(row["metric"])})
    if row["reason"] == "crosses":
        return _(
            "By %(by)s: %(metric)s of %(group)s against %(reference)s is %(value)s; the interval crosses the "
            "threshold: %(asked)s."
        ) % (values | {"metric": metric_name(row["metric"])})
    return _("By %(by)s: %(metric)s of %(group)s against %(reference)s is %(value)s; %(asked)s.") % (
        values | {"metric": metric_name(row["metric"])}
    )


def group_name(held: Params) -> str:
    """A group that was judged, with the scores of its people where only those are meant: `F at scores 0.2 to 0.4`."""
    if not held.get("score"):
        return str(held["group"])
    low, high = held["score"]
    return _("%(group)s at scores %(low)s to %(high)s") % {
        "group": held["group"],
        "low": f"{low:.1f}",
        "high": f"{high:.1f}",
    }


def threshold_words(row: Params) -> str:
    """What the policy asks of a metric: `at least 0.80 is asked`."""
    threshold = row["threshold"]
    if "min" in threshold:
        return _("at least %(value)s is asked") % {"value": number(threshold["min"])}
    return _("at most %(value)s is allowed") % {"value": number(threshold["max"])}


METRIC_NAMES = {
    "demographic_parity_ratio": gettext_lazy("the ratio of selection rates"),
    "demographic_parity_difference": gettext_lazy("the difference of selection rates"),
    "equal_opportunity_ratio": gettext_lazy("the ratio of true positive rates"),
    "equal_opportunity_difference": gettext_lazy("the difference of true positive rates"),
    "false_positive_rate_ratio": gettext_lazy("the ratio of false positive rates"),
    "false_positive_rate_difference": gettext_lazy("the difference of false positive rates"),
    "equalized_odds_ratio": gettext_lazy("the smaller ratio of true and false positive rates"),
    "equalized_odds_difference": gettext_lazy("the larger difference of true and false positive rates"),
    "predictive_parity_ratio": gettext_lazy("the ratio of precision"),
    "predictive_parity_difference": gettext_lazy("the difference of precision"),
    "calibration_difference": gettext_lazy("the distance between what was predicted and what happened"),
    "calibration_by_score_difference": gettext_lazy(
        "the distance, score by score, between what was predicted and what happened"
    ),
}


def metric_name(metric: str) -> str:
    """A metric of fairness as prose: `the ratio of selection rates`."""
    return str(METRIC_NAMES.get(metric, metric))


def _explainability_clear(params: Params, say: _Say) -> str:
    text = _("%(columns)s not found among the first %(n)s of %(known)s features; %(first)s matters most.") % {
        "columns": _capital(_and(map(column_name, params["forbid"]))),
        "n": min(params["top"], params["known"]),
        "known": params["known"],
        "first": params["first"],
    }
    return _join(text, *_explained_further(params))


def _explainability_forbidden(params: Params, say: _Say) -> str:
    used = _and(
        _("%(feature)s is number %(rank)s with %(share)s of the importance")
        % {"feature": held["feature"], "rank": held["rank"], "share": percent(held["share"])}
        for held in params["forbidden"]
    )
    text = _("%(used)s. Train the model without it and register a new bundle.") % {"used": _capital(used)}
    return _join(text, *_explained_further(params))


def _explained(params: Params, say: _Say) -> str:
    """What decides comes first: what is violated, then what cannot be told, then what holds."""
    return _join(*_explained_further(params))


def _explained_further(params: Params) -> list[str]:
    order = (NOT_MET, CANNOT_TELL, MET)
    told = [
        (order.index(params[name]["state"]), say(params[name]))
        for name, say in (("proxies", proxies_row), ("drift", drift_row))
        if name in params
    ]
    return [text for _place, text in sorted(told, key=lambda one: one[0])]


def proxies_row(held: Params) -> str:
    """What was found of proxies, as one or two sentences."""
    limit = proxy_limit(held)
    over = [row for row in held["rows"] if row["state"] == NOT_MET]
    if over:
        text = _(
            "%(pairs)s; %(limit)s. Train the model without it, or say in a waiver why it has to stay."
        ) % {
            "pairs": _capital(_and(map(_pair, over[:NAMED]))),
            "limit": limit,
        }
        if len(over) > NAMED:
            text += " " + _("There are %(n)s more.") % {"n": len(over) - NAMED}
        return text
    across = [row for row in held["rows"] if row["state"] == CANNOT_TELL]
    if across:
        return _("%(pairs)s, which is across what passes: %(limit)s. Collect it from more rows.") % {
            "pairs": _capital(_and(map(_pair, across[:NAMED]))),
            "limit": limit,
        }
    if held["missing"]:
        reasons: dict[str, list[str]] = {}
        for one in held["missing"]:
            reasons.setdefault(one["reason"], []).append(
                _("%(feature)s with %(column)s")
                % {"feature": one["feature"], "column": column_name(one["of"])}
            )
        return _join(
            *(
                _("How closely %(pairs)s go together cannot be told: %(why)s")
                % {"pairs": _and(pairs[:NAMED]), "why": why_no_association(reason)}
                for reason, pairs in reasons.items()
            )
        )
    if not held["rows"]:
        return _("No feature matters, so none is a proxy.")
    return _("Of %(n)s pairs the closest: %(pair)s; %(limit)s.") % {
        "n": f"{held['counted']:,}",
        "pair": _pair(held["rows"][0]),
        "limit": limit,
    }


def _pair(row: Params) -> str:
    column = column_name(row["of"])
    if row["measure"] == "same":
        return _("%(feature)s is made from %(column)s") % {"feature": row["feature"], "column": column}
    low, high = row["interval"]
    text = _("%(feature)s goes with %(column)s by %(value)s (%(low)s to %(high)s)") % {
        "feature": row["feature"],
        "column": column,
        "value": f"{row['value']:.2f}",
        "low": f"{low:.2f}",
        "high": f"{high:.2f}",
    }
    if row["n"] is not None:
        text += _(" in %(n)s rows") % {"n": f"{row['n']:,}"}
    return text


def why_no_association(reason: str) -> str:
    """Why it cannot be told how closely a feature goes with a sensitive column, and what to do."""
    return {
        "too_few": _("there are too few rows. Collect it again once more are scored."),
        "one_group": _("the scored rows are all of one group. Collect it from rows of the others too."),
        "too_many_groups": _(
            "the sensitive column has too many values. Name one with fewer, such as an age band."
        ),
        "no_column": _("the scored dataset has no such column. Add it to the dataset that the model scores."),
        "no_dataset": _("the project names no scored dataset. Ask an administrator to add it."),
        "dataset_stale": _(
            "the scored dataset is older than this bundle in its stage. Build it, then collect again."
        ),
        "dataset_build_failed": _(
            "the last build of the scored dataset failed. Build it, then collect again."
        ),
        "too_many_features": _("so many features are not counted. Ask for fewer with top."),
    }.get(reason, _("nobody counted it. Collect the evidence again, or bring figures that have it."))


def proxy_limit(held: Params) -> str:
    """What passes: `at most 0.30 with gender`."""
    return _("at most %(max)s with %(columns)s passes") % {
        "max": f"{held['max']:g}",
        "columns": _or(map(column_name, held["of"])),
    }


def drift_row(held: Params) -> str:
    """What was found of the features that matter most, against what runs."""
    reason = held["reason"]
    if reason == "first":
        return _("Nothing runs there yet to compare the features with.")
    if reason == "not_recorded":
        return _(
            "What ran there then was not written down, because the policy of that day did not ask about it."
        )
    if reason == "no_evidence":
        return _(
            "%(bundle)s runs there, and there is no explainability evidence of it to compare with. Collect it on the "
            "page of %(bundle)s, or bring it."
        ) % {"bundle": held["bundle"]}
    if reason == "other_method":
        return _(
            "The importance is by %(method)s, and that of %(bundle)s, which runs there, by %(there)s, which do not "
            "compare. Collect both, or bring both, by the same method."
        ) % {
            "method": method_name(held["method"]),
            "there": method_name(held["method_there"]),
            "bundle": held["bundle"],
        }
    moved = held["rows"][0]
    text = _("Against %(bundle)s, which runs there, %(feature)s moved most: from %(then)s to %(now)s") % {
        "bundle": held["bundle"],
        "feature": moved["feature"],
        "then": _place(moved["rank_there"], moved["share_there"]),
        "now": _place(moved["rank"], moved["share"]),
    }
    text += _("; the ranks of the first %(top)s agree by %(agree)s; %(limits)s.") % {
        "top": held["top"],
        "agree": f"{held['rank_correlation']:z.2f}",
        "limits": drift_limits(held),
    }
    if held["state"] == NOT_MET:
        text += " " + _("Write in its documents why the model decides by other things, or train it again.")
    return text


def _place(rank: int | None, share: float) -> str:
    if rank is None:
        return _("none")
    return _("%(share)s (number %(rank)s)") % {"share": percent(share), "rank": rank}


def drift_limits(held: Params) -> str:
    """What passes: `a share may move by 10.00 %, ranks agree by at least 0.7`."""
    told = []
    if "max_share_change" in held:
        told.append(_("a share may move by %(share)s") % {"share": percent(held["max_share_change"])})
    if "min_rank_correlation" in held:
        told.append(_("ranks have to agree by %(least)s") % {"least": f"{held['min_rank_correlation']:g}"})
    return _(" and ").join(told)


def method_name(method: str) -> str:
    """How an importance was computed."""
    return METHODS.get(method, method) or _("an unnamed method")


def _explainability_empty(params: Params, say: _Say) -> str:
    return _(
        "The result names no features. Compute the feature importance in DSS and collect the evidence again."
    )


def _tests_passed(params: Params, say: _Say) -> str:
    text = (
        _("%(passed)s of %(listed)s tests passed, by a report of %(when)s on these parts.")
        if _is_report(params)
        else _("%(passed)s of %(listed)s scenarios on %(when)s, on these parts.")
    ) % {
        "passed": params["passed"],
        "listed": params["listed"],
        "when": when(params["at"]),
    }
    if params.get("failed"):
        text += " " + _("At least %(share)s are asked; not passed: %(names)s.") % {
            "share": _share(params["pass_rate"]),
            "names": _and(_few([run["scenario"] for run in params["failed"]])),
        }
    if params["warned"]:
        text += " " + _("With a warning: %(names)s.") % {"names": _and(params["warned"])}
    return text


def _is_report(params: Params) -> bool:
    return params.get("kind") == "test-report"


def _again(params: Params, say: _Say) -> str:
    """How tests are run once more."""
    if _is_report(params):
        return _("Repair them, and let the pipeline send a new report.")
    return _("Repair them, then promote to %(stage)s again.") % {"stage": say.stages(params["stage"])}


def _tests_rate(params: Params, say: _Say) -> str:
    text = _("%(passed)s of %(listed)s tests passed, and at least %(share)s are asked.") % {
        "passed": params["passed"],
        "listed": params["listed"],
        "share": _share(params["pass_rate"]),
    }
    failed = _few([run["scenario"] for run in params["failed"]])
    named = _("Not passed: %(names)s.") % {"names": _and(failed)} if failed else ""
    return _join(text, named, _again(params, say))


def _tests_required(params: Params, say: _Say) -> str:
    missing = _and(
        _("%(test)s ended as %(outcome)s") % {"test": run["scenario"], "outcome": run["outcome"]}
        if run["outcome"]
        else _("%(test)s is not there") % {"test": run["scenario"]}
        for run in params["required"]
    )
    # Cases from before it was kept do not tell of the others.
    named = {run["scenario"] for run in params["required"]}
    others = [run["scenario"] for run in params.get("failed", ()) if run["scenario"] not in named]
    also = _("Not passed either: %(names)s.") % {"names": _and(_few(others))} if others else ""
    left = [name for name in params.get("not_run", ()) if name not in named]
    return _join(
        _("Required by name: %(missing)s.") % {"missing": missing}, also, _not_run(left), _again(params, say)
    )


def _not_run(names: Sequence[str]) -> str:
    return _("Not run: %(names)s.") % {"names": _and(_few(names))} if names else ""


def _project(params: Params, say: _Say) -> str:
    """What a bundle holds against what is asked of it, then the next step."""
    said = []
    if params["absent"]:
        said.append(
            ngettext(
                "The scenario %(names)s is missing.",
                "The scenarios %(names)s are missing.",
                len(params["absent"]),
            )
            % {"names": _and(_few(params["absent"]))}
        )
    for measure, text in (
        ("lines", _("longer than %(limit)s lines: %(names)s")),
        ("complexity", _("more complex than %(limit)s: %(names)s")),
    ):
        over = [row for row in params["over"] if row["measure"] == measure]
        if over:
            names = _few([f"{row['recipe']} ({row['value']:,})" for row in over])
            said.append(
                _("Recipes %(over)s.") % {"over": text % {"limit": over[0]["limit"], "names": _and(names)}}
            )
    if said:
        return _join(*said, _("Change the project on the design node and register a new bundle."))
    if params["limits"] and (params["untold"] or params["more"]):
        return _join(_untold(params), _("Repair or shorten them, and register a new bundle."))
    found = (
        [_("It has %(names)s.") % {"names": _and(_few(params["scenarios"]))}] if params["scenarios"] else []
    )
    if params["limits"]:
        found.append(
            ngettext(
                "Its %(n)s code recipe keeps to %(limits)s.",
                "Its %(n)s code recipes keep to %(limits)s.",
                params["recipes"],
            )
            % {"n": params["recipes"], "limits": recipe_limits(params["limits"])}
        )
    return _join(*found)


def _untold(params: Params) -> str:
    why = {
        "syntax": _("does not parse as Python"),
        "too_large": _("is too large to be read"),
    }
    named = [f"{row['recipe']} {why.get(row['why'], row['why'])}" for row in params["untold"]]
    if params["more"]:
        named.append(
            ngettext(
                "%(n)s more recipe is beyond those measured",
                "%(n)s more recipes are beyond those measured",
                params["more"],
            )
            % {"n": params["more"]}
        )
    return _("The complexity cannot be told: %(why)s.") % {"why": _and(_few(named))}


def _tests_failed(params: Params, say: _Say) -> str:
    failed = _and(
        _("%(scenario)s ended as %(outcome)s") % {"scenario": run["scenario"], "outcome": run["outcome"]}
        for run in params["failed"]
    )
    text = (
        _("%(passed)s of %(listed)s tests passed: %(failed)s.")
        if _is_report(params)
        else _("%(passed)s of %(listed)s scenarios passed: %(failed)s.")
    ) % {"passed": params["passed"], "listed": params["listed"], "failed": failed}
    return _join(text, _not_run(params.get("not_run", ())), _again(params, say))


def _tests_not_run(params: Params, say: _Say) -> str:
    return _(
        "%(passed)s of %(listed)s scenarios passed; not run: %(names)s. Run the tests in %(stage)s again."
    ) % {
        "passed": params["passed"],
        "listed": params["listed"],
        "names": _and(params["not_run"]),
        "stage": say.stages(params["stage"]),
    }


def _tests_none(params: Params, say: _Say) -> str:
    if _is_report(params):
        return _(
            "No test of the report fits the pattern %(pattern)s. Let the pipeline report those tests, or correct the "
            "policy."
        ) % {"pattern": params["pattern"]}
    return _(
        "No scenario fits the pattern %(pattern)s in %(stage)s. Add test scenarios to the project, register a bundle "
        "with them and promote it to %(stage)s."
    ) % {"pattern": params["pattern"], "stage": say.stages(params["stage"])}


# --- soak ---


def _soak_complete(params: Params, say: _Say) -> str:
    values = {
        "time": duration(params["for"]),
        "stage": say.stages(params["stage"]),
        "since": when(params["since"]),
    }
    if params["until"] is None:
        return _("These parts have run in %(stage)s since %(since)s; %(time)s are asked.") % values
    return _("These parts ran in %(stage)s from %(since)s to %(until)s; %(time)s are asked.") % (
        values | {"until": when(params["until"])}
    )


def _soak_running(params: Params, say: _Say) -> str:
    return _("Running in %(stage)s since %(since)s. Wait until %(done)s: %(time)s are asked.") % {
        "stage": say.stages(params["stage"]),
        "since": when(params["since"]),
        "done": when(params["done_at"]),
        "time": duration(params["for"]),
    }


def _soak_cut_short(params: Params, say: _Say) -> str:
    return _(
        "These parts ran in %(stage)s from %(since)s to %(until)s only; %(time)s are asked. Promote the bundle to "
        "%(stage)s again and let it run."
    ) % {
        "stage": say.stages(params["stage"]),
        "since": when(params["since"]),
        "until": when(params["until"]),
        "time": duration(params["for"]),
    }


def _soak_never(params: Params, say: _Say) -> str:
    return _(
        "These parts have not run in %(stage)s. Promote the bundle to %(stage)s and let it run for %(time)s."
    ) % {"stage": say.stages(params["stage"]), "time": duration(params["for"])}


# --- external checks ---


def _external_passed(params: Params, say: _Say) -> str:
    return _join(_("It reported on %(when)s.") % {"when": when(params["at"])}, _quoted(params["said"]))


def _external_failed(params: Params, say: _Say) -> str:
    return _join(
        _("It reported on %(when)s that these parts did not pass.") % {"when": when(params["at"])},
        _quoted(params["said"]),
        _("Repair what it found, and register a new bundle."),
    )


def _quoted(text: str) -> str:
    """What another system said, apart from our own words."""
    return _("It says: “%(text)s”.") % {"text": text.rstrip(".")} if text else ""


# --- project standards and Govern ---


def severity_word(name: str) -> str:
    """How grave a finding of DSS's project standards is."""
    return {
        "none": _("none"),
        "lowest": _("lowest"),
        "low": _("low"),
        "medium": _("medium"),
        "high": _("high"),
        "critical": _("critical"),
    }[name]


def _standards_kept(params: Params, say: _Say) -> str:
    return ngettext(
        "%(n)s check of DSS, read on %(when)s, found nothing graver than %(allowed)s.",
        "%(n)s checks of DSS, read on %(when)s, found nothing graver than %(allowed)s.",
        params["checks"],
    ) % {"n": params["checks"], "when": when(params["at"]), "allowed": severity_word(params["allowed"])}


def _standards_broken(params: Params, say: _Say) -> str:
    found = _and(
        _("%(check)s found something %(severity)s")
        % {"check": one["name"], "severity": severity_word(one["severity"])}
        for one in params["found"]
    )
    return _join(
        _("%(found)s. Repair it in DSS and register a new bundle.") % {"found": found},
        _not_run(params.get("not_run", ())),
    )


def _standards_none(params: Params, say: _Say) -> str:
    return _(
        "No check of DSS applies to this bundle. Ask an administrator of DSS for project standards of the project, and "
        "register a new bundle."
    )


def _standards_not_run(params: Params, say: _Say) -> str:
    return _("%(checks)s could not be run by DSS. Repair that in DSS and register a new bundle.") % {
        "checks": _and(params["not_run"])
    }


def _govern_approved(params: Params, say: _Say) -> str:
    return _("Govern said on %(when)s that it is approved.") % {"when": when(params["at"])}


def _govern_not_approved(params: Params, say: _Say) -> str:
    return _(
        "Govern said on %(when)s: %(states)s. Ask for the approval in Govern, then collect it again."
    ) % {
        "when": when(params["at"]),
        "states": _govern_states(params),
    }


def _govern_unclear(params: Params, say: _Say) -> str:
    if not params["signoffs"]:
        return _(
            "Govern holds no such sign-off of this bundle. Ask for one in Govern, then collect it again."
        )
    return _("Govern said on %(when)s: %(states)s, which is not understood here. Read it in Govern.") % {
        "when": when(params["at"]),
        "states": _govern_states(params),
    }


def _govern_unknown(params: Params, say: _Say) -> str:
    return _("Govern could not be asked on %(when)s: %(why)s. Collect it again.") % {
        "when": when(params["at"]),
        "why": params["why"].rstrip("."),
    }


def _govern_states(params: Params) -> str:
    return _and(
        _("step %(step)s is %(status)s")
        % {"step": one["step"], "status": str(one["status"]).replace("_", " ").lower() or _("unknown")}
        for one in params["signoffs"]
    )


# --- change ticket and window ---


def _ticket_given(params: Params, say: _Say) -> str:
    return _("The request carries %(ticket)s.") % {"ticket": params["ticket"]}


def _ticket_missing(params: Params, say: _Say) -> str:
    return _(
        "The request carries no change ticket. Add one like %(pattern)s to the request; whoever may ask for promotions "
        "can."
    ) % {"pattern": params["pattern"]}


def _ticket_other(params: Params, say: _Say) -> str:
    return _(
        "The request carries %(ticket)s, and the policy asks for one like %(pattern)s. Change the ticket on the "
        "request; whoever may ask for promotions can."
    ) % {"ticket": params["ticket"], "pattern": params["pattern"]}


def _ticket_unreadable(params: Params, say: _Say) -> str:
    return _(
        "This version of the portal cannot read the pattern %(pattern)s. Publish a policy with a simpler one."
    ) % {"pattern": params["pattern"]}


def _window_open(params: Params, say: _Say) -> str:
    if params["until"] is None:
        return _("The window is always open.")
    return _("The window is open until %(until)s.") % {"until": _there(params["until"], params["zone"])}


def _window_closed(params: Params, say: _Say) -> str:
    if params["opens"] is None:
        return _("The window never opens. Publish a policy with other hours.")
    return _("The window is closed. Wait until it opens on %(opens)s.") % {
        "opens": _there(params["opens"], params["zone"])
    }


def _window_unreadable(params: Params, say: _Say) -> str:
    return _(
        "This machine does not know the time zone %(zone)s. Ask an administrator to update it, or publish a policy "
        "with another."
    ) % {"zone": params["zone"]}


def _there(at: str, zone: str) -> str:
    """An instant by the clocks of a zone: `Monday 7 December 2026, 09:00 (Europe/Paris)`."""
    moment = parse_instant(at).astimezone(ZoneInfo(zone))
    day = _day(DAYS[moment.weekday()])
    return f"{day} {moment.day} {_month(moment.month)} {moment.year}, {moment:%H:%M} ({zone})"


def _day(name: str) -> str:
    return {
        "mon": _("Monday"),
        "tue": _("Tuesday"),
        "wed": _("Wednesday"),
        "thu": _("Thursday"),
        "fri": _("Friday"),
        "sat": _("Saturday"),
        "sun": _("Sunday"),
    }[name]


def _kind_unknown(params: Params, say: _Say) -> str:
    return _(
        "This version of the portal does not know the requirement kind %(kind)s. Publish a policy without it, or "
        "update the portal."
    ) % {"kind": params["kind"]}


def _not_recorded(params: Params, say: _Say) -> str:
    if params.get("what") == "ticket":
        return _(
            "Whether there was a change ticket was not written down, because the policy of that day did not ask for "
            "one."
        )
    if params.get("what") == "live":
        return _explained(params, say)
    return _(
        "Who could sign %(role)s then was not written down, because the policy of that day did not ask for it."
    ) % {"role": _topic(params["role"])}


# --- waivers ---


def waiver_meaning(title: str, *, project: str, bundle: str, stage: str, until: str) -> str:
    """What granting a waiver says, in the words that are signed. Never translated, as `meaning`."""
    return (
        f"I have read what was found of bundle {bundle} of {project} for the stage {stage} and the reason given for "
        f"going on. I waive the requirement “{title}” for exactly these parts and this finding until {until}."
    )


def waiver_does_not_count(entry: Params, names: Names) -> str:
    """Why a waiver does not count, of the `waiver` in a finding's parameters."""
    return _waiver_not_counted(entry, _Say(names, stage_name))


def not_independent(why: str, until: str = "", whom: str = "") -> str:
    """Why somebody cannot waive, to them; `whom`: by whom they were lately let in, where it is that person."""
    if whom:
        return _(
            "You lately got a new way to sign in from %(whom)s, who %(reason)s, so you would not decide independently."
            " Somebody else with the right to waive has to."
        ) % {"whom": whom, "reason": _reason(why)}
    if until:
        return _("You %(reason)s, so you cannot waive anything here until %(until)s.") % {
            "reason": _reason(why),
            "until": when(until),
        }
    return _(
        "You %(reason)s, so you would not decide independently. Somebody else with the right to waive has to."
    ) % {"reason": _reason(why)}


def _waived(params: Params, say: _Say) -> str:
    was = params["was"]
    return _join(
        _("%(person)s waived it on %(when)s, until %(until)s; %(asker)s asked for it.")
        % {
            "person": say.names(params["person"]),
            "when": when(params["at"]),
            "until": when(params["until"]),
            "asker": _asker(params, say),
        },
        _("What was found: %(found)s")
        % {"found": sentence(was["code"], was["params"], say.names, say.stages)},
    )


def _asker(entry: Params, say: _Say) -> str:
    if not entry.get("asked_for"):
        return say.names(entry["asked_by"])
    return _("%(person)s for %(other)s") % {
        "person": say.names(entry["asked_by"]),
        "other": say.names(entry["asked_for"]),
    }


def _waiver_not_counted(entry: Params, say: _Say) -> str:
    values = {"person": say.names(entry["person"]), "until": when(entry["until"])}
    why = entry["why"]
    if why == waivers.Why.WITHDRAWN:
        return _("%(person)s had waived it, and took that back.") % values
    if why == waivers.Why.EXPIRED:
        return (
            _("%(person)s had waived it until %(until)s, which is over. Ask anew if it still has to be.")
            % values
        )
    if why == waivers.Why.RIGHT_LOST:
        return _("%(person)s had waived it, but may not waive anything here any more.") % values
    if why == waivers.Why.NEVER:
        return _("%(person)s had waived it, but the policy lets nobody waive this.") % values
    if why == waivers.Why.DIFFERS:
        return _("The waiver of %(person)s does not count: %(reasons)s.") % {
            **values,
            "reasons": _and(_waived_otherwise(entry["differs"])),
        }
    said = {
        **values,
        "whom": say.names(entry["whom"]) if "whom" in entry else "",
        "reason": _reason(entry["barred"]),
        "until": when(entry["barred_until"]) if "barred_until" in entry else "",
    }
    if "let_in" in entry:
        return (
            _(
                "The waiver of %(person)s does not count: they had lately got a new way to sign in from %(whom)s, who"
                " %(reason)s."
            )
            % said
        )
    if "barred_until" in entry:
        return _("The waiver of %(person)s does not count until %(until)s: %(person)s %(reason)s.") % said
    return _("The waiver of %(person)s does not count: %(person)s %(reason)s.") % said


def _waived_otherwise(differs: Sequence[Params]) -> list[str]:
    reasons = []
    parts = [held["part"] for held in differs if held["field"] == "part"]
    if parts:
        reasons.append(
            ngettext("the part %(parts)s changed", "the parts %(parts)s changed", len(parts))
            % {"parts": _and(parts)}
        )
    for held in differs:
        if held["field"] == "lane":
            reasons.append(_("it was given for another project or stage"))
        elif held["field"] == "clause":
            reasons.append(_("the policy now asks something else here"))
        elif held["field"] == "finding":
            reasons.append(_("what was waived is not what is found now"))
    return reasons


_SENTENCES: dict[Code, Callable[[Params, _Say], str]] = {
    Code.DOCUMENT_CURRENT: _document_current,
    Code.DOCUMENT_EXPIRED: _document_expired,
    Code.DOCUMENT_MISSING: _document_missing,
    Code.DOCUMENT_OTHER_PARTS: _document_other_parts,
    Code.DOCUMENT_SECTIONS_MISSING: _document_sections,
    Code.DOCUMENT_SECTIONS_UNTOLD: _document_untold,
    Code.EVIDENCE_BROUGHT: _evidence_brought,
    Code.EVIDENCE_EXPIRED: _evidence_expired,
    Code.EVIDENCE_MISSING: _evidence_missing,
    Code.EVIDENCE_OTHER_PARTS: _evidence_other_parts,
    Code.EVIDENCE_UNREADABLE: _evidence_unreadable,
    Code.EXPLAINABILITY_CLEAR: _explainability_clear,
    Code.EXPLAINABILITY_DRIFTED: _explained,
    Code.EXPLAINABILITY_DRIFT_UNCLEAR: _explained,
    Code.EXPLAINABILITY_EMPTY: _explainability_empty,
    Code.EXPLAINABILITY_FORBIDDEN: _explainability_forbidden,
    Code.EXTERNAL_FAILED: _external_failed,
    Code.EXTERNAL_PASSED: _external_passed,
    Code.EXPLAINABILITY_PROXY: _explained,
    Code.EXPLAINABILITY_PROXY_UNCLEAR: _explained,
    Code.FAIRNESS_HOLDS: _fairness,
    Code.FAIRNESS_NOT_COUNTED: _fairness,
    Code.FAIRNESS_UNCLEAR: _fairness,
    Code.FAIRNESS_VIOLATED: _fairness,
    Code.GOVERN_APPROVED: _govern_approved,
    Code.GOVERN_NOT_APPROVED: _govern_not_approved,
    Code.GOVERN_UNCLEAR: _govern_unclear,
    Code.GOVERN_UNKNOWN: _govern_unknown,
    Code.KIND_UNKNOWN: _kind_unknown,
    Code.NOT_RECORDED: _not_recorded,
    Code.PROJECT_SOUND: _project,
    Code.PROJECT_UNSOUND: _project,
    Code.PROJECT_UNTOLD: _project,
    Code.SIGN_OFF_ASKED_AGAIN: _asked_again,
    Code.SIGN_OFF_CHANGES_REQUESTED: _changes_requested,
    Code.SIGN_OFF_GIVEN: _given,
    Code.SIGN_OFF_MISSING: _missing,
    Code.SIGN_OFF_NOBODY: _nobody,
    Code.SIGN_OFF_REJECTED: _rejected,
    Code.SOAK_COMPLETE: _soak_complete,
    Code.SOAK_CUT_SHORT: _soak_cut_short,
    Code.SOAK_NEVER: _soak_never,
    Code.SOAK_RUNNING: _soak_running,
    Code.STANDARDS_BROKEN: _standards_broken,
    Code.STANDARDS_KEPT: _standards_kept,
    Code.STANDARDS_NONE: _standards_none,
    Code.STANDARDS_NOT_RUN: _standards_not_run,
    Code.TESTS_FAILED: _tests_failed,
    Code.TESTS_NONE: _tests_none,
    Code.TESTS_NOT_RUN: _tests_not_run,
    Code.TESTS_PASSED: _tests_passed,
    Code.TESTS_RATE: _tests_rate,
    Code.TESTS_REQUIRED: _tests_required,
    Code.TICKET_GIVEN: _ticket_given,
    Code.TICKET_MISSING: _ticket_missing,
    Code.TICKET_OTHER: _ticket_other,
    Code.TICKET_UNREADABLE: _ticket_unreadable,
    Code.WINDOW_CLOSED: _window_closed,
    Code.WINDOW_OPEN: _window_open,
    Code.WINDOW_UNREADABLE: _window_unreadable,
    Code.WAIVED: _waived,
}


# --- words ---


def when(at: str) -> str:
    """An instant as people read it: `3 November 2026, 14:05 UTC`."""
    moment: datetime = parse_instant(at)
    return f"{moment.day} {_month(moment.month)} {moment.year}, {moment:%H:%M} UTC"


# Of these one is said, and all would be looked up: a page says thousands.
_MONTHS = (
    gettext_lazy("January"),
    gettext_lazy("February"),
    gettext_lazy("March"),
    gettext_lazy("April"),
    gettext_lazy("May"),
    gettext_lazy("June"),
    gettext_lazy("July"),
    gettext_lazy("August"),
    gettext_lazy("September"),
    gettext_lazy("October"),
    gettext_lazy("November"),
    gettext_lazy("December"),
)


def _month(number: int) -> str:
    return str(_MONTHS[number - 1])


def _span(count: int, unit: str) -> str:
    text = {
        "day": ngettext("%(n)s day", "%(n)s days", count),
        "hour": ngettext("%(n)s hour", "%(n)s hours", count),
        "minute": ngettext("%(n)s minute", "%(n)s minutes", count),
        "second": ngettext("%(n)s second", "%(n)s seconds", count),
    }[unit]
    return text % {"n": count}


def _count(n: int) -> str:
    words = (
        _("none"), _("one"), _("two"), _("three"), _("four"), _("five"), _("six"), _("seven"), _("eight"), _("nine"),
        _("ten"),
    )  # fmt: skip
    return words[n] if 0 <= n < len(words) else str(n)


def _topic(role: str) -> str:
    return role.replace("-", " ").replace("_", " ")


def column_name(name: str | Sequence[str]) -> str:
    """A column as prose: `age_band` is age band; several that are crossed are gender × age band."""
    return " × ".join([name] if isinstance(name, str) else name).replace("_", " ")


def _label(role: str) -> str:
    return _capital(_topic(role))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _and(words: Iterable[str]) -> str:
    return _series(words, _("%(first)s and %(last)s"))


def _or(words: Iterable[str]) -> str:
    return _series(words, _("%(first)s or %(last)s"))


def _series(words: Iterable[str], joint: str) -> str:
    printed = [str(word) for word in words]
    if len(printed) < 2:
        return "".join(printed)
    return joint % {"first": ", ".join(printed[:-1]), "last": printed[-1]}


def _join(*texts: str) -> str:
    return " ".join(text for text in texts if text)
