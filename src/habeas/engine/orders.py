"""What the node asks of its workers, and what it hears of them."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from habeas.engine.messages import MAX_MASKS, MAX_NAME, Counters
from habeas.engine.run import TrackEnd
from habeas.engine.sandbox import Posture
from habeas.errors import InputError
from habeas.settings import DetectSettings, LiveSettings
from habeas.types import Flaw, Probe
from habeas.video.address import AddressRules, CameraAddress
from habeas.video.masks import Mask
from habeas.video.parts import Part

CAMERAS_PER_WORKER: Final = 48
RECORDED_PER_WORKER: Final = 24
REENCODED_PER_WORKER: Final = 8
DOORS_PER_WORKER: Final = 64
"""More than cameras: one that was stopped holds its door until its worker has let it go."""


@dataclass(frozen=True)
class CameraOrder:
    """A camera to watch.

    Args:
        camera_id: of the camera.
        address: as it was parsed; its name need not have been asked for.
        rules: what it may be, each time that it is connected to.
        detect: how faces are looked for.
        live: how its stream is kept alive; the transport is always TCP.
        masks: what is not looked at.

    Raises:
        InputError: a name that cannot be told to a worker, or more masks than that.
    """

    camera_id: str
    address: CameraAddress
    rules: AddressRules
    detect: DetectSettings
    live: LiveSettings
    masks: tuple[Mask, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < len(self.camera_id) <= MAX_NAME or not self.camera_id.isprintable():
            raise InputError("a camera's id cannot be printed", remedy=f"give 1 to {MAX_NAME} printable characters")
        if len(self.masks) > MAX_MASKS:
            raise InputError(f"{self.camera_id} has {len(self.masks)} masks", remedy=f"join them: at most {MAX_MASKS}")


class CameraState(enum.Enum):
    """What a camera is doing."""

    STARTING = "starting"
    RUNNING = "running"
    STALLED = "stalled"
    BACKOFF = "backoff"
    ENDED = "ended"


@dataclass(frozen=True)
class CameraReport:
    """How a camera stands.

    Args:
        camera_id: of the camera.
        state: starting until its first picture; stalled without pictures; backoff while it or its worker waits to be
            started again; ended: a file that is over, or cannot be read.
        epoch: of this start.
        worker_pid: of its worker, where one runs.
        counters: of this epoch, at most some seconds old.
        flaw: the last one; empty: none.
    """

    camera_id: str
    state: CameraState
    epoch: int
    worker_pid: int | None
    counters: Counters | None
    flaw: str


class WorkerChange(enum.Enum):
    """What became of a worker: it runs; it ended, by itself or asked; it was killed for what it did or did not do."""

    STARTED = "started"
    STOPPED = "stopped"
    KILLED = "killed"


@dataclass(frozen=True)
class WorkerNews:
    """Something became of a worker.

    Args:
        worker: which, from 0.
        change: what.
        why: one line, which may be the worker's own words; empty for a start.
        pid: of the process; 0 where none could be started.
        posture: the guards around it, once it started.
        model_id: what makes its templates, once it started.
    """

    worker: int
    change: WorkerChange
    why: str
    pid: int
    posture: Posture | None = None
    model_id: str = ""

    @property
    def cause(self) -> str:
        """Why, in words that no worker chose; empty for a start."""
        return _CAUSES[self.change] if self.why else ""


_CAUSES: Final = {
    WorkerChange.STARTED: "",
    WorkerChange.STOPPED: "it ended",
    WorkerChange.KILLED: "it was silent, or said what it may not",
}


@dataclass(frozen=True)
class Hearers:
    """Who hears of what. Called in threads that read from workers: they return soon, and never call the supervisor.

    Args:
        on_probe: what is to be compared.
        on_end: the end of a track, after all its probes.
        on_counters: totals of an epoch, about once a second.
        on_flaw: something went wrong with a camera and was survived, or ended it.
        on_worker: a worker started or ended.
        on_canary: a canary was in a camera's pictures, whether or not a probe was made of it, which came before.
        on_part: what was recorded of a camera, by its name and epoch, in order.
    """

    on_probe: Callable[[Probe], None]
    on_end: Callable[[TrackEnd], None]
    on_counters: Callable[[Counters], None]
    on_flaw: Callable[[Flaw], None]
    on_worker: Callable[[WorkerNews], None]
    on_canary: Callable[[str, bool], None]
    on_part: Callable[[str, int, Part], None]


@dataclass(frozen=True)
class Timing:
    """How long the node waits for a worker.

    Args:
        start_s: for its first message: it loads models.
        silence_s: for any message afterwards.
        message_s: for one whole message, once it began, either way.
        farewell_s: for its end, once asked.
        backoff_s: before it is started again, at most; doubles with every failure in a row.
        backoff_max_s: before it is started again, at most ever.
        healthy_s: having run for so long, its failure is a first one.
    """

    start_s: float = 60.0
    silence_s: float = 10.0
    message_s: float = 5.0
    farewell_s: float = 2.0
    backoff_s: float = 1.0
    backoff_max_s: float = 30.0
    healthy_s: float = 60.0
