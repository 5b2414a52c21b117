"""What a worker does not have: keys, galleries, the node's environment and files. Each search has its control."""

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.cameras import RtspCamera
from tests.strategies import unit_rows
from tests.workers import Heard, camera, supervisor, until

from habeas.engine.orders import CameraState, Timing
from habeas.engine.relay import Relay
from habeas.settings import Settings

SECRET = secrets.token_hex(24)
PASSWORD = "hunter2" + secrets.token_hex(8)


def memory_holds(pid: int, needle: bytes) -> bool:
    """Search a process's writable memory.

    Raises:
        PermissionError: the kernel refuses.
    """
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end in re.findall(r"^([0-9a-f]+)-([0-9a-f]+) rw", maps, re.MULTILINE):
            try:
                memory.seek(int(start, 16))
                found = memory.read(int(end, 16) - int(start, 16))
            except (OSError, OverflowError, ValueError):
                continue  # unmapped meanwhile, or a device's
            if needle in found:
                return True
    return False


@pytest.fixture(scope="module")
def worker(settings: Settings) -> Iterator[int]:
    """The process of a real worker that watches a camera; the node has a secret, a key file and a gallery."""
    heard = Heard()
    os.environ["THE_MASTER_KEY"] = SECRET
    try:
        with (
            RtspCamera() as rtsp,
            Relay() as relay,
            supervisor(heard, relay, settings=settings, timing=Timing()) as workers,
        ):
            workers.start(camera("gate", rtsp.url.replace("rtsp://", f"rtsp://watch:{PASSWORD}@")))
            until(lambda: workers.states()["gate"].state is CameraState.RUNNING, 60, workers.states)
            pid = workers.workers()[0].pid
            assert pid is not None
            yield pid
    finally:
        del os.environ["THE_MASTER_KEY"]


def readable(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except PermissionError:
        pytest.skip("the kernel lets nobody look into a worker, which is better still")


def test_its_environment_holds_nothing_of_the_node(worker: int) -> None:
    names = {entry.partition(b"=")[0] for entry in readable(Path(f"/proc/{worker}/environ")).split(b"\0") if entry}
    assert names == {b"LANG", b"MALLOC_ARENA_MAX", b"OMP_NUM_THREADS", b"OPENBLAS_NUM_THREADS", b"TMPDIR"}
    assert os.environ["THE_MASTER_KEY"] == SECRET  # the control: the node has it
    assert SECRET.encode() not in readable(Path(f"/proc/{worker}/environ"))


def test_its_command_line_holds_no_camera(worker: int) -> None:
    line = readable(Path(f"/proc/{worker}/cmdline"))
    assert b"rtsp" not in line
    assert PASSWORD.encode() not in line


def test_it_has_no_file_open_but_its_socket(worker: int, tmp_path: Path) -> None:
    try:
        held = {Path(each).readlink().as_posix() for each in Path(f"/proc/{worker}/fd").iterdir()}
    except PermissionError:
        pytest.skip("the kernel lets nobody look into a worker, which is better still")
    kinds = {re.sub(r"\d+", "N", each) for each in held}
    assert kinds <= {"/dev/null", "socket:[N]", "anon_inode:[eventpoll]", "anon_inode:[eventfd]", "pipe:[N]"}
    with (tmp_path / "keys").open("wb") as key_file:  # the control: the node's descriptors show what they are
        links = {each.readlink().as_posix() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()}
        assert str(tmp_path / "keys") in links
        assert key_file.name not in held


def test_it_maps_code_and_nothing_of_a_workspace(worker: int, settings: Settings) -> None:
    maps = readable(Path(f"/proc/{worker}/maps")).decode()
    files = {line.split(maxsplit=5)[5] for line in maps.splitlines() if len(line.split(maxsplit=5)) > 5}
    named = {each for each in files if each.startswith("/")}
    odd = {each for each in named if not re.search(r"\.so([.\d]*)$|/python[\d.]*$|locale|gconv", each)}
    assert odd == set(), "libraries only"
    assert not any(each.startswith(str(settings.models.folder)) for each in named)
    assert any("libavcodec" in each for each in named)  # the control: what it does decode with is seen


def test_the_nodes_gallery_is_not_in_its_memory_and_its_cameras_address_is(worker: int) -> None:
    marker = unit_rows(np.random.default_rng(20_26), 1, 640)
    needle = marker.tobytes()[256:768]
    assert memory_holds(os.getpid(), needle)  # the control: it is in the node's
    try:
        assert not memory_holds(worker, needle)
        assert not memory_holds(worker, SECRET.encode())
        # The other control: a worker's memory is readable here, and what it is meant to know is in it.
        assert memory_holds(worker, PASSWORD.encode())
    except PermissionError:
        pytest.skip("the kernel lets nobody look into a worker, which is better still")
