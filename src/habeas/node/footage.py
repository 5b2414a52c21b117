"""All that a node does with footage beside recording it: ends, holds, requests, evidence, searches, exports, films.

Each step is repeated in a thread of its own: none waits for another, and no end waits for work that takes hours.
"""

import os
from collections.abc import Callable, Iterator
from typing import Final

from habeas.engine.measurement import Measurement
from habeas.engine.playing import Playing
from habeas.engine.redacting import Redacting
from habeas.engine.screening import Screening
from habeas.errors import InputError
from habeas.footage.adopting import take_over
from habeas.footage.evidence_files import EvidenceFiles
from habeas.footage.files import ACCESS, EVIDENCE, EXPORTS, FOOTAGE, HELD, PLAYBACKS, FootageFolder
from habeas.footage.gracing import Gracing
from habeas.footage.keeping import Keeping
from habeas.footage.retention import Retention
from habeas.node.accessing import Accessing
from habeas.node.alerting import Means
from habeas.node.evidence import SPARE_BYTES, EvidenceWork
from habeas.node.exporting import Exporting
from habeas.node.playbacks import Playbacks
from habeas.node.retrospect import Retrospect
from habeas.node.workspace import Workspace

_TICK_S: Final = 1.0
_SWEEP_S: Final = 60.0
Repeated = tuple[str, Callable[[], object], float]
"""A step, what it is called, and the seconds between two of it."""


def _half_the_cores() -> int:
    """Return how many workers may go through footage at the same time: cameras that are live have the other half."""
    return max(1, len(os.sched_getaffinity(0)) // 2)


class FootageWork:
    """What is done with footage. What a crash cut is ended, and counted, when this is made.

    Args:
        means: shared with whatever else compares.
        workspace: whose footage it is.
    """

    def __init__(self, means: Means, workspace: Workspace) -> None:
        settings, folder = workspace.settings, workspace.folder
        reserve_bytes = settings.footage.reserve_bytes
        self.folder: Final = FootageFolder(folder / FOOTAGE)
        """Where what is recorded lies."""
        self.held: Final = folder / HELD
        for problem in take_over(means.store, means.keys, self.folder):
            means.on_problem(InputError(f"footage: {problem}", remedy="see docs/operations.md, Footage"))
        about = means.store, means.keys, self.folder, self.held, means.time
        copies = folder / ACCESS
        self._retention: Final = Retention(means.store, means.keys, self.folder, means.time)
        self._keeping: Final = Keeping(*about, reserve_bytes=reserve_bytes)
        self._gracing: Final = Gracing(*about, reserve_bytes=reserve_bytes)

        def screening() -> Screening:
            return Screening(settings.models)

        def redacting() -> Redacting:
            return Redacting(settings.models)

        def playing() -> Playing:
            return Playing(settings.models)

        files = EvidenceFiles(folder / EVIDENCE)
        self._measurement: Final = Measurement(settings.models)
        spared_bytes = reserve_bytes + SPARE_BYTES
        self.evidence: Final = EvidenceWork(means, files, self._measurement.measure, reserve_bytes=spared_bytes)
        self.retrospect: Final = Retrospect(
            means, self.folder, self.held, files, screening, settings.detect, at_once=_half_the_cores()
        )
        self.accessing: Final = Accessing(
            means, self.folder, copies, screening, settings.detect, reserve_bytes=reserve_bytes
        )
        self.exporting: Final = Exporting(
            means, self.held, copies, folder / EXPORTS, redacting, reserve_bytes=reserve_bytes
        )
        films = folder / PLAYBACKS
        self.playbacks: Final = Playbacks(
            means, self.folder, self.held, films, playing, settings.detect, reserve_bytes=reserve_bytes
        )

    def repeated(self) -> Iterator[Repeated]:
        """Yield the steps."""
        yield "footage", self._retention.step, _TICK_S
        yield "sweeper", self._retention.sweep, _SWEEP_S
        yield "ends of holds", self._keeping.end_due, _TICK_S
        yield "holds", self._keeping.copy_approved, _TICK_S
        yield "held", self._keeping.sweep, _SWEEP_S
        yield "graces", self._gracing.step, _TICK_S
        yield "ends of evidence", self.evidence.end_due, _TICK_S
        yield "evidence", self.evidence.sweep, _SWEEP_S
        yield "retrospect", self.retrospect.step, _TICK_S
        yield "access", self.accessing.step, _TICK_S
        yield "access ends", self.accessing.end_due, _TICK_S
        yield "exports", self.exporting.step, _TICK_S
        yield "export ends", self.exporting.end_due, _TICK_S
        yield "playbacks", self.playbacks.step, _TICK_S
        yield "playback ends", self.playbacks.end_due, _TICK_S

    def stop(self) -> None:
        """Stop what takes long, soon, from any thread: after a restart it goes on."""
        self._measurement.close()
        for one in (self.retrospect, self.accessing, self.exporting, self.playbacks):
            one.stop()
