"""Since when no quorum of witnesses has cosigned the log: a fact of the database, so that no start begins anew."""

from typing import Final

from habeas.authority.policy import ceilings_now
from habeas.store import Tx
from habeas.store.records import Meta

_QUORUM: Final = "log_quorum_ns"
_NAMED: Final = "log_named_ns"


def note_quorum(tx: Tx) -> None:
    """Note that a quorum cosigned just now."""
    _note(tx, _QUORUM)
    for named in tx.find(Meta, name=_NAMED):
        tx.remove(named)


def note_named(tx: Tx) -> None:
    """Note that witnesses are named who did not cosign just now, where that is not noted yet."""
    if not tx.find(Meta, name=[_NAMED, _QUORUM]):
        _note(tx, _NAMED)


def _note(tx: Tx, name: str) -> None:
    value = str(tx.now_ns)
    for earlier in tx.find(Meta, name=name):
        tx.change(earlier, value=value)
        return
    tx.add(Meta(name, value))


def last_quorum_ns(tx: Tx) -> int | None:
    """Return when a quorum last cosigned; None: none ever did."""
    return _noted(tx, _QUORUM)


def unwitnessed_since_ns(tx: Tx) -> int | None:
    """Return when a quorum last cosigned, or was first missed; None: nobody is named, or nothing was noted yet."""
    if not ceilings_now(tx).witnesses:
        return None
    quorum_ns = _noted(tx, _QUORUM)
    return _noted(tx, _NAMED) if quorum_ns is None else quorum_ns


def _noted(tx: Tx, name: str) -> int | None:
    return next((int(meta.value) for meta in tx.find(Meta, name=name)), None)
