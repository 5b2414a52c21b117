"""What a node and its workers say to each other, as bytes. Pure: no socket here (`engine.channel`).

    lead, 24 bytes, little-endian     magic "HBSW", version u8, type u8, descriptors u16, sequence u64,
                                      bytes of the header u32, bytes of the payload u32
    header, at most 64 KiB            canonical JSON: sorted keys, no spaces, ASCII, every field, no other
    payload, at most 4 MiB            templates as little-endian float32, then pictures as raw RGB

The node reads what a worker wrote, and a worker reads the bytes of strangers' cameras: everything here is taken for
hostile. A message is checked for size before room is made for it, then for every field's type and bounds; canonical
means that there is one way to write a message, so that nothing hides in repeated keys or spaces. All that is wrong is
an `InputError`. No field is ever evaluated, and nothing is unpickled.
"""

import struct
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from habeas.engine.messages import MAX_DESCRIPTORS, REMEDY, Message, one_line
from habeas.errors import InputError

MAGIC: Final = b"HBSW"
VERSION: Final = 1
MAX_HEADER: Final = 64 << 10
MAX_PAYLOAD: Final = 4 << 20
_LEAD: Final = struct.Struct("<4sBBHQII")
LEAD_BYTES: Final = _LEAD.size


@dataclass(frozen=True)
class Lead:
    """The fixed part of a message, its sizes within their limits.

    Args:
        kind: which message follows.
        descriptors: that came along.
        header_bytes: of JSON.
        payload_bytes: after it.
    """

    kind: type[Message]
    descriptors: int
    header_bytes: int
    payload_bytes: int


def encode(message: Message, sequence: int) -> bytes:
    """Return a message as bytes.

    Args:
        message: any.
        sequence: its number in this direction, from 0.

    Raises:
        InputError: it is over the limits.
    """
    header, payload = message.header(), message.payload
    if len(header) > MAX_HEADER or len(payload) > MAX_PAYLOAD:
        raise InputError(f"{type(message).__name__} is too large to send", remedy="shorten its texts and masks")
    lead = _LEAD.pack(MAGIC, VERSION, message.TYPE, message.descriptors, sequence, len(header), len(payload))
    return lead + header + payload


def parse_lead(data: bytes, sequence: int, known: dict[int, type[Message]]) -> Lead:
    """Read the fixed part, before there is room for the rest.

    Args:
        data: 24 bytes.
        sequence: expected.
        known: what may be said in this direction.

    Raises:
        InputError: not ours, unknown, out of order, or over the limits.
    """
    if len(data) != LEAD_BYTES:
        raise InputError("a message is cut short", remedy=REMEDY)
    magic, version, number, descriptors, given, header_bytes, payload_bytes = _LEAD.unpack(data)
    if magic != MAGIC or version != VERSION:
        raise InputError("a message has another magic or version", remedy=REMEDY)
    if number not in known:
        raise InputError(f"a message has the unknown type {number}", remedy=REMEDY)
    if given != sequence:
        raise InputError(f"message {given} where {sequence} was due", remedy=REMEDY)
    if header_bytes > MAX_HEADER or payload_bytes > MAX_PAYLOAD or descriptors > MAX_DESCRIPTORS:
        raise InputError("a message is over the limits", remedy=REMEDY)
    return Lead(known[number], descriptors, header_bytes, payload_bytes)


def decode(lead: Lead, body: bytes) -> Message:
    """Read the rest of a message.

    Args:
        lead: of the message.
        body: header and payload.

    Raises:
        InputError: malformed.
    """
    if len(body) != lead.header_bytes + lead.payload_bytes:
        raise InputError("a message is cut short", remedy=REMEDY)
    header, payload = body[: lead.header_bytes], body[lead.header_bytes :]
    name = lead.kind.__name__
    try:
        message = lead.kind.model_validate_json(header)
        canonical = message.header() == header
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        where = one_line(".".join(map(str, first["loc"])))
        raise InputError(f"{name}: {where}: {one_line(first['msg'])}", remedy=REMEDY) from None
    except (ValueError, RecursionError):
        raise InputError(f"{name} is malformed", remedy=REMEDY) from None
    if not canonical:
        raise InputError(f"{name} is not in its canonical form", remedy=REMEDY)
    if message.descriptors != lead.descriptors:
        raise InputError(f"{name} comes with {lead.descriptors} descriptors", remedy=REMEDY)
    return message.with_payload(payload)
