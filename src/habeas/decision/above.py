"""Candidates and a threshold to decisions. Pure."""

from dataclasses import dataclass

from habeas.types import Candidates, Threshold


@dataclass(frozen=True, repr=False)
class Decision:
    """A probe that matched somebody.

    Args:
        row: of the probe among the candidates.
        subject_id: whom it matched.
        similarity: how well.
    """

    row: int
    subject_id: str
    similarity: float

    def __repr__(self) -> str:
        return f"Decision(row={self.row}, similarity={self.similarity:.3f})"


def decide(candidates: Candidates, threshold: Threshold) -> list[Decision]:
    """Return every candidate above the threshold: probe by probe, of each the best first.

    Equal is not above; NaN is above nothing.

    The threshold is calibrated for the largest similarity over a gallery: so much of the tracks of people not listed
    come above it at least once. Who else lies above it changes nothing about that share, since the best one does then
    too; it adds alerts to tracks that have one. The best alone would lose somebody listed whenever a look-alike
    happened to come first and a rule refused that one.

    Args:
        candidates: best first; as many a probe as were asked for.
        threshold: of this gallery size.
    """
    return [
        Decision(row, str(subject_id), similarity)
        for row, (subject_ids, similarities) in enumerate(
            zip(candidates.subject_ids, candidates.similarities.tolist(), strict=True)
        )
        for subject_id, similarity in zip(subject_ids, similarities, strict=True)
        if similarity > threshold.similarity
    ]
