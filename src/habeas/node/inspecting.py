"""What is told of a camera that was inspected: its stream, whether faces can be large enough, what looking costs."""

from typing import Final

from habeas.engine.inspection import StreamReport
from habeas.node.reach import BASIS, reach_of
from habeas.settings import DetectSettings

INSPECT_S: Final = 15.0
"""A camera that answers slowly takes some seconds until its first keyframe."""


def camera_facts(report: StreamReport, detect: DetectSettings) -> dict[str, object]:
    """Return what an inspection found, JSON values.

    Args:
        report: of the inspection.
        detect: how faces are looked for on this camera.

    Returns:
        `flows` (packets came), `size` (`1920x1080`, or None), `rate_hz`, `codec`, `packets`, `seconds`, `flaw`; where
        the size is known `large_enough`, `faces` (a sentence), `idle_cores`, `busy_cores` and `basis` of these;
        `remedy`, empty where all is well.
    """
    flows = report.packets > 0
    told: dict[str, object] = {
        "flows": flows,
        "size": "x".join(map(str, report.size_wh)) if all(report.size_wh) else None,
        "rate_hz": report.rate_hz,
        "codec": report.codec,
        "packets": report.packets,
        "seconds": report.seconds,
        "flaw": report.flaw,
    }
    if not all(report.size_wh):
        return {**told, "remedy": _remedy(report.flaw)}
    reach = reach_of(report.size_wh, report.rate_hz, detect)
    return {
        **told,
        "large_enough": reach.enough,
        "faces": reach.as_text(),
        "idle_cores": round(reach.idle_cores, 2),
        "busy_cores": round(reach.busy_cores, 2),
        "basis": BASIS,
        "remedy": reach.remedy() if flows else _remedy(report.flaw),
    }


def _remedy(flaw: str) -> str:
    """Return what to do about a camera that gives nothing."""
    if "certificate" in flaw:
        return "give the camera a certificate for its host name that this machine trusts"
    if "Unauthorized" in flaw or "401" in flaw:
        return "add the camera again with the right user and password"
    if "connect" in flaw:
        return "see that the camera is on, its address and port are right, and a firewall lets this machine through"
    return "see that the camera streams H.264 or H.265 at this address, in a player"
