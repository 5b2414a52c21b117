"""Claims on holds: who approved them, for how long, that they go, and that nothing else is played."""

from typing import Final

from habeas.audit.claims_shared import DISCARD_NS, SKEW_NS, TWO, approvers, check_carried, check_done
from habeas.audit.history import History, Said
from habeas.types import DAY_NS

_LONGEST_NS: Final = 31 * DAY_NS
_CHAIN_NS: Final = 93 * DAY_NS
_BEGAN: Final = ("hold.approved", "hold.carried")
_OVER: Final = ("hold.released", "hold.ended")


def holds(history: History) -> int:
    """8.16 Two approve a hold, for 31 days at most and 93 in all, and it goes at its end ("Footage").

    One that a restore carried over goes at its end, too. Who approved it is in what the restore lost: judged there.
    """
    approved = history.all("hold.approved")
    for said in approved:
        proposed = _proposed(history, said)
        requester = history.person(proposed.text("requester"))
        persons = approvers(history, said, said.text("hold"), "hold", said.text("sha256"))
        if requester in persons:
            raise said.broken("who proposed it approved it")
        if len(persons) < TWO:
            raise said.broken(f"{len(persons)} of the 2 approvers that it takes had approved it")
        _check_term(history, said, proposed)
        _check_end(history, said)
    carried = history.all("hold.carried")
    for said in carried:
        check_carried(history, said, "holds")
        _check_longest(said, said)
        _check_end(history, said)
    return len(approved) + len(carried)


def _proposed(history: History, said: Said) -> Said:
    """Return what was proposed.

    Raises:
        ProofError: nothing was, or something else.
    """
    proposed = [one for one in history.about(said.text("hold"), "hold.proposed") if one.seq < said.seq]
    if len(proposed) != 1 or proposed[0].text("sha256") != said.text("sha256"):
        raise said.broken("it is not what was proposed")
    if proposed[0].text("ends") != said.text("ends"):
        raise said.broken("it was to end at another time")
    return proposed[0]


def _check_term(history: History, said: Said, proposed: Said) -> None:
    """Check for how long a hold lasts, and its footage is held in all.

    Raises:
        ProofError: it is too long, or said to have begun later than it did.
    """
    others = history.all(*_BEGAN)
    begun = [one.time_ns("since") for one in others if _runs_beside(history, one, said, proposed)]
    if said.time_ns("since") > min([*begun, said.at_ns + SKEW_NS]):
        raise said.broken("preserving of its footage began before it says")
    _check_longest(said, proposed)


def _check_longest(said: Said, proposed: Said) -> None:
    ends_ns = said.time_ns("ends")
    if ends_ns > said.at_ns + _LONGEST_NS + SKEW_NS:
        raise said.broken("it lasts for more than 31 days")
    if ends_ns > said.time_ns("since") + _CHAIN_NS and not isinstance(proposed.body.get("decision"), str):
        raise said.broken("its footage is held for more than 93 days without a court document")


def _runs_beside(history: History, other: Said, said: Said, proposed: Said) -> bool:
    """Tell whether another hold of some of the same footage ran when this one was approved."""
    if other.seq >= said.seq or other.time_ns("ends") <= said.at_ns:
        return False
    if any(one.seq < said.seq for one in history.about(other.text("hold"), *_OVER)):
        return False
    theirs = other if other.kind == "hold.carried" else _proposed(history, other)
    shared = {str(one) for one in theirs.items("cameras")} & {str(one) for one in proposed.items("cameras")}
    before, after = theirs.time_ns("from"), theirs.time_ns("until")
    return bool(shared) and before < proposed.time_ns("until") and proposed.time_ns("from") < after


def _check_end(history: History, said: Said) -> None:
    """Check that a hold was destroyed at its end, or when two released it.

    Raises:
        ProofError: it was not, or others released it.
    """
    due_ns, hold_id = said.time_ns("ends"), said.text("hold")
    for released in history.about(hold_id, "hold.released"):
        if len(approvers(history, released, hold_id, "release-hold", said.text("sha256"))) < TWO:
            raise released.broken("two approvers did not say so")
        due_ns = min(due_ns, released.at_ns)
    ended = [one for one in history.about(hold_id, "hold.ended") if one.seq > said.seq]
    check_done(history, said, due_ns, DISCARD_NS, ended, "nothing says that it was destroyed on time")


def played(history: History) -> int:
    """8.17 What is played is held, and a hold of it runs ("Footage")."""
    plays = history.all("footage.played")
    for said in plays:
        hold_id = said.text("hold")
        kept = [
            one for one in history.about(hold_id, "hold.kept", "hold.carried") if one.body.get("kept", True) is True
        ]
        if not any(one.seq < said.seq for one in kept):
            raise said.broken("it was not held")
        if any(one.seq < said.seq for one in history.about(hold_id, *_OVER)):
            raise said.broken("its hold was over")
        if any(said.at_ns >= one.time_ns("ends") for one in history.about(hold_id, *_BEGAN)):
            raise said.broken("its hold had ended")
    return len(plays)
