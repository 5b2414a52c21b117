"""An invented film, with which a worker tries what it does before it is sealed: nothing is imported or found later."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from habeas.types import U8
from habeas.video.encode import encode_h264


@contextmanager
def film_of(images_rgb: Sequence[U8]) -> Iterator[Path]:
    """Hand out a film of these pictures, a second long; it is gone after the block.

    Args:
        images_rgb: (h, w, 3) uint8 each, of one size; they show nobody.
    """
    with tempfile.TemporaryDirectory(prefix="habeas-worker-") as folder:
        path = Path(folder) / "nobody.mp4"
        encode_h264(images_rgb, path, len(images_rgb))
        yield path
