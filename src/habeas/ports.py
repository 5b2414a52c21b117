"""Who may move the records: the seams with more than one real implementation, and no other."""

from collections.abc import Iterator
from typing import Protocol, Self, runtime_checkable

from habeas.types import F32, Frame, Origin


class Clock(Protocol):
    """Time, injected. Real: `clock.SystemClock`; for tests and replay: `clock.ManualClock`."""

    def now_ns(self) -> int:
        """Return wall-clock time, Unix nanoseconds."""

    def monotonic_ns(self) -> int:
        """Return a time that never jumps, nanoseconds from an arbitrary start."""

    def boot_ns(self) -> int:
        """Return the time since the machine started, sleep included, nanoseconds: what a set clock cannot change."""

    def boot_id(self) -> str:
        """Return what tells one start of the machine from another."""

    def wait(self, duration_ns: int) -> None:
        """Return after `duration_ns` of this clock's time."""


@runtime_checkable
class FrameSource(Protocol):
    """Pictures in order. Real: files, live streams and still folders (`video`), generated scenes (`measure`).

    Open on construction; a context manager; iterating it twice is an error.
    """

    @property
    def origin(self) -> Origin:
        """Where its pictures come from."""

    @property
    def rate_hz(self) -> float:
        """Nominal frames per second."""

    @property
    def duration_ns(self) -> int | None:
        """Length, where it is known."""

    @property
    def flaws(self) -> tuple[str, ...]:
        """What went wrong and was survived so far: truncation, size changes, reconnections."""

    def frames(self) -> Iterator[Frame]:
        """Yield every decoded frame.

        Raises:
            SourceError: it cannot be read at all.
        """

    def close(self) -> None:
        """Stop: a `frames()` that waits, in whichever thread, ends soon."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


class Session(Protocol):
    """One loaded network. Real: `models.OpenVinoSession`; a pack of ONNX files may bring another.

    One request is in flight at a time; a session belongs to one thread.
    """

    @property
    def precision(self) -> str:
        """Arithmetic the network runs in: `f32` or `bf16`."""

    def infer(self, batch: F32) -> dict[str, F32]:
        """Run the network.

        Args:
            batch: input in the network's own layout; used up, a session may overwrite it.

        Returns:
            Outputs by name, float32.
        """
