"""What a line found, as a worker tells it."""

from typing import Final

from habeas.engine.messages import MAX_CROP_PX, CameraFlaw, ProbeMade, TrackEnded, one_line, payload_of
from habeas.types import U8, ClosedTrack, OriginKind, Probe
from habeas.video import ArrayPicture

_FAR_PX: Final = 1e6


def track_ended(camera_id: str, epoch: int, track: ClosedTrack) -> TrackEnded:
    """Return that a track ended."""
    return TrackEnded(
        camera_id=camera_id,
        epoch=epoch,
        track_id=track.track_id,
        first_seen_ns=track.first_seen_ns,
        last_seen_ns=track.last_seen_ns,
    )


def probe_made(camera_id: str, epoch: int, probe: Probe) -> ProbeMade:
    """Return what is to be compared."""
    vector = probe.templates.vectors[0]
    face_rgb = _small(probe.face_rgb)
    left, top, right, bottom = (max(-_FAR_PX, min(_FAR_PX, float(edge))) for edge in probe.box_xyxy_px)
    return ProbeMade(
        camera_id=camera_id,
        epoch=epoch,
        track_id=probe.track_id,
        at_ns=probe.at_ns,
        first_seen_ns=probe.first_seen_ns,
        captured_at_ns=probe.captured_at_ns,
        box_xyxy_px=(left, top, right, bottom),
        dimensions=len(vector),
        face_wh=(face_rgb.shape[1], face_rgb.shape[0]),
        canary=probe.origin.kind is OriginKind.CANARY,
        size_wh=probe.size_wh,
    ).with_payload(payload_of(vector, face_rgb))


def film_flaw(camera_id: str, epoch: int, what: str, at_ns: int = 0) -> CameraFlaw:
    """Return what went wrong with footage and was survived."""
    text = one_line(what.removeprefix(f"{camera_id}: "))
    return CameraFlaw(camera_id=camera_id, epoch=epoch, text=text, at_ns=max(0, at_ns))


def _small(face_rgb: U8) -> U8:
    """Return the picture reduced where a message has no room for it: a tall strip at the edge of the frame."""
    height, width = face_rgb.shape[:2]
    scale = MAX_CROP_PX / max(height, width)
    if scale >= 1:
        return face_rgb
    size_wh = max(1, int(width * scale)), max(1, int(height * scale))
    return ArrayPicture(face_rgb).rgb((0, 0, width, height), size_wh)
