"""Claims on alerts: what they are of, who judged them, and that they are gone when they should be.

What an alert hides may be gone by now; then it is not judged by it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from habeas.audit.claims_shared import DISCARD_NS, ENDS, TWO, asked_of, check_done, digest_of, is_evidence, names_of
from habeas.audit.claims_staff import link_is_due
from habeas.audit.history import IMPOSED, History, Said

_HIDING: Final = ("alert.raised", "alert.seen-again", "alert.last-seen", "alert.playback-made", "hold.proposed")
"""Types of entries that hide something under an alert's or a hold's own key."""


@dataclass(frozen=True)
class Due:
    """When what an entry hides may be gone.

    Args:
        prefix: of the entry's type.
        names: the field of its body that says what it is about.
        ended: type of an entry about the same, and the outcomes that end it; none: any.
    """

    prefix: str
    names: str
    ended: Mapping[str, Sequence[str]]


DUE: Final = (
    Due("alert.", "alert", {"alert.decided": ("false", "unresolved"), "alert.destroyed": ()}),
    Due("hold.", "hold", {"hold.refused": (), "hold.lapsed": (), "hold.released": (), "hold.ended": ()}),
)
"""All that may be gone, beside `claims_staff`. What else cannot be opened was destroyed without need."""


def is_due(said: Said, history: History) -> bool:
    """Tell whether the log itself says that what this entry hides was to be destroyed."""
    return bool(_ends(said, history)) or link_is_due(said, history)


def _ends(said: Said, history: History) -> list[Said]:
    """Return the entries that say that what this entry hides was to be destroyed."""
    found = []
    for due in DUE:
        about = said.body.get(due.names)
        if said.kind.startswith(due.prefix) and isinstance(about, str):
            for ended in history.about(about, *due.ended):
                outcomes = due.ended[ended.kind]
                if not outcomes or ended.body.get("outcome") in outcomes:
                    found.append(ended)
    return found


# --- what they are of -------------------------------------------------------------------------------------------------


def alerts(history: History) -> int:
    """8.8 An alert is of what runs, on its cameras, in its window, in no suspension ("What a frame meets")."""
    judged = _judged(history)
    for said in judged:
        captured_ns = said.time_ns("captured_at")
        _check_runs(history, said, captured_ns)
        earlier = [one for one in history.all(*IMPOSED) if one.seq < said.seq]
        if any(suspends(history, one, said, captured_ns, lifts=True) for one in earlier):
            raise said.broken("it was captured in a suspension")
    return len(judged)


def _judged(history: History) -> list[Said]:
    return [said for said in history.all("alert.raised") if not said.sealed]


def _check_runs(history: History, said: Said, captured_ns: int) -> None:
    object_id = said.text("authorisation")
    active = [one for one in history.about(object_id, "authorisation.active") if one.seq < said.seq]
    if not active or any(one.seq < said.seq for one in history.about(object_id, *ENDS)):
        raise said.broken("its authorisation was not active")
    if said.at_ns >= active[-1].time_ns("ends"):
        raise said.broken("its authorisation had ended")
    asked = asked_of(history, active[-1])
    if not asked.time_ns("from") <= captured_ns < asked.time_ns("until"):
        raise said.broken("it was captured outside the window of its authorisation")
    if (asked.text("kind") == "retrospective") is not (said.body.get("footage") is True):
        raise said.broken("it is of footage, and its authorisation is not; or the other way round")
    if said.body.get("footage") is True and not history.about(object_id, "footage.search-began"):
        raise said.broken("nobody searched that footage")
    if said.text("camera") not in names_of(asked):
        raise said.broken("its authorisation does not name this camera")


def suspends(history: History, imposed: Said, said: Said, captured_ns: int, *, lifts: bool) -> bool:
    """Tell whether a suspension, or what is left of it after a lift, binds what an alert was captured of.

    Each binds all evidence: where that was taken is only what somebody says.
    """
    until_ns = min([imposed.time_ns("until"), *(_lifted(history, imposed) if lifts else ())])
    if not imposed.time_ns("from") <= captured_ns < until_ns:
        return False
    camera, before_seq = said.text("camera"), max(imposed.seq, said.seq)
    if is_evidence(camera):
        return True
    mine = {added.text("source") for added in history.about(camera, "camera.added")}
    return camera in imposed.items("cameras") or bool(mine & _bound(history, imposed, before_seq))


def _lifted(history: History, imposed: Said) -> list[int]:
    """Return from when on a suspension was lifted; one that was carried over may have been by then."""
    lifts = [one for one in history.about(imposed.text("suspension"), "suspension.lifted") if one.seq > imposed.seq]
    before = [imposed.time_ns("lifted_from")] if imposed.body.get("lifted_from") is not None else []
    return [*before, *(one.time_ns("from") for one in lifts)]


def _bound(history: History, imposed: Said, before_seq: int) -> set[str]:
    """Return the sources that a suspension binds: added anew, under whichever name and zone, they stay suspended."""
    zones, cameras = set(map(str, imposed.items("zones"))), set(map(str, imposed.items("cameras")))
    from_ns = imposed.time_ns("from")
    return {
        added.text("source")
        for added in history.all("camera.added")
        if added.seq < before_seq
        and (added.text("zone") in zones or added.text("camera") in cameras)
        and not any(one.at_ns < from_ns for one in history.about(added.text("camera"), "camera.removed"))
    }


# --- that they go -----------------------------------------------------------------------------------------------------


def destroyed(history: History) -> int:
    """8.12 Alerts are destroyed when their authorisation ends, and by a suspension that reaches back ("Suspension")."""
    judged = _judged(history)
    for said in judged:
        captured_ns = said.time_ns("captured_at")
        ends = history.about(said.text("authorisation"), *ENDS)[:1]
        later = [one for one in history.all(*IMPOSED) if one.seq > said.seq]
        ends += [one for one in later if suspends(history, one, said, captured_ns, lifts=False)]
        if ends:
            due_ns = min(one.at_ns for one in ends)
            check_done(history, said, due_ns, DISCARD_NS, _ends(said, history), "it was not destroyed on time")
    return len(judged)


def closed(history: History) -> int:
    """8.13 Five minutes after its end nothing opens what an alert or a hold hid ("Footage").

    An export fetches the checkpoint first, and all openings after it: whatever it opens could be opened after the last
    entry of the log.
    """
    hiding = history.all(*_HIDING)
    for said in hiding:
        ends = _ends(said, history)
        opens = said.opened or (said.kind == "alert.raised" and not said.sealed)
        if opens and ends and history.until_ns > history.latest_ns(ends[0].at_ns, DISCARD_NS):
            raise said.broken("it still opens, though it was destroyed: its key was kept")
    return len(hiding)


# --- verdicts ---------------------------------------------------------------------------------------------------------


def verdicts(history: History) -> int:
    """8.9 Verdicts are operators' who looked, given before; `confirmed` takes two persons' `same` ("Verdicts")."""
    given: dict[str, Said] = {}
    for said in history.all("verdict.given"):
        given.setdefault(said.text("commitment"), said)
    opened: set[str] = set()
    decided = history.all("alert.decided", "alert.destroyed")
    for said in (one for one in decided if not one.sealed):
        alike = []
        for verdict in said.items("verdicts"):
            digest = _checked_verdict(history, said, verdict, given)
            if digest in opened:
                raise said.broken("it opens a verdict for the second time")
            opened.add(digest)
            alike += [verdict.get("account")] if verdict.get("verdict") == "same" else []
        persons = history.persons(str(account) for account in alike)
        if said.body.get("outcome") == "confirmed" and len(persons) < TWO:
            raise said.broken("it is confirmed without two persons who said so")
    return len(decided)


def _checked_verdict(history: History, said: Said, verdict: object, given: Mapping[str, Said]) -> str:
    """Return the commitment of a verdict that an operator gave before it was opened, having looked at the alert."""
    digest = digest_of(verdict)
    when = given.get(digest)
    if not isinstance(verdict, dict) or when is None or when.seq >= said.seq:
        raise said.broken("it opens a verdict that nobody gave")
    if verdict.get("alert") != said.text("alert"):
        raise said.broken("it opens a verdict on another alert")
    account = str(verdict.get("account"))
    if not history.held(account, "operator", when):
        raise said.broken("it opens a verdict of somebody who was no operator")
    looks = history.about(said.text("alert"), "view.alert")
    if not any(one.seq < when.seq and one.actor == account and one.body.get("faces") for one in looks):
        raise said.broken("it opens a verdict of somebody who had not looked")
    return digest
