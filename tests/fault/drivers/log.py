"""Write entries, integrate and publish them, until bundles are full; tell what is durable. Argument: the folder."""

import os
import sys
from pathlib import Path

from habeas.audit.asking import Witnesses
from habeas.authority.policy import Ceilings, first_policy
from habeas.clock import ManualClock
from habeas.keys import KeyStore, MasterKey
from habeas.node.publishing import Publishing
from habeas.settings import LogSettings
from habeas.store import Store, open_store
from habeas.store.upgrade import upgrade

MASTER = MasterKey(bytes(range(32)))
BATCH = 128
BEATS = 3
ACTS = 3


def ack(token: str) -> None:
    os.write(1, f"ack {token}\n".encode())


def publishing(store: Store, keys: KeyStore, clock: ManualClock, folder: Path) -> Publishing:
    """As a node does, without witnesses."""
    settings = LogSettings(batch=BATCH)
    return Publishing(
        store, keys, clock, folder / "log", settings, "example.org/driver", Witnesses({}, 1.0), lambda step: step()
    )


def main(folder: Path) -> None:
    url, clock = f"sqlite:///{folder / 'habeas.db'}", ManualClock()
    upgrade(url, folder, clock)
    with KeyStore.create(folder / "keys", MASTER) as keys, open_store(url, clock) as store:
        with store.write() as tx:
            first_policy(tx, Ceilings(model_id="m"))
        with publishing(store, keys, clock, folder) as log:
            for _beat in range(BEATS):
                for _act in range(ACTS):
                    with store.write() as tx:
                        seq = tx.entry("test.act", "driver", {})
                    ack(f"entry:{seq}")
                log.beat()
                ack(f"signed:{log.state.signed}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
