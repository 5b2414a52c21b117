"""Verifying a log without trusting whoever keeps it: what to look at, in which order, and what each step shows.

1. *Checkpoint.* The log's key, which the verifier was given, signed it, and so did a quorum of the witnesses that the
   verifier knows. A log has one key; each epoch has another log.
2. *Memory.* The tree begins with the tree of the last checkpoint that this verifier believed. A smaller one is *stale*:
   an older copy, or truncated. One that does not is *forked*: then the two checkpoints are evidence against the key.
3. *Tiles and entries.* Every hash tile and every entry leads to the root. A public copy has all tiles, and its entries
   from a day before; which are missing yet is counted. Entries that are missing for longer are withheld.
4. *Leaves.* Every leaf is of the one form. Hours do not go back by more than one, unless the clock was set near there.
5. *Epochs.* Each later epoch names the last checkpoint of the one before, and an entry of its own says so; the openings
   show that two approvers did. Where it begins before that one's end, what it left behind is opened and judged too.
6. *Openings.* Each leaf commits to its opening, which says the same number, type and hour. Their times do not go back
   by more than a minute, unless the clock was set near there.
7. *Hidden parts.* Each opening commits to what it hides. What cannot be opened any more was due (`claims_alerts.DUE`).
8. *Claims.* The entries keep the rules (`claims.CLAIMS`).

Steps 6 to 8 take an auditor's export. The first place that does not hold is named by its index or tile.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from habeas.audit.checkpoint import Checkpoint, SignedCheckpoint, parse_body, parse_checkpoint
from habeas.audit.claims import CLAIMS, epoch_approved
from habeas.audit.claims_alerts import is_due
from habeas.audit.fetching import Openings, Source
from habeas.audit.inputs import EpochLog
from habeas.audit.log import CHECKPOINT
from habeas.audit.merkle import Frontier, consistency_proof, verify_consistency
from habeas.audit.note import VerifierKey, parse_key
from habeas.audit.policy import WitnessPolicy, believe
from habeas.audit.reading import Part, Progress, Read, Reading, released_entries
from habeas.audit.text import shown
from habeas.audit.tiles import TILE_WIDTH, VerifiedTiles, check_agreement
from habeas.errors import InputError, ProofError, StaleError
from habeas.types import DAY_NS, HOUR_NS, NS_PER_S, utc

PUBLIC_NS: Final = DAY_NS + 3 * HOUR_NS
"""Entries so much older than the checkpoint are public."""
_EVIDENCE: Final = "keep both checkpoints and this copy, they are evidence; tell the witnesses"
_NOW: Final = "ask for the log as it is now; if there is no longer one, entries were removed"
_COPY: Final = "compare with another copy of the log; keep this one, it is evidence"


@dataclass(frozen=True)
class Trust:
    """What a verifier brings along.

    Args:
        keys: of the log, one an epoch.
        policy: the witnesses that are known, and how many must have signed.
        since: checkpoints believed earlier, of any epoch; None: nothing is remembered from one time to the next.
    """

    keys: tuple[VerifierKey, ...]
    policy: WitnessPolicy = field(default_factory=WitnessPolicy)
    since: tuple[SignedCheckpoint, ...] | None = None


@dataclass(frozen=True)
class Step:
    """A step that held.

    Args:
        number: of the step.
        what: it shows.
        count: how many things were looked at.
        note: what a reader should know; empty: nothing.
        checked: False: there was nothing to check it with.
    """

    number: str
    what: str
    count: int
    note: str = ""
    checked: bool = True


@dataclass(frozen=True)
class Verified:
    """A log that holds.

    Args:
        checkpoints: one an epoch, to be remembered.
        entries: verified.
        pending: entries that are not public yet.
        witnessed_ns: when the last one was witnessed, by the median of the witnesses' times; None: nobody signed.
        steps: what was checked.
    """

    checkpoints: tuple[SignedCheckpoint, ...]
    entries: int
    pending: int
    witnessed_ns: int | None
    steps: tuple[Step, ...]


Tell = Callable[[Step], None]


@dataclass(frozen=True)
class _Seen:
    """A checkpoint that is believed, and when witnesses signed it, by their median."""

    head: Checkpoint
    witnessed_ns: int | None
    cosigned: int


@dataclass(frozen=True)
class _Tree:
    """A log whose checkpoint is believed."""

    log: EpochLog
    signed: SignedCheckpoint
    seen: _Seen
    tiles: VerifiedTiles
    since: _Seen | None

    @property
    def head(self) -> Checkpoint:
        return self.seen.head

    @property
    def witnessed_ns(self) -> int | None:
        return self.seen.witnessed_ns


def verify(
    logs: Sequence[EpochLog], trust: Trust, openings: Openings | None, tell: Tell, progress: Progress
) -> Verified:
    """Verify an installation's logs by the steps above.

    Args:
        logs: one an epoch, in their order.
        trust: what the verifier brings along.
        openings: of an auditor's export; None: steps 6 to 8 are left out, and told so.
        tell: called with each step that held.
        progress: called with every bundle.

    Raises:
        StaleError: step 2: an older copy than was seen before.
        ProofError: something does not hold.
        InputError: a checkpoint is missing, or a file cannot be fetched.
    """
    steps: list[Step] = []

    def told(step: Step) -> None:
        steps.append(step)
        tell(step)

    trees = [_believed(log, trust) for log in logs]
    _check_shown(trees, trust)
    told(_checkpoint_step(trees, trust))
    told(_memory_step(trees, trust))
    for before, tree in itertools.pairwise(trees):
        _check_prior(before, tree)  # 5: which of their entries go on
    reading = Reading(openings, sum(tree.head.size for tree in trees), progress)
    ends = [*(tree.log.first_seq for tree in trees[1:]), None]
    read = []
    for tree, end_seq in zip(trees, ends, strict=True):
        read.append(reading.read(Part(tree.log.source, tree.tiles, tree.log.number, tree.log.first_seq, end_seq)))
        _check_public(tree, read[-1])
    pending = f"{reading.pending} entries are not yet public" if reading.pending else ""
    told(Step("3", "tiles and entries lead to the root", reading.entries, pending))
    told(Step("4", "leaves are of the one form, their hours in order", reading.entries))
    told(_epochs_step(trees, read, reading, opened=openings is not None))
    for step in _opened_steps(reading, opened=openings is not None):
        told(step)
    checkpoints = tuple(tree.signed for tree in trees)
    return Verified(checkpoints, reading.entries, reading.pending, trees[-1].witnessed_ns, tuple(steps))


# --- 1 ----------------------------------------------------------------------------------------------------------------


def _believed(log: EpochLog, trust: Trust) -> _Tree:
    signed = parse_checkpoint(log.source.read(CHECKPOINT))
    key = _key_of(log, signed.checkpoint.origin, trust)
    seen = _seen(signed, key, trust.policy)  # 1
    since = _since(trust, key)
    _check_age(seen.head, since)  # 2: before its tiles are looked at, which an older copy may lack
    return _Tree(log, signed, seen, _tiles(log, seen.head), since)


def _seen(signed: SignedCheckpoint, key: VerifierKey, policy: WitnessPolicy) -> _Seen:
    believed = believe(signed, key, policy)
    times = sorted(one.time_s for one in believed.cosignatures if one.time_s is not None)
    median_ns = times[(len(times) - 1) // 2] * NS_PER_S if times else None
    return _Seen(believed.checkpoint, median_ns, len(times))


def _key_of(log: EpochLog, origin: str, trust: Trust) -> VerifierKey:
    """Return the pinned key of a log: no key is taken from what is to be verified."""
    found = [key for key in trust.keys if key.name == (log.origin or origin)]
    if len(found) != 1:
        raise ProofError(
            f"{'no' if not found else 'more than one'} key was given for the log {shown(log.origin or origin)}",
            remedy="give --key NAME+ID+KEY for each epoch, from a place that is not this log",
        )
    if log.vkey and parse_key(log.vkey) != found[0]:
        raise ProofError(f"the list of epochs has another key for {shown(log.origin)}", remedy=_COPY)
    return found[0]


def _checkpoint_step(trees: Sequence[_Tree], trust: Trust) -> Step:
    last = trees[-1]
    if last.witnessed_ns is None:
        note = "no witness signed it: nothing here shows that others see the same log"
    else:
        note = f"{last.seen.cosigned} of {len(trust.policy.witnesses)} witnesses, {utc(last.witnessed_ns)[:19]}Z"
    return Step("1", "checkpoints are signed by the log and its witnesses", len(trees), note)


# --- 2 ----------------------------------------------------------------------------------------------------------------


def _since(trust: Trust, key: VerifierKey) -> _Seen | None:
    """Return the largest tree of this log that was seen before."""
    policy = WitnessPolicy(trust.policy.witnesses)
    own = [_seen(one, key, policy) for one in trust.since or () if one.checkpoint.origin == key.name]
    return max(own, key=lambda one: one.head.size, default=None)


def _check_shown(trees: Sequence[_Tree], trust: Trust) -> None:
    """Check that no epoch that was seen before is left out."""
    for one in trust.since or ():
        if one.checkpoint.origin not in {tree.head.origin for tree in trees}:
            raise StaleError(
                f"stale: the log {shown(one.checkpoint.origin)} was seen before, and is not shown", remedy=_NOW
            )


def _memory_step(trees: Sequence[_Tree], trust: Trust) -> Step:
    for tree in trees:
        _check_memory(tree)
    count = sum(tree.since is not None for tree in trees)
    nothing = "nothing is remembered; give --since FILE, this time and every time"
    note = (
        "" if count else nothing if trust.since is None else "nothing was seen before; this is remembered from now on"
    )
    return Step("2", "the log contains what was seen before", count, note, checked=count > 0)


def _check_age(head: Checkpoint, since: _Seen | None) -> None:
    if since is not None and head.size < since.head.size:
        raise StaleError(
            f"stale: {shown(head.origin)} shows {head.size} entries, {since.head.size} were seen before", remedy=_NOW
        )


def _check_memory(tree: _Tree) -> None:
    """Check that a tree begins with the one that was seen before."""
    head, old = tree.head, None if tree.since is None else tree.since.head
    if old is None or not old.size:
        return
    try:
        proof = consistency_proof(tree.tiles.reader, old.size, head.size)
        verify_consistency(old.size, head.size, old.root, head.root, proof)
    except ProofError as error:
        if error.tile:
            raise
        raise ProofError(
            f"forked: {shown(head.origin)} does not contain the {old.size} entries that were seen before",
            remedy=_EVIDENCE,
        ) from error


# --- 3 ----------------------------------------------------------------------------------------------------------------


def _held(source: Source) -> Callable[[str], bytes]:
    """Return a reader of files that a log has to have."""

    def fetch(name: str) -> bytes:
        try:
            return source.read(name)
        except InputError as error:
            if source.has(name):
                raise
            raise ProofError(error.message, remedy=error.remedy, tile=name) from error

    return fetch


def _tiles(log: EpochLog, head: Checkpoint) -> VerifiedTiles:
    fetch = _held(log.source)
    try:
        return VerifiedTiles(head.size, head.root, fetch)
    except ProofError as error:
        if not error.tile:
            check_agreement(head.size, fetch, released_entries(log.source, head.size))
        raise


def _check_public(tree: _Tree, read: Read) -> None:
    """Check that no entry is withheld for longer than a day: by the last one that is public, and by what was seen."""
    now_ns, since = tree.witnessed_ns, tree.since
    if read.released >= tree.head.size or now_ns is None:
        return
    late = read.latest_ns is not None and now_ns - read.latest_ns > PUBLIC_NS
    if since is not None and read.released < since.head.size // TILE_WIDTH * TILE_WIDTH:
        late = late or now_ns - (since.witnessed_ns or now_ns) > PUBLIC_NS
    if late:
        raise ProofError(
            f"entries from {read.released} on are withheld: they should be public a day after they were written",
            remedy="was the node off for long? Else ask its operator",
            index=read.released,
        )


# --- 5 ----------------------------------------------------------------------------------------------------------------


def _epochs_step(trees: Sequence[_Tree], read: Sequence[Read], reading: Reading, *, opened: bool) -> Step:
    for tree, one in zip(trees, read, strict=True):
        if opened and tree.log.vkey:
            epoch_approved(reading.history, tree.log.number, tree.log.facts)
        elif not one.begins and one.released == tree.head.size and tree.log.vkey:
            raise ProofError(f"no entry of its log begins epoch {tree.log.number}", remedy=_EVIDENCE)
    note = f"{reading.left_behind} entries of earlier epochs are in no later one" if reading.left_behind else ""
    return Step("5", "each epoch goes on from the one before", len(trees), note)


def _check_prior(before: _Tree, tree: _Tree) -> None:
    number, first_seq = tree.log.number, tree.log.first_seq
    size, shown_size = 0, before.head.size
    if tree.log.prior:
        prior = parse_body(tree.log.prior)
        size = prior.size
        held = size <= shown_size and Frontier.read(size, before.tiles.reader).root() == prior.root
        if prior.origin != before.head.origin or not held:
            raise ProofError(
                f"epoch {number} goes on from a checkpoint that is not in the log of epoch {number - 1}",
                remedy=_EVIDENCE,
            )
    if size < shown_size:
        raise ProofError(
            f"epoch {number} goes on from {size} entries of epoch {number - 1}, which has {shown_size}",
            remedy=_EVIDENCE,
        )
    if not before.log.first_seq <= first_seq <= before.log.first_seq + size:
        raise ProofError(
            f"epoch {number} begins with entry {first_seq}, which does not follow from epoch {number - 1}",
            remedy=_EVIDENCE,
        )


# --- 6, 7, 8 ----------------------------------------------------------------------------------------------------------


_PUBLIC_COPY: Final = "a public copy has no openings"


def _opened_steps(reading: Reading, *, opened: bool) -> Iterator[Step]:
    if not opened:
        yield Step("6", "leaves commit to their openings", 0, _PUBLIC_COPY, checked=False)
        yield Step("7", "what is hidden is there, or was due", 0, _PUBLIC_COPY, checked=False)
        yield Step("8", "the entries keep the rules", 0, _PUBLIC_COPY, checked=False)
        return
    yield Step("6", "leaves commit to their openings", reading.opened)
    for said, history in reading.gone:
        if not is_due(said, history):  # 7
            raise said.broken("what it hides was destroyed, and nothing says that this was due")
    note = f"{len(reading.gone)} were destroyed when due" if reading.gone else ""
    yield Step("7", "what is hidden is there, or was due", reading.hidden, note)
    for title, claim in CLAIMS.items():  # 8
        number, _, what = title.partition(" ")
        for history in reading.left:
            claim(history)
        yield Step(number, what, claim(reading.history))
