import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.audit.signers import LOG, NOW_S, OTHER_LOG, THIEF, WITNESSES, Log, Witness, head, signed

from habeas.audit.checkpoint import Checkpoint
from habeas.audit.merkle import leaf_hash
from habeas.audit.note import Note, Signature
from habeas.audit.policy import MAX_WITNESSES, WitnessPolicy, believe, parse_policy, verify_checkpoint
from habeas.errors import FormatError, InputError, ProofError
from habeas.keys.signing import SigningKey

KEYS = tuple(witness.verifier for witness in WITNESSES)
HEAD = head([leaf_hash(b"one")])
TWO_OF_FOUR = WitnessPolicy(KEYS, 2)


@given(st.integers(0, 4), st.integers(0, 4))
def test_policies_are_read_as_they_were_written(count: int, quorum: int) -> None:
    if quorum <= count:
        policy = WitnessPolicy(KEYS[:count], quorum)
        assert parse_policy(json.loads(json.dumps(policy.as_json()))) == policy
    else:
        with pytest.raises(InputError, match="is no quorum"):
            WitnessPolicy(KEYS[:count], quorum)


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {},
        {"quorum": 1},
        {"quorum": 0, "witnesses": [], "more": 1},
        {"quorum": "0", "witnesses": []},
        {"quorum": True, "witnesses": [KEYS[0].encode()]},
        {"quorum": 1.0, "witnesses": [KEYS[0].encode()]},
        {"quorum": -1, "witnesses": []},
        {"quorum": 0, "witnesses": KEYS[0].encode()},
        {"quorum": 0, "witnesses": [None]},
        {"quorum": 0, "witnesses": ["w+1+2"]},
        {"quorum": 0, "witnesses": [LOG.verifier.encode()]},
        {"quorum": 0, "witnesses": [KEYS[0].encode()] * 2},
        {"quorum": 0, "witnesses": [KEYS[0].encode()] * (MAX_WITNESSES + 1)},
    ],
)
def test_what_is_no_policy_is_refused(told: object) -> None:
    with pytest.raises(InputError) as refused:
        parse_policy(told)
    assert refused.value.remedy


def test_one_witness_under_two_names_is_one_witness() -> None:
    again = Witness(WITNESSES[0].key, "another.example").verifier
    with pytest.raises(InputError, match="one name or one key"):
        WitnessPolicy((KEYS[0], again), 2)
    renamed = Witness(WITNESSES[1].key, WITNESSES[0].name).verifier
    with pytest.raises(InputError, match="one name or one key"):
        WitnessPolicy((KEYS[0], renamed), 1)


@pytest.mark.parametrize("quorum", range(5))
@pytest.mark.parametrize("count", range(5))
def test_a_checkpoint_needs_as_many_witnesses_as_the_quorum(count: int, quorum: int) -> None:
    data = signed(HEAD, LOG, *WITNESSES[:count]).note.encode()
    policy = WitnessPolicy(KEYS, quorum)
    if count < quorum:
        with pytest.raises(ProofError, match=f"{count} of the {quorum} witnesses"):
            verify_checkpoint(data, LOG.verifier, policy)
    else:
        believed = verify_checkpoint(data, LOG.verifier, policy)
        assert believed.checkpoint == HEAD
        assert [(one.key, one.time_s) for one in believed.cosignatures] == [(key, NOW_S) for key in KEYS[:count]]


def test_witnesses_that_are_not_known_do_not_count() -> None:
    strangers = [Witness(SigningKey(bytes([n]) * 32), f"stranger{n}.example") for n in (77, 78)]
    with pytest.raises(ProofError, match="0 of the 2 witnesses"):
        believe(signed(HEAD, LOG, *strangers), LOG.verifier, TWO_OF_FOUR)


def test_one_witness_twice_is_not_two() -> None:
    note = Note(HEAD.body, (LOG.sign(HEAD.body), *(WITNESSES[0].sign(HEAD.body, NOW_S + n) for n in range(2))))
    with pytest.raises(ProofError, match="two signature lines"):
        verify_checkpoint(note.encode(), LOG.verifier, TWO_OF_FOUR)


def test_witnesses_alone_do_not_make_a_checkpoint() -> None:
    with pytest.raises(ProofError, match="did not sign this"):
        believe(signed(HEAD, *WITNESSES), LOG.verifier, TWO_OF_FOUR)
    with pytest.raises(ProofError, match="did not sign this"):
        believe(signed(HEAD, THIEF, *WITNESSES), LOG.verifier, TWO_OF_FOUR)


def test_a_checkpoint_of_another_log_is_refused_although_the_right_key_signed_it() -> None:
    other = Checkpoint(OTHER_LOG.name, HEAD.size, HEAD.root)
    with pytest.raises(ProofError, match=r"is of the log 'example\.org/other'"):
        believe(signed(other, LOG, *WITNESSES), LOG.verifier, TWO_OF_FOUR)


def test_a_signature_moved_from_another_checkpoint_is_refused() -> None:
    old = Checkpoint(HEAD.origin, HEAD.size + 1, HEAD.root)
    moved = Note(HEAD.body, (LOG.sign(HEAD.body), WITNESSES[0].sign(HEAD.body), WITNESSES[1].sign(old.body)))
    with pytest.raises(ProofError, match="did not sign this checkpoint"):
        verify_checkpoint(moved.encode(), LOG.verifier, TWO_OF_FOUR)


def test_a_signature_under_another_name_does_not_count() -> None:
    line = WITNESSES[0].sign(HEAD.body)
    renamed = Signature(WITNESSES[1].name, line.key_id, line.signed)
    note = Note(HEAD.body, (LOG.sign(HEAD.body), line, renamed))
    with pytest.raises(ProofError, match="1 of the 2"):
        verify_checkpoint(note.encode(), LOG.verifier, TWO_OF_FOUR)


def test_the_logs_key_is_no_witness() -> None:
    both = Witness(LOG.key, "inside.example").verifier
    with pytest.raises(InputError, match="not the key of a log alone"):
        believe(signed(HEAD, LOG), LOG.verifier, WitnessPolicy((both,), 1))
    with pytest.raises(InputError, match="not the key of a log alone"):
        believe(signed(HEAD, LOG), KEYS[0], WitnessPolicy())


def test_what_is_no_checkpoint_is_refused() -> None:
    text = "hello\n"
    with pytest.raises(FormatError):
        verify_checkpoint(Note(text, (LOG.sign(text),)).encode(), LOG.verifier, WitnessPolicy())
    unnamed = Log(LOG.key, "another.example")
    with pytest.raises(ProofError, match="no known key"):
        believe(signed(HEAD, LOG), unnamed.verifier, WitnessPolicy())
