"""How a watch prints itself, and the crops it writes."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image

from habeas.cli.output import note, put, say
from habeas.errors import EXIT_INTERRUPTED, DiskError
from habeas.types import Alert, AlertEnd, Flaw, seconds

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
        snapshots: where crops of alerts go; made at the start.
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
        """Say that an authorisation was opened, for this run only, and what it covers.

        Raises:
            DiskError: crops cannot be written where they are to go.
        """
        self._prepare()
        run = watching.authorisation
        names = ", ".join(subject.subject_id for subject in run.subjects)
        note(
            f"authorisation {run.authorisation_id}, basis {run.basis.value}, for this run only (at most 8 h): "
            f"looking for {names} on {_counted(len(watching.camera_ids), 'source')}; nothing about anybody else is kept"
        )

    def follow(self, watching: "Watch") -> None:
        """Print events as they happen, then the summary; Ctrl-C ends with the summary and exit status 130.

        Raises:
            HabeasError: a source failed.
        """
        interrupted = False
        try:
            for event in watching.events():
                self._event(event)
        except KeyboardInterrupt:
            interrupted = True
            for event in watching.interrupted():
                self._event(event)
        self._summary(watching)
        if interrupted:
            raise SystemExit(EXIT_INTERRUPTED)
        watching.raise_failure()

    def _event(self, event: Alert | AlertEnd | Flaw) -> None:
        if isinstance(event, Flaw):
            self._flaw(event)
        elif self._as_json:
            put(alert_json(event) if isinstance(event, Alert) else end_json(event))
        else:
            self._say(event)
        if isinstance(event, Alert):  # told first: no picture that cannot be written may cost an alert
            self._write_snapshot(event)
            self._on_alert(event)

    @staticmethod
    def _say(event: Alert | AlertEnd) -> None:
        if isinstance(event, Alert):
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
                f"  {event.origin.camera_id}"
            )

    def _flaw(self, flaw: Flaw) -> None:
        if self._as_json:
            put({"event": "flaw", "camera": flaw.camera_id, "flaw": flaw.what, "at_s": seconds(flaw.at_ns)})
        else:
            note(f"{flaw.camera_id}: {flaw.what}" if flaw.camera_id else flaw.what, "yellow")

    def _prepare(self) -> None:
        """Find out now, rather than at an alert in the middle of the night, whether crops can be written."""
        if self._snapshots is None:
            return
        try:
            self._snapshots.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self._snapshots).close()
        except OSError as error:
            raise DiskError(
                f"cannot write into {self._snapshots}: {error.strerror}", remedy="give --snapshots a folder"
            ) from error

    def _write_snapshot(self, alert: Alert) -> None:
        if self._snapshots is None:
            return
        path = self._snapshot_path(self._snapshots, alert)
        try:
            with tempfile.NamedTemporaryFile(dir=self._snapshots, suffix=".part", delete=False) as opened:
                part = Path(opened.name)
            try:
                Image.fromarray(alert.face_rgb).save(part, "PNG")
                part.replace(path)  # a link of that name is replaced, not followed
            finally:
                part.unlink(missing_ok=True)
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
