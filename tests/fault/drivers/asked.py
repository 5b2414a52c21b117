"""A witness that answers requests from standard input, a line of hexadecimal digits each. Argument: its folder."""

import sys
from pathlib import Path

from habeas.audit.witness import Witness
from habeas.clock import ManualClock


def main(folder: Path) -> None:
    witness = Witness(folder, ManualClock())
    for line in sys.stdin:
        told = witness.answer(bytes.fromhex(line))
        print(told.status, told.body.hex(), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main(Path(sys.argv[1]))
