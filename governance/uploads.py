"""Takes in a file that somebody uploads: to a temporary file of ours, looked into by a process of its own.

Not in charge of what may be in it (`governance.look_inside`) nor of who may upload (`governance.actions.documents`).
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _

from portal.errors import Invalid
from portal.uploads import too_large

CHUNK = 256 * 1024
NAME_LIMIT = 200
WAIT = 40  # seconds; the process itself may take 20 of the processor


@dataclass(frozen=True, slots=True)
class Looked:
    """A file that may be kept: what it is, by its content, and its sections; None: they cannot be told."""

    file: IO[bytes]
    media_type: str
    ending: str
    sections: tuple[str, ...] | None


@contextmanager
def looked_into(sent: Any, name: str) -> Iterator[Looked]:
    """Copy what is sent (anything with `read`) to a file of ours and look into it.

    Raises Invalid for the field `file`: too large, a name that leads elsewhere, or what its content is refused for.
    """
    check_name(name)
    with tempfile.TemporaryFile() as file:
        size = 0
        while piece := sent.read(CHUNK):
            size += len(piece)
            if size > settings.UPLOAD_BYTES:
                raise too_large()
            file.write(piece)
        file.flush()
        file.seek(0)
        answer = _look(file)
        if "code" in answer:
            raise Invalid(answer["sentence"], code=answer["code"], field="file")
        sections = None if answer["sections"] is None else tuple(answer["sections"])
        file.seek(0)
        yield Looked(file, answer["media_type"], answer["ending"], sections)


def check_name(name: str) -> None:
    """Refuse a file name that is a path or cannot be shown; what a file is never depends on it."""
    steps = re.split(r"[/\\]", name)
    shown = all(unicodedata.category(one)[0] != "C" for one in name)
    if len(steps) > 1 or name in ("", ".", "..") or not shown or len(name) > NAME_LIMIT:
        raise Invalid(
            _(
                "The name of the file has to be a plain one of at most %(limit)s characters, without a folder in it. "
                "Rename the file and upload it again."
            )
            % {"limit": NAME_LIMIT},
            code="document_name",
            field="file",
        )


def _look(file: IO[bytes]) -> dict[str, Any]:
    """What `governance.look_inside` says of it. It is started without our environment, which holds secrets."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "governance.look_inside"],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=settings.BASE_DIR,
            env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
            timeout=WAIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode or not done.stdout:
        raise Invalid(
            _(
                "The file could not be read in the time and memory that a document is given. Save it again, or print "
                "it to PDF, and upload that."
            ),
            code="document_unreadable",
            field="file",
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
