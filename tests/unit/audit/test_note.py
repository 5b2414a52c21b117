import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.audit.signers import LOG, NOW_S, OTHER_LOG, THIEF, WITNESSES

from habeas.audit.note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Algorithm,
    Note,
    Signature,
    VerifierKey,
    parse_key,
    parse_note,
    parse_signatures,
    sign,
    verify_note,
)
from habeas.errors import FormatError, InputError, ProofError
from habeas.keys.signing import SigningKey

PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED_NOTE = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""
"""The example in the documentation of the reference implementation, golang.org/x/mod/sumdb/note."""
PUBLISHED_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = "example.org/log\n1\nx\n"
ONE = LOG.sign(TEXT)


def note_of(*lines: str, text: str = TEXT) -> bytes:
    return (text + "\n" + "".join(lines)).encode()


def test_the_published_note_holds() -> None:
    key = parse_key(PUBLISHED_KEY)
    assert key.encode() == PUBLISHED_KEY
    note = parse_note(PUBLISHED_NOTE.encode())
    assert note.encode() == PUBLISHED_NOTE.encode()
    assert [one.key for one in verify_note(note, [key])] == [key]


def test_the_published_key_signs_the_published_note() -> None:
    private = SigningKey(base64.b64decode(PUBLISHED_PRIVATE.split("+", 4)[4])[1:])
    note = parse_note(PUBLISHED_NOTE.encode())
    assert sign("PeterNeumann", private, note.text) == note.signatures[0]


texts = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=30)
bodies = st.lists(texts, min_size=1, max_size=5).map(lambda lines: "\n".join(lines) + "\n")
names = st.text(st.characters(min_codepoint=33, exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: not any(one.isspace() or one == "+" for one in name)
)
signatures = st.builds(Signature, names, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80))


@given(bodies, st.lists(signatures, min_size=1, max_size=MAX_SIGNATURES))
def test_notes_are_parsed_as_they_were_written(text: str, lines: list[Signature]) -> None:
    note = Note(text, tuple(lines))
    assert parse_note(note.encode()) == note


@given(names, st.binary(min_size=32, max_size=32), st.sampled_from(Algorithm))
def test_keys_are_parsed_as_they_were_written(name: str, public: bytes, algorithm: Algorithm) -> None:
    key = VerifierKey(name, algorithm, public)
    assert parse_key(key.encode()) == key


@given(bodies)
def test_a_signed_text_holds_and_another_does_not(text: str) -> None:
    note = Note(text, (LOG.sign(text), WITNESSES[0].sign(text)))
    found = verify_note(note, [LOG.verifier, WITNESSES[0].verifier])
    assert [(one.key, one.time_s) for one in found] == [(LOG.verifier, None), (WITNESSES[0].verifier, NOW_S)]
    for signature in note.signatures:
        with pytest.raises(ProofError):
            verify_note(Note("!" + text, (signature,)), [LOG.verifier, WITNESSES[0].verifier])


@given(st.integers(0, 8 * 200))
def test_a_flipped_bit_anywhere_is_refused(bit: int) -> None:
    data = bytearray(Note(TEXT, (ONE,)).encode())
    at = bit // 8 % len(data)
    data[at] ^= 1 << bit % 8
    with pytest.raises(ProofError):
        verify_note(parse_note(bytes(data)), [LOG.verifier])


MALFORMED = {
    "empty": b"",
    "no signatures": TEXT.encode(),
    "no lines": (TEXT + "\n").encode(),
    "no text": b"\n" + ONE.line.encode(),
    "last line open": note_of(ONE.line.rstrip("\n")),
    "not UTF-8": note_of(ONE.line).replace(b"example", b"ex\xff\xfele", 1),
    "a surrogate": note_of(ONE.line).replace(b"example", b"ex\xed\xa0\x80le", 1),
    "overlong": note_of(ONE.line).replace(b"example", b"ex\xc0\xafle", 1),
    "a null": note_of(ONE.line, text="a\0\n"),
    "a tab": note_of(ONE.line, text="a\t\n"),
    "carriage returns": note_of(ONE.line, text="a\r\n"),
    "a hyphen": note_of(ONE.line.replace("—", "-")),
    "no dash": note_of(ONE.line[2:]),
    "two spaces": note_of(ONE.line.replace("— ", "—  ")),
    "no signature": note_of("— example.org/log\n"),
    "an empty name": note_of("—  " + ONE.line.split(" ")[2]),
    "a plus": note_of(ONE.line.replace("example", "exa+ple")),
    "a space that is none of ASCII": note_of(ONE.line.replace("example", "exa\u2003ple")),
    "no base64": note_of("— example.org/log !!!!\n"),
    "base64 of another alphabet": note_of("— example.org/log AAAAAAA_\n"),
    "no padding": note_of(ONE.line.replace("=", "")),
    "another spelling": note_of("— example.org/log AAAAAAB=\n"),
    "letters of another script": note_of("— example.org/log " + "\uff21" * 8 + "\n"),
    "only an id": note_of("— example.org/log AAAAAA==\n"),
    "words after it": note_of(ONE.line.replace("\n", " more\n")),
    "text between lines": note_of(ONE.line, "text\n", ONE.line),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_note_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError) as refused:
        parse_note(data)
    assert refused.value.remedy
    assert len(refused.value.message) < 200


@given(st.binary(max_size=300))
def test_noise_is_refused_in_our_own_words(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_note(data)


def test_a_hundred_lines_are_read_and_not_one_more() -> None:
    others = [THIEF.sign(TEXT).line] * (MAX_SIGNATURES - 1)
    assert len(verify_note(parse_note(note_of(*others, ONE.line)), [LOG.verifier])) == 1
    with pytest.raises(FormatError, match="101 signature lines, 100 at most"):
        parse_note(note_of(*others, ONE.line, ONE.line))


def test_ten_thousand_lines_are_refused_before_one_is_looked_at() -> None:
    """None of these lines is one: had they been looked at, the message would say so."""
    with pytest.raises(FormatError, match="10000 signature lines"):
        parse_note(note_of(*["not a signature\n"] * 10_000))
    with pytest.raises(FormatError, match="10000 signature lines"):
        parse_signatures("x\n" * 10_000)


def test_a_note_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(FormatError, match="1000000 at most"):
        parse_note(b"\xff" * (MAX_NOTE_BYTES + 1))
    filler = "x" * (MAX_NOTE_BYTES - len(note_of(ONE.line, text="\n")))
    assert parse_note(note_of(ONE.line, text=filler + "\n")).signatures == (ONE,)


def test_lines_of_unknown_keys_are_ignored_whatever_they_say() -> None:
    same_id = Signature("another", LOG.verifier.key_id, b"nonsense")
    same_name = Signature(LOG.name, b"\0\0\0\0", b"nonsense")
    note = Note(TEXT, (same_id, same_name, same_name, THIEF.sign(TEXT), ONE))
    assert [one.signature for one in verify_note(note, [LOG.verifier])] == [ONE]


def test_a_note_of_unknown_keys_alone_is_refused() -> None:
    for known in ([], [OTHER_LOG.verifier], [WITNESSES[0].verifier]):
        with pytest.raises(ProofError, match="no known key signed this"):
            verify_note(Note(TEXT, (ONE, THIEF.sign(TEXT))), known)


def test_a_line_of_a_known_key_that_does_not_hold_refuses_the_note() -> None:
    good = WITNESSES[0].sign(TEXT)
    for signed in (b"nonsense", bytes(64), ONE.signed[:-1], ONE.signed + b"\0", THIEF.sign(TEXT).signed):
        bad = Signature(LOG.name, LOG.verifier.key_id, signed)
        with pytest.raises(ProofError, match="does not hold"):
            verify_note(Note(TEXT, (good, bad)), [LOG.verifier, WITNESSES[0].verifier])


def test_two_lines_of_one_known_key_refuse_the_note() -> None:
    twice = [(ONE, ONE), (WITNESSES[0].sign(TEXT), WITNESSES[0].sign(TEXT, NOW_S + 1))]
    for lines in twice:
        with pytest.raises(ProofError, match="two signature lines of the key"):
            verify_note(Note(TEXT, lines), [LOG.verifier, WITNESSES[0].verifier])


def test_a_log_signature_is_no_cosignature_and_the_other_way_round() -> None:
    """One key pair in both roles: the ids differ, and so do the messages."""
    as_witness = VerifierKey(LOG.name, Algorithm.COSIGNATURE, LOG.key.public_bytes)
    assert as_witness.key_id != LOG.verifier.key_id
    moved = Signature(LOG.name, as_witness.key_id, bytes(8) + ONE.signed)
    with pytest.raises(ProofError, match="did not sign"):
        verify_note(Note(TEXT, (moved,)), [as_witness])


def test_known_keys_that_cannot_be_told_apart_are_refused() -> None:
    """Two numbers whose key ids are the same under one name, found by trying."""
    first, second = (VerifierKey("example.org/log", Algorithm.ED25519, n.to_bytes(32)) for n in (42127, 57775))
    assert first.key_id == second.key_id
    with pytest.raises(InputError, match="one id"):
        verify_note(Note(TEXT, (ONE,)), [first, LOG.verifier, second])
    assert verify_note(Note(TEXT, (ONE,)), [LOG.verifier, LOG.verifier]), "the same key twice is one key"


def test_what_cannot_be_written_is_not_made() -> None:
    for text in ("", "open", "a\tb\n", "\ud800\n"):
        with pytest.raises(InputError, match="text ends in a newline"):
            Note(text, (ONE,))
    for count in (0, MAX_SIGNATURES + 1):
        with pytest.raises(InputError, match="1 to 100"):
            Note(TEXT, (ONE,) * count)
    for name in ("", "a b", "a+b", "a\nb", "a\u00a0b", "\ud800"):
        with pytest.raises(InputError, match="key name"):
            VerifierKey(name, Algorithm.ED25519, bytes(32))
        with pytest.raises(InputError, match="key name"):
            Signature(name, bytes(4), b"x")
    with pytest.raises(InputError, match="32 bytes"):
        VerifierKey("a", Algorithm.ED25519, bytes(31))
    for key_id, signed in ((bytes(3), b"x"), (bytes(4), b"")):
        with pytest.raises(InputError, match="key id of 4 bytes"):
            Signature("a", key_id, signed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a3+",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+BBpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+Bhpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n",
        PUBLISHED_PRIVATE,
    ],
)
def test_what_is_no_verifier_key_is_refused_and_not_shown_whole(text: str) -> None:
    with pytest.raises(InputError, match="is no verifier key") as refused:
        parse_key(text)
    assert "LDE4izWy10TW" not in refused.value.message
    assert "AYEK" not in refused.value.message
