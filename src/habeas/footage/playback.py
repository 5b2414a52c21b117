"""Playing the footage around an alert: for whoever may judge it, while it is undecided, in which others are a mosaic.

It is made once, when somebody first asks; whoever asks next gets the same. Who asked or looked depends on no verdict,
and no verdict shows in it. It ends with the alert's pictures (`review.playbacks`), and before them with the footage
that it was made of.

state    means
making   it was asked for: made as soon as all of its time is recorded
ready    it can be played
failed   nothing could be made of it: asking again tries again
"""

import enum
from collections.abc import Collection, Sequence
from typing import Final

from habeas.accounts.roles import Actor
from habeas.audit.hiding import hide
from habeas.authority.suspensions import is_free
from habeas.errors import InputError, KeyDestroyed, RuleError
from habeas.footage.films import Film
from habeas.footage.holding import SETTLE_NS, searchable
from habeas.keys import KeyStore, Scope
from habeas.review.alerts import may_be_shown
from habeas.review.playbacks import forget_playbacks
from habeas.review.rights import Act, check_act
from habeas.review.table import UNDECIDED
from habeas.store import Tx
from habeas.store.footage_records import Footage, Hold, Playback
from habeas.store.records import Alert
from habeas.types import NS_PER_S, seconds, utc

ACTOR: Final = "player"
AROUND_NS: Final = 15 * NS_PER_S
"""Before and after the alert's instant."""
NOTHING: Final = "nothing was recorded of this camera at that time"
_UNCOUNTED_NS: Final = 300 * NS_PER_S
"""A segment that is being recorded is in no row yet, and ends after this."""


class State(enum.Enum):
    """Where the film of an alert is."""

    MAKING = "making"
    READY = "ready"
    FAILED = "failed"


# --- who may ----------------------------------------------------------------------------------------------------------


def judged_alert(tx: Tx, actor: Actor, alert_id: str) -> Alert:
    """Return an alert whose footage this actor may play now: one that they may see the faces of, and nobody decided.

    Raises:
        RuleError: not an operator of its zone, an API token, or it is decided or over.
        InputError: no such alert.
    """
    alert = tx.get(Alert, alert_id)
    check_act(actor, Act.SEE_FACE, alert.zone)
    if not is_open(tx, alert):
        raise RuleError(
            "this alert is decided, or over", rule="state", remedy="of a confirmed one: habeas footage hold --help"
        )
    return alert


def is_open(tx: Tx, alert: Alert) -> bool:
    """Tell whether the footage of an alert may be played: nobody decided it, and its pictures may be shown."""
    return alert.state in UNDECIDED and may_be_shown(tx, alert)


def ask(tx: Tx, keys: KeyStore, actor: Actor, alert_id: str) -> Playback:
    """Have the film of an alert made, unless it is already.

    Args:
        tx: the transaction.
        keys: the key store.
        actor: an operator of the alert's zone, logged in.
        alert_id: which.

    Raises:
        RuleError: as `judged_alert`.
        InputError: no such alert, or its camera was not recorded then.
    """
    alert = judged_alert(tx, actor, alert_id)
    there = tx.find(Playback, alert_id=alert_id)
    if there and (there[0].state == State.MAKING.value or is_there(tx, keys, there[0])):
        return there[0]
    row = Playback(
        alert_id=alert_id,
        state=State.MAKING.value,
        from_ns=alert.captured_at_ns - AROUND_NS,
        until_ns=alert.captured_at_ns + AROUND_NS,
        asked_at_ns=tx.now_ns,
    )
    _check_recorded(tx, alert, row)
    gone = forget_playbacks(tx, [alert_id])
    if gone:
        tx.after_commit(lambda: keys.destroy(gone))
    tx.add(row)
    tx.entry("alert.playback-asked", actor.account_id, {"alert": alert_id})
    return row


def _check_recorded(tx: Tx, alert: Alert, row: Playback) -> None:
    """Check that there may be footage of it: as it was recorded, or held for its authorisation."""
    hours = [
        one
        for one in tx.find(Footage, camera_id=alert.camera_id)
        if one.deadline_ns > tx.now_ns and one.hour_ns < row.until_ns and row.from_ns < one.until_ns + _UNCOUNTED_NS
    ]
    held = [
        hold
        for hold in holds_for(tx, alert)
        if alert.camera_id in hold.cameras and hold.from_ns < row.until_ns and row.from_ns < hold.until_ns
    ]
    if not (hours or held):
        raise InputError(NOTHING, remedy="judge it by its pictures: habeas review show; see: habeas footage list")


def holds_for(tx: Tx, alert: Alert) -> list[Hold]:
    """Return the holds whose footage the authorisation of an alert may search."""
    authorisation_id = alert.authorisation_id or ""
    holds = tx.find(Hold, authorisation_id=authorisation_id)
    return [hold for hold in holds if searchable(hold, authorisation_id, tx.now_ns)]


def asked_for(tx: Tx, actor: Actor, alert_id: str) -> Playback:
    """Return the film of an alert, made or not.

    Raises:
        RuleError: as `judged_alert`.
        InputError: no such alert, or nobody asked for its film.
    """
    judged_alert(tx, actor, alert_id)
    rows = tx.find(Playback, alert_id=alert_id)
    if not rows:
        raise InputError(
            "nobody asked for the film of this alert", remedy=f"ask: habeas footage play --alert {alert_id}"
        )
    return rows[0]


def is_there(tx: Tx, keys: KeyStore, row: Playback) -> bool:
    """Tell whether a film can be played: it is made, what it is of is kept still, and no suspension was in it."""
    if row.state != State.READY.value or tx.now_ns >= row.ends_at_ns:
        return False
    camera_id = tx.get(Alert, row.alert_id).camera_id
    free = all(is_free(tx, camera_id, from_ns, until_ns) for from_ns, until_ns, _sha256 in row.films)
    return free and tx.now_ns < ends_at_ns(keys, [row.key_id, *row.sources])


def ends_at_ns(keys: KeyStore, key_ids: Collection[str]) -> int:
    """Return when the first of some keys ends; 0: one is gone."""
    try:
        return min(keys.expires_at_ns(key_id) for key_id in key_ids)
    except KeyDestroyed:
        return 0


def playable(tx: Tx, keys: KeyStore, actor: Actor, alert_id: str) -> tuple[Alert, Playback]:
    """Return an alert, and its film, that this actor may play now.

    Raises:
        RuleError: as `judged_alert`.
        InputError: no such alert, or there is no film of it now.
    """
    alert = judged_alert(tx, actor, alert_id)
    rows = [row for row in tx.find(Playback, alert_id=alert_id) if is_there(tx, keys, row)]
    if not rows:
        raise InputError(
            "there is no film of this alert now", remedy=f"have it made: habeas footage play --alert {alert_id}"
        )
    return alert, rows[0]


def note_played(tx: Tx, keys: KeyStore, actor: Actor, alert_id: str, number: int) -> None:
    """Write who plays which part of a film. Commit before it leaves.

    Raises:
        RuleError, InputError: as `playable`.
    """
    playable(tx, keys, actor, alert_id)
    tx.entry("alert.played", actor.account_id, {"alert": alert_id, "film": number})


# --- how it is made ---------------------------------------------------------------------------------------------------


def due(tx: Tx) -> list[tuple[Alert, Playback]]:
    """Return what is to be made, and all of whose time is recorded, in the order in which it was asked for."""
    rows = [row for row in tx.find(Playback, state=State.MAKING.value) if tx.now_ns >= ready_ns(row)]
    pairs = [(tx.get(Alert, row.alert_id), row) for row in sorted(rows, key=lambda row: row.asked_at_ns)]
    return [(alert, row) for alert, row in pairs if is_open(tx, alert)]


def ready_ns(row: Playback) -> int:
    """Return when all of its time is recorded, Unix ns."""
    return row.until_ns + SETTLE_NS


def begin_keeping(
    tx: Tx, keys: KeyStore, alert_id: str, sources: Collection[str], films: Sequence[Film]
) -> Playback | None:
    """Make the key of a film, which ends no later than its alert or any footage in it.

    None: nobody wants it any more, or it may not be kept: a suspension was meanwhile laid on what it is of.

    Args:
        tx: the transaction.
        keys: gets the key.
        alert_id: of which alert.
        sources: keys of the footage that it is made of.
        films: its parts.
    """
    alert, rows = tx.get(Alert, alert_id), tx.find(Playback, alert_id=alert_id, state=State.MAKING.value)
    ends_ns = min(alert.expires_at_ns, ends_at_ns(keys, [alert.key_id, *sources]))
    free = all(is_free(tx, film.camera_id, film.from_ns, film.until_ns) for film in films)
    if not rows or not is_open(tx, alert) or not free or ends_ns <= tx.now_ns:
        return None
    key_id = keys.new(Scope.PLAYBACK, ends_ns)
    return tx.change(rows[0], key_id=key_id, ends_at_ns=ends_ns, sources=tuple(sorted(sources)))


def note_made(
    tx: Tx, keys: KeyStore, row: Playback, films: Sequence[Film], *, found: bool, shown_ns: int, damaged: int
) -> None:
    """Note that a film can be played.

    Args:
        tx: the transaction.
        keys: hides where and when it is of, with what else the alert hides.
        row: from `begin_keeping`.
        films: its parts.
        found: the alert's face was, and is shown.
        shown_ns: for so long.
        damaged: segments that could not be read.

    Raises:
        KeyDestroyed: the alert's pictures are gone: nothing is noted.
    """
    for there in tx.find(Playback, alert_id=row.alert_id, state=State.MAKING.value, key_id=row.key_id):
        parts = tuple((film.from_ns, film.until_ns, film.sha256) for film in films)
        changes = {"films": parts, "found": found, "shown_ns": shown_ns, "damaged": damaged}
        body = {"alert": row.alert_id, "films": len(films), "found": found}
        hidden = {
            "parts": [[utc(film.from_ns), utc(film.until_ns)] for film in films],
            "playable_until": utc(row.ends_at_ns),
        }
        sealed = hide(keys, tx.get(Alert, row.alert_id).key_id, hidden)
        tx.change(there, state=State.READY.value, **changes)
        tx.entry("alert.playback-made", ACTOR, body, sealed)


def note_failed(tx: Tx, keys: KeyStore, alert_id: str, why: str) -> None:
    """Note that nothing could be made of it: whoever asks again has it tried again."""
    for row in tx.find(Playback, alert_id=alert_id, state=State.MAKING.value):
        tx.change(row, state=State.FAILED.value, failure=why, key_id="", ends_at_ns=0, sources=())
        tx.entry("alert.playback-failed", ACTOR, {"alert": alert_id})
        if row.key_id:
            tx.after_commit(lambda key_id=row.key_id: keys.destroy([key_id]))  # type: ignore[misc]  # its default


def end_lost(tx: Tx, keys: KeyStore) -> None:
    """End films of which some footage is gone, or in which a suspension was meanwhile; their alerts stay."""
    made = tx.find(Playback, state=State.READY.value)
    _end(tx, keys, [row for row in made if not is_there(tx, keys, row)])


def end_damaged(tx: Tx, keys: KeyStore, row: Playback) -> None:
    """End a film whose file is missing or was changed, unless it was meanwhile made again: whoever asks has it made."""
    _end(tx, keys, tx.find(Playback, alert_id=row.alert_id, state=State.READY.value, key_id=row.key_id))


def _end(tx: Tx, keys: KeyStore, rows: Sequence[Playback]) -> None:
    gone = forget_playbacks(tx, [row.alert_id for row in rows])
    for row in rows:
        tx.entry("alert.playback-ended", ACTOR, {"alert": row.alert_id})
    if gone:
        tx.after_commit(lambda: keys.destroy(gone))


def told(tx: Tx, keys: KeyStore, row: Playback) -> dict[str, object]:
    """Return what is told of a film, JSON values: no picture is in it."""
    camera_id = tx.get(Alert, row.alert_id).camera_id
    films = row.films if is_there(tx, keys, row) else ()
    return {
        "alert": row.alert_id,
        "state": row.state,
        "from": utc(row.from_ns),
        "until": utc(row.until_ns),
        "recorded_at": utc(ready_ns(row)),
        "of_s": seconds(row.until_ns - row.from_ns),
        "found": row.found,
        "shown_s": seconds(row.shown_ns),
        "damaged": row.damaged,
        "failure": row.failure or None,
        "ends": utc(row.ends_at_ns) if films else None,
        "films": [
            {"camera": camera_id, "began": utc(from_ns), "seconds": seconds(until_ns - from_ns)}
            for from_ns, until_ns, _sha256 in films
        ],
    }
