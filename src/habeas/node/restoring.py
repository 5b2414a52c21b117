"""Backup and restore of an installation. A restored database is an old one: it says again what was taken back since.

So a restore ends every login and token, and nothing is compared, started or shown until two approvers have said that
it is right (`habeas clock confirm`), as after a clock that jumped. That is done in the transaction that restores: there
is no instant at which the old database is trusted. What was discarded stays so: keys are in no backup.

Settings stay as they are: those of a backup may name another database, and other keys.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from habeas.authority.authorisations import NOTIFY_NS, note_end
from habeas.authority.policy import Ceilings, carry_policy, policy_now
from habeas.authority.requests import OVER, State
from habeas.authority.suspensions import note_carried
from habeas.errors import DiskError, InputError
from habeas.node.carrying import ACTOR, OfFootage, put
from habeas.node.comparing import OF_BACKUP, settings_difference
from habeas.node.losing import keep_lost, lost_entries
from habeas.node.timekeeper import Timekeeper, last_beat
from habeas.node.trees import LOGS
from habeas.node.workspace import SETTINGS, Workspace, socket_path
from habeas.ports import Clock
from habeas.review.ending import destroy_for_authorisation
from habeas.store import Tx, open_store
from habeas.store.archive import backup, on_disk
from habeas.store.connection import database_file
from habeas.store.records import (
    Account,
    Authorisation,
    Grant,
    LostEntry,
    Meta,
    Policy,
    Reference,
    Session,
    Subject,
    Suspension,
    Token,
)
from habeas.store.restore import restore

_OVER: Final = {state.value for state in OVER}


@dataclass(frozen=True)
class Restored:
    """What a restore left beside the database.

    Args:
        aside: what was there before: files, or a schema of the server.
        settings: the backup's settings, where they differ from those in force.
        difference: of these, line by line, without secrets.
    """

    aside: tuple[str, ...]
    settings: Path | None
    difference: tuple[str, ...]


def back_up(workspace: Workspace, target: Path, clock: Clock) -> None:
    """Write database and settings into one file; the node may run.

    Raises:
        InputError: there is such a file.
        DiskError: it could not be written.
    """
    backup(workspace.database_url, workspace.folder / SETTINGS, target, clock)


def bring_back(workspace: Workspace, archive: Path, clock: Clock) -> Restored:
    """Put a backup in the place of the database, which is moved aside.

    What that one says more strictly is carried over, and what was signed of it is kept for auditors. If it cannot be
    read (damaged, gone, of another version or installation), nothing is; the entry `database.restored` says which, and
    how much.

    Raises:
        InputError: the node runs, or the backup is damaged or another installation's.
        DiskError: it could not be done; what was there is as it was.
    """
    if node_runs(workspace.folder):
        raise InputError("the node of this workspace runs", remedy="stop it first")

    present = _read_present(workspace, archive, clock)

    def distrust(tx: Tx) -> None:
        _check_own(tx, workspace.workspace_id)
        carried = {} if present is None else _carry(tx, present)
        keep_lost(tx, [] if present is None else present.lost)
        _distrust(tx, clock)
        tx.entry("database.restored", ACTOR, {"carried_over": present is not None, **carried})

    beside = workspace.folder / OF_BACKUP
    aside = restore(archive, workspace.database_url, beside, clock, first=distrust)
    if beside.exists() and beside.read_bytes() == (workspace.folder / SETTINGS).read_bytes():
        beside.unlink()
    there = beside.exists()
    return Restored(aside, beside if there else None, tuple(settings_difference(workspace.folder)) if there else ())


def _check_own(tx: Tx, workspace_id: str) -> None:
    named = [meta.value for meta in tx.find(Meta, name="workspace_id")]
    if named != [workspace_id]:
        raise InputError(
            f"this is a backup of another installation ({', '.join(named) or 'without a name'})",
            remedy=f"give a backup of {workspace_id}; nothing was changed",
        )


def _distrust(tx: Tx, clock: Clock) -> None:
    for session in tx.find(Session):
        tx.remove(session)
    for token in tx.find(Token, revoked_at_ns=None):
        tx.change(token, revoked_at_ns=tx.now_ns)
    time = Timekeeper(clock, last_beat(tx))
    time.distrust()
    time.beat(tx)


def node_runs(folder: Path) -> bool:
    """Tell whether a node answers for this workspace."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(socket_path(folder)))
        except OSError:
            return False
    return True


# --- what is carried over ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class _Present:
    """What the database in force says that an older one may not take back."""

    accounts: list[Account]
    authorisations: list[Authorisation]
    footage: OfFootage
    grants: list[Grant]
    lost: list[LostEntry]
    policies: list[Policy]
    subjects: list[Subject]
    suspensions: list[Suspension]


def _read_present(workspace: Workspace, archive: Path, clock: Clock) -> _Present | None:
    """Read the database before it is moved aside; None: it is not there, cannot be read, or is another's."""
    with on_disk("keep the database's log"):
        kept = _kept_log(workspace.database_url)
        present = None
        try:
            with open_store(workspace.database_url, clock) as store, store.read() as tx:
                _check_own(tx, workspace.workspace_id)
                present = _Present(
                    accounts=tx.find(Account),
                    authorisations=tx.find(Authorisation),
                    footage=OfFootage.read(tx),
                    grants=tx.find(Grant),
                    lost=lost_entries(tx, archive, workspace.folder / LOGS),
                    policies=tx.find(Policy),
                    subjects=tx.find(Subject, without=("identity_sealed",)),
                    suspensions=tx.find(Suspension),
                )
        except (DiskError, InputError, ValueError):  # the last: values that are not what their columns hold
            present = None
        if kept is not None:
            log, spare = kept
            if present is None and not log.exists():
                os.link(spare, log)
            spare.unlink()
        return present


def _kept_log(url: str) -> tuple[Path, Path] | None:
    """Give a write-ahead log a second name: SQLite removes that of a database too damaged to be opened."""
    file = database_file(url)
    log = None if file is None else file.with_name(f"{file.name}-wal")
    if log is None or not log.exists():
        return None
    spare = log.with_name(f".{log.name}.kept")
    spare.unlink(missing_ok=True)
    os.link(log, spare)
    return log, spare


def _carry(tx: Tx, present: _Present) -> dict[str, int]:
    """Carry over what is stricter; return how many records of each kind that changed. Tokens all end anyway."""
    accounts = {one.account_id: one for one in tx.find(Account)}
    grants = {one.grant_id: one for one in tx.find(Grant, revoked_at_ns=None)}
    suspensions = {one.suspension_id: one for one in tx.find(Suspension)}
    rows = {one.authorisation_id: one for one in tx.find(Authorisation)}
    ended = [row for one in present.authorisations if (row := _ended(rows.get(one.authorisation_id), one, tx.now_ns))]
    for row in ended:
        _carry_end(tx, rows.get(row.authorisation_id), row)
    return {
        **present.footage.carry(tx),
        "accounts": sum(_carry_account(tx, accounts.get(one.account_id), one) for one in present.accounts),
        "authorisations": len(ended),
        "policies": int(_carry_policy(tx, present.policies)),
        "grants": _carry_grants(tx, grants, _replaced(present.grants, tx.now_ns)),
        "subjects": _carry_subjects(tx, present.subjects, {row.authorisation_id for row in ended}),
        "suspensions": sum(
            _carry_suspension(tx, suspensions.get(one.suspension_id), one) for one in present.suspensions
        ),
    }


def _carry_end(tx: Tx, then: Authorisation | None, now: Authorisation) -> None:
    """End what the log that goes on knows, in it; what belongs to it is discarded by the clock, with an entry."""
    if then is None:
        put(tx, None, now)
        return
    put(tx, then, replace(now, discarded_at_ns=None))
    note_end(tx, now, ACTOR)
    destroy_for_authorisation(tx, now.authorisation_id)  # no row names these keys then: the clock destroys such


def _carry_suspension(tx: Tx, then: Suspension | None, now: Suspension) -> bool:
    """It binds the sources of both, and is lifted only where it is in both; lifting it is to be proposed anew."""
    lifts = [one.lifted_from_ns for one in (then or now, now)]
    lifted_ns = None if None in lifts else max(lift for lift in lifts if lift is not None)
    kept = replace(
        now,
        sources=tuple(sorted({*now.sources, *(then.sources if then else ())})),
        lifted_from_ns=lifted_ns,
        lift_proposed_at_ns=None if lifted_ns is None else now.lift_proposed_at_ns,
        lift_proposed_by=None if lifted_ns is None else now.lift_proposed_by,
    )
    changed = put(tx, then, kept)
    if changed:
        note_carried(tx, kept)
    return changed


def _carry_account(tx: Tx, then: Account | None, now: Account) -> bool:
    """It is closed where it is in either, and has the credentials of now. Later accounts are not brought back."""
    if then is None:
        return False
    closed = [at_ns for at_ns in (then.disabled_at_ns, now.disabled_at_ns) if at_ns is not None]
    kept = replace(
        then,
        password_hash=None if closed else now.password_hash,
        credential_at_ns=now.credential_at_ns,
        setup_hash=None if closed else now.setup_hash,
        setup_until_ns=now.setup_until_ns,
        disabled_at_ns=min(closed, default=None),
    )
    if closed and then.disabled_at_ns is None:
        tx.entry("account.disabled", ACTOR, {"account": then.account_id})
    return put(tx, then, kept)


def _replaced(grants: list[Grant], now_ns: int) -> list[Grant]:
    """Return the grants, as revoked those whose role is held for other zones by now: the newer one is not restored."""
    usable = [one for one in grants if one.revoked_at_ns is None and (one.usable_from_ns or now_ns + 1) <= now_ns]
    last = {(one.account_id, one.role): one.zones for one in sorted(usable, key=lambda one: one.usable_from_ns or 0)}
    other = {one.grant_id for one in usable if last[one.account_id, one.role] != one.zones}
    return [replace(one, revoked_at_ns=now_ns) if one.grant_id in other else one for one in grants]


def _carry_policy(tx: Tx, present: list[Policy]) -> bool:
    """Put the stricter of both policies in force: the lower ceilings, and the witnesses that were named since."""
    due = [row for row in present if row.state == "active" and (row.effective_from_ns or 0) <= tx.now_ns]
    newest = max(due, key=lambda row: (row.effective_from_ns or 0, row.number), default=None)
    then = policy_now(tx)
    if newest is None or newest.body == then.body:
        return False
    number = max(row.number for row in (*tx.find(Policy), *present)) + 1
    return carry_policy(tx, then, Ceilings.load(newest.body), number)


def _carry_grants(tx: Tx, before: Mapping[str, Grant], present: Sequence[Grant]) -> int:
    """Roles revoked since stay so; none of `before` is. Return how many there are."""
    revoked = [one for one in present if one.revoked_at_ns is not None and one.grant_id in before]
    for now in revoked:
        tx.change(before[now.grant_id], revoked_at_ns=now.revoked_at_ns)
    for account_id, role in sorted({(one.account_id, one.role) for one in revoked}):
        if not tx.find(Grant, account_id=account_id, role=role, revoked_at_ns=None):
            tx.entry("role.revoked", ACTOR, {"account": account_id, "role": role})
    return len(revoked)


def _ended(then: Authorisation | None, now: Authorisation, now_ns: int) -> Authorisation | None:
    """Return an authorisation as it is to be; None: as the backup has it, or not at all.

    What ended since is over. What started since is over too, and counts for its people's limits. What neither started
    nor is in the backup was never anything.
    """
    if then is None and now.started_at_ns is None:
        return None
    if now.state in _OVER:
        return now if then is None or then.state not in _OVER else None
    if now.started_at_ns is None or (then is not None and then.started_at_ns is not None):
        return None
    return replace(
        now,
        state=State.EXPIRED.value,
        ended_at_ns=now_ns,
        ended_why="an older database was restored",
        notify_due_ns=now_ns + NOTIFY_NS,
    )


def _carry_subjects(tx: Tx, present: list[Subject], ended: set[str]) -> int:
    """Keep thresholds raised and tags made since, and empty the sealed fields of those whose authorisation is over."""
    before = {one.subject_id: one for one in tx.find(Subject)}
    changed = 0
    for now in present:
        then, over = before.get(now.subject_id), now.authorisation_id in ended
        if then is None and not over:
            continue
        raised = [one.raised_to for one in (then, now) if one is not None and one.raised_to is not None]
        sealed = None if then is None or over else then.identity_sealed
        changed += put(tx, then, replace(now, raised_to=max(raised, default=None), identity_sealed=sealed))
        if then is not None and over:
            for reference in tx.find(Reference, subject_id=now.subject_id, without=("image_sealed", "template_sealed")):
                tx.change(reference, image_sealed=None, template_sealed=None)
    return changed
