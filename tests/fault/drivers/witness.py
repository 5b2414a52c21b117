"""A witness that cosigns a log as it grows, and tells of each tree that it answered for. Argument: the folder.

`careless` before the folder is the control: it answers before it keeps.
"""

import os
import sys
from pathlib import Path
from typing import Final

from tests.histories import TRUE
from tests.unit.audit.signers import LOG

from habeas.audit.witness import KEY_FILE, Told, Witness
from habeas.clock import ManualClock
from habeas.errors import DiskError, HabeasError

SIZES: Final = (3, 9, 10, 26, 40)


class Careless(Witness):
    """Keeps what it cosigned after it was told."""

    def answer(self, data: bytes) -> Told:
        known = self.logs()[0].size
        size = next(size for size in SIZES if size > known)
        os.write(1, f"ack {size}\n".encode())
        return super().answer(data)


def main(kind: str, folder: Path) -> None:
    make = {"careful": Witness, "careless": Careless}[kind]
    witness = make(folder, ManualClock()) if (folder / KEY_FILE).exists() else make.found(folder, "w", ManualClock())
    witness.add_log(LOG.verifier)
    old = 0
    for size in SIZES:
        try:
            told = witness.answer(TRUE.request(old, size))
        except DiskError:
            told = witness.answer(TRUE.request(old, size))
        if told.status == 409:
            told = witness.answer(TRUE.request(int(told.body), size))
        if told.status == 200:
            os.write(1, f"ack {size}\n".encode())
            old = size


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except HabeasError:
        sys.exit(1)
