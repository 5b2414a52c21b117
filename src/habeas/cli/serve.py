"""`habeas serve`: run the node of an installation, in the foreground, until asked to stop."""

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from habeas.cli.client import Where
from habeas.cli.clock import doubt
from habeas.cli.options import AsJson, Debug
from habeas.cli.output import plain, pull_report, reporting
from habeas.cli.writer import LogLines, Writer, to_stream
from habeas.errors import HabeasError

if TYPE_CHECKING:
    from habeas.node.node import Node
    from habeas.node.workspace import Workspace

_LOOK_S: Final = 1.0
Event = dict[str, Any]


class Telling:
    """Prints what happens, a line an event. Output that nobody reads, or takes, never holds up the node. Thread-safe.

    Args:
        as_json: objects instead of lines.
        writer: of the lines.
    """

    def __init__(self, *, as_json: bool, writer: Writer) -> None:
        self._as_json = as_json
        self._writer = writer
        self._last_problem = ""

    def tell(self, event: Event) -> None:
        """Print an event, or drop it where 1000 lines wait already. Returns at once."""
        self._writer.put(_line(event, as_json=self._as_json))

    def alert(self, what: str, alert_id: str) -> None:
        """Print that an alert waits for reviewers, or for the one on call."""
        self.tell({"event": what, "alert": alert_id})

    def problem(self, error: HabeasError) -> None:
        """Print what could not be done; while it stays the same, once."""
        if error.message != self._last_problem:
            self._last_problem = error.message
            self.tell({"event": "problem", **error.as_json()})


def _line(event: Event, *, as_json: bool) -> str:
    return json.dumps(event, allow_nan=False) if as_json else plain(as_line(event))


def _dropped(count: int, *, as_json: bool) -> str:
    return _line({"event": "dropped", "events": count}, as_json=as_json)


def as_line(event: Event) -> str:
    """Return an event for people."""
    remedy = f" ({event['remedy']})" if event.get("remedy") else ""
    forms = {
        "ready": "ready: {workspace} at {socket}",
        "register": "register: {address}",
        "camera": "camera {camera}: {state}",
        "worker": "worker {worker}: {change}",
        "clock": "clock: {doubt}",
        "witness": "witness {witness}: {does}",
        "listening": "listening: {witness} at http://{address}, for {logs} logs",
        "refused": "refused with {status}: {why}; kept as {evidence}",
        "damaged": "damaged: {file}" + remedy.replace("{", "{{").replace("}", "}}"),
        "alert": "alert {alert}: see habeas review list",
        "on-call": "on call: alert {alert} waits for its verdicts",
        "warden": "warden: keys are destroyed at their deadlines while no node runs",
        "destroyed": "warden: {keys} keys were due, and are destroyed",
        "dropped": "{events} events were not printed: nobody read this output, or it had no room",
        "problem": "problem: {message}" + remedy.replace("{", "{{").replace("}", "}}"),
    }
    told = {**event, "doubt": doubt(event) or "trusted again"} if event["event"] == "clock" else event
    does = event.get("problem") or "cosigns"
    return forms.get(str(event["event"]), "{event}").format(**{**told, "does": does})


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Event]:
    """Yield what became different between two answers of `_standing`."""
    for name, state in sorted(after["cameras"].items()):
        if before["cameras"].get(name) != state:
            yield {"event": "camera", "camera": name, "state": state}
    for name in sorted(before["cameras"].keys() - after["cameras"].keys()):
        yield {"event": "camera", "camera": name, "state": "closed"}
    known = {one["worker"]: one for one in before["workers"]}
    for one in after["workers"]:
        old = known.get(one["worker"], {"starts": 0})
        if one["starts"] > old["starts"]:
            change = "started" if not old["starts"] else "started again"
            yield {"event": "worker", "worker": one["worker"], "change": change, "kills": one["kills"]}
    for name, problem in after["witnesses"].items():
        if before["witnesses"].get(name) != problem:
            yield {"event": "witness", "witness": name, "problem": problem or None}
    was, now = ({name: one["clock"][name] for name in ("jumped", "restored")} for one in (before, after))
    if was != now:
        yield {"event": "clock", **now}


_NOTHING: Final[Event] = {
    "cameras": {},
    "workers": [],
    "clock": {"jumped": False, "restored": False},
    "witnesses": {},
}


def _standing(node: "Node") -> Mapping[str, Any]:
    """Return how a node stands, with what each witness said last: empty, it cosigned."""
    return {**node.status(), "witnesses": {one.witness: one.problem for one in node.log.state.answers}}


@contextmanager
def _watching(status: Callable[[], Mapping[str, Any]], telling: Telling) -> Iterator[None]:
    """Look once a second at how the node stands, and tell what changed, while the block runs."""
    over = threading.Event()

    def look() -> None:
        before: Mapping[str, Any] = _NOTHING
        while not over.wait(_LOOK_S):
            try:
                after = status()
            except HabeasError as error:
                telling.problem(error)
                continue
            for event in changes(before, after):
                telling.tell(event)
            before = after

    thread = threading.Thread(target=look, name="telling", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_LOOK_S * 2)


def serve(where: Where = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """Run the node: cameras, matching, alerts, deadlines, and the API for all other commands.

    Prints a line for each event; where nobody reads them, they are dropped and counted. SIGTERM or Ctrl-C ends it
    within seconds, and loses nothing that was found.
    """
    with reporting(as_json=as_json, debug=debug), printing(as_json=as_json) as (telling, log):
        with suppress(KeyboardInterrupt):  # SIGTERM too: being asked to stop is how this ends
            _serve(where, telling, log)
        telling.tell({"event": "stopped"})


@contextmanager
def printing(*, as_json: bool) -> Iterator[tuple[Telling, LogLines]]:
    """Hand out what prints events, and the server's log, so that a server never waits for whoever reads them."""
    with (
        Writer(to_stream(sys.stdout), partial(_dropped, as_json=as_json)) as out,
        Writer(to_stream(sys.stderr), partial(_dropped, as_json=False)) as log,
    ):
        yield Telling(as_json=as_json, writer=out), LogLines(log)


def _serve(where: Path | None, telling: Telling, log: LogLines) -> None:
    # Imported late: `habeas --help` loads no database and no web server.
    from habeas.clock import SystemClock  # noqa: PLC0415
    from habeas.models.manifest import DEFAULT_PACK  # noqa: PLC0415
    from habeas.models.pack import default_model_id  # noqa: PLC0415
    from habeas.models.pull import fetch, missing  # noqa: PLC0415
    from habeas.node.node import Node  # noqa: PLC0415
    from habeas.node.workspace import find_workspace, load_workspace, socket_path  # noqa: PLC0415
    from habeas.web.api import make_api  # noqa: PLC0415
    from habeas.web.server import listen  # noqa: PLC0415
    from habeas.web.server import serve as answer  # noqa: PLC0415

    folder = find_workspace(where)
    workspace = load_workspace(folder)
    models = workspace.settings.models
    lacking = missing(DEFAULT_PACK.files, models.folder)
    if lacking:
        fetch(lacking, models.folder, report=pull_report(lacking), base_url=models.base_url)
    with ExitStack() as stack:
        node = stack.enter_context(Node(workspace, SystemClock(), default_model_id(), telling.problem, telling.alert))
        listener = stack.enter_context(listen(socket_path(folder)))
        stack.callback(socket_path(folder).unlink, missing_ok=True)
        stack.enter_context(_watching(partial(_standing, node), telling))
        stack.enter_context(_register(workspace, telling))
        ready = {"event": "ready", "workspace": workspace.workspace_id, "socket": str(socket_path(folder))}
        telling.tell(ready)
        answer(make_api(node), listener, log)


@contextmanager
def _register(workspace: "Workspace", telling: Telling) -> Iterator[None]:
    """Serve the register where the settings say so, while the block runs."""
    from habeas.node.register import PUBLIC  # noqa: PLC0415 - loads pages and the web server
    from habeas.web.register import served  # noqa: PLC0415
    from habeas.web.witness import address_of, listen_at  # noqa: PLC0415

    place = workspace.settings.public.listen
    if not place:
        yield
        return
    with listen_at(place) as listener, served(workspace.folder / PUBLIC, listener, telling.problem):
        telling.tell({"event": "register", "address": f"http://{address_of(listener)}"})
        yield
