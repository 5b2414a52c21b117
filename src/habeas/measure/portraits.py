"""Portraits that may be shown: openly licensed ones inside published packages, or the user's own folder.

Where each comes from, and on what terms, is told to people in docs/portraits.md.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from habeas.errors import InputError
from habeas.models.manifest import Carrier, PackagedFile
from habeas.types import U8
from habeas.video.image import is_image_name, load_image

_FACE_RECOGNITION: Final = "face_recognition==1.3.0"
_FACE_RECOGNITION_SHA256: Final = "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec"


@dataclass(frozen=True)
class Portrait:
    """One portrait.

    Args:
        portrait_id: unique.
        person_id: who it shows; two portraits may show one person.
        name: to show.
        file: what carries it.
        source: who made it, when.
        terms: on what ground it may be used.
    """

    portrait_id: str
    person_id: str
    name: str
    file: PackagedFile
    source: str
    terms: str


def _test_image(name: str, sha256: str, size: int) -> PackagedFile:
    """One of the photographs among the tests of the `face_recognition` source archive."""
    member = f"tests/test_images/{name}"
    return PackagedFile(
        name, Carrier.SDIST, _FACE_RECOGNITION, member, sha256, size, "MIT", 3, _FACE_RECOGNITION_SHA256
    )


ASTRONAUT: Final = Portrait(
    portrait_id="astronaut",
    person_id="astronaut",
    name="Eileen Collins",
    file=PackagedFile(
        name="astronaut.png",
        carrier=Carrier.WHEEL,
        requirement="scikit-image==0.26.0",
        member="skimage/data/astronaut.png",
        sha256="88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        size=791_555,
        licence="BSD-3-Clause",
        fetch_mb=14,
    ),
    source="NASA, official portrait of the astronaut Eileen Collins",
    terms="work of the United States government, public domain",
)
GRACE_HOPPER: Final = Portrait(
    portrait_id="grace-hopper",
    person_id="grace-hopper",
    name="Grace Hopper",
    file=PackagedFile(
        name="grace_hopper.jpg",
        carrier=Carrier.WHEEL,
        requirement="matplotlib==3.11.2",
        member="matplotlib/mpl-data/sample_data/grace_hopper.jpg",
        sha256="a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130",
        size=61_306,
        licence="Matplotlib licence (PSF-based)",
        fetch_mb=10,
    ),
    source="United States Navy, official portrait of Commodore Grace M. Hopper, 1984",
    terms="work of the United States government, public domain",
)
OBAMA: Final = Portrait(
    portrait_id="obama",
    person_id="obama",
    name="Barack Obama",
    file=_test_image("obama.jpg", "0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6", 279_922),
    source="White House, Pete Souza, official presidential portrait, 6 December 2012",
    terms="work of the United States government, no copyright there; its caption asks for restraint, see docs",
)
OBAMA_2: Final = Portrait(
    portrait_id="obama-2",
    person_id="obama",
    name="Barack Obama (2009)",
    file=_test_image("obama2.jpg", "a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6", 184_455),
    source="White House, Pete Souza, address to a joint session of Congress, 9 September 2009",
    terms="official photograph, not a portrait; else as for the portrait",
)
BIDEN: Final = Portrait(
    portrait_id="biden",
    person_id="biden",
    name="Joe Biden",
    file=_test_image("biden.jpg", "3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c", 353_723),
    source="White House, Pete Souza, Blue Room, 10 May 2010",
    terms="official photograph, not a portrait; else as for the portrait",
)
PORTRAITS: Final[tuple[Portrait, ...]] = (ASTRONAUT, GRACE_HOPPER, OBAMA, OBAMA_2, BIDEN)


def load_portraits(folder: Path) -> dict[str, U8]:
    """Read the portraits that `models.pull.fetch` put into `folder`.

    Returns:
        By `portrait_id`, in the order of `PORTRAITS`: (h, w, 3) uint8, RGB.

    Raises:
        ImageError: one is missing or unreadable.
    """
    return {portrait.portrait_id: load_image(folder / portrait.file.name) for portrait in PORTRAITS}


def load_faces_dir(folder: Path) -> dict[str, U8]:
    """Read a folder of portraits, one person an image, named as the file.

    Returns:
        By file name without its ending, in order of file names: (h, w, 3) uint8, RGB.

    Raises:
        InputError: no such folder, no image in it, or two of one name.
        ImageError: an image cannot be read.
    """
    remedy = "put one JPEG or PNG for each person into it, named as the person"
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and is_image_name(path))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})", remedy="name a folder of images") from error
    if not files:
        raise InputError(f"{folder}: holds no image", remedy=remedy)
    names = [path.stem for path in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{folder}: two images are named {twice[0]}", remedy=remedy)
    return {path.stem: load_image(path) for path in files}
