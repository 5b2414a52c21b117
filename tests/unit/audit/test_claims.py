"""Each claim holds for entries that keep the rules, and names the first that does not: planted faults, one a rule."""

import hashlib
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import rfc8785
from tests.unit.audit.exports import Book

from habeas.audit.claims import CLAIMS
from habeas.audit.claims_alerts import is_due
from habeas.audit.claims_policy import MAXIMA, PURPOSES, tightens
from habeas.audit.history import History, said_of
from habeas.authority.policy import Ceilings
from habeas.authority.purposes import Purpose
from habeas.errors import ProofError, RuleError
from habeas.types import HOUR_NS, utc

SHA = "a" * 64
STAFF = {
    "ann": "admin",
    "rob": "requester",
    "abe": "approver",
    "bea": "approver",
    "cid": "approver",
    "pia": "privacy",
    "paul": "privacy",
    "opal": "operator",
    "otto": "operator",
    "oda": "operator",
}
CEILINGS: dict[str, Any] = {
    **MAXIMA,
    "fpir": 1e-4,
    "purposes": ["consent", "missing-person", "serious-offence-suspect"],
    "quorum": 0,
    "subjects": 9,
    "witnesses": [],
}
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
        self.given: dict[str, str] = {}
        """Of the evidence that was handed in."""
        for name, role in STAFF.items():
            self.add("account.added", "init", {"account": name, "person": name})
            self.add("role.granted-first", "init", {"account": name, "grant": f"g-{name}", "role": role, "zones": []})
        self.add("policy.first", "init", self.policy_facts("p1", 1, 0))
        self.add("node.started", "node", {})
        self.camera("c1", "gate", "s")

    def at(self, hours: float = 0) -> str:
        return utc(self.now_ns + round(hours * HOUR_NS))

    def camera(self, name: str, zone: str, source: str) -> None:
        self.add("camera.added", "ann", {"camera": name, "zone": zone, "source": source})

    def ask(self, name: str = "a1", **changes: Any) -> None:
        body = {
            "authorisation": name,
            "cameras": [["c1", "s"]],
            "from": self.at(),
            "kind": "live",
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

    def start(self, name: str = "a1", *, hours: float = 1.99, confirmed: bool = True, sha256: str = SHA) -> None:
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
        self.add("alert.raised", "review", {"alert": name, "footage": False, "model": "m"}, hidden)

    def filmed(self, who: str = "opal", *, made: bool = True, back_s: float = 15) -> None:
        """The seconds before now are made a film of, for an alert, and it is played."""
        if made:
            hidden = {"parts": [[self.at(-back_s / 3600), self.at()]], "playable_until": self.at(100)}
            self.add("alert.playback-made", "player", {"alert": "alert-1", "films": 1, "found": True}, hidden)
        self.add("alert.played", who, {"alert": "alert-1", "film": 0})

    def search(self) -> None:
        self.add("footage.search-began", "rob", {"authorisation": "a1"})

    def export(self, *by: str, sha256: str = "e", proposed: str = "e", fetched: bool = True) -> None:
        self.add("export.began", "rob", {"export": "x1"})
        self.add("export.proposed", "rob", {"export": "x1", "sha256": proposed})
        for who in by:
            body = {"action": "export", "approval": f"ok-x-{who}", "object": "x1", "sha256": sha256}
            self.add("approval.given", who, body)
        self.add("export.approved", "bea", {"export": "x1", "sha256": sha256})
        if fetched:
            self.add("export.fetched", "rob", {"export": "x1"})

    def footage_alert(self) -> None:
        hidden = {"authorisation": "a1", "camera": "c1", "captured_at": self.at(-23)}
        self.add("alert.raised", "review", {"alert": "alert-1", "footage": True, "model": "m"}, hidden)

    def evidence(self, *, hours: float = 120, who: str = "rob") -> None:
        """Two hours of a fortnight ago were handed in."""
        given = {"from": self.at(-336), "until": self.at(-334), "deadline": self.at(hours), "sha256": "e"}
        self.given = given
        self.add("evidence.uploaded", who, {"evidence": "evd-1", **given})

    def evidence_asked(self, name: str = "a1", **changes: Any) -> None:
        """It is asked for, by itself and whole."""
        ends = {end: self.given[end] for end in ("from", "until")}
        self.ask(name, **{"cameras": [["evd-1", "e"]], "kind": "retrospective", **ends, **changes})

    def evidence_permitted(self) -> None:
        self.evidence()
        self.evidence_asked()
        self.approve("abe", "bea")
        self.start(hours=72)

    def evidence_gone(self, of: str = "destroyed", **more: Any) -> None:
        self.add(f"evidence.{of}", "rob" if of == "discarded" else "clock", {"evidence": "evd-1", **more})

    def evidence_alert(self, *, back: float = 335) -> None:
        hidden = {"authorisation": "a1", "camera": "evd-1", "captured_at": self.at(-back)}
        self.add("alert.raised", "review", {"alert": "alert-1", "footage": True, "model": "m"}, hidden)

    def canary(self, camera: str = "c1", *, back_h: float = 0) -> None:
        seen = {"camera": camera, "captured_at": self.at(-back_h), "similarity": 0.97, "zone": "gate"}
        self.add("canary.seen", "canary", {"cameras": [seen], "model": "m"})

    def counted(self, hours: float, camera: str = "c1") -> None:
        body = {"analysed_ns": round(hours * HOUR_NS), "camera": camera, "day": self.at()[:10], "zone": "gate"}
        self.add("camera.counted", "counting", body)

    def footage(self, *, hours: float = 120, of: str = "began", ahead: float = 0) -> None:
        hour = self.at(ahead)[:13] + ":00:00Z"
        self.add(f"footage.{of}", "recorder", {"camera": "c1", "deadline": self.at(hours), "hour": hour})

    def hold(self, name: str = "h1", *, by: tuple[str, ...] = ("abe", "bea"), days: float = 20, **changes: Any) -> None:
        """A hold that these approved; `since_days` ago its footage was first held, `said` instead of what was asked."""
        asked = {
            "cameras": ["c1"],
            "decision": None,
            "ends": self.at(24 * days),
            "from": self.at(-2),
            "hold": name,
            "requester": "rob",
            "sha256": SHA,
            "until": self.at(-1),
        }
        since = self.at(-24 * changes.pop("since_days", 0))
        said = changes.pop("said", {})
        self.add("hold.proposed", "rob", {**asked, **changes}, after_s=0)
        for who in by:
            body = {"action": "hold", "approval": "ok", "object": name, "sha256": SHA}
            self.add("approval.given", who, body, after_s=0)
        body = {"ends": asked["ends"], "hold": name, "sha256": SHA, "since": since, **said}
        self.add("hold.approved", by[-1] if by else "abe", body, after_s=0)

    def keep(self, name: str = "h1", *, of: str = "kept") -> None:
        self.add(f"hold.{of}", "clock", {"hold": name, "segments": 1, "why": "its end"})

    def play(self, name: str = "h1") -> None:
        self.add("footage.played", "abe", {"camera": "c1", "hold": name})

    def opened(self, *, by: tuple[str, ...] = ("abe", "bea"), who: str = "pia", **changes: Any) -> None:
        """An access request that these approved."""
        asked = {
            "access": "r1",
            "cameras": ["c1", "c2"],
            "due": self.at(24 * 30),
            "from": self.at(-5),
            "opened_by": who,
            "sha256": SHA,
            "until": self.at(-1),
        }
        self.add("access.opened", who, {**asked, **changes}, after_s=0)
        for one in by:
            body = {"action": "access", "approval": "ok", "object": "r1", "sha256": SHA}
            self.add("approval.given", one, body, after_s=0)
        if by:
            self.add("access.approved", by[-1], {"access": "r1", "sha256": SHA}, after_s=0)

    def access(self, what: str, who: str = "pia") -> None:
        self.add(f"access.{what}", who, {"access": "r1"})

    def release(self, *names: str) -> None:
        self.approve(*names, of="h1", action="release-hold")
        self.add("hold.released", names[-1], {"hold": "h1"})

    def judge(
        self,
        *verdicts: tuple[str, str],
        outcome: str = "confirmed",
        given: bool = True,
        looked: bool = True,
        **changes: Any,
    ) -> None:
        for who, _ in verdicts if looked else ():
            self.add("view.alert", who, {"alert": "alert-1", "faces": 2})
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
    def policy_facts(name: str, number: int, based_on: int, **changes: Any) -> dict[str, Any]:
        ceilings = {**CEILINGS, **changes}
        digest = hashlib.sha256(rfc8785.dumps(ceilings)).hexdigest()
        return {"based_on": based_on, "ceilings": ceilings, "number": number, "policy": name, "sha256": digest}

    def propose(self, name: str = "p2", based_on: int = 1, sha256: str = "", **changes: Any) -> None:
        facts = self.policy_facts(name, int(name[1:]), based_on, **changes)
        self.add("policy.proposed", "cid", {**facts, "sha256": sha256 or facts["sha256"]})

    def take_policy(self, *names: str, hours: float = 0, of: str = "p2") -> None:
        proposed = [one["body"] for one in self.openings if one["type"] == "policy.proposed"]
        self.approve(*names, of=of, action="policy", sha256=proposed[-1]["sha256"] if proposed else SHA)
        self.add("policy.approved", names[-1], {"effective_from": self.at(hours), "policy": of}, after_s=0)

    def grant(
        self,
        first: str = "abe",
        second: str = "bea",
        *,
        of: str = "new",
        hours: float = 24,
        role: str = "operator",
        person: str = "",
        proposed: str = "operator",
        zones: Sequence[str] = (),
    ) -> None:
        self.add("account.added", "ann", {"account": of, "person": person or of})
        grant = {"account": of, "grant": "g1", "proposed_by": first, "role": proposed, "zones": list(zones)}
        self.add("role.proposed", first, grant)
        self.add("role.granted", second, {**grant, "role": role, "usable_from": self.at(hours)}, after_s=0)


def unopened(story: Story) -> None:
    """The alert was destroyed, and what it hid."""
    story.alert()
    story.hidden[-1] = None


def mute(story: Story, hours: float) -> None:
    """The node runs, and cannot write."""
    story.add("clock.beat", "node", {}, after_s=round(hours * 3600))


def second_account(story: Story) -> None:
    """Bea has another account."""
    story.add("account.added", "ann", {"account": "bea2", "person": "bea"})
    story.grant(of="bea2", person="bea", role="approver", proposed="approver")
    story.pad(24 * 60)


def gone(story: Story, **ended: str) -> None:
    """The alert ends, and so does what it hid."""
    story.listed()
    story.alert()
    story.hidden[-1] = None
    story.add(ended.pop("kind"), "review", {"alert": "alert-1", "verdicts": [], **ended})
    story.pad(6)


GONE = {"alert": "alert-1", "verdicts": [], "why": "suspension"}
ROLE = {"account": "new", "role": "auditor"}
FIVE = [[f"c{n}", f"s{n}"] for n in range(5)]
WITNESSED = {"witnesses": ["a", "b"], "quorum": 2}


def tighter_again(story: Story, based_on: int) -> None:
    """A third policy, which allows less than the second."""
    story.propose("p3", based_on, subjects=7)
    story.take_policy("abe", "bea", of="p3")


def footage(story: Story, **changes: Any) -> None:
    """Footage of yesterday is asked for."""
    story.ask(**{"kind": "retrospective", "from": story.at(-24), "until": story.at(-22), **changes})


def permitted(story: Story) -> None:
    """Footage of yesterday may be searched."""
    footage(story)
    story.approve("abe", "bea")
    story.start(hours=72)


def over_film(story: Story) -> None:
    """It is played after its end."""
    story.filmed()
    story.add("alert.playback-ended", "player", ALERT)
    story.filmed(made=False)


def zoned(story: Story, zone: str) -> None:
    """An operator of one zone plays it."""
    story.grant(of="zed", zones=[zone])
    story.pad(24 * 60 + 1)
    story.listed()
    story.alert()
    story.filmed("zed")


def timeless_film(story: Story) -> None:
    """What it is of cannot be read."""
    story.add("alert.playback-made", "player", {**ALERT, "films": 1, "found": True}, {"parts": [["now"]]})
    story.filmed(made=False)


def over_export(story: Story) -> None:
    """It is fetched after its end."""
    story.add("export.ended", "clock", {"export": "x1"})
    story.add("export.fetched", "rob", {"export": "x1"})


def discarded_export(story: Story) -> None:
    """Whoever had it made discards it."""
    story.add("export.discarded", "rob", {"export": "x1"})


def auditor_too(story: Story, of: str) -> None:
    """Another account of whoever is new gets another role."""
    story.grant(of=of, person="new")


def months(story: Story) -> None:
    """Nothing happens for 92 days, and the node was off at their end."""
    story.add("node.started", "node", {}, after_s=92 * 24 * 3600)


ALERT = {"alert": "alert-1"}
SAME = (("opal", "same"), ("otto", "same"))
KEPT: list[Change] = [
    lambda s: s.listed(),
    lambda s: [s.listed(), s.pad(119), s.end(), s.pad(60)],
    lambda s: [s.ask(minor=True), s.approve("abe", "bea", "cid"), s.start()],
    lambda s: [s.ask(purpose="consent"), s.approve("abe"), s.start()],
    lambda s: [
        s.ask(urgent=True, until=s.at(25)),
        s.approve("abe"),
        s.start(hours=24, confirmed=False),
        s.approve("bea"),
        s.start(hours=24),
    ],
    lambda s: [s.listed(), s.alert(), s.judge(("opal", "same"), ("otto", "same"))],
    lambda s: [s.listed(), s.alert(), s.judge(("opal", "same"), ("otto", "different"), ("oda", "same"))],
    lambda s: [s.listed(), s.alert(), s.judge(("opal", "different"), ("otto", "different"), outcome="false")],
    lambda s: [s.listed(), s.suspend(zones=["hall"]), s.alert()],
    lambda s: [s.suspend(), s.lift(), s.pad(70), s.listed(), s.alert()],
    lambda s: [s.propose(subjects=8), s.take_policy("abe", "bea")],
    lambda s: [s.propose(subjects=10), s.take_policy("abe", "bea", hours=24)],
    lambda s: [s.propose(subjects=8), s.take_policy("abe", "bea"), tighter_again(s, based_on=2)],
    lambda s: [s.propose(**WITNESSED), s.take_policy("abe", "bea")],
    lambda s: s.grant(),
    lambda s: [s.grant(role="auditor", proposed="auditor"), s.add("role.revoked", "ann", ROLE), auditor_too(s, "x")],
    lambda s: gone(s, kind="alert.decided", outcome="false"),
    lambda s: gone(s, kind="alert.destroyed"),
    lambda s: [s.listed(), s.alert(), s.suspend(), s.add("alert.destroyed", "review", GONE)],
    lambda s: [s.listed(), s.alert(), s.suspend(zones=["hall"]), s.pad(6)],
    lambda s: [s.listed(), s.alert(), s.suspend(back=0), s.pad(6)],
    lambda s: [s.listed(), s.alert(), s.add("alert.destroyed", "review", GONE), s.end()],
    lambda s: s.footage(hours=119),
    lambda s: [s.footage(hours=0.2), s.pad(13), s.footage(of="destroyed"), s.pad(60)],
    lambda s: [s.footage(hours=100), s.footage(hours=0.1, of="shortened"), s.pad(7), s.footage(of="destroyed")],
    lambda s: [s.footage(hours=0.1), s.pad(7), s.footage(of="destroyed"), s.footage(of="found", hours=100), s.pad(60)],
    lambda s: [
        s.footage(hours=100),
        s.footage(hours=0.1, of="shortened"),
        s.pad(7),
        s.footage(of="destroyed"),
        s.footage(hours=100, of="found"),
        s.pad(40),
    ],
    lambda s: [s.hold(), s.keep(), s.play()],
    lambda s: [s.hold(days=0.01), s.keep(), s.pad(15), s.keep(of="ended"), s.pad(60)],
    lambda s: [s.hold(), s.keep(), s.release("abe", "cid"), s.keep(of="ended"), s.pad(60)],
    lambda s: [s.hold(), s.hold("h2", since_days=0.001)],
    lambda s: [s.hold(), s.hold("h2", cameras=["c2"])],
    lambda s: s.hold(since_days=80, days=30, decision=SHA),
    lambda s: [s.hold(days=0.01), s.pad(14), s.keep(of="ended"), s.hold("h2")],
    lambda s: [s.listed(), s.canary()],
    lambda s: [s.listed(), s.counted(1.9)],
    lambda s: [s.listed(), s.canary(back_h=-1 / 1000), s.end(), s.canary(back_h=-1 / 1000)],
    lambda s: [s.listed(), s.canary(back_h=4 / 3600)],
    lambda s: [s.listed(), mute(s, 3), s.counted(4.5)],
    lambda s: [s.listed(), s.canary(), s.pad(60), s.add("canary.missed", "canary", {"camera": "c1"}), s.counted(5)],
    lambda s: [s.suspend(zones=["hall"]), s.listed(), s.canary()],
    lambda s: [s.listed(), s.pad(2), s.suspend(back=0), s.pad(2), s.canary(back_h=0.05), s.counted(2)],
    lambda s: [s.listed(), s.pad(10), s.end(), s.canary(back_h=0.05)],
    lambda s: [s.suspend(), s.lift(), s.pad(70), s.listed(), s.canary()],
    lambda s: [s.ask(cameras=FIVE), s.approve("abe", "bea"), s.start()],
    lambda s: [s.ask(cameras=[*FIVE, ["c9", "s9"]], purpose="missing-person"), s.approve("abe", "bea"), s.start()],
    lambda s: [footage(s), s.approve("abe", "bea"), s.start(hours=72)],
    lambda s: [permitted(s), s.search(), s.footage_alert()],
    lambda s: [s.evidence_permitted(), s.search(), s.end(), s.evidence_gone(), s.pad(30)],
    lambda s: [s.evidence_permitted(), s.search(), s.evidence_alert(), s.judge(("opal", "same"), ("otto", "same"))],
    lambda s: [s.evidence(), s.evidence_asked(), s.pad(30)],
    lambda s: [s.evidence(hours=0.1), s.pad(7), s.evidence_gone(), s.pad(30)],
    lambda s: [s.evidence(), s.evidence_gone("shortened", deadline=s.at(0.1)), s.pad(7), s.evidence_gone(), s.pad(30)],
    lambda s: [s.evidence(), s.evidence_gone("discarded"), s.evidence_gone(), s.pad(30)],
    lambda s: [
        s.suspend(zones=["hall"], back=400, hours=-336),
        s.evidence_permitted(),
        s.search(),
        s.evidence_alert(),
    ],
    lambda s: [s.listed(), s.alert(), s.filmed(), s.judge(*SAME)],
    lambda s: [s.listed(), s.alert(), s.filmed(), s.add("alert.playback-ended", "player", ALERT), s.filmed()],
    lambda s: zoned(s, "gate"),
    lambda s: [s.listed(), s.alert(), s.pad(2), s.suspend(back=0), s.filmed(back_s=-1)],
    lambda s: [s.listed(), s.alert(), s.suspend(zones=["hall"]), s.filmed()],
    lambda s: [s.listed(), unopened(s), s.filmed()],
    lambda s: s.export("abe", "bea"),
    lambda s: s.export("abe", fetched=False),
    lambda s: [s.opened(), s.access("search-began"), s.access("closed"), s.access("destroyed"), s.pad(30)],
    lambda s: [s.opened(by=()), s.access("refused", "abe"), s.access("destroyed"), s.pad(30)],
    lambda s: [s.opened(), s.pad(60)],
    lambda s: [s.opened(), months(s), s.access("closed", "clock"), s.access("destroyed"), s.pad(30)],
    lambda s: [s.ask(purpose="consent", until=s.at(719)), s.approve("abe", "bea"), s.start()],
    lambda s: [
        s.camera("c2", "hall", "other"),
        s.suspend(),
        s.ask(cameras=[["c2", "other"]]),
        s.approve("abe", "bea"),
        s.start(),
        s.alert(camera="c2"),
    ],
]


@pytest.mark.parametrize("write", KEPT)
def test_entries_that_keep_the_rules_hold(write: Change) -> None:
    story = Story()
    write(story)
    assert broken(story) == ""


ADMIN = {"account": "ada", "grant": "g-ada", "role": "admin", "zones": []}


def urgently(story: Story) -> None:
    """One that started with one approver."""
    story.ask(urgent=True)
    story.approve("abe")
    story.start(confirmed=False)


def judged(story: Story, *names: str, outcome: str = "confirmed", looked: bool = True) -> None:
    """An alert that these decided."""
    story.listed()
    story.alert()
    said = "same" if outcome == "confirmed" else "different"
    story.judge(*((name, said) for name in names), outcome=outcome, looked=looked)


def faceless(story: Story) -> None:
    """Both open the alert, and are shown no face."""
    for who, _ in SAME:
        story.add("view.alert", who, {"alert": "alert-1", "faces": 0})


def first_role(story: Story, actor: str, name: str) -> None:
    """Somebody gets a role as `init` gives it, while the node runs."""
    story.add("account.added", "ann", {"account": name, "person": name})
    story.add("role.granted-first", actor, {"account": name, "grant": "g", "role": "approver", "zones": []})


def role_afterwards(story: Story) -> None:
    """Before the node ran: an approval by somebody who is an approver later."""
    del story.openings[-2:], story.hidden[-2:]
    story.camera("c1", "gate", "s")
    story.ask()
    story.approve("abe", "zoe")
    first_role(story, "init", "zoe")
    story.start()


def seen_again(story: Story) -> None:
    """What the alert hid is gone, what was seen again is not."""
    story.listed()
    story.alert()
    story.hidden[-1] = None
    story.add("alert.seen-again", "review", {"alert": "alert-1"}, {"sightings": 2})
    story.add("alert.destroyed", "review", GONE)
    story.pad(6)


def anew(story: Story) -> None:
    """The suspended camera comes back under another name in another zone, and one authorisation names it."""
    story.add("camera.removed", "ann", {"camera": "c1"})
    story.camera("c2", "hall", "s")
    story.ask(cameras=[["c2", "s"]])
    story.approve("abe", "bea")
    story.start()


def loosened(story: Story, based_on: int) -> None:
    """A policy that allows more than the one in force, and no more than another."""
    story.propose("p3", based_on, subjects=9 if based_on == 1 else 40)
    story.take_policy("abe", "bea", of="p3")


def owned(story: Story) -> None:
    """Two witnesses more, and no more of them have to sign than two."""
    story.propose("p3", 2, witnesses=["a", "b", "mine", "mine-too"], quorum=2)
    story.take_policy("abe", "bea", of="p3")


def many(story: Story, count: int) -> None:
    """So many cameras more."""
    for number in range(count):
        story.camera(f"d{number}", "hall", f"d{number}")


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
    ("active again after its end", "8.1", lambda s: [s.listed(), s.end(), s.start()]),
    ("urgent again after its end", "8.2", lambda s: [urgently(s), s.end(), s.start(confirmed=False)]),
    ("started again and again", "8.2", lambda s: [urgently(s), s.pad(30), s.start(confirmed=False)]),
    ("confirmed again and again", "8.1", lambda s: [s.listed(), s.pad(30), s.start()]),
    (
        "urgent once it was confirmed",
        "8.2",
        lambda s: [s.ask(urgent=True), s.approve("abe", "bea"), s.start(), s.start(confirmed=False)],
    ),
    ("confirmed by nobody that there is", "8.9", lambda s: judged(s, "ghost", "shade")),
    ("confirmed by approver and requester", "8.9", lambda s: judged(s, "abe", "rob")),
    ("confirmed without looking", "8.9", lambda s: judged(s, "opal", "otto", looked=False)),
    ("looked when it was closed", "8.9", lambda s: [s.listed(), s.alert(), faceless(s), s.judge(*SAME, looked=False)]),
    ("decided false by nobody", "8.9", lambda s: judged(s, "ghost", "shade", outcome="false")),
    ("granted by admins", "8.6", lambda s: [s.add("role.granted-first", "init", ADMIN), s.grant("ann", "ada")]),
    ("granted with an admin", "8.6", lambda s: s.grant("ann", "bea")),
    ("proposed by an admin", "8.6", lambda s: s.grant("bea", "ann")),
    ("granted by accounts that are not there", "8.6", lambda s: s.grant("ghost", "shade")),
    (
        "granted by one who holds nothing any more",
        "8.6",
        lambda s: [s.add("account.disabled", "ann", {"account": "abe"}), s.grant()],
    ),
    ("a first role later", "8.6", lambda s: first_role(s, "init", "zoe")),
    ("a first role from an admin", "8.6", lambda s: first_role(s, "ann", "zoe")),
    (
        "approved with a first role later",
        "8.1",
        lambda s: [first_role(s, "ann", "zoe"), s.ask(), s.approve("abe", "zoe"), s.start()],
    ),
    ("a role after the approval", "8.1", role_afterwards),
    ("a first role after an approval", "8.6", role_afterwards),
    ("approver and admin", "8.11", lambda s: s.grant(of="ann2", person="ann")),
    ("privacy and operator", "8.11", lambda s: s.grant(of="pia2", person="pia")),
    ("operator and auditor", "8.11", lambda s: s.grant(of="opal2", person="opal", role="auditor", proposed="auditor")),
    ("suspended back, and kept", "8.12", lambda s: [s.listed(), s.alert(), s.suspend(), s.pad(6)]),
    ("suspended back, confirmed and kept", "8.12", lambda s: [judged(s, "opal", "otto"), s.suspend(), s.pad(6)]),
    (
        "suspended back, destroyed late",
        "8.12",
        lambda s: [s.listed(), s.alert(), s.suspend(), s.pad(6), s.add("alert.destroyed", "r", GONE)],
    ),
    ("ended, and its alert kept", "8.12", lambda s: [s.listed(), s.alert(), s.end(), s.pad(6)]),
    ("false, and it opens", "8.13", lambda s: [judged(s, "opal", "otto", outcome="false"), s.pad(60)]),
    (
        "destroyed, and it opens",
        "8.13",
        lambda s: [s.listed(), s.alert(), s.add("alert.destroyed", "r", GONE), s.pad(6)],
    ),
    ("destroyed, and its last sighting opens", "8.13", seen_again),
    ("added anew elsewhere", "8.8", lambda s: [s.suspend(), anew(s), s.alert(camera="c2")]),
    ("added anew elsewhere before", "8.8", lambda s: [anew(s), s.suspend(), s.alert(camera="c2")]),
    ("added anew, suspended back", "8.12", lambda s: [anew(s), s.alert(camera="c2"), s.suspend(), s.pad(6)]),
    (
        "tighter than one of long ago",
        "8.5",
        lambda s: [s.propose(subjects=8), s.take_policy("abe", "bea"), loosened(s, 1)],
    ),
    (
        "tighter than one that waits",
        "8.5",
        lambda s: [s.propose(subjects=50), s.take_policy("abe", "bea", hours=24), loosened(s, 2)],
    ),
    ("a second first policy", "8.5", lambda s: s.add("policy.first", "init", s.policy_facts("p9", 1, 0, subjects=99))),
    ("the hash of another policy", "8.5", lambda s: [s.propose(sha256=SHA), s.take_policy("abe", "bea")]),
    (
        "own witnesses",
        "8.5",
        lambda s: [s.propose(witnesses=["a", "b"], quorum=2), s.take_policy("abe", "bea"), owned(s)],
    ),
    ("an FPIR that no policy has", "8.5", lambda s: [s.propose(fpir=0.5), s.take_policy("abe", "bea", hours=24)]),
    (
        "a purpose that no policy has",
        "8.5",
        lambda s: [s.propose(purposes=["protesters"]), s.take_policy("abe", "bea", hours=24)],
    ),
    ("a year", "8.10", lambda s: [s.ask(until=s.at(365 * 24)), s.approve("abe", "bea"), s.start()]),
    (
        "in a year",
        "8.10",
        lambda s: [s.ask(**{"from": s.at(8760), "until": s.at(8761)}), s.approve("abe", "bea"), s.start()],
    ),
    (
        "for longer than the policy says",
        "8.10",
        lambda s: [s.propose(authorisation_h=1), s.take_policy("abe", "bea"), s.listed()],
    ),
    (
        "500 cameras",
        "8.10",
        lambda s: [
            many(s, 30),
            s.ask(cameras=[[f"d{n}", "x"] for n in range(500)]),
            s.approve("abe", "bea"),
            s.start(),
        ],
    ),
    (
        "six of thirty cameras",
        "8.10",
        lambda s: [many(s, 30), s.ask(cameras=[*FIVE, ["d", "d"]]), s.approve("abe", "bea"), s.start()],
    ),
    ("ends ten years after", "8.10", lambda s: [s.ask(), s.approve("abe", "bea"), s.start(hours=87_600)]),
    (
        "a purpose that there is not",
        "8.10",
        lambda s: [s.ask(purpose="protesters"), s.approve("abe", "bea"), s.start()],
    ),
    (
        "a purpose that the policy has not",
        "8.10",
        lambda s: [s.ask(purpose="court-order"), s.approve("abe", "bea"), s.start()],
    ),
    ("a minor's consent", "8.1", lambda s: [s.ask(purpose="consent", minor=True), s.approve("abe"), s.start()]),
    ("a consent to footage", "8.1", lambda s: [footage(s, purpose="consent"), s.approve("abe"), s.start()]),
    (
        "a minor's consent by three",
        "8.10",
        lambda s: [s.ask(purpose="consent", minor=True), s.approve("abe", "bea", "cid"), s.start()],
    ),
    (
        "a consent to footage by two",
        "8.10",
        lambda s: [footage(s, purpose="consent"), s.approve("abe", "bea"), s.start()],
    ),
    (
        "an urgent consent",
        "8.10",
        lambda s: [s.ask(purpose="consent", urgent=True), s.approve("abe"), s.start(confirmed=False)],
    ),
    (
        "a minor suspect",
        "8.10",
        lambda s: [s.ask(minor=True, purpose="serious-offence-suspect"), s.approve("abe", "bea", "cid"), s.start()],
    ),
    ("footage of a week", "8.10", lambda s: [footage(s, **{"from": s.at(-168)}), s.approve("abe", "bea"), s.start()]),
    ("footage of tomorrow", "8.10", lambda s: [footage(s, until=s.at(24)), s.approve("abe", "bea"), s.start()]),
    ("a film that an approver plays", "8.22", lambda s: [s.listed(), s.alert(), s.filmed("abe")]),
    (
        "a film that an operator of another zone plays",
        "8.22",
        lambda s: zoned(s, "hall"),
    ),
    ("a film that nobody made", "8.22", lambda s: [s.listed(), s.alert(), s.filmed(made=False)]),
    ("a film that is over", "8.22", lambda s: [s.listed(), s.alert(), over_film(s)]),
    ("a film of what is decided", "8.22", lambda s: [s.listed(), s.alert(), s.judge(*SAME), s.filmed()]),
    (
        "a film of what was suspended",
        "8.22",
        lambda s: [s.listed(), s.alert(), s.pad(2), s.suspend(back=1 / 3600), s.filmed()],
    ),
    ("a film that does not say of when", "8.22", lambda s: [s.listed(), s.alert(), timeless_film(s)]),
    ("an export that one approved", "8.20", lambda s: s.export("abe")),
    ("an export that another was proposed for", "8.20", lambda s: s.export("abe", "bea", proposed="f")),
    ("an export that was over", "8.20", lambda s: [s.export("abe", "bea", fetched=False), over_export(s)]),
    (
        "an export that was discarded",
        "8.20",
        lambda s: [
            s.export("abe", "bea", fetched=False),
            discarded_export(s),
            s.add("export.fetched", "rob", {"export": "x1"}),
        ],
    ),
    ("an export that was fetched before", "8.20", lambda s: [s.export("abe", "bea"), discarded_export(s)]),
    (
        "an export that another discarded",
        "8.20",
        lambda s: [s.export(), s.add("export.discarded", "abe", {"export": "x1"})],
    ),
    ("an export that nobody approved", "8.20", lambda s: s.add("export.fetched", "rob", {"export": "x2"})),
    ("footage searched for nobody", "8.18", lambda s: [footage(s), s.search()]),
    ("footage searched live", "8.18", lambda s: [s.listed(), s.search()]),
    ("footage searched twice", "8.18", lambda s: [permitted(s), s.search(), s.search()]),
    ("footage searched after the end", "8.18", lambda s: [permitted(s), s.end(), s.search()]),
    ("footage searched too late", "8.18", lambda s: [permitted(s), s.pad(4400), s.search()]),
    ("an alert of footage that nobody searched", "8.8", lambda s: [permitted(s), s.footage_alert()]),
    ("an alert of footage for live cameras", "8.8", lambda s: [s.listed(), s.footage_alert()]),
    ("a live alert for footage", "8.8", lambda s: [permitted(s), s.search(), s.alert(captured_at=s.at(-23))]),
    ("evidence that nobody handed in", "8.21", lambda s: [s.evidence(), s.evidence_asked(cameras=[["evd-2", "e"]])]),
    ("evidence with another content", "8.21", lambda s: [s.evidence(), s.evidence_asked(cameras=[["evd-1", "f"]])]),
    (
        "evidence beside a camera",
        "8.21",
        lambda s: [s.evidence(), s.evidence_asked(cameras=[["c1", "s"], ["evd-1", "e"]])],
    ),
    ("evidence as if it were live", "8.21", lambda s: [s.evidence(), s.evidence_asked(kind="live")]),
    ("evidence of another time", "8.21", lambda s: [s.evidence(), s.evidence_asked(until=s.at(-300))]),
    ("evidence of somebody else", "8.21", lambda s: [s.evidence(who="abe"), s.evidence_asked()]),
    ("evidence that two requests name", "8.21", lambda s: [s.evidence(), s.evidence_asked(), s.evidence_asked("a2")]),
    (
        "evidence asked for when it was discarded",
        "8.21",
        lambda s: [s.evidence(), s.evidence_gone("discarded"), s.evidence_gone(), s.evidence_asked()],
    ),
    (
        "evidence searched when it was gone",
        "8.21",
        lambda s: [s.evidence_permitted(), s.evidence_gone(), s.search()],
    ),
    (
        "evidence searched past its deadline",
        "8.21",
        lambda s: [s.evidence_permitted(), s.evidence_gone("shortened", deadline=s.at()), s.pad(1), s.search()],
    ),
    ("evidence of six days", "8.21", lambda s: s.evidence(hours=144)),
    ("evidence that is lengthened", "8.21", lambda s: [s.evidence(), s.evidence_gone("shortened", deadline=s.at(121))]),
    ("evidence that stays", "8.21", lambda s: [s.evidence(hours=0.1), s.pad(30)]),
    ("evidence that was discarded and stays", "8.21", lambda s: [s.evidence(), s.evidence_gone("discarded"), s.pad(9)]),
    ("evidence that outlives its request", "8.21", lambda s: [s.evidence_permitted(), s.end(), s.pad(9)]),
    (
        "evidence that goes late",
        "8.21",
        lambda s: [s.evidence_permitted(), s.end(), s.pad(20), s.evidence_gone()],
    ),
    ("evidence that nobody searched", "8.8", lambda s: [s.evidence_permitted(), s.evidence_alert()]),
    (
        "evidence of another hour than was stated",
        "8.8",
        lambda s: [s.evidence_permitted(), s.search(), s.evidence_alert(back=300)],
    ),
    (
        "evidence in a suspension of another zone",
        "8.8",
        lambda s: [
            s.suspend(zones=["hall"], back=340, hours=-330),
            s.evidence_permitted(),
            s.search(),
            s.evidence_alert(),
        ],
    ),
    ("footage of six days", "8.15", lambda s: s.footage(hours=144)),
    ("footage of tomorrow's hour", "8.15", lambda s: s.footage(ahead=24)),
    ("footage that is found for too long", "8.15", lambda s: s.footage(hours=144, of="found")),
    ("footage that is found and stays", "8.15", lambda s: [s.footage(hours=0.1, of="found"), s.pad(30)]),
    (
        "footage that was destroyed before it is found",
        "8.15",
        lambda s: [s.footage(of="destroyed"), s.footage(hours=0.1, of="found"), s.pad(30)],
    ),
    ("footage that stays", "8.15", lambda s: [s.footage(hours=0.1), s.pad(30)]),
    ("footage that goes late", "8.15", lambda s: [s.footage(hours=0.1), s.pad(20), s.footage(of="destroyed")]),
    (
        "footage that stays though it was shortened",
        "8.15",
        lambda s: [s.footage(hours=100), s.footage(hours=0.1, of="shortened"), s.pad(30)],
    ),
    (
        "footage that is lengthened",
        "8.15",
        lambda s: [s.footage(hours=1), s.footage(hours=2, of="shortened"), s.pad(1)],
    ),
    ("a hold that one approved", "8.16", lambda s: s.hold(by=("abe",))),
    ("a hold that one approved twice", "8.16", lambda s: s.hold(by=("abe", "abe"))),
    (
        "a hold that one approved with two accounts",
        "8.16",
        lambda s: [second_account(s), s.hold(by=("bea", "bea2"))],
    ),
    ("a hold that its requester approved", "8.16", lambda s: s.hold(by=("abe", "bea"), requester="bea")),
    ("a hold that an operator approved", "8.16", lambda s: s.hold(by=("abe", "opal"))),
    ("a hold of something else", "8.16", lambda s: s.hold(sha256="b" * 64)),
    ("a hold for longer than was proposed", "8.16", lambda s: s.hold(said={"ends": s.at(24 * 21)})),
    ("a hold of 32 days", "8.16", lambda s: s.hold(days=32)),
    ("a hold of 94 days in all", "8.16", lambda s: s.hold(since_days=80, days=14)),
    ("a hold that begins anew", "8.16", lambda s: [s.hold(), s.hold("h2", said={"since": s.at(0.01)})]),
    ("a hold that forgets the one before", "8.16", lambda s: [s.hold(), s.pad(30), s.hold("h2")]),
    ("a hold that stays", "8.16", lambda s: [s.hold(days=0.01), s.keep(), s.pad(30)]),
    ("a hold that goes late", "8.16", lambda s: [s.hold(days=0.01), s.pad(30), s.keep(of="ended")]),
    (
        "a hold that one released",
        "8.16",
        lambda s: [s.hold(), s.keep(), s.release("abe"), s.keep(of="ended")],
    ),
    ("a hold that is released and stays", "8.16", lambda s: [s.hold(), s.release("abe", "cid"), s.pad(10)]),
    ("what was never held is played", "8.17", lambda s: [s.hold(), s.play()]),
    ("what is held no more is played", "8.17", lambda s: [s.hold(), s.keep(), s.keep(of="ended"), s.play()]),
    ("what has ended is played", "8.17", lambda s: [s.hold(days=0.001), s.keep(), s.pad(2), s.play()]),
    ("an access request that one approved", "8.19", lambda s: s.opened(by=("abe",))),
    ("an access request that one approved twice", "8.19", lambda s: s.opened(by=("abe", "abe"))),
    (
        "an access request that one approved with two accounts",
        "8.19",
        lambda s: [second_account(s), s.opened(by=("bea", "bea2"))],
    ),
    ("an access request that an operator approved", "8.19", lambda s: s.opened(by=("abe", "opal"))),
    ("an access request that who opened it approved", "8.19", lambda s: s.opened(opened_by="bea")),
    ("an access request of something else", "8.19", lambda s: s.opened(sha256="b" * 64)),
    ("an access request for nine camera-hours", "8.19", lambda s: s.opened(until=s.at(-0.4))),
    ("an access request with another deadline", "8.19", lambda s: s.opened(due=s.at(24 * 40))),
    ("an access request approved by nobody", "8.19", lambda s: [s.opened(by=()), s.access("search-began")]),
    ("an access request searched by an approver", "8.19", lambda s: [s.opened(), s.access("search-began", "abe")]),
    (
        "an access request searched twice",
        "8.19",
        lambda s: [s.opened(), s.access("search-began"), s.access("search-began")],
    ),
    (
        "an access request searched after its end",
        "8.19",
        lambda s: [s.opened(), s.access("closed"), s.access("destroyed"), s.access("search-began")],
    ),
    (
        "an access request searched too late",
        "8.19",
        lambda s: [s.opened(), months(s), s.pad(1), s.access("search-began")],
    ),
    ("an access request that stays open", "8.19", lambda s: [s.opened(), months(s), s.pad(30)]),
    ("an access request that was closed and stays", "8.19", lambda s: [s.opened(), s.access("closed"), s.pad(30)]),
    (
        "an access request that was refused and goes late",
        "8.19",
        lambda s: [s.opened(by=()), s.access("refused", "abe"), s.pad(30), s.access("destroyed")],
    ),
    ("a canary where nobody is looked for", "8.14", lambda s: s.canary()),
    ("a canary on another camera", "8.14", lambda s: [s.listed(), s.canary("c2")]),
    ("ten canaries in one minute", "8.14", lambda s: [s.listed(), *[s.canary() for _ in range(10)], s.counted(5)]),
    ("a node that could not write for an hour", "8.14", lambda s: [s.listed(), mute(s, 1), s.counted(3)]),
    ("a canary before the start", "8.14", lambda s: [s.pad(60), s.listed(), s.canary(back_h=0.5)]),
    ("a canary after the end", "8.14", lambda s: [s.listed(), s.end(), s.pad(2), s.canary()]),
    ("a canary after its window", "8.14", lambda s: [s.listed(), s.pad(130), s.canary()]),
    ("a canary in a suspension", "8.14", lambda s: [s.listed(), s.suspend(), s.canary()]),
    (
        "a canary in a suspension by name",
        "8.14",
        lambda s: [s.listed(), s.suspend(zones=[], cameras=["c1"]), s.canary()],
    ),
    ("a canary of a source that is suspended", "8.14", lambda s: [s.suspend(), anew(s), s.canary("c2")]),
    ("an answer that must not be", "8.14", lambda s: [s.listed(), s.add("canary.leaked", "canary", {"camera": "c1"})]),
    ("hours without a canary", "8.14", lambda s: [s.listed(), s.counted(2)]),
    ("a day with one", "8.14", lambda s: [s.listed(), s.canary(), s.counted(5)]),
    ("another camera's", "8.14", lambda s: [s.listed(), s.canary(), s.counted(2, "c2")]),
    ("neither live nor footage", "8.10", lambda s: [s.ask(kind="both"), s.approve("abe", "bea"), s.start()]),
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


@pytest.mark.rule("P5")
def test_what_no_policy_passes_is_the_same_for_the_verifier() -> None:
    assert set(PURPOSES) == {purpose.value for purpose in Purpose}
    for name, most in MAXIMA.items():
        Ceilings(**{name: most})  # type: ignore[arg-type]  # by name
        with pytest.raises(RuleError, match="outside"):
            Ceilings(**{name: most * 1.01})  # type: ignore[arg-type]  # by name
