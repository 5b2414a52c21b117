"""The life of an export: redacted, looked at, proposed for a recipient, approved by two, fetched encrypted; or refused.

It is of a hold or of an approved access request. Everybody but the person concerned is made unrecognisable in the
pixels; whole films are given only to a court, by its document. What approvers approve is bound by a hash: the films,
the reports, and the recipient. All of it ends with the hold or the request.
"""

import enum
import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from habeas.accounts.credentials import new_id
from habeas.accounts.roles import Actor, Role
from habeas.audit.parcel import content_of
from habeas.authority.approvals import approvals_of, approve_object
from habeas.authority.suspensions import is_free
from habeas.errors import DiskError, InputError, RuleError
from habeas.footage.access import LONGEST_NS as ACCESS_NS
from habeas.footage.access import State as AccessState
from habeas.footage.holding import is_kept
from habeas.footage.redaction import ByHand
from habeas.footage.showing import sees
from habeas.keys import KeyStore, Scope, seal
from habeas.store import Tx
from habeas.store.footage_records import AccessRequest, Export, Hold
from habeas.types import utc

APPROVE: Final = "export"
PASSPHRASE: Final = "passphrase"  # noqa: S105 - a kind of recipient
"""A recipient who is told a passphrase, in place of a key."""
MOST_BOXES: Final = 300
MOST_OF_ONE: Final = 5
MOST_EXPORTS: Final = 50
_TWO: Final = 2
Reports = dict[str, dict[str, object]]
"""What came of each redaction (docs/formats.md), by name of film."""
_WISH: Final = b"export wish"
_REPORTS: Final = b"export reports"


class State(enum.Enum):
    """Where an export is."""

    REDACTING = "redacting"
    READY = "ready"
    FAILED = "failed"
    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"
    DISCARDED = "discarded"
    """By whoever had it made, before it was fetched."""
    ENDED = "ended"


OVER: Final = frozenset({State.REFUSED, State.DISCARDED, State.ENDED})


@dataclass(frozen=True)
class Box:
    """A box that a person added to the pictures of a camera.

    Args:
        camera_id: of the films.
        from_ns: in pictures captured from this instant on, Unix ns.
        until_ns: and before this one.
        box_xyxy_px: half-open, pixels of the film.
        spare: false: it is painted over; true: faces whose middle is in it are not, as of the person concerned.
    """

    camera_id: str
    from_ns: int
    until_ns: int
    box_xyxy_px: tuple[float, float, float, float]
    spare: bool = False

    def by_hand(self) -> ByHand:
        """Return it as the redaction takes it.

        Raises:
            InputError: it is empty, or far from any picture.
        """
        return ByHand(self.from_ns, self.until_ns, self.box_xyxy_px, self.spare)


@dataclass(frozen=True)
class Asked:
    """What is to be exported.

    Args:
        about: id of a hold, or of an access request.
        cameras: some of its cameras; none: all of them.
        from_ns: first instant; None: of the hold or request.
        until_ns: first instant after; None: of the hold or request.
        boxes: that a person adds.
        decision: the court document by which nobody is made unrecognisable; None: everybody else is.
    """

    about: str
    cameras: tuple[str, ...] = ()
    from_ns: int | None = None
    until_ns: int | None = None
    boxes: tuple[Box, ...] = ()
    decision: bytes | None = None


@dataclass(frozen=True)
class _Of:
    """What an export is of: cameras, interval, and by when it ends."""

    cameras: tuple[str, ...]
    from_ns: int
    until_ns: int
    ends_at_ns: int


def begin(tx: Tx, keys: KeyStore, actor: Actor, asked: Asked) -> Export:
    """Have footage redacted for an export. Nothing leaves before it was proposed, and two approved it.

    Args:
        tx: the transaction.
        keys: gets the export's key.
        actor: whoever proposed the hold, or a privacy officer.
        asked: what.

    Raises:
        RuleError: somebody else asks; the hold or request is not open; an access request is never given whole.
        InputError: there is no such hold, request or camera; an empty interval; too many boxes.
    """
    of = _of(tx, actor, asked.about)
    _check(asked, of)
    _check_number(tx, asked.about)
    from_ns, until_ns = asked.from_ns or of.from_ns, asked.until_ns or of.until_ns
    key_id = keys.new(Scope.EXPORT, of.ends_at_ns)
    row = Export(
        export_id=new_id("exp"),
        state=State.REDACTING.value,
        about=asked.about,
        made_by=actor.account_id,
        made_at_ns=tx.now_ns,
        cameras=tuple(sorted(set(asked.cameras or of.cameras))),
        from_ns=max(from_ns, of.from_ns),
        until_ns=min(until_ns, of.until_ns),
        unredacted=asked.decision is not None,
        decision_sha256=None if asked.decision is None else hashlib.sha256(asked.decision).hexdigest(),
        key_id=key_id,
        ends_at_ns=of.ends_at_ns,
        wish_sealed=_sealed_boxes(keys, key_id, asked.boxes),
    )
    tx.add(row)
    body = {
        "about": row.about,
        "cameras": list(row.cameras),
        "decision": row.decision_sha256,
        "export": row.export_id,
        "from": utc(row.from_ns),
        "unredacted": row.unredacted,
        "until": utc(row.until_ns),
    }
    tx.entry("export.began", actor.account_id, body)
    return row


def _check_number(tx: Tx, about: str) -> None:
    """Check that there are not too many already: each takes room, and hours of a core."""
    there = tx.find(Export, state=[state.value for state in set(State) - OVER - {State.FAILED}])
    if len(there) >= MOST_EXPORTS or sum(one.about == about for one in there) >= MOST_OF_ONE:
        raise RuleError(
            f"there are {len(there)} exports, {MOST_OF_ONE} at most of one hold or request and {MOST_EXPORTS} in all",
            rule="export-number",
            remedy="use one that is there, or discard one of yours: habeas footage discard EXPORT",
        )


def _check(asked: Asked, of: _Of) -> None:
    if asked.decision == b"":
        raise InputError("the decision is an empty file", remedy="give the document itself: --decision")
    if asked.decision is not None and is_for_request(asked.about):
        raise RuleError(
            "an access request gives nobody else's face", rule="export-whole", remedy="leave --decision out"
        )
    if set(asked.cameras) - set(of.cameras):
        raise InputError("this hold or request is of other cameras", remedy="see `habeas footage show`")
    if max(asked.from_ns or of.from_ns, of.from_ns) >= min(asked.until_ns or of.until_ns, of.until_ns):
        raise InputError("nothing of this interval is in it", remedy="give --from and --until within it, or neither")
    if len(asked.boxes) > MOST_BOXES:
        raise InputError(f"{len(asked.boxes)} boxes", remedy=f"give {MOST_BOXES} at most")
    for box in asked.boxes:
        _check_box(box, of)


def _check_box(box: Box, of: _Of) -> None:
    """Check that a box is in some picture: one that is mistyped would leave a face uncovered without a word."""
    box.by_hand()
    if box.camera_id not in of.cameras or box.until_ns <= of.from_ns or of.until_ns <= box.from_ns:
        raise InputError(
            f"a box on {box.camera_id} is in no picture of this", remedy="give a camera and times of the films"
        )


def _of(tx: Tx, actor: Actor, about: str) -> _Of:
    """Return what an export is of, if this actor may have one made."""
    actor.require_login()
    if is_for_request(about):
        actor.require(Role.PRIVACY)
        row = tx.get(AccessRequest, about)
        if row.state != AccessState.APPROVED.value:
            raise RuleError(f"this request is {row.state}, not approved", rule="state", remedy="habeas access list")
        return _Of(row.cameras, row.from_ns, row.until_ns, row.opened_at_ns + ACCESS_NS)
    actor.require(Role.REQUESTER, Role.PRIVACY)
    hold = tx.get(Hold, about)
    if not (actor.has(Role.PRIVACY) or actor.owns(hold.requester)):
        raise RuleError("this is somebody else's hold", rule="own-draft", remedy="ask whoever proposed it")
    if not is_kept(hold, tx.now_ns):
        raise RuleError(f"this hold is {hold.state}: it holds nothing now", rule="state", remedy="habeas footage holds")
    return _Of(hold.cameras, hold.from_ns, hold.until_ns, hold.ends_at_ns)


def _sealed_boxes(keys: KeyStore, key_id: str, boxes: Sequence[Box]) -> bytes:
    told = [{**asdict(box), "from_ns": str(box.from_ns), "until_ns": str(box.until_ns)} for box in boxes]
    return keys.encrypt(key_id, json.dumps(told).encode(), _WISH)


def boxes_of(keys: KeyStore, row: Export) -> list[Box]:
    """Return the boxes that a person added.

    Raises:
        KeyDestroyed: it is over.
    """
    told = json.loads(keys.decrypt(row.key_id, row.wish_sealed or b"", _WISH))
    return [
        Box(one["camera_id"], int(one["from_ns"]), int(one["until_ns"]), tuple(one["box_xyxy_px"]), one["spare"])
        for one in told
    ]


def add_boxes(tx: Tx, keys: KeyStore, actor: Actor, export_id: str, boxes: Sequence[Box]) -> Export:
    """Add boxes by hand: it is redacted again, and what was proposed is void; what is approved stays as it is.

    Raises:
        RuleError: not whoever had it made, or a privacy officer; whole, or over.
        InputError: no such export, too many boxes, or an empty one.
    """
    row = _own(tx, actor, export_id, State.READY, State.FAILED, State.PROPOSED)
    if row.unredacted:
        raise RuleError("a whole film has no boxes", rule="state", remedy="make another export")
    every = [*boxes_of(keys, row), *boxes]
    if len(every) > MOST_BOXES:
        raise InputError(f"{len(every)} boxes", remedy=f"give {MOST_BOXES} at most")
    for box in boxes:
        _check_box(box, _Of(row.cameras, row.from_ns, row.until_ns, row.ends_at_ns))
    wish = _sealed_boxes(keys, row.key_id, every)
    changes = {"wish_sealed": wish, "films": (), "damaged": (), "recipient": "", "failure": ""}
    row = tx.change(row, state=State.REDACTING.value, **changes)
    tx.entry("export.boxes-added", actor.account_id, {"boxes": len(boxes), "export": export_id})
    return row


def _own(tx: Tx, actor: Actor, export_id: str, *states: State) -> Export:
    actor.require(Role.REQUESTER, Role.PRIVACY)
    actor.require_login()
    row = tx.get(Export, export_id)
    if not (actor.has(Role.PRIVACY) or actor.owns(row.made_by)):
        raise RuleError("this is somebody else's export", rule="own-draft", remedy="ask whoever had it made")
    return _in_state(tx, row, *states)


def is_open(tx: Tx, row: Export) -> bool:
    """Tell whether what an export is of is there still: its hold is kept, or its access request approved."""
    if tx.now_ns >= row.ends_at_ns:
        return False
    holds = tx.find(Hold, hold_id=row.about)
    if holds:
        return is_kept(holds[0], tx.now_ns)
    requests = tx.find(AccessRequest, access_id=row.about)
    return bool(requests) and requests[0].state == AccessState.APPROVED.value


def _check_open(tx: Tx, row: Export) -> None:
    if not is_open(tx, row):
        raise RuleError("the hold or request of this export is over", rule="state", remedy="it goes with it")


def check_suspensions(tx: Tx, keys: KeyStore, row: Export) -> None:
    """Check that in nothing that a suspension binds somebody is spared by what a machine found, or is shown whole.

    Raises:
        RuleError: a suspension was imposed meanwhile, that reaches back.
    """
    reports = reports_of(keys, row)
    for name, camera_id, from_ns, until_ns, _sha256 in row.films:
        bound = not is_free(tx, camera_id, from_ns, until_ns)
        if bound and (row.unredacted or not reports.get(name, {}).get("suspended")):
            raise RuleError(
                "some of this was captured in a suspension",
                rule="suspended",
                remedy="make the export anew: everybody is redacted in it but whom a person marks",
            )


def is_for_request(about: str) -> bool:
    """Tell whether an export is for an access request, and not of a hold, by what it is about."""
    return about.startswith("acr-")


def _in_state(tx: Tx, row: Export, *states: State) -> Export:
    _check_open(tx, row)
    if State(row.state) not in states or tx.now_ns >= row.ends_at_ns:
        names = " or ".join(state.value for state in states)
        raise RuleError(f"this export is {row.state}, not {names}", rule="state", remedy="see `habeas footage exports`")
    return row


# --- what came of the redaction ---------------------------------------------------------------------------------------


def note_made(
    tx: Tx,
    keys: KeyStore,
    export_id: str,
    films: Sequence[tuple[str, str, int, int, str]],
    reports: Reports,
    damaged: Sequence[str] = (),
) -> None:
    """Note that its films are made, and what came of it; `damaged` are segments that could not be read."""
    row = tx.get(Export, export_id)
    if row.state != State.REDACTING.value:
        return
    sealed = keys.encrypt(row.key_id, json.dumps(reports).encode(), _REPORTS)
    tx.change(row, state=State.READY.value, films=tuple(films), damaged=tuple(damaged), reports_sealed=sealed)
    doubts = sum(count for one in reports.values() if isinstance(count := one.get("doubts_in_all", 0), int))
    tx.entry("export.made", "redactor", {"doubts": doubts, "export": export_id, "films": len(films)})


def note_failed(tx: Tx, export_id: str, why: str) -> None:
    """Note that nothing could be made of it."""
    row = tx.get(Export, export_id)
    if row.state == State.REDACTING.value:
        tx.change(row, state=State.FAILED.value, failure=why)
        tx.entry("export.failed", "redactor", {"export": export_id})


def reports_of(keys: KeyStore, row: Export) -> Reports:
    """Return the reports of the redaction, by name of film; none before it was made.

    Raises:
        KeyDestroyed: it is over.
    """
    if row.reports_sealed is None:
        return {}
    told: Reports = json.loads(keys.decrypt(row.key_id, row.reports_sealed, _REPORTS))
    return told


def content(keys: KeyStore, row: Export) -> dict[str, object]:
    """Return exactly what an approval binds.

    Raises:
        KeyDestroyed: it is over.
    """
    return {
        "about": row.about,
        "damaged": list(row.damaged),
        "decision": row.decision_sha256,
        "export": row.export_id,
        "films": [
            {"name": name, "camera": camera, "from": utc(from_ns), "until": utc(until_ns), "sha256": sha256}
            for name, camera, from_ns, until_ns, sha256 in row.films
        ],
        "recipient": row.recipient,
        "reports_sha256": content_of(_large_as_text(reports_of(keys, row))),
        "requester": row.requester,
        "unredacted": row.unredacted,
    }


def _large_as_text(value: Any) -> Any:
    """Return reports as they are put into a parcel: times are larger than canonical JSON has numbers."""
    if isinstance(value, dict):
        return {name: _large_as_text(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_large_as_text(one) for one in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53 else value


def told_reports(keys: KeyStore, row: Export) -> Reports:
    """Return the reports as a parcel has them: large numbers as text.

    Raises:
        KeyDestroyed: it is over.
    """
    told: Reports = _large_as_text(reports_of(keys, row))
    return told


def hash_of(keys: KeyStore, row: Export) -> str:
    """Return the SHA-256 of what an approval binds, hexadecimal.

    Raises:
        KeyDestroyed: it is over.
    """
    return content_of(content(keys, row))


# --- who decides ------------------------------------------------------------------------------------------------------


def propose(tx: Tx, keys: KeyStore, actor: Actor, export_id: str, recipient: str) -> Export:
    """Propose that it is given to a recipient.

    Args:
        tx: the transaction.
        keys: the key store.
        actor: whoever had it made, or a privacy officer.
        export_id: which.
        recipient: `age1...`, or `passphrase`.

    Raises:
        RuleError: somebody else proposes, it is not ready, or a whole film would be given under a passphrase.
        InputError: no such export, or no such recipient.
    """
    row = _own(tx, actor, export_id, State.READY, State.PROPOSED)
    check_suspensions(tx, keys, row)
    if recipient != PASSPHRASE:
        seal(recipient, b"")  # is it one?
    elif row.unredacted:
        raise RuleError(
            "a whole film is encrypted to the court's key", rule="export-whole", remedy="give its key: --to age1..."
        )
    row = tx.change(row, state=State.PROPOSED.value, recipient=recipient, requester=actor.account_id)
    body = {"export": export_id, "recipient": hashlib.sha256(recipient.encode()).hexdigest()}
    tx.entry("export.proposed", actor.account_id, {**body, "sha256": hash_of(keys, row)})
    return row


def approve(tx: Tx, keys: KeyStore, actor: Actor, export_id: str, content_hash: str) -> Export:
    """Approve exactly what was shown; with the second approver it may be fetched.

    Raises:
        RuleError: not an approver, whoever made or proposed it, twice, other content, or not proposed.
    """
    row = _in_state(tx, tx.get(Export, export_id), State.PROPOSED)
    if actor.may_be(row.made_by):
        raise RuleError("nobody approves an own request", rule="own-request", remedy="ask somebody else")
    check_suspensions(tx, keys, row)
    expected = hash_of(keys, row)
    approve_object(
        tx,
        actor,
        object_id=export_id,
        action=APPROVE,
        content_hash=content_hash,
        expected_hash=expected,
        requester=row.requester,
    )
    if len(approvals_of(tx, export_id, APPROVE, expected)) < _TWO:
        return row
    seq = tx.entry("export.approved", actor.account_id, {"export": export_id, "sha256": expected})
    return tx.change(row, state=State.APPROVED.value, approved_seq=seq)


def refuse(tx: Tx, keys: KeyStore, actor: Actor, export_id: str) -> Export:
    """Refuse an export that is proposed: its films are destroyed. One approver is enough.

    Raises:
        RuleError: not an approver, whoever proposed it, or not proposed.
    """
    actor.require(Role.APPROVER)
    actor.require_login()
    row = _in_state(tx, tx.get(Export, export_id), State.PROPOSED)
    if actor.may_be(row.requester):
        raise RuleError("nobody refuses an own request", rule="own-request", remedy="ask somebody else")
    return end(tx, keys, row, State.REFUSED, actor.account_id)


def discard(tx: Tx, keys: KeyStore, actor: Actor, export_id: str) -> Export:
    """Discard an export that nobody has fetched: its films are destroyed. Only whoever had it made does.

    Raises:
        RuleError: somebody else had it made, it was fetched, or it is over.
        InputError: no such export.
    """
    actor.require(Role.REQUESTER, Role.PRIVACY)
    actor.require_login()
    row = tx.get(Export, export_id)
    if not actor.owns(row.made_by):
        raise RuleError("this is somebody else's export", rule="own-draft", remedy="ask whoever had it made")
    row = _in_state(tx, row, *(set(State) - OVER))
    if row.fetched_at_ns is not None:
        raise RuleError(
            "it was fetched: what was given away stays to be compared with",
            rule="export-fetched",
            remedy="it goes with its hold or request",
        )
    return end(tx, keys, row, State.DISCARDED, actor.account_id)


def end(tx: Tx, keys: KeyStore, row: Export, state: State, by: str) -> Export:
    """End an export; its key is destroyed right after the commit."""
    row = tx.change(row, state=state.value, wish_sealed=None, reports_sealed=None)
    tx.entry(f"export.{state.value}", by, {"export": row.export_id})

    def destroy() -> None:
        with suppress(DiskError):  # unusable here already; `node.exporting` tries again until it is done
            keys.destroy([row.key_id])

    tx.after_commit(destroy)
    return row


def fetchable(tx: Tx, keys: KeyStore, actor: Actor, export_id: str) -> Export:
    """Return an export that this actor may fetch now.

    Raises:
        RuleError: not whoever made or proposed it, a privacy officer or an approver; or it is not approved.
    """
    actor.require_login()
    row = tx.get(Export, export_id)
    if not (actor.has(Role.REQUESTER) and (actor.owns(row.made_by) or actor.owns(row.requester))):
        actor.require(Role.PRIVACY, Role.APPROVER)
    row = _in_state(tx, row, State.APPROVED)
    check_suspensions(tx, keys, row)
    return row


def note_fetched(tx: Tx, keys: KeyStore, actor: Actor, export_id: str, size_bytes: int) -> None:
    """Write that an export leaves, of so many bytes; commit before it does.

    Raises:
        RuleError: as `fetchable`.
    """
    row = fetchable(tx, keys, actor, export_id)
    tx.change(row, fetched_at_ns=tx.now_ns)
    tx.entry("export.fetched", actor.account_id, {"bytes": size_bytes, "export": export_id})


def playable(tx: Tx, actor: Actor, export_id: str) -> Export:
    """Return an export whose films this actor may play now.

    Raises:
        RuleError: it is not theirs, has no films, or its hold or request is over.
    """
    row = tx.get(Export, export_id)
    check_sees(tx, actor, row)
    return _in_state(tx, row, State.READY, State.PROPOSED, State.APPROVED)


def check_sees(tx: Tx, actor: Actor, row: Export) -> None:
    """Check that somebody may see what an export is of, and play it: whoever had it made, approvers, privacy officers.

    Raises:
        RuleError: they may not.
    """
    actor.require_login()
    own = actor.has(Role.REQUESTER) and actor.owns(row.made_by)
    if own or actor.has(Role.PRIVACY) or actor.has(Role.APPROVER):
        return
    holds = tx.find(Hold, hold_id=row.about)
    if not (holds and sees(actor, holds[0])):
        raise RuleError(
            "an export is for whoever had it made, approvers and privacy officers",
            rule="playback",
            remedy="ask one of them",
        )


def summary(row: Export) -> dict[str, object]:
    """Return what everybody with a role may know of an export, JSON values."""
    return {
        "export": row.export_id,
        "state": row.state,
        "about": row.about,
        "cameras": list(row.cameras),
        "from": utc(row.from_ns),
        "until": utc(row.until_ns),
        "unredacted": row.unredacted,
        "films": len(row.films),
        "damaged": len(row.damaged),
        "failure": row.failure or None,
        "ends": utc(row.ends_at_ns),
    }
