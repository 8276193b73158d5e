"""Parts and digests of bundles: what changes them, what does not, and that memory does not grow with the archive."""

import hashlib
import io
import json
import tempfile
import tracemalloc
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.canonical import MAX_INTEGER, NotCanonical, canonical, digest, loads_strict
from portal.dss import manifest as module
from portal.dss.manifest import (
    PARTS,
    REWRITTEN,
    HashingReader,
    Manifest,
    ManifestError,
    changed_parts,
    diff,
    manifest_from_json,
    manifest_to_json,
    part_of,
    read_manifest,
    read_members,
)

NOTHING = hashlib.sha256().hexdigest()


def stamp(number: int, who: str = "dev", at: int = 1785744000000) -> dict[str, Any]:
    """The version tag of an object, as DSS writes it."""
    return {"versionNumber": number, "lastModifiedBy": {"login": who}, "lastModifiedOn": at}


HEAD = {
    "projectKey": "CHURN",
    "bundleId": "v1",
    "exportedBy": "dev",
    "exportedOn": 1785744000000,
    "dssVersion": "14.2.0",
}
STATE: dict[str, Any] = {
    "project_config/params.json": {"settings": {"codeEnvs": {}}, "versionTag": stamp(4)},
    "project_config/variables.json": {"standard": {"threshold": 0.5}},
    "project_config/recipes/score.json": {"type": "python", "versionTag": stamp(9)},
    "project_config/recipes/score.py": "print(1)\n",
    "project_config/lib/python/rules.py": "LIMIT = 3\n",
    "project_config/datasets/scored.json": {"type": "PostgreSQL"},
    "managed_datasets/codes/data.csv": "a,b\n",
    "project_config/saved_models/m.json": {"activeVersion": "1"},
    "saved_models/m/versions/1/model.bin": "weights",
    "project_config/scenarios/TEST_A.json": {"active": True},
    "project_config/dashboards/d.json": {"tiles": []},
    "project_config/wiki/1.md": "# Hello\n",
    "project_config/brand_new_thing/x.json": {"a": 1},
}  # fmt: skip


def bundle(
    state: dict[str, Any] = STATE, head: dict[str, Any] = HEAD, indent: int | None = None
) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for path, value in {"export-manifest.json": head, **state}.items():
            body = value if isinstance(value, str | bytes) else json.dumps(value, indent=indent)
            target.writestr(path, body)
    return buffer


def manifest(state: dict[str, Any] = STATE, **head: Any) -> Manifest:
    return read_manifest(bundle(state, {**HEAD, **head}))


@pytest.mark.parametrize(
    "path, part",
    [
        ("export-manifest.json", "settings"),
        ("project_config/params.json", "settings"),
        ("project_config/variables.json", "settings"),
        ("project_config/code_envs/py.json", "settings"),
        ("project_config/lib/python/a/b.py", "flow"),
        ("project_config/recipes/r.sql", "flow"),
        ("project_config/datasets/d.json", "data"),
        ("managed_datasets/d/part-0.csv", "data"),
        ("managed_folders/f/x.bin", "data"),
        ("saved_models/m/versions/1/perf.json", "models"),
        ("project_config/saved_models/m.json", "models"),
        ("project_config/analysis/a/core.json", "models"),
        ("project_config/scenarios/S.json", "automation"),
        ("project_config/web_apps/w.json", "presentation"),
        ("project_config/wiki/1.md", "presentation"),
        ("project_config/dashboards/d.json", "presentation"),
        ("project_config/insights/i.json", "presentation"),
        ("project_config/notebooks/n.ipynb", "presentation"),
        ("params.json", "settings"),
        ("project_config/recipes_old/r.py", "other"),
        ("deep/recipes/r.py", "other"),
        ("README", "other"),
        ("project_config", "other"),
    ],
)
def test_each_path_has_its_part(path: str, part: str) -> None:
    assert part_of(path) == part


@given(st.text(max_size=40))
def test_every_path_has_exactly_one_known_part(path: str) -> None:
    assert part_of(path) in PARTS
    assert part_of("project_config/recipes/" + path) == "flow"


def test_a_manifest_lists_members_parts_and_facts() -> None:
    buffer = bundle()
    found = read_manifest(buffer)
    assert [member.path for member in found.members] == sorted(["export-manifest.json", *STATE])
    assert set(found.parts) == set(PARTS)
    assert all(found.parts[part] != NOTHING for part in PARTS)
    assert found.archive_sha256 == hashlib.sha256(buffer.getvalue()).hexdigest()
    assert found.size == len(buffer.getvalue())
    assert found.export == HEAD
    code = next(member for member in found.members if member.path.endswith("score.py"))
    assert (code.digest, code.size, code.part) == (hashlib.sha256(b"print(1)\n").hexdigest(), 9, "flow")


def test_a_part_digest_can_be_recomputed_with_sha256sum() -> None:
    found = manifest()
    rows = "".join(f"{m.digest}  {m.path}\n" for m in found.members if m.part == "flow")
    assert found.parts["flow"] == hashlib.sha256(rows.encode()).hexdigest()


def test_a_part_without_members_has_the_digest_of_nothing() -> None:
    found = manifest({"project_config/recipes/a.py": "1"})
    assert {part for part, value in found.parts.items() if value == NOTHING} == set(PARTS) - {
        "flow",
        "settings",
    }


def test_two_exports_of_one_state_have_equal_parts_and_other_archives() -> None:
    again = {
        **STATE,
        "project_config/params.json": {"versionTag": stamp(5), "settings": {"codeEnvs": {}}},
    }
    one = read_manifest(bundle())
    two = read_manifest(
        bundle(
            again,
            {
                **HEAD,
                "bundleId": "v2",
                "exportedBy": "olga",
                "exportedOn": 1,
                "exportUUID": "u",
                "releaseNotes": "n",
            },
            indent=3,
        )
    )
    assert one.parts == two.parts
    assert one.archive_sha256 != two.archive_sha256
    assert diff(one, two).is_empty


@pytest.mark.parametrize("path", sorted(STATE))
def test_any_other_change_changes_its_part_and_no_other(path: str) -> None:
    value = STATE[path]
    changed = value + " " if isinstance(value, str) else {**value, "more": 1}
    assert changed_parts(manifest().parts, manifest({**STATE, path: changed}).parts) == (part_of(path),)


def test_the_manifests_other_fields_count() -> None:
    assert changed_parts(manifest().parts, manifest(projectKey="FRAUD").parts) == ("settings",)
    assert changed_parts(manifest().parts, manifest(dssVersion="15.0.0").parts) == ("settings",)


def test_rewritten_fields_are_left_out_only_at_the_top_of_their_members() -> None:
    inside = {**STATE, "project_config/params.json": {"settings": {"versionTag": 1, "codeEnvs": {}}}}
    assert "settings" in changed_parts(manifest().parts, manifest(inside).parts)
    elsewhere = {**STATE, "saved_models/m/versions/1/meta.json": {"versionTag": 1}}
    other = {**STATE, "saved_models/m/versions/1/meta.json": {"versionTag": 2}}
    assert changed_parts(manifest(elsewhere).parts, manifest(other).parts) == ("models",)


OBJECT = "project_config/scenarios/TEST_A.json"


@pytest.mark.parametrize(
    "path",
    [
        "project_config/params.json",
        *(
            f"project_config/{folder}/x.json"
            for folder in (
                "datasets", "managed_folders", "streaming_endpoints", "recipes", "saved_models", "scenarios",
                "model_evaluation_stores", "continuous_activities", "dashboards", "insights", "web_apps",
            )
        ),
    ],
)  # fmt: skip
def test_the_stamp_of_an_object_is_left_out_where_dss_writes_it(path: str) -> None:
    for tag in (stamp(8), stamp(7, "olga", 1), {"versionNumber": 0}, {"lastModifiedOn": 5}):
        assert digest_with(path, {"a": 1, "versionTag": tag}) == digest_with(path, {"a": 1})


@pytest.mark.parametrize(
    "path",
    [
        "project_config/lib/python/rules.json",
        "project_config/lib/datasets/x.json",
        "project_config/wiki/articles/1.json",
        "project_config/notebooks/n.json",
        "project_config/ipython_notebooks/n.json",
        "project_config/variables.json",
        "project_config/brand_new_thing/x.json",
        "project_config/x.json",
        "project_config/recipes/deep/x.json",
        "project_config/recipes/x.json5",
        "managed_folders/f/params.json",
        "saved_models/m/versions/1/meta.json",
        "recipes/x.json",
        "params.json",
    ],
)
def test_a_stamp_anywhere_else_is_content(path: str) -> None:
    assert digest_with(path, {"versionTag": stamp(1)}) != digest_with(path, {"versionTag": stamp(2)})


@pytest.mark.parametrize(
    "tag",
    [
        {"threshold": 0.5},
        {**stamp(1), "threshold": 0.5},
        {**stamp(1), "versionNumber": 0.5},
        {**stamp(1), "versionNumber": "1"},
        {**stamp(1), "versionNumber": True},
        {**stamp(1), "versionNumber": -1},
        {**stamp(1), "lastModifiedOn": "soon"},
        {**stamp(1), "lastModifiedOn": 1.5},
        {**stamp(1), "lastModifiedBy": "dev"},
        {**stamp(1), "lastModifiedBy": {"login": "dev", "limit": 3}},
        {**stamp(1), "lastModifiedBy": {"login": {"a": 1}}},
        {**stamp(1), "lastModifiedBy": {"login": "x" * 151}},
        {**stamp(1), "lastModifiedBy": {"login": "a\nb"}},
        [1],
        "rules",
        7,
        None,
    ],
)
def test_what_dss_does_not_write_as_a_stamp_is_content(tag: Any) -> None:
    assert digest_with(OBJECT, {"a": 1, "versionTag": tag}) != digest_with(OBJECT, {"a": 1})


@pytest.mark.parametrize(
    "head",
    [
        {"bundleId": {"threshold": 0.5}},
        {"bundleId": "a b"},
        {"exportedBy": ["dev"]},
        {"exportedBy": "x" * 151},
        {"exportedOn": {"a": 1}},
        {"exportedOn": "a" * 30},
        {"exportUserInfo": {"exportedBy": "dev", "rules": 1}},
        {"exportUserInfo": "dev"},
        {"exportUUID": {"a": 1}},
        {"exportUUID": "x" * 101},
        {"releaseNotes": {"rules": [1]}},
    ],
)
def test_what_dss_does_not_write_in_the_export_manifest_is_content(head: dict[str, Any]) -> None:
    assert changed_parts(manifest().parts, manifest(**head).parts) == ("settings",)


def test_the_exporter_may_be_told_in_a_group_and_the_time_as_text() -> None:
    told = manifest(
        exportUserInfo={"exportedBy": "olga", "exportedOn": 3}, exportedOn="2026-11-21T10:00:00.5Z"
    )
    assert manifest().parts == told.parts


def digest_with(path: str, value: Any) -> str:
    """The digest of this member."""
    return next(m.digest for m in manifest({**STATE, path: value}).members if m.path == path)


def test_every_rewritten_field_has_its_reason() -> None:
    assert all(len(rule.why) > 10 for rule in REWRITTEN)


def test_members_without_canonical_form_count_by_their_bytes() -> None:
    path = "project_config/recipes/odd.json"
    for body in ('{"a":1,"a":2}', '{"a":9007199254740993}', '{"a":NaN}', "{", '{"a":"\\ud800"}', "[" * 5000):
        found = read_manifest(bundle({path: body}))
        member = next(m for m in found.members if m.path == path)
        assert member.digest == hashlib.sha256(body.encode()).hexdigest()


def test_large_json_counts_by_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "project_config/datasets/d.json"
    assert read_manifest(bundle({path: '{"a": 1}'})).parts == read_manifest(bundle({path: '{"a":1}'})).parts
    monkeypatch.setattr(module, "MAX_CANONICAL", 6)
    assert read_manifest(bundle({path: '{"a": 1}'})).parts != read_manifest(bundle({path: '{"a":1}'})).parts


def test_a_manifest_that_is_no_object_gives_no_facts() -> None:
    assert read_manifest(bundle(head=[1])).export == {}  # type: ignore[arg-type]
    assert manifest(exportedBy={"x": 1}, releaseNotes="n" * 9000).export["releaseNotes"] == "n" * 2000
    assert "exportedBy" not in manifest(exportedBy={"x": 1}).export


def test_facts_hold_no_control_characters() -> None:
    told = manifest(exportedBy="de\x00v\x1b", projectKey="CHURN\x00", releaseNotes="one\n\ttwo\x85").export
    assert (told["exportedBy"], told["projectKey"]) == ("de\ufffdv\ufffd", "CHURN\ufffd")
    assert told["releaseNotes"] == "one\n\ttwo\ufffd"


def test_the_difference_is_listed_by_part() -> None:
    new = {**STATE, "project_config/recipes/new.py": "2", "project_config/wiki/1.md": "# Bye\n"}
    del new["project_config/scenarios/TEST_A.json"]
    found = diff(manifest(), manifest(new))
    assert list(found.parts) == ["flow", "automation", "presentation"]
    assert [m.path for m in found.parts["flow"].added] == ["project_config/recipes/new.py"]
    assert [m.path for m in found.parts["automation"].removed] == ["project_config/scenarios/TEST_A.json"]
    [(old, now)] = found.parts["presentation"].changed
    assert old.path == now.path == "project_config/wiki/1.md"
    assert old.digest != now.digest


def test_against_nothing_everything_is_added() -> None:
    found = diff(None, manifest())
    assert sum(len(part.added) for part in found.parts.values()) == len(STATE) + 1
    assert diff(manifest(), manifest()).is_empty


def test_changed_parts_keeps_the_order_and_counts_what_one_side_lacks() -> None:
    assert changed_parts({"models": "a", "data": "b"}, {"models": "c", "data": "d", "flow": "e"}) == (
        "data",
        "flow",
        "models",
    )
    assert changed_parts({}, {}) == ()


def test_a_manifest_survives_storage() -> None:
    found = manifest()
    stored = manifest_to_json(found)
    assert manifest_from_json(loads_strict(canonical(stored))) == found


def test_members_are_read_up_to_a_limit() -> None:
    found = read_members(
        bundle(), ["project_config/recipes/score.py", "project_config/wiki/1.md", "absent"], limit=8
    )
    assert found == {"project_config/wiki/1.md": b"# Hello\n"}


def test_refusals_come_through() -> None:
    with pytest.raises(ManifestError) as caught:
        read_manifest(io.BytesIO(b"no"))
    assert isinstance(caught.value, ValueError)
    assert caught.value.code == "not_a_zip"


# --- Hashing on the way -----------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=50), max_size=12), st.integers(1, 60))
def test_what_passes_is_hashed_and_counted(chunks: list[bytes], step: int) -> None:
    whole = b"".join(chunks)
    for source in (iter(chunks), io.BytesIO(whole)):
        reader = HashingReader(source)
        pieces = []
        while piece := reader.read(step):
            pieces.append(piece)
        assert b"".join(pieces) == whole
        assert reader.sha256 == hashlib.sha256(whole).hexdigest()
        assert reader.size == len(whole)


def test_the_length_is_known_where_the_source_knows() -> None:
    source = io.BytesIO(b"0123456789")
    source.seek(4)
    reader = HashingReader(source)
    assert reader.length == 6
    assert reader.read(2) == b"45"
    assert reader.length == 4
    target = io.BytesIO()
    reader.copy_to(target)
    assert target.getvalue() == b"6789"
    assert reader.length == 0
    assert HashingReader([b"x"]).length is None
    with tempfile.SpooledTemporaryFile() as spooled:
        spooled.write(b"abc")
        spooled.seek(0)
        assert HashingReader(spooled).length == 3


# --- Canonical JSON ---------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False).filter(
        lambda x: not (x.is_integer() and 2**53 <= abs(x) < 1e21)
    )
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(json_values, st.integers(0, 4))
def test_spelling_does_not_matter(value: Any, indent: int) -> None:
    for text in (
        json.dumps(value, indent=indent),
        json.dumps(value, ensure_ascii=False),
        json.dumps(value, sort_keys=True),
    ):
        assert canonical(loads_strict(text.encode())) == canonical(value)
    assert digest(value) == hashlib.sha256(canonical(value)).hexdigest()


@given(json_values)
def test_the_canonical_form_is_its_own_canonical_form(value: Any) -> None:
    once = canonical(value)
    assert canonical(loads_strict(once)) == once


@given(json_values, json_values)
def test_different_values_have_different_forms(one: Any, two: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    if same:
        assert canonical(one) == canonical(two)
    elif canonical(one) == canonical(two):
        # 1 and 1.0 are one number in JSON, and so are 0 and -0.0.
        assert one == two


@pytest.mark.parametrize(
    "text, reason",
    [
        (b'{"a":1,"b":2,"a":3}', "duplicate key 'a'"),
        (b'{"x":{"a":1,"a":1}}', "duplicate key 'a'"),
        (b"9007199254740992", "an integer beyond 2^53"),
        (b"-9007199254740992", "an integer beyond 2^53"),
        (b"9007199254740993.0", "an integer beyond 2^53"),
        (b"1e16", "an integer beyond 2^53"),
        (b"1" * 6000, "an integer beyond 2^53"),
        (b"NaN", "the constant NaN"),
        (b"-Infinity", "the constant -Infinity"),
        (b"1e999", "a number beyond the range of a double"),
        (b"[1,]", "not JSON"),
        (b"", "not JSON"),
        (b"\xff", "not UTF-8"),
        ("\ufeff{}".encode(), "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'"\\ud800"', "input contains non-UTF-8 codepoints"),
        (b'{"\\udfff":1}', "a key holds a lone surrogate"),
    ],
)
def test_texts_without_one_canonical_form(text: bytes, reason: str) -> None:
    with pytest.raises(NotCanonical) as caught:
        loads_strict(text)
    assert caught.value.reason == reason


def test_values_without_canonical_form() -> None:
    for value in (float("nan"), float("inf"), 2**53, {1: 2}, b"x", {"a": {1, 2}}):
        with pytest.raises(NotCanonical):
            canonical(value)


# --- Memory -----------------------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_archive() -> None:
    block = bytes(range(256)) * 4096
    with tempfile.TemporaryFile() as stored:
        with zipfile.ZipFile(stored, "w") as target:
            for name, method in (("a.bin", zipfile.ZIP_STORED), ("big.json", zipfile.ZIP_DEFLATED)):
                info = zipfile.ZipInfo(f"managed_folders/f/{name}")
                info.compress_type = method
                with target.open(info, "w", force_zip64=True) as member:
                    for _ in range(100):
                        member.write(block)
        tracemalloc.start()
        try:
            found = read_manifest(stored)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert sum(member.size for member in found.members) == 200 * 1024 * 1024
    assert peak < 4 * 1024 * 1024
