"""Routes of evidence: video files that requesters hand in. What is in them comes out of no route."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Annotated, Any, Final

from anyio import fail_after, from_thread
from fastapi import APIRouter, Query, Request

from habeas.authority import evidence
from habeas.errors import InputError
from habeas.node.evidence import Arrival
from habeas.web.bodies import Moment
from habeas.web.calls import Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)
_A_FILE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@routes.post("/evidence", openapi_extra=_A_FILE)
def upload(
    call: Caller,
    request: Request,
    from_ns: Annotated[Moment, Query()],
    note: Annotated[str, Query(max_length=evidence.MAX_NOTE)],
) -> dict[str, object]:
    """Hand in a video file, the body: taken in as it comes, encrypted, and read in a sealed worker."""
    with call.look() as (tx, actor):  # before a byte is taken
        call.node.time.require_trust()
        kept_ns = evidence.check_stated(tx, actor, from_ns, note)
    with ExitStack() as coming:
        with call.noting("refused", actor.account_id):
            arrival = coming.enter_context(call.node.footage.evidence.arrival(from_ns, note, kept_ns, actor.accounts))
        for piece in _pieces(request, arrival):
            arrival.write(piece)
        given = arrival.finish()
        with call.command(trusted=True) as (tx, actor):
            row = evidence.add(tx, call.node.keys, actor, given)
            tx.after_commit(arrival.keep)
            return {**evidence.summary(row), "note": given.note.strip()}


def _pieces(request: Request, arrival: Arrival) -> Iterator[bytes]:
    """Yield a body as it comes; this thread waits for it, and not for long.

    Raises:
        InputError: nothing came for too long.
    """
    stream = request.stream()

    async def piece() -> bytes:
        with fail_after(arrival.wait_s()):
            return await anext(stream)

    while True:
        try:
            yield from_thread.run(piece)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise InputError(
                "nothing came for too long", remedy="copy it to this machine first, then hand it in"
            ) from None


@routes.get("/evidence")
def list_evidence(call: Caller, everything: bool = False) -> list[dict[str, object]]:
    """List evidence that is kept, or all; where it comes from, to whoever handed it in."""
    with call.look() as (tx, actor):
        return evidence.listed(tx, call.node.keys, actor, everything=everything)


@routes.post("/evidence/{evidence_id}/discard")
def discard(call: Caller, evidence_id: str) -> dict[str, object]:
    """Destroy one's own evidence, that no authorisation names."""
    with call.command() as (tx, actor):
        return evidence.summary(evidence.discard(tx, call.node.keys, actor, evidence_id))
