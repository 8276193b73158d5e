"""The estate as a document: DSS nodes, and pipelines with their stages and places, to be kept in Git.

A document states the whole estate: what it leaves out is to be removed. Its shape is portal/estate.schema.json,
explained in docs/estate.md; secrets have no place in it, only the names of keys. Bringing the estate to a document is
portal/actions/landscape.py's.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import Node as YamlNode

from portal.marked import Language, Path_, Problem, Unreadable, at, find, listed
from portal.models import Node, Pipeline

SCHEMA: dict[str, Any] = json.loads(Path(__file__).with_name("estate.schema.json").read_text("utf-8"))
Document = dict[str, Any]


class EstateError(Unreadable):
    """A document of the estate that cannot be used; `problems` holds every one found."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("estate", problems)


LANGUAGE = Language(
    noun="estate",
    schema=SCHEMA,
    begin="Begin with `nodes:` and `pipelines:`.",
    manual="docs/estate.md",
    error=EstateError,
    max_bytes=1024 * 1024,
    patterns={
        "^[A-Za-z0-9_-]{1,50}$": "Use letters, digits, “-” and “_”, at most 50.",
        "^[A-Za-z0-9_.-]{1,100}$": "Use letters, digits, “_”, “.” and “-”, at most 100.",
    },
    hints={
        "key_name": " with the name of the API key, never the key",
        "kind": " with design, deployer, automation, api or govern",
        "stages": " with the stages in their order",
        "places": " with where the stage runs",
        "infra_id": " with the id of the Deployer's infrastructure",
    },
)


def read(text: str | bytes) -> Document:
    """The document a YAML text states, with defaults filled in; raises EstateError with every problem found."""
    value, root = LANGUAGE.read(text)
    LANGUAGE.check(list(_contradictions(value, root)))
    return normal(value)


def current() -> Document:
    """The estate as it is, in the shape of a document; five queries."""
    pipelines = Pipeline.objects.select_related("team").prefetch_related(
        "stages__places__deployer", "stages__places__automation"
    )
    return {
        "nodes": {
            node.slug: {
                "name": node.name,
                "kind": node.kind,
                "url": node.url,
                "key_name": node.key_name,
                "verify_tls": node.verify_tls,
            }
            for node in Node.objects.order_by("slug")
        },
        "pipelines": {one.slug: described(one) for one in pipelines.order_by("slug")},
    }


def described(pipeline: Pipeline) -> Document:
    """A pipeline as a document says it."""
    stages = sorted(pipeline.stages.all(), key=lambda stage: stage.position)
    return {
        "name": pipeline.name,
        "team": pipeline.team.slug if pipeline.team else None,
        "stages": [
            {
                "stage": stage.slug,
                "name": stage.name,
                "places": [
                    {
                        "place": place.slug,
                        "deployer": place.deployer.slug,
                        "infra_id": place.infra_id,
                        "automation": place.automation.slug,
                    }
                    for place in sorted(stage.places.all(), key=lambda place: place.slug)
                ],
            }
            for stage in stages
        ],
    }


def written(document: Document) -> str:
    """The document as YAML: `read` gives back the same."""
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return text


def differences(old: Document, new: Document) -> list[str]:
    """What it takes to come from one document to another, a line each; empty where they say the same."""
    return [
        *_compared("node", old["nodes"], new["nodes"]),
        *_compared("pipeline", old["pipelines"], new["pipelines"]),
    ]


def _compared(noun: str, old: Document, new: Document) -> Iterator[str]:
    for slug in [*old, *(slug for slug in new if slug not in old)]:
        if slug not in new:
            yield f"remove {noun} {slug}"
        elif slug not in old:
            yield f"add {noun} {slug}: {_said(new[slug])}"
        else:
            for field in new[slug]:
                before, after = old[slug].get(field), new[slug][field]
                if before != after:
                    yield f"change {noun} {slug}: {field} from {_said(before)} to {_said(after)}"


def _said(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def normal(value: Document) -> Document:
    """With defaults, and places in the order of their names: equal estates are equal values."""
    return {
        "nodes": {
            slug: {
                "name": node["name"],
                "kind": node["kind"],
                "url": node["url"].rstrip("/"),
                "key_name": node["key_name"],
                "verify_tls": node.get("verify_tls", True),
            }
            for slug, node in sorted(value["nodes"].items())
        },
        "pipelines": {
            slug: {
                "name": pipeline["name"],
                "team": pipeline.get("team"),
                "stages": [
                    {
                        "stage": stage["stage"],
                        "name": stage["name"],
                        "places": sorted(
                            (
                                {key: place[key] for key in ("place", "deployer", "infra_id", "automation")}
                                for place in stage["places"]
                            ),
                            key=lambda place: place["place"],
                        ),
                    }
                    for stage in pipeline["stages"]
                ],
            }
            for slug, pipeline in sorted(value["pipelines"].items())
        },
    }


def _contradictions(value: Document, root: YamlNode) -> Iterator[Problem]:
    """What the schema cannot see: names given twice, nodes that are not there or of another kind."""
    for slug, pipeline in value["pipelines"].items():
        path: Path_ = ("pipelines", slug, "stages")
        yield from _twice(pipeline["stages"], "stage", path, root)
        for number, stage in enumerate(pipeline["stages"]):
            inner: Path_ = (*path, number, "places")
            yield from _twice(stage["places"], "place", inner, root)
            for position, place in enumerate(stage["places"]):
                for role, kinds in (("deployer", ("deployer", "design")), ("automation", ("automation",))):
                    yield from _node(value, place[role], kinds, (*inner, position, role), root)


def _twice(found: list[Any], name: str, path: Path_, root: YamlNode) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, one in enumerate(found):
        if one[name] in seen:
            spot: Path_ = (*path, number, name)
            yield at(find(root, spot), spot, f"The {name} “{one[name]}” is named twice.", "Keep one of them.")
        seen.add(one[name])


def _node(
    value: Document, slug: str, kinds: tuple[str, ...], path: Path_, root: YamlNode
) -> Iterator[Problem]:
    node = value["nodes"].get(slug)
    known = [name for name, one in value["nodes"].items() if one["kind"] in kinds]
    remedy = f"Use {listed(known, 'or')}." if known else f"Add a node of kind {kinds[0]}."
    if node is None:
        yield at(find(root, path), path, f"There is no node “{slug}” in this document.", remedy)
    elif node["kind"] not in kinds:
        yield at(find(root, path), path, f"“{slug}” is of kind {node['kind']}.", remedy)
