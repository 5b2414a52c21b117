"""Searches that `Tx.find` cannot do: ranges, counts, the newest."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from sqlalchemy import ColumnElement, func, or_, select, union_all

from habeas.store.footage_records import Footage, Playback
from habeas.store.records import Alert, Authorisation, Camera, Count, Dispute, Entry, Look, LostEntry, Search, Verdict
from habeas.store.schema import TABLE_OF
from habeas.store.transaction import Tx
from habeas.store.values import matching

FACES: Final = ("image_sealed", "oversight_sealed", "place_sealed")
"""What most searches for alerts leave out. In what they return these are None, and say nothing of the row."""
HIDDEN: Final = ("hidden_key", "hidden_sealed")
"""What of an entry only auditors get."""
_MANY: Final = 500
"""What one statement names at most."""
_LAST_NS: Final = (1 << 63) - 1
"""No column holds a later time, and no driver takes one; whoever searches may ask for any."""
_ALERTS: Final = TABLE_OF[Alert].c
_DISPUTES: Final = TABLE_OF[Dispute].c
_FOOTAGE: Final = TABLE_OF[Footage].c
_KEPT: Final = _ALERTS.destroyed_at_ns.is_(None)
_SEALED: Final = (_ALERTS.oversight_until_ns > 0) & _ALERTS.oversight_key_id.is_not(None)
"""The first half makes SQLite use the index."""


def entries_from(tx: Tx, seq: int, limit: int) -> list[Entry]:
    """Return entries in their order, from number `seq` on, at most `limit`."""
    return tx.select(Entry, TABLE_OF[Entry].c.seq >= seq, limit=limit)


def lost_entries(tx: Tx, epoch: int, seq: int, limit: int) -> list[LostEntry]:
    """Return the entries that only this epoch's log has, in their order, from number `seq` on, at most `limit`."""
    lost = TABLE_OF[LostEntry].c
    return tx.select(LostEntry, lost.epoch == epoch, lost.seq >= seq, limit=limit)


def entries_of(tx: Tx, *kinds: str) -> list[Entry]:
    """Return all entries of these types, in their order."""
    return tx.find(Entry, kind=set(kinds))


def last_entry_of(tx: Tx, *kinds: str) -> Entry | None:
    """Return the last entry of these types."""
    found = tx.select(Entry, matching(Entry, {"kind": set(kinds)}), order=[TABLE_OF[Entry].c.seq.desc()], limit=1)
    return found[0] if found else None


def entries_naming(tx: Tx, texts: Sequence[str]) -> list[Entry]:
    """Return the entries whose body names one of these ids or hashes, in their order. It looks through all entries."""
    found: dict[int, Entry] = {}
    for some in _some(texts):
        named = or_(*(TABLE_OF[Entry].c.body.contains(f'"{text}"', autoescape=True) for text in some))
        found |= {entry.seq: entry for entry in tx.select(Entry, named)}
    return [found[seq] for seq in sorted(found)]


def entries_told(tx: Tx, seq: int, limit: int) -> list[Entry]:
    """As `entries_from`, without padding, and without what entries hide."""
    entries = TABLE_OF[Entry].c
    return tx.select(Entry, entries.seq >= seq, entries.kind != "padding", without=HIDDEN, limit=limit)


def cameras_last_heard(tx: Tx, *, after_ns: int, until_ns: int) -> list[Camera]:
    """Return cameras that are there and gave their last frames after the first instant, and until the second."""
    cameras = TABLE_OF[Camera].c
    heard = (cameras.delivered_at_ns > after_ns) & (cameras.delivered_at_ns <= until_ns)
    return tx.select(Camera, cameras.removed_at_ns.is_(None), heard, without=("record_sealed",))


def searches_before(tx: Tx, hour_ns: int) -> list[Search]:
    """Return the counted searches of the hours before this one."""
    return tx.select(Search, TABLE_OF[Search].c.hour_ns < hour_ns)


def counts_before(tx: Tx, day: str) -> list[Count]:
    """Return the counters of the days before this one that are no entries yet."""
    table = TABLE_OF[Count].c
    return tx.select(Count, table.day < day, matching(Count, {"logged": False}), order=[table.day])


def counts_between(tx: Tx, after: str, before: str) -> list[Count]:
    """Return the counters of the days between two, neither of which is among them."""
    table = TABLE_OF[Count].c
    return tx.select(Count, table.day > after, table.day < before, order=[table.day])


def alerts_between(
    tx: Tx,
    *,
    cameras: Collection[str] | None,
    from_ns: int,
    until_ns: int,
    states: Collection[str] | None,
    limit: int | None,
    zones: Collection[str] | None = None,
) -> list[Alert]:
    """Return alerts by their time of capture, newest first, without faces.

    Args:
        tx: to read in.
        cameras: ids; None: every camera.
        from_ns: first instant, Unix ns.
        until_ns: first instant after, Unix ns.
        states: to include; None: every state.
        limit: how many at most; None: all.
        zones: to include; None: every zone.
    """
    among = _among(camera_id=cameras, state=states, zone=zones)
    newest = [_ALERTS.captured_at_ns.desc()]
    return tx.select(Alert, _captured(from_ns, until_ns), among, without=FACES, order=newest, limit=limit)


def alerts_captured(tx: Tx, cameras: Collection[str], from_ns: int, until_ns: int) -> list[Alert]:
    """Return alerts captured on these cameras in a window, whose image is kept, in the order of keys, without faces."""
    return tx.select(Alert, _captured(from_ns, until_ns), _among(camera_id=cameras), _KEPT, without=FACES)


def alerts_seen_into(tx: Tx, cameras: Collection[str], from_ns: int) -> list[Alert]:
    """Return alerts captured on these cameras before an instant and seen again since, in any state, without faces."""
    before, since = _ALERTS.captured_at_ns < from_ns, _ALERTS.last_seen_ns >= from_ns
    return tx.select(Alert, _among(camera_id=cameras), before, since, without=FACES)


def alerts_waiting(
    tx: Tx, *, states: Collection[str], zones: Collection[str] | None, judges: Collection[str]
) -> list[Alert]:
    """Return alerts that this person has not judged and whose image is kept, the oldest first, without faces.

    Args:
        tx: to read in.
        states: to include.
        zones: to include; None: every zone.
        judges: the accounts of whoever judges.
    """
    verdicts = TABLE_OF[Verdict].c
    judged = select(verdicts.verdict_id).where(verdicts.alert_id == _ALERTS.alert_id, verdicts.account_id.in_(judges))
    among = _among(state=states, zone=zones)
    return tx.select(Alert, among, _KEPT, ~judged.exists(), without=FACES, order=[_ALERTS.raised_at_ns])


def alerts_seen(tx: Tx, *, camera_id: str, subject_id: str, states: Collection[str], seen_from_ns: int) -> list[Alert]:
    """Return a subject's alerts on a camera last seen then or later, whose image is kept, without faces."""
    among = _among(camera_id=[camera_id], subject_id=[subject_id], state=states)
    return tx.select(Alert, among, _KEPT, _ALERTS.last_seen_ns >= seen_from_ns, without=FACES)


def alerts_uncalled(tx: Tx, *, states: Collection[str], raised_until_ns: int) -> list[Alert]:
    """Return alerts raised until then for which nobody was called and whose image is kept, without faces."""
    raised = _ALERTS.raised_at_ns <= raised_until_ns
    return tx.select(Alert, _among(state=states), _KEPT, _ALERTS.called_at_ns.is_(None), raised, without=FACES)


def alerts_raised(tx: Tx, *, state: str, raised_until_ns: int) -> list[Alert]:
    """Return alerts in a state, raised until then, whose image is kept, without faces."""
    return tx.select(Alert, _among(state=[state]), _KEPT, _ALERTS.raised_at_ns <= raised_until_ns, without=FACES)


def alerts_over(tx: Tx) -> list[Alert]:
    """Return alerts whose image is kept and has expired, without faces."""
    return tx.select(Alert, _KEPT, _ALERTS.expires_at_ns <= tx.now_ns, without=FACES)


def alerts_sealed(tx: Tx, *, until_ns: int | None) -> list[Alert]:
    """Return alerts of which oversight has a copy that ends until then (None: whenever), without faces."""
    ends = [] if until_ns is None else [_ALERTS.oversight_until_ns <= until_ns]
    return tx.select(Alert, _SEALED, *ends, without=FACES)


def verdicts_on(tx: Tx, alert_ids: Sequence[str]) -> list[Verdict]:
    """Return the verdicts on these alerts, however many, in the order of alerts as given and of keys."""
    return [verdict for ids in _some(alert_ids) for verdict in tx.find(Verdict, alert_id=ids)]


def looks_at(tx: Tx, alert_ids: Sequence[str]) -> list[Look]:
    """Return the looks at these alerts, however many."""
    return [look for ids in _some(alert_ids) for look in tx.find(Look, alert_id=ids)]


def playbacks_of(tx: Tx, alert_ids: Sequence[str]) -> list[Playback]:
    """Return the films of these alerts, however many."""
    return [row for ids in _some(alert_ids) for row in tx.find(Playback, alert_id=ids)]


def _some(ids: Sequence[str]) -> Iterator[list[str]]:
    """Yield ids in portions that one statement takes."""
    return (list(ids[start : start + _MANY]) for start in range(0, len(ids), _MANY))


def alert_keys(tx: Tx) -> set[str]:
    """Return the ids of the keys that alerts still need: of images, of oversight's copies, and of disputes."""
    named = union_all(
        select(_ALERTS.key_id).where(_KEPT),
        select(_ALERTS.oversight_key_id).where(_SEALED),
        select(_DISPUTES.key_id).where(_DISPUTES.until_ns > tx.now_ns),
    )
    return set(tx.execute(named).scalars())


def count_authorisations(tx: Tx, states: Collection[str]) -> int:
    """Return how many authorisations are in these states."""
    among = matching(Authorisation, {"state": set(states)})
    return int(tx.execute(select(func.count()).select_from(TABLE_OF[Authorisation]).where(among)).scalar_one())


def footage_last_of(tx: Tx, camera_id: str) -> Footage | None:
    """Return the camera-hour in which the camera was recorded last, of those that are kept and have a segment."""
    own = (_FOOTAGE.camera_id == camera_id) & (_FOOTAGE.segments > 0)
    found = tx.select(Footage, own, order=[_FOOTAGE.until_ns.desc()], limit=1)
    return found[0] if found else None


def footage_due(tx: Tx, *, kept_ns: int, limit: int) -> list[Footage]:
    """Return camera-hours that are due, or would be if they were kept for so long at most."""
    due = (_FOOTAGE.deadline_ns <= tx.now_ns) | (_FOOTAGE.hour_ns + kept_ns <= tx.now_ns)
    return tx.select(Footage, due, limit=limit)


def footage_beyond(tx: Tx, *, kept_ns: int, limit: int) -> list[Footage]:
    """Return camera-hours that are to be kept for longer than so long."""
    return tx.select(Footage, _FOOTAGE.deadline_ns > _FOOTAGE.hour_ns + kept_ns, limit=limit)


def footage_names(tx: Tx) -> set[str]:
    """Return the ids of all camera-hours."""
    return set(tx.execute(select(_FOOTAGE.footage_id)).scalars())


def footage_deadline(tx: Tx, cameras: Collection[str], from_ns: int) -> int:
    """Return when the first of these cameras' camera-hours is due that may have something of this time or later."""
    own = _FOOTAGE.camera_id.in_(set(cameras)) & (_FOOTAGE.until_ns > from_ns)
    found = tx.select(Footage, own, order=[_FOOTAGE.deadline_ns], limit=1)
    return found[0].deadline_ns if found else _LAST_NS


def recorded_ns(tx: Tx) -> int:
    """Return the camera time of all footage that is recorded and not due, as its segments came to."""
    there = _FOOTAGE.deadline_ns > tx.now_ns
    return int(tx.execute(select(func.coalesce(func.sum(_FOOTAGE.lasts_ns), 0)).where(there)).scalar_one())


def _captured(from_ns: int, until_ns: int) -> ColumnElement[bool]:
    first_ns, end_ns = (min(max(at_ns, 0), _LAST_NS) for at_ns in (from_ns, until_ns))
    return (_ALERTS.captured_at_ns >= first_ns) & (_ALERTS.captured_at_ns < end_ns)


def _among(**choices: Collection[str] | None) -> ColumnElement[bool]:
    return matching(Alert, {name: set(values) for name, values in choices.items() if values is not None})
