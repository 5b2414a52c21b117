"""Playing what is held: segment by segment, each an entry before it leaves; nothing else of footage comes out here.

A segment plays from its beginning only, which may lie before the interval: `skip_s` says by how much.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from habeas.accounts.roles import Actor
from habeas.errors import InputError, KeyDestroyed, RuleError
from habeas.footage.files import FootageFolder
from habeas.footage.holding import is_kept
from habeas.footage.reading import Stretch, Window, headers_in, read_window
from habeas.footage.showing import sees
from habeas.keys import KeyStore, Scope
from habeas.store import Tx
from habeas.store.footage_records import Hold
from habeas.types import seconds, utc


@dataclass(frozen=True, repr=False)
class Held:
    """Where held footage lies, and how it is read.

    Args:
        folder: of all that is preserved.
        keys: the key store.
    """

    folder: Path
    keys: KeyStore

    def segments(self, hold: Hold, camera_id: str, now_ns: int) -> Iterator[Stretch]:
        """Yield what is held of a camera, in order; what cannot be read is left out.

        Raises:
            DiskError: the disk fails.
        """
        window = Window(camera_id, hold.from_ns, hold.until_ns)
        folder = FootageFolder(self.folder / hold.hold_id)
        for one in read_window(folder, self.keys, Scope.HOLD, window, now_ns):
            if isinstance(one, Stretch):
                yield one

    def segment(self, hold: Hold, camera_id: str, segment: str, now_ns: int) -> Stretch | None:
        """Return one of them; None: it is not held, or cannot be read.

        Raises:
            DiskError: the disk fails.
        """
        window = Window(camera_id, hold.from_ns, hold.until_ns)
        for header in headers_in(FootageFolder(self.folder / hold.hold_id), window):
            if header.segment == segment:
                from_ns = max(header.began_ns, hold.from_ns)
                rest = self.segments(replace(hold, from_ns=from_ns), camera_id, now_ns)
                return next((one for one in rest if one.header.segment == segment), None)
        return None


def playable(tx: Tx, actor: Actor, hold_id: str) -> Hold:
    """Return a hold that this actor may play now.

    Raises:
        InputError: no such hold.
        RuleError: it is not theirs to play, or a token asks.
        KeyDestroyed: nothing of it is held, or not any more.
    """
    hold = tx.get(Hold, hold_id)
    actor.require_login()
    if not sees(actor, hold):
        raise RuleError(
            "a hold is played for whoever proposed it, approvers and privacy officers",
            rule="playback",
            remedy="ask one of them",
        )
    if not is_kept(hold, tx.now_ns):
        raise KeyDestroyed(f"this hold is {hold.state}: it holds nothing now", remedy="see `habeas footage holds`")
    return hold


def listed(held: Held, hold: Hold, now_ns: int) -> list[dict[str, object]]:
    """Return the segments of a hold, JSON values: no picture is in it."""
    return [
        {
            "camera": camera_id,
            "segment": one.header.segment,
            "began": utc(one.header.began_ns),
            "seconds": seconds(one.lasts_ns),
            "skip_s": seconds(max(0, hold.from_ns - one.header.began_ns)),
            "codec": one.header.codec,
        }
        for camera_id in hold.cameras
        for one in held.segments(hold, camera_id, now_ns)
    ]


def found_in_hold(held: Held, hold: Hold, camera_id: str, segment: str, now_ns: int) -> Stretch:
    """Return a segment of a hold; in no transaction, since it may be large.

    Raises:
        InputError: no such segment.
        DiskError: the disk fails.
    """
    found = held.segment(hold, camera_id, segment, now_ns) if camera_id in hold.cameras else None
    if found is None:
        raise InputError("no such segment in this hold", remedy="see `habeas footage play`")
    return found


def note_played(tx: Tx, actor: Actor, hold_id: str, found: Stretch) -> bytes:
    """Return a segment as fragmented MP4, and write who plays it. Commit before it leaves.

    Raises:
        InputError: no such hold.
        RuleError: it is not theirs to play.
        KeyDestroyed: nothing of it is held any more.
    """
    playable(tx, actor, hold_id)
    header = found.header
    body = {"camera": header.camera, "from": utc(header.began_ns), "hold": hold_id, "until": utc(found.until_ns)}
    tx.entry("footage.played", actor.account_id, body)
    return found.data
