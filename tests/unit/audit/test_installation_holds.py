"""What an installation writes keeps the claims: its own entries, exported and verified; and faults planted in them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.installation import DAY, HOUR, Installation
from tests.unit.audit.exports import Memory, files_of, verified

from habeas.accounts.roles import Role
from habeas.audit.entry import leaf_of, opening_of
from habeas.audit.hiding import uncover
from habeas.audit.inputs import EpochLog
from habeas.audit.verify import Step
from habeas.authority.purposes import Purpose
from habeas.clock import ManualClock
from habeas.errors import KeyDestroyed, ProofError
from habeas.review.queue import show
from habeas.review.table import Answer
from habeas.review.verdicts import give_verdict
from habeas.store.records import Camera, Entry


@dataclass
class Export:
    """Entries with what they hide, as an auditor gets them."""

    place: Installation
    entries: list[Entry]

    def lines(self, seq: int) -> Iterator[bytes]:
        for entry in self.entries[seq:]:
            yield json.dumps({"opening": json.loads(opening_of(entry)), "hidden": self._hidden(entry)}).encode()

    def left_behind(self, number: int) -> Iterator[bytes]:
        raise AssertionError(number)

    def _hidden(self, entry: Entry) -> object:
        try:
            return json.loads(uncover(self.place.keys, entry) or b"null")
        except KeyDestroyed:
            return None

    def verify(self) -> dict[str, Step]:
        steps: list[Step] = []
        leaves = [leaf_of(entry) for entry in self.entries]
        verified(EpochLog(Memory(files_of(leaves))), book=self, steps=steps)
        return {step.number: step for step in steps}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Installation]:
    with Installation(tmp_path, ManualClock()) as made:
        for name in ("c1", "c2", "c3"):
            made.camera(name)
        yield made


def judge(place: Installation, alert_id: str, who: str, answer: Answer) -> None:
    place.do(who, lambda tx, actor: show(tx, place.keys, actor, alert_id))
    place.do(who, lambda tx, actor: give_verdict(tx, place.keys, actor, alert_id, answer))


def weeks(place: Installation) -> list[Entry]:
    """Some of everything, over some days."""
    first = place.started()
    place.alert(first.authorisation_id)
    false = place.alert(first.authorisation_id, "c1", track_id=2)
    for who in ("opal", "otto"):
        judge(place, false.alert_id, who, Answer.DIFFERENT)
    place.advance(HOUR)
    suspension = place.suspend(zones=["gate"])
    place.lift(suspension.suspension_id, "pia")
    place.lift(suspension.suspension_id, "paul")
    place.advance(2 * HOUR)
    urgent = place.started("rita", ["abe"], urgent=True)
    place.alert(urgent.authorisation_id)
    place.advance(DAY)
    place.hire("nora")
    place.grant("nora", Role.OPERATOR, "abe")
    place.grant("nora", Role.OPERATOR, "bea")
    for changes in ({"subjects": 20}, {"subjects": 30}):
        proposed = place.propose_policy("pia", **changes)
        place.approve_policy(proposed.policy_id, "abe")
        place.approve_policy(proposed.policy_id, "bea")
    place.advance(DAY)
    place.revoke(place.started().authorisation_id)
    place.advance(HOUR)
    return place.look(Entry)


def test_the_entries_of_an_installation_hold(place: Installation) -> None:
    steps = Export(place, weeks(place)).verify()
    counts = {number: step.count for number, step in steps.items()}
    assert (counts["8.1"], counts["8.2"], counts["8.3"], counts["8.4"]) == (2, 1, 3, 3)
    assert (counts["8.5"], counts["8.6"], counts["8.7"]) == (2, 1, 1)
    assert counts["8.9"] >= 1
    assert "were destroyed when due" in steps["7"].note, "what the false alert hid"
    assert counts["8.8"] == 0, "all are over: none is judged any more"


def test_what_ends_alerts_and_moves_cameras_holds(place: Installation) -> None:
    """A suspension that reaches back over confirmed and open alerts, another camera, tighter policies, footage."""
    running = place.started()
    confirmed = place.alert(running.authorisation_id)
    for who in ("opal", "otto"):
        judge(place, confirmed.alert_id, who, Answer.SAME)
    place.alert(running.authorisation_id, track_id=2)
    place.advance(HOUR // 2)
    place.suspend(zones=["gate"], from_ns=place.clock.now_ns() - HOUR)
    place.remove_camera("c3")
    place.camera("c4", "hall", host="7.9")
    anew = place.started("rita", ["abe"], cameras=tuple(place.look(Camera, camera_id="c4")), purpose=Purpose.CONSENT)
    place.alert(anew.authorisation_id, "c4")
    for changes in ({"subjects": 20}, {"subjects": 10}):
        proposed = place.propose_policy("pia", **changes)
        for who in ("abe", "bea"):
            place.approve_policy(proposed.policy_id, who)
    footage = {"live": False, "from_ns": place.clock.now_ns() - DAY, "until_ns": place.clock.now_ns() - HOUR}
    place.started(**footage)
    steps = Export(place, place.look(Entry)).verify()
    assert [steps[number].count for number in ("8.5", "8.9", "8.10", "8.12")] == [2, 3, 3, 1]
    place.advance(5 * DAY)
    assert Export(place, place.look(Entry)).verify()["8.12"].count == 0


def test_an_alert_is_judged_while_what_it_hides_is_there(place: Installation) -> None:
    running = place.started()
    place.alert(running.authorisation_id)
    steps = Export(place, place.look(Entry)).verify()
    assert (steps["7"].count, steps["7"].note, steps["8.8"].count) == (1, "", 1)
    raised = place.look(Entry)[-1]
    place.keys.destroy([raised.hidden_key or ""])
    with pytest.raises(ProofError, match="nothing says that this was due"):
        Export(place, place.look(Entry)).verify()


def test_an_approval_fewer_breaks_them(place: Installation) -> None:
    entries = weeks(place)
    given = next(entry for entry in entries if entry.kind == "approval.given")
    spoilt = [replace(entry, kind="view.alert") if entry.seq == given.seq else entry for entry in entries]
    with pytest.raises(ProofError, match="1 of the 2 approvers") as refused:
        Export(place, spoilt).verify()
    active = next(entry for entry in entries if entry.kind == "authorisation.active")
    assert refused.value.index == active.seq


def test_an_account_says_whose_it_is(place: Installation) -> None:
    place.hire("abe2", Role.APPROVER, person_name="ABE ")
    place.hire("abe3", Role.APPROVER, person_name="abe")
    added = [entry for entry in place.look(Entry) if entry.kind == "account.added"]
    people = {json.loads(one.body)["account"]: json.loads(uncover(place.keys, one) or b"{}") for one in added}
    assert people[place.accounts["abe"]] == {}
    assert people[place.accounts["abe2"]]["person"] == place.accounts["abe"]
    assert people[place.accounts["abe3"]]["person"] in {place.accounts["abe"], place.accounts["abe2"]}
    assert all("person" not in json.loads(one.body) for one in added), "it goes with the name"
