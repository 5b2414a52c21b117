"""Claims on policies: who approved them, from when, and that none passes what no policy passes."""

from collections.abc import Mapping
from typing import Final

from habeas.audit.claims_shared import TWO, approvers, digest_of
from habeas.audit.history import History, Said
from habeas.types import DAY_NS

PURPOSES: Final = ("consent", "court-order", "missing-person", "serious-offence-suspect", "threat-to-life")
MAXIMA: Final[Mapping[str, float]] = {
    "authorisation_h": 30 * 24,
    "footage_h": 120,
    "fpir": 1e-3,
    "cameras_one": 5,
    "share_one": 0.10,
    "cameras_all": 5,
    "share_all": 0.25,
    "subjects": 100,
}
"""What no policy passes. Written down here again: a verifier does not ask the installation's own rules."""


def policy(history: History) -> int:
    """8.5 A policy takes two approvers other than the proposer, and 24 h unless it only tightens ("Policy")."""
    for said in history.all("policy.first", "policy.proposed"):
        _check_content(said)
    for number, said in enumerate(history.all("policy.first")):
        if number or not history.is_first(said):
            raise said.broken("only `init` writes a first policy, and once")
    taken = history.all("policy.approved")
    for said in taken:
        _check_taken(history, said)
    return len(taken)


def _check_content(said: Said) -> None:
    ceilings = said.fields("ceilings")
    if said.text("sha256") != digest_of(ceilings):
        raise said.broken("its hash is of other ceilings")
    for name, most in MAXIMA.items():
        value = ceilings.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise said.broken(f"no policy passes {name} {most:g}")
    purposes = ceilings.get("purposes")
    if not isinstance(purposes, list) or not set(map(str, purposes)) <= set(PURPOSES):
        raise said.broken("a policy may only shorten the list of purposes")


def _check_taken(history: History, said: Said) -> None:
    proposed = _proposal(history, said)
    if proposed is None:
        raise said.broken("nobody proposed it")
    persons = approvers(history, said, said.text("policy"), "policy", proposed.text("sha256"))
    if history.person(proposed.actor) in persons:
        raise said.broken("who proposed it approved it")
    if len(persons) < TWO:
        raise said.broken(f"{len(persons)} of 2 approvers approved it")
    old = in_force(history, said)
    if proposed.body.get("based_on") != old.body.get("number"):
        raise said.broken("it changes a policy that is not in force")
    waits_ns = 0 if tightens(proposed.fields("ceilings"), old.fields("ceilings")) else DAY_NS
    if said.time_ns("effective_from") - said.at_ns < waits_ns:
        raise said.broken("it allows more, and does not wait for 24 h")


def _proposal(history: History, taken: Said) -> Said | None:
    proposed = [one for one in history.about(taken.text("policy"), "policy.proposed") if one.seq < taken.seq]
    return proposed[-1] if proposed else None


def in_force(history: History, said: Said) -> Said:
    """Return the entry that states the policy in force when another was written.

    Raises:
        ProofError: there was none.
    """
    due = [(one.at_ns, one) for one in history.all("policy.first")[:1] if one.seq < said.seq]
    for taken in (one for one in history.all("policy.approved") if one.seq < said.seq):
        due = [(from_ns, one) for from_ns, one in due if from_ns <= taken.at_ns]  # what waits is void
        proposed = _proposal(history, taken)
        if proposed is not None:
            due.append((taken.time_ns("effective_from"), proposed))
    now = [(from_ns, one.seq, one) for from_ns, one in due if from_ns <= said.at_ns]
    if not now:
        raise said.broken("there was no policy")
    return max(now)[2]


# --- what only tightens -----------------------------------------------------------------------------------------------


def tightens(new: Mapping[str, object], old: Mapping[str, object]) -> bool:
    """Tell whether a policy allows nothing that another did not; what is not known here counts as allowing more."""
    return new.keys() == old.keys() and _witnessed(new, old) and all(_tighter(name, new, old) for name in new)


def _tighter(name: str, new: Mapping[str, object], old: Mapping[str, object]) -> bool:
    mine, theirs = new[name], old[name]
    if mine == theirs or name in ("quorum", "witnesses"):
        return True
    if isinstance(mine, list) and isinstance(theirs, list):
        return set(map(str, mine)) <= set(map(str, theirs))
    if isinstance(mine, bool) or not isinstance(mine, int | float) or not isinstance(theirs, int | float):
        return False
    return mine <= theirs


def _witnessed(new: Mapping[str, object], old: Mapping[str, object]) -> bool:
    """Tell whether every quorum holds a quorum of the old witnesses: whoever adds own ones outvotes nobody."""
    mine, theirs = _witnesses(new), _witnesses(old)
    return mine >= theirs and _quorum(new) - len(mine - theirs) >= _quorum(old)


def _witnesses(ceilings: Mapping[str, object]) -> set[str]:
    witnesses = ceilings.get("witnesses")
    return set(map(str, witnesses)) if isinstance(witnesses, list) else set()


def _quorum(ceilings: Mapping[str, object]) -> int:
    quorum, count = ceilings.get("quorum"), len(_witnesses(ceilings))
    return quorum if isinstance(quorum, int) and quorum else (count // 2 + 1 if count else 0)
