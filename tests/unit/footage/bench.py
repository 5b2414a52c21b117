"""A bench for footage: an installation that records what a test hands over, on a disk that fails as it says."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.installation import Installation
from tests.workers import until

from habeas.errors import DiskError, HabeasError
from habeas.footage.adopting import take_over
from habeas.footage.files import FootageFolder, read_segment
from habeas.footage.recorder import Recorder
from habeas.footage.retention import Retention
from habeas.store.footage_records import Footage
from habeas.store.records import Entry
from habeas.types import HOUR_NS, NS_PER_S
from habeas.video.parts import Part

MINUTE = 60 * NS_PER_S


class Tight(FootageFolder):
    """A folder whose disk has as much room as a test says."""

    free = 10**12
    broken = False
    stuck: frozenset[str] = frozenset()
    """Cameras whose files cannot be removed."""
    sick: BaseException | None = None
    """What a look at the room raises."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.synced: list[list[str]] = []
        """Folders whose names were made durable, a list for each time."""

    def free_bytes(self) -> int:
        if self.sick is not None:
            raise self.sick
        if self.broken:
            raise DiskError("it is gone")
        return self.free

    def sync_names(self, folders: Iterable[Path]) -> None:
        self.synced.append([folder.relative_to(self.path.parent).as_posix() for folder in folders])
        super().sync_names(folders)

    def remove_file(self, path: Path) -> None:  # type: ignore[override]  # here it is of this folder
        self._check(path.parent)
        super().remove_file(path)

    def remove(self, folder: Path) -> None:  # type: ignore[override]  # as above
        self._check(folder)
        super().remove(folder)

    def _check(self, folder: Path) -> None:
        if folder.parent.name in self.stuck:
            raise DiskError("it is stuck")


@dataclass
class Bench:
    """An installation that records what a test hands over."""

    place: Installation
    folder: Tight
    told: list[HabeasError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.recorder = self.begin()

    def begin(self) -> Recorder:
        return Recorder(
            self.place.store,
            self.place.keys,
            self.place.clock,
            self.folder,
            reserve_bytes=10**9,
            tell=self.told.append,
        )

    def record(
        self, segment: int, parts: int, *, camera: str = "c1", epoch: int = 1, first: int = 0, wall_off_ns: int = 0
    ) -> None:
        """Record a segment's parts, a second each, as time passes; the worker's wall clock may be off."""
        for index in range(first, parts):
            lasts_ns = 0 if index == 0 else NS_PER_S
            now_ns = self.place.clock.now_ns() + wall_off_ns
            data = f"{camera} {segment} {index}".encode()
            self.recorder.take(camera, epoch, Part(segment, index, now_ns, lasts_ns, "h264", (64, 48), data))
            self.settle()
            self.place.clock.advance(lasts_ns)

    def settle(self) -> None:
        until(lambda: not self.recorder._items and self.recorder._waiting == 0)
        with self.recorder._changed:
            pass
        done = Part(999, 5, 0, 0, "h264", (2, 2), b"x")  # of no segment: when it is dropped, those before are written
        self.recorder.take("nobody", 0, done)
        until(lambda: not self.recorder._items)

    def stop(self) -> None:
        self.recorder.close()

    def rows(self) -> list[Footage]:
        return self.place.look(Footage)

    def entries(self, *kinds: str) -> list[dict[str, object]]:
        return [json.loads(one.body) for one in self.place.look(Entry) if one.kind in kinds]

    def played(self, camera: str, hour_ns: int) -> list[bytes]:
        """Return what each segment plays."""
        files = self.folder.segments(camera, hour_ns)
        stored = [read_segment(path, camera, hour_ns) for path in files]
        return [
            b",".join(record.data for record in one.parts(self.place.keys, self.place.clock.now_ns())) for one in stored
        ]

    def change_policy(self, **changes: object) -> None:
        proposed = self.place.propose_policy("cid", **changes)
        for who in ("abe", "bea"):
            self.place.approve_policy(proposed.policy_id, who)

    def retention(self) -> Retention:
        return Retention(self.place.store, self.place.keys, self.folder, self.place.clock)

    def end_due(self) -> list[str]:
        return self.retention().step()

    def sweep(self) -> list[Path]:
        return self.retention().sweep()

    def take_over(self) -> list[str]:
        return take_over(self.place.store, self.place.keys, self.folder)

    def forget_rows(self) -> None:
        """Go back to a database that knows none of it."""
        with self.place.store.write() as tx:
            for row in tx.find(Footage):
                tx.remove(row)

    @property
    def hour_ns(self) -> int:
        now_ns = self.place.clock.now_ns()
        return now_ns - now_ns % HOUR_NS
