"""Whether cameras that nobody watches still give frames: shares of cameras are counted of those that do.

Each is asked about four times a day, one at a time and never all at once: its headers and some packets are read, as by
`habeas camera test`, nothing is decoded for analysis, and nobody is looked for; so also where it is suspended.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable
from typing import Final

from habeas.errors import InputError
from habeas.ports import Clock
from habeas.store import Store
from habeas.store.records import Camera
from habeas.types import HOUR_NS

PAUSE_S: Final = 10.0
"""Between two cameras: 1,000 that all are silent take less than the shortest turn."""
_EVERY_NS: Final = 6 * HOUR_NS
_FIRST_NS: Final = HOUR_NS
"""From the start of the node, cameras of which nothing is known are spread over this."""
_JITTER: Final = 0.25


class Liveness:
    """Asks idle cameras in turn. Used by one thread.

    Args:
        store: the database.
        clock: the store's.
        ask: asks one, and notes that frames came (`Node.test_camera`).
        watched: names those that are analysed, whose frames are counted anyway.
    """

    def __init__(
        self, store: Store, clock: Clock, ask: Callable[[Camera], object], watched: Callable[[], Collection[str]]
    ) -> None:
        self._store = store
        self._clock = clock
        self._ask = ask
        self._watched = watched
        self._began_ns = clock.now_ns()
        self._asked_ns: dict[str, int] = {}

    def step(self) -> str | None:
        """Ask the camera that is due, if one is, and return its name.

        Raises:
            DiskError: the database failed.
            HabeasError: no worker can be started.
        """
        with self._store.read() as tx:
            there = tx.find(Camera, without=("record_sealed",), removed_at_ns=None)
        watched, now_ns = self._watched(), self._clock.now_ns()
        idle = [one for one in there if one.camera_id not in watched and one.public_url.startswith("rtsp")]
        self._asked_ns = {one.camera_id: self._asked_ns.get(one.camera_id, 0) for one in there}
        camera = first_due(idle, self._asked_ns, self._began_ns, now_ns)
        if camera is None:
            return None
        self._asked_ns[camera.camera_id] = now_ns
        try:
            self._ask(camera)
        except InputError:  # its address is unknown or may not be opened any more: it delivers nothing
            return camera.camera_id
        return camera.camera_id


def first_due(cameras: Iterable[Camera], asked_ns: dict[str, int], began_ns: int, now_ns: int) -> Camera | None:
    """Return the camera whose turn came first; None: it is nobody's turn. Pure.

    Args:
        cameras: to choose from.
        asked_ns: when each was last asked, by id; 0: not since the node began.
        began_ns: when that was.
        now_ns: Unix ns.
    """
    due = ((_due_ns(one, asked_ns.get(one.camera_id, 0), began_ns), one.camera_id, one) for one in cameras)
    when_ns, _, camera = min(due, default=(now_ns + 1, "", None))
    return camera if when_ns <= now_ns else None


def _due_ns(camera: Camera, asked_ns: int, began_ns: int) -> int:
    last_ns = max(asked_ns, camera.delivered_at_ns or 0)
    share = _share(f"{camera.camera_id} {last_ns}")
    next_ns = last_ns + round(_EVERY_NS * (1 + _JITTER * (2 * share - 1)))
    return next_ns if asked_ns else max(next_ns, began_ns + round(_FIRST_NS * share))


def _share(of: str) -> float:
    """Return a number from 0 to 1, the same for the same text, and spread evenly over others."""
    return int.from_bytes(hashlib.sha256(of.encode()).digest()[:4], "big") / (1 << 32)
