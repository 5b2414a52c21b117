"""Copies of footage under another key, until another deadline: of a hold, or of a request of the public.

A copy is a segment as it was recorded, in a file of the same form and name, with another key and deadline in its
header. Copying again makes the same files: one that a crash cut off was not there, and one that has more takes the
place of one that has less.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from habeas.footage.files import FootageFolder
from habeas.footage.form import Header, Kind, Record
from habeas.footage.holding import Span, covered_ns
from habeas.footage.reading import Damage, Stretch, Window, read_window
from habeas.keys import KeyStore, Scope


@dataclass(frozen=True)
class Source:
    """Where footage may be copied from.

    Args:
        folder: where it lies.
        scope: of its keys.
    """

    folder: FootageFolder
    scope: Scope


@dataclass
class Copied:
    """What was copied. Owned by whoever copies.

    Args:
        parts: how many each segment has.
        seen: of the intervals asked for, what there is.
        damaged: names of files of which not everything could be read.
    """

    parts: dict[str, int] = field(default_factory=dict)
    seen: list[Span] = field(default_factory=list)
    damaged: set[str] = field(default_factory=set)

    @property
    def lasts_ns(self) -> int:
        """The camera time that there is, once however many copies have it."""
        return covered_ns(self.seen)


def found_in(sources: Iterable[Source], keys: KeyStore, window: Window, now_ns: int) -> Iterator[Stretch | Damage]:
    """Yield what there is of a window, from one source after the other."""
    for source in sources:
        yield from read_window(source.folder, keys, source.scope, window, now_ns)


def found_once(sources: Iterable[Source], keys: KeyStore, window: Window, now_ns: int) -> Iterator[Stretch | Damage]:
    """Yield what there is of a window in the order of its times, each segment once, wherever it lies."""
    each = [read_window(source.folder, keys, source.scope, window, now_ns) for source in sources]
    seen: set[str] = set()
    for one in heapq.merge(*each, key=_began_ns):
        if isinstance(one, Stretch):
            if one.header.segment in seen:
                continue
            seen.add(one.header.segment)
        yield one


def _began_ns(one: Stretch | Damage) -> int:
    return one.header.began_ns if isinstance(one, Stretch) else 0


def copy_found(
    found: Iterable[Stretch | Damage],
    to: FootageFolder,
    keys: KeyStore,
    header_of: Callable[[Header], Header],
    window: Window,
    copied: Copied,
) -> None:
    """Copy what was found, each segment once: of several that have it, what has most of it.

    Args:
        found: as `found_in` yields it.
        to: where copies go.
        keys: the key store.
        header_of: returns the header of a copy.
        window: that was asked for.
        copied: is told what was copied.

    Raises:
        KeyDestroyed: the deadline of a copy has passed.
        DiskError: the disk fails: copy again.
    """
    for one in found:
        if isinstance(one, Damage):
            copied.damaged.add(one.name)
        elif len(one.parts) > copied.parts.get(one.header.segment, 0):
            header = header_of(one.header)
            if header != one.header:  # else it is a copy that was made before
                to.put(keys, header, _ended(one))
            copied.parts[one.header.segment] = len(one.parts)
            copied.seen += _seen(one, window)


def _ended(stretch: Stretch) -> list[Record]:
    """Return the records of a copy: its parts, and that it ends there."""
    return [*stretch.parts, Record(Kind.END, stretch.until_ns, len(stretch.parts), b"")]


def _seen(stretch: Stretch, window: Window) -> list[Span]:
    """Return the time of a window that a segment has."""
    spans = [
        Span(
            window.camera_id,
            max(part.captured_at_ns, window.from_ns),
            min(part.captured_at_ns + part.lasts_ns, window.until_ns),
        )
        for part in stretch.parts
    ]
    return [one for one in spans if one.from_ns < one.until_ns]


def under(header: Header, key_id: str, deadline_ns: int) -> Header:
    """Return a header with another key and deadline."""
    return replace(header, key=key_id, deadline_ns=deadline_ns)
