"""Lines that are written by a thread of their own: who says something never waits for who reads it."""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TextIO

ROOM: Final = 1000
"""Lines that wait; further ones are dropped, the newest first, and counted."""
_FAREWELL_S: Final = 1.0


class Writer:
    """Writes lines in order, in a thread of its own. A context manager; its end waits a second for what is left.

    Thread-safe. Where nobody reads, or a disk is full, lines are dropped; how many is written once there is room again.

    Args:
        write: writes a line; may take for ever, and raise `OSError`.
        dropped: makes the line that says how many were dropped.
    """

    def __init__(self, write: Callable[[str], None], dropped: Callable[[int], str]) -> None:
        self._write = write
        self._told_dropped = dropped
        self._lock = threading.Lock()
        self._lines: queue.Queue[str | None] = queue.Queue(ROOM)
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Have a line written, or drop it. Returns at once."""
        with self._lock:
            self._tell_dropped()
            if self._dropped or not self._put(line):
                self._dropped += 1

    def _tell_dropped(self) -> None:
        """Say how many were dropped, before any later line, if there is room."""
        if self._dropped and self._put(self._told_dropped(self._dropped)):
            self._dropped = 0

    def _put(self, line: str) -> bool:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._write(line)
            except OSError:  # nobody reads any more, or there is no room; that may pass
                with self._lock:
                    self._dropped += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left, for a second at most."""
        deadline_s = time.monotonic() + _FAREWELL_S
        with self._lock:
            self._tell_dropped()
        try:
            self._lines.put(None, timeout=_FAREWELL_S)
        except queue.Full:
            return
        self._thread.join(max(0.0, deadline_s - time.monotonic()))


def to_stream(stream: TextIO | None) -> Callable[[str], None]:
    """Return what writes lines to standard output or error, past Python's buffer.

    That one is locked while it writes: a thread that never gets its line out would keep the program from ending.

    Args:
        stream: None, or one without a file: lines go nowhere.
    """
    try:
        descriptor, encoding = (stream.fileno(), stream.encoding) if stream is not None else (-1, "")
    except (OSError, ValueError):
        descriptor, encoding = -1, ""

    def write(line: str) -> None:
        data = f"{line}\n".encode(encoding, "backslashreplace") if descriptor >= 0 else b""
        while data:
            data = data[os.write(descriptor, data) :]

    return write


class LogLines(logging.Handler):
    """Hands what the web server logs to a writer: a log that nobody reads never blocks an answer.

    Args:
        writer: of the lines.
    """

    def __init__(self, writer: Writer) -> None:
        super().__init__(logging.WARNING)
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Have a record written."""
        self._writer.put(self.format(record))
