"""Suspensions: recognition is off where and while people assemble, vote, or worship.

What they bind is the time of *capture*. Imposed at once by one privacy officer, lifted early by two, an hour ahead.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from habeas.accounts.credentials import new_id
from habeas.accounts.roles import Actor, Role
from habeas.accounts.sessions import usable_roles
from habeas.authority.cameras import sources_of
from habeas.authority.evidence import is_evidence
from habeas.errors import InputError, RuleError
from habeas.keys import KeyStore
from habeas.review.ending import destroy_captured
from habeas.store import Tx
from habeas.store.footage_records import Evidence
from habeas.store.records import Camera, Suspension
from habeas.types import DAY_NS, HOUR_NS, utc

BACK_NS: Final = 120 * HOUR_NS
"""How far back one may begin: as far as footage reaches."""
LONGEST_NS: Final = 366 * DAY_NS
LIFT_NS: Final = HOUR_NS
"""From the second officer's word until an early end."""
_LIFT_PROPOSAL_NS: Final = DAY_NS


def impose(
    tx: Tx,
    keys: KeyStore,
    actor: Actor,
    *,
    zones: Sequence[str],
    cameras: Sequence[str],
    from_ns: int,
    until_ns: int,
    why: str,
) -> Suspension:
    """Suspend recognition on these zones and cameras, at once. Unsealed alerts captured in the window are destroyed.

    Args:
        tx: the transaction.
        keys: the key store.
        actor: a privacy officer, logged in.
        zones: also cameras that come into them later.
        cameras: by name.
        from_ns: first instant of capture, up to 120 h back.
        until_ns: first instant after.
        why: for the register.

    Raises:
        RuleError: not a privacy officer, or longer back than 120 h.
        InputError: a window that ends before it begins, an unknown zone or camera, no reason.
    """
    actor.require(Role.PRIVACY)
    actor.require_login()
    if not (zones or cameras) or not why.strip():
        raise InputError("a suspension says where and why", remedy="give --zone or --camera, and --why")
    bound = _bound(tx, zones, cameras, from_ns)
    _check_window(tx.now_ns, from_ns, until_ns)
    suspension = Suspension(
        suspension_id=new_id("sus"),
        zones=tuple(sorted(set(zones))),
        cameras=tuple(sorted(set(cameras))),
        sources=tuple(sorted(set().union(*map(sources_of, bound)))),
        from_ns=from_ns,
        until_ns=until_ns,
        why=why.strip(),
        imposed_by=actor.account_id,
        imposed_at_ns=tx.now_ns,
    )
    tx.add(suspension)
    tx.entry("suspension.imposed", actor.account_id, _body(suspension))
    key_ids = destroy_captured(tx, covered_cameras(tx, suspension), from_ns, until_ns)
    tx.after_commit(lambda: keys.destroy(key_ids))
    return suspension


def note_carried(tx: Tx, suspension: Suspension) -> None:
    """Write that a suspension was carried over from a newer database; what was captured in it goes.

    The keys of that are in no row then: the clock destroys such.
    """
    body = {
        **_body(suspension),
        "imposed": utc(suspension.imposed_at_ns),
        "imposed_by": suspension.imposed_by,
        "lifted_from": None if suspension.lifted_from_ns is None else utc(suspension.lifted_from_ns),
    }
    tx.entry("suspension.carried", "restore", body)
    destroy_captured(tx, covered_cameras(tx, suspension), suspension.from_ns, suspension.until_ns)


def _bound(tx: Tx, zones: Sequence[str], cameras: Sequence[str], from_ns: int) -> list[Camera]:
    """Return the cameras of these zones and names that were there at `from_ns` or came since, removed ones too."""
    there = [one for one in tx.find(Camera) if one.removed_at_ns is None or one.removed_at_ns >= from_ns]
    for what, asked, known in (
        ("zone", zones, {one.zone for one in there}),
        ("camera", cameras, {one.camera_id for one in there}),
    ):
        for name in asked:
            if name not in known:
                raise InputError(f"no such {what} in this window: {name}", remedy="see `habeas camera list`")
    return [one for one in there if one.zone in zones or one.camera_id in cameras]


def _check_window(now_ns: int, from_ns: int, until_ns: int) -> None:
    if until_ns <= from_ns:
        raise InputError("this window ends before it begins", remedy="give --until after --from")
    if until_ns - from_ns > LONGEST_NS:
        raise InputError("a suspension lasts up to a year", remedy="impose the next one later")
    if from_ns < now_ns - BACK_NS:
        raise RuleError("a suspension reaches back 120 h at most", rule="suspension-back", remedy="begin it later")


def propose_lift(tx: Tx, actor: Actor, suspension_id: str) -> Suspension:
    """Say that a suspension should end early; the second privacy officer who says so ends it in an hour.

    Raises:
        RuleError: not a privacy officer, the same person twice, or it is over.
        InputError: no such suspension.
    """
    actor.require(Role.PRIVACY)
    actor.require_login()
    suspension = tx.get(Suspension, suspension_id)
    if suspension.lifted_from_ns is not None or tx.now_ns >= suspension.until_ns:
        raise RuleError("this suspension is over, or being lifted", rule="state", remedy="see `habeas suspend list`")
    first = first_to_lift(tx, suspension)
    if first is None:
        suspension = tx.change(suspension, lift_proposed_at_ns=tx.now_ns, lift_proposed_by=actor.account_id)
        tx.entry("suspension.lift-proposed", actor.account_id, {"suspension": suspension_id})
        return suspension
    if actor.may_be(first):
        raise RuleError(
            "lifting takes two privacy officers",
            rule="two-persons",
            remedy="ask another privacy officer to lift it too",
        )
    from_ns = tx.now_ns + LIFT_NS
    suspension = tx.change(suspension, lifted_from_ns=from_ns)
    tx.entry("suspension.lifted", actor.account_id, {"from": utc(from_ns), "suspension": suspension_id})
    return suspension


def first_to_lift(tx: Tx, suspension: Suspension) -> str | None:
    """Return who said so first, within a day, and is a privacy officer still."""
    first = suspension.lift_proposed_by
    if first is None or tx.now_ns - (suspension.lift_proposed_at_ns or 0) >= _LIFT_PROPOSAL_NS:
        return None
    return first if Role.PRIVACY in usable_roles(tx, first) else None


def end_ns(suspension: Suspension) -> int:
    """Return the first instant of capture that it does not bind any more."""
    return min(suspension.until_ns, suspension.lifted_from_ns or suspension.until_ns)


def covers(suspension: Suspension, camera: Camera) -> bool:
    """Tell whether it is about this camera, also where that was added anew under another name or zone.

    It is about all evidence: where that was taken is only what somebody says.
    """
    return (
        is_evidence(camera.camera_id)
        or camera.zone in suspension.zones
        or camera.camera_id in suspension.cameras
        or camera.source_digest in suspension.sources
        or camera.record_digest in suspension.sources
    )


def binding(suspensions: Iterable[Suspension], camera: Camera, captured_at_ns: int) -> list[Suspension]:
    """Return the suspensions that bind what a camera captured at this instant."""
    return [one for one in suspensions if covers(one, camera) and one.from_ns <= captured_at_ns < end_ns(one)]


def suspended(suspensions: Iterable[Suspension], camera: Camera, captured_at_ns: int) -> bool:
    """Tell whether what a camera captured at this instant may not be searched for a face."""
    return bool(binding(suspensions, camera, captured_at_ns))


def free_parts(bound: Iterable[tuple[int, int]], from_ns: int, until_ns: int) -> tuple[tuple[int, int], ...]:
    """Return the parts of [from, until) that are in none of these intervals, in order. Pure."""
    free = []
    for begin_ns, end in sorted(one for one in bound if one[0] < one[1]):  # lifted before it began: it binds nothing
        if begin_ns > from_ns and from_ns < until_ns:
            free.append((from_ns, min(begin_ns, until_ns)))
        from_ns = max(from_ns, end)
    return (*free, (from_ns, until_ns)) if from_ns < until_ns else tuple(free)


def next_change_ns(suspensions: Iterable[Suspension], camera: Camera, now_ns: int) -> int | None:
    """Return when a suspension of this camera next begins or ends."""
    moments = [moment for one in suspensions if covers(one, camera) for moment in (one.from_ns, end_ns(one))]
    return min((moment for moment in moments if moment > now_ns), default=None)


def covered_cameras(tx: Tx, suspension: Suspension) -> list[str]:
    """Return the names of the cameras it is about, removed ones too, and of all evidence."""
    cameras = [camera.camera_id for camera in tx.find(Camera) if covers(suspension, camera)]
    return cameras + [row.evidence_id for row in tx.find(Evidence, without=("note_sealed",))]


def _body(suspension: Suspension) -> dict[str, object]:
    return {
        "cameras": list(suspension.cameras),
        "from": utc(suspension.from_ns),
        "sources": list(suspension.sources),
        "suspension": suspension.suspension_id,
        "until": utc(suspension.until_ns),
        "why": suspension.why,
        "zones": list(suspension.zones),
    }


def free_of(tx: Tx, camera_id: str, from_ns: int, until_ns: int) -> tuple[tuple[int, int], ...]:
    """Return the parts of an interval that no suspension of a camera binds, whether it is there still or not."""
    camera = tx.get(Camera, camera_id)
    bound = [(one.from_ns, end_ns(one)) for one in tx.find(Suspension) if covers(one, camera)]
    return free_parts(bound, from_ns, until_ns)


def is_free(tx: Tx, camera_id: str, from_ns: int, until_ns: int) -> bool:
    """Tell whether no suspension of a camera binds any of an interval."""
    return free_of(tx, camera_id, from_ns, until_ns) == ((from_ns, until_ns),)
