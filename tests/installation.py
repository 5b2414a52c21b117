"""A founded installation for tests: people with roles, cameras, a clock moved by hand, and one method a command.

Its database is real SQLite, its key store real, on a disk in memory. Nothing is compared unless `gallery` says so.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Final, Self, TypeVar

import numpy as np
from tests.databases import copy_of, new_database

from habeas.accounts import grants, people
from habeas.accounts.roles import Actor, Role
from habeas.accounts.sessions import _actor
from habeas.authority import authorisations, cameras, policy, renewal, requests, suspensions
from habeas.authority.cameras import NewCamera
from habeas.authority.gallery import Gallery
from habeas.authority.policy import Ceilings, first_policy
from habeas.authority.purposes import Purpose
from habeas.authority.requests import Draft, EnrolledImage, Person
from habeas.clock import ManualClock
from habeas.errors import HabeasError, RuleError
from habeas.keys import KeyStore, MasterKey, MemoryDisk
from habeas.node.tick import tick
from habeas.review import alerts, queue, receipts
from habeas.review.queue import Shown
from habeas.review.receipts import Standing
from habeas.review.table import Answer
from habeas.review.verdicts import give_verdict
from habeas.store import Store, Tx, open_store
from habeas.store.records import Alert, Authorisation, Camera, Grant, Policy, Reference, Subject, Suspension
from habeas.types import F32, NS_PER_S, Origin, OriginKind, Threshold
from habeas.types import Alert as Match
from habeas.video.address import parse_address, rules_with
from habeas.video.edge import origin

HOUR: Final = 3600 * NS_PER_S
DAY: Final = 24 * HOUR
MODEL: Final = "m"
_MEMORY: Final = Path("memory")
_MOST_FOUNDED: Final = 64
ADULT: Final = date(1980, 5, 17)
STAFF: Final[dict[str, Role]] = {
    "ann": Role.ADMIN,
    "pia": Role.PRIVACY,
    "paul": Role.PRIVACY,
    "rob": Role.REQUESTER,
    "rita": Role.REQUESTER,
    "abe": Role.APPROVER,
    "bea": Role.APPROVER,
    "cid": Role.APPROVER,
    "dora": Role.APPROVER,
    "opal": Role.OPERATOR,
    "otto": Role.OPERATOR,
    "oda": Role.OPERATOR,
    "aud": Role.AUDITOR,
}
_T = TypeVar("_T")


def vector(seed: int) -> F32:
    """(8,) float32 of unit length, one for each seed."""
    row = np.random.default_rng(seed).normal(size=8)
    return (row / np.linalg.norm(row)).astype(np.float32)


def person(name: str, born: date = ADULT, *, seed: int = 0, images: int = 1, model_id: str = MODEL) -> Person:
    """Somebody to be named."""
    taken = (EnrolledImage(f"{name} {n}".encode(), vector(seed + n), model_id, {"faces": 1}) for n in range(images))
    return Person(name, born, tuple(taken))


def rule_of(command: Callable[[], object]) -> str:
    """Return the rule that refuses a command; empty where none does."""
    try:
        command()
    except RuleError as error:
        return error.rule
    return ""


@dataclass(frozen=True)
class _Founded:
    """What founding leaves: it takes a fifth of a second, and thousands of tests begin with it."""

    database: bytes
    disk: MemoryDisk
    accounts: dict[str, str]


_FOUNDED: Final[dict[tuple[int, Ceilings], _Founded]] = {}
"""By the time and the first policy. Whoever begins with the same of them has the same people, under the same ids."""


@dataclass
class Installation:
    """A founded installation. A context manager.

    Args:
        folder: for the database.
        clock: moved by hand.
        ceilings: of the first policy.
        kind: of database.
        keys_folder: for the keys; None: they are in memory.
    """

    folder: Path
    clock: ManualClock = field(default_factory=ManualClock)
    ceilings: Ceilings = field(default_factory=Ceilings)
    kind: str = "sqlite"
    keys_folder: Path | None = None

    def __post_init__(self) -> None:
        self.master = MasterKey(bytes(32))
        self._open = ExitStack()
        self.accounts: dict[str, str] = {}
        again = self.kind == "sqlite" and self.keys_folder is None and isinstance(self.clock, ManualClock)
        key = self.clock.now_ns(), self.ceilings
        if again and key in _FOUNDED:
            self._begin_with(_FOUNDED[key])
        else:
            self._found()
        self.gallery = Gallery(self.store, self.keys, MODEL)
        self.gallery.go()
        self.refresh()
        if again and key not in _FOUNDED and len(_FOUNDED) < _MOST_FOUNDED:
            _FOUNDED[key] = _Founded(copy_of(self.url), deepcopy(self.disk), dict(self.accounts))

    def _found(self) -> None:
        self.url, self.disk = new_database(self.kind, self.folder), MemoryDisk()
        place, disk = (_MEMORY, self.disk) if self.keys_folder is None else (self.keys_folder, None)
        self.keys = self._open.enter_context(KeyStore.create(place, self.master, disk=disk))
        self.store: Store = self._open.enter_context(open_store(self.url, self.clock))
        with self.store.write() as tx:
            first_policy(tx, self.ceilings)
            for name, role in STAFF.items():
                self.accounts[name] = self._hire(tx, name, role)

    def _begin_with(self, founded: "_Founded") -> None:
        self.url, self.disk = new_database(self.kind, self.folder, founded.database), deepcopy(founded.disk)
        self.keys = self._open.enter_context(KeyStore(_MEMORY, self.master, disk=self.disk))
        self.store = self._open.enter_context(open_store(self.url, self.clock))
        self.accounts |= founded.accounts

    def _hire(self, tx: Tx, name: str, role: Role | None, person_name: str | None = None) -> str:
        made = people.insert_account(tx, self.keys, "init", name, person_name)
        tx.change(
            people.account_named(tx, self.keys, name), credential_at_ns=tx.now_ns, setup_hash=None
        )  # Argon2 is slow
        tx.entry("account.credential-set", made.account_id, {})
        if role is not None:
            grants.grant_first(tx, self.keys, made.account_id, role)
        return made.account_id

    def hire(self, name: str, role: Role | None = None, *, person_name: str | None = None) -> str:
        """Add an account that can log in, with a role usable at once; `person_name`: who it is, where not `name`."""
        with self.store.write() as tx:
            self.accounts[name] = self._hire(tx, name, role, person_name)
        return self.accounts[name]

    # --- acting -------------------------------------------------------------------------------------------------------

    def actor(self, tx: Tx, name: str) -> Actor:
        """Return somebody logged in, with the roles usable now; `name` may be `token:NAME`, with every scope."""
        if name.startswith("token:"):
            scopes = frozenset({"read", "draft", "cameras"})
            return _actor(tx, self.keys, self.accounts[name.removeprefix("token:")], by_token=True, scopes=scopes)
        return _actor(tx, self.keys, self.accounts[name])

    def do(self, name: str, command: Callable[[Tx, Actor], _T]) -> _T:
        """Run a command as somebody, in a transaction of its own, and compile what may be compared."""
        with self.store.write() as tx:
            done = command(tx, self.actor(tx, name))
        self.refresh()
        return done

    def look(self, kind: type[_T], **equal: object) -> list[_T]:
        """Return rows."""
        with self.store.read() as tx:
            return tx.find(kind, **equal)

    def row(self, authorisation_id: str) -> Authorisation:
        """Return an authorisation."""
        return self.look(Authorisation, authorisation_id=authorisation_id)[0]

    def refresh(self) -> None:
        """Compile what may be compared."""
        self.gallery.refresh()

    def tick(self) -> None:
        """Do what the node does each second."""
        tick(self.store, self.keys, self.gallery, self.clock, lambda step: step(), lambda _alert_id: None)

    def advance(self, duration_ns: int, *, tick: bool = True) -> None:
        """Let time pass."""
        self.clock.advance(duration_ns)
        if tick:
            self.tick()

    # --- cameras ------------------------------------------------------------------------------------------------------

    def camera(self, name: str, zone: str = "gate", *, host: str | None = None, delivers: bool = True) -> Camera:
        """Add a camera; `host`: the last two numbers of its address, `7.9`."""
        number = len(self.look(Camera)) + 1
        url = f"rtsp://10.1.{host or f'{number // 250}.{number % 250 + 1}'}/live"
        return self.camera_at(name, url, zone, delivers=delivers)

    def camera_at(self, name: str, url: str, zone: str = "gate", *, delivers: bool = True) -> Camera:
        """Add a camera with this address."""
        address = parse_address(url, rules_with(folders=[self.folder]))
        new = NewCamera(name, zone, "Watches the gate.", (url, address), None, (), 32)

        def command(tx: Tx, actor: Actor) -> Camera:
            made = cameras.add_camera(tx, self.keys, actor, new)
            if delivers:
                cameras.note_delivery(tx, name)
            return made

        return self.do("ann", command)

    def remove_camera(self, name: str) -> None:
        """Remove a camera."""
        self.do("ann", lambda tx, actor: cameras.remove_camera(tx, self.keys, actor, name))

    # --- authorisations -----------------------------------------------------------------------------------------------

    def asked(self, **changes: object) -> Draft:
        """Return what is asked for: Kim on camera `c1`, for two hours from now, missing; or with these changes."""
        now_ns = self.clock.now_ns()
        plain = Draft(
            live=True,
            purpose=Purpose.MISSING_PERSON,
            authority="Police of Somewhere",
            reference="MP-1",
            decision=None,
            people=(person("Kim Doe"),),
            cameras=tuple(self.look(Camera, camera_id="c1", removed_at_ns=None)),
            from_ns=now_ns,
            until_ns=now_ns + 2 * HOUR,
            urgent=False,
            minor=False,
        )
        return replace(plain, **changes)  # type: ignore[arg-type]

    def draft(self, who: str = "rob", **changes: object) -> Authorisation:
        """Draft; `changes` as in `asked`."""
        return self.drafted(who, **changes).authorisation

    def drafted(self, who: str = "rob", **changes: object) -> requests.Drafted:
        """Draft, and return the consent's code too."""
        asked = self.asked(**changes)
        return self.do(who, lambda tx, actor: authorisations.draft(tx, self.keys, actor, asked))

    def amend(self, authorisation_id: str, who: str = "rob", *, until_ns: int, names: Sequence[str]) -> Authorisation:
        """Amend."""
        return self.do(
            who,
            lambda tx, actor: authorisations.amend(
                tx, actor, authorisation_id, until_ns=until_ns, cameras=cameras.cameras_of(tx, (), names)
            ),
        )

    def submit(self, authorisation_id: str, who: str = "rob") -> Authorisation:
        """Submit."""
        return self.do(who, lambda tx, actor: authorisations.submit(tx, self.keys, actor, authorisation_id))

    def submitted(self, who: str = "rob", **changes: object) -> Authorisation:
        """Draft and submit."""
        return self.submit(self.draft(who, **changes).authorisation_id, who)

    def approve(self, authorisation_id: str, who: str, content_hash: str | None = None) -> Authorisation:
        """Approve what it says now, or something else."""

        def command(tx: Tx, actor: Actor) -> Authorisation:
            shown = content_hash or authorisations.hash_of(tx, tx.get(Authorisation, authorisation_id))
            return authorisations.approve(tx, self.keys, actor, authorisation_id, shown)

        return self.do(who, command)

    def started(self, who: str = "rob", by: Sequence[str] = ("abe", "bea"), **changes: object) -> Authorisation:
        """Draft, submit, and approve by each of these."""
        row = self.submitted(who, **changes)
        for approver in by:
            row = self.approve(row.authorisation_id, approver)
        return row

    def refuse(self, authorisation_id: str, who: str = "abe") -> Authorisation:
        """Refuse."""
        return self.do(who, lambda tx, actor: authorisations.refuse(tx, self.keys, actor, authorisation_id, ""))

    def revoke(self, authorisation_id: str, who: str = "rob") -> Authorisation:
        """Revoke."""
        return self.do(who, lambda tx, actor: authorisations.revoke(tx, self.keys, actor, authorisation_id, ""))

    def renew(self, authorisation_id: str, who: str = "rob", *, until_ns: int) -> requests.Drafted:
        """Renew on the same cameras."""
        return self.do(
            who,
            lambda tx, actor: renewal.renew(tx, self.keys, actor, authorisation_id, until_ns=until_ns, cameras=None),
        )

    def end_consent(self, code: str) -> Authorisation:
        """End a consent with its code."""
        with self.store.write() as tx:
            row = authorisations.end_consent(tx, self.keys, code)
        self.refresh()
        return row

    def subjects(self, authorisation_id: str) -> list[Subject]:
        """Return who is named."""
        return self.look(Subject, authorisation_id=authorisation_id)

    def references(self, authorisation_id: str) -> list[Reference]:
        """Return their references."""
        return self.look(Reference, subject_id=[one.subject_id for one in self.subjects(authorisation_id)])

    def compared(self, camera_id: str) -> set[str]:
        """Return the authorisations whose people are compared on a camera now."""
        view = self.gallery.view(camera_id, self.clock.now_ns())
        return set() if view is None else set(view.authorisation_ids.tolist())

    # --- the rest -----------------------------------------------------------------------------------------------------

    def suspend(
        self,
        who: str = "pia",
        *,
        zones: Sequence[str] = (),
        names: Sequence[str] = (),
        from_ns: int | None = None,
        lasts_ns: int = HOUR,
    ) -> Suspension:
        """Suspend, from now."""
        start_ns = self.clock.now_ns() if from_ns is None else from_ns
        return self.do(
            who,
            lambda tx, actor: suspensions.impose(
                tx,
                self.keys,
                actor,
                zones=zones,
                cameras=names,
                from_ns=start_ns,
                until_ns=start_ns + lasts_ns,
                why="an assembly",
            ),
        )

    def lift(self, suspension_id: str, who: str) -> Suspension:
        """Say that a suspension should end."""
        return self.do(who, lambda tx, actor: suspensions.propose_lift(tx, actor, suspension_id))

    def grant(self, name: str, role: Role, by: str, zones: Sequence[str] = ()) -> Grant:
        """Propose a role, or approve it."""
        return self.do(by, lambda tx, actor: grants.grant_role(tx, self.keys, actor, name, role, zones))

    def revoke_role(self, name: str, role: Role, by: str = "ann") -> None:
        """Take a role away."""
        self.do(by, lambda tx, actor: grants.revoke_role(tx, self.keys, actor, name, role))

    def disable(self, name: str, by: str = "ann") -> None:
        """Close an account."""
        self.do(by, lambda tx, actor: people.disable_account(tx, self.keys, actor, name))

    def propose_policy(self, who: str = "abe", **changes: object) -> Policy:
        """Propose a policy."""
        return self.do(who, lambda tx, actor: policy.propose_policy(tx, actor, changes))

    def approve_policy(self, policy_id: str, who: str) -> Policy:
        """Approve a policy as it was proposed."""
        return self.do(
            who,
            lambda tx, actor: policy.approve_policy(
                tx, actor, policy_id, policy.policy_hash(tx.get(Policy, policy_id))
            ),
        )

    def match(self, authorisation_id: str, camera_id: str = "c1", *, track_id: int = 1, at_ns: int = 0) -> Match:
        """Return a track that matched the first subject, captured now, or at `at_ns`."""
        return Match(
            origin=_origin(camera_id),
            track_id=track_id,
            subject_id=self.subjects(authorisation_id)[0].subject_id,
            similarity=0.7,
            threshold=Threshold(0.5, 1e-4, 1, False, 5e-5, 2e-4),
            box_xyxy_px=np.array([0, 0, 40, 40], np.float32),
            face_rgb=np.zeros((8, 8, 3), np.uint8),
            at_ns=0,
            first_seen_ns=0,
            captured_at_ns=at_ns or self.clock.now_ns(),
            view_id="v",
            model_id=MODEL,
            size_wh=(80, 160),
        )

    def alert(self, authorisation_id: str, camera_id: str = "c1", *, track_id: int = 1, at_ns: int = 0) -> Alert:
        """Raise an alert, as the node does."""
        match = self.match(authorisation_id, camera_id, track_id=track_id, at_ns=at_ns)
        with self.store.write() as tx:
            camera = tx.get(Camera, camera_id)
            return alerts.raise_alert(
                tx,
                self.keys,
                match,
                b"a face",
                camera=camera,
                suspended=suspensions.suspended(tx.find(Suspension), camera, match.captured_at_ns),
                false_a_day=0.2,
                cooldown_ns=0,
            )

    def see(self, who: str, alert_id: str) -> Shown:
        """Open the pictures of an alert."""
        return self.do(who, lambda tx, actor: queue.show(tx, self.keys, actor, alert_id))

    def judge(self, who: str, alert_id: str, answer: Answer, *, lookalike: bool = False, looks: bool = True) -> None:
        """Say what an alert shows; before, open its pictures, if they may be opened."""
        if looks:
            with suppress(HabeasError):  # the verdict is refused by the same rule, or another
                self.see(who, alert_id)
        self.do(who, lambda tx, actor: give_verdict(tx, self.keys, actor, alert_id, answer, lookalike=lookalike))

    def receipt(self, alert_id: str, who: str = "opal") -> str:
        """Make a receipt, and return its code."""
        return self.do(who, lambda tx, actor: receipts.make_receipt(tx, actor, alert_id))

    def freeze(self, code: str) -> Standing:
        """Freeze with a code."""
        with self.store.write() as tx:
            return receipts.freeze(tx, self.keys, code)

    def dispute(self, code: str, why: str = "It was not me.") -> Standing:
        """Dispute with a code."""
        with self.store.write() as tx:
            return receipts.dispute(tx, self.keys, code, why)

    def close(self) -> None:
        """Close everything."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _origin(camera_id: str) -> Origin:
    return origin(OriginKind.LIVE, camera_id)
