"""Claims on canaries: that recognition was tested while it ran, and answered nowhere else."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from habeas.audit.claims_alerts import suspends
from habeas.audit.claims_shared import ASKED, ENDS
from habeas.audit.history import IMPOSED, History, Said
from habeas.clock import ns_of_utc
from habeas.errors import InputError
from habeas.types import DAY_NS, HOUR_NS, NS_PER_S, utc

_AT_LEAST_NS: Final = 2 * HOUR_NS
"""One canary for so much analysed time: they are hourly, and one may wait for room in a picture."""
_APART_NS: Final = 6 * NS_PER_S
"""How far the clock of a picture and the time of entries may be apart: they are one clock's, but for small steps."""
_DAY_TEXT, _HOUR_TEXT = 10, 13
Windows = Mapping[str, Sequence[tuple[int, int]]]
"""By camera, when something might be compared on it: first instant, and first after."""


def canaries(history: History) -> int:
    """8.14 A canary is tried at least every two analysed hours; none is answered where none may be ("Proof")."""
    for leaked in history.all("canary.leaked"):
        raise leaked.broken("recognition answered where nothing might be compared")
    windows, suspended = _windows(history), _suspended(history)
    hours: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    seen = 0
    for said, one in _seen(history):
        _check_permitted(history, one, windows, suspended)
        hours[one.text("camera"), _day(said)].add(utc(said.at_ns)[:_HOUR_TEXT])
        seen += 1
    for said in history.all("canary.missed"):
        hours[said.text("camera"), _day(said)].add(utc(said.at_ns)[:_HOUR_TEXT])
    for said in history.all("camera.counted"):
        _check_tested(history, said, hours)
    return seen


def _day(said: Said) -> str:
    return utc(said.at_ns)[:_DAY_TEXT]


def _seen(history: History) -> Iterator[tuple[Said, Said]]:
    """Yield each entry with each camera that it lists, as if that had an entry of its own."""
    for said in history.all("canary.seen"):
        for camera in said.items("cameras"):
            if not isinstance(camera, dict):
                raise said.broken("it does not list cameras")
            yield said, replace(said, body=camera)


def _windows(history: History) -> Windows:
    found: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for said in history.all("authorisation.active"):
        asked = [one for one in history.about(said.text("authorisation"), *ASKED) if one.seq < said.seq]
        if asked:
            ended = [one.at_ns for one in history.about(said.text("authorisation"), *ENDS) if one.seq > said.seq]
            until_ns = min([said.time_ns("ends"), asked[-1].time_ns("until"), *ended]) + _APART_NS
            from_ns = max(said.at_ns, asked[-1].time_ns("from")) - _APART_NS
            for pair in asked[-1].items("cameras"):
                if isinstance(pair, list) and pair:
                    found[str(pair[0])].append((from_ns, until_ns))
    return found


def _suspended(history: History) -> list[tuple[int, int]]:
    """Return the times of all suspensions joined, in their order: outside of them none has to be looked at."""
    joined: list[tuple[int, int]] = []
    for from_ns, until_ns in sorted((one.time_ns("from"), one.time_ns("until")) for one in history.all(*IMPOSED)):
        if joined and from_ns <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], until_ns)
        else:
            joined.append((from_ns, until_ns))
    return joined


def _check_permitted(history: History, one: Said, windows: Windows, suspended: Sequence[tuple[int, int]]) -> None:
    captured_ns = one.time_ns("captured_at")
    here = windows.get(one.text("camera"), ())
    if not any(from_ns <= captured_ns < until_ns for from_ns, until_ns in here):
        raise one.broken("nothing might be compared on this camera")
    number = bisect_right(suspended, captured_ns, key=lambda window: window[0]) - 1
    if number >= 0 and captured_ns < suspended[number][1]:
        earlier = [imposed for imposed in history.all(*IMPOSED) if imposed.seq < one.seq]
        if any(suspends(history, imposed, one, captured_ns, lifts=True) for imposed in earlier):
            raise one.broken("this camera was suspended")


def _check_tested(history: History, said: Said, hours: Mapping[tuple[str, str], set[str]]) -> None:
    """Check that canaries were tried in enough hours of a day; a node that could write no entry tried none."""
    analysed_ns, day = said.body.get("analysed_ns"), said.text("day")
    if type(analysed_ns) is not int:
        raise said.broken("it does not say how long was analysed")
    try:
        from_ns = ns_of_utc(f"{day}T00:00:00Z")
    except InputError:
        raise said.broken("day is no day") from None
    found, dumb_ns = hours.get((said.text("camera"), day), set()), history.dumb_ns(from_ns, from_ns + DAY_NS)
    if len(found) < (analysed_ns - dumb_ns) // _AT_LEAST_NS:
        raise said.broken(f"canaries in {len(found)} hours of {analysed_ns // HOUR_NS} that were analysed")
