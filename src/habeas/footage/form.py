r"""The bytes of a segment of footage: a header that anybody may read, and records that nobody can change, move or drop.

::

    segment   magic "HABFOOT\n" 8 | version 1 | bytes of the header 4 | header | record, record, ...
    header    canonical JSON: camera, hour, deadline, key, segment, codec, size, began
    record    bytes 4 | what `KeyStore.encrypt` returned of: kind 1 | captured 8 | lasts 8 | data

Each record is bound to SHA-256 of everything before the first record, and to its number: one of another camera, hour or
deadline, in another order or twice does not open. A segment that was ended has a record of kind *end*, which says how
many came before; one without it was cut by a crash, and all whole records of it open. Big-endian. Pure.
"""

import enum
import hashlib
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import IO, Final

import rfc8785
from pydantic import TypeAdapter, ValidationError

from habeas.errors import FormatError, InputError
from habeas.keys import KeyStore
from habeas.video.parts import MAX_PART_BYTES

MAGIC: Final = b"HABFOOT\n"
VERSION: Final = 1
_LEAD: Final = struct.Struct(">8sBI")
_LENGTH: Final = struct.Struct(">I")
_RECORD: Final = struct.Struct(">BQQ")
_MAX_HEADER: Final = 4096
MAX_HEADER_BYTES: Final = _LEAD.size + _MAX_HEADER
"""Up to the first record, at most."""
_MAX_RECORD: Final = MAX_PART_BYTES + 256
_REMEDY: Final = "look for a failing disk, or for who else writes there; other segments are not affected"


class Kind(enum.IntEnum):
    """What a record is."""

    PART = 1
    END = 2


@dataclass(frozen=True)
class Header:
    """What a segment is of.

    Args:
        camera: its id.
        hour_ns: first instant of the camera-hour that it belongs to, Unix ns.
        deadline_ns: first instant at which it may not be read any more.
        key: id of that camera-hour's key.
        segment: random, hexadecimal.
        codec: FFmpeg's name.
        size_wh: of the pictures.
        began_ns: wall clock of the first packet.
    """

    camera: str
    hour_ns: int
    deadline_ns: int
    key: str
    segment: str
    codec: str
    size_wh: tuple[int, int]
    began_ns: int

    def dump(self) -> bytes:
        """Return what a segment's file begins with."""
        body = rfc8785.dumps({**asdict(self), "size_wh": list(self.size_wh)} | _texts(self))
        return _LEAD.pack(MAGIC, VERSION, len(body)) + body


def _texts(header: Header) -> dict[str, str]:
    """Return the times as text: canonical JSON has no such numbers."""
    return {name: str(getattr(header, name)) for name in ("hour_ns", "deadline_ns", "began_ns")}


@dataclass(frozen=True, repr=False)
class Record:
    """A part, or the end of a segment, which says how many parts there were.

    Args:
        kind: which.
        captured_at_ns: wall clock when its first packet came; of the end, when it was written.
        lasts_ns: the stream's time in it; of the end, the number of parts.
        data: boxes of fragmented MP4; of the end, nothing.
    """

    kind: Kind
    captured_at_ns: int
    lasts_ns: int
    data: bytes


def seal_record(keys: KeyStore, header: Header, number: int, record: Record) -> bytes:
    """Return a record's bytes.

    Raises:
        KeyDestroyed: its key is gone.
    """
    plain = _RECORD.pack(record.kind, record.captured_at_ns, record.lasts_ns) + record.data
    sealed = keys.encrypt(header.key, plain, _context(header, number))
    return _LENGTH.pack(len(sealed)) + sealed


def open_record(keys: KeyStore, header: Header, number: int, sealed: bytes) -> Record:
    """Return a record.

    Raises:
        KeyDestroyed: its key is gone: the deadline has passed.
        InputError: it was changed, or belongs elsewhere.
    """
    plain = keys.decrypt(header.key, sealed, _context(header, number))
    try:
        kind, captured_at_ns, lasts_ns = _RECORD.unpack_from(plain)
        return Record(Kind(kind), captured_at_ns, lasts_ns, plain[_RECORD.size :])
    except (struct.error, ValueError):
        raise FormatError("a record of footage has another form", remedy="use the version that wrote it") from None


def _context(header: Header, number: int) -> bytes:
    return b"footage v1" + hashlib.sha256(header.dump()).digest() + number.to_bytes(4, "big")


_HEADERS: Final = TypeAdapter(Header)


def read_header(data: bytes) -> tuple[Header, int]:
    """Return what a segment is of, and where its records begin.

    Raises:
        FormatError: it is no segment, or of an unknown version.
    """
    if len(data) < _LEAD.size:
        raise FormatError("this is no segment of footage", remedy=_REMEDY)
    magic, version, length = _LEAD.unpack_from(data)
    if magic != MAGIC or length > _MAX_HEADER or len(data) < _LEAD.size + length:
        raise FormatError("this is no segment of footage", remedy=_REMEDY)
    if version != VERSION:
        raise FormatError(f"footage of version {version}", remedy="use the version of habeas that wrote it")
    begin = _LEAD.size + length
    try:
        header = _HEADERS.validate_json(data[_LEAD.size : begin])
    except ValidationError:
        raise FormatError("a segment's header cannot be read", remedy=_REMEDY) from None
    if header.dump() != data[:begin]:
        raise FormatError("a segment's header is not in its canonical form", remedy=_REMEDY)
    return header, begin


def is_cut_header(data: bytes) -> bool:
    """Tell whether these bytes, all that there are, end within a header. Pure."""
    if not any(data):  # a power cut left a length, and no bytes
        return len(data) < MAX_HEADER_BYTES
    if len(data) < _LEAD.size:
        return MAGIC.startswith(data[: len(MAGIC)])
    magic, version, length = _LEAD.unpack_from(data)
    return (magic, version) == (MAGIC, VERSION) and len(data) < _LEAD.size + min(length, _MAX_HEADER)


def split_records(data: bytes, begin: int) -> Iterator[bytes]:
    """Yield the sealed records that are whole; what a crash cut at the end is left out.

    Raises:
        InputError: a record states a length that none has.
    """
    at = begin
    while at + _LENGTH.size <= len(data):
        length = _length(data[at : at + _LENGTH.size])
        if at + _LENGTH.size + length > len(data):
            return
        yield data[at + _LENGTH.size : at + _LENGTH.size + length]
        at += _LENGTH.size + length


def read_records(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the sealed records that are whole, from where a file stands; as `split_records`, with one in memory.

    Raises:
        InputError: a record states a length that none has.
    """
    while len(lead := file.read(_LENGTH.size)) == _LENGTH.size:
        length = _length(lead)
        sealed = file.read(length)
        if len(sealed) < length:
            return
        yield sealed


def _length(lead: bytes) -> int:
    (length,) = _LENGTH.unpack(lead)
    if not 0 < length <= _MAX_RECORD:
        raise InputError("a record of footage states an impossible length", remedy=_REMEDY)
    return int(length)
