"""Strangers, the faces in a picture, and a fresh machine."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from tests.privacy.stage import SUBJECT, Machine, shared_memory_files

from habeas.app import App
from habeas.faces.align import align
from habeas.measure.heads import Head
from habeas.measure.strangers import strangers
from habeas.types import F32, U8, Frame, OriginKind
from habeas.video import ArrayPicture
from habeas.video.edge import origin


@pytest.fixture(scope="session")
def crowd(heads: Mapping[str, Head]) -> Callable[[int], list[Head]]:
    """Invents strangers; none of them is made of the subject."""
    others = {name: head for name, head in heads.items() if name != SUBJECT}
    return lambda count: list(strangers(others, count, seed=5))


@pytest.fixture(scope="session")
def recognise(app: App) -> Callable[[U8], list[tuple[U8, F32]]]:
    """Find faces in a picture: those the detector finds, also at its edge, and the picture as if it were a crop."""
    detector = app.detector(0.3)

    def faces_of(picture: U8) -> list[tuple[U8, F32]]:
        edge = max(16, max(picture.shape[:2]) // 4)
        framed = np.pad(picture, ((edge, edge), (edge, edge), (0, 0)), constant_values=110)
        frame = Frame(origin(OriginKind.STILLS, "found"), 0, 0, 0, ArrayPicture(framed))
        crops = [align(frame.picture, points) for points in detector.detect(frame).landmarks_xy_px]
        height, width = picture.shape[:2]
        crops.append(np.ascontiguousarray(ArrayPicture(picture).rgb((0, 0, width, height), (112, 112))))
        return list(zip(crops, app.templater.from_crops(crops, None).vectors, strict=True))

    return faces_of


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """One fresh machine."""
    root = tmp_path / "machine"
    for name in ("cwd", "home", "tmp", "xdg-data", "xdg-cache", "xdg-config", "xdg-state", "xdg-run"):
        (root / name).mkdir(parents=True)
    yield Machine(root, frozenset(str(path) for path in shared_memory_files()))
    for path in root.rglob("*"):
        assert not path.is_socket()
