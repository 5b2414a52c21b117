"""Founds the installation of these tests: people, then objects in every state, all by the real commands."""

import hashlib
import itertools
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import Any, cast

from tests.web.world import (
    ACCESS_ASKER,
    ALERT_FACE,
    BORN,
    CAMERA_PASSWORD,
    CAMERA_TOKEN,
    COMBINE,
    CONTACT,
    FACE,
    HOLD_ASKER,
    HOUR_NS,
    NAME,
    NORTH,
    NOTE,
    PASSWORD,
    PICTURES,
    ROLES,
    SCOPES,
    SOUTH,
    Place,
    Who,
    World,
    vector,
)

from habeas.accounts import grants, people, sessions, tokens
from habeas.accounts.credentials import digest, new_secret
from habeas.accounts.roles import Role
from habeas.authority import authorisations, evidence, policy, requests, suspensions
from habeas.authority.cameras import NewCamera, add_camera, camera_named
from habeas.authority.purposes import Purpose
from habeas.clock import ManualClock
from habeas.comparison.calibration import calibration_digest
from habeas.footage import access, exports, findings, holds, playback
from habeas.footage import requests as pleas
from habeas.footage.files import EXPORTS, PLAYBACKS, FootageFolder, new_segment_id
from habeas.footage.films import Film, put_film
from habeas.footage.form import Header, Kind, Record
from habeas.footage.rows import row_of
from habeas.keys import KeyStore, MasterKey, Scope
from habeas.node.node import Node
from habeas.review.images import image_context
from habeas.settings import Settings, WorkerSettings
from habeas.store import Tx, open_store
from habeas.store.footage_records import Evidence, Hold, Playback
from habeas.store.records import Account, Alert, Canary, Entry, Meta, Reference, Session, Token
from habeas.store.upgrade import upgrade
from habeas.types import NS_PER_S
from habeas.video.address import parse_address


@contextmanager
def founded(folder: Path, settings: Settings, model_id: str, portrait: bytes) -> Iterator[World]:
    """Found the installation and run its node, without its scheduler: nothing moves but by a call."""
    clock = ManualClock()
    with ExitStack() as stack:
        place = Place(
            folder,
            settings.model_copy(update={"workers": WorkerSettings(count=1)}),
            MasterKey.create_file(folder / "master"),
        )
        (folder / "keys").mkdir(mode=0o700)
        KeyStore.create(folder / "keys" / "store", place.master).close()
        upgrade(place.database_url, folder, clock)
        with open_store(place.database_url, clock) as store, store.write() as tx:
            ceilings = policy.Ceilings(model_id=model_id, calibration=calibration_digest(model_id))
            policy.first_policy(tx, ceilings)
            tx.add(Meta("workspace_id", "matrix"))
        node = stack.enter_context(Node(cast("Any", place), clock, model_id, lambda _error: None))
        node.log.beat()
        node.footage.accessing.stop()
        node.footage.exporting.stop()
        node.footage.retrospect.stop()  # a search that was begun stays as it is
        node.log.close()  # its padding would come between any two looks at the database
        node._doing.acquire()
        stack.callback(node._doing.release)
        node.gallery.go()
        world = World(node, folder, portrait=portrait)
        _people(world, clock)
        _objects(world, model_id)
        node._doing.release()
        node.changed()
        node.tick()
        _wait_for_flaw(node)
        node._doing.acquire()
        world.save()
        yield world


def _wait_for_flaw(node: Node) -> None:
    """Wait until the camera that is not there was tried, so that what is said of it is scanned too."""
    deadline = time.monotonic() + 5
    while not node.flaws("cam-north") and time.monotonic() < deadline:
        threading.Event().wait(0.05)


# --- people -----------------------------------------------------------------------------------------------------------


def role_sets() -> list[tuple[str, ...]]:
    """Each role alone, and every permitted combination."""
    together = [pair for size in (2, 3, 4) for pair in itertools.combinations(COMBINE, size)]
    return [(role,) for role in ROLES] + together


def _account(world: World, tx: Tx, name: str, roles: Iterable[str] = (), *, person: str = "", zones: Any = ()) -> str:
    made = people.insert_account(tx, world.node.keys, "init", name, person or None)
    row = tx.get(Account, made.account_id)
    tx.change(row, credential_at_ns=tx.now_ns, setup_hash=None, setup_until_ns=None)
    for role in roles:
        grants.grant_first(tx, world.node.keys, made.account_id, Role(role), zones)
    world.secrets[name] = new_secret(sessions.SESSION)
    end_ns = tx.now_ns + sessions.LONGEST_NS
    tx.add(Session(digest(world.secrets[name]), made.account_id, tx.now_ns, tx.now_ns, end_ns))
    return made.account_id


def _token(world: World, tx: Tx, account: str, scopes: tuple[str, ...], *, lasts_ns: int = 24 * HOUR_NS) -> str:
    made = tokens.make_token(tx, world.actor(tx, account), scopes, lasts_ns)
    name = f"{account} token {'+'.join(scopes)}{'' if lasts_ns > HOUR_NS else ' expired'}"
    world.secrets[name] = made.secret
    world.ids[name] = made.token_id
    return name


def _people(world: World, clock: ManualClock) -> None:
    with world.node.store.write() as tx:  # two hours before everybody else
        _account(world, tx, "idle", COMBINE)
        _account(world, tx, "tokener", COMBINE)
        expired = _token(world, tx, "tokener", SCOPES, lasts_ns=HOUR_NS)
    clock.advance(2 * HOUR_NS)
    with world.node.store.write() as tx:
        for roles in role_sets():
            name = "-".join(roles)
            _account(world, tx, name, roles)
            _account(world, tx, f"{name}.2", person=name)
            thin = 1 < len(roles) < len(COMBINE)
            world.callers.append(Who(name, name, frozenset(roles), thin=thin))
            _tokens_of(world, tx, name, roles)
        _account(world, tx, "norole")
        world.callers.append(Who("norole", "norole"))
        for role in ("operator",):
            _account(world, tx, f"{role}-south", [role], zones=(SOUTH,))
            world.callers.append(Who(f"{role}-south", f"{role}-south", frozenset({role}), zones=(SOUTH,)))
        for name, role in (("requester1", "requester"), ("approver1", "approver"), ("approver2", "approver")):
            _account(world, tx, name, [role])
        _token(world, tx, "approver1", ("read",))
        for name, role in (("officer1", "privacy"), ("reviewer1", "operator"), ("admin1", "admin")):
            _account(world, tx, name, [role])
        _young(world, tx)
        _dead(world, tx, expired)
        for name in ("target", "closed"):
            _account(world, tx, name)
        made = people.insert_account(tx, world.node.keys, "init", "fresh")
        world.ids["setup code"] = made.setup_code
        world.secrets["setup code"] = made.setup_code
        people.insert_account(tx, world.node.keys, "init", "real")
        real = people.account_named(tx, world.node.keys, "real")
        hashed = people.hash_password(PASSWORD)
        tx.change(real, password_hash=hashed, credential_at_ns=tx.now_ns)


def _tokens_of(world: World, tx: Tx, name: str, roles: tuple[str, ...]) -> None:
    chosen = [SCOPES] if len(roles) > 1 else [SCOPES, *((scope,) for scope in SCOPES)]
    if len(roles) in {1, len(COMBINE)}:
        for scopes in chosen:
            token = _token(world, tx, name, scopes)
            thin = len(scopes) < len(SCOPES) and name != "admin"
            world.callers.append(Who(token, name, frozenset(roles), scopes=frozenset(scopes), thin=thin))


def _young(world: World, tx: Tx) -> None:
    """A role granted by two a moment ago, for each role; the person may log in, and do nothing with it yet."""
    for role in ROLES:
        _account(world, tx, f"young-{role}")
        for granter in ("approver1", "approver2"):
            grants.grant_role(tx, world.node.keys, world.actor(tx, granter), f"young-{role}", Role(role))
        world.callers.append(Who(f"young-{role}", f"young-{role}", thin=role != "approver"))


def _dead(world: World, tx: Tx, expired_token: str) -> None:
    """Secrets that stand for nobody any more, of people who could do everything."""
    for name in ("disabled", "loggedout", "ended", "revoker"):
        _account(world, tx, name, COMBINE)
    revoked = _token(world, tx, "revoker", SCOPES)
    tx.change(tx.get(Token, world.ids[revoked]), revoked_at_ns=tx.now_ns)
    people.disable_account(tx, world.node.keys, world.actor(tx, "admin1"), "disabled")
    sessions.log_out(tx, world.secrets["loggedout"])
    (ended,) = tx.find(Session, session_hash=digest(world.secrets["ended"]))
    tx.change(ended, ends_at_ns=tx.now_ns)
    gone = ("disabled", "loggedout", "ended", "idle", expired_token, revoked)
    world.callers += [Who(name, logged_in=False, thin=True) for name in (*gone, "nobody", "garbage")]
    world.secrets["garbage"] = sessions.SESSION + "_" + "A" * 43


# --- objects ----------------------------------------------------------------------------------------------------------


def _objects(world: World, model_id: str) -> None:
    node = world.node
    with node.store.write() as tx:
        admin = world.actor(tx, "admin1")
        for number, zone in enumerate((NORTH, SOUTH)):
            url = f"rtsp://cam:{CAMERA_PASSWORD}@127.0.0.{1 + number}:1/live?token={CAMERA_TOKEN}"
            address = parse_address(url, node.workspace.address_rules())
            new = NewCamera(f"cam-{zone}", zone, "entrance of the station", (url, address), None, (), 32)
            add_camera(tx, node.keys, admin, new)
    for number, state in enumerate(
        ("draft", "submitted", "urgent", "active", "refused", "revoked", "notified", "footage")
    ):
        _authorisation(world, number, state, model_id)
    with node.store.write() as tx:
        officer, asker = world.actor(tx, "officer1"), world.actor(tx, "approver1")
        row = suspensions.impose(
            tx,
            node.keys,
            officer,
            zones=[SOUTH],
            cameras=[],
            from_ns=tx.now_ns,
            until_ns=tx.now_ns + HOUR_NS * 3,
            why="a vigil on the square",
        )
        world.ids["suspension"] = row.suspension_id
        proposed = policy.propose_policy(tx, asker, {"subjects": 50})
        world.ids |= {"policy": proposed.policy_id, "policy hash": policy.policy_hash(proposed)}
        jump = tx.entry("clock.jumped", "node", {"off_by_s": 0})
        (jumped,) = tx.find(Entry, seq=jump)
        world.ids |= {"clock": f"clock-{jump}", "clock hash": hashlib.sha256(jumped.body.encode()).hexdigest()}
        leaked = tx.entry("canary.leaked", "canary", {"camera": "cam-north"})
        tx.add(Canary("cam-north", leaked_at_ns=tx.now_ns))
        (breach,) = tx.find(Entry, seq=leaked)
        world.ids |= {"breach": f"breach-{leaked}", "breach hash": hashlib.sha256(breach.body.encode()).hexdigest()}
        _alert(world, tx, model_id)
    _footage(world)
    _access(world, model_id)
    _exports(world)
    _evidence(world)
    _playback(world)


def _evidence(world: World) -> None:
    """Evidence that is kept, that a request names, and that is gone; what comes is not read by a worker."""
    node = world.node
    node.footage.evidence._measure = lambda _descriptor: NS_PER_S
    with node.store.write() as tx:
        asker = world.actor(tx, "requester1")
        for number, name in enumerate(("evidence", "evidence named", "evidence gone")):
            ends_ns = tx.now_ns + 24 * HOUR_NS
            key_id = node.keys.new(Scope.EVIDENCE, ends_ns)
            about = f"{number}" * 64, 9, tx.now_ns - HOUR_NS, NS_PER_S, NOTE
            row = evidence.add(tx, node.keys, asker, evidence.Given(f"evd-{number}", key_id, ends_ns, *about))
            world.ids[name] = row.evidence_id
        tx.change(tx.get(Evidence, world.ids["evidence named"]), authorisation_id=world.ids["footage"])
        gone = evidence.discard(tx, node.keys, asker, world.ids["evidence gone"])
        evidence.note_destroyed(tx, gone, evidence.Why.DISCARDED)  # else the clock would, at any time


def _exports(world: World) -> None:
    """Exports of the hold that is kept: made, proposed, and approved; each with a film."""
    node = world.node
    for number, state in enumerate(("made", "proposed", "approved")):
        with node.store.write() as tx:
            asker = world.actor(tx, "requester1")
            row = exports.begin(tx, node.keys, asker, exports.Asked(world.ids["held"]))
            film = (f"north-{number}.mp4", "cam-north", row.from_ns, row.until_ns, hashlib.sha256(PICTURES).hexdigest())
            exports.note_made(tx, node.keys, row.export_id, [film], {film[0]: {"doubts_in_all": 0}})
            world.ids[f"export {state}"] = row.export_id
            if state != "made":
                row = exports.propose(tx, node.keys, asker, row.export_id, exports.PASSPHRASE)
            for who in ("approver1", "approver2") if state == "approved" else ():
                row = exports.approve(
                    tx, node.keys, world.actor(tx, who), row.export_id, exports.hash_of(node.keys, row)
                )
        header = Header(
            "cam-north",
            row.from_ns - row.from_ns % HOUR_NS,
            row.ends_at_ns,
            row.key_id,
            new_segment_id(),
            "h264",
            (64, 48),
            row.from_ns,
        )
        records = [Record(Kind.PART, row.from_ns, 0, b""), Record(Kind.PART, row.from_ns, NS_PER_S, PICTURES)]
        FootageFolder(world.folder / EXPORTS / row.export_id).put(node.keys, header, records)


def _playback(world: World) -> None:
    """The film of the alert, made: of the second before the suspension."""
    node, alert_id = world.node, world.ids["alert"]
    with node.store.write() as tx:
        alert = tx.get(Alert, alert_id)
        film = Film(alert.camera_id, alert.captured_at_ns - NS_PER_S, alert.captured_at_ns, PICTURES)
        tx.add(Playback(alert_id, "making", film.from_ns, film.until_ns, tx.now_ns))
        row = playback.begin_keeping(tx, node.keys, alert_id, [], [film])
        assert row is not None
        playback.note_made(tx, node.keys, row, [film], found=True, shown_ns=NS_PER_S, damaged=0)
    put_film(FootageFolder(world.folder / PLAYBACKS / alert_id), node.keys, film, row.key_id, row.ends_at_ns)


def _access(world: World, model_id: str) -> None:
    """An access request that is opened, and one that is approved, with a finding."""
    node = world.node
    photo = requests.EnrolledImage(FACE + b"access", vector(77), model_id, {"score": 0.9})
    with node.store.write() as tx:
        officer, until_ns = world.actor(tx, "officer1"), tx.now_ns
        about = ("cam-north",), until_ns - NS_PER_S, until_ns
        plea = access.Plea(ACCESS_ASKER, date(1972, 3, 4), CONTACT, access.Document.PASSPORT, (photo,), *about)
        for name in ("access", "access approved"):
            row = access.open_request(tx, node.keys, officer, plea)
            world.ids[name] = row.access_id
        for who in ("approver1", "approver2"):
            row = access.approve(tx, world.actor(tx, who), row.access_id, access.hash_of(tx, row))
        found = findings.Found("cam-north", until_ns - 9, until_ns - 9, until_ns, (0.0, 0.0, 9.0, 9.0), 0.7, 0.5)
        finding = findings.add(tx, node.keys, row, found, ALERT_FACE)
        assert finding is not None
        world.ids["finding"] = finding.finding_id


def _footage(world: World) -> None:
    """A minute of footage; a hold that is proposed, and one that is kept; a request of the public."""
    node = world.node
    with node.store.write() as tx:
        until_ns, from_ns = tx.now_ns, tx.now_ns - NS_PER_S
        row = row_of(tx, node.keys, "cam-north", from_ns - from_ns % HOUR_NS)
        assert row is not None
        tx.change(row, lasts_ns=10**5 * HOUR_NS, until_ns=until_ns, segments=1)
        asker, told = world.actor(tx, "requester1"), (HOLD_ASKER, "H-1", "a fall", ("cam-north",), from_ns, until_ns)
        for name in ("hold", "held"):
            made = holds.propose(tx, node.keys, asker, holds.Asked(*told, until_ns + 24 * HOUR_NS))
            world.ids[name] = made.hold_id
        for who in ("approver1", "approver2"):
            holds.approve(tx, world.actor(tx, who), made.hold_id, holds.hash_of(made))
        tx.change(tx.get(Hold, made.hold_id), state="held", kept_at_ns=until_ns, segments=1)
        plea = pleas.Plea(CONTACT, "a fall", ("cam-north",), from_ns, until_ns)
        world.ids["request"] = pleas.receive(tx, node.keys, asker, plea).request_id
    world.ids["segment"] = segment = new_segment_id()
    records = [Record(Kind.PART, from_ns, 0, b"head"), Record(Kind.PART, from_ns, NS_PER_S, PICTURES)]
    for folder, key_id in (
        (node.footage.folder, row.key_id),
        (FootageFolder(node.footage.held / made.hold_id), made.key_id),
    ):
        header = Header("cam-north", row.hour_ns, row.deadline_ns, key_id, segment, "h264", (64, 48), from_ns)
        folder.put(node.keys, header, records)


def _authorisation(world: World, number: int, state: str, model_id: str) -> None:
    keys = world.node.keys
    with world.node.store.write() as tx:
        asker = world.actor(tx, "requester1")
        first, second = world.actor(tx, "approver1"), world.actor(tx, "approver2")
        image = requests.EnrolledImage(FACE + bytes([number]), vector(number), model_id, {"score": 0.9})
        ago_ns = 25 * HOUR_NS if state == "footage" else 0
        asked = requests.Draft(
            live=state != "footage",
            purpose=Purpose.MISSING_PERSON,
            authority="Police North",
            reference="N-12/26",
            decision=None,
            people=(requests.Person(f"{NAME} {number}", BORN, (image,)),),
            cameras=(camera_named(tx, "cam-north"),),
            from_ns=tx.now_ns - ago_ns,
            until_ns=tx.now_ns + 24 * HOUR_NS - ago_ns,
            urgent=state == "urgent",
            minor=False,
        )
        key = authorisations.draft(tx, keys, asker, asked).authorisation.authorisation_id
        world.ids[state] = key
        subject = authorisations.subjects_of(tx, tx.get(authorisations.Authorisation, key))[0]
        world.ids[f"{state} subject"] = subject.subject_id
        world.ids[f"{state} reference"] = tx.find(Reference, subject_id=subject.subject_id)[0].reference_id
        if state == "draft":
            return
        row = authorisations.submit(tx, keys, asker, key)
        if state == "refused":
            authorisations.refuse(tx, keys, first, key, "no")
        both = [first, second]
        approvers = {"urgent": [first], "active": both, "revoked": both, "footage": both}
        for approver in approvers.get(state, [first, second] if state == "notified" else []):
            authorisations.approve(tx, keys, approver, key, authorisations.hash_of(tx, row))
        if state in {"revoked", "notified"}:
            authorisations.revoke(tx, keys, first, key, "found")
        if state == "notified":
            row = tx.get(authorisations.Authorisation, key)
            tx.change(row, notified_at_ns=tx.now_ns)


def _alert(world: World, tx: Tx, model_id: str) -> None:
    keys = world.node.keys
    alert_id, key_id = "alert-matrix", keys.new(Scope.ALERT, tx.now_ns + 24 * HOUR_NS)
    tx.add(
        Alert(
            alert_id=alert_id,
            camera_id="cam-north",
            zone=NORTH,
            authorisation_id=world.ids["active"],
            subject_id=world.ids["active subject"],
            captured_at_ns=tx.now_ns,
            raised_at_ns=tx.now_ns,
            track_id=1,
            similarity=0.7,
            threshold=0.5,
            expected_fpir=1e-4,
            extrapolated=False,
            false_a_day=0.1,
            gallery_size=1,
            view_id="view-1",
            model_id=model_id,
            key_id=key_id,
            image_sealed=keys.encrypt(key_id, ALERT_FACE, image_context(alert_id)),
            expires_at_ns=tx.now_ns + 24 * HOUR_NS,
            state="open",
            last_seen_ns=tx.now_ns,
        )
    )
    world.ids["alert"] = alert_id
