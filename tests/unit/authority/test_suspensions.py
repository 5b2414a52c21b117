"""Suspensions bind the time of capture, at once, wherever the camera is named next."""

import json

import pytest
from tests.installation import DAY, HOUR, Installation, rule_of

from habeas.accounts.roles import Role
from habeas.authority.cameras import NewCamera, add_camera
from habeas.errors import InputError
from habeas.store.records import Alert, Camera, Entry, Suspension
from habeas.types import NS_PER_S
from habeas.video.address import parse_address, rules_with
from habeas.web.suspensions import _told


def free(place: Installation, camera: str, captured_at_ns: int) -> bool:
    return place.gallery.captured_freely(camera, captured_at_ns)


@pytest.mark.rule("S1")
@pytest.mark.rule("F10")
def test_one_officer_suspends_at_once(place: Installation) -> None:
    row = place.started()
    assert place.compared("c1") == {row.authorisation_id}
    view = place.gallery.view("c1", place.clock.now_ns())
    place.suspend(names=["c1"])
    assert place.compared("c1") == set()
    assert "c1" not in place.gallery.watched(place.clock.now_ns())
    assert view is not None
    assert view.revoked.is_set()
    place.advance(HOUR - 1)
    assert place.compared("c1") == set()
    place.advance(1)
    assert place.compared("c1") == {row.authorisation_id}, "over by itself"


@pytest.mark.rule("S1")
def test_it_begins_on_time_without_a_message(place: Installation) -> None:
    row = place.started()
    start = place.clock.now_ns() + HOUR
    place.suspend(names=["c1"], from_ns=start, lasts_ns=HOUR // 2)
    for moment, searched in (
        (start - 1, True),
        (start, False),
        (start + HOUR // 2 - 1, False),
        (start + HOUR // 2, True),
    ):
        place.clock.advance(moment - place.clock.now_ns())
        assert place.compared("c1") == ({row.authorisation_id} if searched else set())


@pytest.mark.rule("S2")
def test_it_reaches_back_120_hours_and_destroys_what_was_captured(place: Installation) -> None:
    row = place.started()
    start = place.clock.now_ns()
    assert rule_of(lambda: place.suspend(names=["c1"], from_ns=start - 120 * HOUR - 1)) == "suspension-back"
    inside, before, after = (
        place.alert(row.authorisation_id, track_id=n, at_ns=start + n * 600 * NS_PER_S) for n in (3, 2, 4)
    )
    place.clock.advance(HOUR)
    place.suspend(names=["c1"], from_ns=inside.captured_at_ns, lasts_ns=after.captured_at_ns - inside.captured_at_ns)
    left = {alert.alert_id for alert in place.look(Alert, destroyed_at_ns=None)}
    assert left == {before.alert_id, after.alert_id}
    gone = place.look(Alert, alert_id=inside.alert_id)[0]
    assert gone.image_sealed is None
    assert inside.key_id not in place.keys.ids()
    place.suspend(names=["c1"], from_ns=place.clock.now_ns() - 120 * HOUR, lasts_ns=HOUR)


@pytest.mark.rule("S3")
def test_it_binds_the_time_of_capture(place: Installation) -> None:
    row = place.started(until_ns=place.clock.now_ns() + DAY)
    place.advance(NS_PER_S)
    start = place.clock.now_ns()
    place.suspend(names=["c1"])
    place.advance(2 * HOUR)
    assert place.compared("c1") == {row.authorisation_id}, "it is over"
    for captured_ns, may in ((start - 1, True), (start, False), (start + HOUR - 1, False), (start + HOUR, True)):
        assert free(place, "c1", captured_ns) is may
        assert free(place, "c2", captured_ns), "control"
        raised = rule_of(lambda ns=captured_ns: place.alert(row.authorisation_id, at_ns=ns))  # type: ignore[misc]
        assert raised == ("" if may else "suspended"), "whatever found it"
    assert not free(place, "no such camera", start)


@pytest.mark.rule("S4")
@pytest.mark.parametrize("how", ["other name", "other zone", "added while suspended", "removed before"])
def test_a_camera_added_anew_stays_suspended(place: Installation, how: str) -> None:
    if how == "added while suspended":
        place.suspend(zones=["gate"], lasts_ns=DAY)
        place.camera("c9", host="9.9")
    elif how == "removed before":
        place.camera("c9", host="9.9")
        place.advance(HOUR)
        place.remove_camera("c9")
        place.suspend(zones=["gate"], from_ns=place.clock.now_ns() - HOUR, lasts_ns=DAY)
    else:
        place.camera("c9", host="9.9")
        place.suspend(**({"names": ["c9"]} if how == "other name" else {"zones": ["gate"]}), lasts_ns=DAY)  # type: ignore[arg-type]
    if how != "removed before":
        place.remove_camera("c9")
    place.camera("new", "elsewhere", host="9.9")
    place.camera("other", "elsewhere", host="9.8")
    assert not free(place, "new", place.clock.now_ns())
    assert free(place, "other", place.clock.now_ns()), "control"


@pytest.mark.rule("S5")
def test_lifting_takes_two_and_an_hour(place: Installation) -> None:
    row = place.started(until_ns=place.clock.now_ns() + DAY)
    suspension = place.suspend(names=["c1"], lasts_ns=DAY)
    place.advance(HOUR)
    for who in ("abe", "ann", "rob", "opal", "aud"):
        assert rule_of(lambda who=who: place.lift(suspension.suspension_id, who)) == "role"  # type: ignore[misc]
    assert place.lift(suspension.suspension_id, "pia").lifted_from_ns is None
    assert rule_of(lambda: place.lift(suspension.suspension_id, "pia")) == "two-persons"
    lifted = place.lift(suspension.suspension_id, "paul")
    assert lifted.lifted_from_ns == place.clock.now_ns() + HOUR
    assert "suspension.lifted" in [entry.kind for entry in place.look(Entry)], "published at once"
    place.clock.advance(HOUR - 1)
    assert place.compared("c1") == set()
    place.clock.advance(1)
    assert place.compared("c1") == {row.authorisation_id}
    assert not free(place, "c1", place.clock.now_ns() - 1), "what was captured before stays bound"
    assert rule_of(lambda: place.lift(suspension.suspension_id, "pia")) == "state"


@pytest.mark.rule("S5")
@pytest.mark.parametrize("how", ["a day passed", "no officer any more", "one person"])
def test_a_first_word_that_does_not_count(place: Installation, how: str) -> None:
    suspension = place.suspend(names=["c1"], lasts_ns=9 * DAY)
    place.lift(suspension.suspension_id, "pia")
    if how == "a day passed":
        place.advance(DAY)
    elif how == "no officer any more":
        place.revoke_role("pia", Role.PRIVACY)
    else:
        place.hire("pia2", Role.PRIVACY, person_name="PIA")
        assert rule_of(lambda: place.lift(suspension.suspension_id, "pia2")) == "two-persons"
        return
    assert place.lift(suspension.suspension_id, "paul").lifted_from_ns is None


@pytest.mark.rule("S1")
def test_what_a_suspension_says(place: Installation) -> None:
    now = place.clock.now_ns()
    for wrong in (
        {"names": []},
        {"names": ["no such"]},
        {"zones": ["no such"]},
        {"names": ["c1"], "lasts_ns": 0},
        {"names": ["c1"], "lasts_ns": -HOUR},
        {"names": ["c1"], "lasts_ns": 367 * DAY},
    ):
        with pytest.raises(InputError):
            place.suspend(**wrong)  # type: ignore[arg-type]
    assert place.look(Suspension) == []
    place.suspend(names=["c1"], from_ns=now - HOUR, lasts_ns=HOUR // 2)
    assert free(place, "c1", now), "one that is over already binds what was captured then"
    assert not free(place, "c1", now - HOUR)


@pytest.mark.rule("S2")
@pytest.mark.rule("S4")
@pytest.mark.parametrize("where", [{"zones": ["square"]}, {"names": ["sq"]}])
def test_it_reaches_a_camera_that_was_removed_since(place: Installation, where: dict[str, list[str]]) -> None:
    camera = place.camera("sq", "square", host="5.5")
    row = place.started(cameras=(camera,))
    start = place.clock.now_ns()
    alert = place.alert(row.authorisation_id, "sq")
    place.advance(HOUR)
    place.remove_camera("sq")
    place.clock.advance(1)
    with pytest.raises(InputError):
        place.suspend(**where)  # nothing was there in this window
    assert place.look(Alert, destroyed_at_ns=None)
    place.suspend(**where, from_ns=start, lasts_ns=3 * HOUR)
    assert place.look(Alert, alert_id=alert.alert_id)[0].image_sealed is None
    assert alert.key_id not in place.keys.ids()
    again = place.camera("sq2", "hall", host="5.5")
    fresh = place.started("rita", cameras=(again,), until_ns=place.clock.now_ns() + DAY)
    assert place.compared("sq2") == set(), "its source stays suspended"
    place.advance(2 * HOUR - 2)
    assert place.compared("sq2") == set()
    place.advance(1)
    assert place.compared("sq2") == {fresh.authorisation_id}, "control: until it is over"


def test_one_that_is_lifted_before_it_begins_is_over(place: Installation) -> None:
    def told(row: Suspension) -> tuple[object, object]:
        with place.store.read() as tx:
            answer = _told(tx, row)
        return answer["state"], answer["lift"]

    start = place.clock.now_ns() + DAY
    row = place.suspend(names=["c1"], from_ns=start)
    other = place.suspend(names=["c1"], from_ns=start)
    assert told(row) == ("ahead", None)
    row = place.lift(row.suspension_id, "pia")
    assert told(row) == ("ahead", "proposed")
    row = place.lift(row.suspension_id, "paul")
    assert told(row) == ("over", "lifted")
    proposed = place.lift(other.suspension_id, "pia")
    place.clock.advance(DAY)
    assert told(row) == ("over", "lifted")
    assert told(proposed) == ("in force", None), "a proposal lapses after a day"
    place.clock.advance(HOUR)
    assert told(proposed) == ("over", None)


@pytest.mark.rule("S4")
def test_a_camera_that_records_a_suspended_source_is_suspended(place: Installation) -> None:
    """An admin points a camera's recording at the square: nothing of it is looked at, and the log says what it is."""
    plaza = place.camera("plaza", "square", host="7.7")
    place.suspend(names=["plaza"])

    def add(name: str, record: str) -> Camera:
        rules = rules_with()
        detect, other = (f"rtsp://10.1.9.9/{name}", record)
        given = NewCamera(
            name,
            "gate",
            "Watches the gate.",
            (detect, parse_address(detect, rules)),
            (other, parse_address(other, rules)),
            (),
            32,
        )
        return place.do("ann", lambda tx, actor: add_camera(tx, place.keys, actor, given))

    trick, plain = add("trick", "rtsp://10.1.7.7/live"), add("plain", "rtsp://10.1.8.8/live")
    assert trick.record_digest == plaza.source_digest
    now_ns = place.clock.now_ns()
    place.refresh()
    assert not place.gallery.captured_freely("trick", now_ns)
    assert place.gallery.captured_freely("plain", now_ns), "the control"
    added = [json.loads(one.body) for one in place.look(Entry) if one.kind == "camera.added"]
    assert [one["record"] for one in added[-2:]] == [trick.record_digest, plain.record_digest]
    assert added[-3]["record"] is None
