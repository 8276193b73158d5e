"""What DSS says, as it can be kept. Everything it says goes through here before it becomes a value of ours."""

import re

# Ends of lines and tabs are text; of the rest a database refuses some (NUL), and a page or a log is confused by others.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# JSON may spell half of a pair, which is no character and has no UTF-8.
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def keepable(text: str) -> str:
    """Return the text without control characters (newline and tab stay), lone surrogates as U+FFFD."""
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))
