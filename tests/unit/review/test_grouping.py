"""Which tracks are further sightings: of the same person, on the same camera, soon after, and no more alike."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.review.grouping import further_sighting
from habeas.review.table import State
from habeas.store.records import Alert
from habeas.types import NS_PER_S

COOLDOWN_NS = 60 * NS_PER_S
SEEN_NS = 1000 * NS_PER_S

ALERT = Alert(
    alert_id="alert-1",
    camera_id="gate",
    zone="station",
    authorisation_id="aut-1",
    subject_id="sub-1",
    captured_at_ns=SEEN_NS - 5 * NS_PER_S,
    raised_at_ns=SEEN_NS,
    track_id=1,
    similarity=0.6,
    threshold=0.5,
    expected_fpir=1e-4,
    extrapolated=False,
    false_a_day=0.0,
    gallery_size=1,
    view_id="v",
    model_id="m",
    key_id="k",
    image_sealed=b"",
    expires_at_ns=2 * SEEN_NS,
    state=State.OPEN.value,
    last_seen_ns=SEEN_NS,
)


def joined(
    alert: Alert = ALERT,
    *,
    camera_id: str = "gate",
    subject_id: str = "sub-1",
    captured_at_ns: int = SEEN_NS + COOLDOWN_NS,
    similarity: float = 0.6,
) -> bool:
    found = further_sighting(
        [alert],
        camera_id=camera_id,
        subject_id=subject_id,
        captured_at_ns=captured_at_ns,
        similarity=similarity,
        cooldown_ns=COOLDOWN_NS,
    )
    return found is alert


def test_soon_after_it_is_a_further_sighting() -> None:
    assert joined()
    assert joined(captured_at_ns=ALERT.captured_at_ns)


def test_never_across_persons_or_cameras() -> None:
    assert not joined(subject_id="sub-2")
    assert not joined(camera_id="hall")


def test_not_later_and_not_before() -> None:
    assert not joined(captured_at_ns=SEEN_NS + COOLDOWN_NS + 1)
    assert not joined(captured_at_ns=ALERT.captured_at_ns - 1)


def test_a_better_match_is_shown_for_itself() -> None:
    """Else the alert of a look-alike, destroyed as false, would take the person with it."""
    assert not joined(similarity=0.61)


@pytest.mark.parametrize("state", [state for state in State if state not in (State.OPEN, State.UNCONFIRMED)])
def test_a_decided_alert_is_not_extended(state: State) -> None:
    assert not joined(replace(ALERT, state=state.value))
    assert not joined(replace(ALERT, destroyed_at_ns=SEEN_NS))


@given(st.lists(st.integers(0, 100), min_size=1, max_size=6))
def test_among_several_the_one_seen_last(ages_s: list[int]) -> None:
    alerts = [
        replace(ALERT, alert_id=f"alert-{number}", last_seen_ns=SEEN_NS - age_s * NS_PER_S)
        for number, age_s in enumerate(ages_s)
    ]
    found = further_sighting(
        alerts,
        camera_id="gate",
        subject_id="sub-1",
        captured_at_ns=SEEN_NS,
        similarity=0.5,
        cooldown_ns=COOLDOWN_NS,
    )
    near = [age_s for age_s in ages_s if age_s <= 60]
    assert (found is None) is (not near)
    assert found is None or found.last_seen_ns == SEEN_NS - min(near) * NS_PER_S
