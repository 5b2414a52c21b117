import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from habeas.errors import DiskError, InputError
from habeas.measure.figures import EYES_HEIGHT_M
from habeas.measure.heads import EYES_XY_PX, HEAD_SIZE_WH, Head
from habeas.measure.scenes import Scene, demo_scene, render_frames, write_scene
from habeas.measure.street import Camera
from habeas.measure.walks import Walk
from habeas.types import NS_PER_S


def head(colour: tuple[int, int, int] = (220, 60, 60)) -> Head:
    """A plain oval with eyes."""
    image = Image.new("RGBA", HEAD_SIZE_WH, (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    pen.ellipse((50, 30, 190, 240), fill=(*colour, 255))
    x, y = EYES_XY_PX
    points = np.array([(x - 28, y), (x + 28, y), (x, y + 29), (x - 23, y + 55), (x + 23, y + 55)], np.float32)
    return Head(np.array(image), points)


def walk(person_id: str, from_xz_m: tuple[float, float], to_xz_m: tuple[float, float], start_s: float = 0.0) -> Walk:
    return Walk(person_id, person_id.title(), head(), start_s, from_xz_m, to_xz_m)


NEAR = walk("near", (-0.2, 3.0), (0.6, 2.6))
FAR = walk("far", (0.2, 6.0), (0.0, 5.6))
SMALL = Scene((FAR, NEAR), size_wh=(320, 180), rate_hz=10, duration_s=0.5, seed=3)


def test_a_scene_is_the_same_each_time_and_moves() -> None:
    first, again = (list(render_frames(SMALL)) for _ in range(2))
    assert len(first) == 5
    assert all(np.array_equal(a[0], b[0]) and a[1] == b[1] for a, b in zip(first, again, strict=True))
    assert first[0][0].shape == (180, 320, 3)
    assert first[0][0].dtype == np.uint8
    assert not np.array_equal(first[0][0], first[1][0])
    assert not np.array_equal(first[0][0], next(render_frames(replace(SMALL, seed=4)))[0])


def test_the_truth_is_where_the_face_was_drawn() -> None:
    scene = replace(SMALL, walks=(NEAR,), size_wh=(640, 360), noise=0.0)
    empty = replace(scene, walks=())
    for (with_face, truth), (without, none) in zip(render_frames(scene), render_frames(empty), strict=True):
        assert none == []
        (face,) = truth
        x0, y0, x1, y1 = (round(edge) for edge in face.box_xyxy_px)
        red = with_face[..., 0].astype(int) - with_face[..., 1]
        assert red[y0:y1, x0:x1].mean() > 40
        assert face.eye_distance_px == pytest.approx((x1 - x0) / 2.1, rel=0.15)
        aside = np.s_[:, x1 + 90 :]
        assert np.abs(with_face[aside].astype(int) - without[aside]).max() < 3


def test_a_face_grows_as_it_comes_nearer() -> None:
    scene = replace(SMALL, walks=(walk("a", (0, 6), (0, 2)),), duration_s=2.0)
    sizes = [truth[0].eye_distance_px for _, truth in render_frames(scene)]
    assert sizes[-1] > 1.4 * sizes[0]


def test_who_is_nearer_covers_who_is_behind() -> None:
    camera = Camera((640, 360))
    behind = walk("behind", (0.0, 5.0), (0.01, 5.0))
    x, y, _ = camera.project(0, EYES_HEIGHT_M, 5.0)
    chest = camera.project(0, 1.1, 3.2)
    assert abs(y - chest[1]) < 400
    before = replace(behind, person_id="before", from_xz_m=(0.0, 4.6), to_xz_m=(0.01, 4.6))
    scene = Scene((before, behind), size_wh=(640, 360), duration_s=0.04)
    ((_, truth),) = render_frames(scene)
    shares = {face.person_id: face.visible_fraction for face in truth}
    assert [face.person_id for face in truth] == ["behind", "before"]
    assert shares["before"] == pytest.approx(1.0)
    assert shares["behind"] < 0.5
    assert truth[0].occluded
    assert not truth[1].occluded
    assert x == 320


def test_a_face_partly_outside_the_picture_counts_as_partly_visible() -> None:
    camera = Camera((320, 180))
    edge_m = -camera.size_wh[0] / 2 / (camera.focal_px / 3)
    scene = replace(SMALL, walks=(walk("edge", (edge_m, 3.0), (edge_m + 0.1, 3.0)),), duration_s=0.1)
    ((_, (face,)),) = render_frames(scene)
    assert face.visible_fraction == pytest.approx(0.5, abs=0.2)


def test_nobody_is_there_before_or_after_their_walk() -> None:
    scene = replace(SMALL, walks=(walk("late", (0, 4), (0, 3.9), start_s=0.25),))
    assert [len(truth) for _, truth in render_frames(scene)] == [0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    "change",
    [{"size_wh": (321, 180)}, {"size_wh": (0, 0)}, {"rate_hz": 0}, {"duration_s": 0.0}, {"walks": (NEAR, NEAR)}],
)
def test_a_scene_that_makes_no_video_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError) as caught:
        replace(SMALL, **change)  # type: ignore[arg-type]
    assert caught.value.remedy


def test_writing_leaves_the_video_and_its_truth_and_nothing_else(tmp_path: Path) -> None:
    shares: list[float] = []
    video = write_scene(SMALL, tmp_path / "out", report=shares.append)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["scene.mp4", "truth.json"]
    assert video.stat().st_size > 1000
    assert shares == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    truth = json.loads((tmp_path / "out" / "truth.json").read_text(encoding="utf-8"))
    assert (truth["schema"], truth["version"]) == ("habeas-scene-truth", 1)
    assert [frame["pts_ns"] for frame in truth["frames"]] == [i * NS_PER_S // 10 for i in range(5)]
    assert {face["person_id"] for face in truth["frames"][0]["faces"]} == {"near", "far"}


def test_writing_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def stop(_share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_scene(SMALL, tmp_path, report=stop)
    assert list(tmp_path.iterdir()) == []
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(DiskError) as caught:
        write_scene(SMALL, blocked / "out")
    assert caught.value.remedy


def test_the_demo_casts_twelve_with_the_astronaut_once() -> None:
    heads = {"somebody": head(), "astronaut": head((90, 60, 40))}
    scene = demo_scene(heads, seed=2)
    people = [w.person_id for w in scene.walks]
    assert len(people) == 12
    assert people[0] == "astronaut"
    assert people.count("somebody") == 1
    assert sum(name.startswith("stranger-") for name in people) == 10
    assert max(w.start_s for w in scene.walks) < scene.duration_s == 20


def test_the_demo_takes_the_first_of_other_heads_and_refuses_none() -> None:
    assert demo_scene({"eve": head()}, seed=2).walks[0].person_id == "eve"
    assert len(demo_scene({str(n): head() for n in range(20)}, seed=2).walks) == 12
    with pytest.raises(InputError):
        demo_scene({}, seed=2)
