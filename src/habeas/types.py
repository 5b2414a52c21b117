"""What flows through Habeas, in pipeline order. Records are validated once, frozen, and their arrays are read-only.

Symbols mean the same everywhere: n faces, k candidates, d template dimensions, m references in a gallery view.
Boxes are half-open (x0 <= x < x1), in pixels of the full frame, x to the right, y down, origin at the top left.
Time is integer nanoseconds. `repr` never shows a template, an image, or a subject's name.

Some records are rights: whoever holds one may search. Those are built only by the module that owns them, which claims
the *seal* of that kind at import (`claim_seal`): a bar to all but code that rewrites objects (docs/threat-model.md).
"""

import enum
import sys
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from threading import Event
from types import MappingProxyType
from typing import Final, NoReturn, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from habeas.errors import HabeasError, InputError, RuleError

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
Str = npt.NDArray[np.str_]
_T = TypeVar("_T", bound=np.generic)

NS_PER_S: Final = 1_000_000_000
HOUR_NS: Final = 3600 * NS_PER_S
DAY_NS: Final = 24 * HOUR_NS
UNIT_TOLERANCE: Final = 1e-3
"""How far from 1 a template's length may be (float32 rounding stays below 1e-6; a wrong scaling does not)."""


class Seal(enum.Enum):
    """Kinds of record that only their owner may build."""

    SOURCE = "habeas.video.edge"
    SCENE = "habeas.measure.scene_source"
    GALLERY_VIEW = "habeas.authority.views"


_claimed: dict[Seal, object] = {}


def claim_seal(kind: Seal) -> object:
    """Hand out the seal of `kind`, once, to its owner, who asks at import; anybody else is refused.

    Raises:
        RuleError: it was claimed before, or by another module.
    """
    caller = sys._getframe(1).f_globals.get("__name__")  # noqa: SLF001 - whose code asks; there is no public way
    if kind in _claimed or caller != kind.value:
        raise RuleError(f"only {kind.value} may build this record", rule="seal", remedy="ask that module for one")
    seal = _claimed[kind] = object()
    return seal


def _check_seal(seal: object, *kinds: Seal) -> None:
    if not any(seal is _claimed.get(kind) for kind in kinds) or seal is None:
        owners = " or ".join(kind.value for kind in kinds)
        raise RuleError(f"this record is built by {owners} only", rule="seal", remedy="ask that module for one")


def _stays(record: object, _protocol: object) -> NoReturn:
    """Refuse to pickle or copy a record: templates and rights stay in the process and the object that made them."""
    raise RuleError(f"a {type(record).__name__} cannot be copied or stored", rule="seal", remedy="pass it on as it is")


class OriginKind(enum.Enum):
    """Where pictures come from, as it is or was generated; a gallery view says which kinds it may be compared with."""

    LIVE = "live"
    FILE = "file"
    STILLS = "stills"
    SCENE = "scene"
    CANARY = "canary"
    FOOTAGE = "footage"


@dataclass(frozen=True, eq=False)
class Origin:
    """Where a picture, and every record made from it, came from.

    Built by `video`, and by `measure.scene_source` for scenes. Two are the same only if they are one object.

    Args:
        kind: of source.
        camera_id: name of the camera or source, safe to print (no credentials).
        seal: the builder's seal; checked, not kept.
    """

    kind: OriginKind
    camera_id: str
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        _check_seal(seal, Seal.SCENE if self.kind is OriginKind.SCENE else Seal.SOURCE)

    __reduce_ex__ = _stays


class Basis(enum.Enum):
    """On what ground a gallery view exists: an authorisation, or what is possible without a workspace (product.md)."""

    AUTHORISATION = "authorisation"
    CONSENT = "consent"
    DEMO = "demo"
    EVALUATE = "evaluate"
    CANARY = "canary"
    RETROSPECTIVE = "retrospective"
    ACCESS = "access"


PERMITTED_ORIGINS: Final = MappingProxyType(
    {
        Basis.AUTHORISATION: frozenset({OriginKind.LIVE, OriginKind.FILE}),
        Basis.CONSENT: frozenset({OriginKind.LIVE, OriginKind.FILE, OriginKind.STILLS, OriginKind.SCENE}),
        Basis.DEMO: frozenset({OriginKind.SCENE}),
        Basis.EVALUATE: frozenset({OriginKind.STILLS, OriginKind.SCENE}),
        Basis.CANARY: frozenset({OriginKind.CANARY}),
        **dict.fromkeys((Basis.RETROSPECTIVE, Basis.ACCESS), frozenset({OriginKind.FOOTAGE})),
    }
)


# --- checks ---------------------------------------------------------------------------------------------------------


def _fixed(name: str, array: npt.NDArray[_T], dtype: type[_T], shape: tuple[int | None, ...]) -> npt.NDArray[_T]:
    """Return `array` read-only after checking dtype and shape (None: any length)."""
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if array.dtype.type is not dtype or not fits:
        raise HabeasError(f"{name} is {array.dtype} {array.shape}, should be {np.dtype(dtype)} {shape}")
    view = array.view()
    view.setflags(write=False)
    return view


def _immutable(array: npt.NDArray[_T]) -> npt.NDArray[_T]:
    """Return a copy whose memory nobody can make writable again."""
    return np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape)


def unit_rows(vectors: F32) -> npt.NDArray[np.bool_]:
    """Tell which rows of (n, d) float32 are usable templates, finite and of unit length: (n,) bool."""
    lengths = np.linalg.norm(vectors, axis=1)
    return np.asarray(np.isfinite(lengths) & (np.abs(lengths - 1) < UNIT_TOLERANCE), np.bool_)


# --- the line, left to right ----------------------------------------------------------------------------------------


class Picture(Protocol):
    """Pixels of one frame where they were decoded; only what is looked at is converted."""

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""

    @property
    def luma(self) -> U8:
        """(h, w) uint8, brightness."""

    def rgb(self, box_xyxy_px: tuple[int, int, int, int], size_wh: tuple[int, int]) -> U8:
        """Return the box, inside the picture, scaled to `size_wh`: (h, w, 3) uint8, RGB."""


@dataclass(frozen=True, repr=False)
class Frame:
    """One decoded picture.

    Args:
        origin: where it came from.
        index: position among the source's decoded frames, from 0.
        captured_at_ns: wall clock when it reached this process (live) or was opened (files), Unix nanoseconds.
        pts_ns: the stream's own time; its first frame need not be at 0.
        picture: the pixels.
    """

    origin: Origin
    index: int
    captured_at_ns: int
    pts_ns: int
    picture: Picture

    @property
    def camera_id(self) -> str:
        """Name of the camera or source."""
        return self.origin.camera_id

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.picture.size_wh

    @property
    def luma(self) -> U8:
        """(h, w) uint8, brightness."""
        return self.picture.luma

    @property
    def image_rgb(self) -> U8:
        """(h, w, 3) uint8, the whole picture converted; the line itself never asks for it."""
        width, height = self.size_wh
        return self.picture.rgb((0, 0, width, height), self.size_wh)

    def __repr__(self) -> str:
        return f"Frame({self.camera_id!r}, index={self.index}, pts_ns={self.pts_ns}, size_wh={self.size_wh})"


@dataclass(frozen=True, repr=False)
class Faces:
    """Faces of one frame, one row each; `faces[mask]` filters every field together.

    Args:
        boxes_xyxy_px: (n, 4) float32, half-open, full frame.
        scores: (n,) float32, the detector's, 0 to 1.
        landmarks_xy_px: (n, 5, 2) float32: the image's left eye, right eye, nose, left and right mouth corner.
        quality: (n,) float32, 0 to 1, how useful for comparison (`faces.quality`).
    """

    boxes_xyxy_px: F32
    scores: F32
    landmarks_xy_px: F32
    quality: F32

    def __post_init__(self) -> None:
        n = len(self.boxes_xyxy_px)
        set_field = object.__setattr__
        set_field(self, "boxes_xyxy_px", _fixed("boxes_xyxy_px", self.boxes_xyxy_px, np.float32, (n, 4)))
        set_field(self, "scores", _fixed("scores", self.scores, np.float32, (n,)))
        set_field(self, "landmarks_xy_px", _fixed("landmarks_xy_px", self.landmarks_xy_px, np.float32, (n, 5, 2)))
        set_field(self, "quality", _fixed("quality", self.quality, np.float32, (n,)))

    @classmethod
    def none(cls) -> Self:
        """Return the record of a frame without faces."""
        zeros = np.zeros
        return cls(zeros((0, 4), np.float32), zeros(0, np.float32), zeros((0, 5, 2), np.float32), zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.boxes_xyxy_px)

    def __getitem__(self, rows: npt.NDArray[np.bool_] | I64 | slice) -> "Faces":
        return Faces(self.boxes_xyxy_px[rows], self.scores[rows], self.landmarks_xy_px[rows], self.quality[rows])

    def __repr__(self) -> str:
        return f"Faces(n={len(self)})"


@dataclass(frozen=True)
class ClosedTrack:
    """A track that ended: one face over consecutive frames of one shot.

    Args:
        track_id: unique within the source.
        first_seen_ns: the stream's time of its first frame.
        last_seen_ns: the stream's time of its last frame.
    """

    track_id: int
    first_seen_ns: int
    last_seen_ns: int


@dataclass(frozen=True, repr=False)
class Tracks:
    """What the tracker says of one frame.

    Args:
        track_ids: (n,) int64 aligned with the rows of `faces`.
        first_seen_ns: (n,) int64, the stream's time at which each track began.
        faces: the frame's faces.
        best_shots: (n,) bool, rows that are new best shots of their track (at most 5 a track in all).
        closed: tracks that ended with this frame.
    """

    track_ids: I64
    first_seen_ns: I64
    faces: Faces
    best_shots: npt.NDArray[np.bool_]
    closed: tuple[ClosedTrack, ...]

    def __post_init__(self) -> None:
        n = len(self.faces)
        object.__setattr__(self, "track_ids", _fixed("track_ids", self.track_ids, np.int64, (n,)))
        object.__setattr__(self, "first_seen_ns", _fixed("first_seen_ns", self.first_seen_ns, np.int64, (n,)))
        object.__setattr__(self, "best_shots", _fixed("best_shots", self.best_shots, np.bool_, (n,)))

    def __len__(self) -> int:
        return len(self.track_ids)

    def __repr__(self) -> str:
        return f"Tracks(n={len(self)}, best_shots={int(self.best_shots.sum())}, closed={len(self.closed)})"


@dataclass(frozen=True, repr=False, eq=False, weakref_slot=True, slots=True)
class Templates:
    """Templates in memory, on their way to one comparison.

    Args:
        vectors: (n, d) float32, each row of unit length.
        model_id: which model pack, at which precision; comparing across models is an error.
        origin: where the faces were seen; None for references.
    """

    vectors: F32
    model_id: str
    origin: Origin | None

    def __post_init__(self) -> None:
        vectors = _fixed("vectors", _immutable(self.vectors), np.float32, (len(self.vectors), None))
        if not unit_rows(vectors).all():
            raise InputError("a template is NaN, zero or not of unit length", remedy="drop it: it can match nobody")
        object.__setattr__(self, "vectors", vectors)

    __reduce_ex__ = _stays

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        return f"Templates(n={len(self)}, model_id={self.model_id!r})"


@dataclass(frozen=True, repr=False, eq=False)
class Probe:
    """What is submitted to a search: an open track as its best shots so far show it. Dropped once compared.

    Args:
        origin: the camera.
        track_id: the track.
        templates: its fused template so far, one row.
        box_xyxy_px: (4,) float32, the face in the newest best shot.
        face_rgb: (h, w, 3) uint8, that face with margin, everybody else in it painted over.
        at_ns: the stream's time of that shot.
        first_seen_ns: the stream's time at which the track began.
        captured_at_ns: wall clock of the frame.
        size_wh: of the frame; zeros: of none.
    """

    origin: Origin
    track_id: int
    templates: Templates
    box_xyxy_px: F32
    face_rgb: U8
    at_ns: int
    first_seen_ns: int
    captured_at_ns: int
    size_wh: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if len(self.templates) != 1 or self.templates.origin is not self.origin:
            raise HabeasError("a probe has one template, of its own source")
        object.__setattr__(self, "box_xyxy_px", _fixed("box_xyxy_px", self.box_xyxy_px, np.float32, (4,)))
        object.__setattr__(self, "face_rgb", _fixed("face_rgb", self.face_rgb, np.uint8, (None, None, 3)))

    __reduce_ex__ = _stays

    def __repr__(self) -> str:
        return f"Probe({self.origin.camera_id!r}, track={self.track_id})"


@dataclass(frozen=True, repr=False, eq=False)
class GalleryView:
    """The templates that may be compared on these cameras at this moment. The matcher accepts nothing else.

    Only `habeas.authority` builds one. Its arrays live in immutable memory.

    Args:
        vectors: (m, d) float32, unit length, rows of one subject together, subjects in ascending order.
        subject_ids: (m,) the subject of each row.
        authorisation_ids: (m,) the authorisation that lists the subject.
        model_id: the model pack of the vectors.
        basis: the ground it exists on.
        camera_id: the one source it is for, or None for every source of this run that the basis permits.
        valid_from_ns: first instant (Unix ns) at which it may be compared.
        valid_until_ns: first instant at which it may no longer be compared.
        view_id: SHA-256 of the content, hexadecimal.
        seal: the seal of `authority`; checked, not kept.
        revoked: set by `authority` when the authorisation ends: from then on nothing is compared.
    """

    vectors: F32
    subject_ids: Str
    authorisation_ids: Str
    model_id: str
    basis: Basis
    camera_id: str | None
    valid_from_ns: int
    valid_until_ns: int
    view_id: str
    seal: InitVar[object]
    revoked: Event = field(default_factory=Event)

    def __post_init__(self, seal: object) -> None:
        _check_seal(seal, Seal.GALLERY_VIEW)
        m = len(self.vectors)
        vectors = _immutable(self.vectors.astype(np.float32))
        if not unit_rows(vectors).all():
            raise InputError("a reference template is NaN, zero or not of unit length", remedy="enrol another image")
        object.__setattr__(self, "vectors", _fixed("vectors", vectors, np.float32, (m, None)))
        for name in ("subject_ids", "authorisation_ids"):
            object.__setattr__(self, name, _fixed(name, _immutable(getattr(self, name)), np.str_, (m,)))
        if (self.subject_ids[1:] < self.subject_ids[:-1]).any():
            raise HabeasError("a gallery view's subjects are not in ascending order")

    @cached_property
    def subjects(self) -> Str:
        """(s,) the subjects, ascending."""
        return np.unique(self.subject_ids)

    @cached_property
    def starts(self) -> I64:
        """(s,) int64, the first row of each subject."""
        return np.searchsorted(self.subject_ids, self.subjects).astype(np.int64)

    def admit(self, origin: Origin | None, model_id: str, at_ns: int) -> None:
        """Check that templates from `origin` may be compared with this view at `at_ns`.

        Raises:
            RuleError: another kind of source, another camera, or outside the window of time.
            InputError: another model.
        """
        if type(origin) is not Origin or origin.kind not in PERMITTED_ORIGINS[self.basis]:
            where = f"{origin.kind.value} pictures" if type(origin) is Origin else "what has no origin"
            raise RuleError(
                f"a gallery view on the basis {self.basis.value!r} may not be compared with {where}",
                rule="basis",
                remedy="use a source of a kind that this basis covers",
            )
        if self.camera_id not in (None, origin.camera_id):
            raise RuleError(
                f"this gallery view is not for {origin.camera_id}", rule="scope", remedy="compile one for it"
            )
        if self.revoked.is_set() or not self.valid_from_ns <= at_ns < self.valid_until_ns:
            raise RuleError("this gallery view is not valid now", rule="window", remedy="a new authorisation is needed")
        if model_id != self.model_id:
            raise InputError(
                f"templates of {model_id} cannot be compared with a gallery of {self.model_id}",
                remedy="enrol the references again with the model in use",
            )

    __reduce_ex__ = _stays

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        subjects = len(self.subjects)
        return f"GalleryView(m={len(self)}, subjects={subjects}, {self.basis.value}, view_id={self.view_id[:12]!r})"


@dataclass(frozen=True, repr=False, eq=False)
class Candidates:
    """Best subjects for each probe.

    Args:
        subject_ids: (n, k), best first; ties in ascending order of id.
        similarities: (n, k) float32 in [-1, 1], descending.
        gallery_size: m of the view searched.
        view_id: which gallery view.
        model_id: which model pack.
    """

    subject_ids: Str
    similarities: F32
    gallery_size: int
    view_id: str
    model_id: str

    def __post_init__(self) -> None:
        n, k = self.similarities.shape
        object.__setattr__(self, "subject_ids", _fixed("subject_ids", self.subject_ids, np.str_, (n, k)))
        object.__setattr__(self, "similarities", _fixed("similarities", self.similarities, np.float32, (n, k)))

    def __len__(self) -> int:
        return len(self.similarities)

    def __repr__(self) -> str:
        return f"Candidates(n={len(self)}, k={self.similarities.shape[1]}, view_id={self.view_id[:12]!r})"


@dataclass(frozen=True)
class Threshold:
    """The similarity at which a decision meets its promised FPIR.

    Args:
        similarity: a fused track similarity above this is an alert.
        expected_fpir: promised share of non-mated tracks that alert.
        gallery_size: m it holds for.
        extrapolated: fewer than 30 errors stand behind it.
        fpir_low: lower end of the 95 % interval of the FPIR at this similarity.
        fpir_high: its upper end.
    """

    similarity: float
    expected_fpir: float
    gallery_size: int
    extrapolated: bool
    fpir_low: float
    fpir_high: float


@dataclass(frozen=True, repr=False, eq=False)
class Alert:
    """A track whose best shots matched, at its first crossing.

    Args:
        origin: the camera.
        track_id: the track.
        subject_id: whom it matched.
        similarity: fused similarity at the crossing.
        threshold: what it crossed.
        box_xyxy_px: (4,) float32, the face at the crossing.
        face_rgb: (h, w, 3) uint8, that face with margin.
        at_ns: the stream's time of the crossing.
        first_seen_ns: the stream's time at which the track began.
        captured_at_ns: wall clock of the frame.
        view_id: the gallery view.
        model_id: the model pack.
        size_wh: of the frame; zeros: of none.
    """

    origin: Origin
    track_id: int
    subject_id: str
    similarity: float
    threshold: Threshold
    box_xyxy_px: F32
    face_rgb: U8
    at_ns: int
    first_seen_ns: int
    captured_at_ns: int
    view_id: str
    model_id: str
    size_wh: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "box_xyxy_px", _fixed("box_xyxy_px", self.box_xyxy_px, np.float32, (4,)))
        object.__setattr__(self, "face_rgb", _fixed("face_rgb", self.face_rgb, np.uint8, (None, None, 3)))

    def __repr__(self) -> str:
        return f"Alert({self.origin.camera_id!r}, track={self.track_id}, similarity={self.similarity:.3f})"


@dataclass(frozen=True, repr=False)
class AlertEnd:
    """The track of an alert closed.

    Args:
        origin: the camera.
        track_id: the track.
        subject_id: whom it had matched.
        similarity: at the track's last look.
        first_seen_ns: the stream's time of the track's first frame.
        last_seen_ns: the stream's time of its last frame.
    """

    origin: Origin
    track_id: int
    subject_id: str
    similarity: float
    first_seen_ns: int
    last_seen_ns: int

    def __repr__(self) -> str:
        return f"AlertEnd({self.origin.camera_id!r}, track={self.track_id})"


@dataclass(frozen=True)
class Flaw:
    """Something went wrong with a source and was survived, or ended it.

    Args:
        camera_id: the source; empty where it concerns the run.
        what: one line.
        at_ns: the stream's time of its last picture.
    """

    camera_id: str
    what: str
    at_ns: int


def seconds(ns: int) -> float:
    """Return nanoseconds as seconds, rounded to the millisecond, for people and JSON."""
    return round(ns / NS_PER_S, 3)


def utc(ns: int) -> str:
    """Return Unix nanoseconds as RFC 3339 text in UTC, whole nanoseconds, for people and entries."""
    whole_s, rest_ns = divmod(ns, NS_PER_S)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=whole_s)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}Z"
