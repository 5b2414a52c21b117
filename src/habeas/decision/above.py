"""Candidates and a threshold to decisions. Pure."""

from dataclasses import dataclass

from habeas.types import Candidates, Threshold


@dataclass(frozen=True, repr=False)
class Decision:
    """A probe that matched.

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
    """Return the probes whose best candidate lies above the threshold.

    Equal is not above; NaN is above nothing.

    Args:
        candidates: best first, k at least 1 unless the gallery is empty.
        threshold: of this gallery size.
    """
    if not candidates.similarities.shape[1]:
        return []
    best = candidates.similarities[:, 0].tolist()
    return [
        Decision(row, str(candidates.subject_ids[row, 0]), similarity)
        for row, similarity in enumerate(best)
        if similarity > threshold.similarity
    ]
