"""Two demos never share a port, also while the portal of one is down."""

from pathlib import Path

import pytest

from portal.demo.processes import Demo, NotStarted


def test_a_port_is_held_before_anything_listens(tmp_path: Path) -> None:
    one = Demo(tmp_path / "one", None)
    other = Demo(tmp_path / "other", None)
    assert one.port != other.port
    with pytest.raises(NotStarted, match="is taken"):
        Demo(tmp_path / "third", one.port)
    for demo in (one, other):
        demo.__exit__()
