"""What the next version of a policy would change, in words, a line for each thing. Decides nothing."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from governance.facts import PARTS, Clause
from governance.materiality import Materiality
from governance.policy import PolicyDocument, Smoke, StageRules
from governance.sentences import (
    column_name,
    drift_limits,
    duration,
    metric_name,
    proxy_limit,
    recipe_limits,
    title,
)
from governance.window import day_names


def differences(old: PolicyDocument | None, new: PolicyDocument) -> list[str]:
    """Each difference as one sentence, tiers and stages in the order of the new text, what is gone last.

    Of a first version, everything it asks. Empty where both say the same.
    """
    before = {} if old is None else old.tiers
    said: list[str] = []
    if old is not None and old.title != new.title:
        said.append(_("Its title is now “%(title)s”.") % {"title": new.title})
    if old is not None and old.smoke != new.smoke:
        said.append(_("Where a stage names no other: %(smoke)s") % {"smoke": _smoke(new.smoke)})
    said += _materiality(None if old is None else old.materiality, new.materiality)
    for name, tier in new.tiers.items():
        if name not in before:
            said.append(_("New: tier %(tier)s.") % {"tier": name})
        elif before[name].title != tier.title:
            said.append(
                _("Tier %(tier)s: its title is now “%(title)s”.") % {"tier": name, "title": tier.title}
            )
        stages = before[name].stages if name in before else {}
        for stage, rules in tier.stages.items():
            where = _("Tier %(tier)s, stage %(stage)s") % {"tier": name, "stage": stage}
            said += [f"{where}: {one}" for one in of_stage(stages.get(stage), rules)]
        said += [
            _("Tier %(tier)s, stage %(stage)s: not named any more, so every request for it would be refused.")
            % {"tier": name, "stage": stage}
            for stage in stages
            if stage not in tier.stages
        ]
    said += [
        _("Tier %(tier)s: not there any more, so every request in it would be refused.") % {"tier": name}
        for name in before
        if name not in new.tiers
    ]
    return said


def _materiality(old: Materiality | None, new: Materiality | None) -> Iterator[str]:
    """What changes in how answers lead to tiers; of a first table, where each pair leads."""
    if old == new:
        return
    if new is None:
        yield _("Materiality: answers of owners lead to no tier any more.")
        return
    for name, was, now in (
        (_("exposure"), old.exposure if old else None, new.exposure),
        (_("purpose"), old.purpose if old else None, new.purpose),
    ):
        if was != now:
            yield _("Materiality: about the %(name)s it asks “%(question)s” (%(answers)s).") % {
                "name": name,
                "question": now.text,
                "answers": "; ".join(f"{key}: {text}" for key, text in now.answers.items()),
            }
    for purpose, row in new.tiers.items():
        for exposure, tier in row.items():
            was_tier = old.leads_to(exposure, purpose) if old else None
            if was_tier == tier:
                continue
            pair = {"purpose": purpose, "exposure": exposure, "tier": tier, "was": was_tier}
            yield (
                _("Materiality: purpose %(purpose)s with exposure %(exposure)s leads to %(tier)s.")
                if was_tier is None
                else _(
                    "Materiality: purpose %(purpose)s with exposure %(exposure)s leads to %(tier)s, was %(was)s."
                )
            ) % pair
    if old is None or old.order != new.order:
        yield _("Materiality: from the least strict on the tiers are %(order)s.") % {
            "order": ", ".join(new.order)
        }


def of_stage(old: StageRules | None, new: StageRules) -> Iterator[str]:
    """The same of one stage; of one that was not there, everything it asks."""
    was = {} if old is None else {clause.key: clause for clause in old.requirements}
    now = {clause.key: clause for clause in new.requirements}
    if old is None and not now:
        yield _("asks for nothing.")
    for key, clause in now.items():
        if key not in was:
            yield _("asks for “%(title)s”%(detail)s.") % {"title": title(clause), "detail": _detail(clause)}
        elif was[key].digest != clause.digest:
            yield _("“%(title)s” changes: %(changes)s.%(again)s") % {
                "title": title(clause),
                "changes": "; ".join(_changed(was[key], clause)) or _("the same is put in another way"),
                "again": " " + _("It is asked again of those who signed.")
                if clause.kind == "sign_off"
                else "",
            }
    for key, clause in was.items():
        if key not in now:
            yield _("does not ask for “%(title)s” any more.") % {"title": title(clause)}
    if list(was) != list(now) and set(was) == set(now):
        yield _("asks for the same in another order.")
    if old is None or old.automation != new.automation:
        yield (
            _("a promotion starts by itself as soon as everything is met.")
            if new.by_itself
            else _("a person starts each promotion.")
        )
    if old is None or old.after != new.after:
        yield _after(new)
    if old is None or old.smoke != new.smoke:
        yield _smoke(new.smoke)


def _smoke(smoke: Smoke) -> str:
    passes = _("passes") if smoke.warning == "passes" else _("fails")
    return _("the smoke test is %(scenario)s, and its WARNING %(passes)s.") % {
        "scenario": smoke.scenario,
        "passes": passes,
    }


def _after(rules: StageRules) -> str:
    then = _("is rolled back") if rules.after.on_failure == "roll_back" else _("holds the lane for a person")
    if not rules.after.watch:
        return _("a promotion is complete once its tests passed; one that fails %(then)s.") % {"then": then}
    return _("what went live is watched for %(time)s; what fails %(then)s.") % {
        "time": duration(rules.after.watch),
        "then": then,
    }


def _detail(clause: Clause) -> str:
    """What a requirement's title leaves out, in brackets."""
    told = [
        _value(name, value)
        for name, value in clause.params.items()
        if name in ("covers", "max_age", "carry", "waive", "proxies", "drift")
        or (name == "from" and clause.kind == "evidence")
    ]
    return f" ({'; '.join(told)})" if told else ""


def _changed(old: Clause, new: Clause) -> Iterator[str]:
    names = list(dict.fromkeys((*old.params, *new.params)))
    for name in names:
        before, after = old.params.get(name), new.params.get(name)
        if before == after:
            continue
        if name == "metrics":
            yield from _metrics(before or [], after or [])
            continue
        yield _("%(now)s, was %(was)s") % {
            "now": _value(name, after) if after is not None else _none(name),
            "was": _bare(name, before) if before is not None else _without(name),
        }


def _none(name: str) -> str:
    if name == "carry":
        return _("carried to other bundles without a limit")
    if name == "waive":
        return _("waived as long as the portal allows")
    if name == "from":
        return _("taken from where such results usually come")
    return _("no %(name)s") % {"name": _name(name)}


def _without(name: str) -> str:
    if name == "waive":
        return _("as long as the portal allows")
    if name == "from":
        return _("from where such results usually come")
    return _("without a limit") if name == "carry" else _("without one")


def _metrics(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Iterator[str]:
    def keyed(metrics: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        return {
            _("%(metric)s by %(columns)s")
            % {"metric": metric_name(one["name"]), "columns": ", ".join(map(column_name, one["by"]))}: one
            for one in metrics
        }

    was, now = keyed(old), keyed(new)
    for key, metric in now.items():
        if key not in was:
            yield _("%(metric)s is asked for, %(limits)s") % {"metric": key, "limits": _limits(metric)}
        elif was[key] != metric:
            yield _("%(metric)s: %(limits)s, was %(was)s") % {
                "metric": key,
                "limits": _limits(metric),
                "was": _limits(was[key]),
            }
    for key in was:
        if key not in now:
            yield _("%(metric)s is not asked for any more") % {"metric": key}


def _limits(metric: Mapping[str, Any]) -> str:
    told = []
    if "min" in metric:
        told.append(_("at least %(value)s") % {"value": metric["min"]})
    if "max" in metric:
        told.append(_("at most %(value)s") % {"value": metric["max"]})
    told.append(_("groups from %(n)s people") % {"n": metric["min_group"]})
    return ", ".join(told)


def _name(name: str) -> str:
    return {
        "people": _("number of people"),
        "covers": _("parts covered"),
        "max_age": _("greatest age"),
        "sections": _("sections"),
        "top": _("number of features looked at"),
        "forbid": _("forbidden columns"),
        "proxies": _("proxies"),
        "drift": _("drift from what runs"),
        "at": _("stage"),
        "for": _("time"),
        "pattern": _("pattern"),
        "warning": _("a WARNING"),
        "carry": _("carried to other bundles"),
        "waive": _("waived"),
        "smoke": _("smoke test"),
        "role": _("role"),
        "from": _("taken from"),
        "pass_rate": _("share that passes"),
        "required": _("tests required by name"),
        "scenarios": _("scenarios of the bundle"),
        "recipes": _("limits of recipes"),
        "kind": _("kind"),
        "max_severity": _("gravest finding that passes"),
        "step": _("step"),
        "blueprint": _("blueprint"),
        "days": _("days"),
        "hours": _("hours"),
        "zone": _("time zone"),
    }.get(name, name.replace("_", " "))


def _value(name: str, value: Any) -> str:
    return f"{_name(name)} {_bare(name, value)}"


def _bare(name: str, value: Any) -> str:
    if name in ("max_age", "for"):
        return duration(int(value))
    if name == "carry" and isinstance(value, dict):
        limits = [_("for %(time)s") % {"time": duration(int(value["max_age"]))}] if "max_age" in value else []
        limits += [_("to the next %(n)s") % {"n": value["hops"]}] if "hops" in value else []
        return _(" and ").join(limits)
    if name == "days":
        return ", ".join(first if first == last else f"{first}-{last}" for first, last in day_names(value))
    if name == "recipes":
        return recipe_limits(value)
    if name == "from":
        return {"report": _("a test report"), "bundle": _("the bundle"), "dss": _("DSS alone")}.get(
            str(value), str(value)
        )
    if name == "waive" and isinstance(value, dict):
        return _("for at most %(time)s") % {"time": duration(int(value["at_most"]))}
    if name == "proxies":
        return proxy_limit(value)
    if name == "drift":
        return drift_limits(value)
    if name == "covers" and set(value) >= set(PARTS):
        return _("all")
    if isinstance(value, list):
        return ", ".join(map(str, value)) or _("none")
    return str(value)
