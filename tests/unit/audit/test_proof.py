import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.audit.logs import Files, entries, naive_files
from tests.unit.audit.signers import LOG, OTHER_LOG, WITNESSES, head, signed

from habeas.audit.merkle import MAX_PROOF_HASHES, inclusion_proof, leaf_hash
from habeas.audit.policy import WitnessPolicy
from habeas.audit.proof import MAX_EXTRA_BYTES, InclusionProof, parse_proof, verify_proof
from habeas.audit.tiles import tile_reader
from habeas.errors import FormatError, InputError, ProofError

SIZE = 300
ENTRIES = entries(SIZE)
HASHES = [leaf_hash(entry) for entry in ENTRIES]
READ = tile_reader(SIZE, Files(naive_files(ENTRIES)))
SIGNED = signed(head(HASHES), LOG, *WITNESSES[:2])
POLICY = WitnessPolicy(tuple(witness.verifier for witness in WITNESSES), 2)
ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
CHECKPOINT = SIGNED.note.encode().decode()


def proof_of(index: int, extra: bytes | None = None) -> InclusionProof:
    return InclusionProof(index, inclusion_proof(READ, index, SIZE), SIGNED, extra)


@given(st.integers(0, SIZE - 1), st.none() | st.binary(min_size=1, max_size=50))
def test_a_proof_file_is_all_that_checking_needs(index: int, extra: bytes | None) -> None:
    proof = proof_of(index, extra)
    found = parse_proof(proof.encode())
    assert found == proof
    believed = verify_proof(found, ENTRIES[index], LOG.verifier, POLICY)
    assert believed.checkpoint == SIGNED.checkpoint
    assert len(believed.cosignatures) == 2


def test_the_form_of_the_file() -> None:
    lines = proof_of(299, b"hint").encode().decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra aGludA==", "index 299"]
    assert "\n".join(lines[lines.index("") + 1 :]) == CHECKPOINT
    single = signed(head(HASHES[:1]), LOG)
    assert InclusionProof(0, (), single).encode().startswith(b"c2sp.org/tlog-proof@v1\nindex 0\n\nexample.org/log\n1\n")


def test_a_proof_of_another_entry_index_log_or_quorum_is_refused() -> None:
    proof = proof_of(7)
    verify_proof(proof, ENTRIES[7], LOG.verifier, POLICY)
    with pytest.raises(ProofError, match="leaf 7"):
        verify_proof(proof, ENTRIES[8], LOG.verifier, POLICY)
    with pytest.raises(ProofError, match="leaf 6"):
        verify_proof(InclusionProof(6, proof.hashes, SIGNED), ENTRIES[7], LOG.verifier, POLICY)
    with pytest.raises(ProofError, match="no leaf 300"):
        verify_proof(InclusionProof(300, proof.hashes, SIGNED), ENTRIES[7], LOG.verifier, POLICY)
    with pytest.raises(ProofError, match="2 of the 3 witnesses"):
        verify_proof(proof, ENTRIES[7], LOG.verifier, WitnessPolicy(POLICY.witnesses, 3))
    with pytest.raises(ProofError, match="is of the log"):
        verify_proof(proof, ENTRIES[7], OTHER_LOG.verifier, POLICY)


def test_a_valid_path_in_some_other_log_proves_nothing() -> None:
    """The path holds, and the checkpoint is signed: by another log's key."""
    elsewhere = InclusionProof(7, proof_of(7).hashes, signed(head(HASHES, OTHER_LOG), OTHER_LOG, *WITNESSES))
    verify_proof(elsewhere, ENTRIES[7], OTHER_LOG.verifier, POLICY)
    with pytest.raises(ProofError):
        verify_proof(elsewhere, ENTRIES[7], LOG.verifier, POLICY)


def test_extra_data_is_not_proven() -> None:
    """The control for the docstring's word: changing it is not noticed."""
    assert verify_proof(proof_of(7, b"anything"), ENTRIES[7], LOG.verifier, POLICY)


@given(st.integers(0, len(proof_of(7).encode()) * 8 - 1))
def test_a_flipped_bit_anywhere_is_refused(bit: int) -> None:
    data = bytearray(proof_of(7).encode())
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProofError):
        verify_proof(parse_proof(bytes(data)), ENTRIES[7], LOG.verifier, POLICY)


@pytest.mark.parametrize(
    "head_text",
    [
        "",
        "c2sp.org/tlog-proof@v2\nindex 0",
        "c2sp.org/tlog-proof@v1",
        "c2sp.org/tlog-proof@v1\n0",
        "c2sp.org/tlog-proof@v1\nindex",
        "c2sp.org/tlog-proof@v1\nindex ",
        "c2sp.org/tlog-proof@v1\nindex 00",
        f"c2sp.org/tlog-proof@v1\nindex {1 << 64}",
        "c2sp.org/tlog-proof@v1\nindex 0\nindex 0",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{ROOT[:-1]}",
        f"c2sp.org/tlog-proof@v1\nindex 0\n {ROOT}",
        f"c2sp.org/tlog-proof@v1\n{ROOT}\nindex 0",
        "c2sp.org/tlog-proof@v1\nindex 0\nextra AAAA",
        "c2sp.org/tlog-proof@v1\nextra \nindex 0",
        "c2sp.org/tlog-proof@v1\nextra A\nindex 0",
        "c2sp.org/tlog-proof@v1\nextra AAAA\nextra AAAA\nindex 0",
        "c2sp.org/tlog-proof@v1\r\nindex 0",
        "c2sp.org/tlog-proof@v1\nindex 0" + f"\n{ROOT}" * (MAX_PROOF_HASHES + 1),
        "c2sp.org/tlog-proof@v1\nindex 0" + f"\n{ROOT}" * 20_000,
    ],
)
def test_what_is_no_proof_is_refused(head_text: str) -> None:
    with pytest.raises(FormatError) as refused:
        parse_proof(f"{head_text}\n\n{CHECKPOINT}".encode())
    assert refused.value.remedy
    assert len(refused.value.message) < 200


def test_a_proof_without_its_checkpoint_is_refused() -> None:
    for rest in ("", "\n", "\n\n", f"\n\n{SIGNED.note.text}", f"\n\n\n{CHECKPOINT}"):
        with pytest.raises(FormatError):
            parse_proof(f"c2sp.org/tlog-proof@v1\nindex 0{rest}".encode())


def test_the_most_that_fits_is_read() -> None:
    largest = InclusionProof(1, (HASHES[0],) * MAX_PROOF_HASHES, SIGNED, b"\xff" * MAX_EXTRA_BYTES)
    assert parse_proof(largest.encode()) == largest


def test_what_cannot_be_written_is_not_made() -> None:
    for index, hashes in ((-1, ()), (1 << 64, ()), (0, (b"",)), (0, (HASHES[0],) * (MAX_PROOF_HASHES + 1))):
        with pytest.raises(InputError, match="cannot be written"):
            InclusionProof(index, hashes, SIGNED)
    for extra in (b"", b"x" * (MAX_EXTRA_BYTES + 1)):
        with pytest.raises(InputError, match="extra data"):
            InclusionProof(0, (), SIGNED, extra)
