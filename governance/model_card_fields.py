"""The fields of a model card, as Annex IV of the EU AI Act lists them: the one place that names them.

Source: Regulation (EU) 2024/1689 of 13 June 2024 (OJ L, 2024/1689, 12.7.2024), Annex IV, "Technical documentation
referred to in Article 11(1)", points 1 to 9. The headings and questions are ours; `annex` is the point that each is
about. Filling them in is no claim that a system conforms to anything.
"""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

SOURCE = "Regulation (EU) 2024/1689, Annex IV"


@dataclass(frozen=True, slots=True)
class Field:
    """One section of the card: `key` names it in forms and over the API, `heading` in the text, which is English."""

    key: str
    heading: str
    annex: str
    asks: Any


FIELDS = (
    Field(
        "intended-purpose",
        "Intended purpose",
        "1(a)",
        _("What is it for, whom does it concern, and what is it not for? Who provides it?"),
    ),
    Field(
        "version",
        "Version and earlier versions",
        "1(a)",
        _("Which version is this, and how does it relate to those before it?"),
    ),
    Field(
        "interaction",
        "Interaction with other systems",
        "1(b)",
        _("Which systems give it data, and which use what it answers?"),
    ),
    Field(
        "software",
        "Software versions",
        "1(c)",
        _("Which software and versions does it need, and what has to be kept up to date?"),
    ),
    Field(
        "forms-of-delivery",
        "Forms in which it is put into service",
        "1(d)",
        _("How is it used: in batches, as a service, inside another product?"),
    ),
    Field("hardware", "Hardware", "1(e)", _("On what is it meant to run?")),
    Field(
        "product",
        "Product it is a component of",
        "1(f)",
        _("If it is part of a product: which, and where do its drawings stand? Else say that it is not."),
    ),
    Field(
        "user-interface",
        "User interface and instructions for use",
        "1(g), 1(h)",
        _("What do those who use it see, and where are their instructions?"),
    ),
    Field(
        "development",
        "Development process",
        "2(a)",
        _(
            "By which methods and steps was it made? Were pre-trained systems or tools of others used, and how?"
        ),
    ),
    Field(
        "design",
        "Design and general logic",
        "2(b)",
        _(
            "What kind of model is it, what does it optimise, which features matter, what was assumed and traded off?"
        ),
    ),
    Field(
        "architecture",
        "Architecture and computing resources",
        "2(c)",
        _("Which parts build on each other, and what did it take to develop, train and test it?"),
    ),
    Field(
        "data",
        "Data",
        "2(d)",
        _(
            "Which data was it trained and tested on: where from, how chosen, labelled and cleaned, what is in it?"
        ),
    ),
    Field(
        "human-oversight",
        "Human oversight",
        "2(e)",
        _(
            "Who watches it, what can they see of why it answers as it does, and how do they overrule or stop it?"
        ),
    ),
    Field(
        "planned-changes",
        "Changes planned in advance",
        "2(f)",
        _(
            "Which changes of it and of its performance were foreseen, and what keeps it in order through them?"
        ),
    ),
    Field(
        "validation",
        "Validation and testing",
        "2(g)",
        _("How was it tested, on which data, with which results, also for groups of people?"),
    ),
    Field(
        "cybersecurity",
        "Cybersecurity",
        "2(h)",
        _("What protects it: from others' access, from changed data, from crafted input?"),
    ),
    Field(
        "performance",
        "Capabilities, limits and accuracy",
        "3",
        _("How accurate is it, in all and for the groups it concerns, and where does it fail?"),
    ),
    Field(
        "risks",
        "Foreseeable unintended outcomes and risks",
        "3",
        _("What could go wrong for health, safety, fundamental rights, or by discrimination?"),
    ),
    Field(
        "input-data",
        "Specifications of the input data",
        "3",
        _("What has to be true of the data it is given?"),
    ),
    Field(
        "metrics",
        "Appropriateness of the metrics",
        "4",
        _("Why are these the right measures for what it is used for?"),
    ),
    Field(
        "risk-management",
        "Risk management system",
        "5",
        _("How are risks found, judged and reduced over its life (Article 9)?"),
    ),
    Field(
        "lifecycle-changes",
        "Changes through its lifecycle",
        "6",
        _("What did its provider change, when, and why?"),
    ),
    Field(
        "standards",
        "Standards applied",
        "7",
        _("Which harmonised standards were applied, in full or in part, or what was done instead?"),
    ),
    Field(
        "declaration",
        "EU declaration of conformity",
        "8",
        _("Where does the copy of the declaration stand (Article 47)? If there is none, say so."),
    ),
    Field(
        "post-market-monitoring",
        "Post-market monitoring",
        "9",
        _("How is its performance watched once it is used, and where is the plan (Article 72)?"),
    ),
)
BY_KEY = {field.key: field for field in FIELDS}
