"""The log's side of its witnesses: each is asked to cosign, and none is believed without a signature.

What a witness answers is bounded in time and bytes, and no redirect is followed. A cosignature counts once it verifies
under the key that the policy names. What is not signed (a size, a refusal) is the word of that witness alone: see
`doubted` for when the log stops to believe itself.

All are asked at once, as tasks of one thread: a task can be given up wherever it waits. A thread cannot, and the
timeouts of HTTP clients are for each read: a witness that sends a byte a second never meets them.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Self

import httpx

from habeas.audit.checkpoint import SignedCheckpoint
from habeas.audit.note import Note, Verified, VerifierKey, verify_note
from habeas.audit.policy import WitnessPolicy
from habeas.audit.witnessing import MAX_ANSWER_BYTES, SIZE_CONTENT_TYPE, Request, parse_answer, parse_size
from habeas.errors import HabeasError, ProofError

PATH: Final = "/add-checkpoint"
_TRIES: Final = 3
_CONFLICT: Final = 409
_UNPROVEN: Final = 422
_OK: Final = 200
_MAX_REASON_CHARS: Final = 200
_REFUSALS: Final = frozenset({400, 403, 409, 413, 422})
"""How a witness answers what is no request (tlog-witness)."""
_FAREWELL_S: Final = 1.0
"""For the tasks that were given up to close their connections."""

ProofOf = Callable[[int, int], tuple[bytes, ...]]
"""(old size, size) -> the consistency proof between them, from the log's own tiles."""


@dataclass(frozen=True)
class Answer:
    """What came of asking one witness.

    Args:
        witness: its name.
        cosigned: its signature, verified; None: it did not sign.
        problem: why not, one line; empty: it did.
        against: it says that it cosigned another history, or a longer one, of this log.
    """

    witness: str
    cosigned: Verified | None = None
    problem: str = ""
    against: bool = False


class Witnesses:
    """Asks the witnesses of a log. A context manager. One call at a time; `close` may come from another thread.

    Args:
        urls: by witness name: the prefix of its API.
        timeout_s: for all of what one witness is asked at a time.
        transport: of HTTP; None: the network.
    """

    def __init__(
        self, urls: dict[str, str], timeout_s: float, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._urls = dict(urls)
        self._timeout_s = timeout_s
        self._transport = transport
        self._tls = httpx.create_ssl_context(trust_env=False)
        self._sizes: dict[tuple[str, str], int] = {}
        self._turn = threading.Lock()
        self._closed = False
        self._give_up: Callable[[], object] = _nobody

    def ask(self, signed: SignedCheckpoint, policy: WitnessPolicy, proof_of: ProofOf) -> tuple[Answer, ...]:
        """Ask every witness of a policy to cosign, all at once; takes as long as the slowest, within its time.

        Args:
            signed: the checkpoint, signed by the log.
            policy: whose witnesses.
            proof_of: of this log.
        """
        if not policy.witnesses:
            return ()
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(self._ask_all(signed, policy, proof_of))
        finally:
            with self._turn:
                self._give_up = _nobody
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()  # waits for no name server

    async def _ask_all(self, signed: SignedCheckpoint, policy: WitnessPolicy, proof_of: ProofOf) -> tuple[Answer, ...]:
        async with self._client() as client:
            asked = [asyncio.create_task(self._exchange(client, signed, key, proof_of)) for key in policy.witnesses]
            with self._turn:
                self._give_up = partial(asyncio.get_running_loop().call_soon_threadsafe, _cancel, asked)
                if self._closed:
                    _cancel(asked)
            await asyncio.wait(asked, timeout=self._timeout_s)
            _cancel(asked)
            await asyncio.wait(asked, timeout=_FAREWELL_S)
        return tuple(self._come_of(key, task) for key, task in zip(policy.witnesses, asked, strict=True))

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            # A third for each of connecting and TLS: a handshake that is cancelled would leave its socket open.
            timeout=httpx.Timeout(self._timeout_s, connect=self._timeout_s / 3),
            transport=self._transport,
            verify=self._tls,
            limits=httpx.Limits(max_connections=None),  # a policy has few witnesses, and none waits for another
            headers={"accept-encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )

    def _come_of(self, key: VerifierKey, task: "asyncio.Task[Answer]") -> Answer:
        """Return what came of asking a witness: whatever went wrong is its problem alone."""
        late = Answer(key.name, problem=f"it did not answer within {self._timeout_s:g} s")
        if not task.done() or task.cancelled():
            return Answer(key.name, problem="it was given up: this program stops") if self._closed else late
        error = task.exception()
        if error is None:
            return task.result()
        if isinstance(error, httpx.TimeoutException):
            return late
        said = error.message if isinstance(error, HabeasError) else f"it cannot be asked: {type(error).__name__}"
        return Answer(key.name, problem=said)

    async def _exchange(
        self, client: httpx.AsyncClient, signed: SignedCheckpoint, key: VerifierKey, proof_of: ProofOf
    ) -> Answer:
        checkpoint = signed.checkpoint
        place = (key.name, checkpoint.origin)
        if key.name not in self._urls:
            return Answer(key.name, problem="no address is set for it")
        url = f"{self._urls[key.name].rstrip('/')}{PATH}"
        for _try in range(_TRIES):
            old_size = min(self._sizes.get(place, 0), checkpoint.size)
            proof = proof_of(old_size, checkpoint.size) if old_size else ()
            status, kind, body = await _post(client, url, Request(old_size, proof, signed).encode())
            if status == _OK:
                cosigned = _cosignature(signed.note, key, body)
                self._sizes[place] = checkpoint.size
                return Answer(key.name, cosigned)
            if status != _CONFLICT or kind != SIZE_CONTENT_TYPE:
                return Answer(key.name, problem=_reason(status, body), against=status in {_CONFLICT, _UNPROVEN})
            known = parse_size(body)
            if known > checkpoint.size:
                problem = f"it says that it cosigned {known} entries, this log has {checkpoint.size}"
                return Answer(key.name, problem=problem, against=True)
            if known == old_size == checkpoint.size:  # how some say that the roots differ
                return Answer(
                    key.name, problem=f"it says that it cosigned another tree of {known} entries", against=True
                )
            self._sizes[place] = known
        return Answer(key.name, problem="it names a size and refuses it")

    def close(self) -> None:
        """Give up whoever is asked at this moment, and ask nobody any more."""
        with self._turn:
            self._closed = True
            self._give_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Witnesses({sorted(self._urls)})"


def problem_at(url: str, timeout_s: float, transport: httpx.AsyncBaseTransport | None = None) -> str:
    """Say why no witness answers at an address; empty: one does. It is asked nothing, so that nothing is cosigned.

    Args:
        url: the prefix of its API.
        timeout_s: for all of it.
        transport: of HTTP; None: the network.
    """

    async def ask() -> int:
        async with (
            asyncio.timeout(timeout_s),
            httpx.AsyncClient(timeout=timeout_s, transport=transport, trust_env=False) as client,
        ):
            return (await _post(client, f"{url.rstrip('/')}{PATH}", b""))[0]

    try:
        status = asyncio.run(ask())
    except (TimeoutError, httpx.TimeoutException):
        return f"it does not answer within {timeout_s:g} s"
    except (httpx.HTTPError, httpx.InvalidURL, HabeasError) as error:
        return f"it does not answer: {type(error).__name__}"
    return "" if status in _REFUSALS else f"no witness answers there: status {status}"


def _nobody() -> None:
    """Nobody is asked."""


def _cancel(asked: Iterable["asyncio.Task[Answer]"]) -> None:
    for one in asked:
        one.cancel()


async def _post(client: httpx.AsyncClient, url: str, data: bytes) -> tuple[int, str, bytes]:
    """Return status, content type and at most `MAX_ANSWER_BYTES` of the answer.

    Raises:
        ProofError: it is longer.
    """
    body = bytearray()
    async with client.stream("POST", url, content=data) as response:
        async for part in response.aiter_raw():
            body += part
            if len(body) > MAX_ANSWER_BYTES:
                raise ProofError("its answer is too long", remedy="ask its operator")
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return response.status_code, kind, bytes(body)


def _cosignature(note: Note, key: VerifierKey, body: bytes) -> Verified:
    """Return the witness's signature among the lines of its answer.

    Raises:
        FormatError: these are no lines.
        ProofError: it does not hold, or is another key's.
    """
    lines = [one for one in parse_answer(body) if (one.name, one.key_id) == (key.name, key.key_id)]
    if not lines:
        raise ProofError("it answered without a signature of its key", remedy="compare the key with its operator")
    return verify_note(Note(note.text, tuple(lines)), [key])[0]


def _reason(status: int, body: bytes) -> str:
    said = body[:_MAX_REASON_CHARS].decode("ascii", "replace").partition("\n")[0]
    plain = "".join(char for char in said if char.isprintable())
    return f"it answered {status}: {plain}".rstrip(": ")


def cosigned(note: Note, answers: Sequence[Answer]) -> Note:
    """Return a signed checkpoint with the cosignatures that came."""
    return Note(note.text, (*note.signatures, *(one.cosigned.signature for one in answers if one.cosigned)))


def has_quorum(answers: Sequence[Answer], policy: WitnessPolicy) -> bool:
    """Tell whether enough witnesses signed. Without witnesses there is no quorum to have."""
    return bool(policy.quorum) and sum(one.cosigned is not None for one in answers) >= policy.quorum


def doubted(answers: Sequence[Answer], policy: WitnessPolicy) -> str:
    """Say why the log must not go on; empty: it may.

    One witness that speaks against the log does not stop it while a quorum signs: it may be the one that lies. Where
    no quorum signs and one speaks against it, this machine may be a copy or an older state of the one that the
    witnesses know.
    """
    against = [f"{one.witness}: {one.problem}" for one in answers if one.against]
    return "; ".join(against) if against and not has_quorum(answers, policy) else ""


def median_time_s(answers: Sequence[Answer]) -> int | None:
    """Return the median of the witnesses' times, seconds since 1970 UTC, the lower of two; None: nobody signed."""
    times = sorted(one.cosigned.time_s for one in answers if one.cosigned and one.cosigned.time_s is not None)
    return times[(len(times) - 1) // 2] if times else None
