"""Synthetic camera video with ground truth: people walk through a street, several at once, in changing light.

A `Scene` says who walks where. `render_frames` draws it, `write_scene` makes an H.264 file with the truth beside it,
`SceneSource` plays it as a camera. A `SceneSource` is given a `Scene`, never a file: its pictures are drawn, encoded
and decoded in this process, which is why they, and only they, may be compared on the basis `demo`.
"""

import dataclasses
import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from habeas.clock import SystemClock
from habeas.errors import DiskError, InputError, SourceError
from habeas.measure import render
from habeas.measure.render import Camera, Clothes, Head, blend
from habeas.ports import Clock, FrameSource
from habeas.types import NS_PER_S, U8, Frame, Origin, OriginKind, Seal, claim_seal
from habeas.video import open_source
from habeas.video.encode import encode_h264

_SEAL: Final = claim_seal(Seal.SCENE)

TRUTH_SCHEMA: Final = "habeas-scene-truth"
TRUTH_VERSION: Final = 1
SHUTTER_S: Final = 0.009
FOCUS_Z_M: Final = 3.4
MARGIN_PX: Final = 12
NEAREST_Z_M: Final = 0.6
OCCLUDED_BELOW: Final = 0.6
_SWAYS: Final = 9


@dataclass(frozen=True)
class Walk:
    """One person's way through a scene, in a straight line at a steady pace.

    Args:
        person_id: unique in the scene.
        name: to show.
        head: their head.
        start_s: when they set off.
        from_xz_m: where, metres to the right of the camera's axis and away from the camera.
        to_xz_m: where to.
        pace_m_s: how fast.
        height_m: how tall.
    """

    person_id: str
    name: str
    head: Head = dataclasses.field(repr=False)
    start_s: float
    from_xz_m: tuple[float, float]
    to_xz_m: tuple[float, float]
    pace_m_s: float = 1.25
    height_m: float = 1.75

    @property
    def end_s(self) -> float:
        """When they arrive."""
        return self.start_s + float(np.hypot(*np.subtract(self.to_xz_m, self.from_xz_m))) / self.pace_m_s


@dataclass(frozen=True)
class Scene:
    """What happens in front of an invented camera. The same scene gives the same pictures.

    Args:
        walks: who passes.
        size_wh: of the pictures, pixels, even.
        rate_hz: pictures a second.
        duration_s: length.
        seed: decides clothes, street, light and noise.
        noise: standard deviation of the sensor's noise, of 255.

    Raises:
        InputError: sizes, rates or lengths that make no video, or two walks of one id.
    """

    walks: tuple[Walk, ...]
    size_wh: tuple[int, int] = (1280, 720)
    rate_hz: int = 25
    duration_s: float = 20.0
    seed: int = 1
    noise: float = 4.0

    def __post_init__(self) -> None:
        if min(self.size_wh) < 64 or any(side % 2 for side in self.size_wh):  # noqa: PLR2004 -- H.264 needs even sides
            raise InputError(f"a scene of {self.size_wh} makes no video", remedy="use even sides of 64 px or more")
        if self.rate_hz < 1 or not 0 < self.duration_s <= 3600:  # noqa: PLR2004 -- an hour
            raise InputError("a scene needs a rate of 1 Hz or more and a length up to an hour", remedy="change it")
        if len({walk.person_id for walk in self.walks}) < len(self.walks):
            raise InputError("two walks of a scene have one person_id", remedy="give each its own")

    @property
    def frame_count(self) -> int:
        """Number of pictures."""
        return max(1, round(self.duration_s * self.rate_hz))


@dataclass(frozen=True)
class FaceTruth:
    """Where a face really is in one picture.

    Args:
        person_id: whose.
        box_xyxy_px: half-open; may reach beyond the picture.
        eye_distance_px: between the eyes.
        visible_fraction: share of the box neither covered by somebody nearer nor outside the picture.
    """

    person_id: str
    box_xyxy_px: tuple[float, float, float, float]
    eye_distance_px: float
    visible_fraction: float

    @property
    def occluded(self) -> bool:
        """Whether too little is visible to expect a detection."""
        return self.visible_fraction < OCCLUDED_BELOW


# --- drawing --------------------------------------------------------------------------------------------------------


def render_frames(scene: Scene) -> Iterator[tuple[U8, list[FaceTruth]]]:
    """Draw a scene.

    Yields:
        (h, w, 3) uint8 RGB, and the faces in it, furthest first.
    """
    stage = _Stage(scene)
    for index in range(scene.frame_count):
        yield stage.draw(index / scene.rate_hz)


@dataclass(frozen=True, eq=False)
class _Layer:
    """Something drawn, with its place: RGBA, its corner in the picture, and its face if it has one."""

    image: Image.Image
    left: int
    top: int
    face: FaceTruth | None = None


@dataclass(frozen=True)
class _Pose:
    """Where a walker is at one instant."""

    x_m: float
    z_m: float
    phase: float
    turn_deg: float
    squeeze: float


class _Walker:
    """One walk with its sprites: the head at three sizes, the body at every phase of a step."""

    def __init__(self, walk: Walk, rng: np.random.Generator) -> None:
        self.walk = walk
        away = np.subtract(walk.to_xz_m, walk.from_xz_m)
        self.heading = away / max(float(np.hypot(*away)), 1e-6)
        sideways = min(1.0, abs(float(self.heading[0])) * 1.1)
        clothes = Clothes.draw(rng)
        phases = np.arange(render.PHASES) * (2 * np.pi / render.PHASES)
        bodies = [render.figure(clothes, float(phase), sideways) for phase in phases]
        self.bodies = [b.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if self.heading[0] < 0 else b for b in bodies]
        head = render.bust(walk.head)
        self.heads = [head, head.reduce(2), head.reduce(4)]
        self.steps_hz = 0.95 * walk.pace_m_s / 1.3
        self.offsets = rng.uniform(0, 2 * np.pi, 3)

    def pose(self, at_s: float) -> _Pose:
        walked = (at_s - self.walk.start_s) * self.walk.pace_m_s
        x, z = np.add(self.walk.from_xz_m, self.heading * walked)
        phase = 2 * np.pi * self.steps_hz * at_s + self.offsets[0]
        turn = 3.0 * np.sin(phase) + 2.5 * np.sin(0.9 * at_s + self.offsets[1])
        yaw = np.radians(16) * np.sin(0.7 * at_s + self.offsets[2])
        return _Pose(float(x), float(z), float(phase), float(turn), float(np.cos(yaw)))

    def layer(self, at_s: float, camera: Camera) -> _Layer | None:
        """Draw the walker as seen at one instant; None when out of view."""
        if not self.walk.start_s <= at_s < self.walk.end_s:
            return None
        pose = self.pose(at_s)
        if pose.z_m < NEAREST_Z_M:
            return None
        tall = self.walk.height_m / render.STANDARD_HEIGHT_M
        x, feet, scale = camera.project(pose.x_m, 0, pose.z_m)
        scale *= tall
        feet -= 0.018 * scale * abs(np.cos(pose.phase))
        box = _visible_part(x, feet, scale, camera.size_wh)
        if box is None:
            return None
        head, face = self._head(pose, (x - box[0], feet - box[1], scale))
        body = self._body(pose, (x - box[0], feet - box[1], scale), (box[2] - box[0], box[3] - box[1]))
        image = Image.new("RGBA", body.size, (0, 0, 0, 0))
        _paste_over(image, head)
        image.alpha_composite(body)
        image = _light(_blurred(image, self._streak_px(at_s, camera), pose.z_m), float(render.shade_at(pose.x_m)))
        edges = (face[0] + box[0], face[1] + box[1], face[2] + box[0], face[3] + box[1])
        truth = FaceTruth(self.walk.person_id, edges, render.EYE_DISTANCE_M * scale * pose.squeeze, 1.0)
        return _Layer(image, box[0], box[1], truth)

    def _head(self, pose: _Pose, place: tuple[float, float, float]) -> tuple[_Layer, tuple[float, float, float, float]]:
        """Turn and scale the head to its place; also the face's box."""
        x, feet, px_per_m = place
        size = px_per_m * render.EYE_DISTANCE_M / render.EYE_DISTANCE_PX
        eyes = (x, feet - render.EYES_HEIGHT_M * px_per_m)
        level = min(2, max(0, int(np.floor(np.log2(1 / max(size, 1e-3))))))
        corners = _head_box(eyes, size)
        width, height = corners[2] - corners[0], corners[3] - corners[1]
        c, s = np.cos(np.radians(pose.turn_deg)), np.sin(np.radians(pose.turn_deg))
        to_sprite = np.array([[c / pose.squeeze, s / pose.squeeze], [-s, c]]) / (size * 2**level)
        origin = np.array(render.EYES_XY_PX) / 2**level - to_sprite @ (eyes[0] - corners[0], eyes[1] - corners[1])
        rows = (*to_sprite[0], origin[0], *to_sprite[1], origin[1])
        sprite = self.heads[level]
        image = sprite.transform((width, height), Image.Transform.AFFINE, rows, Image.Resampling.BILINEAR)
        unit = size * render.EYE_DISTANCE_PX
        left, top, right, bottom = (edge * unit for edge in render.FACE_BOX_EYES)
        middle = eyes[0] - float(s) * (top + bottom) / 2
        face = (middle + left * pose.squeeze, eyes[1] + top, middle + right * pose.squeeze, eyes[1] + bottom)
        return _Layer(image, corners[0], corners[1]), face

    def _body(self, pose: _Pose, place: tuple[float, float, float], size_wh: tuple[int, int]) -> Image.Image:
        x, feet, px_per_m = place
        step = round(pose.phase / (2 * np.pi) * render.PHASES) % render.PHASES
        grow = render.BODY_PX_PER_M / px_per_m
        left = render.BODY_SIZE_M[0] / 2 * render.BODY_PX_PER_M - x * grow
        top = (render.BODY_SIZE_M[1] - render.BODY_FEET_M) * render.BODY_PX_PER_M - feet * grow
        rows = (grow, 0.0, left, 0.0, grow, top)
        return self.bodies[step].transform(size_wh, Image.Transform.AFFINE, rows, Image.Resampling.BILINEAR)

    def _streak_px(self, at_s: float, camera: Camera) -> tuple[float, float]:
        """How far the chest moves in the picture while the shutter is open."""
        before, after = self.pose(at_s), self.pose(at_s + SHUTTER_S)
        x0, y0, _ = camera.project(before.x_m, 1.4, before.z_m)
        x1, y1, _ = camera.project(after.x_m, 1.4, max(after.z_m, NEAREST_Z_M))
        return x1 - x0, y1 - y0


def _visible_part(x: float, feet: float, px_per_m: float, size_wh: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The part of the picture that a figure covers, with a margin beyond the picture for blurring."""
    left, right = int(x - 0.55 * px_per_m) - MARGIN_PX, int(x + 0.55 * px_per_m) + MARGIN_PX
    top, bottom = int(feet - 1.82 * px_per_m) - MARGIN_PX, int(feet + 0.1 * px_per_m) + MARGIN_PX
    box = (
        max(left, -MARGIN_PX),
        max(top, -MARGIN_PX),
        min(right, size_wh[0] + MARGIN_PX),
        min(bottom, size_wh[1] + MARGIN_PX),
    )
    return box if box[2] - box[0] > 2 * MARGIN_PX and box[3] - box[1] > 2 * MARGIN_PX else None


def _head_box(eyes_xy: tuple[float, float], size: float) -> tuple[int, int, int, int]:
    width, height = render.HEAD_SIZE_WH
    left, top = eyes_xy[0] - render.EYES_XY_PX[0] * size * 1.1, eyes_xy[1] - render.EYES_XY_PX[1] * size * 1.1
    return int(left), int(top), int(left + width * size * 1.2) + 2, int(top + height * size * 1.2) + 2


def _paste_over(image: Image.Image, layer: _Layer) -> None:
    """Composite where the layer lies inside the image."""
    skip = max(0, -layer.left), max(0, -layer.top)
    if skip[0] < layer.image.width and skip[1] < layer.image.height:
        image.alpha_composite(layer.image, (layer.left + skip[0], layer.top + skip[1]), skip)


def _blurred(image: Image.Image, streak_px: tuple[float, float], z_m: float) -> Image.Image:
    """Motion blur along the streak and defocus away from the focal plane, on premultiplied colours."""
    defocus = 0.28 * abs(z_m - FOCUS_Z_M) ** 0.5 + 0.15
    out = image.convert("RGBa")
    for part in (0.5, 0.25):
        shift = round(streak_px[0] * part), round(streak_px[1] * part)
        if shift != (0, 0):
            out = Image.blend(out, ImageChops.offset(out, *shift), 0.5)
    return out.filter(ImageFilter.BoxBlur(defocus)).convert("RGBA")


def _light(image: Image.Image, gain: float) -> Image.Image:
    curve = [min(255, round(value * gain)) for value in range(256)]
    return image.point(curve * 3 + list(range(256)))


class _Stage:
    """A scene made ready: everything that does not change from picture to picture."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.camera = Camera(scene.size_wh)
        rng = np.random.default_rng([scene.seed, 0])
        self.street = render.street(self.camera, rng)
        self.walkers = [_Walker(walk, np.random.default_rng([scene.seed, 1, i])) for i, walk in enumerate(scene.walks)]
        crown = int(scene.size_wh[1] * 0.5)
        sways = np.linspace(-0.03, 0.03, _SWAYS)
        self.trees = [[render.tree(crown, float(sway), scene.seed + k) for sway in sways] for k in range(2)]
        scale = self.camera.focal_px / render.CAR_Z_M
        self.cars = [(render.car(scale, rng), float(rng.uniform(0, 9)), int(rng.choice((-1, 1)))) for _ in range(3)]
        width, height = scene.size_wh
        grain = rng.normal(128, scene.noise, (height + 64, width + 64, 3)) + rng.normal(0, scene.noise, (1, 1, 1))
        self.grain = Image.fromarray(np.clip(grain, 0, 255).astype(np.uint8), "RGB")

    def draw(self, at_s: float) -> tuple[U8, list[FaceTruth]]:
        image = self.street.copy()
        for layer in self._traffic(at_s):
            image.paste(layer.image, (layer.left, layer.top), layer.image)
        by_depth = sorted(self.walkers, key=lambda walker: -walker.pose(at_s).z_m)
        layers = [drawn for walker in by_depth if (drawn := walker.layer(at_s, self.camera)) is not None]
        for layer in layers:
            image.paste(layer.image, (layer.left, layer.top), layer.image)
        truth = [_seen(layer, layers[i + 1 :], self.scene.size_wh) for i, layer in enumerate(layers)]
        return self._expose(image, at_s), [face for face in truth if face is not None and face.visible_fraction > 0]

    def _traffic(self, at_s: float) -> Iterator[_Layer]:
        """Cars, then the trees before them."""
        width = self.scene.size_wh[0]
        for lane, (sprite, offset_s, direction) in enumerate(self.cars):
            travel = ((at_s + offset_s) % (9 + lane)) * 0.16 * width - sprite.width
            left = travel if direction > 0 else width - travel - sprite.width
            bottom = self.camera.project(0, 0, render.CAR_Z_M + 0.5 * (direction < 0))[1]
            side = sprite if direction > 0 else sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            yield _Layer(side, int(left), int(bottom) - sprite.height)
        bottom = self.camera.project(0, 0, render.KERB_Z_M - 0.2)[1]
        for k, phases in enumerate(self.trees):
            sway = 0.6 * np.sin(1.3 * at_s + 2 * k) + 0.4 * np.sin(2.9 * at_s + k)
            sprite = phases[round((sway + 1) / 2 * (_SWAYS - 1))]
            yield _Layer(sprite, int(width * (0.04 + 0.66 * k)), int(bottom) - sprite.height)

    def _expose(self, image: Image.Image, at_s: float) -> U8:
        """Sun and clouds, the lamps' flicker, the sensor's noise."""
        cloud = 1.0 + 0.14 * np.tanh(2.2 * np.sin(0.55 * at_s + self.scene.seed))
        gain = cloud * (1 + 0.012 * np.sin(at_s * 61))
        warm = np.array([1 + 0.05 * (cloud - 1), 1.0, 1 - 0.25 * (cloud - 1)]) * gain
        curve = np.clip(np.arange(256)[None] * warm[:, None] + 4, 0, 255).round().astype(int).ravel().tolist()
        rng = np.random.default_rng([self.scene.seed, 2, round(at_s * 1e6)])
        x, y = (int(v) for v in rng.integers(0, 64, 2))
        grain = self.grain.crop((x, y, x + image.width, y + image.height))
        return np.asarray(ImageChops.add(image.point(curve), grain, 1.0, -128), np.uint8)


def _seen(layer: _Layer, nearer: list[_Layer], size_wh: tuple[int, int]) -> FaceTruth | None:
    """Measure which share of a layer's face is visible."""
    if layer.face is None:
        return None
    x0, y0, x1, y1 = (round(edge) for edge in layer.face.box_xyxy_px)
    visible = np.zeros((max(1, y1 - y0), max(1, x1 - x0)), np.float32)
    visible[max(0, -y0) : max(0, size_wh[1] - y0), max(0, -x0) : max(0, size_wh[0] - x0)] = 1
    for other in nearer:
        left, top = max(x0, other.left), max(y0, other.top)
        right, bottom = min(x1, other.left + other.image.width), min(y1, other.top + other.image.height)
        if left < right and top < bottom:
            part = other.image.getchannel("A").crop(
                (left - other.left, top - other.top, right - other.left, bottom - other.top)
            )
            visible[top - y0 : bottom - y0, left - x0 : right - x0] *= 1 - np.asarray(part, np.float32) / 255
    return dataclasses.replace(layer.face, visible_fraction=float(visible.mean()))


# --- writing and playing --------------------------------------------------------------------------------------------


def _silent(_share: float) -> None:
    """Report nothing."""


def write_scene(scene: Scene, folder: Path, *, report: Callable[[float], None] = _silent) -> Path:
    """Draw a scene into `folder`: `scene.mp4` (H.264) and `truth.json`, each appearing only when whole.

    Args:
        scene: what to draw.
        folder: made where missing; files of these names are replaced.
        report: told the share done, 0 to 1, after each picture.

    Returns:
        The path of the video.

    Raises:
        DiskError: nowhere to write, or no room.
    """
    truth: list[list[FaceTruth]] = []
    video = folder / "scene.mp4"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".scene-") as workshop:
            part = Path(workshop) / "scene.mp4"
            encode_h264(_reported(scene, truth, report), part, scene.rate_hz)
            text = Path(workshop) / "truth.json"
            text.write_text(json.dumps(_truth_json(scene, truth)), encoding="utf-8")
            text.replace(folder / "truth.json")
            part.replace(video)
    except OSError as error:
        what = error.strerror or str(error)
        raise DiskError(f"{folder}: {what}", remedy="free some room, or name another folder") from error
    return video


def _reported(scene: Scene, truth: list[list[FaceTruth]], report: Callable[[float], None]) -> Iterator[U8]:
    """Draw a scene, keeping the truth and telling how far it is."""
    for index, (image_rgb, faces) in enumerate(render_frames(scene)):
        truth.append(faces)
        yield image_rgb
        report((index + 1) / scene.frame_count)


def _truth_json(scene: Scene, truth: list[list[FaceTruth]]) -> dict[str, object]:
    return {
        "schema": TRUTH_SCHEMA,
        "version": TRUTH_VERSION,
        "size_wh": list(scene.size_wh),
        "rate_hz": scene.rate_hz,
        "seed": scene.seed,
        "people": {walk.person_id: walk.name for walk in scene.walks},
        "frames": [
            {"index": index, "pts_ns": index * NS_PER_S // scene.rate_hz, "faces": [_face_json(face) for face in faces]}
            for index, faces in enumerate(truth)
        ],
    }


def _face_json(face: FaceTruth) -> dict[str, object]:
    return {
        "person_id": face.person_id,
        "box_xyxy_px": [round(edge, 2) for edge in face.box_xyxy_px],
        "eye_distance_px": round(face.eye_distance_px, 2),
        "visible_fraction": round(face.visible_fraction, 3),
        "occluded": face.occluded,
    }


class SceneSource:
    """Plays a scene as a camera. It draws, encodes and decodes the scene itself, in a private folder that it deletes.

    Args:
        scene: what to play. There is no way to hand in a video.
        camera_id: name of the invented camera.
        real_time: give out each picture when its time has come; none is dropped.
        clock: what real time is, and when pictures are captured.
        report: told the share drawn, 0 to 1.

    Raises:
        DiskError: nowhere to write the scene.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        camera_id: str = "scene",
        real_time: bool = False,
        clock: Clock | None = None,
        report: Callable[[float], None] = _silent,
    ) -> None:
        self._origin = Origin(OriginKind.SCENE, camera_id, _SEAL)
        self._scene = scene
        self._clock = clock or SystemClock()
        self._real_time = real_time
        self._closed = self._started = False
        self._decoding = threading.Lock()
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="habeas-scene-")
        except OSError as error:
            raise DiskError(f"no temporary folder: {error.strerror}", remedy="set TMPDIR to one with room") from error
        try:
            self._source: FrameSource = open_source(str(write_scene(scene, Path(self._folder.name), report=report)))
        except BaseException:
            self._folder.cleanup()
            raise

    @property
    def origin(self) -> Origin:
        """The scene."""
        return self._origin

    @property
    def rate_hz(self) -> float:
        """Pictures a second."""
        return float(self._scene.rate_hz)

    @property
    def duration_ns(self) -> int | None:
        """Length of the scene."""
        return self._scene.frame_count * NS_PER_S // self._scene.rate_hz

    @property
    def flaws(self) -> tuple[str, ...]:
        """What decoding survived."""
        return self._source.flaws

    def frames(self) -> Iterator[Frame]:
        """Yield the pictures, decoded, in order; `real_time` waits for each.

        Raises:
            SourceError: iterated twice, or closed before.
        """
        if self._started or self._closed:
            raise SourceError("a scene is played once", remedy="open another SceneSource")
        self._started = True
        start_ns = self._clock.monotonic_ns()
        decoded = self._source.frames()
        while (frame := self._next(decoded)) is not None:
            if self._real_time:
                self._clock.wait(max(0, start_ns + frame.pts_ns - self._clock.monotonic_ns()))
            if self._closed:
                return
            yield dataclasses.replace(frame, origin=self._origin, captured_at_ns=self._clock.now_ns())

    def _next(self, decoded: Iterator[Frame]) -> Frame | None:
        """Decode one picture, unless closed: the lock keeps `close` from freeing a decoder at work."""
        with self._decoding:
            return None if self._closed else next(decoded, None)

    def close(self) -> None:
        """Stop, and delete the scene's files."""
        self._closed = True
        with self._decoding:
            self._source.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


# --- casts ----------------------------------------------------------------------------------------------------------

STAR: Final = "astronaut"
_STAR_WAY: Final = (6.0, (-1.3, 7.6), (0.15, 0.95))
_WAYS: Final = (
    (0.0, (1.5, 8.2), (0.75, 0.95)),
    (0.0, (-4.6, 6.0), (4.6, 5.6)),
    (1.5, (3.2, 5.0), (-3.6, 4.4)),
    (3.0, (-0.9, 8.4), (-0.75, 0.95)),
    (5.0, (5.0, 6.6), (-5.0, 6.4)),
    (8.0, (2.2, 8.2), (0.8, 0.95)),
    (9.2, (-3.8, 4.9), (3.8, 4.7)),
    (11.5, (0.9, 8.4), (-0.55, 0.95)),
    (12.0, (4.6, 5.6), (-4.6, 5.2)),
    (13.5, (-2.2, 7.6), (-0.7, 0.95)),
    (14.0, (1.2, 8.4), (0.6, 0.95)),
)
"""Start in seconds, from and to in metres: towards the camera and past below it, or across the street."""


def strangers(heads: Mapping[str, Head], count: int, seed: int) -> Iterator[Head]:
    """Invent `count` people from the heads given; the same seed gives the same people.

    Raises:
        InputError: no heads.
    """
    sources = list(heads.values())
    for number in range(count):
        yield blend(sources, np.random.default_rng([seed, 3, number]))


def demo_scene(heads: Mapping[str, Head], seed: int) -> Scene:
    """Cast the demo: 20 s, 12 people; the astronaut, or else the first of `heads`, passes once clearly.

    The others of `heads` pass too, and strangers invented from them fill the street.

    Args:
        heads: by person id; those beyond the first 12 stay at home.
        seed: decides everything else.

    Raises:
        InputError: no heads.
    """
    if not heads:
        raise InputError("a demo needs at least one head", remedy="give a folder with a portrait")
    star = STAR if STAR in heads else next(iter(heads))
    others = {name: head for name, head in heads.items() if name != star}
    extras = strangers(others or heads, max(0, len(_WAYS) - len(others)), seed)
    cast = [*others.items(), *((f"stranger-{n + 1}", head) for n, head in enumerate(extras))][: len(_WAYS)]
    rng = np.random.default_rng([seed, 4])
    order = rng.permutation(len(cast))
    walks = [Walk(star, star, heads[star], *_STAR_WAY, pace_m_s=1.2)]
    for way, pick in zip(_WAYS, order, strict=True):
        name, head = cast[pick]
        walks.append(Walk(name, name, head, *way, float(rng.uniform(1.15, 1.4)), float(rng.uniform(1.64, 1.84))))
    return Scene(tuple(walks), seed=seed)
