"""One installation with a node that runs, an account for every kind of caller, and an object in every state.

What is sealed carries marks, so that a leak is seen. After a call that had an effect `restore` brings the database
back; keys are not destroyed meanwhile (`KeptKeys`), and films are written again: destruction has tests of its own.
"""

import base64
import hashlib
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI

from habeas.accounts import sessions
from habeas.accounts.credentials import digest
from habeas.accounts.people import account_named
from habeas.accounts.roles import Actor, Role
from habeas.accounts.throttle import Throttle
from habeas.footage.files import EXPORTS, PLAYBACKS
from habeas.keys import KeyStore, MasterKey
from habeas.node.node import Node
from habeas.node.refusals import Refusals
from habeas.store import Tx
from habeas.store.records import Entry
from habeas.store.schema import TABLE_OF
from habeas.store.tables import TABLES
from habeas.types import NS_PER_S
from habeas.video.address import AddressRules, rules_with
from habeas.web.api import make_api
from habeas.web.server import listen, server_of

HOUR_NS = 3600 * NS_PER_S
NORTH, SOUTH = "north", "south"
ROLES = tuple(role.value for role in Role)
COMBINE = ("operator", "requester", "approver")
PASSWORD = "correct horse battery"  # noqa: S105 - planted
CAMERA_PASSWORD, CAMERA_TOKEN = "Cam-pw-mark", "Query-token-mark"
NAME, BORN = "Zyxmark Quillon", date(1971, 2, 3)
FACE = b"\xff\xd8\xff\xe0" + b"FACE-MARK" * 40
ALERT_FACE = b"\xff\xd8\xff\xe1" + b"LIVE-MARK" * 40
HOLD_ASKER, CONTACT, PICTURES = "Hold-asker-mark", "Contact-mark", b"PICTURES-MARK"
ACCESS_ASKER = "Access-asker-mark"
NOTE = "Evidence-note-mark"
SCOPES = ("cameras", "draft", "read")


@dataclass(frozen=True)
class Who:
    """A caller as the table knows it.

    Args:
        name: unique.
        account: name of the account; empty: nobody.
        roles: usable now.
        scopes: of a token; None: a login.
        zones: of its roles; none: everywhere.
        logged_in: whether the secret still stands for anybody.
        thin: tried on the first object of each route; on all of them in the long run.
    """

    name: str
    account: str = ""
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None
    zones: tuple[str, ...] = ()
    logged_in: bool = True
    thin: bool = False


class KeptKeys(KeyStore):
    """Keys that outlive what would destroy them, so that a database brought back is whole."""

    def destroy(self, key_ids: Iterable[str]) -> None:
        """Keep them."""

    def reschedule(self, key_id: str, expires_at_ns: int) -> None:
        """Keep the expiry."""


@dataclass
class Place:
    """What a node needs of a workspace."""

    folder: Path
    settings: Any
    master: MasterKey
    workspace_id: str = "matrix"

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.folder / 'habeas.db'}"

    def open_keys(self, _patience_s: float = 0.0) -> KeyStore:
        return KeptKeys(self.folder / "keys" / "store", self.master)

    def address_rules(self) -> AddressRules:
        return rules_with(["127.0.0.0/29"], range(1, 65536))


@dataclass
class World:
    """The installation, its callers and its objects, by what they are for."""

    node: Node
    folder: Path
    secrets: dict[str, str] = field(default_factory=dict)
    callers: list[Who] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    portrait: bytes = b""
    base: dict[str, str] = field(default_factory=dict)
    base_entries: int = 0
    _saved: sqlite3.Connection | None = None
    _films: dict[Path, bytes] = field(default_factory=dict)

    def account_id(self, name: str) -> str:
        with self.node.store.read() as tx:
            return account_named(tx, self.node.keys, name).account_id

    def actor(self, tx: Tx, name: str) -> Actor:
        return sessions.actor_of(tx, self.node.keys, self.secrets[name])

    # --- the database, from outside -----------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.folder / "habeas.db", timeout=10)

    def digests(self, *, without: tuple[type, ...] = ()) -> dict[str, str]:
        """SHA-256 of every table but the entries, and of the ids of all keys."""
        found = self._keys()
        with sqlite_closing(self._connect()) as rows:
            for name in (TABLE_OF[kind].name for kind in TABLES if kind not in {Entry, *without}):
                table = rows.execute(f'SELECT * FROM "{name}" ORDER BY rowid').fetchall()  # noqa: S608 - our tables
                found[name] = hashlib.sha256(repr(table).encode()).hexdigest()
        return found

    def _keys(self) -> dict[str, str]:
        return {"keys": hashlib.sha256(repr(sorted(self.node.keys.ids())).encode()).hexdigest()}

    def entries(self, since: int) -> list[tuple[str, str, str]]:
        """Kind, actor and body of the entries from this number on."""
        with sqlite_closing(self._connect()) as rows:
            found = rows.execute("SELECT kind, actor, body FROM entries WHERE seq >= ? ORDER BY seq", [since])
            return found.fetchall()

    def entry_count(self) -> int:
        with sqlite_closing(self._connect()) as rows:
            return int(rows.execute("SELECT coalesce(max(seq) + 1, 0) FROM entries").fetchone()[0])

    def save(self) -> None:
        self._saved = sqlite3.connect(":memory:", check_same_thread=False)
        with sqlite_closing(self._connect()) as now:
            now.backup(self._saved)
        self.base, self.base_entries = self.digests(), self.entry_count()
        films = (path for name in (EXPORTS, PLAYBACKS) for path in (self.folder / name).rglob("*") if path.is_file())
        self._films = {path: path.read_bytes() for path in films}

    def doubt_log(self, why: str) -> None:
        """Let the log be in doubt, or no more."""
        self.node.log._state = replace(self.node.log.state, doubt=why)

    def restore(self) -> None:
        assert self._saved is not None
        self.doubt_log("")
        with sqlite_closing(self._connect()) as now:
            now.execute("PRAGMA synchronous=OFF")
            self._saved.backup(now)
        self.base |= self._keys()  # a new key stays

    def put_back_films(self) -> None:
        """Write the films again that the running node removed when a call had ended what they are of."""
        for path, data in self._films.items():
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)

    def forget_refusals(self) -> None:
        """Nobody was refused before: the next refusal is an entry at once, and no login waits."""
        self.node.throttle = Throttle()
        self.node.refusals = Refusals(self.node.store, self.node.time)

    def marks(self) -> dict[str, bytes]:
        """What no answer may hold, whoever asks; by what it is."""
        template = vector(0).astype("<f4").tobytes()
        common = {
            "camera password": CAMERA_PASSWORD.encode(),
            "camera query secret": CAMERA_TOKEN.encode(),
            "password hash": b"$argon2",
            "password": PASSWORD.encode(),
            "template": template[:24],
            "template in base64": base64.b64encode(template)[:32],
            "template in hexadecimal": template[:24].hex().encode(),
        }
        held = {f"secret of {name}": secret.encode() for name, secret in self.secrets.items()}
        kept = {f"hash of the secret of {name}": digest(secret).encode() for name, secret in self.secrets.items()}
        return common | held | kept


def vector(number: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return a template: (512,) float32, unit length."""
    made = np.random.default_rng(1000 + number).normal(size=512).astype(np.float32)
    return made / np.linalg.norm(made)


FACES = {
    "reference image": FACE,
    "reference image in base64": base64.b64encode(FACE)[:400],
    "alert image": ALERT_FACE,
    "alert image in base64": base64.b64encode(ALERT_FACE)[:400],
}
PEOPLE = {"name": NAME.encode(), "birth date": BORN.isoformat().encode()}


@contextmanager
def sqlite_closing(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()


@contextmanager
def served(api: FastAPI, socket_path: Path) -> Iterator[httpx.Client]:
    """Serve an application on a Unix socket, and hand out a client of it."""
    with listen(socket_path) as listener:
        server = server_of(api, listener)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        transport = httpx.HTTPTransport(uds=str(socket_path))
        try:
            with httpx.Client(transport=transport, base_url="http://node", timeout=60) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(10)


def api_of(world: World) -> FastAPI:
    """The real application."""
    return make_api(world.node)
