"""Films that were made of footage, as files: of the same form as what is recorded, each whole, under another key."""

import hashlib
from dataclasses import dataclass
from typing import Final

from habeas.errors import InputError
from habeas.footage.files import FootageFolder, new_segment_id
from habeas.footage.form import Header, Kind, Record
from habeas.footage.reading import Stretch, Window, read_window
from habeas.keys import KeyStore, Scope
from habeas.types import HOUR_NS

_PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True, repr=False)
class Film:
    """A film.

    Args:
        camera_id: of the footage.
        from_ns: first instant, Unix ns.
        until_ns: first instant after.
        data: MP4.
    """

    camera_id: str
    from_ns: int
    until_ns: int
    data: bytes

    @property
    def sha256(self) -> str:
        """Of its data, hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()


def put_film(folder: FootageFolder, keys: KeyStore, film: Film, key_id: str, ends_at_ns: int) -> None:
    """Write a film: durable, or not there.

    Args:
        folder: of the films.
        keys: the key store.
        film: what to write.
        key_id: under which key.
        ends_at_ns: from when on it cannot be read.

    Raises:
        KeyDestroyed: that has come.
        DiskError: it cannot be written.
    """
    header = Header(
        camera=film.camera_id,
        hour_ns=film.from_ns - film.from_ns % HOUR_NS,
        deadline_ns=ends_at_ns,
        key=key_id,
        segment=new_segment_id(),
        codec="h264",
        size_wh=(0, 0),
        began_ns=film.from_ns,
    )
    folder.put(keys, header, _records(film))


def _records(film: Film) -> list[Record]:
    """Return a film as records: its pieces, whose times say nothing, and the end."""
    starts = range(0, len(film.data), _PIECE_BYTES)
    lasts_ns = film.until_ns - film.from_ns
    parts = [Record(Kind.PART, film.from_ns, 0, b"")]
    parts += [
        Record(Kind.PART, film.from_ns, lasts_ns if not at else 0, film.data[at : at + _PIECE_BYTES]) for at in starts
    ]
    return [*parts, Record(Kind.END, film.until_ns, len(parts), b"")]


def read_film(folder: FootageFolder, keys: KeyStore, scope: Scope, window: Window, sha256: str, now_ns: int) -> bytes:
    """Return a film.

    Args:
        folder: of the films.
        keys: the key store.
        scope: of its key.
        window: camera and interval.
        sha256: of it, hexadecimal.
        now_ns: Unix ns, of a clock that cannot be set back.

    Raises:
        InputError: it is missing, or was changed.
        DiskError: the disk fails.
    """
    for one in read_window(folder, keys, scope, window, now_ns, whole=True):
        if isinstance(one, Stretch) and hashlib.sha256(one.data).hexdigest() == sha256:
            return one.data
    raise InputError("this film is missing, or was changed", remedy="have it made again")
