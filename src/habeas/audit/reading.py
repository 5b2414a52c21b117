"""The one pass of a verifier over the entries of a log: steps 3, 4, 6 and 7 of `audit.verify`, entry by entry."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from habeas.audit.entry import Leaf, hour_text
from habeas.audit.fetching import Openings, Source
from habeas.audit.history import History, Said, open_entry, said_of
from habeas.audit.openings import left_file
from habeas.audit.text import shown
from habeas.audit.tiles import TILE_WIDTH, Tile, VerifiedTiles, tiles_of
from habeas.clock import ns_of_utc
from habeas.errors import FormatError, InputError, ProofError
from habeas.types import HOUR_NS, NS_PER_S

EPOCH: Final = "log.epoch"
"""Type of the entry that begins an epoch."""
_CLOCK: Final = frozenset({"clock.jumped", "clock.confirmed", "database.restored"})
"""Types of entries that explain why hours go back."""
_NEAR: Final = 256
"""So many entries before or after, the one that explains it is there."""
_BACK_NS: Final = 60 * NS_PER_S
"""By so much a time may be before one of an earlier entry: more than clocks in one program are apart."""
_COPY: Final = "compare with another copy of the log; keep this one, it is evidence"

Progress = Callable[[int, int], None]
"""(entries verified, entries in all)."""


@dataclass(frozen=True)
class Part:
    """Whose entries are read.

    Args:
        source: the files of an epoch's log.
        tiles: verified against its checkpoint.
        number: of the epoch, from 1.
        first_seq: number of its first entry.
        end_seq: number of the first entry of the next epoch; None: there is none.
    """

    source: Source
    tiles: VerifiedTiles
    number: int
    first_seq: int
    end_seq: int | None


@dataclass(frozen=True)
class Read:
    """What reading showed of one epoch.

    Args:
        released: entries that are public.
        latest_ns: hour of the last of them, Unix nanoseconds; None: there are none.
        begins: an entry begins the epoch.
    """

    released: int
    latest_ns: int | None
    begins: bool


class Reading:
    """Reads the entries of one epoch after the other.

    Args:
        openings: of an auditor's export; None: there are none.
        total: entries in all.
        progress: called with every bundle.
    """

    def __init__(self, openings: Openings | None, total: int, progress: Progress) -> None:
        self._openings = openings
        self._total = total
        self._progress = progress
        self.history: Final = History()
        """What was opened. Empty without openings."""
        self.left: Final[list[History]] = []
        """What was opened of each epoch that has entries which no later one has, with all before them."""
        self.gone: Final[list[tuple[Said, History]]] = []
        """Entries of which what they hide could not be opened, and what else was opened with them."""
        self.entries = self.pending = self.opened = self.hidden = self.left_behind = 0

    def read(self, part: Part) -> Read:
        """Verify the tiles and entries of an epoch.

        Raises:
            ProofError: one does not hold; the first is named.
        """
        hours = _Hours()
        begins = False
        opening = None if self._openings is None else _Opening(part, self._openings, self.history)
        released = part.tiles.size if opening is not None else released_entries(part.source, part.tiles.size)
        for index, leaf in self._leaves(part, released):
            hours.take(index, leaf)  # 4
            begins = begins or leaf.kind == EPOCH
            if opening is not None:
                self._take(opening.open(index, leaf), opening.history)
        hours.end()
        if opening is not None:
            opening.times.end()
            self.left_behind += opening.left_behind
            self.left.extend([opening.history] if opening.left_behind else [])
        return Read(released, hours.latest_ns, begins)

    def _take(self, said: Said, history: History) -> None:
        self.opened += 1
        self.hidden += said.sealed or said.opened
        if said.sealed:
            self.gone.append((said, history))
        history.add(said)

    def _leaves(self, part: Part, released: int) -> Iterator[tuple[int, Leaf]]:
        """Yield the leaves that are public, having verified also the tiles of those that are not."""
        for tile in tiles_of(0, 0, part.tiles.size):
            if tile.start < released:
                for index, entry in enumerate(part.tiles.entries(tile.index), tile.start):  # 3
                    yield index, _leaf(entry, index)  # 4
                self.entries += tile.width
            else:
                part.tiles.reader(0, tile.start)  # 3: hashes are public at once
                self.pending += tile.width
            self._progress(self.entries + self.pending, self._total)


class _Opening:
    """Opens the entries of an epoch. Those that another one left behind are opened too, and told apart."""

    def __init__(self, part: Part, openings: Openings, history: History) -> None:
        self._part = part
        self._openings = openings
        self._lines = openings.lines(part.first_seq)
        self.history = history
        """Of which the next entry is."""
        self.times: Final = _Times()
        self.left_behind = 0

    def open(self, index: int, leaf: Leaf) -> Said:
        """Open the next entry.

        Raises:
            ProofError: it cannot be, is not what the leaf committed to, or goes back in time.
        """
        seq, end_seq = self._part.first_seq + index, self._part.end_seq
        if end_seq is not None and seq >= end_seq:
            self._leave()
        line = next(self._lines, None)
        if line is None:
            raise ProofError(f"the opening of entry {seq} is missing", remedy=self._remedy(), index=index)
        opening, hidden = open_entry(line, seq, index, leaf)  # 6, 7
        said = said_of(opening, hidden, index)
        self.times.take(index, said)  # 6
        return said

    def _leave(self) -> None:
        """Go on with what this epoch alone has from here on: another one began before it, as two approvers said."""
        if not self.left_behind:
            self._lines = self._openings.left_behind(self._part.number)
            self.history = self.history.fork()
        self.left_behind += 1

    def _remedy(self) -> str:
        if self.left_behind:
            return f"a later epoch left it behind: add the lines of an older export as {left_file(self._part.number)}"
        return "ask for the export again"


def released_entries(source: Source, size: int) -> int:
    """Return how many entries are there, found in a few questions: a public copy lacks those of the last day.

    If bundles are missing between others, it is one of those before such a gap; nothing is said of what follows.
    """
    count = -(-size // TILE_WIDTH)
    if not count or _has(source, count - 1, size):
        return size
    least, most = 0, count
    while least < most - 1:
        middle = (least + most) // 2
        least, most = (middle, most) if _has(source, middle - 1, size) else (least, middle)
    return least * TILE_WIDTH


def _has(source: Source, index: int, size: int) -> bool:
    return source.has(Tile(0, index, min(TILE_WIDTH, size - index * TILE_WIDTH)).bundle_path)


def _leaf(entry: bytes, index: int) -> Leaf:
    try:
        return Leaf.parse(entry)
    except InputError as error:
        raise FormatError(f"leaf {index}: {error.message}", remedy=error.remedy, index=index) from error


class _Order:
    """Whether entries go forward: where they do not, one near them says that a clock was set."""

    def __init__(self) -> None:
        self._explained = -_NEAR - 1
        self._waiting: int | None = None
        """The first leaf that went back and is not explained."""

    def take(self, index: int, kind: str, *, back: bool) -> None:
        """Take the next leaf, which goes back or does not.

        Raises:
            ProofError: one went back, and nothing near it says why.
        """
        if self._waiting is not None and index - self._waiting > _NEAR:
            self.end()
        if kind in _CLOCK:
            self._explained, self._waiting = index, None
        if back and self._waiting is None and index - self._explained > _NEAR:
            self._waiting = index

    def end(self) -> None:
        """Refuse what nothing explained.

        Raises:
            ProofError: see `take`.
        """
        if self._waiting is not None:
            raise ProofError(
                f"leaf {self._waiting} goes back in time, and no entry near it says that a clock was set",
                remedy=_COPY,
                index=self._waiting,
            )


class _Hours:
    """Whether the hours of leaves go forward."""

    def __init__(self) -> None:
        self._latest = self._least = ""
        self.latest_ns: int | None = None
        """The hour in force, Unix nanoseconds."""
        self._order = _Order()
        self.end = self._order.end

    def take(self, index: int, leaf: Leaf) -> None:
        """Take the next leaf.

        Raises:
            ProofError: an hour went back, and nothing near it says why.
            FormatError: it is no hour.
        """
        self._order.take(index, leaf.kind, back=leaf.hour < self._least)
        if self._least <= leaf.hour <= self._latest:
            return
        self._latest, self.latest_ns = leaf.hour, _hour_ns(leaf.hour, index)
        self._least = hour_text(self.latest_ns - HOUR_NS)


class _Times:
    """Whether the times of entries go forward."""

    def __init__(self) -> None:
        self._latest_ns = 0
        self._order = _Order()
        self.end = self._order.end

    def take(self, index: int, said: Said) -> None:
        """Take the next entry.

        Raises:
            ProofError: a time went back, and nothing near it says why.
        """
        back = said.at_ns < self._latest_ns - _BACK_NS
        self._order.take(index, said.kind, back=back)
        self._latest_ns = said.at_ns if back else max(self._latest_ns, said.at_ns)


def _hour_ns(hour: str, index: int) -> int:
    try:
        return ns_of_utc(hour)
    except InputError:
        raise FormatError(f"leaf {index}: {shown(hour)} is no hour", remedy=_COPY, index=index) from None
