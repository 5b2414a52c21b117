"""Renewal: a new request for the people of an older one, with references of its own. It takes new approvals."""

import json
from collections.abc import Sequence

from habeas.accounts.roles import Actor, Role
from habeas.authority.authorisations import draft, in_time, subjects_of
from habeas.authority.cameras import camera_named
from habeas.authority.opened import named, open_image, open_template
from habeas.authority.purposes import Purpose
from habeas.authority.requests import OVER, Draft, Drafted, EnrolledImage, Person, State
from habeas.errors import RuleError
from habeas.keys import KeyStore
from habeas.store import Tx
from habeas.store.records import Authorisation, Camera, Reference, Subject


def renew(
    tx: Tx,
    keys: KeyStore,
    actor: Actor,
    authorisation_id: str,
    *,
    until_ns: int,
    cameras: Sequence[Camera] | None,
) -> Drafted:
    """Draft a request that goes on where one's own ends, on the same cameras or others.

    Args:
        tx: the transaction.
        keys: the key store.
        actor: the requester of the older one.
        authorisation_id: the older one, submitted or active.
        until_ns: end of the new window.
        cameras: None: the same, as far as they are still there.

    Raises:
        RuleError: somebody else's, or it has ended: what was discarded cannot be renewed.
        InputError: the new window cannot be.
    """
    actor.require(Role.REQUESTER)
    old = tx.get(Authorisation, authorisation_id)
    if not actor.owns(old.requester):
        raise RuleError("this is somebody else's request", rule="own-draft", remedy="make your own")
    if State(old.state) in OVER:
        raise RuleError("this has ended, and what it held is destroyed", rule="state", remedy="make a new request")
    in_time(tx, old)
    asked = Draft(
        live=old.kind == "live",
        purpose=Purpose(old.purpose),
        authority=old.authority,
        reference=old.reference,
        decision=None,
        people=tuple(_person(tx, keys, subject) for subject in subjects_of(tx, old)),
        cameras=tuple(cameras if cameras is not None else [camera_named(tx, name) for name, _digest in old.cameras]),
        from_ns=max(old.until_ns, tx.now_ns) if old.kind == "live" else old.from_ns,
        until_ns=until_ns,
        urgent=False,
        minor=True,
    )
    return draft(tx, keys, actor, asked, renews=authorisation_id, decision_sha256=old.decision_sha256)


def _person(tx: Tx, keys: KeyStore, subject: Subject) -> Person:
    name, born = named(keys, subject)
    references = tx.find(Reference, subject_id=subject.subject_id)
    images = [
        EnrolledImage(
            open_image(keys, subject, one), open_template(keys, subject, one), one.model_id, json.loads(one.report)
        )
        for one in references
    ]
    return Person(name, born, tuple(images))
