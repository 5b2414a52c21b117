"""What `habeas doctor` looks at on the machine: its clock, its limits, and the guards around a worker."""

import ctypes
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from habeas.engine.messages import Task
from habeas.engine.orders import DOORS_PER_WORKER, Timing
from habeas.engine.sandbox import Posture
from habeas.engine.spawning import configure_for, spawn
from habeas.models.manifest import DEFAULT_PACK
from habeas.models.pull import missing
from habeas.node.findings import Finding, fail, ok, warn
from habeas.settings import ModelSettings, Settings

_TIMEX_BYTES: Final = 512
"""More than the kernel's structure has."""
_UNSYNCHRONISED: Final = 5
_FILES: Final = 256
"""Descriptors for database, keys, models and clients."""
_WORKER_MB: Final = 500
"""A worker was seen to take 230 MB when it begins, and takes more with each size of picture that its detector meets."""
_NODE_MB: Final = 500
_GUARDS: Final = {
    "parent_death": "the kernel refuses to tie workers to the node: run it outside of whatever filters prctl",
    "privileges": "the kernel refuses to drop privileges: run the node outside of whatever filters prctl and capset",
    "limits": "start the node without limits below those of its workers (ulimit, systemd's Limit...)",
    "network": "let users make namespaces: user.max_user_namespaces above 0, kernel.unprivileged_userns_clone=1; on "
    "Ubuntu an AppArmor profile with `userns`; in a container its seccomp profile",
    "ports": "run Linux 6.7 or newer with Landlock (ABI 4)",
    "files": "run Linux 5.13 or newer with landlock in its list of security modules (lsm=), and install py-landlock",
    "signals": "run Linux 6.12 or newer with Landlock (ABI 6)",
    "calls": "install libseccomp (Debian and Ubuntu: apt install libseccomp2) and pyseccomp",
    "undumpable": "the kernel refuses prctl: run the node outside of whatever filters it",
}


def synchronised() -> bool | None:
    """Tell whether a time server keeps the machine's clock, as the kernel knows it; None: it does not say."""
    state: int = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return None if state < 0 else state != _UNSYNCHRONISED


def check_time_server() -> Iterator[Finding]:
    """Look whether the clock is kept right."""
    if synchronised():
        yield ok("time server", "the kernel says that the clock is synchronised")
        return
    yield warn(
        "time server",
        "the kernel does not say that the clock is synchronised",
        "run a time server's client (chrony, systemd-timesyncd); in a container, on its host",
    )


def check_limits(settings: Settings) -> Iterator[Finding]:
    """Look whether open files, memory and cores are enough for the workers that are set."""
    workers = settings.workers.count
    files, needed = resource.getrlimit(resource.RLIMIT_NOFILE)[0], _FILES + 2 * DOORS_PER_WORKER * workers
    facts = {"open_files": files, "needed": needed}
    if files == resource.RLIM_INFINITY or files >= needed:
        yield ok("open files", f"{files} allowed, {needed} needed at most", **facts)
    else:
        yield warn("open files", f"{files} allowed, {needed} needed at most", f"ulimit -n {needed}", **facts)
    yield _memory(workers)
    cores = len(os.sched_getaffinity(0))
    if workers <= cores:
        yield ok("cores", f"{cores} cores for {workers} workers", cores=cores, workers=workers)
    else:
        text = f"{workers} workers share {cores} cores"
        yield warn("cores", text, f"set workers.count to {cores}", cores=cores, workers=workers)


def _memory(workers: int) -> Finding:
    available, needed = available_mb(), _NODE_MB + _WORKER_MB * workers
    facts = {"available_mb": available, "needed_mb": needed}
    text = f"{available} MB available, about {needed} MB needed by the node and {workers} workers"
    if available >= needed:
        return ok("memory", text, **facts)
    return warn("memory", text, "set fewer workers, or free memory; a node that runs has taken its part", **facts)


def available_mb(proc: Path = Path("/proc/meminfo"), group: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the memory that programs may still take, megabytes: the machine's, or what this group is left.

    Args:
        proc: the machine's.
        group: limits of this group of processes, where there are any.
    """
    told = dict(line.split(":", 1) for line in proc.read_text(encoding="ascii").splitlines())
    left = int(told["MemAvailable"].split()[0]) << 10
    try:
        most = (group / "memory.max").read_text(encoding="ascii").strip()
        used = int((group / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return left >> 20
    return (min(left, int(most) - used) if most.isdigit() else left) >> 20


def check_sandbox(models: ModelSettings) -> Iterator[Finding]:
    """Start a worker for real, and look which guards hold around it.

    Raises:
        HabeasError: none can be started.
    """
    without = bool(missing(DEFAULT_PACK.files, models.folder))
    posture = _posture_of_a_worker(models, without_models=without)
    if posture.complete:
        yield ok("sandbox", "every guard holds around a worker", **posture.as_json())
        return
    for guard in posture.missing:
        why = posture.as_json()[guard]
        yield warn("sandbox", f"{guard} is {why}", _GUARDS[guard], **posture.as_json())


def _posture_of_a_worker(models: ModelSettings, *, without_models: bool) -> Posture:
    timing = Timing()
    task: Task = "inspect" if without_models else "watch"
    process = spawn(configure_for(models, task, doors=1), timing.message_s)
    try:
        process.await_message(timing.start_s)
        hello, received = process.hello()
        received.close()
        return hello.posture()
    finally:
        process.kill()


def check_models(models: ModelSettings) -> Iterator[Finding]:
    """Look whether every model file is there, with its hash."""
    lacking = missing(DEFAULT_PACK.files, models.folder)
    if lacking:
        names = ", ".join(file.name for file in lacking)
        yield fail("models", f"missing, or not the pinned ones, in {models.folder}: {names}", "habeas models pull")
        return
    yield ok("models", f"{len(DEFAULT_PACK.files)} files in {models.folder}, each with its hash")
