"""What a network saw and found does not stay in it."""

import numpy as np

from habeas.app import App
from habeas.models.session import OpenVinoSession


def test_a_session_forgets_what_it_saw_and_found(app: App) -> None:
    session = app.pack.fr_feature
    assert isinstance(session, OpenVinoSession)
    batch = np.random.default_rng(0).normal(size=(1, 3, 112, 112)).astype(np.float32)
    (found,) = session.infer(batch).values()
    assert np.abs(found).max() > 0, "control: there was something to forget"
    assert not batch.any()
    assert not session._request.get_input_tensor().data.any()
    for name in session._names:
        assert not session._request.get_tensor(name).data.any()


def test_an_answer_outlives_the_next_question(app: App) -> None:
    rng = np.random.default_rng(1)
    (first,) = app.pack.fr_feature.infer(rng.normal(size=(1, 3, 112, 112)).astype(np.float32)).values()
    kept = first.copy()
    app.pack.fr_feature.infer(rng.normal(size=(1, 3, 112, 112)).astype(np.float32))
    np.testing.assert_array_equal(first, kept)
