"""Epochs of the log: one tree each. Another begins only where the one before cannot go on, and two people say so."""

import hashlib
from dataclasses import dataclass
from typing import Final

import rfc8785

from habeas.accounts.roles import Actor
from habeas.audit.note import Algorithm, VerifierKey
from habeas.authority.approvals import said_by_two
from habeas.errors import RuleError
from habeas.keys import KeyStore, Scope
from habeas.keys.signing import SigningKey
from habeas.store import Tx
from habeas.store.records import Epoch
from habeas.types import DAY_NS

_LIFE_NS: Final = 150 * 366 * DAY_NS
"""A log's key is not destroyed: what it signed is to be checked for longer than anybody here is responsible."""


@dataclass(frozen=True)
class Ended:
    """How far the epoch before was seen, to the best of this installation's knowledge.

    Args:
        checkpoint: the last one that witnesses cosigned, or without witnesses that was signed: the note's text.
        first_seq: the entries from this number on are in no tree that was signed.
    """

    checkpoint: str
    first_seq: int


def current_epoch(tx: Tx) -> Epoch | None:
    """Return the epoch in force; None: the log has not begun."""
    return max(tx.find(Epoch), key=lambda epoch: epoch.number, default=None)


def first_epoch(tx: Tx, keys: KeyStore, origin: str) -> Epoch:
    """Begin the log."""
    return _begin(tx, keys, 1, origin, Ended("", 0), "node")


def epoch_hash(ended: Ended) -> str:
    """Return what an approval of a new epoch binds: SHA-256, hexadecimal."""
    return hashlib.sha256(rfc8785.dumps({"first_seq": ended.first_seq, "prior": ended.checkpoint})).hexdigest()


def approve_epoch(tx: Tx, keys: KeyStore, actor: Actor, ended: Ended, content_hash: str, origin: str) -> Epoch | None:
    """Say that the log begins anew after this checkpoint; with the second approver it does.

    Args:
        tx: the transaction.
        keys: gets the new epoch's key.
        actor: an approver, logged in.
        ended: what is known of the epoch before.
        content_hash: of what the approver was shown.
        origin: of the installation's log.

    Raises:
        RuleError: not an approver, an API token, twice the same person, or another checkpoint than was shown.
    """
    epoch = current_epoch(tx)
    if epoch is None:
        raise RuleError("the log has not begun", rule="state", remedy="run `habeas serve`")
    object_id, digest = f"epoch-{epoch.number + 1}", epoch_hash(ended)
    if not said_by_two(tx, actor, object_id, "epoch", content_hash, digest):
        return None
    return _begin(tx, keys, epoch.number + 1, origin, ended, actor.account_id)


def _begin(tx: Tx, keys: KeyStore, number: int, origin: str, ended: Ended, by: str) -> Epoch:
    name = origin if number == 1 else f"{origin}/{number}"
    signing = SigningKey.generate()
    key_id = keys.new(Scope.LOG, tx.now_ns + _LIFE_NS)
    epoch = Epoch(
        number=number,
        origin=name,
        first_seq=ended.first_seq,
        opened_at_ns=tx.now_ns,
        vkey=VerifierKey(name, Algorithm.ED25519, signing.public_bytes).encode(),
        key_id=key_id,
        seed_sealed=keys.encrypt(key_id, signing.secret_bytes(), _context(name)),
        prior=ended.checkpoint,
    )
    tx.add(epoch)
    body = {"first_seq": epoch.first_seq, "number": number, "origin": name, "prior": epoch.prior, "vkey": epoch.vkey}
    tx.entry("log.epoch", by, body)
    return epoch


def signing_key(keys: KeyStore, epoch: Epoch) -> SigningKey:
    """Return the key that signs an epoch's tree.

    Raises:
        KeyDestroyed: this key store is not the one that it was made with.
    """
    return SigningKey(keys.decrypt(epoch.key_id, epoch.seed_sealed, _context(epoch.origin)))


def _context(origin: str) -> bytes:
    return f"log key {origin}".encode()
