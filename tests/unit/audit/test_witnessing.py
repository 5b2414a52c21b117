import base64
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.audit.logs import Files, entries, naive_files
from tests.unit.audit.signers import LOG, OTHER_LOG, THIEF, WITNESSES, Log, Witness, head, signed

from habeas.audit.checkpoint import Checkpoint
from habeas.audit.merkle import EMPTY_ROOT, MAX_SIZE, consistency_proof, leaf_hash, root
from habeas.audit.note import Note
from habeas.audit.tiles import tile_reader
from habeas.audit.witnessing import (
    MAX_PROOF_LINES,
    MAX_REQUEST_BYTES,
    Conflict,
    Cosign,
    KnownLog,
    Refuse,
    Request,
    decide,
    encode_answer,
    encode_size,
    parse_answer,
    parse_request,
    parse_size,
)
from habeas.errors import FormatError, InputError

HASHES = [leaf_hash(entry) for entry in entries(300)]
READ = tile_reader(300, Files(naive_files(entries(300))))
ROOT = base64.b64encode(EMPTY_ROOT).decode()
CHECKPOINT = signed(head(HASHES[:5]), LOG).note.encode().decode()


def known(size: int) -> KnownLog:
    return KnownLog((LOG.verifier,), size, root(HASHES[:size]))


def request(old: int, size: int, *signers: Log | Witness, proof: Sequence[bytes] | None = None) -> Request:
    if proof is None:
        proof = consistency_proof(READ, old, size) if old <= size else ()
    return Request(old, tuple(proof), signed(head(HASHES[:size]), *(signers or (LOG,))))


@given(st.integers(0, 300), st.integers(0, 300))
def test_requests_are_parsed_as_they_were_written(old: int, size: int) -> None:
    asked = request(old, size)
    assert parse_request(asked.encode()) == asked


def test_the_form_of_a_request() -> None:
    lines = request(4, 5).encode().decode().split("\n")
    assert lines[0] == "old 4"
    assert lines[1] == base64.b64encode(HASHES[4]).decode()
    assert "\n".join(lines[2:]) == "\n" + CHECKPOINT
    assert request(0, 5).encode().decode() == "old 0\n\n" + CHECKPOINT


@given(st.integers(0, 300), st.integers(0, 300))
@settings(max_examples=60)
def test_a_log_that_grew_is_cosigned(one: int, other: int) -> None:
    old, size = min(one, other), max(one, other)
    assert decide(request(old, size), known(old)) == Cosign(head(HASHES[:size]))


def test_a_log_that_is_not_known_is_404() -> None:
    assert decide(request(0, 5), None) == Refuse(404, "this witness does not know that log")


@pytest.mark.parametrize("signers", [(THIEF,), (OTHER_LOG,), (WITNESSES[0],)])
def test_no_signature_of_the_logs_key_is_403(signers: tuple[Log | Witness, ...]) -> None:
    answer = decide(request(3, 5, *signers), known(3))
    assert isinstance(answer, Refuse)
    assert answer.status == 403


def test_a_signature_of_the_logs_key_that_does_not_hold_is_403() -> None:
    checkpoint = head(HASHES[:5])
    moved = Note(checkpoint.body, (LOG.sign("another\n"), THIEF.sign(checkpoint.body)))
    answer = decide(Request(0, (), type(signed(checkpoint, LOG))(checkpoint, moved)), known(0))
    assert isinstance(answer, Refuse)
    assert answer.status == 403


def test_one_of_several_keys_of_a_log_is_enough_and_strangers_are_ignored() -> None:
    second = Log(OTHER_LOG.key, LOG.name)
    both = KnownLog((LOG.verifier, second.verifier), 3, root(HASHES[:3]))
    for signers in ((LOG,), (second,), (THIEF, second, WITNESSES[1])):
        assert isinstance(decide(request(3, 5, *signers), both), Cosign)


def test_an_old_size_above_the_new_one_is_400() -> None:
    answer = decide(request(6, 5), known(6))
    assert isinstance(answer, Refuse)
    assert answer.status == 400


@pytest.mark.parametrize(("old", "last"), [(0, 3), (2, 3), (4, 3), (5, 0), (5, 300)])
def test_another_old_size_is_409_with_the_size(old: int, last: int) -> None:
    assert decide(request(old, 5), known(last)) == Conflict(last)
    assert parse_size(encode_size(last)) == last


def test_a_log_rewound_is_never_cosigned() -> None:
    """Whatever old size it claims: the witness remembers 300."""
    for old in range(6):
        assert decide(request(old, 5), known(300)) == Conflict(300)
    assert decide(request(300, 5), known(300)) == Refuse(400, "the old size is above the new one")


def test_another_root_at_the_same_size_is_409_and_a_fork() -> None:
    forked = KnownLog((LOG.verifier,), 5, root(HASHES[1:6]))
    answer = decide(request(5, 5), forked)
    assert answer == Refuse(409, "the log has another root at the size that was cosigned", forked=True)
    assert decide(request(5, 5), known(5)) == Cosign(head(HASHES[:5])), "the same head again is cosigned again"


WRONG: list[tuple[int, int, list[bytes]]] = [
    (3, 5, []),
    (3, 5, [*consistency_proof(READ, 3, 5), HASHES[0]]),
    (3, 5, [*consistency_proof(READ, 3, 5)][1:]),
    (3, 5, [*consistency_proof(READ, 3, 6)]),
    (0, 5, [HASHES[0]]),
    (5, 5, [HASHES[0]]),
    (0, 0, [HASHES[0]]),
]


@pytest.mark.parametrize(("old", "size", "proof"), WRONG)
def test_a_proof_that_does_not_hold_is_422(old: int, size: int, proof: list[bytes]) -> None:
    answer = decide(request(old, size, proof=proof), known(old))
    assert isinstance(answer, Refuse)
    assert answer.status == 422
    assert isinstance(decide(request(old, size), known(old)), Cosign), "the control"


def test_a_rewritten_history_is_422() -> None:
    rewritten = KnownLog((LOG.verifier,), 3, root(HASHES[7:10]))
    answer = decide(request(3, 5), rewritten)
    assert isinstance(answer, Refuse)
    assert answer.status == 422


def test_the_tree_of_no_leaves_has_one_root() -> None:
    empty = signed(Checkpoint(LOG.name, 0, HASHES[0]), LOG)
    answer = decide(Request(0, (), empty), known(0))
    assert isinstance(answer, Refuse)
    assert answer.status == 422
    assert decide(request(0, 0), known(0)) == Cosign(head([]))


def test_the_largest_sizes_are_decided_in_a_few_steps() -> None:
    huge = signed(Checkpoint(LOG.name, MAX_SIZE, EMPTY_ROOT), LOG)
    for old in (1, MAX_SIZE - 1, MAX_SIZE):
        last = KnownLog((LOG.verifier,), old, EMPTY_ROOT)
        answer = decide(Request(old, (EMPTY_ROOT,) * MAX_PROOF_LINES, huge), last)
        assert isinstance(answer, Refuse)
        assert answer.status == 422


@pytest.mark.parametrize(
    "head_text",
    [
        "",
        "5",
        "old",
        "old ",
        "old 05",
        "old -1",
        f"old {1 << 64}",
        "old 5 ",
        "new 5",
        f"{ROOT}\nold 5",
        f"old 5\n{ROOT[:-1]}",
        f"old 5\n{ROOT} ",
        "old 5\nAAAA",
        "old 5\r",
        "old 5" + f"\n{ROOT}" * (MAX_PROOF_LINES + 1),
        "old 5" + "\nx" * (MAX_PROOF_LINES + 1),
        "old 5" + f"\n{ROOT}" * 20_000,
        "old " + "9" * 100_000,
    ],
)
def test_what_is_no_request_is_refused(head_text: str) -> None:
    with pytest.raises(FormatError) as refused:
        parse_request(f"{head_text}\n\n{CHECKPOINT}".encode())
    assert refused.value.remedy
    assert len(refused.value.message) < 200


def test_requests_without_checkpoint_or_too_long_are_refused() -> None:
    for rest in ("", "\n", "\n\n", f"\n{CHECKPOINT}", f"\n\n\n{CHECKPOINT}", "\n\nhello\n"):
        with pytest.raises(FormatError):
            parse_request(f"old 5{rest}".encode())
    with pytest.raises(FormatError, match="at most are read"):
        parse_request(b"x" * (MAX_REQUEST_BYTES + 1))
    with pytest.raises(FormatError, match="10001 signature lines"):
        parse_request(f"old 5\n\n{CHECKPOINT}{'x' + chr(10)}".encode() + b"x\n" * 9_999)


def test_what_cannot_be_written_is_not_made() -> None:
    checkpoint = signed(head(HASHES[:5]), LOG)
    for old, proof in ((-1, ()), (1 << 64, ()), (0, (b"",)), (0, (EMPTY_ROOT,) * (MAX_PROOF_LINES + 1))):
        with pytest.raises(InputError, match="what a witness is asked with"):
            Request(old, proof, checkpoint)


def test_answers_are_parsed_as_they_were_written() -> None:
    lines = [witness.sign(CHECKPOINT) for witness in WITNESSES]
    assert parse_answer(encode_answer(lines)) == tuple(lines)


@pytest.mark.parametrize("data", [b"", b"\n", b"hello\n", b"\xff\n", b"x\n" * 10_000, b"x" * 2_000_000])
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_answer(data)


@pytest.mark.parametrize(
    "data", [b"", b"5", b"05\n", b"5\n\n", b"5\r\n", b" 5\n", b"18446744073709551616\n", b"9" * 99]
)
def test_what_is_no_size_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_size(data)


def test_the_largest_size_comes_back() -> None:
    assert parse_size(encode_size(MAX_SIZE)) == MAX_SIZE
