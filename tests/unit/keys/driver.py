"""A program that works with a key store and says what it acknowledged, to be killed at any moment.

Usage: driver.py FOLDER MASTER (work | hold)
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from habeas.errors import DiskError
from habeas.keys import KeyStore, MasterKey, Scope

HOUR_NS = 3600 * 10**9
BASE_NS = 500_000 * HOUR_NS


def say(*words: object) -> None:
    """One write, so that a kill never leaves half a line."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def again(action: Callable[[], None]) -> None:
    """Twice: an injected fault strikes once."""
    try:
        action()
    except DiskError:
        action()


def new(store: KeyStore, hour: int) -> str:
    made: list[str] = []
    again(lambda: made.append(store.new(Scope.SUBJECT, BASE_NS + hour * HOUR_NS)))
    say("new", made[0], BASE_NS + hour * HOUR_NS)
    return made[0]


def destroy(store: KeyStore, *key_ids: str) -> None:
    say("ending", *key_ids)
    again(lambda: store.destroy(key_ids))
    say("ended", *key_ids)


def reschedule(store: KeyStore, key_id: str, hour: int) -> None:
    say("moving", key_id, BASE_NS + hour * HOUR_NS)
    again(lambda: store.reschedule(key_id, BASE_NS + hour * HOUR_NS))
    say("moved", key_id, BASE_NS + hour * HOUR_NS)


def work(store: KeyStore) -> None:
    first, second, third = new(store, 1), new(store, 1), new(store, 2)
    destroy(store, first)
    reschedule(store, second, 3)
    reschedule(store, third, 1)
    fourth = new(store, 1)
    destroy(store, second, third)
    new(store, 3)
    destroy(store, fourth)


def main() -> None:
    folder, master, mode = sys.argv[1:]
    with KeyStore(Path(folder), MasterKey.from_file(Path(master))) as store:
        say("begin")
        if mode == "work":
            work(store)
        else:
            sys.stdin.read()
    say("end")


if __name__ == "__main__":
    main()
