"""What commands that read files of a repository share: the files of a directory, and who applies them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from django.core.management.base import CommandError

from portal.errors import Invalid
from portal.lookups import service_named
from portal.models import Person

# Exit statuses: 0 is nothing to do, or done.
DIFFERENCES, ERRORS = 1, 2


def files_at(path: Path, wanted: Callable[[Path], bool], kinds: str) -> list[Path]:
    """The file, or the wanted ones of a directory and of those below it; raises CommandError where none is there."""
    files = sorted(_below(path, wanted)) if path.is_dir() else [path]
    if not files:
        raise CommandError(f"{path}: no {kinds} file is there.", returncode=ERRORS)
    return files


def _below(folder: Path, wanted: Callable[[Path], bool]) -> Iterator[Path]:
    """Linked ones too: one passed over would be left out unseen. But not of .git and its like.

    Raises CommandError for a folder that cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise CommandError(f"{error.filename}: cannot be read: {error.strerror}.", returncode=ERRORS)

    seen: set[str] = set()
    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else [one for one in folders if not one.startswith(".")]
        if real not in seen:
            yield from (Path(place, one) for one in names if not one.startswith(".") and wanted(Path(one)))
        seen.add(real)


def service(login: str | None) -> Person:
    """The service account of a login; raises CommandError for none, or another kind of account."""
    if not login:
        raise CommandError(
            "Say who applies it: --as, with the login of a service account.", returncode=ERRORS
        )
    try:
        return service_named(login)
    except Invalid as refusal:
        raise CommandError(refusal.sentence, returncode=ERRORS) from refusal
