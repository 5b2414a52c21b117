"""Claims on footage: how long it is kept, and that it goes."""

from collections import defaultdict
from typing import Final

from habeas.audit.claims_policy import MAXIMA
from habeas.audit.claims_shared import DISCARD_NS, ENDS, TWO, approvers, asked_of, check_done
from habeas.audit.history import History, Said
from habeas.types import HOUR_NS

_LONGEST_NS: Final = round(MAXIMA["footage_h"] * HOUR_NS)


def footage(history: History) -> int:
    """8.15 Footage is kept for 120 hours at most, and destroyed within five minutes of its deadline ("Footage").

    What was found again, after a crash or with an older database, is held to the same as what began.
    """
    shortened, destroyed = (_by_hour(history, f"footage.{what}") for what in ("shortened", "destroyed"))
    kept = history.all("footage.began", "footage.found")
    for said in kept:
        deadline_ns = _first_deadline_ns(said)
        key = said.text("camera"), said.text("hour")
        for one in shortened[key]:
            if one.seq > said.seq:
                if one.time_ns("deadline") > deadline_ns:
                    raise one.broken("it lengthens what it is to shorten")
                deadline_ns = one.time_ns("deadline")
        later = [one for one in destroyed[key] if one.seq > said.seq]
        check_done(history, said, deadline_ns, DISCARD_NS, later, "nothing says that it was destroyed on time")
    return len(kept)


def searched(history: History) -> int:
    """8.18 Footage is searched once, under what runs and is of that kind ("Authorisation")."""
    begun = history.all("footage.search-began")
    for said in begun:
        object_id = said.text("authorisation")
        active = [one for one in history.about(object_id, "authorisation.active") if one.seq < said.seq]
        if not active or any(one.seq < said.seq for one in history.about(object_id, *ENDS)):
            raise said.broken("its authorisation was not active")
        if said.at_ns >= active[-1].time_ns("ends"):
            raise said.broken("its authorisation had ended")
        if asked_of(history, active[-1]).text("kind") != "retrospective":
            raise said.broken("its authorisation is for live cameras")
        if any(one.seq < said.seq for one in history.about(object_id, said.kind)):
            raise said.broken("it was searched before")
    return len(begun)


def exported(history: History) -> int:
    """8.20 What was fetched was approved by two who did not ask for it, as it was proposed ("Footage", exports).

    Whoever had one made may discard it before.
    """
    fetched = history.all("export.fetched")
    _check_discarded(history)
    for said in fetched:
        export = said.text("export")
        approved = [one for one in history.about(export, "export.approved") if one.seq < said.seq]
        over = history.about(export, "export.refused", "export.discarded", "export.ended")
        if not approved or any(one.seq < said.seq for one in over):
            raise said.broken("it was not approved, or was over")
        proposed = [one for one in history.about(export, "export.proposed") if one.seq < approved[-1].seq]
        if not proposed or proposed[-1].text("sha256") != approved[-1].text("sha256"):
            raise approved[-1].broken("it is not what was proposed")
        persons = approvers(history, approved[-1], export, "export", approved[-1].text("sha256"))
        asked = {history.person(one.actor) for one in history.about(export, "export.began", "export.proposed")}
        if len(persons - asked) < TWO:
            raise approved[-1].broken("two approvers who did not ask for it did not approve it")
    return len(fetched)


def _check_discarded(history: History) -> None:
    """Check that an export was discarded by whoever had it made, before it was fetched.

    Raises:
        ProofError: one was not.
    """
    for said in history.all("export.discarded"):
        export = said.text("export")
        began = [one for one in history.about(export, "export.began") if one.seq < said.seq]
        if not began or history.person(began[-1].actor) != history.person(said.actor):
            raise said.broken("somebody discarded it who had not had it made")
        if any(one.seq < said.seq for one in history.about(export, "export.fetched")):
            raise said.broken("it was fetched before it was discarded")


def _first_deadline_ns(said: Said) -> int:
    """Return the deadline that an entry says: at most 120 hours after an hour that had begun when it was written.

    Raises:
        ProofError: it is too late.
    """
    hour_ns, deadline_ns = said.time_ns("hour"), said.time_ns("deadline")
    if hour_ns > said.at_ns:
        raise said.broken("its hour had not begun")
    if deadline_ns > hour_ns + _LONGEST_NS:
        raise said.broken("it is kept for longer than 120 hours")
    return deadline_ns


def _by_hour(history: History, kind: str) -> defaultdict[tuple[str, str], list[Said]]:
    found: defaultdict[tuple[str, str], list[Said]] = defaultdict(list)
    for said in history.all(kind):
        found[said.text("camera"), said.text("hour")].append(said)
    return found
