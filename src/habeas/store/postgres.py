"""Connections to PostgreSQL on which nobody waits for ever: a server, or the way to it, may stop answering."""

import time
from collections.abc import Generator
from typing import Any, Final, TypeVar

import psycopg
from sqlalchemy import Engine, event

_T = TypeVar("_T")
_CONNECT_S: Final = 10
_SILENT_S: Final = 30
"""A network on which nothing is acknowledged for so long is broken."""
ARGUMENTS: Final[dict[str, Any]] = {
    "connect_timeout": _CONNECT_S,
    "keepalives": 1,
    "keepalives_idle": _SILENT_S // 3,
    "keepalives_interval": _SILENT_S // 6,
    "keepalives_count": 4,
    "tcp_user_timeout": _SILENT_S * 1000,
}
"""Of libpq: the kernel then closes a connection whose other end is gone, also where nobody writes to it."""


class _Impatient(psycopg.Connection[Any]):
    """A connection that is closed once the server has said nothing for `answer_s` while it was waited for.

    Keepalive does not help against a server that is frozen, or whose disk hangs: its kernel still answers.
    """

    answer_s: float = float("inf")

    def wait(self, gen: Generator[Any, Any, _T], *args: Any, **named: Any) -> _T:
        """Wait as psycopg does, so long."""
        return super().wait(self._limited(gen), *args, **named)

    def _limited(self, steps: Generator[Any, Any, _T]) -> Generator[Any, Any, _T]:
        """Pass on what psycopg's generator yields, and what it is sent: falsy where nothing came for a moment."""
        heard_s = time.monotonic()
        try:
            state = next(steps)
            while True:
                ready = yield state
                if ready:
                    heard_s = time.monotonic()
                elif time.monotonic() - heard_s > self.answer_s:
                    self.pgconn.finish()  # nobody can tell any more what the server does with it
                    raise psycopg.OperationalError(f"the server has not answered for {self.answer_s:g} s")
                state = steps.send(ready)
        except StopIteration as end:
            answer: _T = end.value
            return answer


def limit(engine: Engine, answer_s: float) -> None:
    """Let the connections of an engine wait so long for an answer, and no longer."""

    def open_connection(_dialect: object, _record: object, arguments: Any, named: Any) -> _Impatient:
        connection = _Impatient.connect(*arguments, **named)
        connection.answer_s = answer_s
        return connection

    event.listen(engine, "do_connect", open_connection)
