"""From what the log says to what the public may read of it. Pure; `delays` says what is shown, and how coarse.

Only people's roles, never their pseudonyms, and of people listed only their number, get here: what is not in these
records is not in the register.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from habeas.audit.checkpoint import SignedCheckpoint
from habeas.audit.note import VerifierKey, parse_key
from habeas.audit.policy import WitnessPolicy, believe
from habeas.audit.state import Alert, Authorisation, Camera, Policy, State, Suspension
from habeas.register.delays import (
    EVIDENCE,
    LATE_NS,
    by_month,
    cut_ns,
    day_of,
    day_start_ns,
    details_due,
    is_shown_by_day,
    month_end_ns,
    zones_shown,
)
from habeas.register.fold import Fold, Folds
from habeas.register.interval import wilson
from habeas.register.measured import MISSED, Missed, Promised, promised
from habeas.types import DAY_NS, NS_PER_S, utc

SCHEMA: Final = 1
OUTSIDERS: Final = 2
"""Fewer witnesses than these, and a log is called self-witnessed."""
_UNDECIDED: Final = ("open", "unconfirmed")


@dataclass(frozen=True)
class Stated:
    """What the operator says and no log can show. Empty: not stated."""

    operator: str = ""
    contact: str = ""
    url: str = ""
    description: str = ""


@dataclass(frozen=True)
class Head:
    """The last checkpoint. `witnesses`: names of those of the policy's who cosigned it, and when, the earliest."""

    origin: str
    key: str
    size: int
    checkpoint: str
    witnesses: tuple[str, ...]
    witnessed_at: str | None
    self_witnessed: bool


@dataclass(frozen=True)
class Zone:
    """Cameras that are shown together. `includes`: names of the zones; `purposes`: what they are there for."""

    zone: str
    includes: tuple[str, ...]
    cameras: int
    purposes: tuple[str, ...]


@dataclass(frozen=True)
class Ceilings:
    """A version of the policy. `state`: in force, replaced, announced, void."""

    number: int
    state: str
    effective_from: str
    ceilings: dict[str, object]


@dataclass(frozen=True)
class Listed:
    """An authorisation after its end. Days are UTC, `YYYY-MM-DD`; `decision`: uploaded, missing, not needed."""

    authorisation: str
    state: str
    kind: str
    purpose: str
    authority: str
    decision: str
    urgent: bool
    renewal: bool
    subjects: int
    cameras: int
    from_day: str
    until_day: str
    started_day: str | None
    ended_day: str


@dataclass(frozen=True)
class Pause:
    """A suspension, at once. `state`: ahead, in force, over, lifted."""

    suspension: str
    state: str
    zones: tuple[str, ...]
    cameras: tuple[str, ...]
    why: str
    since: str
    until: str
    imposed_at: str
    lift_proposed_at: str | None
    lifted_from: str | None


@dataclass(frozen=True)
class Rate:
    """False alerts a track, and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """What cameras of a zone came to in a period: a UTC day, or those days of a month that are not shown by day.

    Numbers are None where they are withheld: the row is of one day.

    Args:
        period: `YYYY-MM-DD` or `YYYY-MM`.
        zone: as shown.
        days: how many.
        analysed_s: seconds of video in which faces were looked for, over all cameras.
        faces: detections.
        tracks: faces followed and searched for.
        alerts: raised then.
        confirmed: of those, by two people.
        false: of those.
        open: of those, not decided yet, or never.
        rate: of false alerts; None: nothing was searched.
        gallery: fewest and most references that were compared with; None: none.
    """

    period: str
    zone: str
    days: int
    analysed_s: int | None = None
    faces: int | None = None
    tracks: int | None = None
    alerts: int | None = None
    confirmed: int | None = None
    false: int | None = None
    open: int | None = None
    rate: Rate | None = None
    gallery: tuple[int, int] | None = None


@dataclass(frozen=True)
class Model:
    """What compares, by the policy in force, and how well it was measured to."""

    model: str
    calibration: str
    fpir: float
    missed: tuple[Missed, ...]
    promised: tuple[Promised, ...]


@dataclass(frozen=True)
class Register:
    """All of it. `shown_until` is the cut; `entries` and `entries_now`: numbers from which on nothing is in it."""

    schema: int
    made: str
    shown_until: str
    exact: bool
    entries: int
    entries_now: int
    stated: Stated
    log: Head | None
    zones: tuple[Zone, ...]
    policies: tuple[Ceilings, ...]
    model: Model | None
    authorisations: tuple[Listed, ...]
    authorisations_not_shown: int
    suspensions: tuple[Pause, ...]
    holds: int
    public_requests: int
    public_requests_lapsed: int
    access_requests: int
    access_requests_closed: int
    access_requests_overdue: int
    statistics: tuple[Row, ...]
    confirmed: int
    confirmed_not_sealed: int


def register_of(
    folds: Folds, made_ns: int, stated: Stated, head: SignedCheckpoint | None, *, exact: bool = False
) -> Register:
    """Return the register.

    Args:
        folds: both states, the cut as `cut_ns(made_ns)` says.
        made_ns: when; whole seconds.
        stated: by the operator.
        head: the last checkpoint; None: the log has not begun.
        exact: for auditors: nothing is merged, and all that the log says by the cut is shown.

    Raises:
        ProofError: the checkpoint's signatures do not hold, or are not of the log's key.
        InputError: a key in the log is none.
    """
    state = folds.cut.state
    listed = _listed(state, made_ns, exact=exact)
    asked = [one for one in state.authorisations.values() if one.submitted_ns is not None]
    confirmed = [one for one in state.alerts.values() if one.state == "confirmed"]
    return Register(
        schema=SCHEMA,
        made=utc(made_ns),
        shown_until=utc(cut_ns(made_ns)),
        exact=exact,
        entries=state.taken,
        entries_now=folds.now.state.taken,
        stated=stated,
        log=None if head is None else _head(folds.now.state, head, made_ns),
        zones=_zones(state, exact=exact),
        policies=_policies(state, cut_ns(made_ns)),
        model=_model(state, cut_ns(made_ns)),
        authorisations=listed,
        authorisations_not_shown=len(asked) - len(listed),
        suspensions=tuple(_pause(one, made_ns) for one in _newest_first(folds.now.state.suspensions.values())),
        holds=sum(one.approved_ns is not None for one in state.holds.values()),
        public_requests=len(state.requests),
        public_requests_lapsed=sum(one.state == "lapsed" for one in state.requests.values()),
        access_requests=len(state.access),
        access_requests_closed=sum(one.state == "closed" for one in state.access.values()),
        access_requests_overdue=_overdue(state, cut_ns(made_ns)),
        statistics=statistics(folds.cut, cut_ns(made_ns), exact=exact),
        confirmed=len(confirmed),
        confirmed_not_sealed=sum(one.sealed_until_ns is None for one in confirmed),
    )


def _overdue(state: State, at_ns: int) -> int:
    """Return how many access requests are open, and were to be answered by an instant."""
    return sum(one.closed_ns is None and one.due_ns <= at_ns for one in state.access.values())


# --- log, policy, model -----------------------------------------------------------------------------------------------


def _head(state: State, head: SignedCheckpoint, now_ns: int) -> Head:
    epoch = max(state.epochs.values(), key=lambda one: one.number)
    log_key, witnesses = parse_key(epoch.vkey), witness_keys(state, now_ns)
    signed = believe(head, log_key, WitnessPolicy(witnesses)).cosignatures
    at_s = min((one.time_s or 0 for one in signed), default=None)
    return Head(
        origin=head.checkpoint.origin,
        key=epoch.vkey,
        size=head.checkpoint.size,
        checkpoint=head.note.encode().decode(),
        witnesses=tuple(sorted(one.key.name for one in signed)),
        witnessed_at=None if at_s is None else utc(at_s * NS_PER_S),
        self_witnessed=len(signed) < OUTSIDERS,
    )


def witness_keys(state: State, at_ns: int) -> tuple[VerifierKey, ...]:
    """Return the keys of the witnesses that the policy in force then names.

    Raises:
        InputError: these are none.
    """
    policy = policy_at(state, at_ns)
    named = dict(policy.ceilings).get("witnesses", ()) if policy else ()
    return tuple(parse_key(str(one)) for one in named) if isinstance(named, tuple) else ()


def policy_at(state: State, at_ns: int) -> Policy | None:
    """Return the policy in force at an instant."""
    due = [one for one in state.policies.values() if one.state == "active" and (one.effective_from_ns or 0) <= at_ns]
    return max(due, key=lambda one: (one.effective_from_ns or 0, one.number), default=None)


def _policies(state: State, at_ns: int) -> tuple[Ceilings, ...]:
    """Return the versions that were approved, the newest first."""
    now = policy_at(state, at_ns)
    approved = [one for one in state.policies.values() if one.effective_from_ns is not None]

    def told(one: Policy) -> str:
        if one == now or one.state == "void":
            return "in force" if one == now else "void"
        return "announced" if (one.effective_from_ns or 0) > at_ns else "replaced"

    return tuple(
        Ceilings(one.number, told(one), utc(one.effective_from_ns or 0), dict(one.ceilings))
        for one in sorted(approved, key=lambda one: -one.number)
    )


def _model(state: State, at_ns: int) -> Model | None:
    policy = policy_at(state, at_ns)
    if policy is None:
        return None
    ceilings = dict(policy.ceilings)
    model_id, fpir = str(ceilings.get("model_id", "")), ceilings.get("fpir", 0.0)
    fpir = float(fpir) if isinstance(fpir, (int, float)) else 0.0
    calibration = str(ceilings.get("calibration", ""))
    return Model(model_id, calibration, fpir, MISSED.get(model_id, ()), promised(model_id, fpir))


# --- cameras, authorisations, suspensions -----------------------------------------------------------------------------


def _alone(cameras: dict[str, int]) -> dict[str, str]:
    return {zone: zone for zone in cameras}


def _cameras_on(state: State, from_ns: int, until_ns: int) -> list[Camera]:
    """Return the cameras that were there at some time in a window."""
    return [
        one
        for one in state.cameras.values()
        if one.added_ns < until_ns and (one.removed_ns is None or one.removed_ns >= from_ns)
    ]


def _sources(cameras: Iterable[Camera]) -> dict[str, int]:
    """Return how many distinct sources each zone has: one camera under five names is one."""
    sources: dict[str, set[str]] = defaultdict(set)
    for one in cameras:
        sources[one.zone].add(one.source)
    return {zone: len(found) for zone, found in sources.items()}


def _zones(state: State, *, exact: bool) -> tuple[Zone, ...]:
    there = [one for one in state.cameras.values() if one.removed_ns is None]
    names = (_alone if exact else zones_shown)(_sources(there))
    shown: dict[str, list[Camera]] = defaultdict(list)
    for one in there:
        shown[names[one.zone]].append(one)
    return tuple(
        Zone(
            zone,
            tuple(sorted({one.zone for one in cameras})),
            len(cameras),
            tuple(sorted({one.purpose for one in cameras})),
        )
        for zone, cameras in sorted(shown.items())
    )


def _listed(state: State, made_ns: int, *, exact: bool) -> tuple[Listed, ...]:
    """Return the authorisations that were asked for and may be shown, the last ended first."""
    due = [
        one
        for one in state.authorisations.values()
        if one.submitted_ns is not None and one.ended_ns is not None and (exact or details_due(one.ended_ns, made_ns))
    ]
    return tuple(_one_listed(one) for one in sorted(due, key=lambda one: (-(one.ended_ns or 0), one.authorisation)))


def _one_listed(one: Authorisation) -> Listed:
    return Listed(
        authorisation=one.authorisation,
        state=one.state,
        kind=one.kind,
        purpose=one.purpose,
        authority=one.authority,
        decision=one.decision_status,
        urgent=one.urgent,
        renewal=one.renews is not None,
        subjects=one.subjects,
        cameras=len(one.cameras),
        from_day=day_of(one.from_ns),
        until_day=day_of(one.until_ns),
        started_day=None if one.started_ns is None else day_of(one.started_ns),
        ended_day=day_of(one.ended_ns or 0),
    )


def _newest_first(suspensions: Iterable[Suspension]) -> list[Suspension]:
    return sorted(suspensions, key=lambda one: (-one.imposed_ns, one.suspension))


def _pause(one: Suspension, now_ns: int) -> Pause:
    lifted = one.lifted_from_ns is not None and now_ns >= one.lifted_from_ns
    state = "ahead" if now_ns < one.from_ns else "over" if now_ns >= one.until_ns else "in force"
    return Pause(
        suspension=one.suspension,
        state="lifted" if lifted and (one.lifted_from_ns or 0) < one.until_ns else state,
        zones=one.zones,
        cameras=one.cameras,
        why=one.why,
        since=utc(one.from_ns),
        until=utc(one.until_ns),
        imposed_at=utc(one.imposed_ns),
        lift_proposed_at=None if one.lift_proposed_ns is None else utc(one.lift_proposed_ns),
        lifted_from=None if one.lifted_from_ns is None else utc(one.lifted_from_ns),
    )


# --- statistics -------------------------------------------------------------------------------------------------------


@dataclass
class _Sum:
    """Numbers of a zone and a period, while they are added up."""

    days: int = 0
    analysed_ns: int = 0
    faces: int = 0
    tracks: int = 0
    alerts: int = 0
    confirmed: int = 0
    false: int = 0
    open: int = 0
    sizes: tuple[int, ...] = ()

    def add(self, other: "_Sum") -> None:
        for name in ("days", "analysed_ns", "faces", "tracks", "alerts", "confirmed", "false", "open", "sizes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def judge(self, alert: Alert) -> None:
        self.alerts += 1
        self.confirmed += alert.state == "confirmed"
        self.false += alert.state == "false"
        self.open += alert.state in _UNDECIDED

    def row(self, period: str, zone: str) -> Row:
        return Row(
            period,
            zone,
            self.days,
            self.analysed_ns // NS_PER_S,
            self.faces,
            self.tracks,
            self.alerts,
            self.confirmed,
            self.false,
            self.open,
            _rate(self.false, self.tracks),
            (min(self.sizes), max(self.sizes)) if self.sizes else None,
        )


def _rate(false: int, tracks: int) -> Rate | None:
    if not 0 < tracks >= false:
        return None
    low, high = wilson(false, tracks)
    return Rate(*(float(f"{value:.6g}") for value in (false / tracks, low, high)))


def statistics(fold: Fold, until_ns: int, *, exact: bool) -> tuple[Row, ...]:
    """Return the rows, the newest first.

    Args:
        fold: as of the cut.
        until_ns: the cut: days and months that ended an hour before it are shown.
        exact: every day of every zone by itself.
    """
    sums = _by_day(fold, _alone if exact else zones_shown)
    over = {key: one for key, one in sums.items() if day_start_ns(key[0]) + DAY_NS + LATE_NS <= until_ns}
    rows = list(_exact_rows(over) if exact else _shown_rows(over, until_ns))
    return tuple(sorted(sorted(rows, key=lambda row: row.zone), key=lambda row: row.period, reverse=True))


_Sums = dict[tuple[str, str], _Sum]
"""By UTC day and zone as shown on that day."""


def _by_day(fold: Fold, shown: Callable[[dict[str, int]], dict[str, str]]) -> _Sums:
    state, sums, names = (
        fold.state,
        defaultdict[tuple[str, str], _Sum](lambda: _Sum(days=1)),
        dict[str, dict[str, str]](),
    )

    searched = _evidence_days(fold)

    def of(day: str, zone: str) -> _Sum:
        if day not in names:
            start_ns = day_start_ns(day)
            there = _sources(_cameras_on(state, start_ns, start_ns + DAY_NS))
            names[day] = shown({**dict.fromkeys({EVIDENCE} if day in searched else (), 0), **there})
        return sums[day, names[day].get(zone, zone)]

    for (zone, day), count in fold.counts.items():
        of(day, zone).add(_Sum(analysed_ns=count.analysed_ns, faces=count.faces, tracks=count.tracks))
    for alert in state.alerts.values():
        of(day_of(alert.raised_ns), alert.zone).judge(alert)
    for (zone, day), sizes in fold.galleries.items():
        of(day, zone).add(_Sum(sizes=sizes))
    return sums


def _evidence_days(fold: Fold) -> set[str]:
    """Return the days on which evidence counts: as a zone without cameras, it is never shown apart."""
    alerts = {(one.zone, day_of(one.raised_ns)) for one in fold.state.alerts.values()}
    return {day for zone, day in (*fold.counts, *fold.galleries, *alerts) if zone == EVIDENCE}


def _exact_rows(sums: _Sums) -> Iterator[Row]:
    return (one.row(day, zone) for (day, zone), one in sums.items())


def _shown_rows(sums: _Sums, until_ns: int) -> Iterator[Row]:
    merged: dict[str, list[tuple[str, _Sum]]] = defaultdict(list)
    for (day, zone), one in sums.items():
        if is_shown_by_day(one.tracks, one.alerts):
            yield one.row(day, zone)
        else:
            merged[zone].append((day, one))
    for zone, days in merged.items():
        for month, some in by_month(days).items():
            if month_end_ns(month) + LATE_NS <= until_ns:
                yield _month_row(month, zone, some)


def _month_row(month: str, zone: str, days: list[_Sum]) -> Row:
    if len(days) == 1:
        return Row(month, zone, 1)
    total = replace(days[0])
    for one in days[1:]:
        total.add(one)
    return total.row(month, zone)
