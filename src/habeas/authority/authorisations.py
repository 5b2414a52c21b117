"""The life of an authorisation: draft, submitted, active, then expired or revoked; or refused.

Each command is one transaction. What is asked is bound by a hash; who approves names the hash of what they were shown.
The moment one ends nothing of it is compared; its keys are destroyed with the commit, and again by `discard.tick`.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import rfc8785

from habeas.accounts.credentials import code_digest, new_code, new_id
from habeas.accounts.roles import Actor, Role
from habeas.authority.approvals import approvals_of, approve_object
from habeas.authority.cameras import delivering
from habeas.authority.evidence import check_named, end_for, is_evidence, named_by, take
from habeas.authority.listing import (
    all_tags,
    check_born,
    consented_ns,
    consents,
    current_key,
    is_minor,
    listings,
    tag_of,
)
from habeas.authority.opened import named
from habeas.authority.policy import ceilings_now
from habeas.authority.purposes import BY_DECISION, Purpose
from habeas.authority.requests import OVER, Draft, Drafted, Person, State
from habeas.authority.scope import (
    RETROSPECTIVE_OPEN_NS,
    URGENT_NS,
    Ask,
    Consented,
    Others,
    approvals_needed,
    check_ask,
    check_ceilings,
    check_chain,
    check_consented,
    check_urgent,
    covers_all_for_life,
    over_chain,
)
from habeas.errors import DiskError, InputError, KeyDestroyed, RuleError
from habeas.keys import KeyStore, Scope
from habeas.review.ending import destroy_for_authorisation, keep_until
from habeas.store import Tx
from habeas.store.records import Authorisation, Camera, Reference, Subject
from habeas.types import DAY_NS, utc

OPEN_NS: Final = 7 * DAY_NS
"""A draft or a submitted request that nobody decides lapses."""
NOTIFY_NS: Final = 30 * DAY_NS
"""The person is told within this time of the end, unless two people defer it."""
_LOGGED: Final = (
    "authorisation",
    "authority",
    "cameras",
    "decision",
    "from",
    "kind",
    "minor",
    "purpose",
    "requester",
    "revision",
    "until",
    "urgent",
)
"""Of what an approval binds, what the log says as it is; of people, their number and tags."""
_MIN_TEXT: Final = 3
_APPROVE: Final = "authorisation"


def _status(decision: str | None, purpose: Purpose) -> str:
    if decision is not None:
        return "uploaded"
    return "missing" if purpose in BY_DECISION else "not needed"


def draft(
    tx: Tx,
    keys: KeyStore,
    actor: Actor,
    asked: Draft,
    *,
    renews: str | None = None,
    decision_sha256: str | None = None,
) -> Drafted:
    """Write down what is asked for. Nobody is looked for yet.

    Args:
        tx: the transaction.
        keys: gets a key for each subject.
        actor: a requester.
        asked: what.
        renews: the authorisation that this one goes on from; it takes approvals of its own.
        decision_sha256: of the document that the older one carried.

    Raises:
        RuleError: not a requester, or the policy does not permit it.
        InputError: what is asked cannot be.
    """
    minors = check_draft(tx, actor, asked)
    if not all(person.images for person in asked.people):
        raise _unnamed()
    decision = hashlib.sha256(asked.decision).hexdigest() if asked.decision is not None else decision_sha256
    code = new_code() if asked.purpose is Purpose.CONSENT else None
    row = Authorisation(
        authorisation_id=new_id("aut"),
        state=State.DRAFT.value,
        kind="live" if asked.live else "retrospective",
        purpose=asked.purpose.value,
        authority=asked.authority.strip(),
        reference=asked.reference.strip(),
        decision_sha256=decision,
        decision_status=_status(decision, asked.purpose),
        requester=actor.account_id,
        cameras=tuple((camera.camera_id, camera.source_digest) for camera in asked.cameras),
        from_ns=asked.from_ns,
        until_ns=asked.until_ns,
        urgent=asked.urgent,
        minor=bool(minors),
        created_at_ns=tx.now_ns,
        consent_code_hash=code_digest(code) if code else None,
        renews=renews,
    )
    tx.add(row)
    take(tx, actor, row)
    for person in asked.people:
        _add_subject(tx, keys, row, person)
    tx.entry("authorisation.drafted", actor.account_id, _facts(tx, row))
    return Drafted(row, code)


def check_draft(tx: Tx, actor: Actor, asked: Draft) -> int:
    """Check all of a draft that is checked without its images; `draft` does so too.

    Images are looked at only after this: who may not ask learns nothing of a face.

    Returns:
        how many of the people named are minors now.

    Raises:
        RuleError: not a requester, or the policy does not permit it.
        InputError: what is asked cannot be.
    """
    actor.require(Role.REQUESTER)
    actor.require_scope("draft")
    if min(len(asked.authority.strip()), len(asked.reference.strip())) < _MIN_TEXT:
        raise InputError("it names its authority and reference", remedy="give --authority and --reference")
    if asked.decision == b"":
        raise InputError("the decision is an empty file", remedy="give the document itself: --decision")
    minors = _check_people(asked, tx.now_ns)
    ask = Ask(
        live=asked.live,
        purpose=asked.purpose,
        cameras=len(asked.cameras),
        from_ns=asked.from_ns,
        until_ns=asked.until_ns,
        urgent=asked.urgent,
        minors=minors,
        subjects=len(asked.people),
        has_decision=asked.decision is not None,
        evidence=any(is_evidence(camera.camera_id) for camera in asked.cameras),
    )
    _check_alone(tx, ask, [camera.source_digest for camera in asked.cameras], tx.now_ns)
    return minors


def _check_alone(tx: Tx, ask: Ask, digests: Sequence[str], asked_at_ns: int) -> None:
    """Check what is asked as if nothing else ran: what runs besides is judged when it is submitted and approved."""
    ceilings = ceilings_now(tx)
    check_ask(ask, ceilings, tx.now_ns, asked_at_ns=asked_at_ns)
    installed = len(tx.find(Camera, removed_at_ns=None))
    check_ceilings(ask, ceilings, Others(delivering(tx), installed, len(set(digests)), ask.subjects))


def _unnamed() -> InputError:
    return InputError("a subject has a name and an image", remedy="write --subject NAME=IMAGE[,IMAGE]")


def _check_people(asked: Draft, now_ns: int) -> int:
    for person in asked.people:
        check_born(person.born, now_ns)
        if not person.name.strip():
            raise _unnamed()
    minors = sum(is_minor(person.born, now_ns) for person in asked.people)
    if minors and not asked.minor:
        raise RuleError(
            "somebody named is a minor",
            rule="minor",
            remedy="say so with --minor: it takes one more approval, and is for missing persons or threats to life",
        )
    return minors


def _add_subject(tx: Tx, keys: KeyStore, row: Authorisation, person: Person) -> None:
    key_id = keys.new(Scope.SUBJECT, due_ns(row))
    tag_key = current_key(tx, keys)
    said = rfc8785.dumps({"born": person.born.isoformat(), "name": person.name.strip()})
    subject = Subject(
        subject_id=new_id("sub"),
        authorisation_id=row.authorisation_id,
        key_id=key_id,
        identity_sealed=keys.encrypt(key_id, said, b"identity"),
        commitment=keys.hmac(key_id, said).hex(),
        tag=tag_of(keys, tag_key, person.name, person.born),
        tag_key_id=tag_key,
        minor=is_minor(person.born, tx.now_ns),
    )
    tx.add(subject)
    for image in person.images:
        reference_id = new_id("ref")
        tx.add(
            Reference(
                reference_id=reference_id,
                subject_id=subject.subject_id,
                model_id=image.model_id,
                commitment=keys.hmac(key_id, image.image).hex(),
                image_sealed=keys.encrypt(key_id, image.image, f"image {reference_id}".encode()),
                template_sealed=keys.encrypt(
                    key_id, image.vector.astype("<f4").tobytes(), f"template {reference_id}".encode()
                ),
                report=json.dumps(image.report, sort_keys=True),
            )
        )


def due_ns(row: Authorisation) -> int:
    """Return when one that is not over ends by the clock: a request that nobody decided, a window that is over."""
    if row.state == State.ACTIVE.value:
        return row.ends_at_ns or 0
    lapses_ns = row.created_at_ns + OPEN_NS
    return min(lapses_ns, row.until_ns) if row.kind == "live" else lapses_ns


def subjects_of(tx: Tx, row: Authorisation) -> list[Subject]:
    """Return who is named."""
    return tx.find(Subject, authorisation_id=row.authorisation_id)


def content(tx: Tx, row: Authorisation) -> dict[str, object]:
    """Return exactly what an approval binds."""
    subjects = subjects_of(tx, row)
    references = tx.find(Reference, subject_id={subject.subject_id for subject in subjects})
    evidence = named_by(tx, row)
    return {
        "authorisation": row.authorisation_id,
        "authority": row.authority,
        "cameras": [list(pair) for pair in row.cameras],
        "decision": row.decision_sha256,
        "evidence": None if evidence is None else evidence.commitment,
        "from": utc(row.from_ns),
        "kind": row.kind,
        "minor": row.minor,
        "purpose": row.purpose,
        "reference": row.reference,
        "references": sorted([one.subject_id, one.reference_id, one.commitment, one.model_id] for one in references),
        "requester": row.requester,
        "revision": row.revision,
        "subjects": sorted([subject.subject_id, subject.commitment] for subject in subjects),
        "until": utc(row.until_ns),
        "urgent": row.urgent,
    }


def hash_of(tx: Tx, row: Authorisation) -> str:
    """Return the SHA-256 of what an approval binds, hexadecimal."""
    return hashlib.sha256(rfc8785.dumps(content(tx, row))).hexdigest()  # type: ignore[arg-type]  # JSON values


def _facts(tx: Tx, row: Authorisation) -> dict[str, object]:
    """Return what the log says of a request: all that an approval binds as a hash, and what names nobody as it is."""
    bound = content(tx, row)
    named = {name: bound[name] for name in _LOGGED}
    return {
        **named,
        "decision_status": row.decision_status,
        "renews": row.renews,
        "sha256": hash_of(tx, row),
        "tags": sorted(subject.tag for subject in subjects_of(tx, row)),
    }


def _ask(row: Authorisation, subjects: int, minors: int) -> Ask:
    return Ask(
        live=row.kind == "live",
        purpose=Purpose(row.purpose),
        cameras=len(row.cameras),
        from_ns=row.from_ns,
        until_ns=row.until_ns,
        urgent=row.urgent,
        minors=minors,
        subjects=subjects,
        has_decision=row.decision_sha256 is not None,
        evidence=any(is_evidence(name) for name, _digest in row.cameras),
    )


def ask_of(tx: Tx, row: Authorisation) -> Ask:
    """Return what an authorisation asks for; who was a minor when it was drafted counts as one."""
    subjects = subjects_of(tx, row)
    return _ask(row, len(subjects), sum(subject.minor for subject in subjects))


def _own(tx: Tx, actor: Actor, authorisation_id: str, *states: State) -> Authorisation:
    row = tx.get(Authorisation, authorisation_id)
    if not actor.owns(row.requester):
        raise RuleError("this is somebody else's request", rule="own-draft", remedy="make your own")
    return in_time(tx, _in_state(row, *states))


def _in_state(row: Authorisation, *states: State) -> Authorisation:
    if State(row.state) not in states:
        names = " or ".join(state.value for state in states)
        raise RuleError(f"this is {row.state}, not {names}", rule="state", remedy="see `habeas authorise show ID`")
    return row


def in_time(tx: Tx, row: Authorisation) -> Authorisation:
    """Return it, if its time is not over: what the clock ends counts from that instant, not from its next tick.

    Raises:
        RuleError: it is.
    """
    if tx.now_ns >= due_ns(row):
        raise RuleError("its time is over", rule="state", remedy="make a new request")
    return row


def amend(tx: Tx, actor: Actor, authorisation_id: str, *, until_ns: int, cameras: Sequence[Camera]) -> Authorisation:
    """Change the end and the cameras of one's own request; approvals given so far are of an older revision, and void.

    Raises:
        RuleError: somebody else's, or not open, or not permitted.
        InputError: what is asked cannot be.
    """
    actor.require(Role.REQUESTER)
    actor.require_scope("draft")
    row = _own(tx, actor, authorisation_id, State.DRAFT, State.SUBMITTED)
    if row.state == State.SUBMITTED.value:
        actor.require_login()  # a token is for drafts
    if named_by(tx, row) is not None:
        raise InputError("evidence is searched whole, by itself", remedy="revoke this, and draft another request")
    pairs = tuple((camera.camera_id, camera.source_digest) for camera in cameras)
    row = tx.change(row, until_ns=until_ns, cameras=pairs, revision=row.revision + 1)
    _check_alone(tx, ask_of(tx, row), [digest for _camera, digest in pairs], row.created_at_ns)
    row = tx.change(row, content_hash=hash_of(tx, row) if row.state == State.SUBMITTED.value else "")
    tx.entry("authorisation.amended", actor.account_id, _facts(tx, row))
    return row


def submit(tx: Tx, keys: KeyStore, actor: Actor, authorisation_id: str) -> Authorisation:
    """Ask for approval of one's own draft.

    Raises:
        RuleError: somebody else's, not a draft, an API token, or not permitted now.
    """
    actor.require(Role.REQUESTER)
    actor.require_login()
    row = _own(tx, actor, authorisation_id, State.DRAFT)
    _check_now(tx, keys, row)
    row = tx.change(row, state=State.SUBMITTED.value, submitted_at_ns=tx.now_ns, content_hash=hash_of(tx, row))
    tx.entry("authorisation.submitted", actor.account_id, _facts(tx, row))
    return row


def _check_now(tx: Tx, keys: KeyStore, row: Authorisation) -> int:
    """Check a request against the policy, the ceilings and the chains of this moment; return the approvals it takes."""
    people = [named(keys, subject) for subject in subjects_of(tx, row)]
    ask = _ask(row, len(people), sum(is_minor(born, tx.now_ns) for _name, born in people))
    ceilings = ceilings_now(tx)
    check_ask(ask, ceilings, tx.now_ns, asked_at_ns=row.created_at_ns)
    check_named(tx, row)
    check_ceilings(ask, ceilings, _others(tx, row))
    chained, consented = False, Consented(0, 0)
    for name, born in people:
        tags = all_tags(keys, name, born)
        earlier = [one for one in listings(tx, tags) if one.authorisation_id != row.authorisation_id]
        if row.urgent:
            check_urgent(earlier, tx.now_ns)
        chained = over_chain(ask, earlier, row.started_at_ns or tx.now_ns) or chained
        mine = _consented(tx, row, tags)
        consented = Consented(max(consented.cameras, mine.cameras), max(consented.lasts_ns, mine.lasts_ns))
    if chained:
        check_chain(ask)
    if ask.purpose is Purpose.CONSENT:
        check_consented(consented)
    return approvals_needed(ask, consented, chained=chained)


def _consented(tx: Tx, row: Authorisation, tags: frozenset[str]) -> Consented:
    """Return what a person consents to, this one included."""
    others = [one for one in consents(tx, tags) if one.authorisation_id != row.authorisation_id]
    digests = {digest for one in (row, *others) for _camera, digest in one.cameras}
    lasts_ns = row.until_ns - row.from_ns + sum(consented_ns(one) for one in others)
    return Consented(max(len(row.cameras), len(digests)), lasts_ns)


def _others(tx: Tx, row: Authorisation) -> Others:
    live = [
        other
        for other in tx.find(Authorisation, state=State.ACTIVE.value)
        if other.authorisation_id != row.authorisation_id
    ]
    named = {other.authorisation_id for other in live} | {row.authorisation_id}
    installed = len(tx.find(Camera, removed_at_ns=None))
    counted = [one for one in (*live, row) if one.kind == "live" and not _exempt(one, installed)]
    return Others(
        delivering=delivering(tx),
        installed=installed,
        cameras=len({digest for other in counted for _camera, digest in other.cameras}),
        subjects=len(tx.find(Subject, authorisation_id=named)),
    )


def _exempt(row: Authorisation, installed: int) -> bool:
    return covers_all_for_life(_ask(row, 1, 0), installed)


def approve(tx: Tx, keys: KeyStore, actor: Actor, authorisation_id: str, content_hash: str) -> Authorisation:
    """Approve exactly what was shown. The last approval needed makes it active; the first one, if it is urgent.

    Raises:
        RuleError: not an approver, an own request, twice, other content, not open, or not permitted now.
        InputError: its window is over.
    """
    actor.require(Role.APPROVER)
    actor.require_login()
    row = tx.get(Authorisation, authorisation_id)
    waiting = (State.SUBMITTED, State.ACTIVE) if row.confirmed_at_ns is None else (State.SUBMITTED,)
    in_time(tx, _in_state(row, *waiting))
    needed = _check_now(tx, keys, row)
    approve_object(
        tx,
        actor,
        object_id=authorisation_id,
        action=_APPROVE,
        content_hash=content_hash,
        expected_hash=hash_of(tx, row),
        requester=row.requester,
    )
    given = len(approvals_of(tx, authorisation_id, _APPROVE, content_hash))
    if given >= needed:
        return _confirm(tx, keys, actor, row)
    if row.urgent and row.state == State.SUBMITTED.value:
        return _start(tx, keys, actor, row, min(tx.now_ns + URGENT_NS, row.until_ns))
    return row


def _confirm(tx: Tx, keys: KeyStore, actor: Actor, row: Authorisation) -> Authorisation:
    ends_ns = row.until_ns if row.kind == "live" else tx.now_ns + RETROSPECTIVE_OPEN_NS
    return _start(tx, keys, actor, tx.change(row, confirmed_at_ns=tx.now_ns), ends_ns)


def _start(tx: Tx, keys: KeyStore, actor: Actor, row: Authorisation, ends_ns: int) -> Authorisation:
    started_ns = row.started_at_ns or tx.now_ns
    row = tx.change(row, state=State.ACTIVE.value, started_at_ns=started_ns, ends_at_ns=ends_ns)
    tx.entry(
        "authorisation.active",
        actor.account_id,
        {
            "authorisation": row.authorisation_id,
            "confirmed": row.confirmed_at_ns is not None,
            "ends": utc(ends_ns),
            "sha256": row.content_hash,
        },
    )
    key_ids = [subject.key_id for subject in subjects_of(tx, row)]
    tx.after_commit(lambda: _keep(keys, key_ids, ends_ns))
    keep_until(tx, keys, row.authorisation_id, ends_ns)
    return row


def _keep(keys: KeyStore, key_ids: Sequence[str], ends_ns: int) -> None:
    for key_id in key_ids:
        with suppress(KeyDestroyed):  # reaped meanwhile: the next tick ends it
            keys.reschedule(key_id, ends_ns)


def refuse(tx: Tx, keys: KeyStore, actor: Actor, authorisation_id: str, why: str) -> Authorisation:
    """Refuse a request, or an urgent one that runs and is not approved yet. One approver is enough.

    Raises:
        RuleError: not an approver, an own request, or not open.
    """
    actor.require(Role.APPROVER)
    actor.require_login()
    row = tx.get(Authorisation, authorisation_id)
    open_states = (State.SUBMITTED, State.ACTIVE) if row.confirmed_at_ns is None else (State.SUBMITTED,)
    _in_state(row, *open_states)
    if actor.may_be(row.requester):
        raise RuleError(
            "nobody refuses an own request", rule="own-request", remedy="revoke it: habeas authorise revoke"
        )
    return end(tx, keys, row, State.REFUSED, actor.account_id, why or "refused by an approver")


def revoke(tx: Tx, keys: KeyStore, actor: Actor, authorisation_id: str, why: str) -> Authorisation:
    """End one early, at once: its requester, an approver, or a privacy officer.

    Raises:
        RuleError: somebody else asks, or it is over already.
    """
    actor.require(Role.REQUESTER, Role.APPROVER, Role.PRIVACY)
    actor.require_login()
    row = tx.get(Authorisation, authorisation_id)
    if not actor.owns(row.requester):
        actor.require(Role.APPROVER, Role.PRIVACY)
    _in_state(row, State.DRAFT, State.SUBMITTED, State.ACTIVE)
    return end(tx, keys, row, State.REVOKED, actor.account_id, why or "revoked")


def end_consent(tx: Tx, keys: KeyStore, code: str) -> Authorisation:
    """End a consent with the code that its subject holds, and what renewed it since. No account is needed.

    Raises:
        RuleError: the code opens nothing.
    """
    chain = tx.find(Authorisation, consent_code_hash=code_digest(code))
    for row in chain:
        chain += tx.find(Authorisation, renews=row.authorisation_id)
    ended = [
        end(tx, keys, row, State.REVOKED, "subject", "the subject withdrew consent")
        for row in chain
        if State(row.state) not in OVER
    ]
    if ended:
        return ended[0]
    raise RuleError("this code ends nothing", rule="consent-code", remedy="check it letter by letter")


def end(tx: Tx, keys: KeyStore, row: Authorisation, state: State, by: str, why: str) -> Authorisation:
    """End an authorisation: nothing of it is compared from this commit on, and its sealed things go.

    Args:
        tx: the transaction.
        keys: the key store; its keys are destroyed right after the commit.
        row: not over yet.
        state: refused, revoked or expired.
        by: account id, `subject`, `clock`, or `policy`.
        why: one line, until it is discarded.
    """
    listed = row.started_at_ns is not None
    row = tx.change(
        row,
        state=state.value,
        ended_at_ns=tx.now_ns,
        ended_why=why,
        notify_due_ns=tx.now_ns + NOTIFY_NS if listed else None,
    )
    note_end(tx, row, by)
    key_ids = [subject.key_id for subject in subjects_of(tx, row)]
    for subject in subjects_of(tx, row):
        tx.change(subject, identity_sealed=None)
        for reference in tx.find(Reference, subject_id=subject.subject_id):
            tx.change(reference, image_sealed=None, template_sealed=None, report="{}")
    key_ids += destroy_for_authorisation(tx, row.authorisation_id) + end_for(tx, row.authorisation_id)
    tx.after_commit(lambda: keys.destroy(key_ids))
    return row


def note_end(tx: Tx, row: Authorisation, by: str) -> None:
    """Write the entry that an authorisation ended as its row says. Why is free text, and not logged."""
    due_ns = row.notify_due_ns
    body = {"authorisation": row.authorisation_id, "notify_due": None if due_ns is None else utc(due_ns)}
    tx.entry(f"authorisation.{row.state}", by, body)


def tag_today(tx: Tx, keys: KeyStore, subjects: Sequence[Subject]) -> None:
    """Tag listed people under today's key, which lasts as long as today counts in a chain."""
    if not subjects:
        return
    with suppress(DiskError):  # then the older tags stay: nothing keeps an end from coming
        tag_key = current_key(tx, keys)
        for subject in (one for one in subjects if one.tag_key_id != tag_key):
            with suppress(KeyDestroyed):
                tx.change(subject, tag=tag_of(keys, tag_key, *named(keys, subject)), tag_key_id=tag_key)
