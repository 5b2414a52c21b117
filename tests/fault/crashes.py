"""Crash any program at every point, and cut its power: what it confirmed must be there afterwards.

A *driver* is a command that works in the folder given as its last argument and confirms each durable step by writing
`ack TOKEN` and a newline to its standard output, in one call. A *check* looks at a folder and the tokens confirmed, and
returns what is wrong. So for each promise there is a driver and a check, and three ways to try them:

- `cuts(record(driver, folder))` are the states of the disk if the power fails after each call: the real calls of the
  real program are recorded by strace, and replayed onto a disk that keeps what was synced, and of the rest nothing, or
  any part in any order, torn into sectors. A name is kept only if its folder was synced. Folders themselves are kept.
- `sweep(driver, ...)` runs the program once for each call, and kills it there, or lets that call fail.
- `die(driver, ...)` needs no strace: the program kills itself at a statement, or in the middle of one.

Writes through memory maps are not recorded. SQLite has one such file, `-shm`, which it makes anew after a crash.
"""

import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SECTOR: Final = 512
TIMEOUT_S: Final = 120
WRITES: Final = ("pwrite64", "write", "ftruncate", "fsync", "fdatasync")
NAMES: Final = ("openat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat")
STRACE: Final = shutil.which("strace")
_UNMAPPED: Final = "-shm"
_CALL: Final = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)(?:<(.*?)>)?")
_HEX: Final = r"(?:\\x[0-9a-f]{2})*"
_PART: Final = re.compile(rf'(?:\w+)<({_HEX})>|"({_HEX})"')
_DIE: Final = """
import os, runpy, signal, sys
from sqlalchemy import Engine, event
steps, at = 0, int(sys.argv.pop(1))
def step(*_):
    global steps
    steps += 1
    if steps == at:
        os.kill(os.getpid(), signal.SIGKILL)
@event.listens_for(Engine, "connect")
def watch(connection, _record):
    connection.set_trace_callback(step)
    connection.set_progress_handler(step, 100)
"""


@dataclass(frozen=True)
class Call:
    """One system call that concerns the folder, or standard output.

    Args:
        name: of the call.
        ordinal: which call of this name it was in its thread, from 1: where strace can strike.
        paths: that it names, absolute; of a file that was opened, what it turned out to be.
        data: written.
        number: offset, length, or new position, by kind of call.
        handle: file descriptor, of the file or of what was opened.
        flags: of an opening.
    """

    name: str
    ordinal: int
    paths: tuple[str, ...]
    data: bytes
    number: int
    handle: int
    flags: str


@dataclass(frozen=True)
class Trace:
    """What a program did to a folder, and what it confirmed."""

    folder: Path
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Cut:
    """A disk after the power failed, and what had been confirmed by then. `files` are relative to the folder."""

    after: int
    kept: str
    acked: tuple[str, ...]
    files: dict[str, bytes]

    def put(self, folder: Path) -> None:
        """Write it into an empty folder."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


Check = Callable[[Path, Sequence[str]], list[str]]


# --- recording ------------------------------------------------------------------------------------------------------


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}


def _traced(*options: str) -> list[str]:
    assert STRACE is not None
    return [STRACE, "-f", *options]


def record(driver: Sequence[str], folder: Path) -> Trace:
    """Run a driver to its end in an empty folder, and return what it did there."""
    log = folder.with_name(f"{folder.name}.strace")
    kinds = ",".join((*WRITES, *NAMES, "lseek"))
    options = _traced("--seccomp-bpf", "-y", "-xx", "-s", "100000000", "-o", str(log), "-e", f"trace={kinds}")
    subprocess.run(
        [*options, *driver, str(folder)], check=True, timeout=TIMEOUT_S, capture_output=True, env=_environment()
    )
    with log.open() as lines:
        calls = tuple(_calls(lines, str(folder)))
    log.unlink()
    return Trace(folder, calls)


def _calls(lines: Iterator[str], folder: str) -> Iterator[Call]:
    counts: Counter[tuple[str, str]] = Counter()
    begun: dict[str, str] = {}
    for raw in lines:
        thread, _, rest = raw.partition(" ")
        if raw.rstrip().endswith("<unfinished ...>"):
            begun[thread] = raw.rstrip().removesuffix("<unfinished ...>")
            continue
        line = begun.pop(thread) + raw.partition("resumed>")[2] if rest.lstrip().startswith("<...") else raw
        found = _CALL.match(line)
        if not found:
            continue
        counts[thread, found[2]] += 1
        call = _call(found, counts[thread, found[2]])
        concerned = any(path.startswith(folder) for path in call.paths) or (call.name, call.handle) == ("write", 1)
        if int(found[4]) >= 0 and concerned and not any(path.endswith(_UNMAPPED) for path in call.paths):
            yield call


def _call(found: re.Match[str], ordinal: int) -> Call:
    name, arguments, returned = found[2], found[3], int(found[4])
    parts = [(_plain(match[1]).decode(), _plain(match[2])) for match in _PART.finditer(arguments)]
    handle = int(head[0]) if (head := re.match(r"\d+", arguments)) else -1
    last = arguments.rpartition(", ")[2]
    number = int(last) if last.isdecimal() else 0
    if name == "openat":
        return Call(name, ordinal, (_plain(found[5]).decode(),), b"", 0, returned, arguments)
    if name in NAMES:
        return Call(name, ordinal, tuple(_named(parts)), b"", 0, handle, "")
    data = b"".join(text for _, text in parts)
    return Call(name, ordinal, (parts[0][0],), data, returned if name == "lseek" else number, handle, "")


def _plain(text: str | None) -> bytes:
    return bytes.fromhex((text or "").replace("\\x", ""))


def _named(parts: list[tuple[str, bytes]]) -> Iterator[str]:
    """Join the names that follow a folder's handle to that folder."""
    folder = ""
    for handle, text in parts:
        if handle:
            folder = handle
        else:
            yield os.path.join(folder, os.fsdecode(text))  # noqa: PTH118 - text, no place of this machine


# --- replaying ------------------------------------------------------------------------------------------------------


@dataclass
class _File:
    """A file's content as programs see it, as it was when last synced, and what was done since."""

    now: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    since: list[tuple[int, bytes] | int] = field(default_factory=list)

    def do(self, change: tuple[int, bytes] | int) -> None:
        _apply(self.now, change)
        self.since.append(change)

    def sync(self) -> None:
        self.synced, self.since = bytes(self.now), []

    def part(self, chance: random.Random) -> bytes:
        """Return what was synced, and any of the rest in any order, torn into sectors."""
        content = bytearray(self.synced)
        for change in chance.sample(self.since, chance.randint(0, len(self.since))):
            torn = not isinstance(change, int) and chance.random() < 0.5
            for piece in _sectors(change) if torn else [change]:  # type: ignore[arg-type]
                if not torn or chance.random() < 0.5:
                    _apply(content, piece)
        return bytes(content)


def _sectors(change: tuple[int, bytes]) -> list[tuple[int, bytes]]:
    offset, data = change
    return [(offset + start, data[start : start + SECTOR]) for start in range(0, len(data), SECTOR)]


def _apply(content: bytearray, change: tuple[int, bytes] | int) -> None:
    """Write at an offset, or (a number) cut or stretch to a length."""
    offset, data = (change, b"") if isinstance(change, int) else change
    if isinstance(change, int):
        del content[change:]
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


_Names = dict[str, _File]


class _Disk:
    """Files under names. Names, like content, are as programs see them, as last synced, and what was done since."""

    def __init__(self) -> None:
        self.now: _Names = {}
        self.synced: _Names = {}
        self.since: list[dict[str, _File | None]] = []
        self.positions: dict[int, int] = {}

    def do(self, call: Call) -> None:
        path = call.paths[0]
        if call.name == "openat":
            self._open(call, path)
        elif call.name.startswith("unlink"):
            self._rename({path: None})
        elif call.name.startswith("rename"):
            self._rename({path: None, call.paths[1]: self.now[path]})
        elif call.name.startswith("link"):
            self._rename({call.paths[1]: self.now[path]})
        elif call.name in {"fsync", "fdatasync"}:
            self._sync(path)
        elif path in self.now:
            self._change(call, self.now[path])

    def _open(self, call: Call, path: str) -> None:
        if "O_CREAT" in call.flags and path not in self.now:
            self._rename({path: _File()})
        if "O_TRUNC" in call.flags and path in self.now:
            self.now[path].do(0)
        self.positions[call.handle] = len(self.now[path].now) if "O_APPEND" in call.flags else 0

    def _change(self, call: Call, file: _File) -> None:
        if call.name == "lseek":
            self.positions[call.handle] = call.number
        elif call.name == "ftruncate":
            file.do(call.number)
        elif call.name == "pwrite64":
            file.do((call.number, call.data))
        else:
            at = self.positions.get(call.handle, 0)
            file.do((at, call.data))
            self.positions[call.handle] = at + len(call.data)

    def _rename(self, change: dict[str, _File | None]) -> None:
        _rename(self.now, change)
        self.since.append(change)

    def _sync(self, path: str) -> None:
        if path in self.now:
            self.now[path].sync()
            return
        for change in self.since:
            inside = {name: file for name, file in change.items() if os.path.dirname(name) == path}  # noqa: PTH120 - text
            _rename(self.synced, inside)
            for name in inside:
                del change[name]
        self.since = [change for change in self.since if change]

    def nothing(self) -> dict[str, bytes]:
        """Return what stays if nothing is kept that was not synced."""
        return {name: file.synced for name, file in self.synced.items()}

    def part(self, chance: random.Random) -> dict[str, bytes]:
        """Return what stays if any part of the rest is kept."""
        names = dict(self.synced)
        for change in self.since:
            if chance.random() < 0.5:
                _rename(names, change)
        contents = {id(file): file.part(chance) for file in names.values()}
        return {name: contents[id(file)] for name, file in names.items()}


def _rename(names: _Names, change: dict[str, _File | None]) -> None:
    for name, file in change.items():
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file


def cuts(trace: Trace, *, seed: int, parts: int = 2, every: int = 1) -> Iterator[Cut]:
    """Yield the disk after every call, if the power fails then.

    Args:
        trace: recorded.
        seed: of what is kept by chance.
        parts: how many disks by chance at each call, beside the one on which nothing unsynced is left.
        every: which calls are looked at: 1 is all.
    """
    disk, chance, said = _Disk(), random.Random(seed), ""
    for after, call in enumerate(trace.calls):
        if (call.name, call.handle) == ("write", 1):
            said += call.data.decode()
        else:
            disk.do(call)
        if after % every == 0 or after == len(trace.calls) - 1:
            acked = acks(said)
            yield Cut(after, "nothing", acked, _relative(disk.nothing(), trace.folder))
            for number in range(parts):
                yield Cut(after, f"part {number}", acked, _relative(disk.part(chance), trace.folder))


def _relative(files: dict[str, bytes], folder: Path) -> dict[str, bytes]:
    return {str(Path(name).relative_to(folder)): content for name, content in files.items()}


def acks(said: str) -> tuple[str, ...]:
    """Return the tokens that a driver confirmed."""
    return tuple(line.removeprefix("ack ") for line in said.split("\n")[:-1] if line.startswith("ack "))


# --- killing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sweep:
    """How a sweep went: runs, runs in which the program was struck, tokens confirmed in all, and what went wrong."""

    runs: int
    struck: int
    acked: int
    problems: tuple[str, ...]


def sweep(
    driver: Sequence[str],
    work: Path,
    check: Check,
    *,
    fault: str = "signal=KILL",
    calls: Sequence[str] = (*WRITES, *NAMES),
    every: int = 1,
) -> Sweep:
    """Run a driver once for each call that it makes in its folder, and strike there.

    Args:
        driver: command.
        work: empty folder, for the runs.
        check: run after each.
        fault: as strace names it: `signal=KILL`, `error=EIO`, `error=ENOSPC`.
        calls: names of the calls to strike at.
        every: which calls are struck at: 1 is all.
    """
    (work / "record").mkdir()
    recorded = record(driver, work / "record").calls
    points = [(call.name, call.ordinal) for call in recorded if call.name in calls][::every]

    def strike(point: tuple[str, int]) -> tuple[bool, int, list[str]]:
        name, ordinal = point
        # Without --seccomp-bpf, which is faster, but under which nothing is struck.
        inject = f"inject={name}:{fault}:when={ordinal}"
        return _run([*_traced("-o", os.devnull, "-e", f"trace={name}", "-e", inject), *driver], work, point, check)

    return _swept(strike, points)


def die(driver: Sequence[str], work: Path, check: Check, *, count: int) -> Sweep:
    """Run a driver (a Python script and its arguments) `count` times, to die by its own hand ever later.

    Where in SQLAlchemy's statements, and after how many of SQLite's steps, is spread over the whole run.
    """
    script, *arguments = driver
    own = f"{_DIE}runpy.run_path({script!r}, run_name='__main__')"

    def command(at: int) -> list[str]:
        return [sys.executable, "-c", own, str(at), *arguments]

    (work / "whole").mkdir()
    own_count = own + "\nprint('steps', steps)"
    whole = subprocess.run(
        [sys.executable, "-c", own_count, "0", *arguments, str(work / "whole")],
        check=True, timeout=TIMEOUT_S, capture_output=True, text=True, env=_environment(),
    )  # fmt: skip
    steps = int(whole.stdout.rpartition("steps ")[2])
    points = [("step", 1 + steps * number // count) for number in range(count)]
    return _swept(lambda point: _run(command(point[1]), work, point, check), points)


Strike = Callable[[tuple[str, int]], tuple[bool, int, list[str]]]


def _swept(strike: Strike, points: list[tuple[str, int]]) -> Sweep:
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(strike, points))
    problems = tuple(problem for _, _, found in results for problem in found)
    return Sweep(len(results), sum(hit for hit, _, _ in results), sum(acked for _, acked, _ in results), problems)


def _run(command: list[str], work: Path, point: tuple[str, int], check: Check) -> tuple[bool, int, list[str]]:
    folder = work / f"{point[0]}-{point[1]}"
    folder.mkdir()
    ran = subprocess.run(
        [*command, str(folder)], check=False, timeout=TIMEOUT_S, capture_output=True, text=True, env=_environment()
    )
    acked = acks(ran.stdout)
    found = [f"{point}: {problem}" for problem in check(folder, acked)]
    shutil.rmtree(folder)
    return ran.returncode != 0, len(acked), found
