"""API keys of DSS nodes, by name, from one configured place.

A key is a file in one directory or an environment variable with one prefix; the name is all that the database
and the pages ever hold. Not in charge of which node uses which name.
"""

import logging
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")
# Keys are 32 or so characters; the bound only keeps a mistaken file out of memory.
_MAX_BYTES = 4096
_warned: set[str] = set()


class KeyUnusable(ValueError):
    """A key that cannot be used. `code` names the case, `sentence` says what to do; neither holds the key."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class Key:
    """An API key that does not show itself: repr, str and format give the name only, and it cannot be pickled."""

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self._value = value

    def reveal(self) -> str:
        """Return the secret. Only the client calls this, as late as possible."""
        return self._value

    def __repr__(self) -> str:
        return f"Key({self.name!r}, hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key cannot be pickled; pass its name")


def environment_name(name: str, prefix: str) -> str:
    """Return the environment variable of a key, e.g. qa-node -> COUNTERSIGN_DSS_KEY_QA_NODE."""
    return prefix + re.sub(r"[.-]", "_", name).upper()


def is_key_name(name: str) -> bool:
    """Whether `name` can name a key: letters, digits, dots, dashes, underscores; no leading dot."""
    return _NAME.fullmatch(name) is not None


def read_key(
    name: str,
    *,
    directory: str | Path | None,
    prefix: str = "COUNTERSIGN_DSS_KEY_",
    environ: Mapping[str, str] | None = None,
) -> Key:
    """Return the key called `name`, from `directory` if it has such a file, else from the environment.

    Raises KeyUnusable: bad_key_name, no_key, bad_key.
    """
    if not is_key_name(name):
        raise KeyUnusable(
            "bad_key_name",
            "This key name cannot be used. Name the key with letters, digits, dots, dashes and underscores, "
            "as its file in the key directory is called.",
        )
    value: str | None = None
    if directory is not None:
        value = _from_file(Path(directory), name)
    variable = environment_name(name, prefix)
    if value is None:
        value = (os.environ if environ is None else environ).get(variable)
    if value is None:
        raise KeyUnusable(
            "no_key",
            f"There is no key named {name}. Put it into a file of that name in the key directory, "
            f"or into the environment variable {variable}.",
        )
    value = value.strip()
    # Anything else would break the Authorization header, or come from a file that is not a key at all.
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise KeyUnusable(
            "bad_key",
            f"The key named {name} is empty or holds characters that no DSS key has. "
            "Store the key alone, on one line.",
        )
    return Key(name, value)


def _from_file(directory: Path, name: str) -> str | None:
    path = directory / name
    try:
        # Secrets mounted by an orchestrator are links inside their directory; a link out of it is refused.
        real = path.resolve(strict=True)
        if not real.is_relative_to(directory.resolve(strict=True)):
            raise KeyUnusable(
                "bad_key", f"The key file {name} points outside the key directory. Put the file itself there."
            )
        status = real.stat()
        # Looked at before it is opened: opening a pipe would wait for ever.
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
            raise KeyUnusable(
                "bad_key", f"The key file {name} is not a small text file. Store the key alone, on one line."
            )
        if status.st_mode & (stat.S_IROTH | stat.S_IWOTH) and name not in _warned:
            _warned.add(name)
            log.warning("The key file %s is open to every user of this machine; make it mode 600.", name)
        with real.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except KeyUnusable:
        raise
    except (OSError, RuntimeError):
        # RuntimeError: a loop of links.
        raise KeyUnusable(
            "bad_key", f"The key file {name} cannot be read. Let the portal's user read it and nobody else."
        ) from None
    return data.decode("utf-8", errors="replace")
