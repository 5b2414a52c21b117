"""Was somebody listed between two instants? Answered from tags, which reach a year back.

While a listing is active, or its notice is deferred, everyone gets the same answer: what has ended and may be told, and
that anything else is told when it ends. So nobody learns from an answer that they are looked for now.
"""

from collections.abc import Iterator
from datetime import date

from habeas.authority.listing import all_tags
from habeas.keys import KeyStore
from habeas.store import Tx
from habeas.store.records import Authorisation, Subject
from habeas.types import utc

DEFERRED = "what is active, or may not be told yet, is in no answer: it is told when it ends; ask again after that"


def told_listings(
    tx: Tx, keys: KeyStore, name: str, born: date, *, from_ns: int, until_ns: int
) -> Iterator[dict[str, object]]:
    """Yield the listings of a person in an interval that may be told, oldest first, JSON values.

    Args:
        tx: the transaction.
        keys: for tags.
        name: of the person.
        born: birth date.
        from_ns: first instant, Unix ns.
        until_ns: first instant after.
    """
    subjects = tx.find(Subject, tag=all_tags(keys, name, born))
    rows = tx.find(Authorisation, authorisation_id={one.authorisation_id for one in subjects}) if subjects else []
    for row in sorted(rows, key=lambda row: (row.started_at_ns or 0, row.authorisation_id)):
        started_ns, ended_ns = row.started_at_ns, row.ended_at_ns
        if started_ns is None or ended_ns is None or not _may_be_told(row, tx.now_ns):
            continue
        if started_ns < until_ns and from_ns < ended_ns:
            yield {
                "authorisation": row.authorisation_id,
                "purpose": row.purpose,
                "kind": row.kind,
                "from": utc(started_ns),
                "until": utc(ended_ns),
            }


def _may_be_told(row: Authorisation, now_ns: int) -> bool:
    """Tell whether the people of a listing that ended were told of it, or should have been by now."""
    due_ns = row.notify_due_ns
    return row.notified_at_ns is not None or due_ns is None or due_ns <= now_ns
