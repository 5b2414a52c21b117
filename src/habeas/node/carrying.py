"""What a restore carries over of footage: holds, requests, exports, how far was searched. What is over stays over.

What the log that goes on knows ends in it, with an entry here: the entry of its end is lost. A hold that runs goes on,
and the log says so: its copies are there. Of an export nothing but its end is carried over: one that lost its key, and
a key that no row knows, are for the clock.

An access request that was opened since the backup is in no entry of the log that goes on, so nobody could show who
approved it: it is over, the clock destroys its key, and whoever asked is photographed again. One that is in both is
approved as the backup says. What was searched since is not searched again. Evidence that came since is
over, and the clock destroys its key.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self, TypeVar, cast

from habeas.authority.evidence import State as EvidenceState
from habeas.authority.evidence import over, shorten
from habeas.footage.access import OVER, State, empty
from habeas.footage.exports import OVER as EXPORT_OVER
from habeas.footage.holding import OVER as HOLD_OVER
from habeas.footage.holding import REQUEST_OVER, RequestState
from habeas.footage.holding import RUNNING as HOLD_RUNNING
from habeas.footage.holding import State as HoldState
from habeas.footage.holds import note_carried
from habeas.footage.searches import ENDED, RUNNING
from habeas.store import Tx
from habeas.store.footage_records import AccessRequest, Evidence, Export, Finding, FootageSearch, Hold, PublicRequest

ACTOR: Final = "restore"
_OVER: Final = {state.value for state in OVER}
_EXPORT_OVER: Final = {state.value for state in EXPORT_OVER}
_LAPSED: Final = {HoldState.REFUSED.value, HoldState.LAPSED.value}
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
    evidence: list[Evidence]
    exports: list[Export]
    findings: list[Finding]
    holds: list[Hold]
    requests: list[PublicRequest]
    searches: list[FootageSearch]

    @classmethod
    def read(cls, tx: Tx) -> Self:
        """Read it."""
        kinds = AccessRequest, Evidence, Export, Finding, Hold, PublicRequest, FootageSearch
        return cls(*(cast("Any", tx.find(kind)) for kind in kinds))

    def carry(self, tx: Tx) -> dict[str, int]:
        """Carry it over into an older database; return how many records of each kind that changed."""
        before = {one.about_id: one for one in tx.find(FootageSearch)}
        searches = sum(put(tx, before.get(one.about_id), _searched(tx, before, one)) for one in self.searches)
        return {
            "access": self._carry_access(tx),
            "evidence": self._carry_evidence(tx),
            "exports": self._carry_exports(tx),
            "holds": self._carry_holds(tx),
            "requests": self._carry_requests(tx),
            "searches": searches,
        }

    def _carry_exports(self, tx: Tx) -> int:
        over = {one.export_id: one.state for one in self.exports if one.state in _EXPORT_OVER}
        before = [one for one in tx.find(Export, export_id=set(over)) if one.state not in _EXPORT_OVER]
        for then in before:
            state = over[then.export_id]
            tx.change(then, state=state, wish_sealed=None, reports_sealed=None)
            tx.entry(f"export.{state}", ACTOR, {"export": then.export_id})
        return len(before)

    def _carry_holds(self, tx: Tx) -> int:
        before = {one.hold_id: one for one in tx.find(Hold)}
        changed = 0
        for now in (one for one in self.holds if one.state != HoldState.PROPOSED.value):
            then = before.get(now.hold_id)
            if put(tx, then, now):
                changed += 1
                _note_hold(tx, None if then is None else HoldState(then.state), now)
        return changed

    def _carry_requests(self, tx: Tx) -> int:
        before = {one.request_id: one for one in tx.find(PublicRequest)}
        changed = 0
        for now in self.requests:
            then = before.get(now.request_id)
            if put(tx, then, now):
                changed += 1
                if then is not None:
                    _note_request(tx, then, now)
        return changed

    def _carry_evidence(self, tx: Tx) -> int:
        """What is over stays over, what an authorisation names stays that one's; what came since is over."""
        before = {one.evidence_id: one for one in tx.find(Evidence)}
        changed = 0
        for now in self.evidence:
            then = before.get(now.evidence_id)
            kept = over(now) if then is None else _named(then, now)
            if then is not None and tx.now_ns < kept.deadline_ns < then.deadline_ns:
                shorten(tx, then, kept.deadline_ns, ACTOR)
            changed += put(tx, then, kept)
        return changed

    def _carry_access(self, tx: Tx) -> int:
        before = {one.access_id: one for one in tx.find(AccessRequest)}
        found = {one.finding_id: one for one in tx.find(Finding)}
        changed = 0
        for now in self.access:
            then = before.get(now.access_id)
            if then is None:
                changed += put(tx, None, _closed(now, tx.now_ns))
            elif now.state in _OVER and then.state not in _OVER:
                empty(tx, then, State(now.state), ACTOR)
                changed += 1
            elif now.state not in _OVER:
                mine = [one for one in self.findings if one.access_id == now.access_id]
                changed += sum(put(tx, found.get(one.finding_id), one) for one in mine) > 0
        return changed


def _named(then: Evidence, now: Evidence) -> Evidence:
    """Return evidence that both know; the clock says anew that its key is gone: the log that goes on does not yet."""
    kept = replace(now, destroyed_at_ns=then.destroyed_at_ns) if now.state != EvidenceState.KEPT.value else then
    deadline_ns = min(then.deadline_ns, now.deadline_ns)
    return replace(kept, authorisation_id=now.authorisation_id or then.authorisation_id, deadline_ns=deadline_ns)


def _note_hold(tx: Tx, then: HoldState | None, now: Hold) -> None:
    """Write what became of a hold since the backup, as far as it is in no entry."""
    state = HoldState(now.state)
    if state in HOLD_RUNNING:
        if then is not state:
            note_carried(tx, now)
    elif then is not None and then not in HOLD_OVER:
        if now.state in _LAPSED:
            tx.entry(f"hold.{now.state}", ACTOR, {"hold": now.hold_id})
        else:
            tx.entry("hold.ended", ACTOR, {"hold": now.hold_id, "why": now.state})


def _note_request(tx: Tx, then: PublicRequest, now: PublicRequest) -> None:
    """Write that a request is over, or destroyed, since the backup."""
    body: dict[str, object] = {"request": now.request_id}
    if now.state != then.state and RequestState(now.state) in REQUEST_OVER:
        lapsed = {"verified": now.verified_at_ns is not None} if now.state == RequestState.LAPSED.value else {}
        tx.entry(f"request.{now.state}", ACTOR, {**body, **lapsed})
    if then.destroyed_at_ns is None and now.destroyed_at_ns is not None and now.state != RequestState.LAPSED.value:
        tx.entry("request.destroyed", ACTOR, {**body, "verified": now.verified_at_ns is not None})


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
