"""Evidence: a video file that a requester hands in, to be searched once, under one authorisation of theirs.

It stands where a camera stands: an authorisation names its id and SHA-256 in the place of a camera and its source, and
its stated interval. When it was taken is what the requester says, and so is where: a suspension of any camera of this
installation binds it. It goes with its authorisation, by its deadline, or when its requester discards it.
"""

import enum
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from habeas.accounts.roles import Actor, Role
from habeas.authority.policy import MAX_FOOTAGE_H, ceilings_now
from habeas.errors import DiskError, InputError, KeyDestroyed, RuleError
from habeas.keys import KeyStore
from habeas.store import Tx
from habeas.store.footage_records import Evidence
from habeas.store.records import Authorisation, Camera
from habeas.types import HOUR_NS, utc

PREFIX: Final = "evd"
"""Of its ids; no camera is called so."""
ZONE: Final = "evidence"
"""Where its alerts are reviewed; no camera is there."""
LONGEST_NS: Final = MAX_FOOTAGE_H * HOUR_NS
"""Of one file's time."""
MAX_NOTE: Final = 500
MOST_OF_ONE: Final = 10
MOST: Final = 50
"""Kept at once: each takes room."""
ACTOR: Final = "clock"
_MIN_NOTE: Final = 3
_MIN_FACE_PX: Final = 32
_NOTE: Final = b"evidence note"


class State(enum.Enum):
    """Where evidence is."""

    KEPT = "kept"
    OVER = "over"


class Why(enum.Enum):
    """Why it is over."""

    AUTHORISATION = "authorisation"
    DEADLINE = "deadline"
    DISCARDED = "discarded"
    KEY_GONE = "key-gone"
    """As after a restore: an old database with the current key store."""


@dataclass(frozen=True, repr=False)
class Given:
    """A file that was taken in, and read by a sealed worker.

    Args:
        evidence_id: new.
        key_id: that it was encrypted under; expires at `deadline_ns`.
        deadline_ns: first instant at which nothing of it can be read, Unix ns.
        sha256: hexadecimal.
        size_bytes: of the file.
        from_ns: when its first picture was taken, as stated, Unix ns.
        lasts_ns: as the worker read it.
        note: where it comes from.
    """

    evidence_id: str
    key_id: str
    deadline_ns: int
    sha256: str
    size_bytes: int
    from_ns: int
    lasts_ns: int
    note: str


def is_evidence(name: str) -> bool:
    """Tell whether what stands in a camera's place is evidence."""
    return name.startswith(f"{PREFIX}-")


def stand_in(row: Evidence) -> Camera:
    """Return evidence as the camera in whose place it stands."""
    return Camera(
        camera_id=row.evidence_id,
        zone=ZONE,
        purpose=ZONE,
        public_url="",
        detect_sealed=b"",
        record_sealed=None,
        key_id=row.key_id,
        source_digest=row.sha256,
        masks=(),
        min_face_px=_MIN_FACE_PX,
        added_at_ns=row.uploaded_at_ns,
        added_by=row.uploader,
    )


def place_of(tx: Tx, camera_id: str) -> Camera | None:
    """Return a camera that is there, or evidence that is kept, in its place; None: it is neither."""
    if is_evidence(camera_id):
        rows = tx.find(Evidence, evidence_id=camera_id)
        return next((stand_in(row) for row in rows if is_kept(row, tx.now_ns)), None)
    return next(iter(tx.find(Camera, camera_id=camera_id, removed_at_ns=None)), None)


def is_kept(row: Evidence, now_ns: int) -> bool:
    """Tell whether it may be read at this instant."""
    return row.state == State.KEPT.value and now_ns < row.deadline_ns


# --- handed in --------------------------------------------------------------------------------------------------------


def check_stated(tx: Tx, actor: Actor, from_ns: int, note: str) -> int:
    """Check all that is checked before a file is taken in; return for how long it may be kept, ns.

    Raises:
        RuleError: not a requester, there is too much evidence already, or the policy lets no footage be kept.
        InputError: no word on where it comes from, too many of them, or a time that has not come.
    """
    actor.require(Role.REQUESTER)
    actor.require_scope("draft")
    if not _MIN_NOTE <= len(note.strip()) <= MAX_NOTE:
        raise InputError(f"a note of 3 to {MAX_NOTE} characters says where it comes from", remedy="give --note")
    if from_ns >= tx.now_ns:
        raise InputError("evidence is of the past", remedy="say when its first picture was taken: --from")
    kept_ns = ceilings_now(tx).footage_h * HOUR_NS
    if not kept_ns:
        raise RuleError("the policy lets no footage be kept", rule="footage-ceiling", remedy="see `habeas policy show`")
    there = tx.find(Evidence, state=State.KEPT.value)
    if len(there) >= MOST or sum(actor.owns(one.uploader) for one in there) >= MOST_OF_ONE:
        raise RuleError(
            f"{MOST_OF_ONE} pieces of evidence at most are kept for one requester, and {MOST} in all",
            rule="evidence-number",
            remedy="discard what is not needed: habeas footage evidence discard ID",
        )
    return kept_ns


def add(tx: Tx, keys: KeyStore, actor: Actor, given: Given) -> Evidence:
    """Write down what was handed in. Nothing is searched.

    Raises:
        RuleError: as `check_stated` says.
        InputError: as `check_stated` says; or it would end after now, or is longer than any may be.
        KeyDestroyed: its deadline came meanwhile.
    """
    check_stated(tx, actor, given.from_ns, given.note)
    if given.lasts_ns > LONGEST_NS:
        raise InputError(f"it is longer than {MAX_FOOTAGE_H} h", remedy="cut it, and hand in what is needed")
    if given.from_ns + given.lasts_ns > tx.now_ns:
        raise InputError("it would end after now", remedy="say when its first picture was taken: --from")
    said = given.note.strip().encode()
    row = Evidence(
        evidence_id=given.evidence_id,
        state=State.KEPT.value,
        uploader=actor.account_id,
        uploaded_at_ns=tx.now_ns,
        from_ns=given.from_ns,
        until_ns=given.from_ns + given.lasts_ns,
        sha256=given.sha256,
        size_bytes=given.size_bytes,
        key_id=given.key_id,
        deadline_ns=given.deadline_ns,
        note_sealed=keys.encrypt(given.key_id, said, _NOTE),
        commitment=keys.hmac(given.key_id, said).hex(),
    )
    tx.add(row)
    tx.entry("evidence.uploaded", actor.account_id, _facts(row))
    return row


def _facts(row: Evidence) -> dict[str, object]:
    """Return what the log says of it: nobody is named."""
    return {
        "bytes": row.size_bytes,
        "commitment": row.commitment,
        "deadline": utc(row.deadline_ns),
        "evidence": row.evidence_id,
        "from": utc(row.from_ns),
        "sha256": row.sha256,
        "until": utc(row.until_ns),
    }


# --- asked for --------------------------------------------------------------------------------------------------------


def to_be_named(tx: Tx, actor: Actor, evidence_id: str) -> Evidence:
    """Return evidence that a draft of this actor may name.

    Raises:
        InputError: there is no such evidence.
        RuleError: somebody else's, gone, or another authorisation names it.
    """
    row = own(tx, actor, evidence_id)
    if row.authorisation_id is not None:
        raise RuleError(
            f"{row.authorisation_id} names this evidence", rule="evidence-once", remedy="hand it in again, as new"
        )
    return row


def own(tx: Tx, actor: Actor, evidence_id: str) -> Evidence:
    """Return evidence of this actor that is kept.

    Raises:
        InputError: there is no such evidence.
        RuleError: not a requester, somebody else's, or it is over.
    """
    actor.require(Role.REQUESTER)
    row = tx.get(Evidence, evidence_id)
    if not actor.owns(row.uploader):
        raise RuleError("this is somebody else's evidence", rule="own-draft", remedy="hand in your own")
    return check_kept(tx, row)


def check_kept(tx: Tx, row: Evidence) -> Evidence:
    """Return it, if it may be read now.

    Raises:
        RuleError: it is over.
    """
    if not is_kept(row, tx.now_ns):
        raise RuleError("this evidence is gone", rule="state", remedy="see `habeas footage evidence list`")
    return row


def take(tx: Tx, actor: Actor, row: Authorisation) -> None:
    """Bind evidence to the authorisation that was just drafted, if that names some: no other one ever names it.

    Raises:
        InputError: there is no such evidence, or the draft says another interval or content.
        RuleError: as `to_be_named` says.
    """
    for evidence_id, digest in row.cameras:
        if is_evidence(evidence_id):
            named = to_be_named(tx, actor, evidence_id)
            if (named.from_ns, named.until_ns, named.sha256) != (row.from_ns, row.until_ns, digest):
                raise InputError("evidence is searched whole", remedy="leave --from and --until out")
            tx.change(named, authorisation_id=row.authorisation_id)


def named_by(tx: Tx, row: Authorisation) -> Evidence | None:
    """Return the evidence that an authorisation names; None: it names cameras."""
    names = [name for name, _digest in row.cameras if is_evidence(name)]
    return tx.get(Evidence, names[0]) if names else None


def check_named(tx: Tx, row: Authorisation) -> None:
    """Check that the evidence that an authorisation names, if it names some, may be read.

    Raises:
        RuleError: it is over.
    """
    named = named_by(tx, row)
    if named is not None:
        check_kept(tx, named)


def note_of(keys: KeyStore, row: Evidence) -> str | None:
    """Return where it comes from, as was stated; None: it is over."""
    try:
        return None if row.note_sealed is None else keys.decrypt(row.key_id, row.note_sealed, _NOTE).decode()
    except KeyDestroyed:
        return None


# --- over -------------------------------------------------------------------------------------------------------------


def discard(tx: Tx, keys: KeyStore, actor: Actor, evidence_id: str) -> Evidence:
    """Destroy one's own evidence, that no authorisation names.

    Raises:
        InputError: there is no such evidence.
        RuleError: somebody else's, over, or named: then its authorisation is ended.
    """
    actor.require_scope("draft")
    row = own(tx, actor, evidence_id)
    if row.authorisation_id is not None:
        raise RuleError(
            f"{row.authorisation_id} names it", rule="state", remedy=f"habeas authorise revoke {row.authorisation_id}"
        )
    row = _over(tx, row, Why.DISCARDED)
    tx.entry("evidence.discarded", actor.account_id, {"evidence": evidence_id})

    def destroy() -> None:
        with suppress(DiskError):  # unusable here already; `node.evidence` tries again until it is done
            keys.destroy([row.key_id])

    tx.after_commit(destroy)
    return row


def end_for(tx: Tx, authorisation_id: str) -> list[str]:
    """End the evidence of an authorisation that has ended; return the keys to destroy after the commit."""
    rows = tx.find(Evidence, authorisation_id=authorisation_id, state=State.KEPT.value)
    return [_over(tx, row, Why.AUTHORISATION).key_id for row in rows]


def _over(tx: Tx, row: Evidence, why: Why) -> Evidence:
    return tx.change(row, state=State.OVER.value, why=why.value, note_sealed=None)


def over(row: Evidence) -> Evidence:
    """Return evidence that came since the backup that is restored, as it is from now on; its key is to be destroyed."""
    if row.state == State.OVER.value:
        return row
    return replace(row, state=State.OVER.value, why=Why.KEY_GONE.value, note_sealed=None)


def note_destroyed(tx: Tx, row: Evidence, why: Why) -> None:
    """Write that the key of evidence is gone; `why` where it was not over before."""
    if row.state == State.KEPT.value:
        row = _over(tx, row, why)
    tx.change(row, destroyed_at_ns=tx.now_ns)
    tx.entry("evidence.destroyed", ACTOR, {"evidence": row.evidence_id, "why": row.why})


def shorten(tx: Tx, row: Evidence, deadline_ns: int, by: str = ACTOR) -> None:
    """Write that a policy shortens how long it is kept; its key was rescheduled before."""
    tx.change(row, deadline_ns=deadline_ns)
    tx.entry("evidence.shortened", by, {"deadline": utc(deadline_ns), "evidence": row.evidence_id})


# --- shown ------------------------------------------------------------------------------------------------------------


def summary(row: Evidence) -> dict[str, object]:
    """Return what is told of it, JSON values; nobody is named."""
    return {
        "evidence": row.evidence_id,
        "state": row.state,
        "why": row.why,
        "uploader": row.uploader,
        "uploaded": utc(row.uploaded_at_ns),
        "from": utc(row.from_ns),
        "until": utc(row.until_ns),
        "sha256": row.sha256,
        "bytes": row.size_bytes,
        "deadline": utc(row.deadline_ns),
        "authorisation": row.authorisation_id,
    }


def listed(tx: Tx, keys: KeyStore, actor: Actor, *, everything: bool) -> list[dict[str, object]]:
    """Return evidence that is kept, or all, newest first: a requester's own; where it comes from, to its requester.

    Raises:
        RuleError: another role, or a token without the scope.
    """
    actor.require(Role.REQUESTER, Role.APPROVER, Role.PRIVACY, Role.AUDITOR)
    actor.require_scope("read")
    rows = tx.find(Evidence) if everything else tx.find(Evidence, state=State.KEPT.value)
    all_of_it = any(actor.has(role) for role in (Role.APPROVER, Role.PRIVACY, Role.AUDITOR))
    seen = [row for row in rows if all_of_it or actor.owns(row.uploader)]
    seen.sort(key=lambda row: (row.uploaded_at_ns, row.evidence_id), reverse=True)
    return [{**summary(row), **_note(keys, actor, row)} for row in seen]


def _note(keys: KeyStore, actor: Actor, row: Evidence) -> dict[str, object]:
    sees = actor.owns(row.uploader) and actor.has(Role.REQUESTER) and not actor.by_token
    return {"note": note_of(keys, row)} if sees else {}
