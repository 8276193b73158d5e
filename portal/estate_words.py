"""What a change of the estate does, in words for people: nodes, pipelines, stages and places, as DSS calls them.

Reads nothing.

For the preview of a file and the page of a change; the record keeps portal/estate_file.py's lines.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from portal.estate_file import Document
from portal.models import Node


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is added, changed or removed, and how, a line each."""

    verb: str
    what: str
    how: tuple[str, ...]

    @property
    def word(self) -> str:
        return {"adds": _("Adds"), "changes": _("Changes"), "removes": _("Removes")}[self.verb]

    @property
    def shape(self) -> str:
        """A shape of its own for each verb."""
        return {"adds": "check", "changes": "half", "removes": "dash"}[self.verb]

    @property
    def tone(self) -> str:
        return {"adds": "met", "changes": "doubt", "removes": "not"}[self.verb]


def told(old: Document, new: Document) -> list[Difference]:
    """What it takes to come from one document, or part of one, to another."""
    return [
        *_of_nodes(old.get("nodes", {}), new.get("nodes", {})),
        *_of_pipelines(old.get("pipelines", {}), new.get("pipelines", {})),
    ]


def told_of(wish: Any, basis: Any) -> list[Difference]:
    """The same of a change of the estate: what it wishes against what it was based on."""
    if "document" in wish:
        return told(basis, wish["document"])

    def there(some: Any) -> Document:
        return {
            nouns: {slug: said for slug, said in part.items() if said is not None}
            for nouns, part in some.items()
        }

    return told(there(basis), there(wish["part"]))


def _of_nodes(old: Document, new: Document) -> Iterator[Difference]:
    for slug in [*old, *(slug for slug in new if slug not in old)]:
        name = _("node %(name)s") % {"name": (new.get(slug) or old[slug])["name"]}
        if slug not in new:
            yield Difference("removes", name, ())
        elif slug not in old:
            yield Difference("adds", name, tuple(_fields(new[slug])))
        elif old[slug] != new[slug]:
            yield Difference("changes", name, tuple(_changed(old[slug], new[slug])))


def _fields(node: Document) -> Iterator[str]:
    """What is said of a node, a line each."""
    for field, value in node.items():
        if field != "name":
            yield f"{_label(field)}: {_value(field, value)}"


def _changed(old: Document, new: Document) -> Iterator[str]:
    for field, value in new.items():
        if old.get(field) != value:
            yield _("%(field)s: %(now)s, was %(before)s") % {
                "field": _label(field),
                "now": _value(field, value),
                "before": _value(field, old.get(field)),
            }


def _label(field: str) -> str:
    return {
        "name": _("name"),
        "kind": _("kind"),
        "url": _("address"),
        "key_name": _("name of its API key"),
        "verify_tls": _("certificate checked"),
        "team": _("team"),
        "deployer": _("Deployer"),
        "infra_id": _("infrastructure"),
        "automation": _("Automation node"),
    }.get(field, field)


def _value(field: str, value: Any) -> str:
    if field == "kind":
        return str(dict(Node.Kind.choices).get(value, value))
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return _("none") if value is None else str(value)


def _of_pipelines(old: Document, new: Document) -> Iterator[Difference]:
    for slug in [*old, *(slug for slug in new if slug not in old)]:
        name = _("pipeline %(name)s") % {"name": (new.get(slug) or old[slug])["name"]}
        if slug not in new:
            yield Difference("removes", name, ())
        elif slug not in old:
            stages = [line for stage in new[slug]["stages"] for line in _stage(stage)]
            team = [f"{_label('team')}: {new[slug]['team']}"] if new[slug].get("team") else []
            yield Difference("adds", name, (*team, *stages))
        elif old[slug] != new[slug]:
            plain = {key: value for key, value in new[slug].items() if key != "stages"}
            how = [*_changed(old[slug], plain), *_of_stages(old[slug]["stages"], new[slug]["stages"])]
            yield Difference("changes", name, tuple(how))


def _stage(stage: Document) -> Iterator[str]:
    for place in stage["places"]:
        yield _("stage %(stage)s: %(place)s") % {"stage": stage["name"], "place": _place(place)}


def _place(place: Document) -> str:
    return _(
        "place %(place)s, infrastructure %(infra)s of Deployer %(deployer)s, Automation node %(automation)s"
    ) % {
        "place": place["place"],
        "infra": place["infra_id"],
        "deployer": place["deployer"],
        "automation": place["automation"],
    }


def _of_stages(old: list[Document], new: list[Document]) -> Iterator[str]:
    before = {stage["stage"]: stage for stage in old}
    after = {stage["stage"]: stage for stage in new}
    for slug, stage in before.items():
        if slug not in after:
            yield _("stage %(stage)s goes") % {"stage": stage["name"]}
    for slug, stage in after.items():
        if slug not in before:
            yield _("stage %(stage)s is new") % {"stage": stage["name"]}
            yield from _stage(stage)
            continue
        if before[slug]["name"] != stage["name"]:
            yield _("stage %(before)s is called %(stage)s") % {
                "before": before[slug]["name"],
                "stage": stage["name"],
            }
        yield from _of_places(stage["name"], before[slug]["places"], stage["places"])
    kept = [slug for slug in before if slug in after]
    if kept != [slug for slug in after if slug in before]:
        yield _("order of the stages: %(order)s") % {"order": ", ".join(stage["name"] for stage in new)}


def _of_places(stage: str, old: list[Document], new: list[Document]) -> Iterator[str]:
    before = {place["place"]: place for place in old}
    after = {place["place"]: place for place in new}
    for slug in before:
        if slug not in after:
            yield _("stage %(stage)s: place %(place)s goes") % {"stage": stage, "place": slug}
    for slug, place in after.items():
        if slug not in before:
            yield _("stage %(stage)s: new is %(place)s") % {"stage": stage, "place": _place(place)}
        elif before[slug] != place:
            how = ", ".join(_changed(before[slug], place))
            yield _("stage %(stage)s, place %(place)s: %(how)s") % {
                "stage": stage,
                "place": slug,
                "how": how,
            }
