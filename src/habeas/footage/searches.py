"""The one search of footage that an authorisation of the retrospective kind permits: begun, how far it is, ended."""

from typing import Final

from habeas.accounts.roles import Actor, Role
from habeas.authority.authorisations import in_time
from habeas.authority.evidence import ZONE, check_named, is_evidence
from habeas.authority.requests import State
from habeas.errors import InputError, RuleError
from habeas.store import Tx
from habeas.store.footage_records import FootageSearch
from habeas.store.records import Authorisation, Camera
from habeas.types import seconds, utc

ACTOR: Final = "matcher"
RUNNING: Final = "running"
DONE: Final = "done"
ENDED: Final = "ended"
"""Its authorisation ended before it did."""


def begin(tx: Tx, actor: Actor, authorisation_id: str) -> FootageSearch:
    """Begin it; one that runs already goes on.

    Raises:
        RuleError: not its requester, nor an approver; not of this kind, not active, searched before, or its evidence
            is gone.
        InputError: there is no such authorisation.
    """
    actor.require(Role.REQUESTER, Role.APPROVER)
    actor.require_login()
    row = _of_footage(tx, authorisation_id)
    if not actor.owns(row.requester):
        actor.require(Role.APPROVER)
    for search in tx.find(FootageSearch, about_id=authorisation_id):
        if search.state != RUNNING:
            raise RuleError("its footage was searched, once", rule="searched-once", remedy="ask for a new one")
        return search
    if row.state != State.ACTIVE.value:
        raise RuleError(f"this is {row.state}, not active", rule="state", remedy="see `habeas authorise show ID`")
    in_time(tx, row)
    check_named(tx, row)
    search = FootageSearch(authorisation_id, RUNNING, actor.account_id, tx.now_ns)
    tx.add(search)
    tx.entry("footage.search-began", actor.account_id, {"authorisation": authorisation_id})
    return search


def _of_footage(tx: Tx, authorisation_id: str) -> Authorisation:
    row = tx.get(Authorisation, authorisation_id)
    if row.kind == "live":
        raise InputError(f"{authorisation_id} is for live cameras", remedy="ask for one of --kind retrospective")
    return row


def search_of(tx: Tx, authorisation_id: str) -> FootageSearch:
    """Return it.

    Raises:
        InputError: there is no such authorisation, or its footage was not searched.
    """
    for search in tx.find(FootageSearch, about_id=_of_footage(tx, authorisation_id).authorisation_id):
        return search
    raise InputError("its footage was not searched yet", remedy=f"habeas footage search {authorisation_id}")


def done_until_ns(search: FootageSearch, camera_id: str, from_ns: int) -> int:
    """Return until when a camera's footage was searched."""
    return dict(search.done).get(camera_id, from_ns)


def note_done(tx: Tx, authorisation_id: str, camera_id: str, until_ns: int, **came: int) -> FootageSearch:
    """Note that a camera's footage was searched until an instant, and what came: fields of `FootageSearch`, added."""
    search = tx.get(FootageSearch, authorisation_id)
    done = tuple(sorted({**dict(search.done), camera_id: until_ns}.items()))
    return tx.change(search, done=done, **{name: getattr(search, name) + value for name, value in came.items()})


def finish(tx: Tx, authorisation_id: str, state: str) -> None:
    """Note that it is over, and write what it came to; nobody can be found in that."""
    search = tx.change(tx.get(FootageSearch, authorisation_id), state=state, ended_at_ns=tx.now_ns)
    row = tx.get(Authorisation, authorisation_id)
    body = {
        "authorisation": authorisation_id,
        "cameras": [camera_id for camera_id, _until_ns in search.done],
        "from": utc(row.from_ns),
        "until": utc(row.until_ns),
        "zones": sorted({_zone(tx, camera_id) for camera_id, _until_ns in search.done}),
    }
    tx.entry("footage.searched", ACTOR, {**body, "state": state, **counts(search)})


def counts(search: FootageSearch) -> dict[str, object]:
    """Return what it came to, JSON values; alerts are left out: they are entries of their own."""
    return {
        "damaged": search.damaged,
        "frames": search.frames,
        "missing_s": seconds(search.missing_ns),
        "suspended_s": seconds(search.suspended_ns),
        "tracks": search.tracks,
        "watched_s": seconds(search.watched_ns),
    }


def _zone(tx: Tx, camera_id: str) -> str:
    if is_evidence(camera_id):
        return ZONE
    return next((one.zone for one in tx.find(Camera, without=("record_sealed",), camera_id=camera_id)), "")
