"""Footage read: what there is of a camera in an interval, segment by segment, each checked, none past its deadline.

A segment is read from its beginning, since it plays from there only, up to the last part that began in the interval:
whoever shows or searches it leaves out the pictures before. Nothing is read whose key is of another kind than asked
for: footage as it was recorded, and what is preserved of it, lie in folders of their own under keys of their own.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from habeas.errors import FormatError, InputError, KeyDestroyed
from habeas.footage.files import FootageFolder, read_segment, read_start
from habeas.footage.form import Header, Record
from habeas.keys import KeyStore, Scope
from habeas.types import HOUR_NS

_REMEDY: Final = "look who else writes there; it goes at its deadline"


@dataclass(frozen=True)
class Window:
    """An interval of a camera's time.

    Args:
        camera_id: of the camera.
        from_ns: first instant, Unix ns.
        until_ns: first instant after.

    Raises:
        InputError: it is empty.
    """

    camera_id: str
    from_ns: int
    until_ns: int

    def __post_init__(self) -> None:
        if self.until_ns <= self.from_ns:
            raise InputError(f"an interval of {self.camera_id} ends before it begins", remedy="give a later end")

    def hours(self) -> range:
        """Return the camera-hours whose segments may have some of it: a segment is filed where it began."""
        return range(self.from_ns - self.from_ns % HOUR_NS - HOUR_NS, self.until_ns, HOUR_NS)


@dataclass(frozen=True, repr=False)
class Stretch:
    """What one segment has of an interval; its parts, the first of which is its header, play alone.

    Args:
        header: of the segment.
        parts: as they were recorded.
    """

    header: Header
    parts: tuple[Record, ...]

    @property
    def until_ns(self) -> int:
        """First instant after it, Unix ns."""
        return max(part.captured_at_ns + part.lasts_ns for part in self.parts)

    @property
    def lasts_ns(self) -> int:
        """The stream's time in it."""
        return sum(part.lasts_ns for part in self.parts)

    @property
    def size_bytes(self) -> int:
        """Of its data."""
        return sum(len(part.data) for part in self.parts)

    @property
    def data(self) -> bytes:
        """Fragmented MP4."""
        return b"".join(part.data for part in self.parts)

    def __repr__(self) -> str:
        return f"Stretch({self.header.camera!r}, {self.header.segment!r}, parts={len(self.parts)})"


@dataclass(frozen=True)
class Damage:
    """A segment, or the rest of one, that cannot be read though its deadline has not come.

    Args:
        name: of its file.
        why: one line.
    """

    name: str
    why: str


def read_window(
    folder: FootageFolder, keys: KeyStore, scope: Scope, window: Window, now_ns: int, *, whole: bool = False
) -> Iterator[Stretch | Damage]:
    """Yield what there is of a camera in an interval, in order; what its deadline has ended is not there.

    Args:
        folder: where it lies.
        keys: the key store.
        scope: of the keys that it has to have.
        window: what is asked for.
        now_ns: Unix ns, of a clock that cannot be set back.
        whole: each segment up to its end.

    Raises:
        DiskError: the disk fails.
    """
    for path, hour_ns in files_in(folder, window):
        try:
            found = _read(path, hour_ns, keys, scope, window, now_ns, whole=whole)
        except (FormatError, InputError) as error:
            yield Damage(path.name, error.message)
        else:
            yield from found


def files_in(folder: FootageFolder, window: Window) -> Iterator[tuple[Path, int]]:
    """Yield the files that may have some of an interval, with their hours: of those begun before it, the last only."""
    before: tuple[Path, int] | None = None
    for hour_ns in window.hours():
        for path in folder.segments(window.camera_id, hour_ns):
            began_ns = _began_ns(path)
            if began_ns is not None and began_ns <= window.from_ns:
                before = path, hour_ns
                continue
            if before is not None:
                yield before
                before = None
            if began_ns is None or began_ns < window.until_ns:
                yield path, hour_ns
    if before is not None:
        yield before


def headers_in(folder: FootageFolder, window: Window) -> Iterator[Header]:
    """Yield what the segments that may have some of an interval are of."""
    for path, _ in files_in(folder, window):
        with suppress(FormatError):  # as `read_window` says of it
            yield read_start(path)


def _began_ns(path: Path) -> int | None:
    """Return when a segment began; None: its header cannot be read, as `read_segment` will say."""
    try:
        return read_start(path).began_ns
    except FormatError:
        return None


def _read(
    path: Path, hour_ns: int, keys: KeyStore, scope: Scope, window: Window, now_ns: int, *, whole: bool
) -> Iterator[Stretch | Damage]:
    stored = read_segment(path, window.camera_id, hour_ns)
    if not stored.header.key.startswith(f"{scope.value}-"):
        raise InputError("its key is of another kind", remedy=_REMEDY)
    parts: list[Record] = []
    why = ""
    try:
        for part in stored.parts(keys, now_ns):
            if part.captured_at_ns >= window.until_ns and not whole:
                break
            parts.append(part)
    except KeyDestroyed:
        return iter(())
    except (FormatError, InputError) as error:
        why = error.message  # what came before it is whole
    return _stretches(path.name, stored.header, parts, why, window)


def _stretches(name: str, header: Header, parts: list[Record], why: str, window: Window) -> Iterator[Stretch | Damage]:
    if len(parts) > 1:  # the first is the header
        stretch = Stretch(header, tuple(parts))
        if stretch.until_ns > window.from_ns:
            yield stretch
    if why:
        yield Damage(name, why)
