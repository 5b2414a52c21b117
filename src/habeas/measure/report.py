"""Everything `habeas evaluate calibrate` says."""

from dataclasses import asdict, dataclass

from habeas.comparison import Calibration
from habeas.measure.calibrate import Impostors, Suspect, calibrate, suspects, without
from habeas.measure.promise import Promise, check_promise


@dataclass(frozen=True)
class CalibrationReport:
    """A calibration and what speaks for and against it.

    Args:
        made: how and on what.
        whole: the table from all people; the one that is written and shipped.
        cleaned: the table without suspected label errors.
        suspects: those.
        promises: FPIR observed against promised.
    """

    made: str
    whole: Calibration
    cleaned: Calibration
    suspects: tuple[Suspect, ...]
    promises: tuple[Promise, ...]

    def as_json(self) -> dict[str, object]:
        """Return the object that `--json` prints."""
        return {
            "protocol": "calibration",
            "accounted": False,
            "made": self.made,
            "suspected_label_errors": [asdict(suspect) for suspect in self.suspects],
            "without_suspects": _rows(self.cleaned),
            "with_suspects": _rows(self.whole),
            "promise": [{**asdict(promise), "held": promise.held} for promise in self.promises],
        }


def report_calibration(impostors: Impostors, model_id: str, made: str) -> CalibrationReport:
    """Calibrate with and without suspected label errors, and check the promise on people held apart."""
    listed = suspects(impostors)
    clean = without(impostors, listed)
    return CalibrationReport(
        made=made,
        whole=calibrate(impostors, model_id, made),
        cleaned=calibrate(clean, model_id, made),
        suspects=tuple(listed),
        promises=tuple(check_promise(impostors)),
    )


def _rows(table: Calibration) -> list[dict[str, object]]:
    return [
        {
            "gallery_size": size,
            "points": [{**asdict(point), "extrapolated": point.extrapolated} for point in points],
        }
        for size, points in table.rows
    ]
