"""Searches that `Tx.find` cannot do: ranges, counts, the newest."""

from collections.abc import Collection

from sqlalchemy import func, select

from habeas.store.records import Alert, Entry
from habeas.store.schema import TABLE_OF
from habeas.store.transaction import Tx
from habeas.store.values import matching


def alerts_between(
    tx: Tx,
    *,
    cameras: Collection[str] | None,
    from_ns: int,
    until_ns: int,
    states: Collection[str] | None,
    limit: int | None,
) -> list[Alert]:
    """Return alerts by their time of capture, newest first.

    Args:
        tx: to read in.
        cameras: ids; None: every camera.
        from_ns: first instant, Unix ns.
        until_ns: first instant after, Unix ns.
        states: to include; None: every state.
        limit: how many at most; None: all.
    """
    table = TABLE_OF[Alert]
    among = {"camera_id": cameras, "state": states}
    chosen = {name: set(values) for name, values in among.items() if values is not None}
    statement = (
        select(table)
        .where(table.c.captured_at_ns >= from_ns, table.c.captured_at_ns < until_ns, matching(Alert, chosen))
        .order_by(table.c.captured_at_ns.desc(), *tx.by_key(Alert))
        .limit(limit)
    )
    return [Alert(**row) for row in tx.execute(statement).mappings()]


def last_entry(tx: Tx) -> Entry | None:
    """Return the newest entry; None: nothing has happened."""
    table = TABLE_OF[Entry]
    row = tx.execute(select(table).order_by(table.c.seq.desc()).limit(1)).mappings().first()
    return None if row is None else Entry(**row)


def entries_from(tx: Tx, seq: int, limit: int) -> list[Entry]:
    """Return entries in their order, from number `seq` on, at most `limit`."""
    table = TABLE_OF[Entry]
    statement = select(table).where(table.c.seq >= seq).order_by(table.c.seq).limit(limit)
    return [Entry(**row) for row in tx.execute(statement).mappings()]


def count(tx: Tx, kind: type, /, **equal: object) -> int:
    """Return how many records have fields that equal these (as `Tx.find` means it)."""
    return int(tx.execute(select(func.count()).select_from(TABLE_OF[kind]).where(matching(kind, equal))).scalar_one())
