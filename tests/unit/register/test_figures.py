"""From entries to what the public may read: what is there, what is held back, and that exact figures are not."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tests.unit.audit.exports import note_of
from tests.unit.audit.signers import LOG, OTHER_LOG, THIEF, WITNESSES
from tests.unit.register.histories import DAY0_NS, MODEL, History, full

from habeas.audit.checkpoint import SignedCheckpoint
from habeas.authority import evidence
from habeas.errors import FormatError, ProofError
from habeas.register.delays import EVIDENCE, OTHERS, cut_ns
from habeas.register.figures import Register, Row, Stated, register_of
from habeas.register.fold import folds
from habeas.register.measured import MISSED
from habeas.types import DAY_NS, HOUR_NS, utc

LATER = DAY0_NS + 40 * DAY_NS
"""When all of `full` may be shown."""


def made(
    history: History, at_ns: int = LATER, head: SignedCheckpoint | None = None, *, exact: bool = False
) -> Register:
    known = [one for one in history.opened() if one["opening"]["at"] <= utc(at_ns)]
    return register_of(folds(known, cut_ns(at_ns)), at_ns, Stated(), head, exact=exact)


def row(register: Register, period: str, zone: str) -> Row:
    (found,) = [one for one in register.statistics if (one.period, one.zone) == (period, zone)]
    return found


@pytest.fixture(scope="module")
def history() -> History:
    return full()


# --- statistics -------------------------------------------------------------------------------------------------------


def test_a_busy_day_is_shown_by_itself(history: History) -> None:
    day = row(made(history), "2026-11-27", "gate")
    assert (day.tracks, day.faces, day.analysed_s, day.alerts) == (800, 2400, 7200, 7)
    assert (day.confirmed, day.false, day.open) == (2, 3, 1)
    assert day.gallery == (3, 3)
    assert day.rate is not None
    assert day.rate.low < 3 / 800 < day.rate.high
    assert day.rate.value == 3 / 800


@pytest.mark.rule("G3")
def test_quiet_days_are_shown_in_the_sum_of_their_month(history: History) -> None:
    register = made(history)
    month = row(register, "2026-11", "gate")
    assert (month.days, month.alerts, month.tracks, month.gallery) == (2, 2, 1600, (5, 6))
    assert not [one for one in register.statistics if one.zone == "gate" and one.period in ("2026-11-29", "2026-11-30")]


@pytest.mark.rule("G3")
def test_a_month_is_shown_only_when_it_is_over(history: History) -> None:
    before = made(history, DAY0_NS + 6 * DAY_NS)
    assert [one.period for one in before.statistics] == ["2026-11-28", "2026-11-27"]
    after = made(history, DAY0_NS + 7 * DAY_NS)
    assert "2026-11" in {one.period for one in after.statistics}


@pytest.mark.rule("G3")
def test_the_sum_of_one_day_is_withheld() -> None:
    history = History()
    history.at(DAY0_NS + DAY_NS + 10 * HOUR_NS)
    history.counted("gate-0", "2026-11-26", 7)
    assert row(made(history), "2026-11", "gate") == Row("2026-11", "gate", 1)
    assert row(made(history, exact=True), "2026-11-26", "gate").tracks == 7


@pytest.mark.rule("G2")
def test_zones_of_fewer_than_five_cameras_are_shown_together(history: History) -> None:
    register = made(history)
    assert [(one.zone, one.includes, one.cameras) for one in register.zones] == [
        ("gate", ("gate",), 6),
        (OTHERS, ("hall", "yard"), 5),
    ]
    assert {one.zone for one in register.statistics} == {"gate", OTHERS}
    assert {one.zone for one in made(history, exact=True).statistics} == {"gate", "hall", "yard"}


@pytest.mark.rule("G2")
def test_one_source_under_five_names_is_one_camera() -> None:
    history = History()
    for number in range(5):
        history.camera(f"door-{number}", "door", source="one address")
    assert "door" not in {one.zone for one in made(history).zones}


@pytest.mark.rule("G2")
def test_a_zone_that_grows_does_not_show_the_days_before() -> None:
    history = History()
    history.at(DAY0_NS + DAY_NS + 60_000_000_000)
    for number in range(2):
        history.counted(f"hall-{number}", "2026-11-26", 500)
    for number in range(3, 6):
        history.camera(f"hall-{number}", "hall")
    shown = {(one.period, one.zone) for one in made(history).statistics}
    assert shown == {("2026-11", OTHERS)}
    assert {one.zone for one in made(history).zones} == {"hall", OTHERS}


@pytest.mark.rule("G2")
@pytest.mark.parametrize("small", [True, False])
def test_evidence_is_no_zone_of_its_own(*, small: bool) -> None:
    """It is shown with small zones, or with the smallest of the others; to auditors by itself."""
    history = History()
    if not small:
        for zone in ("hall", "yard"):
            for number in range(5):
                history.camera(f"{zone}-new-{number}", zone)
    history.at(DAY0_NS + DAY_NS + HOUR_NS)
    for number in range(6):
        history.alert(f"alert-{number}", EVIDENCE, "false")
    history.searched(EVIDENCE, 3)
    shown = made(history)
    assert EVIDENCE == evidence.ZONE
    assert EVIDENCE not in {one.zone for one in shown.statistics}
    assert {one.zone for one in shown.statistics} == {OTHERS}
    assert row(made(history, exact=True), "2026-11-27", EVIDENCE).alerts == 6


@pytest.mark.rule("G1")
def test_a_day_is_not_shown_before_it_is_a_day_old(history: History) -> None:
    assert made(history, DAY0_NS + 3 * DAY_NS).statistics == ()
    assert [one.period for one in made(history, DAY0_NS + 3 * DAY_NS + HOUR_NS).statistics] == ["2026-11-27"]


# --- authorisations, suspensions --------------------------------------------------------------------------------------


@pytest.mark.rule("G4")
def test_one_that_ended_six_days_ago_shows_no_details(history: History) -> None:
    ended_ns = DAY0_NS + 20 * DAY_NS
    early = made(history, ended_ns + 6 * DAY_NS)
    assert [one.authorisation for one in early.authorisations] == ["aut-1"]
    assert early.authorisations_not_shown == 2
    assert "aut-2" not in json.dumps(asdict(early))
    late = made(history, ended_ns + 7 * DAY_NS + HOUR_NS)
    assert [one.authorisation for one in late.authorisations] == ["aut-2", "aut-1"]
    assert late.authorisations_not_shown == 1
    assert [one.authorisation for one in made(history, ended_ns + 2 * DAY_NS, exact=True).authorisations] == [
        "aut-2",
        "aut-1",
    ]


def test_an_authorisation_says_what_it_was_and_names_nobody(history: History) -> None:
    one = made(history).authorisations[0]
    assert (one.purpose, one.authority, one.decision, one.state) == (
        "missing-person",
        "Police of Somewhere",
        "missing",
        "revoked",
    )
    assert (one.subjects, one.cameras, one.started_day) == (3, 2, "2026-12-03")


@pytest.mark.rule("G5")
def test_a_suspension_and_its_lift_are_shown_at_once(history: History) -> None:
    more = full()
    assert made(more, more.now_ns).suspensions[0].state == "in force"
    assert made(more, more.now_ns).suspensions[0].lift_proposed_at is not None
    more.add("suspension.lifted", "acc-paul", {"suspension": "sus-1", "from": utc(more.now_ns + HOUR_NS)})
    assert made(more, more.now_ns).suspensions[0].lifted_from is not None
    assert made(more, more.now_ns + 2 * HOUR_NS).suspensions[0].state == "lifted"
    assert made(history, DAY0_NS + 50 * DAY_NS).suspensions[0].state == "over"


@pytest.mark.rule("G6")
def test_no_pseudonym_tag_source_or_similarity_gets_into_it(history: History) -> None:
    text = json.dumps(asdict(made(history, head=note_of([b"leaf"]))))
    assert re.findall(r"acc-\w+|digest of|\bt[123]\b|alert-\d", text) == []
    assert "acc-rob" in json.dumps(history.openings)


# --- log, policy, model -----------------------------------------------------------------------------------------------


def test_the_head_names_the_witnesses_of_the_policy(history: History) -> None:
    log = made(history, head=note_of([b"leaf"])).log
    assert log is not None
    assert (log.origin, log.size, log.self_witnessed) == (LOG.name, 1, False)
    assert log.witnesses == tuple(sorted(one.name for one in WITNESSES[:3]))


@pytest.mark.rule("G7")
@pytest.mark.parametrize(("count", "alone"), [(0, True), (1, True), (2, False)])
def test_fewer_than_two_witnesses_is_self_witnessed(history: History, count: int, alone: bool) -> None:
    log = made(history, head=note_of([b"leaf"], witnesses=WITNESSES[:count])).log
    assert log is not None
    assert log.self_witnessed is alone


def test_a_stranger_is_no_witness(history: History) -> None:
    log = made(history, head=note_of([b"leaf"], witnesses=WITNESSES[3:5])).log
    assert log is not None
    assert log.witnesses == ()
    assert log.self_witnessed


def test_a_checkpoint_of_another_log_is_refused(history: History) -> None:
    for log in (OTHER_LOG, THIEF):
        with pytest.raises(ProofError):
            made(history, head=note_of([b"leaf"], log=log))


def test_versions_of_the_policy_say_how_they_stand() -> None:
    history = History()
    for number in (2, 3):
        body: dict[str, Any] = {"based_on": 1, "ceilings": {"subjects": 5 * number, "witnesses": []}, "number": number}
        history.add("policy.proposed", "acc-abe", {**body, "policy": f"pol-{number}", "sha256": "0" * 64})
    history.add("policy.approved", "acc-bea", {"policy": "pol-2", "effective_from": utc(history.now_ns + DAY_NS)})
    soon = made(history, history.now_ns + DAY_NS + 2 * HOUR_NS)
    assert [(one.number, one.state) for one in soon.policies] == [(2, "announced"), (1, "in force")]
    later = made(history)
    assert [(one.number, one.state) for one in later.policies] == [(2, "in force"), (1, "replaced")]


def test_the_model_comes_with_what_was_measured(history: History) -> None:
    model = made(history).model
    assert model is not None
    assert model.missed == MISSED[MODEL]
    assert [one.gallery_size for one in model.promised][:1] == [1]
    assert model.promised[0].low < 1e-4 < model.promised[0].high


def test_what_is_said_to_be_measured_is_in_the_committed_results() -> None:
    results = json.loads((Path(__file__).parents[3] / "bench/results/open-set.json").read_text())["result"]
    said = [(one.fpir, one.fnir, one.low, one.high) for one in MISSED[results["model_id"]]]
    measured = [tuple(float(f"{one[name]:.3g}") for name in ("fpir", "fnir", "low", "high")) for one in results["fnir"]]
    assert said == measured
    assert {one.gallery_size for one in MISSED[results["model_id"]]} == {results["gallery"]}


def test_a_search_without_a_place_is_refused() -> None:
    bad = full()
    bad.add("search.counted", "matcher", {"gallery_size": 3})
    with pytest.raises(FormatError, match="a search"):
        made(bad)


def test_access_requests_are_counted_a_day_late_and_overdue_ones_are_told() -> None:
    history = History()
    due_ns = history.now_ns + 30 * DAY_NS
    history.access("r1", due_ns, "approved", "closed")
    history.access("r2", due_ns, "refused")
    history.access("r3", due_ns)

    def told(at_ns: int) -> tuple[int, int, int]:
        register = made(history, at_ns)
        return register.access_requests, register.access_requests_closed, register.access_requests_overdue

    assert told(history.now_ns) == (0, 0, 0)
    assert told(history.now_ns + 3 * DAY_NS) == (3, 1, 0)
    assert told(due_ns + 3 * DAY_NS) == (3, 1, 1)
