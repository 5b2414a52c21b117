"""The films of alerts, as far as alerts end: each goes in the transaction of its alert's decision or destruction.

How they are made and played: `footage.playback`.
"""

from collections.abc import Sequence

from habeas.keys import KeyStore, Scope
from habeas.store import Tx, queries
from habeas.store.footage_records import Playback


def forget_playbacks(tx: Tx, alert_ids: Sequence[str]) -> list[str]:
    """Forget the films of alerts that nobody judges any more.

    Returns:
        The ids of the keys that the caller destroys once this is committed.
    """
    rows = queries.playbacks_of(tx, alert_ids)
    for row in rows:
        tx.remove(row)
    return [row.key_id for row in rows if row.key_id]


def stray_keys(tx: Tx, keys: KeyStore) -> list[str]:
    """Return the keys of films that no row names: of what was forgotten, or of an older database."""
    known = keys.ids(Scope.PLAYBACK)
    return sorted(known - {row.key_id for row in tx.find(Playback)}) if known else []
