"""A demo goes on from what it left, and not from what an older one did."""

from pathlib import Path

import pytest

from portal.demo.client import DemoFailed
from portal.demo.story import begin_in


def test_a_new_directory_is_begun_and_gone_on_with(tmp_path: Path) -> None:
    place = tmp_path / "demo"
    begin_in(place)
    (place / "countersign.sqlite3").touch()
    begin_in(place)


@pytest.mark.parametrize("told", [None, "1"])
def test_what_an_older_demo_left_is_refused_and_left_alone(tmp_path: Path, told: str | None) -> None:
    (tmp_path / "countersign.sqlite3").touch()
    if told is not None:
        (tmp_path / "story").write_text(told)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(DemoFailed, match="Start over with --fresh"):
        begin_in(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert told is None or (tmp_path / "story").read_text() == told
