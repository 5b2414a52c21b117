"""What a restore carries over of footage: holds, requests, and how far was searched. What is over stays over.

An access request that was opened since the backup is in no entry of the log that goes on, so nobody could show who
approved it: it is over, the clock destroys its key, and whoever asked is photographed again. One that is in both is
approved as the backup says. What was searched since is not searched again.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Self, TypeVar, cast

from habeas.footage.access import OVER, State, empty
from habeas.footage.holding import State as HoldState
from habeas.footage.searches import ENDED, RUNNING
from habeas.store import Tx
from habeas.store.footage_records import AccessRequest, Finding, FootageSearch, Hold, PublicRequest

_OVER = {state.value for state in OVER}
_T = TypeVar("_T")


def put(tx: Tx, then: _T | None, now: _T) -> bool:
    """Add a record, or write where it differs from what is there; return whether it did."""
    if then is None:
        tx.add(now)
        return True
    names = [field.name for field in fields(cast("Any", now))]
    different = {name: getattr(now, name) for name in names if getattr(now, name) != getattr(then, name)}
    if different:
        tx.change(then, **different)
    return bool(different)


@dataclass(frozen=True, repr=False)
class OfFootage:
    """What the database in force says of footage that an older one may not take back."""

    access: list[AccessRequest]
    findings: list[Finding]
    holds: list[Hold]
    requests: list[PublicRequest]
    searches: list[FootageSearch]

    @classmethod
    def read(cls, tx: Tx) -> Self:
        """Read it."""
        kinds = AccessRequest, Finding, Hold, PublicRequest, FootageSearch
        return cls(*(cast("Any", tx.find(kind)) for kind in kinds))

    def carry(self, tx: Tx) -> dict[str, int]:
        """Carry it over into an older database; return how many records of each kind that changed."""
        holds = {one.hold_id: one for one in tx.find(Hold)}
        requests = {one.request_id: one for one in tx.find(PublicRequest)}
        before = {one.about_id: one for one in tx.find(FootageSearch)}
        searches = sum(put(tx, before.get(one.about_id), _searched(tx, before, one)) for one in self.searches)
        approved = [one for one in self.holds if one.state != HoldState.PROPOSED.value]
        return {
            "access": self._carry_access(tx),
            "holds": sum(put(tx, holds.get(one.hold_id), one) for one in approved),
            "requests": sum(put(tx, requests.get(one.request_id), one) for one in self.requests),
            "searches": searches,
        }

    def _carry_access(self, tx: Tx) -> int:
        before = {one.access_id: one for one in tx.find(AccessRequest)}
        found = {one.finding_id: one for one in tx.find(Finding)}
        changed = 0
        for now in self.access:
            then = before.get(now.access_id)
            if then is None:
                changed += put(tx, None, _closed(now, tx.now_ns))
            elif now.state in _OVER and then.state not in _OVER:
                empty(tx, then, State(now.state), "restore")
                changed += 1
            elif now.state not in _OVER:
                mine = [one for one in self.findings if one.access_id == now.access_id]
                changed += sum(put(tx, found.get(one.finding_id), one) for one in mine) > 0
        return changed


def _searched(tx: Tx, before: dict[str, FootageSearch], now: FootageSearch) -> FootageSearch:
    """Return how far was searched; one that was begun since is over: no entry says who began it."""
    if now.about_id in before or now.state != RUNNING:
        return now
    return replace(now, state=ENDED, ended_at_ns=tx.now_ns)


def _closed(row: AccessRequest, now_ns: int) -> AccessRequest:
    """Return a request that the backup does not know, as it is from now on."""
    if row.state in _OVER:
        return row
    return replace(row, state=State.CLOSED.value, closed_at_ns=now_ns, asked_sealed=None)
