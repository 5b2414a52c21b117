"""Where a verifier reads a log: a folder, or a web address. What comes from there is believed in nothing.

How much is read, for how long, and from whom, is bounded here: each file by its kind, an answer in time, and no
redirect is followed. Bytes are taken as they are on the wire, so that nothing unpacks to more than was sent.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol, Self

import httpx

from habeas.audit.folder import LogFolder
from habeas.audit.merkle import HASH_BYTES
from habeas.audit.note import MAX_NOTE_BYTES
from habeas.audit.openings import A_FILE, left_file, openings_file
from habeas.audit.text import shown
from habeas.audit.tiles import MAX_BUNDLE_BYTES, TILE_WIDTH
from habeas.errors import DiskError, FormatError, InputError, ProofError
from habeas.ports import Clock
from habeas.types import NS_PER_S

EPOCHS: Final = "epochs.json"
MAX_EPOCHS_BYTES: Final = 4 << 20
MAX_LINE_BYTES: Final = 4 * ((1 << 16) - 1)
"""Of an opening with what is hidden: two texts of 64 KiB, and what JSON puts around them."""

_TIMEOUT_S: Final = 20.0
_FILE_NS: Final = 120 * NS_PER_S
_CHUNK: Final = 1 << 16
_OK: Final = 200
_GONE: Final = frozenset({404, 410})
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Source(Protocol):
    """The files of a log, by name. `LogFolder` is one."""

    def read(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            InputError: there is none, or it cannot be fetched.
            DiskError: it cannot be read.
        """

    def has(self, name: str) -> bool:
        """Tell whether there is such a file."""


def most_bytes(name: str) -> int:
    """Return how long a file of a log can be."""
    if name == EPOCHS:
        return MAX_EPOCHS_BYTES
    if name.startswith("tile/entries/"):
        return MAX_BUNDLE_BYTES
    return TILE_WIDTH * HASH_BYTES if name.startswith("tile/") else MAX_NOTE_BYTES


class Fetcher:
    """HTTP of a verifier. A context manager.

    Args:
        clock: bounds how long one file may take.
        transport: of HTTP; None: the network.
    """

    def __init__(self, clock: Clock, transport: httpx.BaseTransport | None = None) -> None:
        self._clock = clock
        self._client = httpx.Client(
            timeout=_TIMEOUT_S,
            transport=transport,
            follow_redirects=False,
            headers={"accept-encoding": "identity"},
        )

    def status(self, url: str) -> int:
        """Return how a file would be answered, without reading it.

        Raises:
            InputError: it cannot be asked for.
        """
        try:
            with self._client.stream("GET", url) as response:
                return response.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(url, error) from error

    def get(self, url: str, most: int) -> bytes:
        """Return a file.

        Raises:
            InputError: there is none, it is longer than it can be, or it does not come.
        """
        try:
            with self._client.stream("GET", url) as response:
                if response.status_code != _OK:
                    raise _not_given(url, response.status_code)
                return self._read(url, response, most)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(url, error) from error

    def _read(self, url: str, response: httpx.Response, most: int) -> bytes:
        until_ns = self._clock.monotonic_ns() + _FILE_NS
        parts, length = [], 0
        for part in response.iter_raw(_CHUNK):
            parts.append(part)
            length += len(part)
            if length > most:
                raise InputError(f"{shown(url)} is longer than {most} bytes", remedy="this is no log of Habeas")
            if self._clock.monotonic_ns() > until_ns:
                raise InputError(f"{shown(url)} takes too long", remedy="try again, or ask for a copy of the log")
        return b"".join(parts)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _not_given(url: str, status: int) -> InputError:
    if status in _GONE:
        return InputError(f"there is no {shown(url)}", remedy="check the address; it is the one above `checkpoint`")
    moved = 300 <= status < 400  # noqa: PLR2004 - HTTP's redirects
    remedy = "give the address that it leads to, if you trust it" if moved else "try again, or ask its operator"
    return InputError(f"{shown(url)} answered {status}", remedy=remedy)


def _unreachable(url: str, error: Exception) -> InputError:
    return InputError(f"{shown(url)} cannot be fetched: {type(error).__name__}", remedy="check the address, try again")


class LogUrl:
    """A log's files at a web address.

    Args:
        url: the prefix.
        fetcher: does the fetching; its owner closes it.

    Raises:
        InputError: neither https nor this machine, or an address with a password, query or fragment.
    """

    def __init__(self, url: str, fetcher: Fetcher) -> None:
        self._url: Final = checked_url(url)
        self._fetcher = fetcher

    def read(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            InputError: there is none, or it cannot be fetched.
        """
        return self._fetcher.get(f"{self._url}/{name}", most_bytes(name))

    def has(self, name: str) -> bool:
        """Tell whether there is such a file.

        Raises:
            InputError: that cannot be asked.
        """
        url = f"{self._url}/{name}"
        status = self._fetcher.status(url)
        if status != _OK and status not in _GONE:
            raise _not_given(url, status)
        return status == _OK

    def __repr__(self) -> str:
        return f"LogUrl({self._url!r})"


class Keeping:
    """A source of which every file that is read is kept, as it came, before anybody looks into it.

    Args:
        source: the files.
        folder: for the copies; made when there is one.
    """

    def __init__(self, source: Source, folder: Path) -> None:
        self._source = source
        self._folder = folder

    def read(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            InputError: there is none, or it cannot be fetched.
            DiskError: it cannot be kept.
        """
        data = self._source.read(name)
        path = self._folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            raise DiskError(f"{path}: cannot be kept ({error.strerror})", remedy="choose another place") from error
        return data

    def has(self, name: str) -> bool:
        """Tell whether there is such a file."""
        return self._source.has(name)


def is_url(where: str) -> bool:
    """Tell whether this is meant as a web address."""
    return "://" in where


def checked_url(text: str) -> str:
    """Return a web address that may be read, without a slash at its end.

    Raises:
        InputError: it is none, is not https, or carries a password, query or fragment.
    """
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise InputError(f"{shown(text)} is no web address", remedy="write https://HOST/PATH") from None
    local = url.scheme == "http" and url.host in _LOOPBACK
    if not url.host or not (url.scheme == "https" or local):
        raise InputError(f"{shown(text)} is not https", remedy="write https://HOST/PATH; http is for this machine only")
    if url.userinfo or url.query or url.fragment:
        raise InputError("the address has a password, query or fragment", remedy="write https://HOST/PATH")
    return text.rstrip("/")


def source_at(where: str, fetcher: Fetcher) -> Source:
    """Return the files below a folder or web address.

    Raises:
        InputError: it is neither.
    """
    if is_url(where):
        return LogUrl(where, fetcher)
    path = Path(where)
    if not path.is_dir():
        raise InputError(f"{shown(where)} is no folder", remedy="give the folder or web address of a log")
    return LogFolder(path)


class Openings(Protocol):
    """The openings of an export. `OpeningsFolder` is them."""

    def lines(self, seq: int) -> Iterator[bytes]:
        """Yield the line of each entry, from this number on."""

    def left_behind(self, number: int) -> Iterator[bytes]:
        """Yield the line of each entry that only this epoch has: a later one began before it."""


class OpeningsFolder:
    """The openings of an auditor's export: `openings/NNNNNN.jsonl`, one line an entry, 65,536 lines a file.

    Args:
        path: the folder above `openings`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def lines(self, seq: int) -> Iterator[bytes]:
        """Yield the line of each entry, from this number on.

        Raises:
            FormatError: a line is too long.
            ProofError: a file has fewer lines than it should, and another follows.
            InputError: a file cannot be read.
        """
        skip = seq % A_FILE
        while (path := self._path / openings_file(seq)).is_file():
            count = 0
            for line in _lines(path):
                count += 1
                if count > skip:
                    yield line
            seq, skip = seq + A_FILE, 0
            if count < A_FILE and (self._path / openings_file(seq)).is_file():
                raise ProofError(f"{path.name} has {count} lines, not {A_FILE}", remedy="ask for the export again")

    def left_behind(self, number: int) -> Iterator[bytes]:
        """Yield the line of each entry that only this epoch has; none, if an auditor did not add them.

        Raises:
            FormatError: a line is too long.
            InputError: the file cannot be read.
        """
        path = self._path / left_file(number)
        if path.is_file():
            yield from _lines(path)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                if len(line) > MAX_LINE_BYTES:
                    raise FormatError(f"{path.name} has a line that is too long", remedy="ask for the export again")
                yield line
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})", remedy="check the folder") from error


def openings_at(where: str) -> OpeningsFolder | None:
    """Return the openings beside a log; None: it is a public copy, which has none."""
    if is_url(where) or not (Path(where) / openings_file(0)).is_file():
        return None
    return OpeningsFolder(Path(where))
