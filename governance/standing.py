"""Where projects stand: the tier that their answers lead to, beside the tier in force. Reads; changes nothing."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from governance.materiality import Materiality
from governance.models import MaterialityAnswer, PolicyVersion
from governance.newest import newest
from governance.policy import PolicyDocument
from governance.queries import newest_version, parsed, policy_of
from portal.errors import Refused
from portal.models import Project

MOST_MOVED = 50


@dataclass(frozen=True, slots=True)
class Standing:
    """What a project's policy asks about materiality (None: nothing), what was answered last, and where that leads.

    `leads_to` is empty without answers, or where the policy in force does not know them any more.
    """

    tier: str
    table: Materiality | None
    answer: MaterialityAnswer | None
    leads_to: str = ""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The table as it is shown: for each purpose the tier by exposure, `here` where the answers are."""
        if self.table is None:
            return []
        said = (self.answer.exposure, self.answer.purpose) if self.answer else None
        return [
            {
                "purpose": text,
                "cells": [
                    {
                        "exposure": words,
                        "tier": self.table.tiers[purpose][one],
                        "here": said == (one, purpose),
                    }
                    for one, words in self.table.exposure.answers.items()
                ],
            }
            for purpose, text in self.table.purpose.answers.items()
        ]

    @property
    def is_below(self) -> bool:
        """Whether the tier in force is less strict than the one the answers lead to."""
        return bool(self.table and self.leads_to and self.table.is_below(self.tier, self.leads_to))

    @property
    def is_unanswered(self) -> bool:
        """Whether the policy asks and nothing that it knows was answered."""
        return self.table is not None and not self.leads_to

    @property
    def sentence(self) -> str:
        """What somebody should know about it; empty where all is well."""
        if self.is_below:
            return _(
                "It is in tier %(tier)s, and what was answered about its materiality leads to %(other)s, which is"
                " stricter. Two administrators who do not own it can change that."
            ) % {"tier": self.tier, "other": self.leads_to}
        if self.is_unanswered and self.answer is not None:
            return _(
                "The policy asks other questions about materiality since it was answered. An owner can answer again."
            )
        if self.is_unanswered:
            return _("Nobody has answered yet how much hangs on it. An owner can.")
        return ""


@dataclass(frozen=True, slots=True)
class Moved:
    """A project that a draft's table leads to another tier than the one in force does; empty where that is none."""

    key: str
    name: str
    tier: str
    was: str
    now: str

    @property
    def sentence(self) -> str:
        """The same in words."""
        said = {"name": f"{self.name} ({self.key})", "was": self.was, "now": self.now, "tier": self.tier}
        if not self.was:
            return _("%(name)s: its answers would lead to %(now)s; it is in %(tier)s.") % said
        if not self.now:
            return (
                _(
                    "%(name)s: its answers, which lead to %(was)s, would not be known; it has to be answered again."
                )
                % said
            )
        return _("%(name)s: its answers would lead to %(now)s, not to %(was)s; it is in %(tier)s.") % said


def standing_of(project: Project) -> Standing:
    """Where a project stands; two queries."""
    version = newest_version(project.policy)
    table = parsed(version.source).materiality if version else None
    answer = None
    if table is not None:
        answer = MaterialityAnswer.objects.filter(project=project).select_related("answered_by").first()
    found = table.leads_to(answer.exposure, answer.purpose) if table and answer else None
    return Standing(project.tier, table, answer, found or "")


def check_asked(project: Project) -> tuple[PolicyVersion, Materiality]:
    """The version in force of the project's policy with what it asks; raises Refused where it asks nothing."""
    version = policy_of(project)
    table = parsed(version.source).materiality
    if table is None:
        raise Refused(
            _("Policy “%(name)s” asks nothing about materiality, so there is nothing to answer.")
            % {"name": version.name},
            code="materiality_not_asked",
        )
    return version, table


def moved_by(document: PolicyDocument) -> tuple[list[Moved], int]:
    """The projects that a draft would lead to another tier, at most MOST_MOVED of them by key, and how many in all."""
    version = newest_version(document.name)
    before = parsed(version.source).materiality if version else None
    after = document.materiality
    if before == after:
        return [], 0
    rows = newest(
        MaterialityAnswer.objects.filter(project__policy=document.name).select_related("project"),
        "version",
        "project",
    ).order_by("project__key")
    moved = []
    row: MaterialityAnswer
    for row in rows:
        was, now = (
            (table.leads_to(row.exposure, row.purpose) or "") if table else "" for table in (before, after)
        )
        if was != now:
            moved.append(Moved(row.project.key, row.project.name, row.project.tier, was, now))
    return moved[:MOST_MOVED], len(moved)
