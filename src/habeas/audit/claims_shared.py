"""What several claims on the entries of a log need: who approved, whether it was done on time, what a hash is of."""

import hashlib
from collections.abc import Sequence
from typing import Final

from habeas.audit.canonical import canonical
from habeas.audit.history import History, Said
from habeas.types import NS_PER_S

DISCARD_NS: Final = 5 * 60 * NS_PER_S
"""From an end until what belonged to it is destroyed and an entry says so."""
SKEW_NS: Final = NS_PER_S
TWO: Final = 2
ENDS: Final = ("authorisation.expired", "authorisation.refused", "authorisation.revoked")
ASKED: Final = ("authorisation.drafted", "authorisation.amended", "authorisation.submitted")


def approvers(history: History, by: Said, object_id: str, action: str, sha256: str) -> set[str]:
    """Return the persons whose approval of exactly this counts when an entry is written."""
    return {
        history.person(given.actor)
        for given in history.about(object_id, "approval.given")
        if given.seq < by.seq
        and (given.text("action"), given.text("sha256")) == (action, sha256)
        and history.held(given.actor, "approver", given, by.seq)
    }


def asked_of(history: History, said: Said) -> Said:
    """Return what was asked for last when an authorisation became active.

    Raises:
        ProofError: nothing was, something else was, or it had ended.
    """
    object_id = said.text("authorisation")
    asked = [one for one in history.about(object_id, *ASKED) if one.seq < said.seq]
    if not asked:
        raise said.broken("nobody asked for it")
    if asked[-1].text("sha256") != said.text("sha256"):
        raise said.broken("it is not what was asked for last")
    if any(one.seq < said.seq for one in history.about(object_id, *ENDS)):
        raise said.broken("it had ended, and nothing leads back")
    return asked[-1]


def check_done(history: History, said: Said, due_ns: int, within_ns: int, done: Sequence[Said], what: str) -> None:
    """Check that something that was due was done, where the entries go on for long enough to tell.

    Raises:
        ProofError: it was not.
    """
    latest_ns = history.latest_ns(due_ns, within_ns)
    if history.until_ns > latest_ns and all(one.at_ns > latest_ns for one in done):
        raise said.broken(what)


def check_carried(history: History, said: Said, counted: str) -> None:
    """Check that a restore carried something over, in its own transaction, and says that it did.

    Args:
        history: what the log tells.
        said: the entry of what was carried over.
        counted: under which name the restore's entry counts such.

    Raises:
        ProofError: none did.
    """
    restored = history.restored_by(said)
    if restored is None:
        raise said.broken("no restore carried it over")
    count, there = restored.body.get(counted), history.all(said.kind)
    if type(count) is not int or count < sum(history.restored_by(one) is restored for one in there):
        raise said.broken("the restore says that it carried fewer over")


def digest_of(value: object) -> str:
    """Return SHA-256, hexadecimal, of canonical JSON; empty: it has none."""
    try:
        return hashlib.sha256(canonical(value)).hexdigest()
    except (ValueError, RecursionError):
        return ""


def is_evidence(name: str) -> bool:
    """Tell whether what stands in a camera's place was handed in."""
    return name.startswith("evd-")


def names_of(asked: Said) -> list[str]:
    """Return what an authorisation names: cameras, or evidence.

    Raises:
        ProofError: it does not say.
    """
    return [str(pair[0]) for pair in asked.items("cameras") if isinstance(pair, list) and pair]
