import tempfile
from pathlib import Path

import numpy as np
import pytest

from habeas import types
from habeas.clock import ManualClock
from habeas.errors import RuleError, SourceError
from habeas.measure.heads import HEAD_SIZE_WH, Head
from habeas.measure.scene_source import SceneSource
from habeas.measure.scenes import Scene, render_frames
from habeas.measure.walks import Walk
from habeas.types import NS_PER_S, OriginKind, Seal

FACELESS = Head(np.zeros((HEAD_SIZE_WH[1], HEAD_SIZE_WH[0], 4), np.uint8), np.zeros((5, 2), np.float32))
WALK = Walk("near", "Near", FACELESS, 0.0, (-0.2, 3.0), (0.6, 2.6))
SMALL = Scene((WALK,), size_wh=(320, 180), rate_hz=10, duration_s=0.5, seed=3)


def test_a_source_gives_the_scene_back_decoded_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    clock = ManualClock()
    drawn = [image for image, _ in render_frames(SMALL)]
    with SceneSource(SMALL, camera_id="demo", clock=clock) as source:
        assert list(tmp_path.iterdir()) == [], "the scene has no name: nothing is left, whatever ends the process"
        frames = list(source.frames())
        assert [frame.index for frame in frames] == list(range(5))
        assert [frame.pts_ns for frame in frames] == [i * NS_PER_S // 10 for i in range(5)]
        assert all(frame.origin.kind is OriginKind.SCENE for frame in frames)
        assert {frame.camera_id for frame in frames} == {"demo"}
        assert source.duration_ns == NS_PER_S // 2
        assert source.rate_hz == 10
        for frame, image in zip(frames, drawn, strict=True):
            assert np.abs(frame.image_rgb.astype(int) - image).mean() < 8
        with pytest.raises(SourceError, match="once"):
            next(source.frames())
    assert list(tmp_path.iterdir()) == []


def test_real_time_waits_for_each_picture_and_drops_none() -> None:
    clock = ManualClock()
    start_ns = clock.now_ns()
    with SceneSource(SMALL, real_time=True, clock=clock) as source:
        captured = [frame.captured_at_ns - start_ns for frame in source.frames()]
    assert captured == [i * NS_PER_S // 10 for i in range(5)]


def test_a_closed_source_gives_no_further_picture() -> None:
    source = SceneSource(SMALL, clock=ManualClock())
    frames = source.frames()
    next(frames)
    source.close()
    assert list(frames) == []


def test_only_scenes_may_call_their_pictures_a_scene() -> None:
    with pytest.raises(RuleError):
        types.claim_seal(Seal.SCENE)
    with pytest.raises(RuleError):
        types.Origin(OriginKind.SCENE, "camera", object())
