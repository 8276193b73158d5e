"""Heavy libraries that few tests need: loaded when something of one is first asked for.

Every test worker imports every test module, and would load each of them for the one worker that needs it.
"""

import importlib
from typing import Any


class Late:
    """A module of which only the name is known until something public of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, wanted: str) -> Any:
        if wanted.startswith("_"):  # pytest asks whatever a test module holds whether it is a test
            raise AttributeError(wanted)
        return getattr(importlib.import_module(self._name), wanted)
