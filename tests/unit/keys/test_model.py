"""Any sequence of calls, faults, kills and power cuts, against a dictionary."""

import random
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.unit.keys.ledger import Ledger, at

from habeas.errors import DiskError
from habeas.keys import KeyStore, MasterKey, MemoryDisk, Scope
from habeas.keys.memory import never, transient

HOURS = st.integers(0, 16).map(lambda quarter: quarter / 4)
PICK = st.randoms(use_true_random=False)
MASTER = MasterKey(bytes(32))


class Keys(RuleBasedStateMachine):
    @initialize()
    def make(self) -> None:
        self.disk = MemoryDisk()
        self.ledger = Ledger()
        self.store = KeyStore.create(Path("memory"), MASTER, disk=self.disk)
        self.clean = True
        """No call failed since the files were last settled: then every key there is known."""

    def reopen(self, disk: MemoryDisk) -> None:
        self.disk = disk
        self.store = KeyStore(Path("memory"), MASTER, disk=disk)
        self.ledger.check(self.store)
        doubtful = self.ledger.doubtful & self.store.ids()
        self.ledger.gone |= self.ledger.doubtful - doubtful
        self.ledger.doubtful = set()
        for key_id in doubtful:
            self.ledger.alive[key_id] = {self.store.expires_at_ns(key_id)}
        for key_id in self.ledger.alive:
            self.ledger.alive[key_id] = {self.store.expires_at_ns(key_id)}
        unknown = self.store.ids() - self.ledger.alive.keys()
        assert self.clean <= (not unknown)
        self.store.destroy(unknown)
        self.clean = True

    @rule(hours=st.lists(HOURS, max_size=4))
    def new(self, hours: list[float]) -> None:
        self.ledger.new(self.store, *hours)

    @precondition(lambda self: self.ledger.alive)
    @rule(pick=PICK, hours=HOURS)
    def reschedule(self, pick: random.Random, hours: float) -> None:
        self.ledger.reschedule(self.store, pick.choice(self.living()), hours)

    @rule(pick=PICK, most=st.integers(0, 4))
    def destroy(self, pick: random.Random, most: int) -> None:
        known = list(self.ledger.sealed)
        self.ledger.destroy(self.store, pick.sample(known, min(most, len(known))))
        self.clean = True

    @rule(hours=HOURS)
    def reap(self, hours: float) -> None:
        due = {key for key, expiries in self.ledger.alive.items() if max(expiries) <= at(hours)}
        self.ledger.reap(self.store, hours)
        self.clean = True
        assert not due & self.store.ids()

    @rule(step=st.integers(1, 30), pick=PICK, hours=HOURS)
    def fail(self, step: int, pick: random.Random, hours: float) -> None:
        self.disk.fault = transient(self.disk.steps + step)
        try:
            pick.choice([self.new_one, self.move_one, self.end_one])(pick, hours)
        except DiskError:
            self.clean = False
        finally:
            self.disk.fault = never

    def living(self) -> list[str]:
        """In the order they were made: ids are random, and must not steer the search."""
        return [key_id for key_id in self.ledger.sealed if key_id in self.ledger.alive]

    def new_one(self, _pick: random.Random, hours: float) -> None:
        self.ledger.new(self.store, hours, hours + 1)

    def move_one(self, pick: random.Random, hours: float) -> None:
        if self.ledger.alive:
            self.ledger.reschedule(self.store, pick.choice(self.living()), hours)

    def end_one(self, pick: random.Random, _hours: float) -> None:
        if self.ledger.alive:
            self.ledger.destroy(self.store, [pick.choice(self.living())])

    @rule()
    def kill(self) -> None:
        self.reopen(self.disk.after_kill())

    @rule(pick=PICK)
    def cut_power(self, pick: random.Random) -> None:
        self.reopen(pick.choice(list(self.disk.after_power_cut())))

    @invariant()
    def keeps_its_word(self) -> None:
        if hasattr(self, "store"):
            assert self.ledger.alive.keys() == self.store.ids()
            assert self.store.ids(Scope.TAG) == frozenset()
            self.ledger.check(self.store)


TestKeys = Keys.TestCase
TestKeys.settings = settings(max_examples=60, stateful_step_count=30)
