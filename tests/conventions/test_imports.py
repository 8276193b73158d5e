"""The import contracts of pyproject.toml hold, and speak of modules that exist."""

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from tests.conventions.tree import ROOT


def test_every_import_contract_holds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    kept = lint_imports(no_cache=True) == EXIT_STATUS_SUCCESS
    said = capsys.readouterr().out
    assert kept, said
    assert "0 broken" in said
