"""One byte form for every value that is hashed or signed: RFC 8785 (JCS).

Not in charge of what goes into the value, nor of the Merkle tree over such bytes.
"""

import hashlib
import json
import math
from typing import Any, NoReturn

import rfc8785

# JCS writes numbers as ECMAScript does; beyond this an integer would silently lose digits.
MAX_INTEGER = 2**53 - 1


class NotCanonical(ValueError):
    """A value or text without a canonical form. `reason` is a short phrase such as "duplicate key 'a'"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def canonical(value: Any) -> bytes:
    """The RFC 8785 bytes of a JSON value; raises NotCanonical where it has none (NaN, integers beyond 2^53)."""
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise NotCanonical(str(error)) from None
    except UnicodeEncodeError:
        # Keys are sorted by their UTF-16 form before the package looks at them as text.
        raise NotCanonical("a key holds a lone surrogate") from None
    except RecursionError:
        raise NotCanonical("nested too deeply") from None


def digest(value: Any) -> str:
    """Lower-case hex SHA-256 of the canonical bytes of a JSON value."""
    return hashlib.sha256(canonical(value)).hexdigest()


def loads_strict(data: bytes) -> Any:
    """The value of a JSON text that has exactly one canonical form.

    Raises NotCanonical, with the reason, for bytes that are not UTF-8 or not JSON, a key given twice in one
    object, integers beyond 2^53, NaN and infinities (also as an overflow such as 1e999), lone surrogates, and
    nesting that is too deep.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except NotCanonical:
        raise
    except UnicodeDecodeError:
        raise NotCanonical("not UTF-8") from None
    except RecursionError:
        raise NotCanonical("nested too deeply") from None
    except ValueError:
        raise NotCanonical("not JSON") from None
    # An escape can smuggle in half of a surrogate pair, and only the encoder notices.
    canonical(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise NotCanonical(f"duplicate key {key[:60]!r}")
            seen.add(key)
    return found


def _integer(text: str) -> int:
    # Counted before it is parsed: Python itself refuses to read integers of some thousand digits.
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise NotCanonical("an integer beyond 2^53")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise NotCanonical("a number beyond the range of a double")
    # JCS would write it as an integer, which would then be refused here: 1e16 is 10000000000000000, 1e21 is 1e+21.
    if value.is_integer() and MAX_INTEGER < abs(value) < 1e21:
        raise NotCanonical("an integer beyond 2^53")
    return value


def _constant(text: str) -> NoReturn:
    raise NotCanonical(f"the constant {text}")
