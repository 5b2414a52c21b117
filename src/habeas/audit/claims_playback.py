"""Claims on playing the footage around alerts: who did, while what, and that nothing of a suspension was in it."""

from typing import Final

from habeas.audit.claims_alerts import suspends
from habeas.audit.history import FIRST, IMPOSED, History, Said
from habeas.clock import ns_of_utc
from habeas.errors import InputError

_OVER: Final = ("alert.decided", "alert.destroyed")


def shown(history: History) -> int:
    """8.22 What was played of an alert was played by an operator of its zone, while undecided, of no suspension."""
    played = history.all("alert.played")
    for said in played:
        alert = said.text("alert")
        if not history.held(said.actor, "operator", said):
            raise said.broken("whoever played it was no operator")
        if any(one.seq < said.seq for one in history.about(alert, *_OVER)):
            raise said.broken("the alert was decided, or over")
        made = [one for one in history.about(alert, "alert.playback-made") if one.seq < said.seq]
        if not made or any(made[-1].seq < one.seq < said.seq for one in history.about(alert, "alert.playback-ended")):
            raise said.broken("no film of it was made, or it had ended")
        raised = [one for one in history.about(alert, "alert.raised") if one.seq < made[-1].seq]
        if raised and not raised[-1].sealed:
            _check_zone(history, raised[-1], said)
            _check_free(history, raised[-1], made[-1], said)
    return len(played)


def _check_zone(history: History, raised: Said, played: Said) -> None:
    """Check that the alert's camera was in a zone of whoever played it.

    Raises:
        ProofError: it was not.
    """
    added = [one for one in history.about(raised.text("camera"), "camera.added") if one.seq < raised.seq]
    grants = [one for one in history.granted(played.actor, played.seq) if one.text("role") == "operator"]
    usable = [(one.at_ns if one.kind == FIRST else one.time_ns("usable_from"), one.seq, one) for one in grants]
    _from_ns, _seq, last = max(one for one in usable if one[0] <= played.at_ns)
    zones = last.items("zones")
    if added and zones and added[-1].text("zone") not in zones:
        raise played.broken("whoever played it was no operator of its zone")


def _check_free(history: History, raised: Said, made: Said, played: Said) -> None:
    """Check that nothing that was played is of a suspension, as far as it may be known still.

    Raises:
        ProofError: it is.
    """
    if made.sealed:
        return
    earlier = [one for one in history.all(*IMPOSED) if one.seq < played.seq]
    for from_ns, until_ns in _parts(made):
        for one in earlier:
            at_ns = max(from_ns, one.time_ns("from"))
            if at_ns < until_ns and suspends(history, one, raised, at_ns, lifts=True):
                raise played.broken("it was captured in a suspension")


def _parts(made: Said) -> list[tuple[int, int]]:
    """Return the intervals of a film.

    Raises:
        ProofError: they are none.
    """
    try:
        return [(ns_of_utc(str(from_text)), ns_of_utc(str(until))) for from_text, until in made.items("parts")]
    except (InputError, TypeError, ValueError):
        raise made.broken("it does not say of when it is") from None
