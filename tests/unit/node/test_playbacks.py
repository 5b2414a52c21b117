"""The footage around an alert: for whoever may judge it, while nobody decided it, made once, gone with its pictures."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

import pytest
from tests.installation import DAY, HOUR, Installation, person, rule_of
from tests.replaying import differences, openings_of, replayed
from tests.unit.footage.bench import Bench, Tight
from tests.unit.footage.holder import Holder
from tests.unit.node.test_accessing import Asking

from habeas.accounts.roles import Role
from habeas.audit.claims_playback import shown
from habeas.audit.history import History, said_of
from habeas.clock import ManualClock
from habeas.engine.playing import Played, Playing
from habeas.engine.screening import Looking, Reel
from habeas.errors import HabeasError, InputError, KeyDestroyed, ProofError, SourceError
from habeas.footage import playback
from habeas.footage.files import HELD, PLAYBACKS
from habeas.footage.playback import AROUND_NS, NOTHING, State
from habeas.footage.uncovering import Where
from habeas.keys import Scope
from habeas.node.playbacks import Playbacks
from habeas.review.alerts import place_of
from habeas.review.table import Answer
from habeas.settings import DetectSettings
from habeas.store.footage_records import Playback
from habeas.store.records import Alert, Authorisation, Camera, Entry, Grant
from habeas.types import NS_PER_S

BOX = (0.0, 0.0, 0.5, 0.25)


@dataclass
class Projector:
    """A worker that makes films as a test says."""

    asked: list[tuple[Looking, Where | None]] = field(default_factory=list)
    fails: HabeasError | None = None
    killed: int = 0
    meanwhile: Callable[[], object] = lambda: None
    afterwards: Callable[[], object] = lambda: None

    def play(
        self,
        reel: Reel,
        looking: Looking,
        where: Where | None,
        on_done: Callable[[int], None],
        go_on: Callable[[], None],
    ) -> Played:
        assert reel.places
        self.asked.append((looking, where))
        on_done(NS_PER_S)
        self.meanwhile()
        go_on()
        self.afterwards()
        if self.fails is not None:
            raise self.fails
        shown_ns = 0 if where is None else 3 * NS_PER_S
        return Played(b"a film %d" % len(self.asked), 25, where is not None, shown_ns)

    def kill(self) -> None:
        self.killed += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        """End."""


class House:
    """An installation with a minute of footage of c1, recorded while somebody was looked for."""

    def __init__(self, place: Installation, folder: Path) -> None:
        self.place = place
        for name in ("c1", "c2"):
            place.camera(name)
        self.row: Authorisation = place.started(people=(person("A", seed=0),), until_ns=place.clock.now_ns() + 20 * DAY)
        self.asking = Asking(place, Bench(place, Tight(folder / "footage")))
        self.bench, self.began_ns = self.asking.bench, self.asking.began_ns
        self.films = folder / PLAYBACKS
        self.worker = Projector()
        self.playbacks = self.begin()

    def begin(self) -> Playbacks:
        worker = cast("Callable[[], Playing]", lambda: self.worker)
        means, folder = self.asking.means, self.bench.folder
        held, detect = self.place.folder / HELD, DetectSettings()
        return Playbacks(means, folder, held, self.films, worker, detect, reserve_bytes=0)

    def alert(self, after_s: float = 30, camera: str = "c1") -> Alert:
        at_ns = self.began_ns + round(after_s * NS_PER_S)
        return self.place.alert(self.row.authorisation_id, camera, at_ns=at_ns)

    def ask(self, alert: Alert, who: str = "opal") -> Playback:
        keys = self.place.keys
        return self.place.do(who, lambda tx, actor: playback.ask(tx, keys, actor, alert.alert_id))

    def made(self, alert: Alert, who: str = "opal") -> Playback:
        self.ask(alert, who)
        self.playbacks.step()
        return self.now(alert)

    def now(self, alert: Alert) -> Playback:
        return self.place.look(Playback, alert_id=alert.alert_id)[0]

    def play(self, alert: Alert, who: str = "opal", number: int = 0) -> bytes:
        keys = self.place.keys
        there, row = self.place.do(who, lambda tx, actor: playback.playable(tx, keys, actor, alert.alert_id))
        data = self.playbacks.film(there, row, number)
        self.place.do(who, lambda tx, actor: playback.note_played(tx, keys, actor, alert.alert_id, number))
        return data

    def told(self, alert: Alert) -> dict[str, Any]:
        with self.place.store.read() as tx:
            return playback.told(tx, self.place.keys, tx.get(Playback, alert.alert_id))

    def is_gone(self, row: Playback) -> bool:
        """Tell whether a film is gone: its row, its key, its files."""
        self.playbacks.end_due()
        rows = self.place.look(Playback, alert_id=row.alert_id)
        return not (rows or self.place.keys.has(row.key_id) or list(self.films.glob("*")))

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """Return what entries of this type say."""
        bodies = [json.loads(one.body) for one in self.place.look(Entry) if one.kind == kind]
        return [{name: value for name, value in body.items() if name != "v"} for body in bodies]

    def parts(self) -> list[tuple[float, float]]:
        """Return what was made a film of, seconds after the beginning."""
        ends = [(looking.from_ns, looking.until_ns) for looking, _where in self.worker.asked]
        return [((one - self.began_ns) / NS_PER_S, (other - self.began_ns) / NS_PER_S) for one, other in ends]

    def history(self) -> History:
        history = History()
        with self.place.store.read() as tx:
            for index, one in enumerate(openings_of(tx, self.place.keys)):
                history.add(said_of(one["opening"], one["hidden"], index))
        return history


@pytest.fixture
def house(tmp_path: Path, clock: ManualClock) -> Iterator[House]:
    clock.advance(HOUR - clock.now_ns() % HOUR)
    with Installation(tmp_path, clock) as place:
        yield House(place, tmp_path)


# --- who, and when ----------------------------------------------------------------------------------------------------


@pytest.mark.rule("T15")
def test_whoever_may_judge_an_alert_plays_the_seconds_around_it(house: House) -> None:
    alert = house.alert()
    row = house.made(alert)
    assert (row.state, row.found, row.shown_ns) == (State.READY.value, True, 3 * NS_PER_S)
    assert house.parts() == [(15, 45)]
    ((looking, where),) = house.worker.asked
    assert looking.camera_id == "c1"
    assert looking.detect.rate_hz == 12.5, "faster than the camera is looked at"
    assert where == Where(alert.captured_at_ns, BOX)
    assert house.play(alert) == b"a film 1"
    told = house.told(alert)
    assert (told["state"], told["found"], told["shown_s"], len(told["films"])) == ("ready", True, 3, 1)
    assert house.entries("alert.playback-asked") == [{"alert": alert.alert_id}]
    assert house.entries("alert.played") == [{"alert": alert.alert_id, "film": 0}]
    assert house.playbacks.progress(alert.alert_id) == 0


@pytest.mark.rule("T15")
def test_nobody_else_does(house: House) -> None:
    alert = house.alert()
    house.made(alert)
    account_id = house.place.hire("zed")
    grant = "grant-1", account_id, Role.OPERATOR.value, ("hall",), "init", 0, "init", 0
    with house.place.store.write() as tx:
        tx.add(Grant(*grant))
    others = {"rita": "role", "abe": "role", "rob": "role", "pia": "role", "ann": "role", "aud": "role"}
    others |= {"zed": "zone", "token:opal": "login-needed"}
    for who, rule in others.items():
        for act in (house.ask, house.play):
            assert rule_of(lambda who=who, act=act: act(alert, who)) == rule, who  # type: ignore[misc]
    assert house.entries("alert.played") == []


@pytest.mark.rule("T15")
def test_it_is_made_once_whoever_asks(house: House) -> None:
    alert = house.alert()
    row = house.made(alert)
    assert house.made(alert, "otto") == row
    assert house.play(alert, "otto") == house.play(alert)
    assert len(house.worker.asked) == 1
    assert len(house.entries("alert.playback-asked")) == 1


@pytest.mark.rule("T15")
def test_the_verdict_of_another_changes_nothing_that_is_shown(house: House) -> None:
    alert = house.alert()
    house.made(alert)
    before = house.told(alert)
    house.place.judge("otto", alert.alert_id, Answer.SAME)
    assert house.told(alert) == before
    assert house.play(alert) == b"a film 1"


@pytest.mark.rule("T15")
@pytest.mark.parametrize("answer", [Answer.SAME, Answer.DIFFERENT])
def test_a_decided_alert_is_played_no_more(house: House, answer: Answer) -> None:
    alert = house.alert()
    row = house.made(alert)
    for who in ("opal", "otto"):
        house.place.judge(who, alert.alert_id, answer)
    assert house.place.look(Alert)[0].state in {"confirmed", "false"}
    assert not house.place.keys.has(row.key_id), "with the commit of the decision"
    assert rule_of(lambda: house.play(alert)) == "state"
    assert rule_of(lambda: house.ask(alert)) == "state"
    assert house.is_gone(row)
    with house.place.store.read() as tx:
        assert place_of(house.place.keys, tx.get(Alert, alert.alert_id)) is None


@pytest.mark.rule("T15")
def test_where_nothing_was_recorded_it_is_refused(house: House) -> None:
    alert = house.alert(camera="c2")
    with pytest.raises(InputError, match=NOTHING):
        house.ask(alert)
    assert house.place.look(Playback) == []
    assert house.entries("alert.playback-asked") == []
    with pytest.raises(InputError, match="nobody asked"):
        house.place.do("opal", lambda tx, actor: playback.asked_for(tx, actor, alert.alert_id))


def test_what_is_recorded_still_is_waited_for(house: House) -> None:
    house.place.clock.advance(NS_PER_S)
    alert = house.alert(after_s=50)
    row = house.made(alert)
    assert (row.state, house.worker.asked) == (State.MAKING.value, [])
    house.place.clock.advance(playback.ready_ns(row) - house.place.clock.now_ns())
    assert house.made(alert).state == State.READY.value
    assert house.parts() == [(35, 60)]


def test_what_cannot_be_made_says_so_without_the_workers_words_and_is_tried_again(house: House) -> None:
    alert = house.alert()
    house.worker.fails = SourceError("a face: AAAA")
    row = house.made(alert)
    assert (row.state, row.failure) == (State.FAILED.value, "its footage cannot be shown")
    with pytest.raises(InputError, match="there is no film of this alert now"):
        house.play(alert)
    house.worker.fails = None
    assert house.made(alert).state == State.READY.value
    assert len(house.entries("alert.playback-asked")) == 2


def test_without_the_place_of_its_face_all_of_it_is_covered(house: House) -> None:
    alert = house.alert()
    with house.place.store.write() as tx:
        tx.change(tx.get(Alert, alert.alert_id), place_sealed=None)
    row = house.made(alert)
    assert [where for _looking, where in house.worker.asked] == [None]
    assert not row.found


def test_masks_are_those_of_the_camera(house: House) -> None:
    with house.place.store.write() as tx:
        tx.change(tx.get(Camera, "c1"), masks=((0.0, 0.0, 0.5, 0.5),))
    house.made(house.alert())
    assert house.worker.asked[0][0].edges() == ((0.0, 0.0, 0.5, 0.5),)


# --- what is left out -------------------------------------------------------------------------------------------------


@pytest.mark.rule("T15")
def test_what_was_captured_in_a_suspension_is_not_in_it(house: House) -> None:
    alert = house.alert()
    house.place.suspend(names=("c1",), from_ns=house.began_ns + 38 * NS_PER_S, lasts_ns=HOUR)
    row = house.made(alert)
    assert (row.state, house.parts()) == (State.READY.value, [(15, 38)])


@pytest.mark.rule("T15")
def test_a_suspension_that_reaches_into_it_ends_what_was_made(house: House) -> None:
    alert = house.alert()
    row = house.made(alert)
    house.place.suspend(names=("c1",), from_ns=house.began_ns + 38 * NS_PER_S, lasts_ns=HOUR)
    with pytest.raises(InputError, match="there is no film of this alert now"):
        house.play(alert)
    assert house.told(alert)["films"] == []
    assert house.is_gone(row)
    assert house.entries("alert.playback-ended") == [{"alert": alert.alert_id}]
    assert house.made(alert).state == State.READY.value
    assert house.parts() == [(15, 45), (15, 38)]


# --- that it goes -----------------------------------------------------------------------------------------------------


def revoked(house: House, _alert: Alert) -> None:
    house.place.revoke(house.row.authorisation_id)
    house.place.tick()


def expired(house: House, _alert: Alert) -> None:
    house.place.advance(21 * DAY)


def suspended(house: House, alert: Alert) -> None:
    house.place.suspend(names=("c1",), from_ns=alert.captured_at_ns, lasts_ns=NS_PER_S)


def past_its_footage(house: House, _alert: Alert) -> None:
    house.place.clock.advance(121 * HOUR)
    house.place.keys.reap(house.place.clock.now_ns())
    house.bench.end_due()


@pytest.mark.rule("T16")
@pytest.mark.parametrize("ends", [revoked, expired, suspended, past_its_footage])
def test_it_ends_with_the_pictures_of_its_alert_and_with_its_footage(
    house: House, ends: Callable[[House, Alert], None]
) -> None:
    alert = house.alert()
    row = house.made(alert)
    assert house.play(alert)
    assert list(house.films.rglob("*.habf"))
    ends(house, alert)
    with pytest.raises(HabeasError):
        house.play(alert)
    assert house.is_gone(row)


@pytest.mark.rule("T16")
def test_its_key_ends_no_later_than_any_footage_in_it(house: House) -> None:
    row = house.made(house.alert())
    keys = house.place.keys
    (deadline_ns,) = {keys.expires_at_ns(key_id) for key_id in row.sources}
    assert row.ends_at_ns == keys.expires_at_ns(row.key_id) == deadline_ns
    assert deadline_ns <= house.began_ns + 120 * HOUR
    assert keys.ids(Scope.PLAYBACK) == {row.key_id}


@pytest.mark.rule("T16")
def test_nothing_of_it_is_in_its_files_but_encrypted(house: House) -> None:
    row = house.made(house.alert())
    (path,) = house.films.rglob("*.habf")
    assert b"a film" not in path.read_bytes()
    house.place.keys.destroy([row.key_id])
    with pytest.raises((InputError, KeyDestroyed)):
        house.play(house.place.look(Alert)[0])


@pytest.mark.rule("T16")
def test_decided_while_it_is_made_it_is_not_kept(house: House) -> None:
    alert = house.alert()

    def decide() -> None:
        for who in ("opal", "otto"):
            house.place.judge(who, alert.alert_id, Answer.SAME)

    house.worker.meanwhile = decide
    house.ask(alert)
    house.playbacks.step()
    assert house.place.look(Playback) == []
    house.playbacks.end_due()
    assert (list(house.films.rglob("*.habf")), house.place.keys.ids(Scope.PLAYBACK)) == ([], set())
    assert house.entries("alert.playback-made") == []


def test_a_film_whose_alert_is_gone_when_it_is_noted_is_not_ready(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = house.alert()
    noted = playback.note_made

    def gone(*args: Any, **what: Any) -> None:
        house.place.keys.destroy([alert.key_id])
        noted(*args, **what)

    monkeypatch.setattr(playback, "note_made", gone)
    assert house.made(alert).state == State.MAKING.value
    assert house.entries("alert.playback-made") == []


def in_suspension(house: House, alert: Alert) -> None:
    house.place.suspend(names=("c1",), from_ns=alert.captured_at_ns + 8 * NS_PER_S)


def without_keys(house: House, _alert: Alert) -> None:
    house.place.keys.destroy(house.place.keys.ids(Scope.FOOTAGE))


def in_doubt(house: House, _alert: Alert) -> None:
    house.place.clock.jump(HOUR)
    house.asking.means.time.check()


@pytest.mark.rule("T15")
@pytest.mark.parametrize("ends", [in_suspension, without_keys, in_doubt])
def test_what_may_not_be_looked_at_any_more_is_looked_at_no_further(
    house: House, ends: Callable[[House, Alert], None]
) -> None:
    alert, reached = house.alert(), list[str]()
    house.worker.meanwhile = lambda: ends(house, alert)
    house.worker.afterwards = lambda: reached.append("the end")
    house.ask(alert)
    house.playbacks.step()
    assert (reached, house.now(alert).state, house.entries("alert.playback-made")) == ([], State.MAKING.value, [])
    assert list(house.films.rglob("*.habf")) == []


@pytest.mark.rule("T15")
def test_a_suspension_after_the_last_message_keeps_it_from_being_kept(house: House) -> None:
    alert = house.alert()
    house.worker.afterwards = lambda: in_suspension(house, alert)
    row = house.made(alert)
    assert (row.state, row.key_id, list(house.films.rglob("*.habf"))) == (State.MAKING.value, "", [])
    house.worker = Projector()
    assert house.made(alert).state == State.READY.value
    assert house.parts() == [(15, 38)], "and made anew, without it"


@pytest.mark.parametrize("harm", ["missing", "changed"])
def test_a_film_whose_file_is_missing_or_changed_can_be_made_again(house: House, harm: str) -> None:
    alert = house.alert()
    row = house.made(alert)
    (path,) = house.films.rglob("*.habf")
    if harm == "missing":
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="missing, or was changed"):
        house.play(alert)
    assert house.entries("alert.playback-ended") == [{"alert": alert.alert_id}]
    assert not house.place.keys.has(row.key_id)
    assert house.made(alert).state == State.READY.value
    assert house.play(alert) == b"a film 2"


def test_what_is_begun_while_films_are_swept_is_not_stopped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are read under the lock under which a worker is begun: none can begin between the two."""
    store, locked = house.place.store, list[bool]()
    read = store.read
    monkeypatch.setattr(store, "read", lambda: (locked.append(house.playbacks._lock.locked()), read())[1])
    house.playbacks._sweep()
    assert locked == [True]


def test_a_worker_that_makes_what_is_over_is_stopped(house: House) -> None:
    alert = house.alert()

    def decide() -> None:
        for who in ("opal", "otto"):
            house.place.judge(who, alert.alert_id, Answer.SAME)
        house.playbacks.end_due()

    house.worker.meanwhile = decide
    house.ask(alert)
    house.playbacks.step()
    assert house.worker.killed == 1


@pytest.mark.rule("T16")
def test_keys_that_no_row_names_are_destroyed(house: House) -> None:
    row = house.made(house.alert())
    stray = house.place.keys.new(Scope.PLAYBACK, house.place.clock.now_ns() + DAY)
    house.place.tick()
    assert not house.place.keys.has(stray)
    assert house.place.keys.has(row.key_id)


def test_stopped_it_makes_nothing_and_after_a_restart_goes_on(house: House) -> None:
    alert = house.alert()
    house.worker.meanwhile = house.playbacks.stop
    house.worker.fails = InputError("it was ended")
    row = house.made(alert)
    assert (row.state, house.worker.killed) == (State.MAKING.value, 1)
    house.worker = Projector()
    house.playbacks = house.begin()
    house.playbacks.step()
    assert house.now(alert).state == State.READY.value


# --- other footage ----------------------------------------------------------------------------------------------------


def test_an_alert_from_footage_is_played_like_any_other(house: House) -> None:
    alert = house.alert()
    with house.place.store.write() as tx:
        tx.change(tx.get(Alert, alert.alert_id), from_footage=True)
    assert house.made(alert).found


def test_what_a_hold_for_its_authorisation_keeps_is_played_when_the_footage_is_gone(house: House) -> None:
    holder = Holder(house.bench, house.place.folder / HELD)
    holder.plenty()
    house.place.clock.advance(20 * NS_PER_S)
    asked = {"live": False, "from_ns": house.began_ns, "until_ns": house.asking.ended_ns}
    house.row = house.place.started(people=(person("B", seed=1),), **asked)
    hold = holder.approved(house.began_ns, house.asking.ended_ns, authorisation_id=house.row.authorisation_id)
    holder.held_now(hold)
    alert = house.alert()
    house.bench.forget_rows()
    house.place.keys.destroy(house.place.keys.ids(Scope.FOOTAGE))
    row = house.made(alert)
    assert row.state == State.READY.value
    assert row.ends_at_ns <= hold.ends_at_ns


def test_damaged_segments_are_left_out_and_counted(house: House) -> None:
    path = sorted((house.bench.folder.path / "c1").rglob("*.habf"))[2]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert house.made(house.alert()).damaged == 1


# --- the log ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("T15")
def test_the_log_shows_it_and_replays(house: House) -> None:
    alert = house.alert()
    house.made(alert)
    house.play(alert)
    assert shown(house.history()) == 1
    with house.place.store.read() as tx:
        assert differences(replayed(tx, house.place.keys), tx, house.place.keys) == []
    house.place.do(
        "opal",
        lambda tx, actor: (
            tx.entry("alert.played", house.place.accounts["rita"], {"alert": alert.alert_id, "film": 0}) or actor
        ),
    )
    with pytest.raises(ProofError, match="no operator"):
        shown(house.history())
    assert AROUND_NS == 15 * NS_PER_S
