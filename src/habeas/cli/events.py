"""How a watch prints itself, and the crops it writes."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image

from habeas.cli.output import note, put, say
from habeas.errors import EXIT_INTERRUPTED, DiskError
from habeas.types import Alert, AlertEnd, seconds

if TYPE_CHECKING:
    from habeas.watching import Watch

_NAME_CHARS: Final = 40
"""Of a subject's name in a file name; file systems stop at 255 bytes."""


def alert_json(alert: Alert) -> dict[str, object]:
    """Return the object printed for an alert."""
    return {
        "event": "alert",
        "camera": alert.origin.camera_id,
        "subject": alert.subject_id,
        "track": alert.track_id,
        "at_s": seconds(alert.at_ns),
        "first_seen_s": seconds(alert.first_seen_ns),
        "similarity": round(alert.similarity, 4),
        "threshold": round(alert.threshold.similarity, 4),
        "expected_fpir": alert.threshold.expected_fpir,
        "extrapolated": alert.threshold.extrapolated,
        "box_xyxy_px": [round(float(value), 1) for value in alert.box_xyxy_px],
    }


def end_json(end: AlertEnd) -> dict[str, object]:
    """Return the object printed when an alert's track closes."""
    return {
        "event": "alert-end",
        "camera": end.origin.camera_id,
        "subject": end.subject_id,
        "track": end.track_id,
        "first_seen_s": seconds(end.first_seen_ns),
        "last_seen_s": seconds(end.last_seen_ns),
        "similarity": round(end.similarity, 4),
    }


class Printer:
    """Prints one watch.

    Args:
        as_json: objects instead of lines.
        snapshots: where crops of alerts go; made when the first is written.
        on_alert: also told of each alert.
    """

    def __init__(
        self, *, as_json: bool, snapshots: Path | None, on_alert: Callable[[Alert], None] = lambda _alert: None
    ) -> None:
        self._as_json = as_json
        self._snapshots = snapshots
        self._on_alert = on_alert
        self._written: set[Path] = set()

    def opened(self, watching: "Watch") -> None:
        """Say that an authorisation was opened, for this run only, and what it covers."""
        run = watching.authorisation
        names = ", ".join(subject.subject_id for subject in run.subjects)
        note(
            f"authorisation {run.authorisation_id}, basis {run.basis.value}, for this run only (at most 8 h): "
            f"looking for {names} on {_counted(len(watching.camera_ids), 'source')}; nothing about anybody else is kept"
        )

    def follow(self, watching: "Watch") -> None:
        """Print events as they happen, then the summary; Ctrl-C ends with the summary and exit status 130.

        Raises:
            SourceError: no source could be read.
        """
        interrupted = False
        try:
            for event in watching.events():
                self._event(event)
        except KeyboardInterrupt:
            interrupted = True
            for event in watching.interrupted():
                self._event(event)
        for camera, flaw in watching.flaws:
            self._flaw(camera, flaw)
        self._summary(watching)
        watching.raise_if_nothing_was_read()
        if interrupted:
            raise SystemExit(EXIT_INTERRUPTED)

    def _event(self, event: Alert | AlertEnd) -> None:
        if isinstance(event, Alert):
            self._write_snapshot(event)
            self._on_alert(event)
        if self._as_json:
            put(alert_json(event) if isinstance(event, Alert) else end_json(event))
        elif isinstance(event, Alert):
            extrapolated = ", extrapolated" if event.threshold.extrapolated else ""
            say(
                f"ALERT {seconds(event.at_ns):9.2f} s  {event.subject_id}  similarity {event.similarity:.2f} "
                f"(threshold {event.threshold.similarity:.2f} for FPIR {event.threshold.expected_fpir:g}{extrapolated})"
                f"  track {event.track_id}  {event.origin.camera_id}"
            )
        else:
            say(
                f"  end {seconds(event.last_seen_ns):9.2f} s  {event.subject_id}  seen from "
                f"{seconds(event.first_seen_ns):.2f} s  similarity {event.similarity:.2f}  track {event.track_id}"
            )

    def _flaw(self, camera: str, flaw: str) -> None:
        if self._as_json:
            put({"event": "flaw", "camera": camera, "flaw": flaw})
        else:
            note(f"{camera}: {flaw}" if camera else flaw, "yellow")

    def _write_snapshot(self, alert: Alert) -> None:
        if self._snapshots is None:
            return
        path = self._snapshot_path(self._snapshots, alert)
        try:
            self._snapshots.mkdir(parents=True, exist_ok=True)
            Image.fromarray(alert.face_rgb).save(path)
        except OSError as error:
            raise DiskError(
                f"cannot write {path}: {error.strerror}", remedy="give --snapshots a folder with room"
            ) from error

    def _snapshot_path(self, folder: Path, alert: Alert) -> Path:
        """Return a name of letters and digits: a subject's own may hold anything. Cameras may share track and time."""
        subject = "".join(char if char.isalnum() else "-" for char in alert.subject_id)[:_NAME_CHARS].lstrip("-")
        name = f"{subject or 'subject'}-track{alert.track_id}-{alert.at_ns // 1_000_000:09d}ms"
        path, number = folder / f"{name}.png", 1
        while path in self._written:
            number += 1
            path = folder / f"{name}-{number}.png"
        self._written.add(path)
        return path

    def _summary(self, watching: "Watch") -> None:
        summary = watching.summary()
        if self._as_json:
            put(summary.as_json())
        else:
            say(summary.as_text())


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
