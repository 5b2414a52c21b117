"""Real witnesses that answer without a network, and ones that hang, lie or are down."""

from collections.abc import Callable
from pathlib import Path

import httpx

from habeas.audit.witness import Told, Witness
from habeas.audit.witnessing import SIZE_CONTENT_TYPE
from habeas.ports import Clock

Answering = Callable[[bytes], httpx.Response]


def as_response(told: Told) -> httpx.Response:
    """What the witness program sends."""
    kind = SIZE_CONTENT_TYPE if told.is_size else "text/plain"
    return httpx.Response(told.status, stream=httpx.ByteStream(told.body), headers={"content-type": kind})


def honest(witness: Witness) -> Answering:
    """Let a real witness answer."""
    return lambda body: as_response(witness.answer(body))


def down(_body: bytes) -> httpx.Response:
    """Refuse the connection."""
    raise httpx.ConnectError("planted")


class Transport(httpx.AsyncBaseTransport):
    """HTTP that leads to witnesses by host name, and nowhere else. `answering` may be changed while it runs."""

    def __init__(self, answering: dict[str, Answering]) -> None:
        self.answering = answering
        self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        assert request.url.path == "/add-checkpoint"
        return self.answering[request.url.host](await request.aread())


def three(folder: Path, clock: Clock) -> list[Witness]:
    """Found three witnesses: w0, w1, w2."""
    return [Witness.found(folder / f"w{number}", f"w{number}.example", clock) for number in range(3)]
