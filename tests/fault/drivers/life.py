"""Live through an authorisation: approved by two, an alert, two verdicts, a suspension, revoked. Tell each.

Arguments: full or normal, the folder. `normal` is the control: it syncs too seldom.
"""

import os
import sys
from datetime import date
from pathlib import Path

import numpy as np

from habeas.accounts import grants, people
from habeas.accounts.people import account_named
from habeas.accounts.roles import Actor, Role
from habeas.accounts.sessions import usable_roles
from habeas.authority import authorisations, suspensions
from habeas.authority.cameras import NewCamera, add_camera, cameras_of
from habeas.authority.policy import Ceilings, first_policy
from habeas.authority.purposes import Purpose
from habeas.authority.requests import Draft, EnrolledImage, Person
from habeas.clock import ManualClock
from habeas.keys import KeyStore, MasterKey
from habeas.review import queue
from habeas.review.alerts import raise_alert
from habeas.review.table import Answer
from habeas.review.verdicts import give_verdict
from habeas.store import Store, Tx, connection, open_store
from habeas.store.upgrade import upgrade
from habeas.types import HOUR_NS, Alert, OriginKind, Threshold
from habeas.video.address import parse_address, rules_with
from habeas.video.edge import origin

PEOPLE = {
    "ann": Role.ADMIN,
    "rex": Role.REQUESTER,
    "ava": Role.APPROVER,
    "abe": Role.APPROVER,
    "oli": Role.OPERATOR,
    "ola": Role.OPERATOR,
    "pia": Role.PRIVACY,
}
MASTER = MasterKey(bytes(range(32)))
ROUNDS = 2


def ack(token: str) -> None:
    os.write(1, f"ack {token}\n".encode())


def actor(tx: Tx, keys: KeyStore, name: str) -> Actor:
    account = account_named(tx, keys, name).account_id
    return Actor(account, frozenset({account}), usable_roles(tx, account))


def found(store: Store, keys: KeyStore) -> None:
    with store.write() as tx:
        first_policy(tx, Ceilings(model_id="m"))
        for name, role in PEOPLE.items():
            grants.grant_first(tx, keys, people.insert_account(tx, keys, "init", name).account_id, role)
        url = "rtsp://192.168.1.9/live"
        new = NewCamera("gate", "station", "who comes in", (url, parse_address(url, rules_with())), None, (), 32)
        add_camera(tx, keys, actor(tx, keys, "ann"), new)


def person(number: int) -> Person:
    vector = np.zeros(704, np.float32)
    vector[number] = 1
    return Person(f"Ada {number}", date(1970, 1, 1), (EnrolledImage(b"image", vector, "m", {}),))


def approved(store: Store, keys: KeyStore, number: int) -> str:
    with store.write() as tx:
        asked = Draft(
            live=True,
            purpose=Purpose.MISSING_PERSON,
            authority="Police North",
            reference=f"N-{number}",
            decision=None,
            people=(person(number),),
            cameras=tuple(cameras_of(tx, [], ["gate"])),
            from_ns=tx.now_ns,
            until_ns=tx.now_ns + 2 * HOUR_NS,
            urgent=False,
            minor=False,
        )
        made = authorisations.draft(tx, keys, actor(tx, keys, "rex"), asked).authorisation.authorisation_id
    with store.write() as tx:
        digest = authorisations.submit(tx, keys, actor(tx, keys, "rex"), made).content_hash
    for name in ("ava", "abe"):
        with store.write() as tx:
            authorisations.approve(tx, keys, actor(tx, keys, name), made, digest)
        ack(f"approved-by-{name}:{made}")
    return made


def alerted(store: Store, keys: KeyStore, authorisation_id: str) -> str:
    with store.write() as tx:
        subject = authorisations.subjects_of(tx, tx.get(authorisations.Authorisation, authorisation_id))[0]
        match = Alert(
            origin=origin(OriginKind.LIVE, "gate"),
            track_id=1,
            subject_id=subject.subject_id,
            similarity=0.8,
            threshold=Threshold(0.5, 1e-4, 1, False, 0.0, 1.0),
            box_xyxy_px=np.zeros(4, np.float32),
            face_rgb=np.zeros((4, 4, 3), np.uint8),
            at_ns=0,
            first_seen_ns=0,
            captured_at_ns=tx.now_ns,
            view_id="v",
            model_id="m",
        )
        camera = cameras_of(tx, [], ["gate"])[0]
        alert = raise_alert(tx, keys, match, b"a face", camera=camera, suspended=False, false_a_day=0.0, cooldown_ns=0)
    ack(f"alert:{alert.alert_id}")
    return alert.alert_id


def main(syncs: str, folder: Path) -> None:
    connection._SQLITE["synchronous"] = {"full": 2, "normal": 1}[syncs]
    url, clock = f"sqlite:///{folder / 'habeas.db'}", ManualClock()
    upgrade(url, folder, clock)
    with KeyStore.create(folder / "keys", MASTER) as keys, open_store(url, clock) as store:
        found(store, keys)
        for number in range(ROUNDS):
            live(store, keys, clock, number)


def live(store: Store, keys: KeyStore, clock: ManualClock, number: int) -> None:
    made = approved(store, keys, number)
    clock.advance(1_000_000_000)
    alert_id = alerted(store, keys, made)
    for name in ("oli", "ola"):
        with store.write() as tx:
            queue.show(tx, keys, actor(tx, keys, name), alert_id)
        with store.write() as tx:
            give_verdict(tx, keys, actor(tx, keys, name), alert_id, Answer.SAME)
        ack(f"verdict-of-{name}:{alert_id}")
    with store.write() as tx:
        window = {"from_ns": tx.now_ns + HOUR_NS, "until_ns": tx.now_ns + 2 * HOUR_NS}
        row = suspensions.impose(
            tx, keys, actor(tx, keys, "pia"), zones=["station"], cameras=[], why="a vigil", **window
        )
    ack(f"suspended:{row.suspension_id}")
    clock.advance(1_000_000_000)
    if number == 0:
        with store.write() as tx:
            authorisations.revoke(tx, keys, actor(tx, keys, "abe"), made, "found")
        ack(f"revoked:{made}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
