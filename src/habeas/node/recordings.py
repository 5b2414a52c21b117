"""What `habeas doctor` says of footage: whether recording goes on and has room, and who waits for an answer."""

import shutil
from collections.abc import Iterator, Sequence
from typing import Final

from habeas.footage.access import overdue
from habeas.footage.files import FOOTAGE
from habeas.footage.recorder import RESUMED, STOPPED, stopped_why
from habeas.footage.rows import kept_for_ns
from habeas.node.findings import Finding, ok, warn
from habeas.node.workspace import Workspace
from habeas.store import Tx
from habeas.store.queries import footage_last_of, last_entry_of
from habeas.store.records import Camera
from habeas.types import NS_PER_S, utc

_ACCESS: Final = "access requests"
_CHECK: Final = "footage"
_UNMASKED: Final = (
    "to have them in it: set the camera to H.264, then habeas camera remove and habeas camera add --reencode, under "
    "another name"
)
_SILENT_NS: Final = 600 * NS_PER_S
"""A segment is counted when it ends, after five minutes at the latest."""
_SILENT: Final = "see its last trouble: habeas camera list; and that the node runs: habeas status"
_REMEDY: Final = "see that its disk has room and works, and that the clock is right; then look whether it goes on"


def check_access(tx: Tx) -> Iterator[Finding]:
    """Say which access requests should have been answered by now."""
    late = overdue(tx)
    for row in late:
        text = f"{row.access_id} was to be answered by {utc(row.due_ns)}"
        yield warn(_ACCESS, text, f"answer it, then: habeas access close {row.access_id}", access=row.access_id)
    if not late:
        yield ok(_ACCESS, "none is overdue")


def check_footage(tx: Tx, workspace: Workspace) -> Iterator[Finding]:
    """Say how recording stands, as far as the database and the disk tell."""
    cameras = [one for one in tx.find(Camera, removed_at_ns=None) if one.record_sealed is not None]
    recorded = len(cameras)
    yield from _unmasked(cameras)
    if not recorded:
        yield ok(_CHECK, "no camera is recorded", cameras=0)
        return
    own = workspace.folder / FOOTAGE
    free_bytes = shutil.disk_usage(own if own.exists() else workspace.folder).free
    stopped, free_mb = stopped_why(tx), free_bytes // 1_000_000
    if stopped is None:
        yield from _silent(tx, cameras)
    else:
        at_ns, why = stopped
        yield warn(_CHECK, f"nothing was recorded since {utc(at_ns)}: {why}", _REMEDY, kind=STOPPED, why=why)
    if free_bytes < workspace.settings.footage.reserve_bytes:
        text = f"{free_mb} MB free, less than footage.reserve_gb leaves: nothing is recorded"
        yield warn(_CHECK, text, "make room, or lower footage_h by policy", free_mb=free_mb)
    elif stopped is None:
        yield ok(_CHECK, f"{recorded} cameras are to be recorded; {free_mb} MB free", cameras=recorded, free_mb=free_mb)


def _silent(tx: Tx, cameras: Sequence[Camera]) -> Iterator[Finding]:
    """Say of which cameras nothing was recorded for so long that it is no segment which is being written."""
    again = last_entry_of(tx, RESUMED, "node.started")
    again_ns = 0 if again is None else again.at_ns
    for one in cameras if kept_for_ns(tx) else ():
        last = footage_last_of(tx, one.camera_id)
        since_ns = max(one.added_at_ns, again_ns, 0 if last is None else last.until_ns)
        if tx.now_ns - since_ns >= _SILENT_NS:
            there = f"nothing was recorded of {one.camera_id} since {utc(since_ns)}"
            text = there if last is not None else f"there is no footage of {one.camera_id}"
            yield warn(_CHECK, text, _SILENT, camera=one.camera_id)


def _unmasked(cameras: Sequence[Camera]) -> Iterator[Finding]:
    """Say whose masks are not in what is recorded of it."""
    for one in cameras:
        if one.masks and not one.reencode:
            text = f"the masks of {one.camera_id} do not apply to its footage: it is recorded as it comes"
            yield warn(_CHECK, text, _UNMASKED, camera=one.camera_id)
