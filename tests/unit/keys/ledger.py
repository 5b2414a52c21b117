"""What was asked of a key store, and what it acknowledged; and whether a store opened later keeps its word."""

from collections.abc import Callable, Iterable, Mapping

import pytest

from habeas.errors import HabeasError, KeyDestroyed
from habeas.keys import KeyStore, Scope
from habeas.types import NS_PER_S

HOUR_NS = 3600 * NS_PER_S
BASE_NS = 500_000 * HOUR_NS
SECRET = b"a template"
CONTEXT = b"references/1"


def at(hours: float) -> int:
    """A time, hours after the tests' beginning."""
    return BASE_NS + int(hours * HOUR_NS)


class Ledger:
    """Does things to a store, and remembers which it acknowledged. One call may be cut off: the last.

    `alive`: acknowledged keys and the expiries they may have. `doubtful`: keys whose end was asked for. `gone`: those
    whose end was acknowledged.
    """

    def __init__(self) -> None:
        self.alive: dict[str, set[int]] = {}
        self.doubtful: set[str] = set()
        self.gone: set[str] = set()
        self.sealed: dict[str, bytes] = {}

    def new(self, store: KeyStore, *hours: float) -> list[str]:
        expiries = [at(hour) for hour in hours]
        made = store.new_many(Scope.ALERT, expiries)
        for key_id, expires_at_ns in zip(made, expiries, strict=True):
            self.alive[key_id] = {expires_at_ns}
            self.sealed[key_id] = store.encrypt(key_id, SECRET, CONTEXT)
        return made

    def destroy(self, store: KeyStore, key_ids: Iterable[str]) -> None:
        ends = set(key_ids)
        self._doubt(ends)
        store.destroy(ends)
        self._end(store)

    def reap(self, store: KeyStore, hours: float) -> None:
        self._doubt({key_id for key_id in self.alive if store.expires_at_ns(key_id) <= at(hours)})
        store.reap(at(hours))
        self._end(store)

    def reschedule(self, store: KeyStore, key_id: str, hours: float) -> None:
        self.alive[key_id].add(at(hours))
        store.reschedule(key_id, at(hours))
        self.alive[key_id] = {at(hours)}

    def reschedule_many(self, store: KeyStore, hours: Mapping[str, float]) -> None:
        for key_id, hour in hours.items():
            self.alive[key_id].add(at(hour))
        store.reschedule_many({key_id: at(hour) for key_id, hour in hours.items()})
        for key_id, hour in hours.items():
            self.alive[key_id] = {at(hour)}

    def _doubt(self, key_ids: set[str]) -> None:
        for key_id in key_ids & self.alive.keys():
            del self.alive[key_id]
            self.doubtful.add(key_id)

    def _end(self, store: KeyStore) -> None:
        """What failed before is finished too: from here on each key has the one time that the store says."""
        self.gone |= self.doubtful
        self.doubtful = set()
        for key_id, expiries in self.alive.items():
            assert store.expires_at_ns(key_id) in expiries
            self.alive[key_id] = {store.expires_at_ns(key_id)}

    def check(self, store: KeyStore) -> None:
        """Check that nothing acknowledged was lost, and nothing destroyed came back."""
        ids = store.ids()
        assert self.alive.keys() <= ids, "an acknowledged key is lost"
        assert not self.gone & ids, "a destroyed key is back"
        for key_id, expiries in self.alive.items():
            assert store.expires_at_ns(key_id) in expiries
            assert store.decrypt(key_id, self.sealed[key_id], CONTEXT) == SECRET
        for key_id in self.gone & self.sealed.keys():
            with pytest.raises(KeyDestroyed):
                store.decrypt(key_id, self.sealed[key_id], CONTEXT)

    def check_exact(self, store: KeyStore) -> None:
        """As `check`, where every call was acknowledged and no unknown key may be there."""
        self.check(store)
        assert store.ids() == self.alive.keys()


def attempt(action: Callable[[], object], error: type[HabeasError], tries: int) -> None:
    """Do it, again where it fails so."""
    for left in reversed(range(tries)):
        try:
            action()
        except error:
            if not left:
                raise
        else:
            return


def everything(store: KeyStore, ledger: Ledger, error: type[HabeasError], tries: int = 1) -> None:
    """Every way that files change: first and further keys, shared and emptied hours, both directions, an hour reused.

    Args:
        store: to change.
        ledger: remembers.
        error: after which to try again.
        tries: how often.
    """

    def do(action: Callable[[], object]) -> None:
        attempt(action, error, tries)

    do(lambda: ledger.new(store, 1))
    do(lambda: ledger.new(store, 1.5, 2, 3, 1.2))
    first, second, third, fourth, fifth = list(ledger.alive)[:5]
    do(lambda: ledger.destroy(store, [first]))
    do(lambda: ledger.reschedule(store, second, 3.5))
    do(lambda: ledger.reschedule(store, third, 1.7))
    do(lambda: ledger.reschedule(store, third, 1.8))
    do(lambda: ledger.reschedule_many(store, {second: 1.6, third: 3.1, fourth: 3.2}))
    do(lambda: ledger.reschedule_many(store, {second: 3.5, third: 1.8, fourth: 3.0}))
    do(lambda: ledger.destroy(store, [fifth, third, "alert-unknown"]))
    do(lambda: ledger.new(store, 1.9, 5))
    do(lambda: ledger.destroy(store, [fourth, *list(ledger.alive)[-1:]]))
    do(lambda: ledger.reap(store, 2.5))
