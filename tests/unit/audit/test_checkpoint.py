import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.audit.signers import LOG, NOW_S, WITNESSES, signed

from habeas.audit import cosignature
from habeas.audit.checkpoint import Checkpoint, parse_body, parse_checkpoint
from habeas.audit.merkle import EMPTY_ROOT, MAX_SIZE
from habeas.audit.note import parse_note
from habeas.errors import FormatError, InputError, ProofError

ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
LOG_LINE = "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8="
WITNESS_LINE = (
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA=="
)
LINES = [
    "example.com/behind-the-sofa",
    "20852163",
    ROOT,
    "",
    "\N{EM DASH} example.com/behind-the-sofa " + LOG_LINE,
    "\N{EM DASH} witness.example.com/w1 " + WITNESS_LINE,
    "",
]
SPECIFIED = "\n".join(LINES)
"""The example of c2sp.org/tlog-cosignature."""

lines = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=20)
checkpoints = st.builds(
    Checkpoint,
    lines,
    st.integers(0, MAX_SIZE),
    st.binary(min_size=32, max_size=32),
    st.lists(lines, max_size=3).map(tuple),
)


@given(checkpoints)
def test_checkpoints_are_parsed_as_they_were_written(checkpoint: Checkpoint) -> None:
    assert parse_body(checkpoint.body) == checkpoint
    note = signed(checkpoint, LOG, WITNESSES[0]).note
    assert parse_checkpoint(note.encode()) == signed(checkpoint, LOG, WITNESSES[0])


def test_the_example_of_the_specification() -> None:
    found = parse_checkpoint(SPECIFIED.encode())
    assert (found.checkpoint.origin, found.checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert found.note.encode() == SPECIFIED.encode()
    timed = found.note.signatures[1].signed
    assert struct.unpack(">Q", timed[:8]) == (1679315147,)
    assert cosignature.message(found.note.text, 1679315147).decode() == (
        f"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n{ROOT}\n"
    )


@pytest.mark.parametrize("size", ["", "01", "00", "+1", "-1", " 1", "1 ", "1_0", "0x1", "1e3", "1.0", "\u0661", "\xb2"])
def test_a_size_in_another_spelling_is_refused(size: str) -> None:
    with pytest.raises(FormatError):
        parse_body(f"o\n{size}\n{ROOT}\n")


@pytest.mark.parametrize("size", [str(1 << 64), "2" * 20, "9" * 21, "9" * 5000, "9" * 100_000])
def test_a_size_of_two_to_the_64_and_more_is_refused(size: str) -> None:
    with pytest.raises(FormatError, match=r"from 0 to 2\^64 - 1") as refused:
        parse_body(f"o\n{size}\n{ROOT}\n")
    assert len(refused.value.message) < 200


def test_the_largest_size_is_read() -> None:
    assert parse_body(f"o\n{MAX_SIZE}\n{ROOT}\n").size == MAX_SIZE
    assert parse_body(f"o\n0\n{ROOT}\n").size == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "o\n1\n",
        f"o\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"o\n\n{ROOT}\n",
        f"o\n1\n\n{ROOT}\n",
        f"o\n1\n{ROOT}\n\n",
        f"o\n1\n{ROOT}\n\nmore\n",
        f"o\n1\n{ROOT}\nopen",
        f"o\n1\n{ROOT[:-1]}\n",
        f"o\n1\n{ROOT[4:]}\n",
        f"o\n1\nAAAA{ROOT}\n",
        f"o\n1\n{ROOT[:-2]}J=\n",
        f"o\n1\n {ROOT}\n",
        f"o\r\n1\r\n{ROOT}\r\n",
        f"o\n1\n{ROOT}\nta\tb\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(FormatError) as refused:
        parse_body(text)
    assert refused.value.remedy


@given(st.text(max_size=60))
def test_noise_is_refused_in_our_own_words(text: str) -> None:
    with pytest.raises(FormatError):
        parse_body(text)


@pytest.mark.parametrize(
    ("origin", "size", "extensions"),
    [("", 0, ()), ("a\nb", 0, ()), ("a\tb", 0, ()), ("\ud800", 0, ()), ("o", 0, ("",)), ("o", 0, ("a\n",))],
)
def test_what_cannot_be_written_is_not_made(origin: str, size: int, extensions: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="no line"):
        Checkpoint(origin, size, EMPTY_ROOT, extensions)
    for number, root in ((-1, EMPTY_ROOT), (MAX_SIZE + 1, EMPTY_ROOT), (1, EMPTY_ROOT[:31])):
        with pytest.raises(InputError, match="cannot be written"):
            Checkpoint("o", number, root)


# Cosignatures

KEY = WITNESSES[0].key
BODY = f"o\n1\n{ROOT}\n"


@given(st.integers(0, cosignature.MAX_TIME_S), checkpoints)
def test_a_cosignature_holds_for_its_time_and_checkpoint_alone(time_s: int, checkpoint: Checkpoint) -> None:
    timed = cosignature.cosign(KEY, checkpoint.body, time_s)
    assert cosignature.check(KEY.public_bytes, checkpoint.body, timed) == time_s
    other_time = struct.pack(">Q", time_s ^ 1) + timed[8:]
    for public, body, given_timed in (
        (KEY.public_bytes, checkpoint.body, other_time),
        (KEY.public_bytes, "x" + checkpoint.body, timed),
        (LOG.key.public_bytes, checkpoint.body, timed),
        (KEY.public_bytes, checkpoint.body, timed[:-1] + bytes([timed[-1] ^ 1])),
    ):
        with pytest.raises(ProofError):
            cosignature.check(public, body, given_timed)


@pytest.mark.parametrize("time_s", [-1, 1 << 63, 1 << 64])
def test_times_that_cannot_be_written_are_refused(time_s: int) -> None:
    with pytest.raises(InputError, match="no time"):
        cosignature.cosign(KEY, BODY, time_s)


def test_a_time_above_the_formats_is_refused_although_it_was_signed() -> None:
    late = 1 << 63
    timed = struct.pack(">Q", late) + KEY.sign(cosignature.message(BODY, late))
    with pytest.raises(FormatError, match="of the time"):
        cosignature.check(KEY.public_bytes, BODY, timed)


@pytest.mark.parametrize("length", [0, 8, 64, 71, 73, 2428])
def test_cosignatures_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(FormatError, match="72 bytes"):
        cosignature.check(KEY.public_bytes, BODY, bytes(length))


def test_the_words_that_a_witness_signs_are_no_note_text_of_a_log() -> None:
    """A log's text and a witness's message differ even if one key signs both."""
    text = cosignature.message(BODY, NOW_S).decode()
    with pytest.raises(FormatError):
        parse_body(text)
    assert parse_note(f"{text}\n{LOG.sign(text).line}".encode()).text == text
