"""The state of an installation made of its rows: what replaying its log must come to (`habeas.audit.replay`)."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from habeas.accounts.staff import named
from habeas.audit import state as said
from habeas.audit.openings import open_entry
from habeas.audit.replay import replay
from habeas.audit.state import State
from habeas.authority.authorisations import hash_of
from habeas.authority.policy import as_values
from habeas.footage.holds import hash_of as hold_hash
from habeas.keys import KeyStore
from habeas.review.verdicts import commitment
from habeas.store import Tx, queries
from habeas.store import footage_records as footage
from habeas.store import records as rows
from habeas.types import HOUR_NS


def openings_of(tx: Tx, keys: KeyStore, seq: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the entries of a database from a number on, opened."""
    return (open_entry(keys, row).as_json() for row in queries.entries_from(tx, seq, 1 << 30))


def replayed(tx: Tx, keys: KeyStore) -> State:
    """Return what replaying the entries of a database comes to."""
    return replay(openings_of(tx, keys))


def differences(replayed: State, tx: Tx, keys: KeyStore) -> list[str]:
    """Return where a state is another than the rows say."""
    return list(_differ("", comparable(replayed), comparable(state_of_database(tx, keys))))


def _differ(path: str, replayed: Any, stored: Any) -> Iterator[str]:
    if isinstance(replayed, dict) and isinstance(stored, dict):
        for name in sorted({*replayed, *stored}, key=str):
            yield from _differ(f"{path}/{name}", replayed.get(name), stored.get(name))
    elif replayed != stored:
        yield f"{path}: replayed {replayed!r}, stored {stored!r}"


def comparable(state: State) -> dict[str, Any]:
    """Return a state without what only one side can know.

    A row of an alert that is destroyed keeps the hour alone, and whom it named where it was confirmed. Who is one
    person is a matter of which accounts are together. The number of entries, and which types came, is no state.
    """
    told = {name: _plain(value) for name, value in vars(state).items()}
    for name in ("taken", "kinds", "running"):
        del told[name]
    for alert in told["alerts"].values():
        hours = ("raised_ns", "called_ns", "decided_ns", "destroyed_ns")
        alert |= {name: alert[name] and alert[name] // HOUR_NS for name in hours}
    together: dict[str, list[str]] = {}
    for account in told["accounts"].values():
        together.setdefault(account["person"], []).append(account["account"])
    for account in told["accounts"].values():
        account["person"] = min(together[account["person"]])
    return told


def _plain(value: Any) -> Any:
    """Return records as dictionaries of their fields: `dataclasses.asdict` copies what is in them too."""
    if isinstance(value, dict):
        return {key: dict(vars(one)) if dataclasses.is_dataclass(one) else one for key, one in value.items()}
    return value


def state_of_database(tx: Tx, keys: KeyStore) -> State:
    """Return the state that the rows say."""
    return State(
        accounts={row.account_id: _account(row, keys) for row in tx.find(rows.Account)},
        roles={row.grant_id: _role(row) for row in tx.find(rows.Grant)},
        tokens={row.token_id: _token(row) for row in tx.find(rows.Token)},
        policies={row.policy_id: _policy(row) for row in tx.find(rows.Policy)},
        cameras={row.camera_id: _camera(row) for row in tx.find(rows.Camera)},
        authorisations={row.authorisation_id: _authorisation(tx, row) for row in tx.find(rows.Authorisation)},
        approvals={row.approval_id: _approval(row) for row in tx.find(rows.Approval)},
        suspensions={row.suspension_id: _suspension(row) for row in tx.find(rows.Suspension)},
        alerts={row.alert_id: _alert(row) for row in tx.find(rows.Alert)},
        holds={row.hold_id: _hold(row) for row in tx.find(footage.Hold)},
        requests={row.request_id: _request(row) for row in tx.find(footage.PublicRequest)},
        evidence={row.evidence_id: _evidence(row) for row in tx.find(footage.Evidence)},
        access={row.access_id: _access(row) for row in tx.find(footage.AccessRequest)},
        verdicts={commitment(row) for row in tx.find(rows.Verdict)},
        epochs={row.number: _epoch(row) for row in tx.find(rows.Epoch)},
        counts={(row.camera_id, row.day): _count(tx, row) for row in tx.find(rows.Count, logged=True)},
    )


def _account(row: rows.Account, keys: KeyStore) -> said.Account:
    told = named(keys, row)
    person = row.account_id if told is None else told.person
    return said.Account(row.account_id, person, row.credential_at_ns is not None, row.disabled_at_ns is not None)


def _role(row: rows.Grant) -> said.Role:
    revoked = row.revoked_at_ns is not None
    return said.Role(row.grant_id, row.account_id, row.role, row.zones, row.proposed_by, row.usable_from_ns, revoked)


def _token(row: rows.Token) -> said.Token:
    return said.Token(row.token_id, row.account_id, row.scopes, row.ends_at_ns, row.revoked_at_ns is not None)


def _policy(row: rows.Policy) -> said.Policy:
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in as_values(row).items()}
    ceilings = tuple(sorted(values.items()))
    return said.Policy(
        row.policy_id, row.number, row.based_on, ceilings, row.state, row.proposed_by, row.effective_from_ns
    )


def _camera(row: rows.Camera) -> said.Camera:
    return said.Camera(
        row.camera_id,
        row.zone,
        row.purpose,
        row.source_digest,
        row.min_face_px,
        row.masks,
        row.added_at_ns,
        row.removed_at_ns,
        row.reencode,
    )


def _authorisation(tx: Tx, row: rows.Authorisation) -> said.Authorisation:
    subjects = tx.find(rows.Subject, authorisation_id=row.authorisation_id)
    return said.Authorisation(
        authorisation=row.authorisation_id,
        state=row.state,
        kind=row.kind,
        purpose=row.purpose,
        authority=row.authority,
        decision=row.decision_sha256,
        decision_status=row.decision_status,
        requester=row.requester,
        cameras=row.cameras,
        from_ns=row.from_ns,
        until_ns=row.until_ns,
        urgent=row.urgent,
        minor=row.minor,
        revision=row.revision,
        renews=row.renews,
        subjects=len(subjects),
        sha256=hash_of(tx, row),
        created_ns=row.created_at_ns,
        submitted_ns=row.submitted_at_ns,
        started_ns=row.started_at_ns,
        confirmed_ns=row.confirmed_at_ns,
        ends_ns=row.ends_at_ns,
        ended_ns=row.ended_at_ns,
        discarded_ns=row.discarded_at_ns,
        notify_due_ns=row.notify_due_ns,
        notified_ns=row.notified_at_ns,
    )


def _approval(row: rows.Approval) -> said.Approval:
    return said.Approval(row.approval_id, row.object_id, row.action, row.content_hash, row.account_id, row.at_ns)


def _suspension(row: rows.Suspension) -> said.Suspension:
    return said.Suspension(
        row.suspension_id,
        row.zones,
        row.cameras,
        row.sources,
        row.from_ns,
        row.until_ns,
        row.why,
        row.imposed_by,
        row.imposed_at_ns,
        row.lift_proposed_at_ns,
        row.lift_proposed_by,
        row.lifted_from_ns,
    )


def _alert(row: rows.Alert) -> said.Alert:
    kept = row.destroyed_at_ns is None
    return said.Alert(
        alert=row.alert_id,
        zone=row.zone,
        model=row.model_id,
        gallery_size=row.gallery_size,
        threshold=row.threshold,
        expected_fpir=row.expected_fpir,
        extrapolated=row.extrapolated,
        false_a_day=row.false_a_day,
        raised_ns=row.raised_at_ns,
        state=row.state,
        camera=row.camera_id if kept else None,
        authorisation=row.authorisation_id if kept else None,
        called_ns=row.called_at_ns,
        decided_ns=row.decided_at_ns,
        destroyed_ns=row.destroyed_at_ns,
        sealed_until_ns=row.oversight_until_ns,
        unsealed=row.oversight_until_ns is not None and row.oversight_key_id is None,
    )


def _hold(row: footage.Hold) -> said.Hold:
    return said.Hold(
        hold=row.hold_id,
        state=row.state,
        requester=row.requester,
        cameras=row.cameras,
        from_ns=row.from_ns,
        until_ns=row.until_ns,
        ends_ns=row.ends_at_ns,
        decision=row.decision_sha256,
        authorisation=row.authorisation_id,
        request=row.request_id,
        sha256=hold_hash(row),
        proposed_ns=row.proposed_at_ns,
        since_ns=row.since_ns,
        approved_ns=row.approved_at_ns,
        kept_ns=row.kept_at_ns,
        segments=row.segments,
        over_ns=row.over_at_ns,
    )


def _request(row: footage.PublicRequest) -> said.PublicRequest:
    return said.PublicRequest(
        request=row.request_id,
        state=row.state,
        received_by=row.received_by,
        cameras=row.cameras,
        from_ns=row.from_ns,
        until_ns=row.until_ns,
        received_ns=row.received_at_ns,
        verified_ns=row.verified_at_ns,
        segments=len(row.segments),
        over_ns=row.over_at_ns,
    )


def _access(row: footage.AccessRequest) -> said.AccessRequest:
    return said.AccessRequest(
        access=row.access_id,
        state=row.state,
        opened_by=row.opened_by,
        cameras=row.cameras,
        from_ns=row.from_ns,
        until_ns=row.until_ns,
        document=row.document,
        opened_ns=row.opened_at_ns,
        due_ns=row.due_ns,
        approved_ns=row.approved_at_ns,
        closed_ns=row.closed_at_ns,
        destroyed_ns=row.destroyed_at_ns,
    )


def _evidence(row: footage.Evidence) -> said.Evidence:
    return said.Evidence(
        evidence=row.evidence_id,
        uploader=row.uploader,
        from_ns=row.from_ns,
        until_ns=row.until_ns,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        deadline_ns=row.deadline_ns,
        uploaded_ns=row.uploaded_at_ns,
        authorisation=row.authorisation_id,
        why="" if row.destroyed_at_ns is None else row.why,
        destroyed_ns=row.destroyed_at_ns,
    )


def _epoch(row: rows.Epoch) -> said.Epoch:
    return said.Epoch(row.number, row.origin, row.vkey, row.first_seq, row.prior)


def _count(tx: Tx, row: rows.Count) -> said.Count:
    zone = tx.get(rows.Camera, row.camera_id).zone
    return said.Count(row.camera_id, row.day, zone, row.analysed_ns, row.faces, row.tracks, row.searches, row.alerts)
