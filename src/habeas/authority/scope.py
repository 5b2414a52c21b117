"""What an authorisation may ask for, and how many people it takes (product.md, "Authorisation"). Pure.

Every function says no with the name of its rule; none reads a clock, a database or a setting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from habeas.authority.listing import Listing, camera_hours, listed_days
from habeas.authority.policy import Ceilings
from habeas.authority.purposes import FOR_LIFE, Purpose
from habeas.errors import InputError, RuleError
from habeas.types import DAY_NS, HOUR_NS, NS_PER_S

SMALL_INSTALLATION: Final = 20
WHOLE_INSTALLATION_NS: Final = 72 * HOUR_NS
CONSENT_ONE: Final = (3, 24 * HOUR_NS)
"""Cameras and time of a consent that one approver may start."""
CONSENT_TWO: Final = (10, 30 * DAY_NS)
URGENT_NS: Final = 24 * HOUR_NS
URGENT_EVERY_NS: Final = 30 * DAY_NS
CHAIN_DAYS: Final = 60
CHAIN_NS: Final = 365 * DAY_NS
CHAIN_CAMERA_HOURS: Final = 120.0
CHAIN_CAMERA_NS: Final = 30 * DAY_NS
RETROSPECT_NS: Final = 120 * HOUR_NS
RETROSPECTIVE_OPEN_NS: Final = 72 * HOUR_NS
"""How long an approved retrospective search may wait to be run."""
_LATE_NS: Final = 300 * NS_PER_S
"""A window may begin this long before it is asked for: typing takes time."""


@dataclass(frozen=True)
class Ask:
    """What an authorisation asks for.

    Args:
        live: watch cameras; else search footage.
        purpose: why.
        cameras: how many.
        from_ns: first instant, of watching or of footage.
        until_ns: first instant after.
        urgent: start with one approver.
        minors: how many subjects are under age.
        subjects: how many subjects.
        has_decision: the document of a court or authority was given.
        evidence: what is searched was handed in, and was taken when its requester says.
    """

    live: bool
    purpose: Purpose
    cameras: int
    from_ns: int
    until_ns: int
    urgent: bool
    minors: int
    subjects: int
    has_decision: bool
    evidence: bool = False

    @property
    def lasts_ns(self) -> int:
        """Length of the window."""
        return self.until_ns - self.from_ns


def check_ask(ask: Ask, ceilings: Ceilings, now_ns: int, *, asked_at_ns: int) -> None:
    """Check all that does not depend on other authorisations.

    Args:
        ask: what is asked.
        ceilings: of the policy in force.
        now_ns: Unix ns.
        asked_at_ns: when it was drafted: that time passed since, waiting for approval, spoils nothing.

    Raises:
        InputError: a window that ends before it begins or lies in the past; nobody or nowhere to look.
        RuleError: a purpose, length, or minor that may not be.
    """
    if ask.subjects < 1 or ask.cameras < 1:
        raise InputError("this names nobody, or no camera", remedy="there is no `everywhere`: name whom and where")
    if ask.evidence and (ask.live or ask.cameras > 1):
        raise InputError("evidence is searched once, by itself", remedy="name no camera: --kind retrospective")
    _check_window(ask, now_ns, asked_at_ns)
    if ask.purpose.value not in ceilings.purposes:
        raise RuleError(
            f"the policy does not permit {ask.purpose.value}", rule="purpose", remedy="see `habeas policy show`"
        )
    if ask.live and ask.lasts_ns > ceilings.authorisation_h * HOUR_NS:
        raise RuleError(
            f"longer than the {ceilings.authorisation_h} h of the policy",
            rule="authorisation-ceiling",
            remedy="ask for less, and renew it when the time comes",
        )
    if ask.live and ask.until_ns > now_ns + ceilings.authorisation_h * HOUR_NS:
        raise RuleError(
            f"it ends more than the {ceilings.authorisation_h} h of the policy from now",
            rule="authorisation-ceiling",
            remedy="ask when the time comes: nobody is listed for later than that",
        )
    if ask.minors and ask.purpose not in FOR_LIFE:
        raise RuleError(
            f"a minor is not looked for under {ask.purpose.value}",
            rule="minor",
            remedy="only as missing-person or threat-to-life",
        )
    if ask.purpose is Purpose.CONSENT:
        _check_consent(ask)


def _check_window(ask: Ask, now_ns: int, asked_at_ns: int) -> None:
    if ask.until_ns <= ask.from_ns:
        raise InputError("this window ends before it begins", remedy="give --until after --from")
    if ask.live and ask.until_ns <= now_ns:
        raise InputError("this window lies in the past", remedy="live recognition looks ahead: give a later --until")
    if ask.live and ask.from_ns < asked_at_ns - _LATE_NS:
        raise InputError("this window begins in the past", remedy="give --from now, or later")
    since_ns = 0 if ask.evidence else now_ns - RETROSPECT_NS
    if not ask.live and not since_ns <= ask.from_ns < ask.until_ns <= now_ns:
        raise InputError("this interval holds no footage", remedy="footage is of the last 120 h at most")


def _check_consent(ask: Ask) -> None:
    cameras, lasts_ns = CONSENT_TWO
    if not ask.live:
        raise RuleError("consent is for live recognition", rule="consent-scope", remedy="ask for an access request")
    if ask.urgent:
        raise RuleError("consent is never urgent", rule="urgent", remedy="have it approved")
    if ask.cameras > cameras or ask.lasts_ns > lasts_ns:
        raise RuleError(
            f"consent reaches {cameras} cameras and 30 days at most", rule="consent-scope", remedy="ask for less"
        )


@dataclass(frozen=True)
class Others:
    """What else is live, for the ceilings that count all together.

    Args:
        delivering: cameras that gave frames within a day.
        installed: cameras of the installation.
        cameras: distinct sources under live authorisations that are not for life, this one's included.
        subjects: live subjects, this one's included.
    """

    delivering: int
    installed: int
    cameras: int
    subjects: int


def covers_all_for_life(ask: Ask, installed: int) -> bool:
    """Tell whether a small installation may use all its cameras for this."""
    return ask.purpose in FOR_LIFE and installed < SMALL_INSTALLATION and ask.lasts_ns <= WHOLE_INSTALLATION_NS


def check_ceilings(ask: Ask, ceilings: Ceilings, others: Others) -> None:
    """Check how much would be watched, alone and with all others.

    Raises:
        RuleError: too many cameras or subjects.
    """
    if others.subjects > ceilings.subjects:
        raise RuleError(
            f"{others.subjects} people would be looked for at once, {ceilings.subjects} may be",
            rule="subject-ceiling",
            remedy="wait until another authorisation ends, or end one",
        )
    if not ask.live or covers_all_for_life(ask, others.installed):
        return
    one = _allowed(ceilings.cameras_one, ceilings.share_one, others.delivering)
    if ask.cameras > one:
        raise RuleError(
            f"{ask.cameras} cameras, {one} may be named in one authorisation",
            rule="camera-ceiling",
            remedy="name the places where the person may be; a share counts only cameras that gave frames in 24 h",
        )
    every = _allowed(ceilings.cameras_all, ceilings.share_all, others.delivering)
    if others.cameras > every:
        raise RuleError(
            f"{others.cameras} cameras would be searched by all authorisations together, {every} may be",
            rule="camera-ceiling-all",
            remedy="wait until another authorisation ends, or name cameras that are searched already",
        )


def _allowed(cameras: int, share: float, delivering: int) -> int:
    return max(cameras, int(share * delivering + 1e-9))


def over_chain(ask: Ask, listings: Sequence[Listing], start_ns: int) -> bool:
    """Tell whether this would list a person longer than one chain may.

    More than 60 listed days in 365, or 120 camera-hours of footage in 30 days: a third approval and a court document.

    Args:
        ask: what is asked.
        listings: of the same person, this one not among them.
        start_ns: when this one started; now, if it did not.
    """
    if ask.live:
        since_ns = ask.until_ns - CHAIN_NS
        windows = [(max(one.from_ns, since_ns), one.until_ns) for one in listings if one.live]
        return listed_days([*windows, (max(ask.from_ns, start_ns), ask.until_ns)]) > CHAIN_DAYS
    recent = [one.camera_hours for one in listings if not one.live and one.from_ns > start_ns - CHAIN_CAMERA_NS]
    return sum(recent) + camera_hours(ask.cameras, ask.from_ns, ask.until_ns) > CHAIN_CAMERA_HOURS


def check_urgent(listings: Sequence[Listing], now_ns: int) -> None:
    """Check that nobody named was started urgently within 30 days.

    Raises:
        RuleError: somebody was.
    """
    if any(one.urgent and one.from_ns > now_ns - URGENT_EVERY_NS for one in listings):
        raise RuleError(
            "an urgent start comes once in 30 days for a person",
            rule="urgent",
            remedy="have it approved in the ordinary way",
        )


def check_chain(ask: Ask) -> None:
    """Check that a listing beyond the chain's limits has its document and is not urgent.

    Raises:
        RuleError: it lacks it, or is.
    """
    if ask.urgent or not ask.has_decision:
        raise RuleError(
            "this person would be listed on more than 60 days in 365, or searched for in 120 camera-hours in 30 days",
            rule="chain",
            remedy="it takes a court document (--decision) and a third approval, and is never urgent",
        )


@dataclass(frozen=True)
class Consented:
    """What one person consents to, this one and others together: slices count as what they are sliced from.

    Args:
        cameras: distinct sources.
        lasts_ns: of all windows, one after the other.
    """

    cameras: int
    lasts_ns: int


def check_consented(consented: Consented) -> None:
    """Check how much one person consents to in all.

    Raises:
        RuleError: too many cameras.
    """
    cameras, _lasts_ns = CONSENT_TWO
    if consented.cameras > cameras:
        raise RuleError(
            f"this person would consent to {consented.cameras} cameras in all, {cameras} may be",
            rule="consent-scope",
            remedy="wait a day after others of this person began, and until they are over",
        )


def approvals_needed(ask: Ask, consented: Consented, *, chained: bool) -> int:
    """Return how many distinct approvers it takes.

    Args:
        ask: what is asked.
        consented: for a consent: of the person who consents to most.
        chained: somebody would be listed longer than one chain may.
    """
    cameras, lasts_ns = CONSENT_ONE
    small = consented.cameras <= cameras and consented.lasts_ns <= lasts_ns
    if ask.purpose is Purpose.CONSENT and small and not chained:
        return 1
    return 2 + (1 if ask.minors else 0) + (1 if chained else 0)
