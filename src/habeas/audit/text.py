"""The small pieces that the text formats share: decimals, base64, lines. One spelling for each value, no other.

A value with two spellings would let somebody change bytes that were signed or hashed and still be understood.
"""

import base64
import binascii
import re
from typing import Final

from habeas.audit.merkle import HASH_BYTES, MAX_SIZE
from habeas.errors import FormatError

MALFORMED: Final = "take it for what it is: damaged, or made by another program"

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,19}", re.ASCII)
_NO_TEXT: Final = re.compile("[\\x00-\\x09\\x0b-\\x1f\\ud800-\\udfff]")
_SHOWN: Final = 40


def shown(text: str) -> str:
    """Return a strange text as a message may hold it: short, in quotes, escaped."""
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def parse_decimal(text: str, what: str) -> int:
    """Return a size or index below 2^64, written in ASCII digits without leading zeros.

    Raises:
        FormatError: it is not.
    """
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_SIZE:
        raise FormatError(f"{what} {shown(text)} is no number from 0 to 2^64 - 1", remedy=MALFORMED)
    return int(text)


def encode_base64(data: bytes) -> str:
    """Return RFC 4648, section 4, with padding."""
    return base64.b64encode(data).decode("ascii")


def parse_base64(text: str, what: str) -> bytes:
    """Return the bytes that `encode_base64` would write like this.

    Raises:
        FormatError: there are none.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FormatError(f"{what} {shown(text)} is no base64", remedy=MALFORMED) from None
    if encode_base64(data) != text:
        raise FormatError(f"{what} {shown(text)} is base64 in a second spelling", remedy=MALFORMED)
    return data


def parse_hash(text: str, what: str) -> bytes:
    """Return a hash of 32 bytes from base64.

    Raises:
        FormatError: it is none.
    """
    data = parse_base64(text, what)
    if len(data) != HASH_BYTES:
        raise FormatError(f"{what} has {len(data)} bytes, not {HASH_BYTES}", remedy=MALFORMED)
    return data


def parse_text(data: bytes, what: str, max_bytes: int) -> str:
    """Return UTF-8 text without control characters but newlines, and no longer than it may be.

    Raises:
        FormatError: it is not.
    """
    if len(data) > max_bytes:
        raise FormatError(f"{what} has {len(data)} bytes, {max_bytes} at most are read", remedy=MALFORMED)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(f"{what} is not UTF-8", remedy=MALFORMED) from None
    if not is_text(text):
        raise FormatError(f"{what} has control characters", remedy=MALFORMED)
    return text


def is_text(text: str) -> bool:
    """Return whether UTF-8 has it and it has no ASCII control characters (below U+0020) other than newlines."""
    return _NO_TEXT.search(text) is None
