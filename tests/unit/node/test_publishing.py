"""The log of a founded installation, beat by beat, beside real witnesses: it grows, doubts, goes on, begins anew."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.installation import HOUR, Installation
from tests.witnesses import Transport, as_response, down, honest, three

from habeas.audit.asking import Witnesses
from habeas.audit.checkpoint import parse_checkpoint
from habeas.audit.entry import PADDING, Leaf
from habeas.audit.folder import LogFolder
from habeas.audit.log import CHECKPOINT, WITNESSED
from habeas.audit.note import parse_key
from habeas.audit.policy import WitnessPolicy, verify_checkpoint
from habeas.audit.tiles import verified_entries
from habeas.audit.witness import Told, Witness
from habeas.authority.epochs import approve_epoch, current_epoch, epoch_hash
from habeas.authority.policy import Ceilings
from habeas.clock import ManualClock
from habeas.errors import HabeasError, ProofError, RuleError
from habeas.node.publishing import Publishing, Step
from habeas.settings import LogSettings
from habeas.store import Store, open_store
from habeas.store.records import Entry, Epoch
from habeas.types import NS_PER_S

ORIGIN = "example.org/station"


@dataclass
class Station:
    """An installation with its log and three witnesses, two of which make a quorum."""

    folder: Path
    problems: list[HabeasError] = field(default_factory=list)
    """What was told."""

    def __post_init__(self) -> None:
        self._stack = ExitStack()
        (self.folder / "db").mkdir(parents=True)
        clock = ManualClock()
        self.witnesses = three(self.folder / "witnesses", clock)
        keys = tuple(witness.key.encode() for witness in self.witnesses)
        self.here = self._stack.enter_context(
            Installation(self.folder / "db", clock=clock, ceilings=Ceilings(witnesses=keys, quorum=2))
        )
        self.transport = Transport({witness.name: honest(witness) for witness in self.witnesses})
        self.log = self.publishing()

    def publishing(
        self,
        logs: str = "logs",
        store: Store | None = None,
        on_closed: Callable[[int | None], None] = lambda _closed_ns: None,
    ) -> Publishing:
        """The node's part, as after a start."""
        settings = LogSettings()
        urls = {witness.name: f"http://{witness.name}" for witness in self.witnesses}
        asking = Witnesses(urls, 5.0, self.transport)
        made = Publishing(
            store or self.here.store,
            self.here.keys,
            self.here.clock,
            self.folder / logs,
            settings,
            ORIGIN,
            asking,
            self.guarded,
            on_closed=on_closed,
        )
        return self._stack.enter_context(made)

    def guarded(self, step: Step) -> None:
        try:
            step()
        except HabeasError as error:
            self.problems.append(error)

    def begun(self) -> None:
        """Let the log begin, and the witnesses know it."""
        self.log.beat()
        for witness in self.witnesses:
            witness.add_log(parse_key(self.log.state.vkey))
        self.log.beat()

    def act(self, count: int = 1) -> None:
        for _ in range(count):
            with self.here.store.write() as tx:
                tx.entry("test.act", "ann", {})

    def entries(self, kind: str) -> list[Entry]:
        with self.here.store.read() as tx:
            return tx.find(Entry, kind=kind)

    def epoch(self) -> Epoch:
        with self.here.store.read() as tx:
            epoch = current_epoch(tx)
        assert epoch is not None
        return epoch

    def files(self, logs: str = "logs") -> LogFolder:
        return LogFolder(self.folder / logs / str(self.epoch().number))

    def kinds(self) -> list[str]:
        """Verify the whole published log, and return the types of its leaves."""
        policy = WitnessPolicy(tuple(witness.key for witness in self.witnesses), 2)
        believed = verify_checkpoint(self.files().read(CHECKPOINT), parse_key(self.epoch().vkey), policy)
        bundles = verified_entries(believed.checkpoint.size, believed.checkpoint.root, self.files().read)
        return [Leaf.parse(leaf).kind for bundle in bundles for leaf in bundle]

    def size(self) -> int:
        return parse_checkpoint(self.files().read(CHECKPOINT)).checkpoint.size

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    made = Station(tmp_path)
    made.begun()
    yield made
    made.close()


def test_every_entry_gets_into_the_witnessed_log(station: Station) -> None:
    station.act(3)
    station.log.beat()
    kinds = station.kinds()
    assert kinds.count("test.act") == 3
    assert "log.epoch" in kinds
    assert station.problems == []
    assert len(kinds) == station.log.state.integrated == station.log.state.signed


@pytest.mark.rule("L4")
@pytest.mark.parametrize("acts", [0, 1, 5, 8])
def test_every_beat_adds_equally_much(station: Station, acts: int) -> None:
    station.log.beat()
    before = station.size()
    station.act(acts)
    station.log.beat()
    assert station.size() - before == LogSettings().batch
    station.log.beat()
    assert station.size() - before == 2 * LogSettings().batch


def test_no_entry_waits_for_a_third_beat(station: Station) -> None:
    station.log.beat()
    station.act(100)
    station.log.beat()
    station.log.beat()
    assert station.kinds().count("test.act") == 100
    assert station.size() % LogSettings().batch == 0


def test_padding_says_nothing(station: Station) -> None:
    station.log.beat()
    padding = station.entries(PADDING)
    assert padding
    assert {entry.body for entry in padding} == {'{"v":1}'}


def test_one_witness_down_or_lying_stops_nothing(station: Station) -> None:
    for answer in (down, lambda _body: as_response(Told(409, b"999999\n", is_size=True))):
        station.transport.answering["w0.example"] = answer
        station.act()
        station.log.beat()
        assert station.log.state.doubt == ""
        assert station.kinds()[-1]
    assert [bool(answer.problem) for answer in station.log.state.answers] == [True, False, False]


def test_an_outage_of_witnesses_publishes_unwitnessed_and_alarms(station: Station) -> None:
    station.transport.answering = dict.fromkeys(station.transport.answering, down)
    before = station.size()
    station.here.clock.advance(14 * 60 * NS_PER_S)
    station.log.beat()
    assert station.size() > before
    with pytest.raises(ProofError, match="0 of the 2"):
        station.kinds()
    assert station.problems == []
    station.here.clock.advance(61 * NS_PER_S)
    station.log.beat()
    station.log.beat()
    assert [error.message[:32] for error in station.problems] == ["no quorum of witnesses for 15 mi"]
    assert len(station.entries("log.unwitnessed")) == 1
    station.transport.answering = {witness.name: honest(witness) for witness in station.witnesses}
    station.log.beat()
    assert len(station.entries("log.witnessed")) == 1
    station.log.require_witnessed()


@pytest.mark.rule("L7")
def test_after_a_day_unwitnessed_nothing_is_started(station: Station) -> None:
    station.transport.answering = dict.fromkeys(station.transport.answering, down)
    station.here.clock.advance(24 * HOUR - NS_PER_S)
    station.log.beat()
    station.log.require_witnessed()
    station.here.clock.advance(NS_PER_S)
    with pytest.raises(RuleError) as refused:
        station.log.require_witnessed()
    assert refused.value.rule == "unwitnessed"


def test_a_day_unwitnessed_is_known_after_a_start(station: Station) -> None:
    station.transport.answering = dict.fromkeys(station.transport.answering, down)
    station.here.clock.advance(25 * HOUR)
    again = station.publishing()
    again.beat()
    with pytest.raises(RuleError, match="no quorum"):
        again.require_witnessed()


def test_a_start_does_not_begin_the_day_anew(station: Station) -> None:
    """Neither where nobody ever cosigned, nor before the first beat, nor without the file of the last cosigned one."""
    station.transport.answering = dict.fromkeys(station.transport.answering, down)
    for _day in range(3):
        station.here.clock.advance(9 * HOUR)
        again = station.publishing()
        with pytest.raises(RuleError, match="not checked yet"):
            again.require_witnessed()
        (station.folder / "logs" / "1" / "witnessed").unlink(missing_ok=True)
        again.beat()
    with pytest.raises(RuleError, match="no quorum"):
        again.require_witnessed()


def test_who_is_named_and_never_answers_counts_from_then_on(tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.transport.answering = dict.fromkeys(station.transport.answering, down)
    for _start in range(2):
        station.log = station.publishing()
        station.log.beat()
        assert station.log.state.witnessed_at_ns is None, "never, and not now"
        station.log.require_witnessed()
        station.here.clock.advance(12 * HOUR)
    station.log = station.publishing()
    station.log.beat()
    with pytest.raises(RuleError, match="no quorum"):
        station.log.require_witnessed()
    station.close()


def test_files_that_cannot_be_read_are_a_doubt(station: Station) -> None:
    shutil.rmtree(station.folder / "logs" / "1" / "tile")
    again = station.publishing()
    station.guarded(again.beat)
    with pytest.raises(RuleError) as refused:
        again.require_witnessed()
    assert refused.value.rule == "log-in-doubt"


def test_a_window_that_begins_after_a_day_unwitnessed_does_not_begin(station: Station) -> None:
    closed: list[int | None] = []
    log = station.publishing(on_closed=closed.append)
    log.beat()
    assert closed == [None]
    since_ns = station.here.clock.now_ns()
    station.transport.answering = dict.fromkeys(station.transport.answering, down)
    station.here.clock.advance(25 * HOUR)
    log.beat()
    assert closed[-1] == since_ns + 24 * HOUR
    station.here.camera("c1")
    soon = station.here.started(from_ns=station.here.clock.now_ns(), until_ns=station.here.clock.now_ns() + HOUR)
    assert station.here.compared("c1") == {soon.authorisation_id}
    station.here.gallery.close_starts(closed[-1])
    assert station.here.compared("c1") == set()
    station.here.gallery.close_starts(None)
    assert station.here.compared("c1") == {soon.authorisation_id}


def test_after_a_start_nothing_is_signed_before_the_witnesses_were_heard(station: Station) -> None:
    station.log.beat()
    before = station.size()
    station.transport.answering = dict.fromkeys(station.transport.answering, down)
    again = station.publishing()
    station.act(20)
    again.beat()
    assert station.size() == before
    station.transport.answering = {witness.name: honest(witness) for witness in station.witnesses}
    again.beat()
    again.beat()
    assert station.kinds().count("test.act") == 20


def set_back(station: Station) -> Publishing:
    """A machine as of earlier: log, keys and memory are copies; the witnesses have seen more since."""
    station.act(5)
    station.log.beat()
    shutil.copytree(station.folder / "logs", station.folder / "older")
    memory = station.here.keys.recall()
    station.act(5)
    station.log.beat()
    station.here.keys.remember(memory)
    return station.publishing("older")


@pytest.mark.rule("L5")
def test_a_machine_that_was_set_back_signs_nothing(station: Station) -> None:
    older = set_back(station)
    memory = station.here.keys.recall()
    with pytest.raises(ProofError, match="another history"):
        older.beat()
    assert station.here.keys.recall() == memory
    with pytest.raises(RuleError) as refused:
        older.require_witnessed()
    assert refused.value.rule == "log-in-doubt"


def test_a_copy_that_goes_on_beside_the_original_is_noticed(station: Station) -> None:
    """Both sign; the second to ask is refused, by whichever way it is behind."""
    shutil.copytree(station.folder / "logs", station.folder / "clone")
    memory = station.here.keys.recall()
    copied = station.folder / "clone.db"
    with sqlite3.connect(station.here.url.removeprefix("sqlite:///")) as original, sqlite3.connect(copied) as copy:
        original.backup(copy)
    with open_store(f"sqlite:///{copied}", station.here.clock) as store:
        station.publishing("clone", store).beat()
    station.here.keys.remember(memory)
    with pytest.raises(ProofError, match="another history"):
        station.log.beat()


@pytest.mark.rule("L5")
def test_an_older_database_under_the_log_is_noticed(station: Station) -> None:
    """The own memory and the log's files are enough: no witness is asked."""
    station.transport.answering = dict.fromkeys(station.transport.answering, down)
    with station.here.store.write() as tx:
        for entry in tx.find(Entry)[-3:]:
            tx.remove(entry)
        tx.entry("database.restored", "restore", {})
        for _ in range(4):
            tx.entry("test.after", "ann", {})
    asked = station.transport.asked
    with pytest.raises(ProofError, match="older one, or another"):
        station.publishing().beat()
    assert station.transport.asked == asked


@pytest.mark.rule("L5")
def test_a_new_epoch_takes_two_approvals_of_what_is_known(station: Station) -> None:
    with station.here.store.write() as tx:
        for entry in tx.find(Entry)[-3:]:
            tx.remove(entry)
        restored = tx.entry("database.restored", "restore", {})
    log = station.publishing()
    station.guarded(log.beat)
    ended = log.ended()
    assert ended.first_seq == restored
    assert ended.checkpoint == parse_checkpoint(station.files().read(CHECKPOINT)).note.text
    digest = epoch_hash(ended)

    def approve(name: str, shown: str = digest) -> Epoch | None:
        return station.here.do(
            name, lambda tx, actor: approve_epoch(tx, station.here.keys, actor, ended, shown, log.origin)
        )

    with pytest.raises(RuleError, match="not what you were shown"):
        approve("abe", "0" * 64)
    assert approve("abe") is None
    with pytest.raises(RuleError, match="same person"):
        approve("abe")
    with pytest.raises(RuleError):
        approve("opal")
    station.guarded(log.beat)
    assert log.state.doubt, "one approval changes nothing"
    assert approve("bea") is not None
    for witness in station.witnesses:
        witness.add_log(parse_key(station.epoch().vkey))
    log.beat()
    log.beat()
    assert station.epoch().origin == f"{ORIGIN}/2"
    assert station.epoch().prior == ended.checkpoint
    assert station.kinds()[0] == "database.restored"
    log.require_witnessed()


def test_no_epoch_begins_while_the_log_goes_on(station: Station) -> None:
    with pytest.raises(RuleError, match="goes on"):
        station.log.ended()


def test_before_the_witnesses_know_the_log_only_its_beginning_is_signed(tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.log.beat()
    began = station.size()
    station.act(20)
    station.log.beat()
    assert station.size() == began
    assert [answer.problem for answer in station.log.state.answers] == [
        "it answered 404: this witness does not know that log"
    ] * 3
    station.close()


def test_a_witness_that_is_found_twice_keeps_its_key(tmp_path: Path, station: Station) -> None:
    with pytest.raises(HabeasError, match="there is a witness"):
        Witness.found(tmp_path / "witnesses" / "w0", "w0.example", station.here.clock)


def test_a_crash_after_the_witnesses_signed_and_before_it_was_published_is_no_doubt(station: Station) -> None:
    before = {name: station.files().read(name) for name in (CHECKPOINT, WITNESSED)}
    station.act(3)
    station.log.beat()
    station.files().write(before)
    again = station.publishing()
    again.beat()
    assert again.state.doubt == ""
    assert station.kinds().count("test.act") == 3
    again.beat()
    again.require_witnessed()
