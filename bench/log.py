"""A log of many entries, made as an installation makes one: appended, integrated, exported, verified, and its size.

The entries are real: people are looked for, alerts raised, judged and destroyed, cameras suspended, by the program's
own commands on its own database and key store on the disk; most of it is what a node writes by itself and padding.
`habeas audit verify` runs as a process of its own, on the one core that all of this has.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.installation import HOUR, MODEL, Installation

from habeas.audit.entry import PADDING, leaf_of
from habeas.audit.folder import LogFolder
from habeas.audit.inputs import logs_at
from habeas.audit.log import Log
from habeas.audit.merkle import MAX_PROOF_HASHES
from habeas.audit.note import Algorithm, Note, VerifierKey, cosign, parse_key
from habeas.audit.openings import A_FILE, open_entry, openings_file
from habeas.audit.policy import WitnessPolicy
from habeas.audit.proof import verify_proof
from habeas.audit.proving import prove
from habeas.authority.epochs import first_epoch
from habeas.keys.signing import SigningKey
from habeas.node.trees import open_tree
from habeas.review.table import Answer
from habeas.store import queries
from habeas.store.connection import database_file
from habeas.store.records import Epoch
from habeas.types import NS_PER_S, utc

ORIGIN = "example.org/bench"
CHUNK = 8192
WITNESSES = 3
BATCH = 100
TIMES = 3
MINUTE = 60 * NS_PER_S
ALERT_MINUTES = 5
"""Minutes from one alert to the next: a busy installation."""
SUSPENSION_MINUTES = 500
RUNS_MINUTES = 40 * 60
"""How long somebody is looked for, until somebody else is."""


@dataclass
class Took:
    """How long something took by the clock, how long it computed, and how long it waited for a core that others had."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    core_wait_s: float = 0.0

    @contextmanager
    def more(self) -> Iterator[None]:
        wall, cpu, wait = time.perf_counter(), time.process_time(), core_wait_s("thread-self")
        yield
        self.wall_s += time.perf_counter() - wall
        self.cpu_s += time.process_time() - cpu
        self.core_wait_s += core_wait_s("thread-self") - wait

    def as_json(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in vars(self).items()}


def core_wait_s(who: int | str) -> float:
    """How long a thread could have run and had no core, as Linux counts it."""
    return int(Path(f"/proc/{who}/schedstat").read_text().split()[1]) / 1e9


def timed(work: Callable[[], Any]) -> tuple[Took, Any]:
    took = Took()
    with took.more():
        done = work()
    return took, done


@dataclass
class Appended:
    """What was appended, and how long that took.

    Args:
        batches: transactions of a hundred entries each.
        count: entries in them.
        ones: transactions with one entry.
        alerts: each with its key, picture, row and entry.
    """

    batches: Took = field(default_factory=Took)
    count: int = 0
    ones: list[Took] = field(default_factory=list)
    alerts: list[Took] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        return {
            "append": {**self.batches.as_json(), "entries": self.count, "batch": BATCH},
            "append_entries_per_s": round(self.count / self.batches.wall_s),
            "append_entries_per_s_with_a_core": round(self.count / (self.batches.wall_s - self.batches.core_wait_s)),
            "append_one_ms": percentiles_ms(self.ones),
            "raise_alert_ms": percentiles_ms(self.alerts),
        }


def percentiles_ms(each: list[Took]) -> dict[str, object]:
    """By the clock, and without the waits for a core."""
    return {
        "count": len(each),
        "wall": _percentiles_ms([one.wall_s for one in each]),
        "with_a_core": _percentiles_ms([one.wall_s - one.core_wait_s for one in each]),
    }


def _percentiles_ms(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    found = {"p50": ordered[len(ordered) // 2], "p99": ordered[len(ordered) * 99 // 100], "most": ordered[-1]}
    return {name: round(1e3 * value, 2) for name, value in found.items()}


def measure(entries: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        place = founded(Path(folder))
        with place:
            appended = lived(place, entries)
            return {
                "load_1_min": load_1_min(),
                **appended.as_json(),
                **measure_log(place, Path(folder), entries),
            }


# --- entries ----------------------------------------------------------------------------------------------------------


def founded(path: Path) -> Installation:
    """An installation whose keys are on the disk too."""
    place = Installation(path, keys_folder=path / "keys")
    for number in range(1, 6):
        place.camera(f"c{number}", f"zone{number}")
    with place.store.write() as tx:
        first_epoch(tx, place.keys, ORIGIN)
    return place


def lived(place: Installation, entries: int) -> Appended:
    """Let a busy time pass, until there are so many entries."""
    appended, minute, running = Appended(), 0, ""
    while (left := entries - count(place)) > 0:
        if minute % RUNS_MINUTES == 0:
            running = place.started(until_ns=place.clock.now_ns() + RUNS_MINUTES * MINUTE).authorisation_id
        if minute % SUSPENSION_MINUTES == 1:
            place.suspend(names=["c5"], lasts_ns=HOUR)
        if minute % ALERT_MINUTES == 1 and left > 2 * BATCH:
            alert(place, running, minute, appended)
        append(place, min(BATCH, max(1, entries - count(place))), appended)
        place.advance(MINUTE, tick=minute % 4 == 0)
        minute += 1
    return appended


def count(place: Installation) -> int:
    with place.store.read() as tx:
        return tx.next_seq()


def alert(place: Installation, authorisation_id: str, track_id: int, appended: Appended) -> None:
    took, raised = timed(lambda: place.alert(authorisation_id, track_id=track_id))
    appended.alerts.append(took)
    for who in ("opal", "otto"):
        place.judge(who, raised.alert_id, Answer.DIFFERENT if track_id % 3 else Answer.SAME)


def append(place: Installation, size: int, appended: Appended) -> None:
    """Write a minute's entries in one transaction, one in eight of which says something; and one alone."""
    bodies = [counted(place, number) for number in range(size - 1)]
    with appended.batches.more(), place.store.write() as tx:
        for number, body in enumerate(bodies):
            if number % 8:
                tx.entry(PADDING, "log", {})
            else:
                tx.entry("search.counted", "matcher", body)
    appended.count += len(bodies)
    one = Took()
    with one.more(), place.store.write() as tx:
        tx.entry("camera.tested", place.accounts["ann"], {"camera": "c1"})
    appended.ones.append(one)


def counted(place: Installation, number: int) -> dict[str, object]:
    return {
        "authorisations": ["0123456789abcdef"],
        "build": "b" * 64,
        "calibration": "c" * 64,
        "camera": f"c{number % 5 + 1}",
        "expected_fpir": 5e-5,
        "gallery_size": 12,
        "hour": utc(place.clock.now_ns() // HOUR * HOUR),
        "model": MODEL,
        "searches": 40 + number,
        "subjects": 4,
        "threshold": 0.4612345,
        "view": "f" * 64,
        "zone": "gate",
    }


# --- the log ----------------------------------------------------------------------------------------------------------


def measure_log(place: Installation, path: Path, entries: int) -> dict[str, object]:
    export = path / "export"
    (epoch,) = place.look(Epoch)
    log = open_tree(export, epoch, place.keys, place.store).log
    integrating, content = timed(lambda: grow(place, log, entries))
    signing, note = timed(log.sign)
    options, policy, witnessed = cosigned(place, note, epoch)
    log.publish(witnessed, witnessed=True)
    write_epochs(export, epoch)
    logs = logs_at(LogFolder(export), lambda name: LogFolder(export / name))
    public = verified(export, options, entries)
    opening, opened = timed(lambda: write_openings(place, export, entries))
    exported = verified(export, options, entries)
    proving, proof = timed(lambda: prove(logs, entries // 3))
    checking, _ = timed(lambda: verify_proof(proof, proof.extra, parse_key(epoch.vkey), policy))
    database = database_file(place.url)
    assert database is not None
    assert len(proof.hashes) <= MAX_PROOF_HASHES
    return {
        "entries": entries,
        "integrate": integrating.as_json(),
        "sign": signing.as_json(),
        "verify_public_copy": public,
        "write_openings": opening.as_json(),
        "verify_export": exported,
        "prove": proving.as_json(),
        "verify_proof": checking.as_json(),
        "proof_hashes": len(proof.hashes),
        "proof_bytes": len(proof.encode()),
        **sizes(export / "1" / "tile", content, entries),
        "opening_bytes": round(opened / entries, 1),
        "database_bytes": round(database.stat().st_size / entries, 1),
    }


def grow(place: Installation, log: Log, entries: int) -> int:
    """Integrate all entries, as a node's beats do; return the bytes of their leaves."""
    content = 0
    for start in range(0, entries, CHUNK):
        with place.store.read() as tx:
            leaves = [leaf_of(row) for row in queries.entries_from(tx, start, min(CHUNK, entries - start))]
        log.integrate(leaves)
        content += sum(map(len, leaves))
    return content


def cosigned(place: Installation, note: Note, epoch: Epoch) -> tuple[list[str], WitnessPolicy, Note]:
    """Return the options of a verifier, the witnesses that it knows, and what they signed."""
    keys = [SigningKey.generate() for _ in range(WITNESSES)]
    names = [f"witness{number}.example" for number in range(WITNESSES)]
    known = tuple(
        VerifierKey(name, Algorithm.COSIGNATURE, one.public_bytes) for name, one in zip(names, keys, strict=True)
    )
    now_s = place.clock.now_ns() // NS_PER_S
    lines = [cosign(name, one, note.text, now_s) for name, one in zip(names, keys, strict=True)]
    options = ["--key", epoch.vkey, *(part for one in known for part in ("--witness", one.encode())), "--quorum", "2"]
    return options, WitnessPolicy(known, 2), Note(note.text, (*note.signatures, *lines))


def write_epochs(export: Path, epoch: Epoch) -> None:
    told = {name: getattr(epoch, name) for name in ("number", "origin", "vkey", "first_seq", "prior")}
    (export / "epochs.json").write_text(json.dumps([told]))


def write_openings(place: Installation, export: Path, entries: int) -> int:
    """Write what `habeas audit export` does; return the bytes of the openings."""
    opened = 0
    for start in range(0, entries, A_FILE):
        path = export / openings_file(start)
        path.parent.mkdir(exist_ok=True)
        with path.open("w") as file, place.store.read() as tx:
            for row in queries.entries_from(tx, start, min(A_FILE, entries - start)):
                one = open_entry(place.keys, row)
                opened += len(one.opening)
                told = json.dumps(one.as_json(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
                file.write(f"{told}\n")
    return opened


def verified(export: Path, options: list[str], entries: int) -> dict[str, object]:
    """Verify as an auditor does, from the start of the program to its end; of some times the quickest, and each."""
    runs = [_verified_once(export, options, entries) for _ in range(TIMES)]
    told = min(runs, key=lambda one: float(one["wall_s"]))
    return {
        **told,
        "each": [{name: one[name] for name in ("wall_s", "cpu_s", "core_wait_s", "load_1_min")} for one in runs],
    }


def _verified_once(export: Path, options: list[str], entries: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "habeas", "audit", "verify", str(export), *options, "--json"]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.read())
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        wall_s, waited_s = time.perf_counter() - began, core_wait_s(process.pid)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert (process.returncode, told["entries"], told["pending"]) == (0, entries, 0), told
    return {
        **Took(wall_s, used.ru_utime + used.ru_stime, waited_s).as_json(),
        "memory_mb": round(used.ru_maxrss * 1024 / 1e6),
        "load_1_min": load_1_min(),
        "checked": {step["step"]: step["count"] for step in told["steps"] if step["checked"]},
    }


def load_1_min() -> float:
    """How many processes wanted a core: with more than there are, the clock says more than the work."""
    return round(os.getloadavg()[0], 1)


def sizes(folder: Path, content: int, entries: int) -> dict[str, object]:
    """Bytes an entry beyond its leaf: as lengths of files, and as the disk counts them."""
    files = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return {
        "bytes_beyond_leaf": round((sum(file.st_size for file in files) - content) / entries, 1),
        "disk_bytes_beyond_leaf": round((sum(file.st_blocks * 512 for file in files) - content) / entries, 1),
        "leaf_bytes": round(content / entries, 1),
        "files": len(files),
    }
