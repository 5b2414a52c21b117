"""A folder in which documented commands and examples run: pictures and clips of openly licensed portraits."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from habeas.types import U8
from habeas.video import encode_h264

RATE_HZ = 12
SHOT_FRAMES = 36


@pytest.fixture(scope="session")
def workshop(
    tmp_path_factory: pytest.TempPathFactory, portraits: dict[str, U8], portraits_folder: Path, settings: object
) -> Path:
    """`street.mp4` (Ada for 3 s, then a stranger for 3 s), pictures of each, and `people/` for `evaluate`."""
    del settings
    folder = tmp_path_factory.mktemp("workshop")
    ada, stranger = portraits["astronaut"], portraits["grace-hopper"]
    encode_h264((*_pan(ada), *_pan(stranger)), folder / "street.mp4", RATE_HZ)
    Image.fromarray(ada).save(folder / "ada.jpg", quality=92)
    Image.fromarray(stranger).save(folder / "stranger.jpg", quality=92)
    shutil.copy(portraits_folder / "biden.jpg", folder / "elsewhere.jpg")
    pictures = folder / "pictures"
    pictures.mkdir()
    shutil.copy(folder / "ada.jpg", pictures)
    (pictures / "broken.jpg").write_bytes(b"no picture")
    for person, names in {
        "one": ("obama.jpg", "obama2.jpg"),
        "two": ("biden.jpg",),
        "three": ("astronaut.png",),
    }.items():
        own = folder / "people" / person
        own.mkdir(parents=True)
        for name in names:
            shutil.copy(portraits_folder / name, own)
    return folder


def _pan(image_rgb: U8) -> Iterator[U8]:
    """Move a window of 400 x 300 over a picture."""
    for left in np.linspace(0, image_rgb.shape[1] - 400, SHOT_FRAMES).round().astype(int).tolist():
        yield image_rgb[:300, left : left + 400]
