"""Gathering what a bundle holds: the entries about one alert or one authorisation, and their proofs from the tiles."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from habeas.accounts.roles import Actor, Role
from habeas.audit.abstract import commitment_of
from habeas.audit.bundle import MAX_ENTRIES, About, Exhibit, pack
from habeas.audit.inputs import EpochLog
from habeas.audit.openings import open_entry
from habeas.audit.proof import InclusionProof
from habeas.audit.proving import prove
from habeas.clock import ns_of_utc
from habeas.errors import InputError
from habeas.keys import KeyStore
from habeas.node.build import build_digest
from habeas.node.trees import files_of
from habeas.store import Tx, queries
from habeas.store.records import Alert, Authorisation, Entry, Epoch
from habeas.types import HOUR_NS, utc

_POLICY: Final = ("policy.first", "policy.proposed", "policy.approved")
_STARTED: Final = ("node.started",)
_ALERTS: Final = ("alert.raised", "alert.decided", "alert.destroyed", "alert.disputed", "alert.corrected")


@dataclass(frozen=True, repr=False)
class Gathered:
    """What a bundle is made of, once the entry that says so is durable.

    Args:
        about: what it is about.
        rows: its entries, in their order.
        epochs: of the log.
    """

    about: About
    rows: tuple[Entry, ...]
    epochs: tuple[Epoch, ...]


def gather(tx: Tx, actor: Actor, *, alert_id: str = "", authorisation_id: str = "") -> Gathered:
    """Find the entries of a bundle, and write who made it.

    Args:
        tx: a writing transaction: nothing leaves before it has committed.
        actor: an auditor or approver, logged in.
        alert_id: about this alert; empty: about an authorisation.
        authorisation_id: about this authorisation, with all its searches; empty: about an alert.

    Raises:
        RuleError: another role, or an API token.
        InputError: there is no such object, or more entries than a bundle holds.
    """
    actor.require(Role.AUDITOR, Role.APPROVER)
    actor.require_login()
    rows = _of_alert(tx, tx.get(Alert, alert_id)) if alert_id else _of_authorisation(tx, authorisation_id)
    found = {row.seq: row for row in (*rows, *_verdicts(tx, rows), *queries.entries_of(tx, *_POLICY, *_STARTED))}
    if len(found) > MAX_ENTRIES:
        raise InputError(f"a bundle of {len(found)} entries is too large", remedy="export the log: habeas audit export")
    epochs = tuple(tx.find(Epoch))
    of = {"alert": alert_id} if alert_id else {"authorisation": authorisation_id}
    seq = tx.entry("bundle.made", actor.account_id, {**of, "entries": len(found)})
    first = {epoch.origin: epoch.first_seq for epoch in epochs}
    about = About(alert_id, authorisation_id, utc(tx.now_ns), seq, build_digest(), first)
    return Gathered(about, tuple(found[number] for number in sorted(found)), epochs)


def _of_alert(tx: Tx, alert: Alert) -> list[Entry]:
    rows = queries.entries_naming(tx, [alert.alert_id])
    if alert.authorisation_id is None:  # forgotten: nothing tells any more which it was
        return rows
    named = queries.entries_naming(tx, [alert.authorisation_id])
    searches = [row for row in named if row.kind == "search.counted"]
    return [
        *rows,
        *(row for row in named if row.kind != "search.counted"),
        *(row for row in searches if _searched(_body(row), alert)),
    ]


def _body(row: Entry) -> Any:
    return json.loads(row.body)


def _searched(body: Any, alert: Alert) -> bool:
    """Tell whether searches that were counted together may be the alert's: its view, camera and time, or nearly."""
    here = (body["view"], body["camera"]) == (alert.view_id, alert.camera_id)
    hour_ns = ns_of_utc(body["hour"])
    return here and hour_ns - HOUR_NS <= alert.captured_at_ns < hour_ns + 2 * HOUR_NS


def _of_authorisation(tx: Tx, authorisation_id: str) -> list[Entry]:
    tx.get(Authorisation, authorisation_id)
    alerts = tx.find(Alert, without=queries.FACES, authorisation_id=authorisation_id)
    found = queries.entries_naming(tx, [one.alert_id for one in alerts])
    return [*queries.entries_naming(tx, [authorisation_id]), *(row for row in found if row.kind in _ALERTS)]


def _verdicts(tx: Tx, rows: Sequence[Entry]) -> list[Entry]:
    """Return the entries that committed to the verdicts which these entries tell."""
    said = [
        verdict
        for row in rows
        if row.kind in {"alert.decided", "alert.destroyed"}
        for verdict in _body(row).get("verdicts", ())
    ]
    return queries.entries_naming(tx, [commitment_of(verdict) for verdict in said])


def bundle_of(gathered: Gathered, keys: KeyStore, log_folder: Path) -> bytes:
    """Return the bytes of a bundle.

    Args:
        gathered: from `gather`, committed.
        keys: open what entries hide, as far as it is there.
        log_folder: of the trees.

    Raises:
        ProofError: the log on the disk does not hold together.
    """
    logs = tuple(EpochLog(files_of(log_folder, epoch), epoch.number, epoch.first_seq) for epoch in gathered.epochs)
    return pack(gathered.about, [_exhibit(row, keys, logs) for row in gathered.rows])


def _exhibit(row: Entry, keys: KeyStore, logs: Sequence[EpochLog]) -> Exhibit:
    opened = open_entry(keys, row)
    return Exhibit(row.seq, opened.opening, opened.hidden, _proof(logs, row.seq))


def _proof(logs: Sequence[EpochLog], seq: int) -> InclusionProof | None:
    """Return an entry's proof; None: it is in no checkpoint yet."""
    try:
        return prove(logs, seq)
    except InputError:
        return None
