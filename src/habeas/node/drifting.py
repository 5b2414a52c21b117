"""The monitors of `review.drift` on what an installation counts: stepped by days and by verdicts, kept as few numbers.

*False alerts.* A day's tracks are one block, taken a day after it is over: until then its alerts can be decided. One
decided later counts for nothing, which makes the monitor slower, and never wrong. Promised are the day's tracks times
the highest FPIR of the policies in force on it.

*Similarities.* A false alert is stepped where its second verdict decides it, before its row forgets how alike it was.

An alarm is an entry and a notice; its monitor then begins anew.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from habeas.authority.policy import Ceilings
from habeas.comparison import Calibration
from habeas.errors import HabeasError
from habeas.review.drift import ALPHA, Bets, rate_pays, similarity_pays
from habeas.review.table import State
from habeas.store import Tx, queries
from habeas.store.records import Alert, Count, Drift, Policy
from habeas.types import DAY_NS, NS_PER_S, utc

ACTOR: Final = "drift"
RATE: Final = "false alerts"
SIMILARITY: Final = "similarities"
_GRACE: Final = timedelta(days=1)
_SAYS: Final = {
    RATE: "more false alerts than the policy's FPIR promises",
    SIMILARITY: "false alerts are more alike than the calibration says",
}
REMEDY: Final = (
    "see `habeas status`; look for a camera, light or list that changed, lower the FPIR by policy, or calibrate anew"
)
Tell = Callable[[HabeasError], None]


@dataclass(frozen=True)
class _Block:
    """What a day came to."""

    day: str
    expected: float
    found: int


def step_days(tx: Tx, tell: Tell) -> None:
    """Step the rate's monitor by the days that are over and were not yet.

    Args:
        tx: a writing transaction.
        tell: hears of an alarm, once it is durable.
    """
    row = _row(tx, RATE)
    until = (_day(tx.now_ns) - _GRACE).isoformat()
    for block in _blocks(tx, row.through, until):
        row = replace(row, expected=row.expected + block.expected, false_alerts=row.false_alerts + block.found)
        row = _stepped(tx, row, rate_pays(block.expected, block.found), tell, through=block.day)


def step_decided(tx: Tx, calibration: Calibration, before: Alert, tell: Tell) -> None:
    """Step the similarities' monitor by an alert, if the verdict just given made it a false one.

    Args:
        tx: the transaction of the verdict.
        calibration: by which its threshold was chosen.
        before: the alert as it was before.
        tell: hears of an alarm, once it is durable.
    """
    decided = tx.get(Alert, before.alert_id)
    if decided.state != State.FALSE.value or before.similarity is None or before.model_id != calibration.model_id:
        return
    above, threshold = (calibration.fpir(value, before.gallery_size) for value in (before.similarity, before.threshold))
    row = _row(tx, SIMILARITY)
    row = replace(row, expected=row.expected + 1, false_alerts=row.false_alerts + 1)
    _stepped(tx, row, similarity_pays(min(1.0, above / threshold)), tell)


def told_drift(tx: Tx) -> list[dict[str, object]]:
    """Return how the monitors stand, JSON values.

    `wealth_log10` is what the bets against the promise are worth: 0 at the begin, an alarm at 2.
    """
    return [
        {
            "monitor": row.monitor,
            "since": utc(row.began_at_ns),
            "expected": row.expected,
            "found": row.false_alerts,
            "wealth_log10": round(Bets(row.steps, row.log_bets).log_wealth / _LN10, 3),
            "alarmed": None if row.alarmed_at_ns is None else utc(row.alarmed_at_ns),
        }
        for row in tx.find(Drift)
    ]


_LN10: Final = 2.302585092994046


def _row(tx: Tx, monitor: str) -> Drift:
    for row in tx.find(Drift, monitor=monitor):
        return row
    return Drift(monitor, tx.now_ns, 0, ())


def _stepped(tx: Tx, row: Drift, log_pays: tuple[float, ...], tell: Tell, *, through: str = "") -> Drift:
    bets = Bets(row.steps, row.log_bets).stepped(log_pays)
    row = replace(row, steps=bets.steps, log_bets=bets.logs, through=through)
    if bets.alarms:
        body = {
            "alpha": ALPHA,
            "expected": row.expected,
            "found": row.false_alerts,
            "monitor": row.monitor,
            "since": utc(row.began_at_ns),
        }
        tx.entry("drift.alarm", ACTOR, body)
        tx.after_commit(lambda: tell(HabeasError(_SAYS[row.monitor], remedy=REMEDY)))
        row = Drift(row.monitor, tx.now_ns, 0, (), through=through, alarmed_at_ns=tx.now_ns)
    tx.remove(row)
    tx.add(row)
    return row


def _blocks(tx: Tx, after: str, until: str) -> list[_Block]:
    """Return the days after one and before another on which something was counted, in their order."""
    counted: dict[str, list[Count]] = {}
    for count in queries.counts_between(tx, after, until):
        counted.setdefault(count.day, []).append(count)
    return [_block(tx, day, counts) for day, counts in sorted(counted.items())]


def _block(tx: Tx, day: str, counts: list[Count]) -> _Block:
    start_ns = round(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()) * NS_PER_S
    found = queries.alerts_between(
        tx, cameras=None, from_ns=start_ns, until_ns=start_ns + DAY_NS, states=[State.FALSE.value], limit=None
    )
    tracks = sum(count.tracks for count in counts)
    return _Block(day, tracks * _highest_fpir(tx, start_ns, start_ns + DAY_NS), len(found))


def _highest_fpir(tx: Tx, from_ns: int, until_ns: int) -> float:
    """Return the highest FPIR of the policies that were in force at some time of a window."""
    held = [
        Ceilings.load(row.body).fpir
        for row in tx.find(Policy)
        if row.effective_from_ns is not None
        and row.effective_from_ns < until_ns
        and (row.replaced_at_ns is None or row.replaced_at_ns > from_ns)
    ]
    return max(held, default=0.0)


def _day(ns: int) -> date:
    return datetime.fromtimestamp(ns // NS_PER_S, tz=UTC).date()
