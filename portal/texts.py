"""What people type, without the characters that show nothing and change how the text around them reads.

Taken out where texts come in: by `portal.forms.Form` for pages and `portal.api.inputs.Input` for the API. Not in charge
of texts from DSS, nor of passwords, which nobody reads; pages keep every text apart from its neighbours with `bdi`.
"""

import re
from typing import Final

# Control characters but for tab and the ends of lines, and all that Unicode has to turn the direction of a text.
UNSEEN: Final = re.compile(
    "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]"
)


# Half a character of UTF-16, which a file can spell out and nothing can keep.
HALF: Final = re.compile("[\\ud800-\\udfff]")


def unseen(text: str) -> bool:
    """Whether something in it cannot be seen, or kept: what a file says is refused then, not mended."""
    return bool(UNSEEN.search(text) or HALF.search(text))


def writable(text: str) -> str:
    """The text with halves of characters spelled out, for a sentence that says what was wrong with it."""
    return HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def plain(text: str) -> str:
    """The text with nothing in it that cannot be seen and acts all the same."""
    return UNSEEN.sub("", text)
