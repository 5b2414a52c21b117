"""Claims on access requests: who approved them, that they are searched once, that they end and what they hold goes."""

from typing import Final

from habeas.audit.claims_shared import DISCARD_NS, SKEW_NS, TWO, approvers, check_done
from habeas.audit.history import History, Said
from habeas.types import DAY_NS, HOUR_NS

_LONGEST_NS: Final = 92 * DAY_NS
_MONTH_NS: Final = 31 * DAY_NS
_MOST_NS: Final = 8 * HOUR_NS
_OVER: Final = ("access.closed", "access.refused")


def access(history: History) -> int:
    """8.19 Two who did not open it approve an access request; it is searched once, ends, and goes ("Footage")."""
    opened = history.all("access.opened")
    for said in opened:
        _check_asked(said)
        ends = history.about(said.text("access"), *_OVER)
        check_done(history, said, said.at_ns + _LONGEST_NS, DISCARD_NS, ends, "it did not end within 92 days")
    for said in history.all("access.approved"):
        _check_approved(history, said)
    for said in history.all("access.search-began"):
        _check_searched(history, said)
    for said in history.all(*_OVER):
        gone = [one for one in history.about(said.text("access"), "access.destroyed") if one.seq > said.seq]
        check_done(history, said, said.at_ns, DISCARD_NS, gone, "nothing says that it was destroyed on time")
    return len(opened)


def _check_asked(said: Said) -> None:
    """Check for how much it is, and that it says by when it is answered.

    Raises:
        ProofError: it is for too much, or to be answered too late.
    """
    lasts_ns = said.time_ns("until") - said.time_ns("from")
    if len({str(one) for one in said.items("cameras")}) * lasts_ns > _MOST_NS:
        raise said.broken("it is for more than eight camera-hours")
    if said.time_ns("due") > said.at_ns + _MONTH_NS:
        raise said.broken("it is to be answered later than within a month")


def _check_approved(history: History, said: Said) -> None:
    access_id = said.text("access")
    opened = [one for one in history.about(access_id, "access.opened") if one.seq < said.seq]
    if len(opened) != 1 or opened[0].text("sha256") != said.text("sha256"):
        raise said.broken("it is not what was opened")
    _check_open(history, said)
    persons = approvers(history, said, access_id, "access", said.text("sha256"))
    if persons & history.persons([opened[0].actor, opened[0].text("opened_by")]):
        raise said.broken("who opened it approved it")
    if len(persons) < TWO:
        raise said.broken(f"{len(persons)} of the 2 approvers that it takes had approved it")


def _check_searched(history: History, said: Said) -> None:
    access_id = said.text("access")
    approved = [one for one in history.about(access_id, "access.approved") if one.seq < said.seq]
    if not approved:
        raise said.broken("it was not approved")
    _check_open(history, said)
    if any(one.seq < said.seq for one in history.about(access_id, said.kind)):
        raise said.broken("its footage was searched before")
    if not history.held(said.actor, "privacy", said):
        raise said.broken("no privacy officer began it")


def _check_open(history: History, said: Said) -> None:
    access_id = said.text("access")
    if any(one.seq < said.seq for one in history.about(access_id, *_OVER)):
        raise said.broken("it was over")
    if any(said.at_ns > one.at_ns + _LONGEST_NS + SKEW_NS for one in history.about(access_id, "access.opened")):
        raise said.broken("its 92 days were over")
