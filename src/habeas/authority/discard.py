"""Ends that come with time, and the destruction that follows every end.

`tick` runs each second and at start. What has ended is gone in three independent ways: its sealed fields are emptied
in the transaction that ends it, its keys are destroyed after that commit and again here until an entry says so, and
every key carries its own expiry in the key store, which `KeyStore.reap` keeps without asking the database. Keys of
subjects that no open authorisation names, as after a crash or with another database, are destroyed too.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Final

from habeas.authority.authorisations import ask_of, due_ns, end, subjects_of, tag_today
from habeas.authority.policy import Ceilings, policy_now
from habeas.authority.requests import OVER, State
from habeas.authority.scope import Ask, Others, check_ceilings, covers_all_for_life
from habeas.errors import DiskError, RuleError
from habeas.keys import KeyStore, Scope
from habeas.store import Tx
from habeas.store.records import Authorisation, Camera, Policy, Subject
from habeas.types import HOUR_NS

_TIGHTER: Final = (State.EXPIRED, "policy", "the policy permits less than it did")
_OPEN: Final = [state.value for state in State if state not in OVER]


def tick(tx: Tx, keys: KeyStore) -> list[Authorisation]:
    """End what is over, destroy what belongs to ended ones, and tag who is listed today.

    Args:
        tx: the transaction; its time follows elapsed time, not a clock that jumped.
        keys: the key store.

    Returns:
        the authorisations that ended just now.
    """
    ended = []
    policy = policy_now(tx)
    ceilings = Ceilings.load(policy.body)
    named = _named(tx, _OPEN)
    for row, subjects in named:
        verdict = _due(keys, row, subjects, tx.now_ns) or _not_permitted(row, ceilings, tx.now_ns)
        if verdict is not None:
            ended.append(end(tx, keys, row, *verdict))
    ended += [end(tx, keys, row, *_TIGHTER) for row in _over_ceilings(tx, policy, ceilings)]
    _destroy(tx, keys)
    named = _named(tx, _OPEN) if ended else named
    _destroy_stray(keys, [subject for _, subjects in named for subject in subjects])
    tag_today(tx, keys, [one for row, subjects in named if row.state == State.ACTIVE.value for one in subjects])
    return ended


def _named(tx: Tx, states: Collection[str]) -> list[tuple[Authorisation, list[Subject]]]:
    """Return the authorisations in these states, each with whom it names: two searches, however many there are."""
    rows = tx.find(Authorisation, state=states)
    named: dict[str, list[Subject]] = {row.authorisation_id: [] for row in rows}
    for subject in tx.find(Subject, authorisation_id=set(named)) if named else ():
        named[subject.authorisation_id].append(subject)
    return [(row, named[row.authorisation_id]) for row in rows]


def _due(keys: KeyStore, row: Authorisation, subjects: Sequence[Subject], now_ns: int) -> tuple[State, str, str] | None:
    """Return how an authorisation ends now, if it does: state, by whom, why."""
    if now_ns < due_ns(row):
        if all(keys.has(subject.key_id) for subject in subjects):
            return None
        return State.EXPIRED, "clock", "its keys are destroyed: this database is older than they are"
    if row.state == State.ACTIVE.value and row.confirmed_at_ns is not None:
        return State.EXPIRED, "clock", "its window is over"
    if row.state == State.ACTIVE.value:
        return State.REFUSED, "clock", "started urgently, and not approved within 24 h"
    state = State.EXPIRED if row.state == State.DRAFT.value else State.REFUSED
    return state, "clock", "nobody approved it in time"


def _not_permitted(row: Authorisation, ceilings: Ceilings, now_ns: int) -> tuple[State, str, str] | None:
    """Return how one that runs ends because the policy does not permit it any more, or not for so long."""
    if row.state != State.ACTIVE.value:
        return None
    began_ns = max(row.from_ns, row.started_at_ns or 0)
    too_long = row.kind == "live" and now_ns >= began_ns + ceilings.authorisation_h * HOUR_NS
    return _TIGHTER if too_long or row.purpose not in ceilings.purposes else None


def _over_ceilings(tx: Tx, policy: Policy, ceilings: Ceilings) -> list[Authorisation]:
    """Return what ends under a policy that came after it began: the newest, until the rest fits.

    Shares count installed sources here, so that a network that fails ends nothing.
    """
    rows = tx.find(Authorisation, state=State.ACTIVE.value)
    if all((row.started_at_ns or 0) > (policy.effective_from_ns or 0) for row in rows):
        return []
    there = tx.find(Camera, removed_at_ns=None)
    sources = len({camera.source_digest for camera in there if camera.public_url.startswith("rtsp")})
    digests: set[str] = set()
    subjects = 0
    over = []
    for row in sorted(rows, key=lambda row: (row.started_at_ns or 0, row.authorisation_id)):
        ask = ask_of(tx, row)
        counted = ask.live and not covers_all_for_life(ask, len(there))
        searched = digests | {digest for _camera, digest in row.cameras} if counted else digests
        others = Others(sources, len(there), len(searched), subjects + ask.subjects)
        if (row.started_at_ns or 0) <= (policy.effective_from_ns or 0) and not _fits(ask, ceilings, others):
            over.append(row)
        else:
            digests, subjects = searched, others.subjects
    return over


def _fits(ask: Ask, ceilings: Ceilings, others: Others) -> bool:
    try:
        check_ceilings(ask, ceilings, others)
    except RuleError:
        return False
    return True


def _destroy(tx: Tx, keys: KeyStore) -> None:
    """Destroy keys of ended authorisations, and note that they are gone."""
    for row in tx.find(Authorisation, state=[state.value for state in OVER], discarded_at_ns=None):
        key_ids = {subject.key_id for subject in subjects_of(tx, row)}
        try:
            keys.destroy(key_ids)
        except DiskError:  # unusable here already; the next tick tries again, and no other end waits for this one
            continue
        for subject in tx.find(Subject, authorisation_id=row.authorisation_id):
            tx.change(subject, discarded_at_ns=tx.now_ns)
        tx.change(row, discarded_at_ns=tx.now_ns, ended_why=None)
        tx.entry("authorisation.discarded", "clock", {"authorisation": row.authorisation_id, "keys": len(key_ids)})


def _destroy_stray(keys: KeyStore, named: Sequence[Subject]) -> None:
    """Destroy keys of subjects that no open authorisation names. Nobody drafts meanwhile: writers take turns."""
    with suppress(DiskError):  # as above
        keys.destroy(keys.ids(Scope.SUBJECT) - {subject.key_id for subject in named})


def reconcile(tx: Tx, keys: KeyStore) -> None:
    """Give the keys of open authorisations the end that the last command gave them; a crash may have come between."""
    for row, subjects in _named(tx, _OPEN):
        for subject in subjects:
            if keys.has(subject.key_id) and keys.expires_at_ns(subject.key_id) != due_ns(row):
                keys.reschedule(subject.key_id, due_ns(row))
