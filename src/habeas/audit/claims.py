"""What the entries of a log must say if the rules of `product.md` were kept. Each claim is a function and a number.

A claim looks at what the operator wrote, and at nothing else: it shows that the log does not contradict itself. That
an entry is true, that two accounts are two people, or that nothing was done without an entry, no log can show.

Each returns how many entries it is about, and raises `ProofError` at the first that breaks it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from habeas.audit.history import History, Said, canonical
from habeas.errors import ProofError
from habeas.types import DAY_NS, HOUR_NS, NS_PER_S

DISCARD_NS: Final = 5 * 60 * NS_PER_S
"""From an end until what belonged to it is destroyed and an entry says so."""
_END_NS: Final = 5 * 60 * NS_PER_S
"""From the instant at which something ends by the clock until an entry says so."""
_SKEW_NS: Final = NS_PER_S
_TWO: Final = 2
_CONSENT_CAMERAS: Final = 3
_CONSENT_NS: Final = DAY_NS
_ENDS: Final = ("authorisation.expired", "authorisation.refused", "authorisation.revoked")
_ASKED: Final = ("authorisation.drafted", "authorisation.amended", "authorisation.submitted")


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


DUE: Final = (Due("alert.", "alert", {"alert.decided": ("false", "unresolved"), "alert.destroyed": ()}),)
"""All that may be gone. What else cannot be opened was destroyed without need."""


def is_due(said: Said, history: History) -> bool:
    """Tell whether the log itself says that what this entry hides was to be destroyed."""
    for due in DUE:
        about = said.body.get(due.names)
        if said.kind.startswith(due.prefix) and isinstance(about, str):
            for ended in history.about(about, *due.ended):
                outcomes = due.ended[ended.kind]
                if not outcomes or ended.body.get("outcome") in outcomes:
                    return True
    return False


# --- approvals --------------------------------------------------------------------------------------------------------


def _approvers(history: History, by: Said, object_id: str, action: str, sha256: str) -> set[str]:
    """Return the persons whose approval of exactly this counts when an entry is written."""
    return {
        history.person(given.actor)
        for given in history.about(object_id, "approval.given")
        if given.seq < by.seq
        and (given.text("action"), given.text("sha256")) == (action, sha256)
        and history.held(given.actor, "approver", given.at_ns, by.seq)
    }


def _asked(history: History, said: Said) -> Said:
    """Return what was asked for last when an authorisation became active."""
    asked = [one for one in history.about(said.text("authorisation"), *_ASKED) if one.seq < said.seq]
    if not asked:
        raise said.broken("nobody asked for it")
    if asked[-1].text("sha256") != said.text("sha256"):
        raise said.broken("it is not what was asked for last")
    return asked[-1]


def _needed(asked: Said) -> int:
    """Return the least number of approvers; a chain of listings, which only tags show, may take one more."""
    lasts_ns = asked.time_ns("until") - asked.time_ns("from")
    small = len(asked.items("cameras")) <= _CONSENT_CAMERAS and lasts_ns <= _CONSENT_NS
    if asked.text("purpose") == "consent" and small:
        return 1
    return _TWO + (asked.body.get("minor") is True)


def approved(history: History) -> int:
    """8.1 Two approvers, neither the requester; one more for a minor; one for a small consent ("Authorisation")."""
    confirmed = [said for said in history.all("authorisation.active") if said.body.get("confirmed") is True]
    for said in confirmed:
        asked = _asked(history, said)
        persons = _approvers(history, said, said.text("authorisation"), "authorisation", said.text("sha256"))
        if history.person(asked.text("requester")) in persons:
            raise said.broken("who asked for it approved it")
        if len(persons) < _needed(asked):
            raise said.broken(f"{len(persons)} of the {_needed(asked)} approvers that it takes approved it")
    return len(confirmed)


def urgent(history: History) -> int:
    """8.2 Urgent: one approver, at most 24 h; unless approved by then, the clock refuses it ("Authorisation")."""
    started = [said for said in history.all("authorisation.active") if said.body.get("confirmed") is not True]
    for said in started:
        asked = _asked(history, said)
        persons = _approvers(history, said, said.text("authorisation"), "authorisation", said.text("sha256"))
        if asked.body.get("urgent") is not True or not persons - {history.person(asked.text("requester"))}:
            raise said.broken("nobody else approved its urgent start")
        if said.time_ns("ends") - said.at_ns > DAY_NS:
            raise said.broken("it runs for longer than 24 h without its approvals")
    return len(started)


def ended(history: History) -> int:
    """8.3 What is active ends when it says so, or before ("Authorisation")."""
    active = history.all("authorisation.active")
    last = {said.text("authorisation"): said for said in active}
    for object_id, said in last.items():
        ends_ns = said.time_ns("ends")
        _check_done(history, said, ends_ns, _END_NS, history.about(object_id, *_ENDS), "it did not end on time")
    return len(last)


def discarded(history: History) -> int:
    """8.4 Within 5 minutes of every end what belongs to it is destroyed ("Authorisation")."""
    ends = history.all(*_ENDS)
    for said in ends:
        done = history.about(said.text("authorisation"), "authorisation.discarded")
        later = [one for one in done if one.seq > said.seq]
        _check_done(history, said, said.at_ns, DISCARD_NS, later, "nothing says that it was discarded on time")
    return len(ends)


def _check_done(history: History, said: Said, due_ns: int, within_ns: int, done: Sequence[Said], what: str) -> None:
    latest_ns = history.latest_ns(due_ns, within_ns)
    if history.until_ns > latest_ns and all(one.at_ns > latest_ns for one in done):
        raise said.broken(what)


# --- rules of the house -----------------------------------------------------------------------------------------------


def policy(history: History) -> int:
    """8.5 A policy takes two approvers other than the proposer, and 24 h unless it only tightens ("Policy")."""
    versions = {str(said.body.get("number")): said for said in history.all("policy.first", "policy.proposed")}
    taken = history.all("policy.approved")
    for said in taken:
        object_id = said.text("policy")
        proposals = [one for one in history.about(object_id, "policy.proposed") if one.seq < said.seq]
        if not proposals:
            raise said.broken("nobody proposed it")
        proposed = proposals[-1]
        persons = _approvers(history, said, object_id, "policy", proposed.text("sha256"))
        if history.person(proposed.actor) in persons:
            raise said.broken("who proposed it approved it")
        if len(persons) < _TWO:
            raise said.broken(f"{len(persons)} of 2 approvers approved it")
        old = versions.get(str(proposed.body.get("based_on")))
        if old is None:
            raise said.broken("it changes a policy that is not there")
        waits_ns = 0 if tightens(proposed.fields("ceilings"), old.fields("ceilings")) else DAY_NS
        if said.time_ns("effective_from") - said.at_ns < waits_ns:
            raise said.broken("it allows more, and does not wait for 24 h")
    return len(taken)


def tightens(new: Mapping[str, object], old: Mapping[str, object]) -> bool:
    """Tell whether a policy allows nothing that another did not; what is not known here counts as allowing more."""
    return new.keys() == old.keys() and all(_tighter(name, new, old) for name in new)


def _tighter(name: str, new: Mapping[str, object], old: Mapping[str, object]) -> bool:
    mine, theirs = new[name], old[name]
    if mine == theirs and name != "quorum":
        return True
    if name == "quorum":
        return _quorum(new) >= _quorum(old)
    if isinstance(mine, list) and isinstance(theirs, list):
        fewer, more = (theirs, mine) if name == "witnesses" else (mine, theirs)
        return set(map(str, fewer)) <= set(map(str, more))
    if isinstance(mine, bool) or not isinstance(mine, int | float) or not isinstance(theirs, int | float):
        return False
    return mine <= theirs


def _quorum(ceilings: Mapping[str, object]) -> int:
    witnesses, quorum = ceilings.get("witnesses"), ceilings.get("quorum")
    count = len(witnesses) if isinstance(witnesses, list) else 0
    return quorum if isinstance(quorum, int) and quorum else (count // 2 + 1 if count else 0)


def roles(history: History) -> int:
    """8.6 A role takes two persons, neither of them its holder, and is usable after 24 h ("Roles")."""
    granted = history.all("role.granted")
    for said in granted:
        proposed = [
            one
            for one in history.about(said.text("grant"), "role.proposed")
            if one.seq < said.seq and one.body == {**one.body, **_grant(said)} and one.actor == said.text("proposed_by")
        ]
        if not proposed:
            raise said.broken("nobody proposed this")
        persons = history.persons([said.actor, said.text("proposed_by")])
        if len(persons) < _TWO:
            raise said.broken("one person proposed and approved it")
        if history.person(said.text("account")) in persons:
            raise said.broken("its holder granted it")
        if said.time_ns("usable_from") - said.at_ns < DAY_NS:
            raise said.broken("it does not wait for 24 h")
    return len(granted)


def _grant(said: Said) -> dict[str, object]:
    return {"account": said.text("account"), "role": said.text("role"), "zones": said.items("zones")}


def lifted(history: History) -> int:
    """8.7 Two privacy officers lift a suspension early, 60 minutes ahead ("Suspension")."""
    lifts = history.all("suspension.lifted")
    for said in lifts:
        first = [
            one
            for one in history.about(said.text("suspension"), "suspension.lift-proposed")
            if one.seq < said.seq and said.at_ns - one.at_ns < DAY_NS + _SKEW_NS
        ]
        officers = [one.actor for one in (*first[-1:], said) if history.held(one.actor, "privacy", one.at_ns, said.seq)]
        if len(history.persons(officers)) < _TWO:
            raise said.broken("two privacy officers did not say so")
        if said.time_ns("from") - said.at_ns < HOUR_NS:
            raise said.broken("it takes effect within 60 minutes")
    return len(lifts)


# --- alerts -----------------------------------------------------------------------------------------------------------


def alerts(history: History) -> int:
    """8.8 An alert is of what runs, on its cameras, in its window, in no suspension ("What a frame meets").

    What an alert hides may be gone by now; then it is not judged.
    """
    judged = 0
    for said in history.all("alert.raised"):
        if said.sealed:
            continue
        judged += 1
        captured_ns = said.time_ns("captured_at")
        _check_runs(history, said, captured_ns)
        if _suspended(history, said, captured_ns):
            raise said.broken("it was captured in a suspension")
    return judged


def _check_runs(history: History, said: Said, captured_ns: int) -> None:
    object_id = said.text("authorisation")
    active = [one for one in history.about(object_id, "authorisation.active") if one.seq < said.seq]
    if not active or any(one.seq < said.seq for one in history.about(object_id, *_ENDS)):
        raise said.broken("its authorisation was not active")
    if said.at_ns >= active[-1].time_ns("ends"):
        raise said.broken("its authorisation had ended")
    asked = _asked(history, active[-1])
    if not asked.time_ns("from") <= captured_ns < asked.time_ns("until"):
        raise said.broken("it was captured outside the window of its authorisation")
    if said.text("camera") not in {str(pair[0]) for pair in asked.items("cameras") if isinstance(pair, list) and pair}:
        raise said.broken("its authorisation does not name this camera")


def _suspended(history: History, said: Said, captured_ns: int) -> bool:
    camera = said.text("camera")
    zones = {added.text("zone") for added in history.about(camera, "camera.added")}
    for imposed in (one for one in history.all("suspension.imposed") if one.seq < said.seq):
        if camera in imposed.items("cameras") or zones & set(map(str, imposed.items("zones"))):
            lifts = history.about(imposed.text("suspension"), "suspension.lifted")
            until_ns = min([imposed.time_ns("until"), *(one.time_ns("from") for one in lifts)])
            if imposed.time_ns("from") <= captured_ns < until_ns:
                return True
    return False


def verdicts(history: History) -> int:
    """8.9 Each verdict is one that was given before; `confirmed` takes two persons who said `same` ("Verdicts")."""
    given = {said.text("commitment"): said.seq for said in history.all("verdict.given")}
    opened: set[str] = set()
    decided = history.all("alert.decided", "alert.destroyed")
    for said in (one for one in decided if not one.sealed):
        alike = []
        for verdict in said.items("verdicts"):
            digest = _checked_verdict(said, verdict, given)
            if digest in opened:
                raise said.broken("it opens a verdict for the second time")
            opened.add(digest)
            alike += [verdict.get("account")] if verdict.get("verdict") == "same" else []
        persons = history.persons(str(account) for account in alike)
        if said.body.get("outcome") == "confirmed" and len(persons) < _TWO:
            raise said.broken("it is confirmed without two persons who said so")
    return len(decided)


def _checked_verdict(said: Said, verdict: object, given: Mapping[str, int]) -> str:
    """Return the commitment of a verdict that was given before it was opened."""
    digest = _digest(verdict)
    if not isinstance(verdict, dict) or given.get(digest, said.seq) >= said.seq:
        raise said.broken("it opens a verdict that nobody gave")
    if verdict.get("alert") != said.text("alert"):
        raise said.broken("it opens a verdict on another alert")
    return digest


def _digest(value: object) -> str:
    try:
        return hashlib.sha256(canonical(value)).hexdigest()
    except (ValueError, RecursionError):
        return ""


Claim = Callable[[History], int]
CLAIMS: Final[Mapping[str, Claim]] = {
    "8.1 what is active was approved by enough people": approved,
    "8.2 urgent starts end within 24 h": urgent,
    "8.3 what is active ends on time": ended,
    "8.4 what ended is discarded within 5 minutes": discarded,
    "8.5 policies were approved by two, a day ahead": policy,
    "8.6 roles were granted by two, a day ahead": roles,
    "8.7 suspensions were lifted by two, an hour ahead": lifted,
    "8.8 alerts are of what was approved, and of no suspension": alerts,
    "8.9 verdicts were given, and two confirm": verdicts,
}


# --- epochs -----------------------------------------------------------------------------------------------------------


def epoch_approved(history: History, number: int, facts: Mapping[str, object]) -> None:
    """Check the entry that begins an epoch: it says what the list of epochs says, and two persons approved that.

    Args:
        history: all entries.
        number: of the epoch, from 1.
        facts: `first_seq`, `number`, `origin`, `prior`, `vkey`.

    Raises:
        ProofError: it is not there, says another thing, or was not approved.
    """
    same = [said for said in history.all("log.epoch") if said.body == {**said.body, **facts}]
    if not same:
        stated = [one for one in history.all("log.epoch") if one.body.get("number") == number]
        raise _no_epoch(number, stated)
    said = same[-1]
    digest = _digest({"first_seq": facts["first_seq"], "prior": facts["prior"]})
    if number > 1 and len(_approvers(history, said, f"epoch-{number}", "epoch", digest)) < _TWO:
        raise said.broken("two approvers did not approve it")


def _no_epoch(number: int, stated: Sequence[Said]) -> ProofError:
    if stated:
        return stated[-1].broken("it does not say what the list of epochs says")
    return ProofError(f"no entry begins epoch {number}", remedy="ask the operator")
