"""The import contracts of pyproject.toml hold, and speak of modules that exist."""

import subprocess
import sys

from tests.conventions.tree import ROOT

LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def test_every_import_contract_holds() -> None:
    # In a process of its own: the linter configures logging, and that silences every logger made before.
    done = subprocess.run(
        [sys.executable, "-c", LINT], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout
