"""Transactions: one writer at a time; an effect and its entry commit together; what is told goes out only after."""

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Engine

from habeas.errors import HabeasError, InputError
from habeas.ports import Clock
from habeas.store.connection import connect, database_file, reading, writing
from habeas.store.migrate import check_schema
from habeas.store.transaction import Tx


class Store:
    """The database of an installation. A context manager; thread-safe.

    Args:
        engine: of a database whose schema is this program's.
        clock: tells each transaction its time.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._turn = threading.RLock()
        self._writing = False
        self._counting = threading.Lock()
        self._commits: Counter[type] = Counter()

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """Begin, hand out the transaction, commit; on any error nothing of it remains.

        Raises:
            DiskError: it could not be made durable.
            HabeasError: this thread is in such a transaction already.
        """
        with self._turn:
            touched: set[type] = set()
            try:
                with self._alone(), writing(self._engine) as connection:
                    tx = Tx(connection, self._clock.now_ns(), writes=True)
                    touched = tx.touched
                    yield tx
                    tx.check()
            finally:  # after the commit, also where nobody knows whether it happened
                self._count(touched)
            tx.tell()

    def _count(self, kinds: Collection[type]) -> None:
        with self._counting:
            self._commits.update(kinds)

    def commits(self, *kinds: type) -> tuple[int, ...]:
        """Return how often a transaction that may have changed each of these kinds has ended here.

        Whoever asks before reading, and keeps both, knows later whether reading again could show anything else: the
        number changes after the commit and before `write` returns. What another process writes does not count.
        """
        with self._counting:
            return tuple(self._commits[kind] for kind in kinds)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._writing:
            raise HabeasError("a write was begun inside a write", remedy="report this")
        self._writing = True
        try:
            yield
        finally:
            self._writing = False

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """Hand out a transaction that sees one moment, for reading.

        Raises:
            DiskError: the database failed.
        """
        with reading(self._engine) as connection:
            yield Tx(connection, self._clock.now_ns(), writes=False)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self._engine.dialect.name})"


def database_url(location: str, workspace: Path) -> str:
    """Return the URL of the setting `database`: empty is a file in the workspace."""
    return location or f"sqlite:///{workspace / 'habeas.db'}"


def open_store(url: str, clock: Clock) -> Store:
    """Open the database of an installation.

    Raises:
        InputError: there is none, or its schema is newer, or older, than this program's.
        DiskError: it cannot be opened, or does not keep what it confirms.
    """
    engine = connect(url)
    file = database_file(url)
    if file is not None and not file.is_file():
        raise InputError("there is no database here", remedy="make an installation with `habeas init DIR`")
    try:
        with writing(engine) as connection:  # the settings of writers are checked where they begin
            check_schema(connection)
    except BaseException:
        engine.dispose()
        raise
    return Store(engine, clock)
