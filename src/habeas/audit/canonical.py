"""Whether a hash is of what was read from JSON: of its canonical form (RFC 8785), found quickly, entry by entry.

Python's own encoder writes that form, but for some numbers (5e-05 is 0.00005, 2.0 is 2) and keys beyond U+FFFF. Where
the hash is of neither quick form, the slow and exact one decides.
"""

import hashlib
import json
import re
from typing import Final

import rfc8785

_quick: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False, check_circular=False
).encode
_SMALL: Final = re.compile(r'(?<=[a-z0-9_]":)(-?)(\d)\.?(\d*)e-0([56])(?=[,}])', re.ASCII)
_WHOLE: Final = re.compile(r'(?<=[a-z0-9_]":)(-?\d+)\.0(?=[,}])', re.ASCII)


def canonical(value: object) -> bytes:
    """Return canonical JSON (RFC 8785) of what was read from JSON.

    Raises:
        ValueError: it has none.
    """
    return rfc8785.dumps(value)  # type: ignore[arg-type]  # JSON values


def commits(sha256: str, value: object) -> bool:
    """Tell whether a hash is of this value and of no other.

    Args:
        sha256: hexadecimal.
        value: read from JSON.

    Raises:
        ValueError: it has no canonical form.
        RecursionError: it is too deep.
    """
    text = _quick(value)
    return (
        sha256 == _sha256(text.encode())
        or sha256 == _sha256(_decimal(text).encode())
        or sha256 == _sha256(canonical(value))
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _decimal(text: str) -> str:
    """Return JSON with small and whole fractions in canonical form, and otherwise as it is.

    Before such a number stand a letter of its name, a quotation mark and a colon. Within a text a mark has a backslash
    before it, and the mark that begins one has no letter there: what texts hold is never changed.
    """
    return _WHOLE.sub(r"\1", _SMALL.sub(_written_out, text))


def _written_out(found: re.Match[str]) -> str:
    sign, first, rest, exponent = found.groups()
    return f"{sign}0.{'0' * (int(exponent) - 1)}{first}{rest}"
