"""The whole life of authorisations against a model of what should be: who is searched for where, which keys exist."""

import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from tests.installation import DAY, HOUR, Installation, person
from tests.lifecycle import MINORS, OVER, ZONE_OF, Listed, Model, Pause, Staff
from tests.replaying import differences, openings_of

from habeas.accounts.roles import Actor, Role
from habeas.audit import replay
from habeas.audit.state import State
from habeas.authority import authorisations, jumps, policy
from habeas.authority.gallery import Gallery
from habeas.authority.purposes import Purpose
from habeas.authority.requests import Drafted
from habeas.clock import ManualClock
from habeas.errors import InputError, RuleError
from habeas.keys import KeyStore, Scope
from habeas.node.timekeeper import Timekeeper
from habeas.store import Tx
from habeas.store.records import Authorisation, Camera, Policy
from habeas.store.schema import TABLE_OF
from habeas.types import NS_PER_S

STAFF: Final = {
    "rob": ("rob", "requester"),
    "rita": ("rita", "requester"),
    "abe": ("abe", "approver"),
    "bea": ("bea", "approver"),
    "cid": ("cid", "approver"),
    "dora": ("dora", "approver"),
    "abe2": ("abe", "approver"),
    "rob2": ("rob", "approver"),
    "pia": ("pia", "privacy"),
    "paul": ("paul", "privacy"),
    "aud": ("aud", "auditor"),
}
BORN: Final = {True: "2012-03-01", False: "1980-05-17"}
PURPOSES: Final = ("consent", "missing-person", "court-order")
LONGEST: Final = 320 * DAY
"""Beyond a year tag keys go, which the model knows nothing of."""
accounts = st.sampled_from(sorted(STAFF))
mostly_requesters = st.sampled_from(["rob", "rob", "rita", "abe"])
mostly_approvers = st.sampled_from(["abe", "abe", "bea", "cid", "dora", "abe2", "rob2", "rob", "pia"])
mostly_privacy = st.sampled_from(["pia", "paul", "pia", "paul", "abe"])
some_cameras = st.one_of(
    st.sets(st.sampled_from(sorted(ZONE_OF)), min_size=1, max_size=2), st.sets(st.sampled_from(sorted(ZONE_OF)))
)
lengths = st.sampled_from([HOUR, 2 * HOUR, DAY, DAY + 1, 3 * DAY, 4 * DAY, 30 * DAY, 31 * DAY, 0])
crashes = st.sampled_from([False, False, False, True])


class Life(RuleBasedStateMachine):
    """Commands at random; after each, the installation and the model say the same."""

    drafts = Bundle("drafts")
    pauses = Bundle("pauses")
    proposals = Bundle("proposals")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock()
        self.time = Timekeeper(self.clock, None)
        self.place = Installation(Path(self.folder.name), self.time)  # type: ignore[arg-type]  # a clock that elapses
        for name in set(STAFF) - set(self.place.accounts):
            self.place.hire(name, Role(STAFF[name][1]), person_name=STAFF[name][0])
        for name, zone in ZONE_OF.items():
            self.place.camera(name, zone)
        staff = {name: Staff(who, role) for name, (who, role) in STAFF.items()}
        self.model = Model(self.time.now_ns(), staff, frozenset(one.value for one in Purpose))
        self.began = self.time.now_ns()
        self.keys_of: dict[str, frozenset[str]] = {}
        self.codes: dict[str, str] = {}
        self.told: int | None = None
        self.replayed = State()
        self.compared: tuple[int, ...] = ()
        """How many transactions that changed anything had ended when log and database were compared last."""

    def teardown(self) -> None:
        self.place.close()
        self.folder.cleanup()

    # --- doing --------------------------------------------------------------------------------------------------------

    def attempt(self, who: str, command: Callable[[Tx, Actor], Any], *, crash: bool = False) -> Any:
        """Run a command; None: it was refused. A crash comes after the commit, before whatever follows it."""
        self.model.now = self.time.now_ns()
        try:
            with self.place.store.write() as tx:
                done = command(tx, self.place.actor(tx, who))
                if crash:
                    tx._after.clear()
        except (RuleError, InputError):
            return None
        if crash:
            self.restart()
        self.place.refresh()
        return done if done is not None else True

    def restart(self) -> None:
        """The program ends without a word, and begins anew."""
        disk = self.place.disk.after_kill()
        self.place.keys.close()
        self.place.disk = disk
        self.place.keys = KeyStore(Path("memory"), self.place.master, disk=disk)
        self.place.gallery = Gallery(self.place.store, self.place.keys, "m")
        if self.model.trusted:
            self.place.gallery.go()
        self.tick()

    @rule()
    def tick(self) -> None:
        self.model.now = self.time.now_ns()
        self.place.tick()
        self.model.tick()
        held = {key for name, keys in self.keys_of.items() if not self.model.over(name) for key in keys}
        assert self.place.keys.ids(Scope.SUBJECT) == held
        for name, one in self.model.listed.items():
            row = self.place.row(name)
            assert row.state == one.state
            assert (row.discarded_at_ns is not None) is (one.state in OVER)
            if one.state not in OVER:
                assert {self.place.keys.expires_at_ns(key) for key in self.keys_of[name]} == {one.due}

    # --- authorisations -----------------------------------------------------------------------------------------------

    def learn(self, done: Drafted, one: Listed) -> str:
        """Take in what was drafted."""
        name = done.authorisation.authorisation_id
        self.model.listed[name] = one
        self.keys_of[name] = frozenset(subject.key_id for subject in self.place.subjects(name))
        if done.consent_code is not None:
            self.codes[name] = done.consent_code
        return name

    @rule(
        target=drafts,
        who=mostly_requesters,
        whom=st.sampled_from(["Kim", "Kim", "Lee", "Tim"]),
        purpose=st.sampled_from(PURPOSES),
        names=some_cameras,
        ahead=st.sampled_from([0, 0, 0, HOUR]),
        lasts=lengths,
        urgent=st.booleans(),
        decision=st.booleans(),
    )
    def draft(
        self,
        who: str,
        whom: str,
        purpose: str,
        names: set[str],
        ahead: int,
        lasts: int,
        urgent: bool,
        decision: bool,
    ) -> Any:
        now = self.model.now = self.time.now_ns()
        minor = whom in MINORS
        asked = self.place.asked(
            purpose=Purpose(purpose),
            people=(person(whom, date.fromisoformat(BORN[minor])),),
            cameras=tuple(self.place.look(Camera, camera_id=names)) if names else (),
            from_ns=now + ahead,
            until_ns=now + ahead + lasts,
            urgent=urgent,
            minor=minor,
            decision=b"order" if decision else None,
        )
        one = Listed(
            whom, STAFF[who][0], purpose, frozenset(names), now + ahead, now + ahead + lasts, urgent, decision, now
        )
        done = self.attempt(who, lambda tx, actor: authorisations.draft(tx, self.place.keys, actor, asked))
        assert self.model.draft("expected", who, one) is (done is not None)
        self.model.listed.pop("expected", None)
        return multiple() if done is None else self.learn(done, one)

    @initialize(
        target=drafts,
        purpose=st.sampled_from(PURPOSES),
        lasts=st.sampled_from([DAY, 3 * DAY, 30 * DAY]),
        urgent=st.booleans(),
        decided=st.booleans(),
    )
    def begin(self, purpose: str, lasts: int, urgent: bool, decided: bool) -> Any:
        """Begin with somebody who is searched for, and somebody who waits for the second approver."""
        by = ["abe", "bea", "cid", "dora"]
        one = self.ask_as_one_should("Lee", "missing-person", "c1", lasts, urgent, by, crash=False)
        other = self.draft("rob", "Kim", purpose, {"c1"}, 0, lasts, urgent=False, decision=decided)
        self.submit(other, "rob")
        self.approve(other, "abe", stale=False, crash=False)
        return multiple(one, other)

    @rule(
        target=drafts,
        whom=st.sampled_from(["Kim", "Kim", "Lee"]),
        purpose=st.sampled_from(PURPOSES),
        name=st.sampled_from(sorted(ZONE_OF)),
        lasts=st.sampled_from([2 * HOUR, DAY, 3 * DAY, 30 * DAY]),
        urgent=st.booleans(),
        by=st.permutations(["abe", "bea", "cid", "abe2"]),
        crash=crashes,
    )
    def ask_as_one_should(
        self, whom: str, purpose: str, name: str, lasts: int, urgent: bool, by: list[str], crash: bool
    ) -> Any:
        """Draft, submit, and approve, by one if it is urgent: what chance alone seldom comes to."""
        made = self.draft("rob", whom, purpose, {name}, 0, lasts, urgent and purpose != "consent", decision=True)
        if isinstance(made, str):
            self.submit(made, "rob")
            for who in by[: 1 if urgent else 3]:
                self.approve(made, who, stale=False, crash=crash)
        return made

    @rule(name=drafts, who=mostly_requesters)
    def submit(self, name: str, who: str) -> None:
        done = self.attempt(who, lambda tx, actor: authorisations.submit(tx, self.place.keys, actor, name))
        assert self.model.submit(name, who) is (done is not None)

    @rule(name=drafts)
    def submit_own(self, name: str) -> None:
        self.submit(name, self.model.listed[name].requester)

    @rule(name=drafts, who=mostly_requesters, lasts=lengths, names=some_cameras)
    def amend(self, name: str, who: str, lasts: int, names: set[str]) -> None:
        until = self.time.now_ns() + lasts
        cameras = tuple(self.place.look(Camera, camera_id=names)) if names else ()
        done = self.attempt(
            who, lambda tx, actor: authorisations.amend(tx, actor, name, until_ns=until, cameras=cameras)
        )
        assert self.model.amend(name, who, until, frozenset(names)) is (done is not None)

    @rule(name=drafts, who=mostly_approvers, stale=st.sampled_from([False, False, False, True]), crash=crashes)
    def approve(self, name: str, who: str, stale: bool, crash: bool) -> None:
        def command(tx: Tx, actor: Actor) -> Authorisation:
            shown = "0" * 64 if stale else authorisations.hash_of(tx, tx.get(Authorisation, name))
            return authorisations.approve(tx, self.place.keys, actor, name, shown)

        self.model.now = self.time.now_ns()
        version = -1 if stale else self.model.listed[name].version
        expected = self.model.approve(name, who, version)
        assert (self.attempt(who, command, crash=crash) is not None) is expected

    @rule(name=drafts, crash=crashes)
    def approve_by_two(self, name: str, crash: bool) -> None:
        self.submit_own(name)
        for who in ("abe", "bea"):
            self.approve(name, who, stale=False, crash=crash)

    @rule(name=drafts, who=mostly_approvers, crash=crashes)
    def refuse(self, name: str, who: str, crash: bool) -> None:
        self.model.now = self.time.now_ns()
        expected = self.model.refuse(name, who)
        done = self.attempt(
            who, lambda tx, actor: authorisations.refuse(tx, self.place.keys, actor, name, ""), crash=crash
        )
        assert (done is not None) is expected
        assert not done or not self.keys_of[name] & self.place.keys.ids()

    @rule(name=drafts, who=accounts, crash=crashes)
    def revoke(self, name: str, who: str, crash: bool) -> None:
        self.model.now = self.time.now_ns()
        expected = self.model.revoke(name, who)
        done = self.attempt(
            who, lambda tx, actor: authorisations.revoke(tx, self.place.keys, actor, name, ""), crash=crash
        )
        assert (done is not None) is expected
        assert not done or not self.keys_of[name] & self.place.keys.ids()

    @rule(target=drafts, name=drafts, who=mostly_requesters, lasts=lengths)
    def renew(self, name: str, who: str, lasts: int) -> Any:
        now = self.model.now = self.time.now_ns()
        until = max(now, self.model.listed[name].until) + lasts
        one = self.model.renewed(name, until)
        expected = self.model.may_renew(name, who, until)
        try:
            done = self.place.renew(name, who, until_ns=until)
        except (RuleError, InputError):
            assert not expected
            return multiple()
        assert expected
        return self.learn(done, one)

    @rule(name=drafts)
    def end_by_code(self, name: str) -> None:
        if name in self.codes:
            self.model.now = self.time.now_ns()
            expected = self.model.end_code(name)
            try:
                self.place.end_consent(self.codes[name])
            except RuleError:
                assert not expected
            else:
                assert expected

    # --- suspensions --------------------------------------------------------------------------------------------------

    @rule(
        target=pauses,
        who=mostly_privacy,
        zone=st.sampled_from(["", "gate", "hall"]),
        name=st.sampled_from(sorted(ZONE_OF)),
        ahead=st.sampled_from([-121 * HOUR, -120 * HOUR, -HOUR, 0, HOUR]),
        lasts=st.sampled_from([HOUR, 2 * HOUR, DAY]),
    )
    def suspend(self, who: str, zone: str, name: str, ahead: int, lasts: int) -> Any:
        now = self.model.now = self.time.now_ns()
        zones, names = ([zone], []) if zone else ([], [name])
        try:
            done = self.place.suspend(who, zones=zones, names=names, from_ns=now + ahead, lasts_ns=lasts)
        except RuleError:
            assert not self.model.may_suspend(who, now + ahead)
            return multiple()
        assert self.model.may_suspend(who, now + ahead)
        pause = Pause(frozenset(names), frozenset(zones), now + ahead, now + ahead + lasts)
        self.model.pauses[done.suspension_id] = pause
        return done.suspension_id

    @rule(name=pauses, who=mostly_privacy)
    def lift(self, name: str, who: str) -> None:
        self.model.now = self.time.now_ns()
        expected = self.model.lift(name, who)
        try:
            self.place.lift(name, who)
        except RuleError:
            assert not expected
        else:
            assert expected

    # --- people and policy --------------------------------------------------------------------------------------------

    @rule(name=mostly_approvers, by=accounts)
    def grant(self, name: str, by: str) -> None:
        self.model.now = self.time.now_ns()
        expected = self.model.grant(name, by)
        try:
            self.place.grant(name, Role(STAFF[name][1]), by)
        except (RuleError, InputError):
            assert not expected
        else:
            assert expected

    @rule(name=accounts)
    def revoke_role(self, name: str) -> None:
        expected = self.model.revoke_role(name)
        try:
            self.place.revoke_role(name, Role(STAFF[name][1]))
        except InputError:
            assert not expected
        else:
            assert expected

    @rule(name=st.sampled_from(["rob2", "abe2", "dora"]), really=st.integers(0, 9))
    def disable(self, name: str, really: int) -> None:
        if not really:
            self.place.disable(name)
            self.model.disable(name)

    @rule(
        target=proposals,
        who=mostly_approvers,
        purposes=st.sets(st.sampled_from(PURPOSES), min_size=2),
        hours=st.sampled_from([720, 720, 48]),
    )
    def propose_policy(self, who: str, purposes: set[str], hours: int) -> Any:
        self.model.now = self.time.now_ns()
        one = self.model.propose(who, frozenset(purposes), hours)
        changes: dict[str, object] = {"purposes": sorted(purposes), "authorisation_h": hours}
        done = self.attempt(who, lambda tx, actor: policy.propose_policy(tx, actor, changes))
        assert (one is not None) is (done is not None)
        if one is None:
            return multiple()
        self.model.policies[done.policy_id] = one
        return done.policy_id

    @rule(name=proposals, who=mostly_approvers)
    def approve_policy(self, name: str, who: str) -> None:
        def command(tx: Tx, actor: Actor) -> Policy:
            return policy.approve_policy(tx, actor, name, policy.policy_hash(tx.get(Policy, name)))

        self.model.now = self.time.now_ns()
        expected = self.model.approve_policy(name, who)
        assert (self.attempt(who, command) is not None) is expected

    @rule(name=consumes(proposals))
    def approve_policy_by_two(self, name: str) -> None:
        for who in ("bea", "cid"):
            self.approve_policy(name, who)

    # --- time ---------------------------------------------------------------------------------------------------------

    @rule(passes=st.sampled_from([1, HOUR - 1, HOUR, 2 * HOUR, DAY - 1, DAY, DAY, 3 * DAY, 29 * DAY]))
    def pass_time(self, passes: int) -> None:
        if self.time.now_ns() + passes < self.began + LONGEST:
            self.clock.advance(passes)

    @rule(off=st.sampled_from([HOUR, -HOUR, DAY, -2 * DAY]), really=st.integers(0, 3))
    def jump(self, off: int, really: int) -> None:
        if not really and self.time.now_ns() + DAY < self.began + LONGEST:
            before = self.time.now_ns()
            self.clock.jump(off)
            self.follow_clock()
            assert self.time.now_ns() == before

    def follow_clock(self) -> None:
        """Do what the node does each second."""
        if self.time.check():
            self.place.gallery.go()
            self.told = None
            return
        self.place.gallery.stop()
        if self.model.trusted:
            self.model.trusted, self.told = False, None
        off = self.time.off_by_ns()
        if self.told is None or abs(off - self.told) > jumps.MOVED_NS:
            with self.place.store.write() as tx:
                tx.entry("clock.jumped", "node", {"off_by_s": round(off / NS_PER_S)})
            self.told, self.model.jump_yes = off, []

    @rule(name=drafts, who=mostly_approvers)
    def at_the_edge(self, name: str, who: str) -> None:
        """Go to the instant at which one ends, and try to go on with it before anything has ticked."""
        one, now = self.model.listed[name], self.time.now_ns()
        if one.state not in OVER and now <= one.due < self.began + LONGEST:
            self.clock.advance(one.due - now)
            self.searched_is_who_should_be()
            self.approve(name, who, stale=False, crash=False)

    @rule(first=mostly_approvers, second=mostly_approvers)
    def confirm_clock_by_two(self, first: str, second: str) -> None:
        self.confirm_clock(first)
        self.confirm_clock(second)

    @rule(name=st.sampled_from(["abe", "bea", "cid"]), by=st.permutations(["rob", "rita", "aud", "pia"]))
    def lose_a_role_and_get_it_back(self, name: str, by: list[str]) -> None:
        self.revoke_role(name)
        for who in by[:2]:
            self.grant(name, who)

    @rule(who=mostly_approvers)
    def confirm_clock(self, who: str) -> None:
        off = self.time.off_by_ns()

        def command(tx: Tx, actor: Actor) -> bool:
            done = jumps.approve_clock(tx, actor, off)
            if done:
                tx.entry("clock.confirmed", actor.account_id, {"off_by_s": round(off / NS_PER_S)})
                tx.after_commit(self.time.confirm)
            return done

        self.model.now = self.time.now_ns()
        expected = self.model.confirm_clock(who)
        assert self.attempt(who, command) == expected
        if expected:
            self.model.trusted = True
            self.follow_clock()

    # --- what must be so ----------------------------------------------------------------------------------------------

    @invariant()
    def searched_is_who_should_be(self) -> None:
        self.model.now = self.time.now_ns()
        for camera in ZONE_OF:
            view = self.place.gallery.view(camera, self.time.now_ns())
            found = set() if view is None else set(view.authorisation_ids.tolist())
            assert found == self.model.searched(camera), camera

    @invariant()
    def the_log_says_what_the_database_holds(self) -> None:
        ended = self.place.store.commits(*TABLE_OF)
        if ended == self.compared:  # neither is another than it was
            return
        self.compared = ended
        with self.place.store.read() as tx:
            for opened in openings_of(tx, self.place.keys, self.replayed.taken):
                replay.take(self.replayed, opened)
            assert differences(self.replayed, tx, self.place.keys) == []


SHORT: Final = settings(
    max_examples=40,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
DEEP: Final = settings(SHORT, max_examples=100, stateful_step_count=80, derandomize=False)

TestLife = pytest.mark.rule("A1")(pytest.mark.rule("A15")(Life.TestCase))
TestLife.settings = SHORT


class DeepLife(Life):
    """The same, for minutes."""


TestDeepLife = pytest.mark.long(DeepLife.TestCase)
TestDeepLife.settings = DEEP
