"""Synthetic camera video with ground truth: people walk through a street, several at once, in changing light.

A `Scene` says who walks where. `render_frames` draws it; `write_scene` makes an H.264 file with the truth beside it.
"""

import dataclasses
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageChops

from habeas.errors import DiskError, InputError
from habeas.measure.heads import Head
from habeas.measure.strangers import strangers
from habeas.measure.street import CAR_Z_M, KERB_Z_M, Camera, car, street, tree
from habeas.measure.walks import FaceTruth, Layer, Walk, Walker
from habeas.types import NS_PER_S, U8
from habeas.video.encode import encode_h264

TRUTH_SCHEMA: Final = "habeas-scene-truth"
TRUTH_VERSION: Final = 1
_SWAYS: Final = 9


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


# --- drawing ----------------------------------------------------------------------------------------------------------


def render_frames(scene: Scene) -> Iterator[tuple[U8, list[FaceTruth]]]:
    """Draw a scene.

    Yields:
        (h, w, 3) uint8 RGB, and the faces in it, furthest first.
    """
    stage = _Stage(scene)
    for index in range(scene.frame_count):
        yield stage.draw(index / scene.rate_hz)


class _Stage:
    """A scene made ready: everything that does not change from picture to picture."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.camera = Camera(scene.size_wh)
        rng = np.random.default_rng([scene.seed, 0])
        self.street = street(self.camera, rng)
        self.walkers = [Walker(walk, np.random.default_rng([scene.seed, 1, i])) for i, walk in enumerate(scene.walks)]
        crown = int(scene.size_wh[1] * 0.5)
        sways = np.linspace(-0.03, 0.03, _SWAYS)
        self.trees = [[tree(crown, float(sway), scene.seed + k) for sway in sways] for k in range(2)]
        scale = self.camera.focal_px / CAR_Z_M
        self.cars = [(car(scale, rng), float(rng.uniform(0, 9)), int(rng.choice((-1, 1)))) for _ in range(3)]
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

    def _traffic(self, at_s: float) -> Iterator[Layer]:
        """Cars, then the trees before them."""
        width = self.scene.size_wh[0]
        for lane, (sprite, offset_s, direction) in enumerate(self.cars):
            travel = ((at_s + offset_s) % (9 + lane)) * 0.16 * width - sprite.width
            left = travel if direction > 0 else width - travel - sprite.width
            bottom = self.camera.project(0, 0, CAR_Z_M + 0.5 * (direction < 0))[1]
            side = sprite if direction > 0 else sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            yield Layer(side, int(left), int(bottom) - sprite.height)
        bottom = self.camera.project(0, 0, KERB_Z_M - 0.2)[1]
        for k, phases in enumerate(self.trees):
            sway = 0.6 * np.sin(1.3 * at_s + 2 * k) + 0.4 * np.sin(2.9 * at_s + k)
            sprite = phases[round((sway + 1) / 2 * (_SWAYS - 1))]
            yield Layer(sprite, int(width * (0.04 + 0.66 * k)), int(bottom) - sprite.height)

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


def _seen(layer: Layer, nearer: list[Layer], size_wh: tuple[int, int]) -> FaceTruth | None:
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


# --- writing ----------------------------------------------------------------------------------------------------------


def silent(_share: float) -> None:
    """Report nothing."""


def draw_scene(scene: Scene, path: Path, *, report: Callable[[float], None] = silent) -> list[list[FaceTruth]]:
    """Draw a scene into one file (H.264 in MP4).

    Args:
        scene: what to draw.
        path: of the video.
        report: told the share done, 0 to 1, after each picture.

    Returns:
        The faces of each picture, in order.

    Raises:
        OSError: nowhere to write, or no room.
    """
    truth: list[list[FaceTruth]] = []
    encode_h264(_reported(scene, truth, report), path, scene.rate_hz)
    return truth


def write_scene(scene: Scene, folder: Path, *, report: Callable[[float], None] = silent) -> Path:
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
    video = folder / "scene.mp4"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".scene-") as workshop:
            part = Path(workshop) / "scene.mp4"
            truth = draw_scene(scene, part, report=report)
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
