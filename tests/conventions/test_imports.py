"""The import contracts of pyproject.toml hold, and speak of modules that exist."""

import subprocess
import sys

from tests.conventions.tree import ROOT


def test_every_import_contract_holds() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.conventions.lint"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout
