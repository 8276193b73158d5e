"""What became of the models between two bundles, in as many words as the archive gives.

Which files a bundle holds of a model is UNCONFIRMED for real nodes: a version's folder is named
`saved_models/ID/versions/V`, with or without `project_config/` before it, the model's own definition names the active
version, and one of two files of that names the features. What cannot be read is left out of the sentence.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from portal.canonical import NotCanonical, loads_strict
from portal.dss.manifest import Manifest, Member, Texts
from portal.dss.texts import keepable

# The text of a member by its digest, where it was kept.
Text = Callable[[str], bytes | None]
What = Literal["new", "gone", "retrained", "settings"]

_MEMBER = re.compile(
    r"(?:project_config/)?saved_models/(?P<model>[^/]+?)(?:\.json|/versions/(?P<version>[^/]+)/(?P<file>.+)|/.+)"
)
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class ModelChange:
    """What became of one model. `name`: as people call it; features: how many the active version has, None where that
    is not told."""

    model: str
    name: str
    what: What
    features: int | None = None
    features_before: int | None = None


@dataclass(frozen=True, slots=True)
class _Model:
    """A model of a bundle: its name, and the active version (as far as it is told) with its files by their names."""

    name: str
    version: str
    files: dict[str, str]
    definition: str

    def features(self, text: Text) -> int | None:
        """How many columns the active version learnt from."""
        params = _json(text, self.files.get("rpreprocessing_params.json"))
        per_feature = params.get("per_feature") if isinstance(params, dict) else None
        if isinstance(per_feature, dict):
            roles = [one.get("role") for one in per_feature.values() if isinstance(one, dict)]
            return len([role for role in roles if role == "INPUT"])
        params = _json(text, self.files.get("core_params.json"))
        inputs = params.get("inputs") if isinstance(params, dict) else None
        return len(inputs) if isinstance(inputs, list) else None


def wanted(manifest: Manifest) -> list[str]:
    """The digests of the members whose texts tell of models; no more than are kept of a bundle."""
    return [
        member.digest
        for member in manifest.members
        if (found := _MEMBER.fullmatch(member.path))
        and (found["version"] is None or found["file"] in ("core_params.json", "rpreprocessing_params.json"))
        and member.path.endswith(".json")
    ][: Texts.MOST]


def model_changes(old: Manifest, new: Manifest, text: Text) -> list[ModelChange]:
    """The models that differ between two bundles, by their names."""
    before, after = _models(old.members, text), _models(new.members, text)
    found: list[ModelChange] = []
    for model in sorted({*before, *after}):
        was, now = before.get(model), after.get(model)
        if now is None:
            assert was is not None
            found.append(ModelChange(model, was.name, "gone", features_before=was.features(text)))
        elif was is None:
            found.append(ModelChange(model, now.name, "new", now.features(text)))
        elif (was.version, was.files) != (now.version, now.files):
            found.append(ModelChange(model, now.name, "retrained", now.features(text), was.features(text)))
        elif was.definition != now.definition:
            found.append(ModelChange(model, now.name, "settings"))
    return found


def _models(members: Iterable[Member], text: Text) -> dict[str, _Model]:
    versions: dict[str, dict[str, dict[str, str]]] = {}
    definitions: dict[str, str] = {}
    for member in members:
        told = _MEMBER.fullmatch(member.path)
        if told is None:
            continue
        files = versions.setdefault(told["model"], {})
        if told["version"] is not None:
            files.setdefault(told["version"], {})[told["file"]] = member.digest
        elif member.path.endswith(f"/{told['model']}.json"):
            definitions[told["model"]] = member.digest
    found: dict[str, _Model] = {}
    for model, files in versions.items():
        told_of = _json(text, definitions.get(model))
        settings: dict[str, Any] = told_of if isinstance(told_of, dict) else {}
        active = settings.get("activeVersion")
        # Without a word on it the newest: versions are named by the instant of their training.
        version = active if isinstance(active, str) and active in files else max(files, default="")
        name = settings.get("name")
        called = keepable(name)[:LONGEST_NAME].strip() if isinstance(name, str) else ""
        found[model] = _Model(called or model, version, files.get(version, {}), definitions.get(model, ""))
    return found


def _json(text: Text, digest: str | None) -> Any:
    body = text(digest) if digest else None
    if body is None:
        return None
    try:
        return loads_strict(body)
    except NotCanonical:
        return None
