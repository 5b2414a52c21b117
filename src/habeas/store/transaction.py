"""One transaction: records go in and out whole, and an entry says what happened."""

import dataclasses
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final, TypeVar, cast

import rfc8785
from sqlalchemy import ColumnElement, Connection, Executable, Text, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from habeas.errors import DiskError, HabeasError, InputError
from habeas.store.records import Entry
from habeas.store.schema import TABLE_OF
from habeas.store.values import checked, matching

_T = TypeVar("_T")
MAX_BODY_BYTES: Final = 48 << 10
"""Of an entry. With what else its opening says, it stays below the 64 KiB that logs of this format take."""
_SALT_BYTES: Final = 16
_MANY: Final = 500
"""Records that one statement changes or inserts at most."""
NOT_KEPT: Final = "see that its disk has room and its server runs; nothing of this step was kept"


@contextmanager
def translated(remedy: str = NOT_KEPT) -> Iterator[None]:
    """Turn the errors of SQLAlchemy and its drivers into `DiskError`, without statements or values."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = error.__cause__ or error
        said = (str(cause).splitlines() or [""])[0]
        raise DiskError(f"the database failed: {type(cause).__name__}: {said}", remedy=remedy) from error


@dataclasses.dataclass(frozen=True, repr=False)
class Hidden:
    """The part of an entry that can be read only while a key is there. Made by `audit.hiding.hide`.

    Args:
        sha256: of the canonical JSON of what is hidden, which holds a salt of its own; hexadecimal.
        key_id: under which it is encrypted.
        sealed: the encrypted bytes.
    """

    sha256: str
    key_id: str
    sealed: bytes


class Tx:
    """One transaction. Made by `Store.write` and `Store.read`.

    Args:
        connection: begun.
        now_ns: the one time of this transaction.
        writes: whether it may change anything.
    """

    def __init__(self, connection: Connection, now_ns: int, *, writes: bool) -> None:
        self.now_ns = now_ns
        self.touched: set[type] = set()
        """The kinds of record that it may have changed."""
        self._connection = connection
        self._writes = writes
        self._broken = False
        self._seq: int | None = None
        self._entries: list[dict[str, object]] = []
        self._after: list[Callable[[], None]] = []

    def add(self, record: object) -> None:
        """Insert a record.

        Raises:
            InputError: there is one with this key or unique name, or it holds what no database keeps.
        """
        kind = type(record)
        values = {field.name: getattr(record, field.name) for field in dataclasses.fields(cast("Any", record))}
        self._write(kind, insert(TABLE_OF[kind]).values(checked(kind, values)))

    def get(self, kind: type[_T], /, *key: object) -> _T:
        """Return the record with this key.

        Raises:
            InputError: there is none.
        """
        found = self.select(kind, matching(kind, dict(zip(_key_names(kind), key, strict=True))))
        if not found:
            raise InputError(f"no such {kind.__name__.lower()}: {key[0]}", remedy="list what there is")
        return found[0]

    def find(self, kind: type[_T], /, *, without: Collection[str] = (), **equal: object) -> list[_T]:
        """Return the records whose fields equal these (a list or set: one of them), in the order of their key.

        Args:
            kind: of record.
            without: fields that are not read, and None in what is returned, whatever they hold: long ones.
            equal: fields and their values.

        Raises:
            InputError: a value that no field holds.
        """
        return self.select(kind, matching(kind, equal), without=without)

    def select(
        self,
        kind: type[_T],
        *conditions: ColumnElement[bool],
        without: Collection[str] = (),
        order: Sequence[ColumnElement[Any]] = (),
        limit: int | None = None,
    ) -> list[_T]:
        """Return the records that meet conditions; for `store.queries`.

        Args:
            kind: of record.
            conditions: all of them.
            without: as in `find`.
            order: before that of the key.
            limit: how many at most; None: all.
        """
        table = TABLE_OF[kind]
        if not all(table.c[name].nullable for name in without):
            raise HabeasError(f"a {kind.__name__} cannot be without one of {sorted(without)}", remedy="report this")
        columns = [column for column in table.c if column.name not in without] if without else [table]
        statement = select(*columns).where(*conditions).order_by(*order, *self.by_key(kind)).limit(limit)
        absent = dict.fromkeys(without)
        return [kind(**row, **absent) for row in self.execute(statement).mappings()]

    def change(self, record: _T, /, **values: object) -> _T:
        """Write these fields of a record, and return it with them.

        Raises:
            InputError: it is not there any more, another has this unique name, or a value that no database keeps.
        """
        kind = type(record)
        statement = update(TABLE_OF[kind]).where(_is(record)).values(checked(kind, values))
        if self._write(kind, statement) != 1:
            raise InputError(f"this {kind.__name__.lower()} is not there any more", remedy="list what there is")
        return cast("_T", dataclasses.replace(cast("Any", record), **values))

    def change_all(self, records: Sequence[object], /, **values: object) -> None:
        """Write these fields of many records of one kind, the same into each, with few statements.

        Raises:
            InputError: one of them is not there any more, or a value that no database keeps.
        """
        for start in range(0, len(records), _MANY):
            some = records[start : start + _MANY]
            kind = type(some[0])
            (name,) = _key_names(kind)
            those = matching(kind, {name: [getattr(record, name) for record in some]})
            if self._write(kind, update(TABLE_OF[kind]).where(those).values(checked(kind, values))) != len(some):
                raise InputError(f"one {kind.__name__.lower()} is not there any more", remedy="list what there is")

    def remove(self, record: object) -> None:
        """Delete a record, if it is there."""
        kind = type(record)
        self._write(kind, delete(TABLE_OF[kind]).where(_is(record)))

    def entry(self, kind: str, actor: str, body: Mapping[str, object], hidden: Hidden | None = None) -> int:
        """Write what happened; returns its number. Numbers have no gaps.

        Args:
            kind: such as `authorisation.approved`.
            actor: account id, or the part of the program that acted.
            body: JSON values; no name, image or template of anybody; times as text (`types.utc`).
            hidden: what goes with a key.

        Raises:
            InputError: the body has no canonical form (RFC 8785): a number beyond 2^53, half a character; or too long.
        """
        self._check_writes()
        seq = self.next_seq()
        entry = Entry(seq, self.now_ns, kind, actor, _canonical(kind, body), secrets.token_bytes(_SALT_BYTES))
        if hidden is not None:
            entry = dataclasses.replace(
                entry, hidden_sha256=hidden.sha256, hidden_key=hidden.key_id, hidden_sealed=hidden.sealed
            )
        self._entries.append(checked(Entry, vars(entry)))
        self._seq = seq + 1
        return seq

    def next_seq(self) -> int:
        """Return the number of the next entry: how many there are."""
        if self._seq is None:
            column = TABLE_OF[Entry].c.seq
            self._seq = int(self.execute(select(func.coalesce(func.max(column) + 1, 0))).scalar_one())
        return self._seq

    def entries(self, kind: str, actor: str, bodies: Iterable[Mapping[str, object]]) -> None:
        """Write that something happened many times, as `entry` does."""
        for body in bodies:
            self.entry(kind, actor, body)

    def _write_entries(self) -> None:
        """Write the entries that wait, many with a statement: before anything is read, and before the commit."""
        waiting, self._entries = self._entries, []
        for start in range(0, len(waiting), _MANY):
            self._write(Entry, insert(TABLE_OF[Entry]), waiting[start : start + _MANY])

    def after_commit(self, tell: Callable[[], None]) -> None:
        """Call `tell` once this is durable; never if it is not.

        Calls come in the order of the commits, before the next writer's turn: `tell` may write, but must not wait for
        another thread that does.
        """
        self._check_writes()
        self._after.append(tell)

    def execute(self, statement: Executable) -> Any:
        """Run a statement that changes nothing; for `store.queries`.

        Raises:
            DiskError: the database failed, now or before in this transaction.
        """
        self._write_entries()
        with translated(), self._watched():
            return self._connection.execute(statement)

    def check(self) -> None:
        """Write what waits, and check before the commit that every statement held, whoever caught the error of one.

        Raises:
            DiskError: one failed.
        """
        self._check_whole()
        self._write_entries()

    def _check_whole(self) -> None:
        if self._broken:
            raise DiskError("the database failed earlier in this step", remedy=NOT_KEPT)

    def tell(self) -> None:
        """Make the calls of `after_commit`, each of them even if another fails."""
        with ExitStack() as calls:
            for tell in reversed(self._after):
                calls.callback(tell)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Let nothing follow a statement that failed: SQLite may have rolled back, and what followed would be kept."""
        self._check_whole()
        try:
            yield
        except SQLAlchemyError:
            self._broken = True
            raise

    def _write(self, kind: type, statement: Executable, rows: list[dict[str, object]] | None = None) -> int:
        """Run a statement under a savepoint, so that a refusal leaves the transaction usable; returns rows met.

        Args:
            kind: of record.
            statement: to run.
            rows: values of many records, for an insert that has none.
        """
        self._check_writes()
        self.touched.add(kind)
        with translated(), self._watched():
            savepoint = self._connection.begin_nested()
            try:
                met = self._connection.execute(statement, rows).rowcount
            except IntegrityError:  # what is not unique: the rest was refused by `checked`
                savepoint.rollback()
                raise InputError(
                    f"there is such a {kind.__name__.lower()} already", remedy="choose another name"
                ) from None
            savepoint.commit()
            return met

    def _check_writes(self) -> None:
        if not self._writes:
            raise HabeasError("a reading transaction cannot write", remedy="report this")

    def by_key(self, kind: type) -> list[Any]:
        """Return the order of a kind's key: of text by its bytes, where PostgreSQL would sort by language."""
        sorts_by_language = self._connection.dialect.name == "postgresql"
        return [
            column.collate("C") if sorts_by_language and isinstance(column.type, Text) else column
            for column in TABLE_OF[kind].primary_key
        ]


def _canonical(kind: str, body: Mapping[str, object]) -> str:
    try:
        text = rfc8785.dumps(cast("Any", {"v": 1, **body}))
    except ValueError as error:
        raise InputError(f"no entry {kind} with this body: {error}", remedy="give plain values") from error
    if len(text) > MAX_BODY_BYTES:
        raise InputError(f"an entry {kind} of {len(text)} bytes is too long", remedy="name less at once")
    return text.decode()


def _key_names(kind: type) -> list[str]:
    return [column.name for column in TABLE_OF[kind].primary_key]


def _is(record: object) -> ColumnElement[bool]:
    return matching(type(record), {name: getattr(record, name) for name in _key_names(type(record))})
