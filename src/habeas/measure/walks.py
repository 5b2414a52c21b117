"""One person's walk: where they are at each instant, how that looks to the camera, and where their face then is."""

import dataclasses
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from habeas.measure.figures import (
    BODY_FEET_M,
    BODY_PX_PER_M,
    BODY_SIZE_M,
    EYE_DISTANCE_M,
    EYES_HEIGHT_M,
    PHASES,
    STANDARD_HEIGHT_M,
    Clothes,
    bust,
    figure,
)
from habeas.measure.heads import EYE_DISTANCE_PX, EYES_XY_PX, FACE_BOX_EYES, HEAD_SIZE_WH, Head
from habeas.measure.street import Camera, shade_at

SHUTTER_S: Final = 0.009
FOCUS_Z_M: Final = 3.4
MARGIN_PX: Final = 12
NEAREST_Z_M: Final = 0.6
OCCLUDED_BELOW: Final = 0.6


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


@dataclass(frozen=True, eq=False)
class Layer:
    """Something drawn, with its place: RGBA, its corner in the picture, and its face if it has one."""

    image: Image.Image
    left: int
    top: int
    face: FaceTruth | None = None


@dataclass(frozen=True)
class Pose:
    """Where a walker is at one instant."""

    x_m: float
    z_m: float
    phase: float
    turn_deg: float
    squeeze: float


class Walker:
    """One walk with its sprites: the head at three sizes, the body at every phase of a step."""

    def __init__(self, walk: Walk, rng: np.random.Generator) -> None:
        self.walk = walk
        away = np.subtract(walk.to_xz_m, walk.from_xz_m)
        self.heading = away / max(float(np.hypot(*away)), 1e-6)
        sideways = min(1.0, abs(float(self.heading[0])) * 1.1)
        clothes = Clothes.draw(rng)
        phases = np.arange(PHASES) * (2 * np.pi / PHASES)
        bodies = [figure(clothes, float(phase), sideways) for phase in phases]
        self.bodies = [b.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if self.heading[0] < 0 else b for b in bodies]
        head = bust(walk.head)
        self.heads = [head, head.reduce(2), head.reduce(4)]
        self.steps_hz = 0.95 * walk.pace_m_s / 1.3
        self.offsets = rng.uniform(0, 2 * np.pi, 3)

    def pose(self, at_s: float) -> Pose:
        """Tell where the walker is at one instant, even before and after the walk."""
        walked = (at_s - self.walk.start_s) * self.walk.pace_m_s
        x, z = np.add(self.walk.from_xz_m, self.heading * walked)
        phase = 2 * np.pi * self.steps_hz * at_s + self.offsets[0]
        turn = 3.0 * np.sin(phase) + 2.5 * np.sin(0.9 * at_s + self.offsets[1])
        yaw = np.radians(16) * np.sin(0.7 * at_s + self.offsets[2])
        return Pose(float(x), float(z), float(phase), float(turn), float(np.cos(yaw)))

    def layer(self, at_s: float, camera: Camera) -> Layer | None:
        """Draw the walker as seen at one instant; None when out of view."""
        if not self.walk.start_s <= at_s < self.walk.end_s:
            return None
        pose = self.pose(at_s)
        if pose.z_m < NEAREST_Z_M:
            return None
        tall = self.walk.height_m / STANDARD_HEIGHT_M
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
        image = _light(_blurred(image, self._streak_px(at_s, camera), pose.z_m), float(shade_at(pose.x_m)))
        edges = (face[0] + box[0], face[1] + box[1], face[2] + box[0], face[3] + box[1])
        truth = FaceTruth(self.walk.person_id, edges, EYE_DISTANCE_M * scale * pose.squeeze, 1.0)
        return Layer(image, box[0], box[1], truth)

    def _head(self, pose: Pose, place: tuple[float, float, float]) -> tuple[Layer, tuple[float, float, float, float]]:
        """Turn and scale the head to its place; also the face's box."""
        x, feet, px_per_m = place
        size = px_per_m * EYE_DISTANCE_M / EYE_DISTANCE_PX
        eyes = (x, feet - EYES_HEIGHT_M * px_per_m)
        level = min(2, max(0, int(np.floor(np.log2(1 / max(size, 1e-3))))))
        corners = _head_box(eyes, size)
        width, height = corners[2] - corners[0], corners[3] - corners[1]
        c, s = np.cos(np.radians(pose.turn_deg)), np.sin(np.radians(pose.turn_deg))
        to_sprite = np.array([[c / pose.squeeze, s / pose.squeeze], [-s, c]]) / (size * 2**level)
        origin = np.array(EYES_XY_PX) / 2**level - to_sprite @ (eyes[0] - corners[0], eyes[1] - corners[1])
        rows = (*to_sprite[0], origin[0], *to_sprite[1], origin[1])
        sprite = self.heads[level]
        image = sprite.transform((width, height), Image.Transform.AFFINE, rows, Image.Resampling.BILINEAR)
        unit = size * EYE_DISTANCE_PX
        left, top, right, bottom = (edge * unit for edge in FACE_BOX_EYES)
        middle = eyes[0] - float(s) * (top + bottom) / 2
        face = (middle + left * pose.squeeze, eyes[1] + top, middle + right * pose.squeeze, eyes[1] + bottom)
        return Layer(image, corners[0], corners[1]), face

    def _body(self, pose: Pose, place: tuple[float, float, float], size_wh: tuple[int, int]) -> Image.Image:
        x, feet, px_per_m = place
        step = round(pose.phase / (2 * np.pi) * PHASES) % PHASES
        grow = BODY_PX_PER_M / px_per_m
        left = BODY_SIZE_M[0] / 2 * BODY_PX_PER_M - x * grow
        top = (BODY_SIZE_M[1] - BODY_FEET_M) * BODY_PX_PER_M - feet * grow
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
    width, height = HEAD_SIZE_WH
    left, top = eyes_xy[0] - EYES_XY_PX[0] * size * 1.1, eyes_xy[1] - EYES_XY_PX[1] * size * 1.1
    return int(left), int(top), int(left + width * size * 1.2) + 2, int(top + height * size * 1.2) + 2


def _paste_over(image: Image.Image, layer: Layer) -> None:
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
