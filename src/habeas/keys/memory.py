"""A disk in memory that forgets what was not synced: for tests, and for trying without a folder."""

import itertools
from collections.abc import Callable, Iterator

from habeas.errors import DiskError
from habeas.keys.frame import MAX_FILE_BYTES


class _File:
    """Bytes as a reader sees them, and as a power cut may leave them."""

    def __init__(self, data: bytes = b"", durable: bytes = b"") -> None:
        self.data = data
        self.durable = durable

    def leftovers(self) -> list[bytes]:
        """Return what may be there after a power cut: the old bytes, the new, or a new beginning on an old end."""
        half = len(self.data) // 2
        torn = self.data[:half] + self.durable[half:]
        return list(dict.fromkeys([self.durable, self.data, torn]))


_Change = tuple[str, str, _File]
"""A change of names not yet synced: the name that goes or "", the name that comes or "", the file."""


def never(_step: int) -> Exception | None:
    """Return no fault: the disk that always works."""
    return None


def transient(step: int) -> Callable[[int], Exception | None]:
    """Return a fault plan: that one step fails, as with EIO or ENOSPC, and later ones work."""
    return lambda now: DiskError(f"planted at step {step}", remedy="try again") if now == step else None


class PowerCut(Exception):
    """The machine, or the process, stops here."""


def cut(step: int) -> Callable[[int], Exception | None]:
    """Return a fault plan: from that step on nothing happens any more."""
    return lambda now: PowerCut(f"at step {step}") if now >= step else None


class MemoryDisk:
    """A `Disk` in memory. Each thing that a kernel would be asked for is one step, and any step can fail.

    Args:
        fault: asked before each step, with its number from 1; what it returns is raised.
    """

    def __init__(self, fault: Callable[[int], Exception | None] = never) -> None:
        self.fault = fault
        self.steps = 0
        self._now: dict[str, _File] = {}
        self._durable: dict[str, _File] = {}
        self._unsynced: list[_Change] = []

    def _step(self) -> None:
        self.steps += 1
        error = self.fault(self.steps)
        if error is not None:
            raise error

    def names(self) -> list[str]:
        """Return the names of its files."""
        self._step()
        return list(self._now)

    def read(self, name: str) -> bytes:
        """Return a file's bytes."""
        self._step()
        return self._now[name].data[:MAX_FILE_BYTES]

    def write(self, name: str, data: bytes) -> None:
        """Write a file from its beginning: make it, write it, sync it."""
        self._step()
        file = self._now.get(name)
        if file is None:
            file = self._now[name] = _File()
            self._unsynced.append(("", name, file))
        self._put(file, data)

    def blank(self, name: str) -> None:
        """Overwrite a file's bytes in place."""
        self._put(self._now[name], bytes(len(self._now[name].data)))

    def _put(self, file: _File, data: bytes) -> None:
        self._step()
        file.data = data
        self._step()
        file.durable = data

    def rename(self, name: str, new_name: str) -> None:
        """Rename a file over whatever has the new name."""
        self._step()
        file = self._now.pop(name)
        self._now[new_name] = file
        self._unsynced.append((name, new_name, file))

    def remove(self, name: str) -> None:
        """Remove a file's name."""
        self._step()
        self._unsynced.append((name, "", self._now.pop(name)))

    def sync(self) -> None:
        """Make every change of names survive a power cut."""
        self._step()
        self._durable = dict(self._now)
        self._unsynced = []

    def close(self) -> None:
        """Do nothing: the memory is the disk."""

    def after_kill(self) -> "MemoryDisk":
        """Return the disk as the next process finds it when only this process died."""
        return _disk({name: file.data for name, file in self._now.items()})

    def after_power_cut(self) -> "Iterator[MemoryDisk]":
        """Yield every disk that a power cut may leave: any of the unsynced changes of names, any torn file."""
        for kept in itertools.product([False, True], repeat=len(self._unsynced)):
            names = dict(self._durable)
            for (old, new, file), survives in zip(self._unsynced, kept, strict=True):
                if survives:
                    names.pop(old, None)
                    names |= {new: file} if new else {}
            choices = [[(name, data) for data in file.leftovers()] for name, file in names.items()]
            yield from (_disk(dict(choice)) for choice in itertools.product(*choices))


def _disk(contents: dict[str, bytes]) -> MemoryDisk:
    disk = MemoryDisk()
    disk._now = {name: _File(data, data) for name, data in contents.items()}  # noqa: SLF001 - same class
    disk._durable = dict(disk._now)  # noqa: SLF001 - same class
    return disk
