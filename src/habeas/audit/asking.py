"""The log's side of its witnesses: each is asked to cosign, and none is believed without a signature.

What a witness answers is bounded in time and bytes, and no redirect is followed. A cosignature counts once it verifies
under the key that the policy names. What is not signed (a size, a refusal) is the word of that witness alone: see
`doubted` for when the log stops to believe itself.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final, Self

import httpx

from habeas.audit.checkpoint import SignedCheckpoint
from habeas.audit.note import Note, Verified, VerifierKey, verify_note
from habeas.audit.policy import MAX_WITNESSES, WitnessPolicy
from habeas.audit.witnessing import MAX_ANSWER_BYTES, SIZE_CONTENT_TYPE, Request, parse_answer, parse_size
from habeas.errors import HabeasError, ProofError

PATH: Final = "/add-checkpoint"
_TRIES: Final = 3
_CONFLICT: Final = 409
_UNPROVEN: Final = 422
_OK: Final = 200
_MAX_REASON_CHARS: Final = 200

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
    """Asks the witnesses of a log. A context manager. One call at a time.

    Args:
        urls: by witness name: the prefix of its API.
        timeout_s: for all of what one witness is asked at a time. One that takes longer is not asked again meanwhile.
        transport: of HTTP; None: the network.
    """

    def __init__(self, urls: dict[str, str], timeout_s: float, transport: httpx.BaseTransport | None = None) -> None:
        self._urls = dict(urls)
        self._timeout_s = timeout_s
        self._client = httpx.Client(timeout=timeout_s, transport=transport, follow_redirects=False, trust_env=False)
        self._sizes: dict[tuple[str, str], int] = {}
        self._threads = ThreadPoolExecutor(MAX_WITNESSES, "witness")
        self._asked: dict[str, Future[Answer]] = {}

    def ask(self, signed: SignedCheckpoint, policy: WitnessPolicy, proof_of: ProofOf) -> tuple[Answer, ...]:
        """Ask every witness of a policy to cosign, all at once; takes as long as the slowest, within its time.

        Args:
            signed: the checkpoint, signed by the log.
            policy: whose witnesses.
            proof_of: of this log.
        """
        asked = [self._begin(signed, key, proof_of) for key in policy.witnesses]
        wait(asked, self._timeout_s)
        late = f"it did not answer within {self._timeout_s:g} s"
        return tuple(
            future.result() if future.done() else Answer(key.name, problem=late)
            for key, future in zip(policy.witnesses, asked, strict=True)
        )

    def _begin(self, signed: SignedCheckpoint, key: VerifierKey, proof_of: ProofOf) -> "Future[Answer]":
        before = self._asked.get(key.name)
        if before is not None and not before.done():
            return _answered(Answer(key.name, problem="it has not answered what it was asked before"))
        self._asked[key.name] = self._threads.submit(self._answer_of, signed, key, proof_of)
        return self._asked[key.name]

    def _answer_of(self, signed: SignedCheckpoint, key: VerifierKey, proof_of: ProofOf) -> Answer:
        url = self._urls.get(key.name)
        if url is None:
            return Answer(key.name, problem="no address is set for it")
        try:
            return self._exchange(signed, key, f"{url.rstrip('/')}{PATH}", proof_of)
        except httpx.TimeoutException:
            return Answer(key.name, problem=f"it did not answer within {self._timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return Answer(key.name, problem=f"it cannot be asked: {type(error).__name__}")
        except HabeasError as error:
            return Answer(key.name, problem=error.message)

    def _exchange(self, signed: SignedCheckpoint, key: VerifierKey, url: str, proof_of: ProofOf) -> Answer:
        checkpoint = signed.checkpoint
        place = (key.name, checkpoint.origin)
        for _try in range(_TRIES):
            old_size = self._sizes.get(place, 0)
            proof = proof_of(old_size, checkpoint.size) if old_size else ()
            status, kind, body = self._post(url, Request(old_size, proof, signed).encode())
            if status == _OK:
                self._sizes[place] = checkpoint.size
                return Answer(key.name, _cosignature(signed.note, key, body))
            if status != _CONFLICT or kind != SIZE_CONTENT_TYPE:
                return Answer(key.name, problem=_reason(status, body), against=status in {_CONFLICT, _UNPROVEN})
            known = parse_size(body)
            if known > checkpoint.size:
                problem = f"it says that it cosigned {known} entries, this log has {checkpoint.size}"
                return Answer(key.name, problem=problem, against=True)
            self._sizes[place] = known
        return Answer(key.name, problem="it says another size each time")

    def _post(self, url: str, data: bytes) -> tuple[int, str, bytes]:
        """Return status, content type and at most `MAX_ANSWER_BYTES` of the answer.

        Raises:
            ProofError: it is longer.
        """
        with self._client.stream("POST", url, content=data) as response:
            parts: list[bytes] = []
            for part in response.iter_raw(8192):
                parts.append(part)
                if sum(map(len, parts)) > MAX_ANSWER_BYTES:
                    raise ProofError("its answer is too long", remedy="ask its operator")
            kind = response.headers.get("content-type", "").partition(";")[0].strip()
            return response.status_code, kind, b"".join(parts)

    def close(self) -> None:
        """Close its connections; whoever is asked at this moment is given up."""
        self._client.close()
        self._threads.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Witnesses({sorted(self._urls)})"


def _answered(answer: Answer) -> "Future[Answer]":
    future: Future[Answer] = Future()
    future.set_result(answer)
    return future


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
