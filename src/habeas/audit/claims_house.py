"""Claims on who may do what: how roles came about, which combine, and who lifted a suspension."""

from collections import defaultdict
from typing import Final

from habeas.audit.claims_shared import SKEW_NS, TWO, check_carried
from habeas.audit.history import FIRST, History, Said
from habeas.types import DAY_NS, HOUR_NS

_ALONE: Final = frozenset({"admin", "privacy"})
_APART: Final = frozenset({"operator", "auditor"})


def roles(history: History) -> int:
    """8.6 A role takes two holders of roles, no admins, not its holder, and is usable after 24 h ("Roles")."""
    for said in history.all(FIRST):
        if not history.is_first(said):
            raise said.broken("only `init` grants first roles, before the node runs")
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
        if len(persons) < TWO:
            raise said.broken("one person proposed and approved it")
        if history.person(said.text("account")) in persons:
            raise said.broken("its holder granted it")
        _check_granters(history, proposed[-1], said)
        if said.time_ns("usable_from") - said.at_ns < DAY_NS:
            raise said.broken("it does not wait for 24 h")
    return len(granted)


def _check_granters(history: History, proposed: Said, granted: Said) -> None:
    for one in (proposed, granted):
        held = history.roles(one.actor, one, granted.seq)
        if not held or "admin" in held:
            raise granted.broken("two holders of roles who are no admins did not grant it")


def _grant(said: Said) -> dict[str, object]:
    return {"account": said.text("account"), "role": said.text("role"), "zones": said.items("zones")}


def combined(history: History) -> int:
    """8.11 `admin` and `privacy` combine with nothing, nor `operator` with `auditor`, over all accounts ("Roles")."""
    accounts: dict[str, set[str]] = defaultdict(set)
    for added in history.all("account.added"):
        accounts[history.person(added.text("account"))].add(added.text("account"))
    granted = history.all("role.granted", FIRST)
    for said in granted:
        account = said.text("account")
        theirs = accounts[history.person(account)] | {account}
        held = {one.text("role") for name in theirs for one in history.granted(name, said.seq + 1)}
        if (held & _ALONE and len(held) > 1) or held >= _APART:
            raise said.broken("one person holds roles that do not combine")
    return len(granted)


def lifted(history: History) -> int:
    """8.7 Two privacy officers lift a suspension early, 60 minutes ahead ("Suspension")."""
    for carried in history.all("suspension.carried"):
        check_carried(history, carried, "suspensions")
    lifts = history.all("suspension.lifted")
    for said in lifts:
        first = [
            one
            for one in history.about(said.text("suspension"), "suspension.lift-proposed")
            if one.seq < said.seq and said.at_ns - one.at_ns < DAY_NS + SKEW_NS
        ]
        officers = [one.actor for one in (*first[-1:], said) if history.held(one.actor, "privacy", one, said.seq)]
        if len(history.persons(officers)) < TWO:
            raise said.broken("two privacy officers did not say so")
        if said.time_ns("from") - said.at_ns < HOUR_NS:
            raise said.broken("it takes effect within 60 minutes")
    return len(lifts)
