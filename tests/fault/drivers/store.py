"""Make a database, write entries, tell each that is durable. Arguments: full or normal, how many, the folder.

`normal` is the control: it syncs too seldom, as SQLite does unless told otherwise.
"""

import os
import sys
from pathlib import Path

from habeas.clock import ManualClock
from habeas.store import connection, open_store
from habeas.store.upgrade import upgrade

OPENED = 3
"""Times that the database is opened: each closing folds the write-ahead log in and removes it."""


def main(syncs: str, count: int, folder: Path) -> None:
    connection._SQLITE["synchronous"] = {"full": 2, "normal": 1}[syncs]
    url, clock = f"sqlite:///{folder / 'habeas.db'}", ManualClock()
    upgrade(url, folder, clock)
    for opened in range(OPENED):
        with open_store(url, clock) as store:
            for number in range(opened, count, OPENED):
                with store.write() as tx:
                    seq = tx.entry("test.durable", "driver", {"number": number, "bulk": "x" * (number % 7) * 900})
                os.write(1, f"ack {seq}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
