"""A log of many entries: appending, integrating, verifying, proving, and what an entry costs on the disk."""

import hashlib
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

from habeas.audit.entry import PADDING, Leaf
from habeas.audit.fetching import OpeningsFolder
from habeas.audit.folder import LogFolder
from habeas.audit.inputs import EpochLog
from habeas.audit.log import Log
from habeas.audit.merkle import MAX_PROOF_HASHES
from habeas.audit.note import Algorithm, Note, VerifierKey, cosign
from habeas.audit.openings import A_FILE
from habeas.audit.policy import WitnessPolicy
from habeas.audit.proof import verify_proof
from habeas.audit.proving import prove
from habeas.audit.verify import Trust, verify
from habeas.clock import SystemClock
from habeas.keys.signing import SigningKey
from habeas.store import open_store
from habeas.store.upgrade import upgrade
from habeas.types import NS_PER_S, utc

ORIGIN = "example.org/bench"
BEGAN_NS = 1_795_702_512 * NS_PER_S
STEP = 8192
WITNESSES = 3
BATCH = 100


class Memory:
    """Of a log that is gone when the measurement ends."""

    data = b""

    def recall(self) -> bytes:
        return self.data

    def remember(self, data: bytes) -> None:
        self.data = data


@dataclass(frozen=True)
class Took:
    """How long something took by the clock, and how long it computed: others may use this machine too."""

    wall_s: float
    cpu_s: float

    def as_json(self) -> dict[str, float]:
        return {"wall_s": round(self.wall_s, 4), "cpu_s": round(self.cpu_s, 4)}


def timed(work: Callable[[], Any]) -> tuple[Took, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    done = work()
    return Took(time.perf_counter() - wall, time.process_time() - cpu), done


def measure(entries: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        key, leaves = SigningKey.generate(), write_openings(path, entries)
        log = Log(LogFolder(path), ORIGIN, key, Memory())
        integrating, _ = timed(lambda: grow(log, leaves))
        signing, note = timed(log.sign)
        trust, witnessed = cosigned(note, key)
        log.publish(witnessed, witnessed=True)
        logs = (EpochLog(LogFolder(path)),)
        nothing = lambda *_: None  # noqa: E731 - nobody watches
        public, _ = timed(lambda: verify(logs, trust, None, nothing, nothing))
        export, found = timed(lambda: verify(logs, trust, OpeningsFolder(path), nothing, nothing))
        proving, proof = timed(lambda: prove(logs, entries // 3))
        checking, _ = timed(lambda: verify_proof(proof, proof.extra, trust.keys[0], trust.policy))
        assert found.entries == entries
        assert len(proof.hashes) <= MAX_PROOF_HASHES
        return {
            "entries": entries,
            "integrate": integrating.as_json(),
            "sign": signing.as_json(),
            "verify_public_copy": public.as_json(),
            "verify_export": export.as_json(),
            "prove": proving.as_json(),
            "verify_proof": checking.as_json(),
            "proof_hashes": len(proof.hashes),
            "proof_bytes": len(proof.encode()),
            **sizes(path / "tile", sum(map(len, leaves)), entries),
            **appending(path),
        }


def write_openings(path: Path, entries: int) -> list[bytes]:
    """Write the openings of an export; return the leaves that commit to them."""
    leaves = []
    (path / "openings").mkdir()
    for start in range(0, entries, A_FILE):
        with (path / "openings" / f"{start // A_FILE:06d}.jsonl").open("wb") as file:
            for seq in range(start, min(start + A_FILE, entries)):
                opening = opening_of(seq)
                data = rfc8785.dumps(opening)
                leaves.append(leaf_of(opening, data))
                file.write(b'{"opening":' + data + b',"hidden":null}\n')
    return leaves


def leaf_of(opening: dict[str, Any], data: bytes) -> bytes:
    return Leaf(opening["type"], f"{opening['at'][:13]}:00:00Z", hashlib.sha256(data).hexdigest()).dump()


def opening_of(seq: int) -> dict[str, Any]:
    """Padding mostly; one in eight says something."""
    real = seq % 8 == 0
    body = {"camera": f"gate-{seq % 40}", "faces": seq % 7, "view": "f" * 64} if real else {}
    at = utc(BEGAN_NS + seq * 30 * NS_PER_S // 8)
    kind, salt = "search.done" if real else PADDING, secrets.token_hex(16)
    return {"actor": "node", "at": at, "body": body, "hidden": None, "salt": salt, "seq": seq, "type": kind, "v": 1}


def grow(log: Log, leaves: list[bytes]) -> None:
    for start in range(0, len(leaves), STEP):
        log.integrate(leaves[start : start + STEP])


def cosigned(note: Note, key: SigningKey) -> tuple[Trust, Note]:
    keys = [SigningKey.generate() for _ in range(WITNESSES)]
    names = [f"witness{number}.example" for number in range(WITNESSES)]
    known = tuple(
        VerifierKey(name, Algorithm.COSIGNATURE, one.public_bytes) for name, one in zip(names, keys, strict=True)
    )
    lines = [cosign(name, one, note.text, BEGAN_NS // NS_PER_S) for name, one in zip(names, keys, strict=True)]
    pinned = VerifierKey(ORIGIN, Algorithm.ED25519, key.public_bytes)
    return Trust((pinned,), WitnessPolicy(known, 2), ()), Note(note.text, (*note.signatures, *lines))


def sizes(folder: Path, content: int, entries: int) -> dict[str, object]:
    """Bytes an entry beyond its leaf: as lengths of files, and as the disk counts them."""
    files = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return {
        "bytes_beyond_leaf": round((sum(file.st_size for file in files) - content) / entries, 1),
        "disk_bytes_beyond_leaf": round((sum(file.st_blocks * 512 for file in files) - content) / entries, 1),
        "leaf_bytes": round(content / entries, 1),
        "files": len(files),
    }


def appending(path: Path, count: int = 20_000) -> dict[str, object]:
    """Entries acknowledged a second, in transactions of a hundred; and one entry in a transaction of its own."""
    url = f"sqlite:///{path / 'bench.db'}"
    upgrade(url, path, SystemClock())
    with open_store(url, SystemClock()) as store:

        def batches() -> None:
            for _ in range(count // BATCH):
                with store.write() as tx:
                    for number in range(BATCH):
                        tx.entry("search.done", "node", {"faces": number})

        batched, _ = timed(batches)
        single = sorted(_singles(store, 500))
    return {
        "append": {**batched.as_json(), "entries": count, "batch": BATCH},
        "append_entries_per_s": round(count / batched.wall_s),
        "append_one_p50_ms": round(1e3 * single[len(single) // 2], 2),
        "append_one_p99_ms": round(1e3 * single[len(single) * 99 // 100], 2),
    }


def _singles(store: Any, count: int) -> Iterator[float]:
    for _ in range(count):
        began = time.perf_counter()
        with store.write() as tx:
            tx.entry("alert.raised", "review", {"alert": "a", "camera": "gate-7", "similarity": "0.8"})
        yield time.perf_counter() - began
