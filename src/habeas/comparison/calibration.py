"""What a similarity means: the share of tracks of people not enrolled (FPIR) that would reach it at a gallery size.

The table is made by `habeas evaluate calibrate` (measure.calibrate) for exactly the decision the line makes, and is
shipped beside this file, one per model pack. It is never computed at run time.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from typing import Final

from habeas.errors import ModelError, RuleError
from habeas.types import Threshold

SCHEMA: Final = 1
MIN_ERRORS: Final = 30
"""Fewer non-mated identities in error than this, and a value is called extrapolated."""
MAX_FPIR: Final = 1e-3
"""No policy passes this."""
DEFAULT_FPIR: Final = 1e-4


@dataclass(frozen=True)
class Point:
    """One cell of the table.

    Args:
        fpir: promised share of non-mated tracks.
        similarity: at which it is met.
        errors: non-mated identities in error behind the value.
        fpir_low: lower end of the 95 % interval of the FPIR at this similarity.
        fpir_high: its upper end.
    """

    fpir: float
    similarity: float
    errors: int
    fpir_low: float
    fpir_high: float

    @property
    def extrapolated(self) -> bool:
        """Fewer than 30 errors stand behind it."""
        return self.errors < MIN_ERRORS


@dataclass(frozen=True)
class Calibration:
    """The table of one model pack.

    Args:
        model_id: of the templates it holds for.
        made: how, on what data, when.
        rows: for each gallery size in ascending order, its points in descending order of FPIR.
    """

    model_id: str
    made: str
    rows: tuple[tuple[int, tuple[Point, ...]], ...]

    def threshold(self, fpir: float, gallery_size: int) -> Threshold:
        """Return the similarity at which the decision meets `fpir` in a gallery of that many references.

        Between gallery sizes the next larger one is taken; between FPIRs the logarithm is interpolated.

        Raises:
            RuleError: an FPIR above 1e-3, or a gallery larger than the table covers.
        """
        check_fpir(fpir)
        return _between(self._points(gallery_size), fpir, gallery_size)

    def _points(self, gallery_size: int) -> tuple[Point, ...]:
        for size, points in self.rows:
            if size >= gallery_size:
                return points
        raise RuleError(
            f"a gallery of {gallery_size} references is larger than the calibration covers ({self.rows[-1][0]})",
            rule="calibration",
            remedy="enrol fewer references, or calibrate for more",
        )

    def fpir(self, similarity: float, gallery_size: int) -> float:
        """Return the share of strangers' tracks that reach a similarity: `threshold`, the other way round.

        Beyond the table's ends it is that of its end: no share is told that nothing stands behind.

        Raises:
            RuleError: a gallery larger than the table covers.
        """
        points = self._points(gallery_size)
        for upper, lower in pairwise(points):
            if upper.similarity <= similarity <= lower.similarity:
                width = lower.similarity - upper.similarity
                share = (similarity - upper.similarity) / width if width else 0.0
                return _mixed(upper.fpir, lower.fpir, share)
        return points[0].fpir if similarity < points[0].similarity else points[-1].fpir


def check_fpir(fpir: float) -> None:
    """Check a promised FPIR against the compiled maximum.

    Raises:
        RuleError: it is not above 0 and at most 1e-3.
    """
    if not 0 < fpir <= MAX_FPIR:
        raise RuleError(f"an FPIR of {fpir:g} a track", rule="fpir", remedy=f"choose one above 0, up to {MAX_FPIR:g}")


def _between(points: tuple[Point, ...], fpir: float, gallery_size: int) -> Threshold:
    for upper, lower in pairwise(points):
        if upper.fpir >= fpir >= lower.fpir:
            share = math.log(fpir / upper.fpir) / math.log(lower.fpir / upper.fpir)
            return Threshold(
                similarity=upper.similarity + share * (lower.similarity - upper.similarity),
                expected_fpir=fpir,
                gallery_size=gallery_size,
                extrapolated=lower.extrapolated or upper.extrapolated,
                fpir_low=_mixed(upper.fpir_low, lower.fpir_low, share),
                fpir_high=_mixed(upper.fpir_high, lower.fpir_high, share),
            )
    raise RuleError(
        f"an FPIR of {fpir:g} a track lies outside the calibration ({points[-1].fpir:g} to {points[0].fpir:g})",
        rule="calibration",
        remedy="choose one inside it",
    )


def _mixed(upper: float, lower: float, share: float) -> float:
    if upper <= 0 or lower <= 0:
        return upper + share * (lower - upper)
    return math.exp(math.log(upper) + share * (math.log(lower) - math.log(upper)))


def load_calibration(model_id: str) -> Calibration:
    """Read the shipped table for a model pack.

    Raises:
        ModelError: there is none, or it is of a schema this version does not know.
    """
    return from_json(_table(model_id))


def calibration_digest(model_id: str) -> str:
    """Return the SHA-256 of the shipped table for a model pack, hexadecimal: what a policy names.

    Raises:
        ModelError: there is none.
    """
    return hashlib.sha256(_table(model_id).encode()).hexdigest()


def _table(model_id: str) -> str:
    try:
        return (resources.files("habeas.comparison") / "tables" / f"{model_id}.json").read_text()
    except FileNotFoundError:
        raise ModelError(f"no calibration for {model_id}", remedy="make one: habeas evaluate calibrate DIR") from None


def from_json(text: str) -> Calibration:
    """Read a table.

    Raises:
        ModelError: it is not one, or of a schema this version does not know.
    """
    try:
        table = json.loads(text)
        if table["schema"] != SCHEMA:
            raise ModelError(f"calibration schema {table['schema']} is unknown", remedy="upgrade habeas")
        rows = tuple(
            (int(row["gallery_size"]), tuple(Point(**point) for point in row["points"])) for row in table["rows"]
        )
        return Calibration(table["model_id"], table["made"], rows)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"not a calibration table ({error})", remedy="make one: habeas evaluate calibrate") from error


def to_json(calibration: Calibration) -> str:
    """Write a table; `from_json` reads it back exactly."""
    rows = [{"gallery_size": size, "points": [vars(point) for point in points]} for size, points in calibration.rows]
    table = {"schema": SCHEMA, "model_id": calibration.model_id, "made": calibration.made, "rows": rows}
    return json.dumps(table, indent=1) + "\n"
