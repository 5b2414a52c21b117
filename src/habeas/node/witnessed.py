"""What time it is by the witnesses: it bounds every search, and settles whether a clock that jumped is right now."""

from typing import Final

from habeas.authority.gallery import Gallery
from habeas.node.timekeeper import TOLERANCE_NS, Timekeeper
from habeas.store import Store
from habeas.types import NS_PER_S

ACTOR: Final = "witnesses"


def hear_time(witnessed_ns: int, time: Timekeeper, gallery: Gallery, store: Store) -> None:
    """Take in the median time of a quorum of witnesses.

    1. A wall clock that jumped and agrees with them is right: time is taken over from it, as two approvers would do.
    2. From then on people are compared only within windows that have begun, and not ended, by both clocks. Their times
       are exact to some seconds, within which both count as the same.

    Args:
        witnessed_ns: Unix ns.
        time: of the installation.
        gallery: what may be compared.
        store: for the entry.

    Raises:
        DiskError: the entry could not be written: the clock stays in doubt.
    """
    if time.jumped_rightly(witnessed_ns):  # 1
        with store.write() as tx:
            tx.entry("clock.confirmed", ACTOR, {"off_by_s": round(time.off_by_ns() / NS_PER_S)})
            tx.after_commit(time.confirm)
    apart_ns = witnessed_ns - time.now_ns()  # 2
    gallery.note_apart(apart_ns if abs(apart_ns) > TOLERANCE_NS else 0)
