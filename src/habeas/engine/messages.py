"""What a node and its workers say to each other: frozen records, every field with its type and bounds.

The node reads what a worker wrote, and a worker reads the bytes of strangers' cameras: everything is taken for hostile.
How they become bytes: `engine.wire`.
"""

import json
from typing import Annotated, ClassVar, Final, Literal, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from habeas.engine.sandbox import Posture
from habeas.errors import InputError
from habeas.settings import DetectSettings, LiveSettings
from habeas.types import F32, U8, unit_rows
from habeas.video.masks import Mask
from habeas.video.parts import MAX_PART_BYTES, Lost

MAX_DESCRIPTORS: Final = 64
MAX_IMAGE: Final = 20 << 20
"""Bytes of an image to enrol; it travels as a descriptor."""
MAX_CROP_PX: Final = 512
MAX_DIMENSIONS: Final = 4096
MAX_MASKS: Final = 64
MAX_TEXT: Final = 500
MAX_NAME: Final = 200
_MAX_FAR_PX: Final = 1e6
_MAX_NUMBER: Final = 2**63 - 1
VECTOR: Final = np.dtype("<f4")


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has characters that cannot be printed")
    return text


def _increasing(name: str, smaller: int, larger: int) -> None:
    if smaller > larger:
        raise InputError(f"a worker's message has {name} in the wrong order", remedy=REMEDY)


REMEDY: Final = "the worker is started again; report this if it repeats"
Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_printable)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME), AfterValidator(_printable)]
Count = Annotated[int, Field(ge=0, le=_MAX_NUMBER)]
Port = Annotated[int, Field(ge=1, le=65535)]
Number = Annotated[float, Field(ge=-_MAX_FAR_PX, le=_MAX_FAR_PX, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Edges = tuple[Share, Share, Share, Share]
Side = Annotated[int, Field(ge=0, le=1 << 20)]
Task = Literal["watch", "enrol", "inspect", "record", "reencode", "film"]
Url = Annotated[str, Field(max_length=4096, repr=False), AfterValidator(_printable)]


def one_line(text: str) -> str:
    """Return text as a message may carry it: printable, one line, at most 500 characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:MAX_TEXT]


class Message(BaseModel):
    """Base of all messages; `payload` is checked by those that have one, the others have none."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)
    TYPE: ClassVar[int]
    _payload: bytes = PrivateAttr(default=b"")

    @property
    def payload(self) -> bytes:
        """What follows the header."""
        return self._payload

    @property
    def descriptors(self) -> int:
        """How many descriptors travel with it."""
        return 0

    def with_payload(self, payload: bytes) -> Self:
        """Return this message with its payload, checked.

        Raises:
            InputError: it does not fit the header.
        """
        self._check_payload(payload)
        self._payload = payload
        return self

    def _check_payload(self, payload: bytes) -> None:
        if payload:
            raise InputError(f"{type(self).__name__} has a payload", remedy=REMEDY)

    def header(self) -> bytes:
        """Return the canonical JSON of its fields."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


# --- node to worker ---------------------------------------------------------------------------------------------------


class Configure(Message):
    """The first message: what the worker is to be. It holds no key, no gallery and no camera.

    Args:
        parent_pid: of the node.
        task: watches cameras, examines images for enrolment, reads one camera's headers, records cameras as they come
            or encoded anew with their masks, or goes through recorded footage; the third to fifth without any model.
        doors: how many cameras it may have.
        models: folder of model files; read before the worker is sealed.
        detector_precision: as set.
    """

    TYPE = 1
    parent_pid: Count
    task: Task
    doors: Annotated[int, Field(ge=0, le=MAX_DESCRIPTORS)]
    models: Annotated[str, Field(max_length=4096)]
    detector_precision: Literal["auto", "f32", "bf16"]


class StartCamera(Message):
    """Watch a camera.

    Args:
        camera_id: of the camera.
        epoch: names this start of it; never used twice.
        url: where its door is, with credentials; empty: a video file, whose descriptor comes along.
        detect: how faces are looked for.
        live: how its stream is kept alive.
        masks: left, upper, right and lower edge of what is not looked at.
    """

    TYPE = 2
    camera_id: Name
    epoch: Count
    url: Url
    detect: DetectSettings
    live: LiveSettings
    masks: Annotated[tuple[Edges, ...], Field(max_length=MAX_MASKS)] = ()

    @property
    def descriptors(self) -> int:
        """One, of a video file."""
        return 0 if self.url else 1

    def covers(self) -> tuple[Mask, ...]:
        """Return the masks.

        Raises:
            InputError: one is no part of the picture.
        """
        return tuple(Mask(*edges) for edges in self.masks)


class StopCamera(Message):
    """Let a camera go; `CameraEnded` answers."""

    TYPE = 3
    camera_id: Name
    epoch: Count


class EnrolImage(Message):
    """Make a reference of an image, whose descriptor comes along: memory without a name, at most 20 MB."""

    TYPE = 4
    request_id: Count
    image_bytes: Annotated[int, Field(ge=1, le=MAX_IMAGE)]

    @property
    def descriptors(self) -> int:
        """One."""
        return 1


class Shutdown(Message):
    """End."""

    TYPE = 5


class InspectCamera(Message):
    """Say what a camera's stream is, from headers and packets.

    Args:
        request_id: comes back with the answer.
        url: where its door is, with credentials; empty: a video file, whose descriptor comes along.
        within_s: for connecting, and again for packets.
    """

    TYPE = 6
    request_id: Count
    url: Url
    within_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)]

    @property
    def descriptors(self) -> int:
        """One, of a video file."""
        return 0 if self.url else 1


class ShowCanary(Message):
    """Composite a canary into a camera's pictures, once; `CanaryDone` answers when it is out of them again."""

    TYPE = 7
    camera_id: Name
    epoch: Count


# --- worker to node ---------------------------------------------------------------------------------------------------


class Hello(Message):
    """The worker is sealed and ready; the descriptors of its doors come along, in the order of `ports`.

    Args:
        pid: as the worker sees it.
        model_id: what makes its templates.
        guards: the posture, guard by guard.
        ports: of the doors.
    """

    TYPE = 33
    pid: Count
    model_id: Name
    guards: dict[Name, Text]
    ports: Annotated[tuple[Port, ...], Field(max_length=MAX_DESCRIPTORS)]

    @property
    def descriptors(self) -> int:
        """One a door."""
        return len(self.ports)

    def posture(self) -> Posture:
        """Return the posture.

        Raises:
            InputError: other guards than those there are.
        """
        try:
            return Posture(**self.guards)
        except TypeError:
            raise InputError("a worker reports other guards than there are", remedy=REMEDY) from None


class Listening(Message):
    """The worker has taken a camera on."""

    TYPE = 34
    camera_id: Name
    epoch: Count


class ProbeMade(Message):
    """An open track as its best shots so far show it. The payload is its template, then the face's picture.

    Args:
        camera_id: of the camera.
        epoch: of the camera.
        track_id: within the epoch.
        at_ns: the stream's time of the newest best shot.
        first_seen_ns: the stream's time at which the track began.
        captured_at_ns: wall clock of the frame.
        box_xyxy_px: the face in that shot.
        dimensions: of the template.
        face_wh: size of the face's picture.
        canary: it is of the canary in the camera's pictures, not of what the camera saw.
        size_wh: of the frame.
    """

    TYPE = 35
    camera_id: Name
    epoch: Count
    track_id: Count
    at_ns: Count
    first_seen_ns: Count
    captured_at_ns: Count
    box_xyxy_px: tuple[Number, Number, Number, Number]
    dimensions: Annotated[int, Field(ge=1, le=MAX_DIMENSIONS)]
    face_wh: tuple[Annotated[int, Field(ge=1, le=MAX_CROP_PX)], Annotated[int, Field(ge=1, le=MAX_CROP_PX)]]
    canary: bool = False
    size_wh: tuple[Side, Side] = (0, 0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _increasing("times", self.first_seen_ns, self.at_ns)
        return self

    @property
    def vector(self) -> F32:
        """(d,) float32, unit length."""
        return np.frombuffer(self._payload, VECTOR, self.dimensions).astype(np.float32)

    @property
    def face_rgb(self) -> U8:
        """(h, w, 3) uint8."""
        width, height = self.face_wh
        return np.frombuffer(self._payload, np.uint8, offset=self.dimensions * 4).reshape(height, width, 3)

    def _check_payload(self, payload: bytes) -> None:
        width, height = self.face_wh
        if len(payload) != self.dimensions * 4 + width * height * 3:
            raise InputError("a probe's payload has another size than its header says", remedy=REMEDY)
        _check_vector(payload, self.dimensions)

    def __repr__(self) -> str:
        return f"ProbeMade({self.camera_id!r}, epoch={self.epoch}, track={self.track_id})"

    __str__ = __repr__


class TrackEnded(Message):
    """A track ended; all its probes came before.

    Args:
        camera_id: of the camera.
        epoch: of the camera.
        track_id: the track.
        first_seen_ns: the stream's time of its first frame.
        last_seen_ns: the stream's time of its last frame.
    """

    TYPE = 36
    camera_id: Name
    epoch: Count
    track_id: Count
    first_seen_ns: Count
    last_seen_ns: Count

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _increasing("times", self.first_seen_ns, self.last_seen_ns)
        return self


class Counters(Message):
    """What came of a camera since its epoch began. Decoded frames are analysed, gated or dropped; a few still wait.

    Args:
        camera_id: of the camera.
        epoch: of the camera.
        decoded: frames.
        analysed: frames in which faces were looked for.
        gated: frames that did not need a look.
        dropped: frames dropped under load.
        faces: detected.
        tracks: begun.
        analysed_ns: the stream's time that was watched, outages left out.
    """

    TYPE = 37
    camera_id: Name
    epoch: Count
    decoded: Count
    analysed: Count
    gated: Count
    dropped: Count
    faces: Count
    tracks: Count
    analysed_ns: Count

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        _increasing("counters", self.analysed + self.gated + self.dropped, self.decoded)
        return self


class CameraFlaw(Message):
    """Something went wrong with a camera and was survived, or ended it.

    Args:
        camera_id: of the camera.
        epoch: of the camera.
        text: one line.
        at_ns: the stream's time of its last picture.
    """

    TYPE = 38
    camera_id: Name
    epoch: Count
    text: Text
    at_ns: Count


class CameraEnded(Message):
    """The last message of an epoch: the camera was stopped, its file is over, or it failed (`failed`)."""

    TYPE = 39
    camera_id: Name
    epoch: Count
    failed: bool


class Enrolled(Message):
    """What came of an image. The payload is its template, unless it was refused.

    Args:
        request_id: of the image.
        refusal: why it may not become a reference; empty: it may.
        remedy: what to do about it.
        dimensions: of the template; 0 where it was refused.
        size_wh: of the image; (0, 0) where it could not be read.
        report: what the quality gate measured.
    """

    TYPE = 40
    request_id: Count
    refusal: Text
    remedy: Text
    dimensions: Annotated[int, Field(ge=0, le=MAX_DIMENSIONS)]
    size_wh: tuple[Side, Side]
    report: Annotated[dict[Name, Number], Field(max_length=16)]

    @model_validator(mode="after")
    def _either(self) -> Self:
        if bool(self.refusal) == bool(self.dimensions):
            raise InputError("an image is neither taken nor refused, or both", remedy=REMEDY)
        return self

    @property
    def vector(self) -> F32:
        """(d,) float32, unit length; empty where it was refused."""
        return np.frombuffer(self._payload, VECTOR).astype(np.float32)

    def _check_payload(self, payload: bytes) -> None:
        if len(payload) != self.dimensions * 4:
            raise InputError("a template has another size than its header says", remedy=REMEDY)
        if self.dimensions:
            _check_vector(payload, self.dimensions)


class Heartbeat(Message):
    """The thread that analyses is alive."""

    TYPE = 41


class Failed(Message):
    """The worker ends of itself, and says why."""

    TYPE = 42
    text: Text
    remedy: Text


class Inspected(Message):
    """What a camera's stream is.

    Args:
        request_id: of the order.
        size_wh: of its pictures; (0, 0): not known.
        rate_hz: of its pictures; 0: not known.
        codec: FFmpeg's name of it; empty: not known.
        packets: of video that came.
        seconds: from the first attempt to the last packet.
        flaw: what went wrong; empty: nothing.
    """

    TYPE = 43
    request_id: Count
    size_wh: tuple[Side, Side]
    rate_hz: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
    codec: Annotated[str, Field(max_length=32, pattern=r"^[a-z0-9_]*$")]
    packets: Count
    seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
    flaw: Text


class CanaryDone(Message):
    """A canary was in a camera's pictures, and is out of them again.

    Args:
        camera_id: of the camera.
        epoch: of the camera.
        found: a probe was made of it, and came before.
    """

    TYPE = 44
    camera_id: Name
    epoch: Count
    found: bool


class PartMade(Message):
    """A part of what is recorded (`video.parts.Part`); the payload is its boxes.

    Args:
        camera_id: of the camera.
        epoch: of the camera.
        segment: of this epoch, from 0.
        index: in the segment, from 0.
        captured_at_ns: wall clock when its first packet came.
        lasts_ns: the stream's time in it.
        codec: FFmpeg's name.
        size_wh: of the pictures.
        lost: why pictures before it are missing.
    """

    TYPE = 45
    camera_id: Name
    epoch: Count
    segment: Count
    index: Count
    captured_at_ns: Count
    lasts_ns: Count
    codec: Literal["h264", "hevc"]
    size_wh: tuple[Side, Side]
    lost: Lost = ""

    def _check_payload(self, payload: bytes) -> None:
        if not 0 < len(payload) <= MAX_PART_BYTES:
            raise InputError("a part of a recording is empty or too large", remedy=REMEDY)

    def __repr__(self) -> str:
        return f"PartMade({self.camera_id!r}, epoch={self.epoch}, segment={self.segment}, index={self.index})"

    __str__ = __repr__


def _check_vector(payload: bytes, dimensions: int) -> None:
    vector = np.frombuffer(payload, VECTOR, dimensions).astype(np.float32)
    with np.errstate(all="ignore"):
        usable = bool(np.isfinite(vector).all()) and bool(unit_rows(vector[None])[0])
    if not usable:
        raise InputError("a template is NaN, zero or not of unit length", remedy=REMEDY)


def payload_of(vector: F32, face_rgb: U8 | None = None) -> bytes:
    """Return a template, and a picture behind it, as bytes."""
    return vector.astype(VECTOR).tobytes() + (b"" if face_rgb is None else np.ascontiguousarray(face_rgb).tobytes())
