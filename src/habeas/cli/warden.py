"""`habeas warden`: keep the deadlines of keys while no node runs."""

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from habeas.cli.client import Where
from habeas.cli.options import AsJson, Debug
from habeas.cli.output import reporting
from habeas.cli.serve import Telling, printing
from habeas.errors import HabeasError
from habeas.types import NS_PER_S

if TYPE_CHECKING:
    from habeas.node.warden import Warden


def warden(where: Where = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """Destroy keys of footage, alerts and subjects at their deadlines also while `habeas serve` does not run.

    Runs beside it, as a service of its own, by the same user; while the node runs it does nothing. It opens no port and
    no camera. SIGTERM or Ctrl-C ends it.
    """
    from habeas.clock import SystemClock  # noqa: PLC0415 - loads the database
    from habeas.node.warden import Warden  # noqa: PLC0415
    from habeas.node.workspace import find_workspace, load_workspace  # noqa: PLC0415

    with reporting(as_json=as_json, debug=debug), printing(as_json=as_json) as (telling, _log):
        made = Warden(load_workspace(find_workspace(where)), SystemClock())
        telling.tell({"event": "warden"})
        with suppress(KeyboardInterrupt):
            _watch(made, telling)
        telling.tell({"event": "stopped"})


def _watch(made: "Warden", telling: Telling) -> None:
    from habeas.node.warden import EVERY_NS  # noqa: PLC0415 - as above

    pause = threading.Event()
    while True:
        try:
            destroyed = made.step()
        except HabeasError as error:
            telling.problem(error)
            destroyed = []
        if destroyed:
            telling.tell({"event": "destroyed", "keys": len(destroyed)})
        pause.wait(EVERY_NS / NS_PER_S)
