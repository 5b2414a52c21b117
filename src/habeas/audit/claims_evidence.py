"""Claims on evidence: whose it is, under what it is searched, and that it goes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from habeas.audit.claims_policy import MAXIMA
from habeas.audit.claims_shared import ASKED, DISCARD_NS, ENDS, SKEW_NS, check_done, is_evidence, names_of
from habeas.audit.history import History, Said
from habeas.types import HOUR_NS

_LONGEST_NS: Final = round(MAXIMA["footage_h"] * HOUR_NS)
_GONE: Final = ("evidence.discarded", "evidence.destroyed")


def evidence(history: History) -> int:
    """8.21 Evidence is searched under one authorisation of whoever handed it in, and goes with it ("Authorisation")."""
    asked = _asked(history)
    for name, by in asked.items():
        _check_asked(history, name, by)
    for said in history.all("footage.search-began"):
        _check_there(history, said, asked)
    uploaded = history.all("evidence.uploaded")
    for said in uploaded:
        _check_gone(history, said, asked.get(said.text("evidence"), ()))
    return len(uploaded)


def _asked(history: History) -> Mapping[str, list[Said]]:
    """Return what names each piece of evidence, in their order."""
    found: defaultdict[str, list[Said]] = defaultdict(list)
    for said in history.all(*ASKED):
        for name in filter(is_evidence, names_of(said)):
            found[name].append(said)
    return found


def _check_asked(history: History, name: str, asked: Sequence[Said]) -> None:
    """Check that one authorisation names it, alone, as it was handed in by whoever asks, while it was there."""
    for said in asked:
        before = [one for one in history.about(name, "evidence.uploaded") if one.seq < said.seq]
        if len(before) != 1:
            raise said.broken("nobody handed in what it names")
        given = before[0]
        if said.items("cameras") != [[name, given.text("sha256")]] or said.text("kind") != "retrospective":
            raise said.broken("it names other evidence than was handed in, or not by itself")
        if any(said.text(end) != given.text(end) for end in ("from", "until")):
            raise said.broken("it is for another interval than that of its evidence")
        if history.person(said.text("requester")) != history.person(given.actor):
            raise said.broken("somebody else handed in its evidence")
        if said.text("authorisation") != asked[0].text("authorisation"):
            raise said.broken("another authorisation names its evidence")
        if any(one.seq < said.seq for one in history.about(name, *_GONE)):
            raise said.broken("its evidence was gone")


def _check_there(history: History, said: Said, asked: Mapping[str, Sequence[Said]]) -> None:
    """Check that evidence was there when its search began."""
    mine = [name for name, by in asked.items() if by[0].text("authorisation") == said.text("authorisation")]
    for name in mine:
        deadlines = history.about(name, "evidence.uploaded", "evidence.shortened")
        late = any(one.seq < said.seq and one.time_ns("deadline") <= said.at_ns for one in deadlines)
        if late or any(one.seq < said.seq for one in history.about(name, *_GONE)):
            raise said.broken("its evidence was gone")


def _check_gone(history: History, said: Said, asked: Sequence[Said]) -> None:
    name, deadline_ns = said.text("evidence"), said.time_ns("deadline")
    if deadline_ns > said.at_ns + _LONGEST_NS + SKEW_NS:
        raise said.broken("it is kept for longer than 120 hours")
    for one in history.about(name, "evidence.shortened"):
        if one.time_ns("deadline") > deadline_ns:
            raise one.broken("it lengthens what it is to shorten")
        deadline_ns = one.time_ns("deadline")
    ends = history.about(asked[0].text("authorisation"), *ENDS) if asked else []
    due_ns = min([deadline_ns, *(one.at_ns for one in (*ends, *history.about(name, "evidence.discarded")))])
    done = history.about(name, "evidence.destroyed")
    check_done(history, said, due_ns, DISCARD_NS, done, "nothing says that it was destroyed on time")
