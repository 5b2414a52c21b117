"""What should be so: the life of authorisations as product.md says it, in plain Python, without the code under test.

Times are Unix nanoseconds. A command says whether it is permitted, and if so what is so afterwards.
"""

from dataclasses import dataclass, field
from itertools import count
from typing import Final

HOUR: Final = 3600 * 10**9
DAY: Final = 24 * HOUR
ZONE_OF: Final = {"c1": "gate", "c2": "gate", "c3": "gate", "c4": "hall", "c5": "hall", "c6": "hall"}
LIFE: Final = {"missing-person", "threat-to-life"}
OVER: Final = {"refused", "revoked", "expired"}
MINORS: Final = {"Tim"}


@dataclass
class Staff:
    """An account of somebody who works here."""

    person: str
    role: str
    usable_from: int | None = 0
    disabled: bool = False
    proposals: list[tuple[str, int]] = field(default_factory=list)

    def has(self, role: str, now: int) -> bool:
        return not self.disabled and self.role == role and self.usable_from is not None and self.usable_from <= now

    def had_since(self, role: str, at: int) -> bool:
        return not self.disabled and self.role == role and self.usable_from is not None and self.usable_from <= at


@dataclass
class Listed:
    """An authorisation."""

    who: str
    requester: str
    purpose: str
    cameras: frozenset[str]
    start: int
    until: int
    urgent: bool
    decision: bool
    created: int
    code: str | None = None
    renews: str | None = None
    state: str = "draft"
    started: int | None = None
    ends: int | None = None
    ended: int | None = None
    confirmed: bool = False
    version: int = 0
    yes: list[tuple[str, str, int, int]] = field(default_factory=list)
    """Account, person, when, of which version."""

    @property
    def due(self) -> int:
        if self.state == "active":
            return self.ends or 0
        return min(self.created + 7 * DAY, self.until)

    @property
    def all_cameras_for_life(self) -> bool:
        return self.purpose in LIFE and self.until - self.start <= 72 * HOUR  # of an installation of six


@dataclass
class Pause:
    """A suspension."""

    cameras: frozenset[str]
    zones: frozenset[str]
    start: int
    until: int
    first: tuple[str, int] | None = None
    lifted: int | None = None

    def binds(self, camera: str, at: int) -> bool:
        where = camera in self.cameras or ZONE_OF[camera] in self.zones
        return where and self.start <= at < min(self.until, self.lifted if self.lifted is not None else self.until)


@dataclass
class Version:
    """A policy."""

    number: int
    purposes: frozenset[str]
    hours: int
    by: str
    proposed: int
    based_on: int
    effective: int | None = None
    void: bool = False
    yes: list[tuple[str, str, int]] = field(default_factory=list)


class Model:
    """What should be so."""

    def __init__(self, now: int, staff: dict[str, Staff], purposes: frozenset[str]) -> None:
        self.now = now
        self.staff = staff
        self.listed: dict[str, Listed] = {}
        self.pauses: dict[str, Pause] = {}
        self.policies = {"first": Version(1, purposes, 720, "init", now, 0, effective=now)}
        self.trusted = True
        self.jump = 0
        self.jump_yes: list[tuple[str, str, int]] = []
        self._versions = count(1)

    # --- what holds now -----------------------------------------------------------------------------------------------

    @property
    def policy(self) -> Version:
        due = [one for one in self.policies.values() if not one.void and (one.effective or 2**62) <= self.now]
        return max(due, key=lambda one: (one.effective or 0, one.number))

    def has(self, who: str, *roles: str) -> bool:
        return any(self.staff[who].has(role, self.now) for role in roles)

    def searched(self, camera: str) -> set[str]:
        if not self.trusted or any(pause.binds(camera, self.now) for pause in self.pauses.values()):
            return set()
        return {name for name, one in self.listed.items() if camera in one.cameras and self._is_searched(one)}

    def _is_searched(self, one: Listed) -> bool:
        if one.state != "active" or one.purpose not in self.policy.purposes:
            return False
        begins = max(one.start, one.started or 0)
        return begins <= self.now < min(one.until, one.ends or 0, begins + self.policy.hours * HOUR)

    def over(self, name: str) -> bool:
        return self.listed[name].state in OVER

    def _persons(self, one: Listed) -> set[str]:
        counted = [yes for yes in one.yes if yes[3] == one.version]
        return {person for account, person, at, _ in counted if self.staff[account].had_since("approver", at)}

    # --- authorisations -----------------------------------------------------------------------------------------------

    def _may_be(self, one: Listed) -> bool:
        """What does not depend on others."""
        lasts = one.until - one.start
        small = one.purpose != "consent" or (len(one.cameras) <= 10 and lasts <= 30 * DAY and not one.urgent)
        minor = one.who in MINORS and one.purpose not in LIFE
        longest = self.policy.hours * HOUR
        fits = 0 < lasts <= longest and self.now < one.until <= self.now + longest
        return bool(one.cameras) and fits and small and not minor and one.purpose in self.policy.purposes

    def _may_be_alone(self, one: Listed) -> bool:
        """As if nothing else ran."""
        return self._may_be(one) and (one.all_cameras_for_life or len(one.cameras) <= 5)

    def _others(self, name: str) -> list[Listed]:
        return [one for key, one in self.listed.items() if key != name]

    def _chained(self, name: str) -> bool:
        one = self.listed[name]
        days: set[int] = set()
        since = one.until - 365 * DAY
        spans = [(max(one.start, one.started if one.started is not None else self.now), one.until)]
        for other in self._others(name):
            if other.who == one.who and other.started is not None:
                end = other.until if other.ended is None else min(other.until, other.ended)
                spans.append((max(other.start, other.started, since), end))
        for start, end in spans:
            if end > start:
                days |= set(range(start // DAY, (end - 1) // DAY + 1))
        return len(days) > 60

    def _needed(self, name: str) -> int | None:
        """How many persons it takes now; None: it may not be."""
        one = self.listed[name]
        if not self._may_be(one):
            return None
        if not one.all_cameras_for_life:
            together = set(one.cameras)
            for other in self._others(name):
                if other.state == "active" and not other.all_cameras_for_life:
                    together |= other.cameras
            if len(one.cameras) > 5 or len(together) > 5:
                return None
        recently = [
            other
            for other in self._others(name)
            if other.urgent and other.who == one.who and other.started is not None
            if max(other.started, other.start) > self.now - 30 * DAY
        ]
        chained = self._chained(name)
        if (one.urgent and recently) or (chained and (one.urgent or not one.decision)):
            return None
        if one.purpose == "consent" and not chained and self._small_in_all(name):
            return 1
        return 2 + (one.who in MINORS) + chained

    def _small_in_all(self, name: str) -> bool:
        """Whether one person's consents together are what one approver may start."""
        one = self.listed[name]
        cameras, lasts = set(one.cameras), one.until - one.start
        for other in self._others(name):
            waits = other.state == "submitted"
            recent = other.started is not None and (other.state == "active" or other.started > self.now - DAY)
            if other.who == one.who and other.purpose == "consent" and (waits or recent):
                cameras |= other.cameras
                end = other.until if other.ended is None else min(other.until, other.ended)
                lasts += max(0, end - max(other.start, other.started or 0))
        return len(cameras) <= 3 and lasts <= DAY

    def draft(self, name: str, who: str, one: Listed) -> bool:
        """`name` is given once it is known."""
        if not self.has(who, "requester") or not self._may_be_alone(one):
            return False
        self.listed[name] = one
        return True

    def _own(self, name: str, who: str, *states: str) -> bool:
        one = self.listed[name]
        mine = self.has(who, "requester") and one.requester == self.staff[who].person
        return mine and one.state in states and self.now < one.due

    def amend(self, name: str, who: str, until: int, cameras: frozenset[str]) -> bool:
        one = self.listed[name]
        before = one.until, one.cameras
        if not self._own(name, who, "draft", "submitted"):
            return False
        one.until, one.cameras = until, cameras
        if not self._may_be_alone(one):
            one.until, one.cameras = before
            return False
        one.version = next(self._versions)
        return True

    def submit(self, name: str, who: str) -> bool:
        may = self._own(name, who, "draft") and self._needed(name) is not None
        if may:
            self.listed[name].state = "submitted"
        return may

    def approve(self, name: str, who: str, version: int) -> bool:
        one, person = self.listed[name], self.staff[who].person
        waits = one.state == "submitted" or (one.state == "active" and not one.confirmed)
        if not (self.has(who, "approver") and waits and self.now < one.due and person != one.requester):
            return False
        needed = self._needed(name)
        if needed is None or version != one.version or person in self._persons(one):
            return False
        one.yes.append((who, person, self.now, version))
        if len(self._persons(one)) >= needed:
            one.confirmed = True
            self._start(one, one.until)
        elif one.urgent and one.state == "submitted":
            self._start(one, min(self.now + DAY, one.until))
        return True

    def _start(self, one: Listed, ends: int) -> None:
        one.state, one.ends = "active", ends
        one.started = one.started if one.started is not None else self.now

    def refuse(self, name: str, who: str) -> bool:
        one = self.listed[name]
        waits = one.state == "submitted" or (one.state == "active" and not one.confirmed)
        may = self.has(who, "approver") and waits and self.staff[who].person != one.requester
        return self._end(one, "refused") if may else False

    def revoke(self, name: str, who: str) -> bool:
        one = self.listed[name]
        own = self.has(who, "requester") and self.staff[who].person == one.requester
        may = one.state not in OVER and (own or self.has(who, "approver", "privacy"))
        return self._end(one, "revoked") if may else False

    def _end(self, one: Listed, state: str) -> bool:
        one.state, one.ended = state, self.now
        return True

    def renewed(self, name: str, until: int) -> Listed:
        old = self.listed[name]
        start = max(old.until, self.now)
        code = None
        return Listed(
            old.who, old.requester, old.purpose, old.cameras, start, until, False, old.decision, self.now, code, name
        )

    def may_renew(self, name: str, who: str, until: int) -> bool:
        open_states = ("draft", "submitted", "active")
        return self._own(name, who, *open_states) and self._may_be_alone(self.renewed(name, until))

    def end_code(self, name: str) -> bool:
        chain = [name]
        for one in chain:
            chain += [key for key, other in self.listed.items() if other.renews == one]
        left = [one for one in chain if not self.over(one)]
        for one in left:
            self._end(self.listed[one], "revoked")
        return bool(left)

    def tick(self) -> None:
        """What the clock ends, and what the policy does not permit any more."""
        for one in self.listed.values():
            if one.state in OVER:
                continue
            if self.now < one.due:
                too_long = self.now >= max(one.start, one.started or 0) + self.policy.hours * HOUR
                if one.state == "active" and (too_long or one.purpose not in self.policy.purposes):
                    self._end(one, "expired")
                continue
            unconfirmed = one.state == "submitted" or (one.state == "active" and not one.confirmed)
            self._end(one, "refused" if unconfirmed else "expired")

    # --- suspensions --------------------------------------------------------------------------------------------------

    def may_suspend(self, who: str, start: int) -> bool:
        return self.has(who, "privacy") and start >= self.now - 120 * HOUR

    def lift(self, name: str, who: str) -> bool:
        pause = self.pauses[name]
        if not self.has(who, "privacy") or pause.lifted is not None or self.now >= pause.until:
            return False
        first = pause.first
        if first is None or self.now - first[1] >= DAY or not self.has(first[0], "privacy"):
            pause.first = (who, self.now)
            return True
        if self.staff[first[0]].person == self.staff[who].person:
            return False
        pause.lifted = self.now + HOUR
        return True

    # --- people -------------------------------------------------------------------------------------------------------

    def grant(self, name: str, by: str) -> bool:
        staff, granter = self.staff[name], self.staff[by]
        holds = granter.has(granter.role, self.now) and granter.role != "admin"
        if not holds or granter.person == staff.person or staff.disabled:
            return False
        waiting = [one for one in staff.proposals if one[1] >= self.now - 7 * DAY]
        if not waiting:
            staff.proposals.append((by, self.now))
            return True
        proposer = self.staff[waiting[0][0]]
        if not proposer.has(proposer.role, self.now) or proposer.person == granter.person:
            return False
        staff.proposals.remove(waiting[0])
        held = staff.usable_from
        staff.usable_from = self.now + DAY if held is None else min(held, self.now + DAY)
        return True

    def revoke_role(self, name: str) -> bool:
        staff = self.staff[name]
        may = staff.usable_from is not None or bool(staff.proposals)
        staff.usable_from, staff.proposals = None, []
        return may

    def disable(self, name: str) -> None:
        self.revoke_role(name)
        self.staff[name].disabled = True

    # --- policy -------------------------------------------------------------------------------------------------------

    def propose(self, who: str, purposes: frozenset[str], hours: int) -> Version | None:
        if not self.has(who, "approver", "privacy"):
            return None
        number = max(one.number for one in self.policies.values()) + 1
        return Version(number, purposes, hours, who, self.now, self.policy.number)

    def approve_policy(self, name: str, who: str) -> bool:
        one, person = self.policies[name], self.staff[who].person
        stale = one.effective is not None or one.based_on != self.policy.number or self.now - one.proposed >= 7 * DAY
        if not self.has(who, "approver") or stale or person == self.staff[one.by].person:
            return False
        if person in self._policy_persons(one):
            return False
        one.yes.append((who, person, self.now))
        if len(self._policy_persons(one)) < 2:
            return True
        old = self.policy
        for other in self.policies.values():
            if other.effective is not None and other.effective > self.now:
                other.void = True
        tighter = one.purposes <= old.purposes and one.hours <= old.hours
        one.effective = self.now + (0 if tighter else DAY)
        return True

    def _policy_persons(self, one: Version) -> set[str]:
        return {person for account, person, at in one.yes if self.staff[account].had_since("approver", at)}

    # --- clock --------------------------------------------------------------------------------------------------------

    def confirm_clock(self, who: str) -> bool | None:
        """Return whether it is confirmed now; None: this person may not say so."""
        person = self.staff[who].person
        said = {name for account, name, at in self.jump_yes if self.staff[account].had_since("approver", at)}
        if self.trusted or not self.has(who, "approver") or person in said:
            return None
        self.jump_yes.append((who, person, self.now))
        return len(said) >= 1
