"""Claims on authorisations: who approved them, what they may be for, that they end and are discarded."""

from collections.abc import Mapping
from typing import Final

from habeas.audit.claims_policy import MAXIMA, PURPOSES, in_force
from habeas.audit.claims_shared import (
    DISCARD_NS,
    ENDS,
    SKEW_NS,
    TWO,
    approvers,
    asked_of,
    check_done,
    is_evidence,
    names_of,
)
from habeas.audit.history import History, Said
from habeas.types import DAY_NS, HOUR_NS, NS_PER_S

_END_NS: Final = 5 * 60 * NS_PER_S
"""From the instant at which something ends by the clock until an entry says so."""
_CONSENT_ONE: Final = (3, DAY_NS)
_CONSENT_TWO: Final = (10, 30 * DAY_NS)
_FOR_LIFE: Final = ("missing-person", "threat-to-life")
_SMALL_INSTALLATION: Final = 20
_WHOLE_NS: Final = 72 * HOUR_NS
_FOOTAGE_NS: Final = 120 * HOUR_NS
_OPEN_NS: Final = 72 * HOUR_NS
"""How long an approved retrospective search may wait to be run."""


def _lasts_ns(asked: Said) -> int:
    return asked.time_ns("until") - asked.time_ns("from")


def _needed(asked: Said) -> int:
    """Return the least number of approvers; a chain of listings, which only tags show, may take one more."""
    cameras, lasts_ns = _CONSENT_ONE
    small = len(asked.items("cameras")) <= cameras and _lasts_ns(asked) <= lasts_ns
    minor = asked.body.get("minor") is not False
    if asked.text("purpose") == "consent" and small and asked.text("kind") == "live" and not minor:
        return 1
    return TWO + minor


def approved(history: History) -> int:
    """8.1 Two approvers, neither the requester; one more for a minor; one for a small consent ("Authorisation")."""
    confirmed = [said for said in history.all("authorisation.active") if said.body.get("confirmed") is True]
    for said in confirmed:
        asked = asked_of(history, said)
        active = history.about(said.text("authorisation"), "authorisation.active")
        _check_once(said, [one for one in active if one.body.get("confirmed") is True])
        persons = approvers(history, said, said.text("authorisation"), "authorisation", said.text("sha256"))
        if history.person(asked.text("requester")) in persons:
            raise said.broken("who asked for it approved it")
        if len(persons) < _needed(asked):
            raise said.broken(f"{len(persons)} of the {_needed(asked)} approvers that it takes approved it")
    return len(confirmed)


def urgent(history: History) -> int:
    """8.2 Urgent: one approver, at most 24 h, once; unless approved by then, the clock refuses it ("Authorisation")."""
    started = [said for said in history.all("authorisation.active") if said.body.get("confirmed") is not True]
    for said in started:
        asked = asked_of(history, said)
        _check_once(said, history.about(said.text("authorisation"), "authorisation.active"))
        persons = approvers(history, said, said.text("authorisation"), "authorisation", said.text("sha256"))
        if asked.body.get("urgent") is not True or not persons - {history.person(asked.text("requester"))}:
            raise said.broken("nobody else approved its urgent start")
        if said.time_ns("ends") - said.at_ns > DAY_NS:
            raise said.broken("it runs for longer than 24 h without its approvals")
    return len(started)


def _check_once(said: Said, active: list[Said]) -> None:
    if any(one.seq < said.seq for one in active):
        raise said.broken("it was started before")


def ended(history: History) -> int:
    """8.3 What is active ends when it says so, or before ("Authorisation")."""
    active = history.all("authorisation.active")
    last = {said.text("authorisation"): said for said in active}
    for object_id, said in last.items():
        ends_ns = said.time_ns("ends")
        check_done(history, said, ends_ns, _END_NS, history.about(object_id, *ENDS), "it did not end on time")
    return len(last)


def discarded(history: History) -> int:
    """8.4 Within 5 minutes of every end what belongs to it is destroyed ("Authorisation")."""
    ends = history.all(*ENDS)
    for said in ends:
        done = history.about(said.text("authorisation"), "authorisation.discarded")
        later = [one for one in done if one.seq > said.seq]
        check_done(history, said, said.at_ns, DISCARD_NS, later, "nothing says that it was discarded on time")
    return len(ends)


# --- what may be asked for --------------------------------------------------------------------------------------------


def scope(history: History) -> int:
    """8.10 What is active is for a purpose, on as many cameras and for as long as may be ("Policy")."""
    active = history.all("authorisation.active")
    for said in active:
        asked = asked_of(history, said)
        ceilings = in_force(history, said).fields("ceilings")
        _check_purpose(said, asked, ceilings)
        kind = asked.text("kind")
        if kind == "live":
            _check_live(history, said, asked, ceilings)
        elif kind == "retrospective":
            _check_retrospective(said, asked)
        else:
            raise said.broken("it neither watches nor searches footage")
    return len(active)


def _check_purpose(said: Said, asked: Said, ceilings: Mapping[str, object]) -> None:
    purpose, permitted = asked.text("purpose"), ceilings.get("purposes")
    if purpose not in PURPOSES or not isinstance(permitted, list) or purpose not in permitted:
        raise said.broken("nobody is looked for under its purpose")
    if asked.body.get("minor") is not False and purpose not in _FOR_LIFE:
        raise said.broken("a minor is not looked for under its purpose")
    cameras, lasts_ns = _CONSENT_TWO
    narrow = len(asked.items("cameras")) <= cameras and _lasts_ns(asked) <= lasts_ns
    plain = asked.text("kind") == "live" and asked.body.get("urgent") is False
    if purpose == "consent" and not (narrow and plain):
        raise said.broken("a consent is live, not urgent, on 10 cameras and for 30 days at most")


def _check_live(history: History, said: Said, asked: Said, ceilings: Mapping[str, object]) -> None:
    most_ns = round(_ceiling(ceilings, "authorisation_h") * HOUR_NS)
    until_ns = asked.time_ns("until")
    if _lasts_ns(asked) > most_ns or until_ns > said.at_ns + most_ns + SKEW_NS:
        raise said.broken("it lasts for longer than may be")
    if said.time_ns("ends") > until_ns:
        raise said.broken("it ends after its window")
    installed = _installed(history, said)
    whole = asked.text("purpose") in _FOR_LIFE and _lasts_ns(asked) <= _WHOLE_NS and installed < _SMALL_INSTALLATION
    share = int(_ceiling(ceilings, "share_one") * installed + 1e-9)
    if not whole and len(asked.items("cameras")) > max(_ceiling(ceilings, "cameras_one"), share):
        raise said.broken("it names more cameras than may be")


def _check_retrospective(said: Said, asked: Said) -> None:
    from_ns, until_ns = asked.time_ns("from"), asked.time_ns("until")
    since_ns = 0 if any(map(is_evidence, names_of(asked))) else said.at_ns - _FOOTAGE_NS - SKEW_NS
    if not since_ns <= from_ns < until_ns <= said.at_ns + SKEW_NS:
        raise said.broken("it searches what is not of the last 120 h")
    if said.time_ns("ends") - said.at_ns > _OPEN_NS:
        raise said.broken("it waits for longer than 72 h to be run")


def _ceiling(ceilings: Mapping[str, object], name: str) -> float:
    """Return a ceiling, never above the compiled maximum."""
    value = ceilings.get(name)
    return min(value, MAXIMA[name]) if isinstance(value, int | float) else 0


def _installed(history: History, said: Said) -> int:
    """Return how many cameras there were: at least as many as delivered, which a share is of."""
    removed = {one.text("camera") for one in history.all("camera.removed") if one.seq < said.seq}
    added = {one.text("camera") for one in history.all("camera.added") if one.seq < said.seq}
    return len(added - removed)
