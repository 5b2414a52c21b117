"""What the entries of a log must say if the rules of `product.md` were kept. Each claim is a function and a number.

A claim looks at what the operator wrote, and at nothing else: it shows that the log does not contradict itself. That
an entry is true, that two accounts are two people, or that nothing was done without an entry, no log can show.

Each returns how many entries it is about, and raises `ProofError` at the first that breaks it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from habeas.audit.claims_access import access
from habeas.audit.claims_alerts import alerts, closed, destroyed, verdicts
from habeas.audit.claims_canary import canaries
from habeas.audit.claims_evidence import evidence
from habeas.audit.claims_footage import exported, footage, searched
from habeas.audit.claims_holds import holds, played
from habeas.audit.claims_house import combined, lifted, roles
from habeas.audit.claims_playback import shown
from habeas.audit.claims_policy import policy
from habeas.audit.claims_search import approved, discarded, ended, scope, urgent
from habeas.audit.claims_shared import TWO, approvers, digest_of
from habeas.audit.history import History, Said
from habeas.errors import ProofError

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
    "8.10 what is active is within what may be asked for": scope,
    "8.11 roles of one person combine": combined,
    "8.12 alerts are destroyed with what they belong to": destroyed,
    "8.13 what was destroyed opens no more": closed,
    "8.14 recognition was tested, and answered nowhere else": canaries,
    "8.15 footage ends at its deadline": footage,
    "8.16 holds were approved by two, and ended": holds,
    "8.17 what was played was held": played,
    "8.18 footage is searched once, under what permits it": searched,
    "8.19 access requests were approved by two, searched once, and ended": access,
    "8.20 exports were approved by two, as they were proposed": exported,
    "8.21 evidence is searched under one authorisation, and goes with it": evidence,
    "8.22 what was played of alerts was undecided, and of no suspension": shown,
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
    digest = digest_of({"first_seq": facts["first_seq"], "prior": facts["prior"]})
    if number > 1 and len(approvers(history, said, f"epoch-{number}", "epoch", digest)) < TWO:
        raise said.broken("two approvers did not approve it")


def _no_epoch(number: int, stated: Sequence[Said]) -> ProofError:
    if stated:
        return stated[-1].broken("it does not say what the list of epochs says")
    return ProofError(
        f"no entry begins epoch {number}", remedy="if it began just now, ask for the log again in some minutes"
    )
