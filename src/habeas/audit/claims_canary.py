"""Claims on canaries: that recognition was tested while it ran, and answered nowhere else."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from habeas.audit.claims_alerts import suspends
from habeas.audit.claims_shared import ASKED, ENDS
from habeas.audit.history import History, Said
from habeas.types import HOUR_NS, utc

_AT_LEAST_NS: Final = 2 * HOUR_NS
"""One canary for so much analysed time: they are hourly, and one may wait for room in a picture."""
_DAY_TEXT: Final = 10
_SUSPENDED: Final = "suspension.imposed"
Windows = Mapping[str, Sequence[tuple[int, int]]]
"""By camera, when something might be compared on it: first instant, and first after."""


def canaries(history: History) -> int:
    """8.14 Recognition answers a canary at least every two analysed hours, and where it may ("Proof")."""
    for leaked in history.all("canary.leaked"):
        raise leaked.broken("recognition answered where nothing might be compared")
    windows, suspended = _windows(history), _suspended(history)
    tested: Counter[tuple[str, str]] = Counter()
    seen = 0
    for said, one in _seen(history):
        _check_permitted(history, one, windows, suspended)
        tested[one.text("camera"), _day(said)] += 1
        seen += 1
    for said in history.all("canary.missed"):
        tested[said.text("camera"), _day(said)] += 1
    for said in history.all("camera.counted"):
        _check_tested(said, tested)
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
            until_ns = min([said.time_ns("ends"), asked[-1].time_ns("until"), *ended])
            for pair in asked[-1].items("cameras"):
                if isinstance(pair, list) and pair:
                    found[str(pair[0])].append((max(said.at_ns, asked[-1].time_ns("from")), until_ns))
    return found


def _suspended(history: History) -> list[tuple[int, int]]:
    """Return the times of all suspensions joined, in their order: outside of them none has to be looked at."""
    joined: list[tuple[int, int]] = []
    for from_ns, until_ns in sorted((one.time_ns("from"), one.time_ns("until")) for one in history.all(_SUSPENDED)):
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
        earlier = [imposed for imposed in history.all(_SUSPENDED) if imposed.seq < one.seq]
        if any(suspends(history, imposed, one, captured_ns, lifts=True) for imposed in earlier):
            raise one.broken("this camera was suspended")


def _check_tested(said: Said, tested: Mapping[tuple[str, str], int]) -> None:
    analysed_ns = said.body.get("analysed_ns")
    if type(analysed_ns) is not int:
        raise said.broken("it does not say how long was analysed")
    found = tested.get((said.text("camera"), said.text("day")), 0)
    if found < analysed_ns // _AT_LEAST_NS:
        raise said.broken(f"{found} canaries in {analysed_ns // HOUR_NS} analysed hours")
