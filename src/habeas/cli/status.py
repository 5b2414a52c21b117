"""`habeas status`: cameras, workers and clock of the running node."""

from habeas.cli.camera import state_text
from habeas.cli.client import Client, Json, connected
from habeas.cli.clock import doubt
from habeas.cli.output import say
from habeas.cli.tables import facts, table
from habeas.cli.times import show_told


@connected
def status(client: Client) -> None:
    """Say how the node stands: clock, cameras, workers. No face, no name."""
    told: Json = client.get("status")
    client.tell(told, lambda: _say_status(told))


def _say_status(told: Json) -> None:
    clock = told["clock"]
    facts(
        [
            ("time here", show_told(clock["now"])),
            ("clock", doubt(clock) or "trusted"),
            ("model", told["model"]),
            ("references of another model", told["references_of_another_model"]),
            ("faces never compared", told["probes_dropped"]),
        ]
    )
    for one in told["drift"]:
        alarmed = f", alarmed {show_told(one['alarmed'])}" if one["alarmed"] else ""
        say(f"{one['monitor']}: wealth 10^{one['wealth_log10']:.1f} of the 10^2 of an alarm{alarmed}")
    if told["access_overdue"]:
        say(f"access requests OVERDUE: {', '.join(told['access_overdue'])}")
    say("")
    canaries = told["canaries"]
    rows = [
        (name, state_text(state), canary_text(canaries.get(name))) for name, state in sorted(told["cameras"].items())
    ]
    table(("camera", "state", "canary"), rows, none="no camera is watched")
    say("")
    workers = [[one[name] for name in ("worker", "pid", "cameras", "starts", "kills")] for one in told["workers"]]
    table(("worker", "pid", "cameras", "starts", "kills"), workers, none="no worker runs")


def canary_text(told: Json | None) -> str:
    """Return whether a camera recognised its last canary, and when it last did."""
    if told is None:
        return "none yet"
    if told["leaked"]:
        return f"answered at {show_told(told['leaked'])} where nothing may be compared"
    seen = f"recognised at {show_told(told['seen'])}" if told["seen"] else "never recognised"
    return f"{told['missed']} missed, {seen}" if told["missed"] else seen
