"""Asking witnesses over real sockets: whatever one does costs its own cosignature, a bounded time, and nothing else."""

import gzip
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests import badwitnesses as bad
from tests.badwitnesses import Behave, Server, http
from tests.histories import FORK, TRUE
from tests.unit.audit.logs import Files, naive_files
from tests.unit.audit.signers import LOG, WITNESSES

from habeas.audit.asking import Answer, Witnesses, cosigned, doubted, has_quorum, median_time_s, problem_at
from habeas.audit.checkpoint import SignedCheckpoint
from habeas.audit.merkle import MAX_SIZE, consistency_proof
from habeas.audit.note import Algorithm, VerifierKey, verify_note
from habeas.audit.policy import MAX_WITNESSES, WitnessPolicy
from habeas.audit.tiles import tile_reader
from habeas.audit.witness import Witness
from habeas.audit.witnessing import MAX_ANSWER_BYTES, encode_answer, parse_request
from habeas.clock import ManualClock

SIZE = 20
LIAR = WITNESSES[0]
TEXT = parse_request(TRUE.request(0, SIZE)).signed.note.text
BOUND_S = 10.0
"""Far from the timeout, and far from the twenty seconds that a bad witness would take."""
_READ = tile_reader(len(TRUE.leaves), Files(naive_files(TRUE.leaves)))


def proof_of(old: int, size: int) -> tuple[bytes, ...]:
    return consistency_proof(_READ, old, size)


def checkpoint(size: int = SIZE) -> SignedCheckpoint:
    return parse_request(TRUE.request(0, size)).signed


@dataclass
class Two:
    """Two honest witnesses, who answer over HTTP, and room for a third that does not."""

    witnesses: list[Witness]
    servers: list[Server]

    def policy(self, *more: VerifierKey) -> WitnessPolicy:
        return WitnessPolicy((self.witnesses[0].key, *more, self.witnesses[1].key), 2)

    def asking(self, timeout_s: float, **urls: str) -> Witnesses:
        honest = {one.name: server.url for one, server in zip(self.witnesses, self.servers, strict=True)}
        return Witnesses({**honest, **urls}, timeout_s)


@pytest.fixture
def two(tmp_path: Path, clock: ManualClock) -> Iterator[Two]:
    witnesses = [Witness.found(tmp_path / name, name, clock) for name in ("w0.example", "w1.example")]
    for witness in witnesses:
        witness.add_log(LOG.verifier)
    with ExitStack() as stack:
        yield Two(witnesses, [stack.enter_context(Server(bad.honest(one))) for one in witnesses])


def lines(*texts: str, key: int = 0) -> bytes:
    return encode_answer([WITNESSES[key].sign(text) for text in texts])


TIMEOUT_S = 2.0
LATE = "it did not answer within 2 s"
LONG = r"its answer is too long"
NO_SIZE = r"the size in the answer"
OK_HEAD = b"HTTP/1.1 200 OK\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

CASES: dict[str, tuple[Behave, str]] = {
    "hangs": (bad.hangs, LATE),
    "drips its head": (bad.drips(OK_HEAD, b"x"), LATE),
    "drips lines of its head": (bad.drips(OK_HEAD, b"x: y\r\n"), LATE),
    "drips its body": (bad.drips(OK_HEAD + b"content-length: 900000\r\n\r\n", b"x"), LATE),
    "drips without an end": (bad.drips(OK_HEAD + b"\r\n", b"x"), LATE),
    "drips chunks": (bad.drips(OK_HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), LATE),
    "goes on and on before it answers": (bad.drips(b"", CONTINUE), LATE),
    "drips a 409": (bad.drips(b"HTTP/1.1 409 X\r\n\r\n", b"1"), LATE),
    "says a larger size": (bad.size(b"1000000000\n"), "it says that it cosigned 1000000000 entries, this log has 20"),
    "says the largest size": (bad.size(b"%d\n" % MAX_SIZE), f"it says that it cosigned {MAX_SIZE} entries"),
    "says a smaller size": (bad.size(b"3\n"), "it names a size and refuses it"),
    "says no size yet": (bad.size(b"0\n"), "it names a size and refuses it"),
    "says this size": (bad.size(b"20\n"), "it says that it cosigned another tree of 20 entries"),
    "says another size each time": (bad.another_size_each_time(), "it names a size and refuses it"),
    "2^64": (bad.size(b"%d\n" % (MAX_SIZE + 1)), NO_SIZE),
    "a size with a sign": (bad.size(b"-1\n"), NO_SIZE),
    "a size with zeros": (bad.size(b"007\n"), NO_SIZE),
    "a size without an end": (bad.size(b"7"), NO_SIZE),
    "no size": (bad.size(b""), NO_SIZE),
    "a size in other digits": (bad.size("٣\n".encode()), NO_SIZE),
    "a size that is a lecture": (bad.size(b"9" * 5000 + b"\n"), "the answer has 5001 bytes"),
    "a size with a space": (bad.size(b"7 \n"), NO_SIZE),
    "a 409 that is no size": (bad.says(http(409, b"7\n")), "it answered 409: 7"),
    "a 409 that is JSON": (bad.says(http(409, b'{"size": 7}', "application/json")), "it answered 409: {"),
    "422": (bad.says(http(422, b"no")), "it answered 422: no"),
    "404": (bad.says(http(404, b"unknown")), "it answered 404: unknown"),
    "500 with control characters": (bad.says(http(500, b"a\x1b[2J\x07b\nc")), r"it answered 500: a\[2Jb$"),
    "503 without a word": (bad.says(http(503, b"")), "it answered 503$"),
    "10 MB": (bad.says(http(200, b"x" * 10_000_000)), LONG),
    "10 MB of refusal": (bad.says(http(403, b"x" * 10_000_000)), LONG),
    "without end": (bad.floods(OK_HEAD + b"\r\n", 200_000_000), LONG),
    "a head without end": (bad.floods(OK_HEAD + b"x: ", 200_000_000), "it cannot be asked: RemoteProtocolError"),
    "bytes that swell": (
        bad.says(http(200, gzip.compress(b"x" * 10_000_000), "text/plain", "content-encoding: gzip")),
        "the answer is not UTF-8|the answer has",
    ),
    "another's key": (bad.says(http(200, lines(TEXT, key=1))), "without a signature of its key"),
    "another tree": (
        bad.says(http(200, lines(parse_request(FORK.request(0)).signed.note.text))),
        "the witness did not sign this",
    ),
    "a signature without time": (
        bad.says(http(200, f"— {LIAR.name} {'AAAA'}\n".encode())),
        "too short|no base64",
    ),
    "10,000 lines": (bad.says(http(200, lines(*[TEXT] * 5000))), "5000 signature lines"),
    "10,000 short lines": (bad.says(http(200, "— a AAAAAAA=\n".encode() * 10_000)), "10000 signature lines"),
    "two lines of its key": (bad.says(http(200, lines(TEXT, TEXT))), "two signature lines of the key"),
    "nothing": (bad.says(http(200, b"")), "does not end"),
    "invalid UTF-8": (bad.says(http(200, b"\xff\xfe")), "the answer is not UTF-8"),
    "control characters": (bad.says(http(200, b"\0\n")), "control characters"),
    "a web page": (bad.says(http(200, b"<html>hello</html>\n", "text/html")), "is no signature line"),
    "closes at once": (bad.says(b""), "it cannot be asked: RemoteProtocolError"),
    "closes within its head": (bad.says(b"HTTP/1.1 200"), "it cannot be asked: RemoteProtocolError"),
    "closes within its body": (bad.says(OK_HEAD + b"content-length: 99\r\n\r\nx"), "it cannot be asked: Remote"),
    "resets": (bad.resets, "it cannot be asked: (ReadError|RemoteProtocolError|WriteError)"),
    "speaks something else": (bad.says(b"220 mail.example ESMTP\r\n"), "it cannot be asked: RemoteProtocolError"),
    "two lengths": (bad.says(OK_HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\nx"), "it cannot be asked"),
    "a length below zero": (bad.says(OK_HEAD + b"content-length: -1\r\n\r\nx"), "it cannot be asked"),
    "chunks that are none": (bad.says(OK_HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n"), "it cannot be asked"),
    "no status": (bad.says(b"HTTP/1.1 xyz\r\n\r\n"), "it cannot be asked"),
    "204": (bad.says(b"HTTP/1.1 204 X\r\n\r\n"), "it answered 204"),
    "101": (
        bad.says(b"HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
        "it answered 101|cannot be asked",
    ),
}


def assert_only_its_own(two: Two, asking: Witnesses, problem: str) -> Answer:
    """Ask all three: two sign, and the third has this problem. Returns its answer."""
    policy = two.policy(LIAR.verifier)
    began = time.monotonic()
    first, liar, last = asking.ask(checkpoint(), policy, proof_of)
    assert time.monotonic() - began < BOUND_S
    assert liar.witness == LIAR.name
    assert liar.cosigned is None
    assert re.search(problem, liar.problem), liar.problem
    assert liar.problem.isprintable()
    assert len(liar.problem) < 300
    assert (first.problem, last.problem) == ("", "")
    assert has_quorum((first, liar, last), policy)
    assert doubted((first, liar, last), policy) == ""
    note = cosigned(checkpoint().note, (first, liar, last))
    assert len(verify_note(note, [LOG.verifier, *(one.key for one in two.witnesses)])) == 3
    return liar


@pytest.mark.parametrize("case", CASES)
def test_a_bad_witness_costs_nothing_but_its_own_cosignature(two: Two, case: str) -> None:
    behave, problem = CASES[case]
    with Server(behave) as server, two.asking(TIMEOUT_S, **{LIAR.name: server.url}) as asking:
        liar = assert_only_its_own(two, asking, problem)
        against = case.startswith(("says a larger", "says the largest", "says this", "a 409", "422"))
        assert liar.against is against
        assert server.asked <= 3
        assert server.sent < 60 * MAX_ANSWER_BYTES


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(two: Two, status: int) -> None:
    with Server(bad.hangs) as canary:
        redirect = bad.says(http(status, b"", "text/plain", f"location: {canary.url}/add-checkpoint"))
        with Server(redirect) as server, two.asking(5.0, **{LIAR.name: server.url}) as asking:
            assert_only_its_own(two, asking, f"it answered {status}$")
        assert canary.asked == 0


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x00\x05hello", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 5000, b""]
)
def test_what_is_no_tls(two: Two, garbage: bytes) -> None:
    with Server(bad.says(garbage)) as server:
        url = server.url.replace("http:", "https:")
        with two.asking(5.0, **{LIAR.name: url}) as asking:
            assert_only_its_own(two, asking, "it cannot be asked: (ConnectError|ReadError)")


def test_tls_that_hangs(two: Two) -> None:
    with Server(bad.hangs) as server, ExitStack() as stack:
        url = server.url.replace("http:", "https:")
        assert_only_its_own(two, stack.enter_context(two.asking(TIMEOUT_S, **{LIAR.name: url})), LATE)


def test_one_that_accepts_nobody(two: Two) -> None:
    with bad.unanswered() as url, two.asking(TIMEOUT_S, **{LIAR.name: url}) as asking:
        assert_only_its_own(two, asking, LATE)


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "http://[::1", "http://127.0.0.1:99999",
     "http://127.0.0.1:x", "http://127.0.0.1:1", "http://a b/", "http://\udcff/", "http://x\0y/",
     f"http://{'a' * 300}/",
     f"http://127.0.0.1:1/{'a' * 100_000}", "http://127.0.0.1:1/\n", "https://127.0.0.1:1"],
)  # fmt: skip
def test_an_address_that_is_none(two: Two, url: str) -> None:
    with two.asking(2.0, **{LIAR.name: url}) as asking:
        assert_only_its_own(two, asking, "it cannot be asked: |did not answer")


def test_a_witness_without_an_address(two: Two) -> None:
    with two.asking(2.0) as asking:
        assert_only_its_own(two, asking, "no address is set for it")


def test_a_proof_that_cannot_be_made_is_a_problem_and_no_crash(two: Two) -> None:
    def broken(_old: int, _size: int) -> tuple[bytes, ...]:
        raise ZeroDivisionError

    with two.asking(2.0) as asking:
        policy = two.policy()
        assert has_quorum(asking.ask(checkpoint(8), policy, broken), policy), "from nothing it takes none"
        assert [one.problem for one in asking.ask(checkpoint(9), policy, broken)] == [
            "it cannot be asked: ZeroDivisionError"
        ] * 2


# --- the honest -------------------------------------------------------------------------------------------------------


def test_a_log_is_cosigned_from_checkpoint_to_checkpoint(two: Two, clock: ManualClock) -> None:
    policy = two.policy()
    with two.asking(5.0) as asking:
        for size in (0, 1, 7, 7, 20, 40):
            clock.advance(30_000_000_000)
            answers = asking.ask(checkpoint(size), policy, proof_of)
            assert has_quorum(answers, policy)
            assert median_time_s(answers) == clock.now_ns() // 1_000_000_000
    assert [server.asked for server in two.servers] == [6, 6]
    with two.asking(5.0) as asking:
        assert has_quorum(asking.ask(checkpoint(40), policy, proof_of), policy)
    assert [server.asked for server in two.servers] == [8, 8], "after a start it asks for the size first"


def test_nobody_is_asked_where_nobody_is_named() -> None:
    with Witnesses({}, 5.0) as asking:
        assert asking.ask(checkpoint(), WitnessPolicy(), proof_of) == ()


def test_witnesses_that_know_more_are_against_it(two: Two) -> None:
    policy = two.policy()
    with two.asking(5.0) as asking:
        asking.ask(checkpoint(40), policy, proof_of)
        answers = asking.ask(checkpoint(20), policy, proof_of)
        assert all(answer.against for answer in answers)
        assert "w0.example: it says that it cosigned 40 entries, this log has 20" in doubted(answers, policy)
        assert has_quorum(asking.ask(checkpoint(40), policy, proof_of), policy), "and the true one goes on"


def test_a_bad_witness_that_is_mended_counts_again(two: Two, tmp_path: Path, clock: ManualClock) -> None:
    mended = Witness.found(tmp_path / "third", "third.example", clock)
    mended.add_log(LOG.verifier)
    behaves: list[Behave] = [bad.drips(OK_HEAD, b"x")]

    def behave(server: Server, connection: socket.socket, body: bytes) -> None:
        behaves[-1](server, connection, body)

    policy = two.policy(mended.key)
    with (
        Server(behave) as server,
        two.asking(TIMEOUT_S, **{mended.name: server.url}) as asking,
    ):
        assert asking.ask(checkpoint(), policy, proof_of)[1].problem == LATE
        behaves.append(bad.honest(mended))
        assert asking.ask(checkpoint(), policy, proof_of)[1].problem == ""


# --- bounds -----------------------------------------------------------------------------------------------------------


def many(count: int) -> WitnessPolicy:
    keys = [VerifierKey(f"w{n}.example", Algorithm.COSIGNATURE, bytes([n]) * 32) for n in range(1, count + 1)]
    return WitnessPolicy(tuple(keys), 1)


@pytest.mark.parametrize("behave", [bad.hangs, bad.drips(OK_HEAD, b"x")])
def test_all_of_them_hang(behave: Behave) -> None:
    policy = many(MAX_WITNESSES)
    with Server(behave) as server:
        with Witnesses({key.name: server.url for key in policy.witnesses}, TIMEOUT_S) as asking:
            began = time.monotonic()
            answers = asking.ask(checkpoint(), policy, proof_of)
            assert time.monotonic() - began < BOUND_S
            assert [answer.problem for answer in answers] == [LATE] * MAX_WITNESSES
            began = time.monotonic()
        assert time.monotonic() - began < BOUND_S


def within_bound(step: Callable[[], object]) -> None:
    thread = threading.Thread(target=step, daemon=True)
    thread.start()
    thread.join(BOUND_S)
    assert not thread.is_alive()


@pytest.mark.parametrize("behave", [bad.hangs, bad.drips(OK_HEAD, b"x"), bad.drips(b"", CONTINUE)])
def test_closing_gives_up_whoever_is_asked(behave: Behave) -> None:
    policy = many(3)
    with Server(behave) as server:
        asking = Witnesses({key.name: server.url for key in policy.witnesses}, 15.0)
        came: list[tuple[Answer, ...]] = []
        thread = threading.Thread(target=lambda: came.append(asking.ask(checkpoint(), policy, proof_of)))
        thread.start()
        while server.asked < 3:
            threading.Event().wait(0.01)
        within_bound(asking.close)
        thread.join(BOUND_S)
        assert [answer.problem for answer in came[0]] == ["it was given up: this program stops"] * 3


def test_after_closing_nobody_is_asked(two: Two) -> None:
    policy = two.policy()
    asking = two.asking(5.0)
    asking.close()
    asking.close()
    assert [one.problem for one in asking.ask(checkpoint(), policy, proof_of)] == [
        "it was given up: this program stops"
    ] * 2
    assert [one.size for witness in two.witnesses for one in witness.logs()] == [0, 0]


def test_what_is_shown_of_it_names_no_address() -> None:
    assert repr(Witnesses({"w": "http://user:secret@host"}, 1.0)) == "Witnesses(['w'])"


def test_whether_a_witness_answers_is_found_out_without_asking_it_to_sign(two: Two) -> None:
    assert problem_at(two.servers[0].url, BOUND_S) == ""
    assert two.witnesses[0].logs()[0].size == 0
    for answer in (http(404, b""), http(200, b""), http(503, b"")):
        with Server(bad.says(answer)) as other:
            assert problem_at(other.url, BOUND_S).startswith("no witness answers there: status")
    with Server(bad.resets) as dead:
        assert problem_at(dead.url, BOUND_S).startswith("it does not answer: ")
    for behave in (bad.hangs, bad.drips(b"HTTP/1.1 400 x\r\n", b"x")):
        with Server(behave) as slow:
            assert problem_at(slow.url, 0.3) == "it does not answer within 0.3 s"
    assert problem_at("nonsense", BOUND_S).startswith("it does not answer: ")
