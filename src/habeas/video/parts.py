"""What is recorded of a camera: segments that play alone, in parts of at most about a second. No FFmpeg here."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from habeas.types import NS_PER_S

SEGMENT_NS: Final = 60 * NS_PER_S
"""A segment ends with the first picture after this that the next can begin with."""
PART_NS: Final = NS_PER_S
MAX_PART_BYTES: Final = 4 << 20
"""Of one part: it ends before it is larger than half of this, and no picture of a camera is larger than the rest."""
CODECS: Final = frozenset({"h264", "hevc"})
Lost: TypeAlias = Literal["", "damaged", "overload"]
"""Why pictures are missing that were to be encoded anew: they could not be decoded, or came faster than they were
encoded. Empty: for no such reason.
"""


@dataclass(frozen=True, repr=False)
class Part:
    """Whole boxes of fragmented MP4: part 0 of a segment is its header, each other plays with it and those before.

    Args:
        segment: of this connection's segments, from 0.
        index: of this segment's parts, from 0.
        captured_at_ns: wall clock when its first packet came, Unix ns; of the header, the segment's.
        lasts_ns: the stream's time in it; of the header, 0.
        codec: FFmpeg's name.
        size_wh: of the pictures.
        data: the boxes.
        lost: of a header, why pictures right before the segment are missing; within one, less than a gap is not told.
    """

    segment: int
    index: int
    captured_at_ns: int
    lasts_ns: int
    codec: str
    size_wh: tuple[int, int]
    data: bytes
    lost: Lost = ""

    def __repr__(self) -> str:
        return f"Part(segment={self.segment}, index={self.index}, {len(self.data)} bytes)"
