"""A worker that makes the film of an alert: a mosaic, in which one head is uncovered (`footage.uncovering`).

The footage is gone through twice: some times a second, to follow faces; then picture by picture, to make the film. In
the second, what is to be shown is looked at once more, in its own picture: it is shown where there is one face in it,
and where that should be, and not again for the time of a look after it was not so. No template is made, and nothing is
kept but boxes.
"""

import os
from collections.abc import Iterator
from typing import Final

import numpy as np

from habeas.engine.channel import Channel
from habeas.engine.examining import MIN_FACE_PX, Turn
from habeas.engine.play_messages import FilmPlayed, PlayFilm
from habeas.engine.redact_messages import MAX_PICTURES, MAX_PIECE_BYTES, MAX_RESULT_BYTES, FilmBytes
from habeas.errors import InputError, SourceError
from habeas.faces import Detector, Look
from habeas.footage.uncovering import NOBODY, Looked, Open, Uncovering, around, confirmed
from habeas.ports import Clock
from habeas.tracks import Tracker
from habeas.types import NS_PER_S, U8, Faces, Frame
from habeas.video import MotionGate, Sampler
from habeas.video.encode import FilmWriter
from habeas.video.mosaic import mosaic
from habeas.video.sampling import StreamPlan, plan_stream, regions

_REMEDY: Final = "give less of it at once"
_AGAIN_PX: Final = 256
"""Longer side of the detector's picture of what is looked at once more: the face in it is about 90 px high."""


def play(channel: Channel, order: PlayFilm, descriptor: int, detector: Detector, clock: Clock, turn: Turn) -> None:
    """Make the film, and send it.

    Args:
        channel: to the node.
        order: what to make.
        descriptor: of the footage; owned.
        detector: that takes for a face what hardly is one.
        clock: for the footage.
        turn: called between two pictures: each of two times counts half.
    """
    try:
        made = _Mosaicking(order, descriptor, detector, clock, turn).run()
    except (InputError, SourceError) as error:
        channel.send(_played(order, refusal=error.message))
        return
    finally:
        os.close(descriptor)
    data, pictures, shown = made
    for first in range(0, len(data), MAX_PIECE_BYTES):
        piece = data[first : first + MAX_PIECE_BYTES]
        channel.send(FilmBytes(request_id=order.request_id).with_payload(piece))
    shown_ns = shown[-1] - shown[0] if shown else 0
    channel.send(_played(order, pictures=pictures, size_bytes=len(data), found=bool(shown), shown_ns=shown_ns))


def _played(
    order: PlayFilm,
    *,
    pictures: int = 0,
    size_bytes: int = 0,
    found: bool = False,
    shown_ns: int = 0,
    refusal: str = "",
) -> FilmPlayed:
    return FilmPlayed(
        request_id=order.request_id,
        pictures=pictures,
        size_bytes=size_bytes,
        found=found,
        shown_ns=shown_ns,
        refusal=refusal,
    )


class _Mosaicking:
    """Makes one film."""

    def __init__(self, order: PlayFilm, descriptor: int, detector: Detector, clock: Clock, turn: Turn) -> None:
        self._order = order
        self._descriptor = descriptor
        self._detector = detector
        self._clock = clock
        self._turn = turn
        self._size_wh = (0, 0)
        self._shut_until_ns = 0

    def run(self) -> tuple[bytes, int, list[int]]:
        """Return the film, how many pictures it has, and when of it the head is shown, Unix ns.

        Raises:
            InputError: nothing can be read, its size changes, or it is too long.
        """
        where = self._order.where()
        uncovering = None
        if where is not None:
            looks = list(self._looks())
            uncovering = Uncovering(looks, where, self._size_wh, self._every_ns())
        return self._film(uncovering)

    def _frames(self, share: int) -> Iterator[Frame]:
        """Yield the pictures, telling how far it is: the first or the second half of the way."""
        order, count = self._order, 0
        with order.film(os.dup(self._descriptor), self._clock) as film:
            for frame in film.frames():
                if self._size_wh not in ((0, 0), frame.size_wh):
                    raise InputError("the picture's size changes in it", remedy=_REMEDY)
                if count == MAX_PICTURES:
                    raise InputError(f"it has more than {MAX_PICTURES} pictures", remedy=_REMEDY)
                self._size_wh, count = frame.size_wh, count + 1
                yield frame
                self._turn((share * (order.until_ns - order.from_ns) + frame.captured_at_ns - order.from_ns) // 2)
        if not count:
            raise InputError("nothing of it can be read", remedy="see: habeas footage list")

    def _every_ns(self) -> int:
        return round(NS_PER_S / self._order.detect.rate_hz)

    # --- following ----------------------------------------------------------------------------------------------------

    def _looks(self) -> Iterator[Looked]:
        """Look at all of a picture as often as the order says, and follow whoever is seen."""
        sampler, gate, tracker = Sampler(self._every_ns()), MotionGate(), Tracker()
        plan: StreamPlan | None = None
        for frame in self._frames(0):
            if gate.look(frame.luma).cut:
                tracker.close_all()
            if not sampler.due(frame.pts_ns):
                continue
            plan = plan or plan_stream(frame.size_wh, self._order.detect.rate_hz, self._order.detect)
            parts = [Look(*part) for part in regions(plan, (), np.zeros((0, 4), np.float32))]
            yield self._followed(frame, self._detector.detect(frame, parts), tracker)

    def _followed(self, frame: Frame, faces: Faces, tracker: Tracker) -> Looked:
        """Return what was seen: of faces that are sure, who they are; of all, where they are."""
        detect = self._order.detect
        wide = faces.boxes_xyxy_px[:, 2] - faces.boxes_xyxy_px[:, 0] >= detect.min_face_px / 2
        sure = wide & (faces.scores >= detect.min_score)
        tracks = np.full(len(faces), NOBODY, np.int64)
        tracks[sure] = tracker.update(faces[sure], frame.pts_ns).track_ids
        return Looked(frame.captured_at_ns, faces.boxes_xyxy_px, tracks)

    # --- making -------------------------------------------------------------------------------------------------------

    def _film(self, uncovering: Uncovering | None) -> tuple[bytes, int, list[int]]:
        writer: FilmWriter | None = None
        count, shown = 0, []
        for frame in self._frames(1):
            writer = writer or FilmWriter(frame.size_wh)
            opened = None if uncovering is None else self._opened(frame, uncovering)
            writer.add(covered(frame.image_rgb, opened), frame.pts_ns)
            count += 1
            shown += [] if opened is None else [frame.captured_at_ns]
            if writer.size_bytes > MAX_RESULT_BYTES:
                raise InputError("the result is too long", remedy=_REMEDY)
        assert writer is not None, "a film without pictures was refused"
        return writer.finish(), count, shown

    def _opened(self, frame: Frame, uncovering: Uncovering) -> Open | None:
        """Return what may be seen of a picture, once it was looked at itself."""
        opened = uncovering.at(frame.captured_at_ns)
        if opened is None:
            return None
        part = around(opened, frame.size_wh)
        sides = part[2] - part[0], part[3] - part[1]
        closely = Look(part, (round(_AGAIN_PX * sides[0] / max(sides)), round(_AGAIN_PX * sides[1] / max(sides))))
        faces = self._detector.detect(frame, [closely], MIN_FACE_PX)
        opened = confirmed(opened, faces.boxes_xyxy_px, frame.size_wh)
        if opened is None:
            self._shut_until_ns = frame.captured_at_ns + self._every_ns()
        return opened if frame.captured_at_ns >= self._shut_until_ns else None


def covered(image_rgb: U8, opened: Open | None) -> U8:
    """Return a picture as a mosaic, but for what may be seen of it.

    Args:
        image_rgb: (h, w, 3) uint8.
        opened: what may be seen; None: nothing.
    """
    made = mosaic(image_rgb)
    if opened is None:
        return made
    left, top, right, bottom = opened.head
    shown = made.copy()
    shown[top:bottom, left:right] = image_rgb[top:bottom, left:right]
    for x0, y0, x1, y1 in opened.others:
        shown[y0:y1, x0:x1] = made[y0:y1, x0:x1]
    return shown
