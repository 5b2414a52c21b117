"""A scene played as a camera.

A `SceneSource` is given a `Scene`, never a file: its pictures are drawn, encoded and decoded in this process, which is
why they, and only they, may be compared on the basis `demo`.
"""

import dataclasses
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Self

from habeas.clock import SystemClock
from habeas.errors import DiskError, SourceError
from habeas.measure.scenes import Scene, draw_scene, silent
from habeas.measure.walks import FaceTruth
from habeas.ports import Clock, FrameSource
from habeas.types import NS_PER_S, U8, Frame, Origin, OriginKind, Seal, claim_seal
from habeas.video import open_source

_SEAL: Final = claim_seal(Seal.SCENE)
_REMEDY: Final = "set TMPDIR to a folder with room"


class SceneSource:
    """Plays a scene as a camera. It draws, encodes and decodes the scene itself, in a file without a name.

    Args:
        scene: what to play. There is no way to hand in a video.
        camera_id: name of the invented camera.
        real_time: give out each picture when its time has come; none is dropped.
        clock: what real time is, and when pictures are captured.
        report: told the share drawn, 0 to 1.

    Raises:
        DiskError: nowhere to write the scene.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        camera_id: str = "scene",
        real_time: bool = False,
        clock: Clock | None = None,
        report: Callable[[float], None] = silent,
    ) -> None:
        self._origin = Origin(OriginKind.SCENE, camera_id, _SEAL)
        self._scene = scene
        self._clock = clock or SystemClock()
        self._real_time = real_time
        self._closed = self._started = False
        self._decoding = threading.Lock()
        try:
            # A file without a name: whatever ends this process, the pictures are gone with it.
            self._file = tempfile.TemporaryFile(prefix="habeas-scene-")  # noqa: SIM115 - closed by `close`
        except OSError as error:
            raise DiskError(
                f"no temporary file: {error.strerror}", remedy="set TMPDIR to a folder with room"
            ) from error
        try:
            self._video = Path(f"/proc/self/fd/{self._file.fileno()}")
            self._truth = draw_scene(scene, self._video, report=report)
            self._source: FrameSource = open_source(str(self._video))
        except OSError as error:
            self._file.close()
            raise DiskError(
                f"no room for the scene: {error.strerror}", remedy="set TMPDIR to a folder with room"
            ) from error
        except BaseException:
            self._file.close()
            raise

    @property
    def origin(self) -> Origin:
        """The scene."""
        return self._origin

    @property
    def rate_hz(self) -> float:
        """Pictures a second."""
        return float(self._scene.rate_hz)

    @property
    def duration_ns(self) -> int | None:
        """Length of the scene."""
        return self._scene.frame_count * NS_PER_S // self._scene.rate_hz

    @property
    def flaws(self) -> tuple[str, ...]:
        """What decoding survived."""
        return self._source.flaws

    def frames(self) -> Iterator[Frame]:
        """Yield the pictures, decoded, in order; `real_time` waits for each.

        Raises:
            SourceError: iterated twice, or closed before.
        """
        if self._started or self._closed:
            raise SourceError("a scene is played once", remedy="open another SceneSource")
        self._started = True
        start_ns = self._clock.monotonic_ns()
        decoded = self._source.frames()
        while (frame := self._next(decoded)) is not None:
            if self._real_time:
                self._clock.wait(max(0, start_ns + frame.pts_ns - self._clock.monotonic_ns()))
            if self._closed:
                return
            yield dataclasses.replace(frame, origin=self._origin, captured_at_ns=self._clock.now_ns())

    def still(self, pts_ns: int) -> tuple[U8, list[FaceTruth]]:
        """Return the picture at a time, decoded anew, and who is truly in it.

        Args:
            pts_ns: of a picture that `frames` gave out.

        Returns:
            (h, w, 3) uint8, and the truth of that picture.

        Raises:
            SourceError: closed, or no picture has that time.
        """
        if self._closed:
            raise SourceError("the scene is closed", remedy="ask before closing it")
        with open_source(str(self._video)) as again:
            for frame in again.frames():
                if frame.pts_ns >= pts_ns:
                    return frame.image_rgb.copy(), self._truth[frame.index]
        raise SourceError(f"the scene ends before {pts_ns} ns", remedy="ask for an earlier picture")

    def _next(self, decoded: Iterator[Frame]) -> Frame | None:
        """Decode one picture, unless closed: the lock keeps `close` from freeing a decoder at work."""
        with self._decoding:
            return None if self._closed else next(decoded, None)

    def close(self) -> None:
        """Stop, and let go of the scene's pictures."""
        self._closed = True
        with self._decoding:
            self._source.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
