"""What the database says of footage: a row a camera-hour, and an entry for each that begins and for each gap."""

from collections.abc import Sequence
from typing import Final

from habeas.authority.policy import Ceilings, policy_now
from habeas.errors import InputError
from habeas.footage.files import SegmentFile, hour_text
from habeas.keys import KeyStore, Scope
from habeas.store import Tx
from habeas.store.footage_records import Footage
from habeas.store.queries import footage_last_of
from habeas.store.records import Camera
from habeas.types import HOUR_NS, NS_PER_S, utc
from habeas.video.parts import Lost

ACTOR: Final = "recorder"
_GAP_NS: Final = 2 * NS_PER_S


def footage_id(camera_id: str, hour_ns: int) -> str:
    """Return the name of a camera-hour."""
    return f"{camera_id}/{hour_text(hour_ns)}"


def kept_for_ns(tx: Tx) -> int:
    """Return for how long the policy in force lets footage be kept; 0: none is recorded."""
    return Ceilings.load(policy_now(tx).body).footage_h * HOUR_NS


def row_of(tx: Tx, keys: KeyStore, camera_id: str, hour_ns: int) -> Footage | None:
    """Return the row of a camera-hour; the first segment of an hour makes its key, with the deadline that holds.

    Returns:
        None where the policy lets nothing be kept.

    Raises:
        InputError: its deadline has passed already.
        DiskError: the key could not be made.
    """
    for row in tx.find(Footage, footage_id=footage_id(camera_id, hour_ns)):
        return row
    kept_ns = kept_for_ns(tx)
    if not kept_ns:
        return None
    deadline_ns = hour_ns + kept_ns
    if deadline_ns <= tx.now_ns:
        raise InputError("the wall clock says a time whose footage is past its deadline", remedy="set the clock right")
    key_id = keys.new(Scope.FOOTAGE, deadline_ns)
    row = Footage(footage_id(camera_id, hour_ns), camera_id, hour_ns, key_id, deadline_ns, hour_ns)
    tx.add(row)
    body = {"camera": camera_id, "deadline": utc(deadline_ns), "hour": utc(hour_ns), "zone": _zone(tx, camera_id)}
    tx.entry("footage.began", ACTOR, body)
    return row


def note_gap(tx: Tx, camera_id: str, captured_at_ns: int, lost: Lost) -> None:
    """Write an entry where nothing was recorded since the last part of the camera of which there is footage.

    Args:
        tx: the transaction.
        camera_id: of the camera.
        captured_at_ns: of the first picture since, Unix ns.
        lost: why, where what came was not recorded.
    """
    last = footage_last_of(tx, camera_id)
    if last is not None and captured_at_ns - last.until_ns > _GAP_NS:
        body = {"camera": camera_id, "from": utc(last.until_ns), "until": utc(captured_at_ns)}
        why = {"why": lost} if lost else {}
        tx.entry("footage.gap", ACTOR, {**body, **why, "zone": _zone(tx, camera_id)})


def count_segment(tx: Tx, file: SegmentFile) -> None:
    """Add a segment that is over to the row of its hour, if that is still there."""
    for row in tx.find(Footage, footage_id=footage_id(file.header.camera, file.header.hour_ns)):
        tx.change(
            row,
            until_ns=max(row.until_ns, file.until_ns),
            lasts_ns=row.lasts_ns + file.lasts_ns,
            bytes_stored=row.bytes_stored + file.bytes,
            segments=row.segments + 1,
        )


def counted_ns(tx: Tx, cameras: Sequence[str], from_ns: int, until_ns: int) -> int:
    """Return how much is counted of some cameras in an interval, at most: where in its hour it lies no row says.

    What is being written is not counted yet, and what is kept beyond its deadline by others is in no row.
    """
    most_ns = 0
    for row in tx.find(Footage, camera_id=list(cameras)):
        within_ns = min(until_ns, row.until_ns) - max(from_ns, row.hour_ns)
        most_ns += max(0, min(within_ns, row.lasts_ns)) if row.deadline_ns > tx.now_ns else 0
    return most_ns


def _zone(tx: Tx, camera_id: str) -> str:
    return next((one.zone for one in tx.find(Camera, without=("record_sealed",), camera_id=camera_id)), "")
