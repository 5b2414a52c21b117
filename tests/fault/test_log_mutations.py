"""Whatever is changed of a witnessed log, whoever has seen it before notices; also where the log's own key was stolen.

A mutation is a new set of files. One that leaves every file as it was is not counted. All three witnesses must have
signed here: with a quorum of two, a third line that names an unknown key is ignored, as the formats say.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import pytest
from tests.unit.audit.exports import Memory, files_of, note_of, plain_leaves, verified
from tests.unit.audit.logs import naive_files
from tests.unit.audit.signers import LOG, OTHER_LOG, WITNESSES

from habeas.audit.checkpoint import SignedCheckpoint, parse_checkpoint
from habeas.audit.inputs import EpochLog
from habeas.audit.note import Note, Signature
from habeas.audit.policy import WitnessPolicy
from habeas.audit.tiles import Tile, decode_bundle, encode_bundle
from habeas.errors import HabeasError, ProofError, StaleError

Files = dict[str, bytes]
Mutation = Callable[[random.Random, Files], Files]

POLICY: Final = WitnessPolicy(tuple(witness.verifier for witness in WITNESSES[:3]), 3)
LEAVES: Final = plain_leaves(600)
OTHERS: Final = plain_leaves(700)[600:]
OLDER: Final = 512
"""Leaves of an earlier checkpoint that witnesses cosigned too."""
SEEN: Final = note_of(LEAVES)
OLD: Final = note_of(LEAVES[:OLDER])
FILES: Final = files_of(LEAVES, SEEN)
BUNDLES: Final = sorted(name for name in FILES if "entries" in name)
TILES: Final = sorted(name for name in FILES if name.startswith("tile/") and "entries" not in name)
WIDTHS: Final = {name: 600 - 512 if name.endswith("/88") else 256 for name in BUNDLES}


# --- bytes ------------------------------------------------------------------------------------------------------------


def _name(rng: random.Random, files: Files) -> str:
    return rng.choice(sorted(files))


def flipped_bit(rng: random.Random, files: Files) -> Files:
    name = _name(rng, files)
    data = bytearray(files[name])
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return {**files, name: bytes(data)}


def inserted_byte(rng: random.Random, files: Files) -> Files:
    name = _name(rng, files)
    at = rng.randrange(len(files[name]) + 1)
    return {**files, name: files[name][:at] + rng.randbytes(1) + files[name][at:]}


def deleted_bytes(rng: random.Random, files: Files) -> Files:
    name = _name(rng, files)
    at = rng.randrange(len(files[name]))
    return {**files, name: files[name][:at] + files[name][at + rng.randint(1, 40) :]}


def lost_file(rng: random.Random, files: Files) -> Files:
    name = _name(rng, files)
    return {other: data for other, data in files.items() if other != name}


# --- entries and tiles, without making anything fit -------------------------------------------------------------------


def _entries_of(name: str, files: Files) -> list[bytes]:
    return list(decode_bundle(Tile(0, BUNDLES.index(name), WIDTHS[name]), files[name]))


def _changed_leaves(rng: random.Random, leaves: list[bytes]) -> list[bytes]:
    """Leaves swapped, doubled, removed, replaced or added."""
    leaves, at, other = list(leaves), rng.randrange(len(leaves)), rng.randrange(len(leaves))
    kind = rng.randrange(5)
    if kind == 0:
        leaves[at], leaves[other] = leaves[other], leaves[at]
    elif kind == 1:
        leaves.insert(at, leaves[other])
    elif kind == 2:
        del leaves[at]
    elif kind == 3:
        leaves[at] = rng.choice(OTHERS)
    else:
        leaves += OTHERS[: rng.randint(1, len(OTHERS))]
    return leaves


def changed_bundle(rng: random.Random, files: Files) -> Files:
    name = rng.choice(BUNDLES)
    return {**files, name: encode_bundle(_changed_leaves(rng, _entries_of(name, files)))}


def exchanged_tiles(rng: random.Random, files: Files) -> Files:
    one, other = rng.sample(rng.choice([TILES, BUNDLES, TILES + BUNDLES]), 2)
    return {**files, one: files[other], other: files[one]}


def partial_for_full(rng: random.Random, files: Files) -> Files:
    """The bytes of a tile that was not full yet, of an older or another size, in the place of one that is."""
    older = naive_files(LEAVES[: rng.randrange(1, 600)])
    name = rng.choice(sorted(older))
    stem = name.split(".p/")[0]
    target = rng.choice([one for one in sorted(files) if one.split(".p/")[0] == stem])
    return {**files, target: older[name]}


# --- checkpoints ------------------------------------------------------------------------------------------------------


def _with_note(files: Files, note: Note) -> Files:
    return {**files, "checkpoint": note.encode()}


def edited_checkpoint(rng: random.Random, files: Files) -> Files:
    """Another size, root, origin, or a line more."""
    lines = SEEN.note.text.splitlines()
    kind = rng.randrange(4)
    if kind == 0:
        lines[1] = str(rng.choice([0, 1, 511, 599, 601, 2**63, 2**64 - 1]))
    elif kind == 1:
        lines[2] = note_of(LEAVES[: rng.randrange(1, 500)]).checkpoint.body.splitlines()[2]
    elif kind == 2:
        lines[0] = rng.choice(["example.org/other", "example.org", "example.org/log/2"])
    else:
        lines.append("extension")
    return _with_note(files, Note("\n".join(lines) + "\n", SEEN.note.signatures))


def moved_signature(rng: random.Random, files: Files) -> Files:
    """A line of another checkpoint's under this one, or this one's lines under another."""
    other = note_of(LEAVES[: rng.randrange(1, 600)])
    place = rng.randrange(4)
    lines = list(SEEN.note.signatures)
    lines[place] = other.note.signatures[place]
    text = rng.choice([SEEN.note.text, other.note.text])
    return _with_note(files, Note(text, tuple(lines)))


def renamed_key(rng: random.Random, files: Files) -> Files:
    lines = list(SEEN.note.signatures)
    place = rng.randrange(4)
    other = rng.choice(["example.org/other", "witness9.example", lines[(place + 1) % 4].name])
    lines[place] = Signature(other, lines[place].key_id, lines[place].signed)
    kept = [lines[0], *rng.sample(lines[1:], 1)] if place == 0 else [lines[0], lines[place]]
    return _with_note(files, Note(SEEN.note.text, tuple(kept)))


def removed_cosignatures(rng: random.Random, files: Files) -> Files:
    """Fewer lines than the quorum, or without the log's own; one line twice; strangers' lines instead."""
    log, *witnesses = SEEN.note.signatures
    stranger = WITNESSES[3].sign(SEEN.note.text)
    kept: Sequence[Signature] = rng.choice(
        [
            [log],
            [log, rng.choice(witnesses)],
            witnesses,
            [log, witnesses[0], witnesses[0]],
            [log, log, *witnesses],
            [log, rng.choice(witnesses), stranger],
            [OTHER_LOG.sign(SEEN.note.text), *witnesses],
        ]
    )
    return _with_note(files, Note(SEEN.note.text, tuple(kept)))


# --- everything made to fit, with the log's own key -------------------------------------------------------------------


def _rewritten(rng: random.Random) -> list[bytes]:
    """Leaves that do not begin with all that were seen: a log that only grew is no mutation."""
    while True:
        leaves = list(LEAVES)
        for _ in range(rng.randint(1, 3)):
            leaves = _changed_leaves(rng, leaves)
        leaves = leaves[: rng.randrange(1, len(leaves))] if rng.random() < 0.2 else leaves
        if leaves[: len(LEAVES)] != LEAVES:
            return leaves


def resigned(rng: random.Random, files: Files) -> Files:  # noqa: ARG001 - a mutation's form
    """Another history, all of it consistent, signed with the stolen key, which no witness saw."""
    leaves = _rewritten(rng)
    return files_of(leaves, note_of(leaves, LOG, ()))


def resigned_with_old_cosignatures(rng: random.Random, files: Files) -> Files:  # noqa: ARG001 - as above
    """The same, with lines of witnesses that hold, of checkpoints that they did see."""
    leaves = _rewritten(rng)
    bare = note_of(leaves, LOG, ())
    lines = rng.choice([SEEN, OLD]).note.signatures[1:]
    return files_of(leaves, parse_checkpoint(Note(bare.note.text, (*bare.note.signatures, *lines)).encode()))


def resigned_by_all(rng: random.Random, files: Files) -> Files:  # noqa: ARG001 - as above
    """Another history that the witnesses cosigned too: only who has seen the first one can tell."""
    leaves = _rewritten(rng)
    return files_of(leaves, note_of(leaves))


def truncated(rng: random.Random, files: Files) -> Files:
    """The log as it was at an older checkpoint that witnesses cosigned, with or without the files since."""
    kept = naive_files(LEAVES[:OLDER])
    return {**(files if rng.random() < 0.5 else {}), **kept, "checkpoint": OLD.note.encode()}


MUTATIONS: Final[Sequence[Mutation]] = (
    flipped_bit,
    inserted_byte,
    deleted_bytes,
    lost_file,
    changed_bundle,
    exchanged_tiles,
    partial_for_full,
    edited_checkpoint,
    moved_signature,
    renamed_key,
    removed_cosignatures,
    resigned,
    resigned_with_old_cosignatures,
    resigned_by_all,
    truncated,
)


def _used(files: Files) -> Files:
    """The files that a verifier has to look at: those of the tree that the untouched log has, as far as they differ."""
    return {name: data for name, data in files.items() if name in FILES}


def mutated(rng: random.Random) -> tuple[Mutation, Files]:
    """A mutation that changed something."""
    while True:
        mutation = rng.choice(MUTATIONS)
        files = mutation(rng, FILES)
        if _used(files) != FILES:
            return mutation, files


def refusal(
    files: Files, since: Sequence[SignedCheckpoint] = (SEEN,), policy: WitnessPolicy = POLICY
) -> HabeasError | None:
    """What a verifier says against it."""
    try:
        verified(EpochLog(Memory(files)), since=since, policy=policy)
    except HabeasError as error:
        return error
    return None


def _check_mutations(seed: int, count: int) -> Counter[str]:
    rng = random.Random(seed)
    seen: Counter[str] = Counter()
    for number in range(count):
        mutation, files = mutated(rng)
        refused = refusal(files)
        assert refused is not None, f"{mutation.__name__}, number {number} of seed {seed}, was not noticed"
        assert isinstance(refused, ProofError) or "checkpoint" not in files, refused
        assert isinstance(refused, StaleError) or mutation is not truncated, "it says what it is"
        seen[mutation.__name__] += 1
    return seen


def test_the_untouched_log_passes() -> None:
    assert refusal(FILES) is None
    assert refusal(FILES, since=(OLD,)) is None, "it goes on from what was seen before"


@pytest.mark.rule("L3")
def test_500_mutations_of_a_witnessed_log_are_noticed() -> None:
    seen = _check_mutations(1, 500)
    assert len(seen) == len(MUTATIONS), "of every kind"


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_10000_mutations_of_a_witnessed_log_are_noticed() -> None:
    assert sum(_check_mutations(2, 10_000).values()) == 10_000


def test_what_a_verifier_would_miss_without_memory_or_witnesses() -> None:
    """The control: each check that is taken out lets some of them through."""
    rng = random.Random(3)
    histories = [resigned_by_all(rng, FILES) for _ in range(20)]
    assert any(refusal(files, since=()) is None for files in histories), "without memory"
    assert all(refusal(files) is not None for files in histories)
    assert refusal(truncated(rng, FILES), since=()) is None
    alone = [resigned(rng, FILES) for _ in range(20)]
    assert any(refusal(files, since=(), policy=WitnessPolicy()) is None for files in alone), "and without witnesses"
    assert all(refusal(files, since=()) is not None for files in alone)
