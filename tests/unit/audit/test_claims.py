"""Each claim holds for entries that keep the rules, and names the first that does not: planted faults, one a rule."""

import hashlib
import random
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from tests.unit.audit.exports import Book

from habeas.audit.claims import CLAIMS, is_due, tightens
from habeas.audit.history import History, said_of
from habeas.errors import ProofError
from habeas.types import HOUR_NS, utc

SHA = "a" * 64
STAFF = {
    "rob": "requester",
    "abe": "approver",
    "bea": "approver",
    "cid": "approver",
    "pia": "privacy",
    "paul": "privacy",
    "opal": "operator",
    "otto": "operator",
}
CEILINGS = {"fpir": 1e-4, "purposes": ["consent", "missing-person"], "quorum": 0, "subjects": 9, "witnesses": []}
Change = Callable[["Story"], None]


def history_of(book: Book) -> History:
    history = History()
    for index, (opening, hidden) in enumerate(zip(book.openings, book.hidden, strict=True)):
        history.add(said_of(opening, hidden, index))
    return history


def broken(book: Book) -> str:
    """The numbers of the claims that the entries break."""
    history = history_of(book)
    numbers = []
    for title, claim in CLAIMS.items():
        try:
            claim(history)
        except ProofError:
            numbers.append(title.split()[0])
    return " ".join(numbers)


class Story(Book):
    """Entries as an installation writes them; every method may be told to write something else."""

    def __init__(self) -> None:
        super().__init__()
        for name, role in STAFF.items():
            self.add("account.added", "init", {"account": name, "person": name})
            self.add("role.granted-first", "init", {"account": name, "grant": f"g-{name}", "role": role, "zones": []})
        self.add("policy.first", "init", {**self.policy_facts("p1", 1, 0), "ceilings": CEILINGS})
        self.add("camera.added", "ann", {"camera": "c1", "zone": "gate", "source": "s"})

    def at(self, hours: float = 0) -> str:
        return utc(self.now_ns + round(hours * HOUR_NS))

    def ask(self, name: str = "a1", **changes: Any) -> None:
        body = {
            "authorisation": name,
            "cameras": [["c1", "s"]],
            "from": self.at(),
            "minor": False,
            "purpose": "missing-person",
            "requester": "rob",
            "sha256": SHA,
            "until": self.at(2),
            "urgent": False,
            **changes,
        }
        self.add("authorisation.submitted", "rob", body)

    def approve(self, *names: str, of: str = "a1", action: str = "authorisation", sha256: str = SHA) -> None:
        for name in names:
            self.add("approval.given", name, {"action": action, "approval": "ok", "object": of, "sha256": sha256})

    def start(self, name: str = "a1", *, hours: float = 2, confirmed: bool = True, sha256: str = SHA) -> None:
        body = {"authorisation": name, "confirmed": confirmed, "ends": self.at(hours), "sha256": sha256}
        self.add("authorisation.active", "bea", body, after_s=0)

    def end(self, name: str = "a1", *, discarded: bool = True) -> None:
        self.add("authorisation.revoked", "rob", {"authorisation": name})
        if discarded:
            self.add("authorisation.discarded", "clock", {"authorisation": name, "keys": 1})

    def listed(self) -> None:
        """One authorisation that runs."""
        self.ask()
        self.approve("abe", "bea")
        self.start()

    def alert(self, name: str = "alert-1", **changes: Any) -> None:
        hidden = {"authorisation": "a1", "camera": "c1", "captured_at": self.at(), **changes}
        self.add("alert.raised", "review", {"alert": name, "model": "m"}, hidden)

    def judge(self, *verdicts: tuple[str, str], outcome: str = "confirmed", given: bool = True, **changes: Any) -> None:
        opened = [
            {"account": who, "alert": "alert-1", "verdict": verdict, "verdict_id": f"v-{n}", **changes}
            for n, (who, verdict) in enumerate(verdicts)
        ]
        for one in opened if given else ():
            self.add("verdict.given", "review", {"commitment": hashlib.sha256(rfc8785.dumps(one)).hexdigest()})
        self.add("alert.decided", "review", {"alert": "alert-1", "outcome": outcome, "verdicts": opened})

    def suspend(self, *, hours: float = 2, back: float = 1, **changes: Any) -> None:
        body = {"cameras": [], "from": self.at(-back), "suspension": "s1", "until": self.at(hours), "zones": ["gate"]}
        self.add("suspension.imposed", "pia", {**body, **changes})

    def lift(self, first: str = "pia", second: str = "paul", hours: float = 1.01) -> None:
        self.add("suspension.lift-proposed", first, {"suspension": "s1"})
        self.add("suspension.lifted", second, {"from": self.at(hours), "suspension": "s1"})

    @staticmethod
    def policy_facts(name: str, number: int, based_on: int) -> dict[str, Any]:
        return {"based_on": based_on, "ceilings": CEILINGS, "number": number, "policy": name, "sha256": SHA}

    def propose(self, **changes: Any) -> None:
        ceilings = {**CEILINGS, **changes}
        self.add("policy.proposed", "cid", {**self.policy_facts("p2", 2, 1), "ceilings": ceilings})

    def take_policy(self, *names: str, hours: float = 0) -> None:
        self.approve(*names, of="p2", action="policy")
        self.add("policy.approved", names[-1], {"effective_from": self.at(hours), "policy": "p2"}, after_s=0)

    def grant(
        self, first: str = "abe", second: str = "bea", *, of: str = "new", hours: float = 24, role: str = "operator"
    ) -> None:
        self.add("account.added", "ann", {"account": of, "person": of})
        grant = {"account": of, "grant": "g1", "proposed_by": first, "role": "operator", "zones": []}
        self.add("role.proposed", first, grant)
        self.add("role.granted", second, {**grant, "role": role, "usable_from": self.at(hours)}, after_s=0)


def second_account(story: Story) -> None:
    """Bea has another account."""
    story.add("account.added", "ann", {"account": "bea2", "person": "bea"})
    story.add("role.granted-first", "init", {"account": "bea2", "grant": "g", "role": "approver", "zones": []})


KEPT: list[Change] = [
    lambda s: s.listed(),
    lambda s: [s.listed(), s.pad(119), s.end(), s.pad(60)],
    lambda s: [s.ask(minor=True), s.approve("abe", "bea", "cid"), s.start()],
    lambda s: [s.ask(purpose="consent"), s.approve("abe"), s.start()],
    lambda s: [s.ask(urgent=True), s.approve("abe"), s.start(hours=24, confirmed=False), s.approve("bea"), s.start()],
    lambda s: [s.listed(), s.alert(), s.judge(("opal", "same"), ("otto", "same"))],
    lambda s: [s.listed(), s.alert(), s.judge(("opal", "same"), ("otto", "different"), ("x", "same"))],
    lambda s: [s.listed(), s.alert(), s.judge(("opal", "different"), ("otto", "different"), outcome="false")],
    lambda s: [s.listed(), s.suspend(zones=["hall"]), s.alert()],
    lambda s: [s.suspend(), s.lift(), s.pad(70), s.listed(), s.alert()],
    lambda s: [s.propose(subjects=8), s.take_policy("abe", "bea")],
    lambda s: [s.propose(subjects=10), s.take_policy("abe", "bea", hours=24)],
    lambda s: s.grant(),
]


@pytest.mark.parametrize("write", KEPT)
def test_entries_that_keep_the_rules_hold(write: Change) -> None:
    story = Story()
    write(story)
    assert broken(story) == ""


BROKEN: list[tuple[str, str, Change]] = [
    ("one approver", "8.1", lambda s: [s.ask(), s.approve("abe"), s.start()]),
    ("the same twice", "8.1", lambda s: [s.ask(), s.approve("abe", "abe"), s.start()]),
    ("two accounts of one person", "8.1", lambda s: [second_account(s), s.ask(), s.approve("bea", "bea2"), s.start()]),
    ("own request", "8.1", lambda s: [s.ask(requester="bea"), s.approve("abe", "bea", "cid"), s.start()]),
    ("other content", "8.1", lambda s: [s.ask(), s.approve("abe", "bea"), s.start(sha256="b" * 64)]),
    (
        "changed after approval",
        "8.1",
        lambda s: [s.ask(), s.approve("abe", "bea"), s.ask(sha256="b" * 64), s.start(sha256="b" * 64)],
    ),
    ("approval of another action", "8.1", lambda s: [s.ask(), s.approve("abe", "bea", action="defer"), s.start()]),
    ("no approver", "8.1", lambda s: [s.ask(), s.approve("abe", "opal"), s.start()]),
    (
        "approver no more",
        "8.1",
        lambda s: [s.ask(), s.approve("abe", "bea"), s.add("account.disabled", "ann", {"account": "bea"}), s.start()],
    ),
    ("two for a minor", "8.1", lambda s: [s.ask(minor=True), s.approve("abe", "bea"), s.start()]),
    (
        "one for a large consent",
        "8.1",
        lambda s: [s.ask(purpose="consent", until=s.at(25)), s.approve("abe"), s.start()],
    ),
    ("approved afterwards", "8.1", lambda s: [s.ask(), s.approve("abe"), s.start(), s.approve("bea")]),
    ("nobody asked", "8.1", lambda s: s.start()),
    ("urgent without approver", "8.2", lambda s: [s.ask(urgent=True), s.start(confirmed=False)]),
    ("not urgent", "8.2", lambda s: [s.ask(), s.approve("abe"), s.start(confirmed=False)]),
    ("urgent for longer", "8.2", lambda s: [s.ask(urgent=True), s.approve("abe"), s.start(hours=25, confirmed=False)]),
    (
        "urgent never refused",
        "8.3",
        lambda s: [s.ask(urgent=True), s.approve("abe"), s.start(hours=1, confirmed=False), s.pad(70)],
    ),
    ("it goes on", "8.3", lambda s: [s.listed(), s.pad(130)]),
    ("ended late", "8.3", lambda s: [s.listed(), s.pad(130), s.end()]),
    ("not discarded", "8.4", lambda s: [s.listed(), s.end(discarded=False), s.pad(6)]),
    (
        "discarded late",
        "8.4",
        lambda s: [
            s.listed(),
            s.end(discarded=False),
            s.pad(6),
            s.add("authorisation.discarded", "clock", {"authorisation": "a1"}),
        ],
    ),
    ("one approves a policy", "8.5", lambda s: [s.propose(subjects=8), s.take_policy("abe")]),
    ("its proposer approves", "8.5", lambda s: [s.propose(subjects=8), s.take_policy("abe", "bea", "cid")]),
    ("more people at once", "8.5", lambda s: [s.propose(subjects=10), s.take_policy("abe", "bea")]),
    ("nobody proposed it", "8.5", lambda s: s.take_policy("abe", "bea")),
    ("a day less a minute", "8.6", lambda s: s.grant(hours=23.9)),
    ("granted alone", "8.6", lambda s: s.grant("abe", "abe")),
    ("granted to oneself", "8.6", lambda s: s.grant("abe", "new")),
    ("another role than proposed", "8.6", lambda s: s.grant(role="approver")),
    ("lifted alone", "8.7", lambda s: [s.suspend(), s.lift("pia", "pia")]),
    ("lifted by an approver", "8.7", lambda s: [s.suspend(), s.lift("pia", "abe")]),
    ("lifted at once", "8.7", lambda s: [s.suspend(), s.lift(hours=0.9)]),
    ("nothing runs", "8.8", lambda s: s.alert()),
    ("after its end", "8.8", lambda s: [s.listed(), s.end(), s.alert()]),
    ("another camera", "8.8", lambda s: [s.listed(), s.alert(camera="c2")]),
    ("captured before", "8.8", lambda s: [s.listed(), s.alert(captured_at=s.at(-1))]),
    ("captured in a suspension", "8.8", lambda s: [s.listed(), s.suspend(), s.alert()]),
    ("captured before the lift", "8.8", lambda s: [s.listed(), s.suspend(), s.lift(), s.alert()]),
    ("by camera", "8.8", lambda s: [s.listed(), s.suspend(zones=[], cameras=["c1"]), s.alert()]),
    ("confirmed by one", "8.9", lambda s: [s.listed(), s.alert(), s.judge(("opal", "same"))]),
    ("confirmed by one, twice", "8.9", lambda s: [s.listed(), s.alert(), s.judge(("opal", "same"), ("opal", "same"))]),
    (
        "confirmed against one",
        "8.9",
        lambda s: [s.listed(), s.alert(), s.judge(("opal", "same"), ("otto", "different"))],
    ),
    (
        "verdicts that nobody gave",
        "8.9",
        lambda s: [s.listed(), s.alert(), s.judge(("opal", "same"), ("otto", "same"), given=False)],
    ),
    (
        "verdicts on another alert",
        "8.9",
        lambda s: [s.listed(), s.alert(), s.judge(("opal", "same"), ("otto", "same"), alert="alert-2")],
    ),
    (
        "verdicts opened twice",
        "8.9",
        lambda s: [
            s.listed(),
            s.alert(),
            s.judge(("opal", "same"), ("otto", "same")),
            s.judge(("opal", "same"), ("otto", "same"), given=False),
        ],
    ),
]


@pytest.mark.parametrize(("what", "number", "write"), BROKEN, ids=[one[0] for one in BROKEN])
def test_entries_that_break_a_rule_are_named(what: str, number: str, write: Change) -> None:  # noqa: ARG001 - its id
    story = Story()
    write(story)
    assert number in broken(story).split()


def test_a_node_that_was_off_does_what_was_due_when_it_runs_again() -> None:
    for minutes_late, expected in ((4, ""), (6, "8.3")):
        story = Story()
        story.listed()
        story.add("node.started", "node", {}, after_s=5 * 3600)
        story.pad(minutes_late)
        story.end()
        assert broken(story) == expected


def test_the_first_break_is_named_by_its_entry() -> None:
    story = Story()
    story.listed()
    story.ask("a2")
    story.start("a2")
    story.ask("a3")
    story.start("a3")
    with pytest.raises(ProofError) as refused:
        CLAIMS["8.1 what is active was approved by enough people"](history_of(story))
    assert refused.value.index == len(story.openings) - 3


@pytest.mark.parametrize("value", [None, 7, [], {}, [[1]], {"a": []}, "x", 1e300, True])
def test_bodies_of_any_form_are_refused_or_passed_and_crash_nothing(value: object) -> None:
    rng = random.Random(repr(value))
    for write in [*KEPT, *(write for _, _, write in BROKEN)]:
        story = Story()
        write(story)
        last = story.openings[-6:]
        name = rng.choice(sorted({key for opening in last for key in opening["body"]}) or ["none"])
        for opening in last:
            if name in opening["body"]:
                opening["body"][name] = value
        broken(story)


def test_what_is_not_known_of_a_policy_counts_as_allowing_more() -> None:
    assert tightens(CEILINGS, CEILINGS)
    assert tightens({**CEILINGS, "fpir": 1e-5, "purposes": ["consent"], "witnesses": ["w"], "quorum": 1}, CEILINGS)
    for change in (
        {"fpir": 1e-3},
        {"purposes": ["consent", "missing-person", "court-order"]},
        {"new": 1},
        {"fpir": "low"},
    ):
        assert not tightens({**CEILINGS, **change}, CEILINGS)
    with_three = {**CEILINGS, "witnesses": ["a", "b", "c"]}
    assert not tightens({**with_three, "quorum": 1}, with_three), "two of three is what none said means"
    assert not tightens({**with_three, "witnesses": ["a", "b"]}, with_three)


@pytest.mark.rule("L9")
def test_what_an_alert_hides_is_due_when_the_log_says_that_it_ended() -> None:
    for ended, due in (
        ({}, False),
        ({"kind": "alert.decided", "outcome": "confirmed"}, False),
        ({"kind": "alert.decided", "outcome": "false"}, True),
        ({"kind": "alert.decided", "outcome": "unresolved"}, True),
        ({"kind": "alert.destroyed", "why": "expired"}, True),
        ({"kind": "alert.destroyed", "why": "expired", "alert": "another"}, False),
    ):
        book = Book()
        book.add("alert.raised", "review", {"alert": "alert-1"}, {"camera": "c1"})
        if ended:
            body = {"alert": "alert-1", "verdicts": [], **ended}
            book.add(str(body.pop("kind")), "review", body)
        book.hidden[0] = None
        history = history_of(book)
        (raised,) = history.all("alert.raised")
        assert raised.sealed
        assert is_due(raised, history) is due
