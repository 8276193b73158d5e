"""Keys are found by name alone, and never show themselves."""

import copy
import logging
import os
import pickle
from pathlib import Path

import pytest

from portal.dss import keys
from portal.dss.keys import Key, KeyUnusable, environment_name, read_key

SECRET = "dkuaps-oXk3N0tARealKey"


def refusal(name: str, directory: Path | None = None, environ: dict[str, str] | None = None) -> KeyUnusable:
    with pytest.raises(KeyUnusable) as caught:
        read_key(name, directory=directory, environ=environ or {})
    assert SECRET not in str(caught.value)
    assert caught.value.sentence.endswith(".")
    return caught.value


def store(directory: Path, name: str, text: str = SECRET, mode: int = 0o600) -> Path:
    path = directory / name
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_key_is_a_file_of_its_name(tmp_path: Path) -> None:
    store(tmp_path, "qa-node", f"  {SECRET}\n")
    key = read_key("qa-node", directory=tmp_path, environ={})
    assert key.reveal() == SECRET
    assert key.name == "qa-node"


def test_a_key_is_an_environment_variable() -> None:
    environ = {"COUNTERSIGN_DSS_KEY_QA_NODE_1": SECRET, "OTHER_QA": "other"}
    assert read_key("qa-node.1", directory=None, environ=environ).reveal() == SECRET
    assert read_key("qa", directory=None, prefix="OTHER_", environ=environ).reveal() == "other"
    assert environment_name("qa-node.1", "P_") == "P_QA_NODE_1"


def test_the_environment_is_the_process_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_DSS_KEY_QA", SECRET)
    assert read_key("qa", directory=None).reveal() == SECRET


def test_the_file_goes_first(tmp_path: Path) -> None:
    store(tmp_path, "qa")
    environ = {"COUNTERSIGN_DSS_KEY_QA": "other", "COUNTERSIGN_DSS_KEY_PROD": "prod"}
    assert read_key("qa", directory=tmp_path, environ=environ).reveal() == SECRET
    assert read_key("prod", directory=tmp_path, environ=environ).reveal() == "prod"


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../etc/passwd",
        "a/b",
        "/etc/passwd",
        "a\\b",
        "a b",
        "ä",
        "a\n",
        ".hidden",
        "a\x00",
        "x" * 101,
    ],
)
def test_names_that_are_no_names(name: str, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    store(tmp_path, "passwd")
    assert refusal(name, tmp_path / "inside").code == "bad_key_name"


def test_a_missing_key_names_both_places(tmp_path: Path) -> None:
    error = refusal("qa-node", tmp_path)
    assert error.code == "no_key"
    assert "qa-node" in error.sentence
    assert "COUNTERSIGN_DSS_KEY_QA_NODE" in error.sentence
    assert str(tmp_path) not in error.sentence
    assert refusal("qa", tmp_path / "nowhere").code == "no_key"


@pytest.mark.parametrize("text", ["", " \n", "two words", "two\nlines", "kéy", "a\x00b", "x" * 5000])
def test_contents_that_are_no_key(text: str, tmp_path: Path) -> None:
    store(tmp_path, "qa", text)
    assert refusal("qa", tmp_path).code == "bad_key"


def test_binary_contents(tmp_path: Path) -> None:
    (tmp_path / "qa").write_bytes(b"\xff\xfe\x00")
    assert refusal("qa", tmp_path).code == "bad_key"


def test_links_stay_inside_the_directory(tmp_path: Path) -> None:
    inside = tmp_path / "keys"
    inside.mkdir()
    outside = store(tmp_path, "secret")
    (inside / "out").symlink_to(outside)
    assert refusal("out", inside).code == "bad_key"
    # This is how an orchestrator mounts its secrets.
    (inside / "..2026").mkdir()
    store(inside / "..2026", "qa")
    (inside / "qa").symlink_to(inside / "..2026" / "qa")
    assert read_key("qa", directory=inside, environ={}).reveal() == SECRET
    (inside / "loop").symlink_to(inside / "loop")
    assert refusal("loop", inside).code == "bad_key"


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert refusal("pipe", tmp_path).code == "bad_key"
    assert refusal("folder", tmp_path).code == "bad_key"


def test_a_file_open_to_all_is_remarked_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys._warned.clear()
    store(tmp_path, "open", mode=0o644)
    store(tmp_path, "closed", mode=0o640)
    with caplog.at_level(logging.WARNING):
        for name in ("open", "open", "closed"):
            read_key(name, directory=tmp_path, environ={})
    assert [record.getMessage() for record in caplog.records] == [
        "The key file open is open to every user of this machine; make it mode 600."
    ]


def test_a_key_never_shows_itself() -> None:
    key = Key("qa", SECRET)
    for shown in (repr(key), str(key), f"{key}", f"{[key]}", "%s" % key):  # noqa: UP031
        assert SECRET not in shown
        assert "qa" in shown
    for escape in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            escape(key)
