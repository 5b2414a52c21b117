"""The life of an access request: opened, approved by two, searched once, its findings judged, closed; or refused.

Somebody asks for the footage of themself. They are photographed in presence; two approvers check who they are, and that
these are photographs of them. All that names or shows them is under one key, which is destroyed when the request is
closed. Each command is one transaction.
"""

import enum
import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Final, cast

import numpy as np
import rfc8785

from habeas.accounts.credentials import new_id
from habeas.accounts.roles import Actor, Role
from habeas.authority.approvals import approvals_of, approve_object
from habeas.authority.listing import check_born
from habeas.authority.requests import EnrolledImage
from habeas.errors import DiskError, InputError, RuleError
from habeas.footage.holding import check_interval, covered_ns, spans
from habeas.footage.holds import check_cameras
from habeas.footage.searches import ENDED, RUNNING
from habeas.keys import KeyStore, Scope
from habeas.store import Tx
from habeas.store.footage_records import AccessPhoto, AccessRequest, Finding, FootageSearch
from habeas.types import DAY_NS, F32, HOUR_NS, seconds, utc

APPROVE: Final = "access"
MONTH_NS: Final = 28 * DAY_NS
"""By when somebody who asks is answered: within a month (GDPR, Article 12(3)), and no month is shorter."""
LONGEST_NS: Final = 92 * DAY_NS
"""After this it is closed by the clock: a month, and the two that it may be prolonged by."""
MOST_NS: Final = 8 * HOUR_NS
"""Of camera time in one request."""
BACK_NS: Final = 120 * HOUR_NS
_ASKED: Final = b"access request"
_MIN_TEXT: Final = 3
_TWO: Final = 2


class State(enum.Enum):
    """Where a request is."""

    OPENED = "opened"
    APPROVED = "approved"
    REFUSED = "refused"
    CLOSED = "closed"


OVER: Final = frozenset({State.REFUSED, State.CLOSED})


class Document(enum.Enum):
    """What an identity is checked by."""

    PASSPORT = "passport"
    IDENTITY_CARD = "identity-card"
    RESIDENCE_PERMIT = "residence-permit"
    DRIVING_LICENCE = "driving-licence"


@dataclass(frozen=True, repr=False)
class Plea:
    """What somebody asks for.

    Args:
        name: of the person.
        born: birth date.
        contact: how they are answered.
        document: what their identity was checked by.
        photos: taken in presence, each with its template.
        cameras: by id.
        from_ns: first instant of the footage, Unix ns.
        until_ns: first instant after.
    """

    name: str
    born: date
    contact: str
    document: Document
    photos: tuple[EnrolledImage, ...]
    cameras: tuple[str, ...]
    from_ns: int
    until_ns: int


def check_plea(tx: Tx, actor: Actor, plea: Plea) -> None:
    """Check all of a request that is checked without its photographs.

    Raises:
        RuleError: no privacy officer, a token, or it is for more than may be.
        InputError: it says too little, there is no such camera, or no such footage any more.
    """
    actor.require(Role.PRIVACY)
    actor.require_login()
    if min(len(plea.name.strip()), len(plea.contact.strip())) < _MIN_TEXT or not plea.cameras:
        raise InputError("a request says who asks, how they are reached, and of which cameras", remedy="say all three")
    check_born(plea.born, tx.now_ns)
    check_interval(tx.now_ns, plea.from_ns, plea.until_ns)
    check_cameras(tx, plea.cameras)
    if plea.from_ns < tx.now_ns - BACK_NS:
        raise InputError("this interval holds no footage any more", remedy="footage is of the last 120 h at most")
    if covered_ns(spans(plea.cameras, plea.from_ns, plea.until_ns)) > MOST_NS:
        raise RuleError(
            "an access request is for eight camera-hours at most", rule="access-hours", remedy="ask for less at once"
        )


def open_request(tx: Tx, keys: KeyStore, actor: Actor, plea: Plea) -> AccessRequest:
    """Write down who asks for what. Nothing is searched yet.

    Args:
        tx: the transaction.
        keys: gets the request's key.
        actor: a privacy officer, logged in.
        plea: what is asked, with photographs.

    Raises:
        RuleError: somebody else opens it, or it is for more than may be.
        InputError: it says too little, or there is no such camera or footage.
        DiskError: the key could not be made durable.
    """
    check_plea(tx, actor, plea)
    if not plea.photos:
        raise InputError("the person is photographed in presence", remedy="give --photo FILE")
    key_id = keys.new(Scope.ACCESS, tx.now_ns + LONGEST_NS)
    said = rfc8785.dumps({"born": plea.born.isoformat(), "contact": plea.contact.strip(), "name": plea.name.strip()})
    row = AccessRequest(
        access_id=new_id("acr"),
        state=State.OPENED.value,
        opened_by=actor.account_id,
        opened_at_ns=tx.now_ns,
        due_ns=tx.now_ns + MONTH_NS,
        cameras=tuple(sorted(set(plea.cameras))),
        from_ns=plea.from_ns,
        until_ns=plea.until_ns,
        document=plea.document.value,
        key_id=key_id,
        asked_sealed=keys.encrypt(key_id, said, _ASKED),
        commitment=keys.hmac(key_id, said).hex(),
    )
    tx.add(row)
    for photo in plea.photos:
        tx.add(_sealed(keys, row, photo))
    tx.entry("access.opened", actor.account_id, {**_facts(row), "sha256": hash_of(tx, row)})
    return row


def _sealed(keys: KeyStore, row: AccessRequest, photo: EnrolledImage) -> AccessPhoto:
    photo_id, key_id = new_id("pho"), row.key_id
    template = photo.vector.astype("<f4").tobytes()
    return AccessPhoto(
        photo_id=photo_id,
        access_id=row.access_id,
        model_id=photo.model_id,
        commitment=keys.hmac(key_id, photo.image).hex(),
        image_sealed=keys.encrypt(key_id, photo.image, _photo(photo_id)),
        template_sealed=keys.encrypt(key_id, template, _template(photo_id)),
    )


def _photo(photo_id: str) -> bytes:
    return f"photo {photo_id}".encode()


def _template(photo_id: str) -> bytes:
    return f"photo template {photo_id}".encode()


def photos_of(tx: Tx, row: AccessRequest) -> list[AccessPhoto]:
    """Return the photographs of a request."""
    return sorted(tx.find(AccessPhoto, access_id=row.access_id), key=lambda photo: photo.photo_id)


def _facts(row: AccessRequest) -> dict[str, object]:
    """Return what the log says of it: nobody is named."""
    return {
        "access": row.access_id,
        "cameras": list(row.cameras),
        "document": row.document,
        "due": utc(row.due_ns),
        "from": utc(row.from_ns),
        "opened_by": row.opened_by,
        "until": utc(row.until_ns),
    }


def hash_of(tx: Tx, row: AccessRequest) -> str:
    """Return the SHA-256 of what an approval binds, hexadecimal."""
    photos = [[photo.photo_id, photo.commitment, photo.model_id] for photo in photos_of(tx, row)]
    bound = {**_facts(row), "person": row.commitment, "photos": photos}
    return hashlib.sha256(rfc8785.dumps(bound)).hexdigest()  # type: ignore[arg-type]  # JSON values


def asked_of(keys: KeyStore, row: AccessRequest) -> dict[str, str]:
    """Return who asks: name, birth date, contact.

    Raises:
        KeyDestroyed: it was closed.
    """
    sealed = row.asked_sealed or b""
    return cast("dict[str, str]", json.loads(keys.decrypt(row.key_id, sealed, _ASKED)))


def vectors_of(tx: Tx, keys: KeyStore, row: AccessRequest, model_id: str) -> F32:
    """Return the templates of its photographs: (m, d) float32.

    Raises:
        KeyDestroyed: the request was closed.
        InputError: they are of another model.
    """
    mine = [photo for photo in photos_of(tx, row) if photo.model_id == model_id]
    if not mine:
        raise InputError("these photographs are of another model", remedy="close this request, and open another")
    opened = (keys.decrypt(row.key_id, one.template_sealed or b"", _template(one.photo_id)) for one in mine)
    return np.stack([np.frombuffer(plain, "<f4").astype(np.float32) for plain in opened])


def image_of(keys: KeyStore, row: AccessRequest, photo: AccessPhoto) -> bytes:
    """Return a photograph, as it was given.

    Raises:
        KeyDestroyed: the request was closed.
    """
    return keys.decrypt(row.key_id, photo.image_sealed or b"", _photo(photo.photo_id))


# --- who decides ------------------------------------------------------------------------------------------------------


def open_now(tx: Tx, access_id: str, *states: State) -> AccessRequest:
    """Return a request that is in one of these states, and not past its longest time.

    Raises:
        InputError: no such request.
        RuleError: it is in another.
    """
    row = tx.get(AccessRequest, access_id)
    if State(row.state) not in states or tx.now_ns >= row.opened_at_ns + LONGEST_NS:
        names = " or ".join(state.value for state in states)
        raise RuleError(f"this request is {row.state}, not {names}", rule="state", remedy="see `habeas access list`")
    return row


def approve(tx: Tx, actor: Actor, access_id: str, content_hash: str) -> AccessRequest:
    """Say that one checked who asks, in presence, and that the photographs are of them. The second one approves it.

    Raises:
        RuleError: not an approver, whoever opened it, twice, other content, or not open.
    """
    row = open_now(tx, access_id, State.OPENED)
    expected = hash_of(tx, row)
    approve_object(
        tx,
        actor,
        object_id=access_id,
        action=APPROVE,
        content_hash=content_hash,
        expected_hash=expected,
        requester=row.opened_by,
    )
    if len(approvals_of(tx, access_id, APPROVE, expected)) < _TWO:
        return row
    row = tx.change(row, state=State.APPROVED.value, approved_at_ns=tx.now_ns)
    tx.entry("access.approved", actor.account_id, {"access": access_id, "sha256": expected})
    return row


def refuse(tx: Tx, keys: KeyStore, actor: Actor, access_id: str) -> AccessRequest:
    """Refuse a request that is not approved: one approver is enough, and not whoever opened it.

    Raises:
        RuleError: not an approver, whoever opened it, or not open.
    """
    actor.require(Role.APPROVER)
    actor.require_login()
    row = open_now(tx, access_id, State.OPENED)
    if actor.may_be(row.opened_by):
        raise RuleError("nobody refuses an own request", rule="own-request", remedy="close it: habeas access close")
    return end(tx, keys, row, State.REFUSED, actor.account_id)


def begin_search(tx: Tx, actor: Actor, access_id: str) -> FootageSearch:
    """Begin the one search that a request permits; one that runs goes on.

    Raises:
        RuleError: no privacy officer, not approved, or searched before.
    """
    actor.require(Role.PRIVACY)
    actor.require_login()
    row = open_now(tx, access_id, State.APPROVED)
    for search in tx.find(FootageSearch, about_id=access_id):
        if search.state != RUNNING:
            raise RuleError("its footage was searched, once", rule="searched-once", remedy="open another request")
        return search
    search = FootageSearch(access_id, RUNNING, actor.account_id, tx.now_ns)
    tx.add(search)
    tx.entry("access.search-began", actor.account_id, {"access": row.access_id})
    return search


def close(tx: Tx, keys: KeyStore, actor: Actor, access_id: str) -> AccessRequest:
    """Close a request: its photographs, templates, findings and copies are destroyed, at once.

    Raises:
        RuleError: no privacy officer, or it is over.
    """
    actor.require(Role.PRIVACY)
    actor.require_login()
    return end(tx, keys, open_now(tx, access_id, State.OPENED, State.APPROVED), State.CLOSED, actor.account_id)


def end(tx: Tx, keys: KeyStore, row: AccessRequest, state: State, by: str) -> AccessRequest:
    """End a request, in the transaction that ends it; its key is destroyed right after the commit."""
    row = empty(tx, row, state, by)

    def destroy() -> None:
        with suppress(DiskError):  # unusable here already; `footage.accessing` tries again until it is done
            keys.destroy([row.key_id])

    tx.after_commit(destroy)
    return row


def empty(tx: Tx, row: AccessRequest, state: State, by: str) -> AccessRequest:
    """End a request, and empty what shows or names somebody. Its key is still to be destroyed."""
    row = tx.change(row, state=state.value, closed_at_ns=tx.now_ns, asked_sealed=None)
    for photo in photos_of(tx, row):
        tx.change(photo, image_sealed=None, template_sealed=None)
    for finding in tx.find(Finding, access_id=row.access_id):
        tx.change(finding, found_sealed=None, image_sealed=None)
    for search in tx.find(FootageSearch, about_id=row.access_id, state=RUNNING):
        tx.change(search, state=ENDED, ended_at_ns=tx.now_ns)
    tx.entry(f"access.{state.value}", by, {"access": row.access_id})
    return row


def overdue(tx: Tx) -> list[AccessRequest]:
    """Return the open requests that were to be answered by now, the oldest first."""
    rows = tx.find(AccessRequest, state=[state.value for state in set(State) - OVER])
    return sorted((row for row in rows if row.due_ns <= tx.now_ns), key=lambda row: (row.due_ns, row.access_id))


def summary(row: AccessRequest, now_ns: int) -> dict[str, object]:
    """Return what everybody with a role may know of a request, JSON values; nobody is named."""
    left_ns = row.due_ns - now_ns
    over = State(row.state) in OVER
    return {
        "access": row.access_id,
        "state": row.state,
        "cameras": list(row.cameras),
        "from": utc(row.from_ns),
        "until": utc(row.until_ns),
        "opened": utc(row.opened_at_ns),
        "due": utc(row.due_ns),
        "overdue": not over and left_ns <= 0,
        "left_s": None if over else seconds(left_ns),
    }
