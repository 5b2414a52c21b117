"""What a decoding worker may still do, reduced in two steps (docs/decisions/0009).

1. `isolate` is the worker's first act, before anything that starts a thread is imported: a network of its own in which
   only a loopback exists, no capabilities, no gain of privileges, death with the node.
2. The worker opens its doors (`habeas.engine.relay.open_door`), gives them to the node, loads models.
3. `seal` ends it: no files, no programs, no other process, no new sockets but TCP, connections to the doors only.

Two steps, because a new user namespace needs a process with one thread, and models need files and start threads.
Landlock binds the thread that asks and those it starts later; the threads that OpenVINO started before are held by the
network namespace and by seccomp, which bind all. Each guard is tried by itself; the `Posture` says which hold.
"""

import ctypes
import fcntl
import os
import resource
import signal
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Final

from habeas.engine.calls import forbidding
from habeas.errors import HabeasError

APPLIED: Final = "applied"
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_CLONE_NEWIPC: Final = 0x08000000
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 1
_CAPABILITY_VERSION_3: Final = 0x20080522
_ABI_PORTS: Final = 4
_ABI_SIGNALS: Final = 6


@dataclass(frozen=True)
class Limits:
    """What a worker may use.

    Args:
        memory_bytes: address space beyond what is mapped when it is sealed. Address space, not memory: each thread
            reserves some 70 MB of it.
        open_files: descriptors.
    """

    memory_bytes: int = 8 << 30
    open_files: int = 512


@dataclass(frozen=True)
class Posture:
    """The guards around a worker, each `applied` or `unavailable: ` and why.

    Args:
        parent_death: the worker is killed when the node's thread that started it ends.
        privileges: no capabilities, and no program can give it any.
        limits: memory, descriptors, no written files, no core dumps.
        network: a network namespace of its own; nothing but its own loopback exists there.
        ports: TCP connections only to its doors' ports, no listening (Landlock).
        files: no path can be opened, made, changed or executed (Landlock).
        signals: none to processes outside, nor abstract sockets (Landlock).
        calls: no opening, executing, forking, tracing, killing, no sockets but TCP, in every thread (seccomp).
        undumpable: processes of the same user cannot read its memory.
    """

    parent_death: str
    privileges: str
    limits: str
    network: str
    ports: str
    files: str
    signals: str
    calls: str
    undumpable: str

    @property
    def complete(self) -> bool:
        """Whether every guard holds."""
        return not self.missing

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of the guards that do not hold."""
        return tuple(each.name for each in fields(self) if getattr(self, each.name) != APPLIED)

    def as_json(self) -> dict[str, str]:
        """Return the guards by name."""
        return asdict(self)


@dataclass(frozen=True)
class Isolation:
    """What `isolate` achieved; `seal` takes it on."""

    parent_death: str
    privileges: str
    network: str


def isolate(parent_pid: int) -> Isolation:
    """Cut the network and the privileges of this process. Call it first, while there is one thread.

    Whoever starts the worker must do so in a thread that lives as long as the worker may: the kernel ties the worker to
    that thread.

    Args:
        parent_pid: the node's, as the node says it.

    Raises:
        HabeasError: the node is gone already.
    """
    network = _tried(_own_network)
    privileges = _tried(_no_privileges)
    # Last: a change of credentials forgets it.
    parent_death = _tried(lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))
    if os.getppid() != parent_pid:
        raise HabeasError("the node ended before its worker began", remedy="start the node again")
    return Isolation(parent_death, privileges, network)


def seal(isolation: Isolation, ports: Iterable[int], limits: Limits | None = None) -> Posture:
    """Take away everything that decoding does not need. Call it once, in the thread that starts all later ones.

    From here on no module can be imported and no file opened.

    Args:
        isolation: of this process.
        ports: of its doors.
        limits: None: the usual ones.
    """
    others = _threads() - 1
    prepared: list[Callable[[], None]] = []
    calls = _tried(lambda: prepared.append(forbidding()))  # reads files: before they are out of reach
    limited = _tried(lambda: _limit(limits or Limits()))
    undumpable = _tried(lambda: _prctl(_PR_SET_DUMPABLE, 0))
    abi, why = _landlock(frozenset(ports))
    for forbid in prepared:
        calls = _tried(forbid)
    files = APPLIED if abi else why
    if abi and others and calls != APPLIED:
        files = f"unavailable: {others} older threads are outside, and no seccomp holds them"
    return Posture(
        parent_death=isolation.parent_death,
        privileges=isolation.privileges,
        limits=limited,
        network=isolation.network,
        ports=_since(abi, _ABI_PORTS, why),
        files=files,
        signals=_since(abi, _ABI_SIGNALS, why),
        calls=calls,
        undumpable=undumpable,
    )


def _tried(guard: Callable[[], None]) -> str:
    """Apply a guard; say what became of it."""
    try:
        guard()
    except OSError as error:
        return f"unavailable: {error.strerror or error}"
    except (ImportError, RuntimeError, ValueError) as error:
        return f"unavailable: {error}"
    return APPLIED


def _since(abi: int, needed: int, why: str) -> str:
    if not abi:
        return why
    return APPLIED if abi >= needed else f"unavailable: the kernel has Landlock ABI {abi}, this needs {needed}"


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _prctl(option: int, value: int) -> None:
    _checked(_libc().prctl(option, ctypes.c_ulong(value), 0, 0, 0))


def _threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def _own_network() -> None:
    """Enter a network with nothing but a loopback.

    A child tries first: where a policy lets a process leave the network but not start the loopback (Ubuntu's AppArmor),
    there would be no way back and no way to the doors.
    """
    if _threads() > 1:
        raise RuntimeError("the process has threads already")
    child = os.fork()
    if not child:
        code = 1
        try:
            _leave_network()
            code = 0
        except OSError as error:
            code = error.errno or 1
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, f"no namespaces: {os.strerror(code)}")
    _leave_network()


def _leave_network() -> None:
    uid, gid = os.getuid(), os.getgid()
    _checked(_libc().unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC))
    # The same numbers inside: the model cache must stay readable until it is sealed.
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        asked = struct.pack("16sH14x", b"lo", 0)
        (flags,) = struct.unpack_from("H", fcntl.ioctl(control, _SIOCGIFFLAGS, asked), 16)
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _no_privileges() -> None:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _checked(_libc().capset(ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)())))


def _limit(limits: Limits) -> None:
    """No limit on processes: it counts all of the user's, and seccomp forbids new ones."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    mapped = pages * resource.getpagesize()
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_AS, mapped + limits.memory_bytes),
    ):
        _, hard = resource.getrlimit(what)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))


def _landlock(ports: frozenset[int]) -> tuple[int, str]:
    """Return the kernel's Landlock ABI, or 0 and why there is none."""
    try:
        package = import_module("py_landlock")
    except ImportError as error:
        return 0, f"unavailable: {error}"
    try:
        rules = package.Landlock(strict=False)
        rules.allow_network(*ports, bind=False, connect=True)
        rules.apply()
    except (OSError, package.LandlockError) as error:
        return 0, f"unavailable: {error}"
    return int(rules.abi_version), ""
