"""Ends that come with time, and the destruction that follows every end.

`tick` runs each second and at start. What has ended is gone in three independent ways: its sealed fields are emptied
in the transaction that ends it, its keys are destroyed after that commit and again here until an entry says so, and
every key carries its own expiry in the key store, which `KeyStore.reap` keeps without asking the database.
"""

from habeas.authority.authorisations import OPEN_NS, OVER, State, end, subjects_of
from habeas.keys import KeyStore
from habeas.store import Tx
from habeas.store.records import Authorisation, Subject


def tick(tx: Tx, keys: KeyStore) -> list[Authorisation]:
    """End what is over, and destroy what belongs to ended ones.

    Args:
        tx: the transaction; its time follows elapsed time, not a clock that jumped.
        keys: the key store.

    Returns:
        the authorisations that ended just now.
    """
    ended = []
    for row in tx.find(Authorisation, state=[State.DRAFT.value, State.SUBMITTED.value, State.ACTIVE.value]):
        verdict = _due(tx, keys, row)
        if verdict is not None:
            ended.append(end(tx, keys, row, *verdict))
    _destroy(tx, keys)
    return ended


def _due(tx: Tx, keys: KeyStore, row: Authorisation) -> tuple[State, str, str] | None:
    """Return how an authorisation ends now, if it does: state, by whom, why."""
    missing = {subject.key_id for subject in subjects_of(tx, row)} - keys.ids()
    if missing and not _lapsed(tx, row):
        return State.EXPIRED, "clock", "its keys are destroyed: this database is older than they are"
    if row.state == State.ACTIVE.value:
        return _active_due(tx, row)
    if not _lapsed(tx, row):
        return None
    state = State.EXPIRED if row.state == State.DRAFT.value else State.REFUSED
    return state, "clock", "nobody approved it in time"


def _active_due(tx: Tx, row: Authorisation) -> tuple[State, str, str] | None:
    if tx.now_ns < (row.ends_at_ns or 0):
        return None
    if row.confirmed_at_ns is None:
        return State.REFUSED, "clock", "started urgently, and not approved within 24 h"
    return State.EXPIRED, "clock", "its window is over"


def _lapsed(tx: Tx, row: Authorisation) -> bool:
    """Tell whether a request waited too long, or past its own window."""
    if row.state == State.ACTIVE.value:
        return tx.now_ns >= (row.ends_at_ns or 0)
    return tx.now_ns >= row.created_at_ns + OPEN_NS or (row.kind == "live" and tx.now_ns >= row.until_ns)


def _destroy(tx: Tx, keys: KeyStore) -> None:
    """Destroy keys of ended authorisations, and note that they are gone."""
    for row in tx.find(Authorisation, state=[state.value for state in OVER], discarded_at_ns=None):
        key_ids = {subject.key_id for subject in subjects_of(tx, row)}
        keys.destroy(key_ids)
        for subject in tx.find(Subject, authorisation_id=row.authorisation_id):
            tx.change(subject, discarded_at_ns=tx.now_ns)
        tx.change(row, discarded_at_ns=tx.now_ns)
        tx.entry("authorisation.discarded", "clock", {"authorisation": row.authorisation_id, "keys": len(key_ids)})


def reconcile(tx: Tx, keys: KeyStore) -> None:
    """Give the keys of running authorisations the end that their approval gave them; a crash may have come between."""
    for row in tx.find(Authorisation, state=State.ACTIVE.value):
        for subject in subjects_of(tx, row):
            if subject.key_id in keys.ids() and keys.expires_at_ns(subject.key_id) != row.ends_at_ns:
                keys.reschedule(subject.key_id, row.ends_at_ns or tx.now_ns)
