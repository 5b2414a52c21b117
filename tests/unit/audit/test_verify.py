"""What each step of verifying shows, and the fault that it is there for."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
from tests.unit.audit.exports import (
    BEGAN_NS,
    POLICY,
    WITNESSED_S,
    Book,
    Memory,
    files_of,
    note_of,
    plain_leaves,
    verified,
)
from tests.unit.audit.signers import LOG, THIEF, WITNESSES, Log

from habeas.audit.checkpoint import SignedCheckpoint
from habeas.audit.entry import Leaf
from habeas.audit.fetching import EPOCHS
from habeas.audit.inputs import EpochLog, encode_since, logs_at, parse_since
from habeas.audit.policy import WitnessPolicy, verify_checkpoint
from habeas.audit.proof import parse_proof, verify_proof
from habeas.audit.proving import prove
from habeas.audit.verify import Step
from habeas.errors import FormatError, InputError, ProofError, StaleError
from habeas.keys.signing import SigningKey
from habeas.types import utc

LEAVES = plain_leaves(1300)
FILES = files_of(LEAVES)
SECOND = Log(SigningKey(b"2" * 32), f"{LOG.name}/2")
DAY_S = 86_400


def log_of(files: dict[str, bytes]) -> EpochLog:
    return EpochLog(Memory(files))


def without(names: list[str]) -> dict[str, bytes]:
    return {name: data for name, data in FILES.items() if name not in names}


def bundles(first: int, last: int = 6) -> list[str]:
    return [name for index in range(first, last) for name in FILES if name.startswith(f"tile/entries/{index:03d}")]


# --- 1, 2 -------------------------------------------------------------------------------------------------------------


def test_a_log_that_holds_says_what_was_checked() -> None:
    steps: list[Step] = []
    found = verified(log_of(FILES), steps=steps)
    assert [step.number for step in steps] == ["1", "2", "3", "4", "5", "6", "7", "8"]
    assert [step.checked for step in steps] == [True, False, True, True, True, False, False, False]
    assert (found.entries, found.pending) == (1300, 0)
    assert found.witnessed_ns == WITNESSED_S * 10**9
    assert steps[0].note.startswith("3 of 3 witnesses, 2026-11-29T14:15:12Z")


def test_no_key_is_taken_from_the_log() -> None:
    with pytest.raises(ProofError, match="no key was given"):
        verified(log_of(FILES), keys=())
    with pytest.raises(ProofError, match="no known key"):
        verified(log_of(FILES), keys=(THIEF,), policy=WitnessPolicy())
    listed = EpochLog(Memory(FILES), vkey=THIEF.verifier.encode(), origin=LOG.name)
    with pytest.raises(ProofError, match="another key"):
        verified(listed)


def test_a_log_without_witnesses_says_so() -> None:
    steps: list[Step] = []
    verified(log_of(files_of(LEAVES, note_of(LEAVES, LOG, ()))), policy=WitnessPolicy(), steps=steps)
    assert "no witness signed it" in steps[0].note
    with pytest.raises(ProofError, match="0 of the 2 witnesses"):
        verified(log_of(files_of(LEAVES, note_of(LEAVES, LOG, ()))))


def test_what_was_seen_before_is_contained_or_the_log_is_forked() -> None:
    for size in (0, 1, 255, 256, 1299, 1300):
        steps: list[Step] = []
        verified(log_of(FILES), since=[note_of(LEAVES[:size])], steps=steps)
        assert steps[1].checked
        if size:
            with pytest.raises(ProofError, match="forked"):
                verified(log_of(FILES), since=[note_of([*LEAVES[: size - 1], LEAVES[0] + b" "])])


def test_an_older_copy_is_stale_and_so_is_one_that_leaves_an_epoch_out() -> None:
    with pytest.raises(StaleError, match="1200 entries, 1300 were seen"):
        verified(log_of(files_of(LEAVES[:1200])), since=[note_of(LEAVES)])
    with pytest.raises(StaleError, match="is not shown"):
        verified(log_of(FILES), since=[note_of(LEAVES[:9]), note_of(LEAVES, SECOND)])


def test_what_was_seen_is_kept_as_it_came() -> None:
    notes = (note_of(LEAVES[:9]), note_of(LEAVES, SECOND))
    assert parse_since(encode_since(notes)) == notes
    assert parse_since(FILES["checkpoint"])[0].checkpoint.size == 1300, "a plain checkpoint is such a file"
    for data in (b"", b"\xff", b"x\n\ny\n"):
        with pytest.raises(FormatError):
            parse_since(data)


# --- 3 ----------------------------------------------------------------------------------------------------------------


def test_the_first_leaf_or_tile_that_does_not_hold_is_named() -> None:
    name = "tile/entries/002"
    data = bytearray(FILES[name])
    data[2 + 136 * 3 + 20] ^= 1
    with pytest.raises(ProofError) as refused:
        verified(log_of({**FILES, name: bytes(data)}))
    assert (refused.value.index, refused.value.tile) == (512 + 3, name)
    for missing in ("tile/0/003", "tile/1/000.p/5", "tile/entries/003"):
        with pytest.raises(ProofError, match="there is no") as refused:
            verified(log_of(without([missing])))
        assert refused.value.tile == missing


def test_a_public_copy_lacks_the_entries_of_the_last_day_and_no_more() -> None:
    """Leaves are 30 s apart: 1300 of them end 10 h 50 min after the first, at 01 h."""
    last_s = BEGAN_NS // 10**9 + 1300 * 30
    for first, after_s, withheld in ((5, 25, False), (5, 27, True), (4, 23, False), (2, 19, False), (2, 21, True)):
        files = files_of(LEAVES, note_of(LEAVES, time_s=last_s + after_s * 3600))
        shown = {name: data for name, data in files.items() if name not in bundles(first)}
        if withheld:
            with pytest.raises(ProofError, match="withheld") as refused:
                verified(log_of(shown))
            assert refused.value.index == 256 * first
        else:
            found = verified(log_of(shown))
            assert (found.entries, found.pending) == (256 * first, 1300 - 256 * first)


def test_entries_that_were_there_a_day_ago_are_not_withheld_either() -> None:
    files = without(bundles(0))
    verified(log_of(files), since=[note_of(LEAVES[:600], time_s=WITNESSED_S - DAY_S)])
    with pytest.raises(ProofError, match="withheld"):
        verified(log_of(files), since=[note_of(LEAVES[:600], time_s=WITNESSED_S - DAY_S - 4 * 3600)])


def test_hashes_of_entries_that_are_not_public_are_verified() -> None:
    files = files_of(LEAVES, note_of(LEAVES, time_s=BEGAN_NS // 10**9 + DAY_S))
    shown = {name: data for name, data in files.items() if name not in bundles(2)}
    verified(log_of(shown))
    with pytest.raises(ProofError) as refused:
        verified(log_of({**shown, "tile/0/003": shown["tile/0/003"][:-1] + b"x"}))
    assert refused.value.tile == "tile/0/003"


def test_sizes_that_no_log_has_are_refused_at_once() -> None:
    for size in (2**63, 2**64 - 1):
        body = f"{LOG.name}\n{size}\n{'A' * 43}=\n"
        note = replace(
            note_of(LEAVES).note, text=body, signatures=(LOG.sign(body), *(w.sign(body) for w in WITNESSES[:2]))
        )
        with pytest.raises(ProofError):
            verified(log_of({**FILES, "checkpoint": note.encode()}))


# --- 4 ----------------------------------------------------------------------------------------------------------------


def hours(*spans: tuple[str, int] | str) -> list[bytes]:
    """Leaves of padding in these hours, or one leaf of another type in the hour before."""
    leaves, hour = [], ""
    for span in spans:
        kind, count = (span, 1) if isinstance(span, str) else ("padding", span[1])
        hour = hour if isinstance(span, str) else f"2026-11-26T{span[0]}:00:00Z"
        leaves += [Leaf(kind, hour, "a" * 64).dump()] * count
    return leaves


@pytest.mark.parametrize(
    ("leaves", "first"),
    [
        (hours(("10", 5), ("11", 5), ("10", 5), ("11", 5)), None),
        (hours(("10", 5), ("12", 5), ("10", 5), ("12", 300)), 10),
        (hours(("10", 5), ("12", 5), ("10", 5)), 10),
        (hours(("12", 5), "clock.jumped", ("10", 400)), None),
        (hours(("12", 5), ("10", 200), "clock.jumped", ("10", 400)), None),
        (hours(("12", 5), ("10", 300), "clock.jumped", ("10", 400)), 5),
        (hours("padding"), 0),
        ([LEAVES[0], LEAVES[1][:-1] + b" }"], 1),
        ([LEAVES[0], Leaf("padding", "2026-13-26T14:00:00Z", "a" * 64).dump()], 1),
    ],
)
def test_leaves_are_of_one_form_and_their_hours_go_on(leaves: list[bytes], first: int | None) -> None:
    if first is None:
        verified(log_of(files_of(leaves)))
        return
    with pytest.raises(ProofError) as refused:
        verified(log_of(files_of(leaves)))
    assert refused.value.index == first


def back(book: Book, minutes: float, *, explained: bool = False) -> None:
    """An entry that says an earlier time than the one before it."""
    book.add("authorisation.discarded", "clock", {"authorisation": "a"}, after_s=-60 * minutes)
    if explained:
        book.add("clock.jumped", "clock", {})
    for _ in range(300):
        book.add("padding", "log", {}, after_s=30)


@pytest.mark.parametrize(
    ("minutes", "explained", "holds"), [(0.9, False, True), (50, True, True), (50, False, False), (1.1, False, False)]
)
def test_times_of_entries_go_on(minutes: float, *, explained: bool, holds: bool) -> None:
    book = Book()
    book.now_ns += 40 * 60 * 10**9  # of the hour, so that no hour goes back
    for _ in range(4):
        book.add("padding", "log", {})
    back(book, minutes, explained=explained)
    files = files_of(book.leaves())
    if holds:
        verified(log_of(files), book=book)
        return
    with pytest.raises(ProofError, match="goes back in time") as refused:
        verified(log_of(files), book=book)
    assert refused.value.index == 4
    verified(log_of(files))


# --- 6, 7 -------------------------------------------------------------------------------------------------------------


def book_of(count: int = 300) -> Book:
    book = Book()
    for number in range(count):
        hidden = {"camera": "c1"} if number % 50 == 7 else None
        book.add("alert.seen-again", "review", {"alert": f"alert-{number}", "similarity": 0.5, "é": "ü"}, hidden)
    return book


def test_openings_are_what_the_leaves_committed_to() -> None:
    steps: list[Step] = []
    book = book_of()
    verified(log_of(files_of(book.leaves())), book=book, steps=steps)
    assert {step.number: step.count for step in steps if step.number in "67"} == {"6": 300, "7": 6}
    assert all(step.checked for step in steps if step.number != "2")


def change(name: str, value: object) -> Callable[[Book], None]:
    def changed(book: Book) -> None:
        book.openings[260] = {**book.openings[260], name: value}

    return changed


def swapped(book: Book) -> None:
    book.openings[260], book.openings[261] = book.openings[261], book.openings[260]


def uncovered(book: Book) -> None:
    book.hidden[260] = {"salt": "0" * 32, "camera": "c2"}


def shortened(book: Book) -> None:
    del book.openings[260:], book.hidden[260:]


@pytest.mark.parametrize(
    "spoil", [change("actor", "x"), change("salt", "0" * 32), change("more", 1), swapped, uncovered, shortened]
)
def test_openings_that_are_not_are_named(spoil: Callable[[Book], None]) -> None:
    book = book_of()
    files = files_of(book.leaves())
    spoil(book)
    with pytest.raises(ProofError) as refused:
        verified(log_of(files), book=book)
    assert refused.value.index == 260


@pytest.mark.parametrize(
    ("name", "value"),
    [("seq", 261), ("seq", True), ("v", 2), ("at", "2026"), ("hidden", 3), ("body", []), ("salt", "")],
)
def test_an_opening_that_fits_its_commitment_has_to_make_sense(name: str, value: object) -> None:
    """The operator commits to what is no opening, or to another number."""
    book = book_of()
    change(name, value)(book)
    leaves = book.leaves()
    digest = hashlib.sha256(rfc8785.dumps(book.openings[260])).hexdigest()
    leaves[260] = Leaf("alert.seen-again", Leaf.parse(book_of().leaves()[260]).hour, digest).dump()
    with pytest.raises(ProofError) as refused:
        verified(log_of(files_of(leaves)), book=book)
    assert refused.value.index == 260


@pytest.mark.parametrize(
    "line", [b"", b"{", b"\xff\n", b"[]", b"{}", b'{"opening":{},"hidden":null}', b"NaN", b"[" * 9999]
)
def test_lines_that_are_none_are_refused(line: bytes) -> None:
    class Spoilt(Book):
        def lines(self, seq: int) -> Any:  # noqa: ARG002 - as a book's
            yield line

    with pytest.raises(ProofError) as refused:
        verified(log_of(files_of(book_of().leaves())), book=Spoilt())
    assert refused.value.index == 0


def test_what_cannot_be_opened_was_due() -> None:
    book = book_of()
    leaves = book.leaves()
    book.hidden[57] = None
    with pytest.raises(ProofError, match="destroyed, and nothing says that this was due") as refused:
        verified(log_of(files_of(leaves)), book=book)
    assert refused.value.index == 57
    book.add("alert.destroyed", "review", {"alert": "alert-57", "verdicts": [], "why": "expired"})
    steps: list[Step] = []
    verified(log_of(files_of(book.leaves())), book=book, steps=steps)
    assert "1 were destroyed when due" in {step.note for step in steps}


def test_the_entries_have_to_keep_the_rules() -> None:
    book = book_of(3)
    book.add("alert.decided", "review", {"alert": "a", "outcome": "confirmed", "verdicts": []})
    steps: list[Step] = []
    with pytest.raises(ProofError, match="two persons") as refused:
        verified(log_of(files_of(book.leaves())), book=book, steps=steps)
    assert refused.value.index == 3
    assert steps[-1].number == "8.8", "what held is told"


# --- 5 ----------------------------------------------------------------------------------------------------------------


class Epochs:
    """Two epochs: the second goes on from entry 290 of 300, as two people said; `last`: what the first ends with."""

    def __init__(
        self,
        *approvers: str,
        last: Sequence[tuple[str, dict[str, Any]]] = (),
        kept: bool = True,
        prior_size: int = 300,
        first_seq: int = 290,
    ) -> None:
        self.kept = kept
        self.first = Book()
        for name in ("abe", "bea"):
            self.first.add("account.added", "init", {"account": name, "person": name})
            self.first.add(
                "role.granted-first", "init", {"account": name, "grant": name, "role": "approver", "zones": []}
            )
        self.first.add("log.epoch", "node", self.facts(1, LOG, "", 0))
        while len(self.first.openings) < 300 - len(last):
            self.first.add("padding", "log", {})
        for kind, body in last:
            self.first.add(kind, "review", body)
        leaves = self.first.leaves()
        self.prior = note_of(leaves[:prior_size]).checkpoint.body
        self.second = Book(first_seq, self.first.now_ns)
        digest = hashlib.sha256(rfc8785.dumps({"first_seq": first_seq, "prior": self.prior})).hexdigest()
        self.second.add("padding", "log", {})
        for name in approvers or ("abe", "bea"):
            body = {"action": "epoch", "approval": "ok", "object": "epoch-2", "sha256": digest}
            self.second.add("approval.given", name, body)
        self.second.add("log.epoch", "bea", self.facts(2, SECOND, self.prior, first_seq))
        self.listed = [self.facts(1, LOG, "", 0), self.facts(2, SECOND, self.prior, first_seq)]

    @staticmethod
    def facts(number: int, log: Log, prior: str, first_seq: int) -> dict[str, Any]:
        return {
            "first_seq": first_seq,
            "number": number,
            "origin": log.name,
            "prior": prior,
            "vkey": log.verifier.encode(),
        }

    def logs(self) -> tuple[EpochLog, ...]:
        folders = {
            "1": Memory(files_of(self.first.leaves())),
            "2": Memory(files_of(self.second.leaves(), note_of(self.second.leaves(), SECOND))),
        }
        return logs_at(Memory({EPOCHS: json.dumps(self.listed).encode()}), folders.__getitem__)

    def lines(self, seq: int) -> Any:
        kept = self.first.openings[: self.second.first_seq]
        for opening in [*kept, *self.second.openings][seq:]:
            yield json.dumps({"opening": opening, "hidden": None}).encode()

    def left_behind(self, number: int) -> Any:
        assert number == 1
        for opening in self.first.openings[self.second.first_seq :] if self.kept else ():
            yield json.dumps({"opening": opening, "hidden": None}).encode()

    def verify(self, *, opened: bool, since: Sequence[SignedCheckpoint] = ()) -> list[Step]:
        steps: list[Step] = []
        verified(*self.logs(), keys=(LOG, SECOND), since=since, book=self if opened else None, steps=steps)
        return steps


@pytest.mark.parametrize("opened", [True, False])
def test_an_epoch_goes_on_from_a_checkpoint_of_the_one_before(*, opened: bool) -> None:
    steps = Epochs().verify(opened=opened)
    assert steps[4].note == ("10 entries of earlier epochs are in no later one" if opened else "")
    assert steps[0].count == 2
    with pytest.raises(ProofError, match="does not follow"):
        Epochs(first_seq=301).verify(opened=opened)
    forked = Epochs()
    forked.listed[1]["prior"] = note_of(plain_leaves(295)).checkpoint.body
    with pytest.raises(ProofError, match="not in the log of epoch 1"):
        forked.verify(opened=opened)


def test_an_epoch_takes_two_approvers_of_this_checkpoint() -> None:
    with pytest.raises(ProofError, match="two approvers did not approve it"):
        Epochs("abe", "abe").verify(opened=True)
    other = Epochs()
    other.second.openings[-1]["body"]["prior"] = note_of(other.first.leaves()[:294]).checkpoint.body
    with pytest.raises(ProofError, match="does not say what the list of epochs says"):
        other.verify(opened=True)
    with pytest.raises(ProofError, match="no key was given"):
        verified(*Epochs().logs(), keys=(LOG,))


@pytest.mark.parametrize("opened", [True, False])
def test_an_epoch_goes_on_from_all_that_others_have_seen_of_the_one_before(*, opened: bool) -> None:
    for size in (20, 299):
        short = Epochs(prior_size=size, first_seq=20)
        for since in ((), (note_of(short.first.leaves()[:200]),)):
            with pytest.raises(ProofError, match=f"goes on from {size} entries of epoch 1, which has 300"):
                short.verify(opened=opened, since=since)


UNAPPROVED = ("authorisation.active", {"authorisation": "a1", "confirmed": True, "ends": utc(BEGAN_NS), "sha256": "a"})
CONFIRMED = ("alert.decided", {"alert": "a", "outcome": "confirmed", "verdicts": []})


def test_what_an_epoch_leaves_behind_is_opened_and_judged_too() -> None:
    assert Epochs().verify(opened=True)[5].count == 304
    with pytest.raises(ProofError, match="entry 290 is missing") as refused:
        Epochs(kept=False).verify(opened=True)
    assert refused.value.index == 290
    assert "1/left-behind.jsonl" in refused.value.remedy
    for entry, what in ((UNAPPROVED, "nobody asked for it"), (CONFIRMED, "two persons")):
        with pytest.raises(ProofError, match=what) as refused:
            Epochs(last=[entry]).verify(opened=True)
        assert refused.value.index == 299
        Epochs(last=[entry]).verify(opened=False)
    changed = Epochs(last=[UNAPPROVED])
    logs = changed.logs()
    changed.first.openings[-1] = {**changed.first.openings[-1], "type": "padding"}
    with pytest.raises(ProofError, match="not what the leaf committed to"):
        verified(*logs, keys=(LOG, SECOND), book=changed)


def test_an_epoch_has_an_entry_that_begins_it() -> None:
    plain = Epochs()
    plain.second.openings[-1]["type"] = "padding"
    with pytest.raises(ProofError, match="no entry of its log begins epoch 2"):
        plain.verify(opened=False)
    with pytest.raises(ProofError, match="no entry begins epoch 2"):
        plain.verify(opened=True)


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"[1]", b"[{}]", b"\xff", b"[" * 99_999],
)
def test_a_list_of_epochs_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises((FormatError, InputError)):
        logs_at(Memory({EPOCHS: data}), lambda _name: Memory({}))


def test_a_list_of_epochs_counts_from_one_and_begins_with_entry_0() -> None:
    for number, first_seq in ((2, 0), (1, 1), (True, 0)):
        told = Epochs.facts(number, LOG, "", first_seq)
        with pytest.raises(FormatError):
            logs_at(Memory({EPOCHS: json.dumps([told]).encode()}), lambda _name: Memory({}))


# --- proofs of one entry ----------------------------------------------------------------------------------------------


def test_a_proof_is_made_of_the_files_and_checked_without_them() -> None:
    for seq in (0, 255, 256, 1299):
        proof = parse_proof(prove((log_of(FILES),), seq).encode())
        assert proof.extra == LEAVES[seq]
        verify_proof(proof, LEAVES[seq], LOG.verifier, POLICY)
    with pytest.raises(InputError, match="1300 entries"):
        prove((log_of(FILES),), 1300)
    with pytest.raises(InputError, match="no tile/entries"):
        prove((log_of(without(bundles(5))),), 1299)
    later = prove(Epochs().logs(), 292)
    assert (later.index, later.signed.checkpoint.origin) == (2, SECOND.name)


def test_the_times_of_these_tests_are_those_of_their_witnesses() -> None:
    believed = verify_checkpoint(FILES["checkpoint"], LOG.verifier, POLICY)
    assert {one.time_s for one in believed.cosignatures} == {WITNESSED_S}
    assert utc(BEGAN_NS).startswith("2026-11-26T14:15:12")
