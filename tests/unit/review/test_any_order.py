"""Any order of alerts, verdicts, time, endings and suspensions, against the rules written down anew."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.installation import DAY, HOUR, Installation, rule_of

from habeas.accounts.roles import Role
from habeas.errors import HabeasError
from habeas.keys import Scope, new_identity
from habeas.review import queue
from habeas.review.images import OVERSIGHT
from habeas.review.table import Answer
from habeas.store.records import Alert, Look, Meta, Subject
from habeas.types import NS_PER_S

MINUTE: Final = 60 * NS_PER_S
LASTS: Final = 20 * DAY
PERSON_OF: Final = {"opal": "opal", "opal2": "opal", "otto": "otto", "oda": "oda"}
REFUSED: Final = {"ned": "zone", "abe": "role", "token:oda": "login-needed"}
TIMES: Final = (1, MINUTE, 5 * MINUTE - 1, 5 * MINUTE, 25 * MINUTE, 30 * MINUTE - 1, 30 * MINUTE, HOUR, 9 * DAY)
STANDING: Final = ("open", "unconfirmed")
PICK: Final = st.integers(0, 7)
RARELY: Final = st.integers(0, 5).map(lambda number: number == 2)
"""What ends much, so that most examples go on for a while."""


@dataclass
class Known:
    """An alert as it should be."""

    raised: int
    expires: int
    state: str = "open"
    image: bool = True
    called: bool = False
    sealed: bool = False
    said: dict[str, str] = field(default_factory=dict)
    looked: set[str] = field(default_factory=set)
    """Accounts."""
    marked: bool = False

    def destroy(self, now: int) -> None:
        if not self.image:
            return
        self.image = False
        if self.state == "open":
            self.state = "unconfirmed" if self.raised + 30 * MINUTE <= min(now, self.expires) else "withdrawn"

    def judge(self, person: str, answer: str, *, marked: bool) -> bool:
        """Take a verdict; tell whether the subject's threshold goes up."""
        self.said[person] = answer
        self.marked |= marked
        said = list(self.said.values())
        if said == ["same", "same"]:
            self.state = "confirmed"
        elif said == ["different", "different"]:
            self.state, self.image = "false", False
        elif len(said) == 3:
            alone = answer == "same" and said.count("same") == 1
            by_third = {"same": "confirmed", "different": "false", "cannot tell": "unresolved"}
            self.state = "unresolved" if alone else by_third[answer]
            self.image = self.state == "confirmed"
        return self.state == "false" and self.marked


class Reviews(RuleBasedStateMachine):
    @initialize(oversight=st.booleans())
    def found(self, oversight: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.place = Installation(Path(self.folder.name))
        self.place.camera("c1")
        self.place.hire("opal2", Role.OPERATOR, person_name="Opal")
        self.place.hire("ned")
        for granter in ("abe", "rob"):
            self.place.grant("ned", Role.OPERATOR, granter, ["hall"])
        self.place.advance(DAY)
        self.oversight = oversight
        if oversight:
            with self.place.store.write() as tx:
                tx.add(Meta(OVERSIGHT, new_identity().recipient))
        self.ends = self.place.clock.now_ns() + LASTS
        self.row = self.place.started("rita", until_ns=self.ends)
        self.running = True
        self.raised = False
        self.known: dict[str, Known] = {}

    @property
    def now(self) -> int:
        return self.place.clock.now_ns()

    def alive(self) -> bool:
        return self.running and self.now < self.ends

    @rule()
    def raise_alert(self) -> None:
        self.place.advance(1, tick=False)  # else it is a further sighting
        if not self.alive():
            assert rule_of(lambda: self.place.alert(self.row.authorisation_id)) == "authorisation-ended"
            return
        alert = self.place.alert(self.row.authorisation_id)
        self.known[alert.alert_id] = Known(self.now, self.ends)

    @precondition(lambda self: self.standing())
    @rule(pick=PICK, who=st.sampled_from([*PERSON_OF]), answer=st.sampled_from(Answer))
    def judge(self, pick: int, who: str, answer: Answer) -> None:
        waiting = self.standing()
        self.see(waiting[pick % len(waiting)], who)
        self.say(waiting[pick % len(waiting)], who, answer, marked=False)

    @precondition(lambda self: self.standing())
    @rule(pick=PICK, answer=st.sampled_from(Answer), marked=st.booleans())
    def judge_by_all(self, pick: int, answer: Answer, marked: bool) -> None:
        """The same from everybody; whoever comes after the decision is refused."""
        waiting = self.standing()
        alert_id = waiting[pick % len(waiting)]
        for who in PERSON_OF:
            self.see(alert_id, who)
            self.say(alert_id, who, answer, marked=marked and answer is Answer.DIFFERENT)

    @precondition(lambda self: self.known)
    @rule(pick=PICK, who=st.sampled_from([*PERSON_OF, *REFUSED]), answer=st.sampled_from(Answer), marked=st.booleans())
    def judge_anything(self, pick: int, who: str, answer: Answer, marked: bool) -> None:
        self.say(sorted(self.known)[pick % len(self.known)], who, answer, marked=marked)

    @precondition(lambda self: self.known)
    @rule(pick=PICK, who=st.sampled_from([*PERSON_OF]))
    def look_at_anything(self, pick: int, who: str) -> None:
        self.see(sorted(self.known)[pick % len(self.known)], who)

    def see(self, alert_id: str, who: str) -> None:
        known = self.known[alert_id]
        faces = self.place.see(who, alert_id).faces
        assert faces == (2 if known.image and self.alive() else 0)
        if faces and known.state in STANDING:
            known.looked.add(who)

    def standing(self) -> list[str]:
        return [alert_id for alert_id, known in sorted(self.known.items()) if known.state in STANDING and known.image]

    def say(self, alert_id: str, who: str, answer: Answer, *, marked: bool) -> None:
        expected = self.refusal(self.known[alert_id], who, answer, marked=marked)
        refused = ""
        try:
            self.place.judge(who, alert_id, answer, lookalike=marked, looks=False)
        except HabeasError as error:
            refused = getattr(error, "rule", error.kind)
        assert refused == expected
        if not refused:
            self.raised |= self.known[alert_id].judge(PERSON_OF[who], answer.value, marked=marked)
            self.known[alert_id].sealed = self.known[alert_id].state == "confirmed" and self.oversight

    def refusal(self, known: Known, who: str, answer: Answer, *, marked: bool) -> str:
        if who in REFUSED:
            return REFUSED[who]
        if marked and answer is not Answer.DIFFERENT:
            return "input"
        if PERSON_OF[who] in known.said:
            return "once-each"
        waits = known.state in STANDING and known.image and self.alive()
        if not waits:
            return "state"
        return "" if who in known.looked else "look-first"

    @rule(duration_ns=st.sampled_from(TIMES))
    def wait(self, duration_ns: int) -> None:
        self.place.advance(duration_ns)
        for known in self.known.values():
            standing = known.state in STANDING and known.image
            known.called |= standing and self.alive() and self.now >= known.raised + 5 * MINUTE
            if self.now >= self.ends:
                known.destroy(self.now)
            if known.state == "open" and self.now >= known.raised + 30 * MINUTE:
                known.state = "unconfirmed"

    @rule()
    def nobody_looks_after_it(self) -> None:
        """Time passes and no tick comes: what is shown is right all the same."""
        self.place.advance(MINUTE, tick=False)

    @precondition(lambda self: self.known and self.alive())
    @rule(sure=RARELY)
    def revoke(self, sure: bool) -> None:
        if sure:
            self.place.revoke(self.row.authorisation_id, "rita")
            self.running = False
            for known in self.known.values():
                known.destroy(self.now)

    @precondition(lambda self: self.standing())
    @rule(pick=PICK, sure=RARELY)
    def suspend(self, pick: int, sure: bool) -> None:
        """The very instant at which one was captured, and no other."""
        chosen = list(self.known.values())[pick % len(self.known)]
        if sure and self.now - chosen.raised < DAY:
            self.place.suspend(names=["c1"], from_ns=chosen.raised, lasts_ns=1)
            chosen.destroy(self.now)

    @invariant()
    def rows_and_keys_are_as_they_should_be(self) -> None:
        rows = {alert.alert_id: alert for alert in self.place.look(Alert)}
        assert rows.keys() == self.known.keys()
        for alert_id, known in self.known.items():
            row = rows[alert_id]
            assert (row.state, row.image_sealed is not None) == (known.state, known.image)
            assert (row.called_at_ns is not None, row.oversight_sealed is not None) == (known.called, known.sealed)
            assert row.subject_id is not None or not known.image
            assert row.subject_id is None or known.image or known.state == "confirmed"
            looks = {look.account_id for look in self.place.look(Look, alert_id=alert_id)}
            waits = known.image and known.state in STANDING
            assert looks == ({self.place.accounts[who] for who in known.looked} if waits else set())
        needed = {row.key_id for row in rows.values() if row.image_sealed is not None}
        needed |= {row.oversight_key_id for row in rows.values() if row.oversight_key_id is not None}
        assert self.place.keys.ids(Scope.ALERT) == needed
        (subject,) = self.place.look(Subject)
        assert (subject.raised_to is not None) is self.raised

    @invariant()
    def everybody_sees_what_waits_for_them(self) -> None:
        with self.place.store.read() as tx:
            for who, person in PERSON_OF.items():
                waiting = {facts.alert_id for facts in queue.queue(tx, self.place.actor(tx, who))}
                assert waiting == {
                    alert_id
                    for alert_id, known in self.known.items()
                    if known.state in STANDING and known.image and self.alive() and person not in known.said
                }

    def teardown(self) -> None:
        if hasattr(self, "place"):
            self.place.close()
            self.folder.cleanup()


TestAnyOrder = Reviews.TestCase
TestAnyOrder.settings = settings(max_examples=45, stateful_step_count=30, derandomize=True, database=None)
