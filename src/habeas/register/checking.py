"""Computing a register anew from an auditor's export: whether it says what the log says."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from habeas.audit.checkpoint import SignedCheckpoint, parse_checkpoint
from habeas.audit.entry import PADDING
from habeas.audit.fetching import Openings
from habeas.audit.replay import Opened
from habeas.clock import ns_of_utc
from habeas.errors import FormatError, HabeasError, InputError, ProofError
from habeas.register.delays import cut_ns
from habeas.register.document import Document, as_json, first_difference, stated_of
from habeas.register.figures import Stated, register_of
from habeas.register.fold import at_of, folds
from habeas.types import NS_PER_S

LATE_NS: Final = 15 * 60 * NS_PER_S
"""A register is made of what the log said at most so long before."""
_REMEDY: Final = "ask the operator; keep this copy, it is evidence"


def opened_entries(openings: Openings) -> Iterator[Opened]:
    """Yield the entries of an export.

    Raises:
        FormatError: a line is none.
        ProofError: one is missing.
    """
    for seq, line in enumerate(openings.lines(0)):
        yield _opened(line, seq)


def _opened(line: bytes, seq: int) -> Opened:
    try:
        told: Any = json.loads(line)
        opening = told["opening"]
        fits = opening["seq"] == seq and isinstance(opening["type"], str) and isinstance(opening["body"], dict)
        fits = fits and isinstance(opening["actor"], str) and isinstance(told["hidden"], dict | None)
    except (ValueError, TypeError, KeyError, RecursionError):
        fits = False
    if not fits:
        raise FormatError(f"line {seq} of the export is not the opening of entry {seq}", remedy="verify it first")
    entry: Opened = told
    return entry


def computed(
    openings: Openings, made_ns: int, stated: Stated, head: SignedCheckpoint | None, *, exact: bool = False
) -> Document:
    """Return the register of an export, as of an instant.

    Raises:
        HabeasError: the export cannot be read, or is none.
    """
    made = folds(opened_entries(openings), cut_ns(made_ns))
    return as_json(register_of(made, made_ns, stated, head, exact=exact))


@dataclass(frozen=True)
class Checked:
    """A register that holds.

    Args:
        entries: number of the first entry that it does not know.
        exact: the same register with nothing merged or held back, for auditors.
    """

    entries: int
    exact: Document


def check(published: Document, openings: Openings) -> Checked:
    """Compute every number of a register anew.

    What the operator states is taken as it is: no log can show it.

    Args:
        published: from `document.parse`.
        openings: of an export that is verified, and not older than the register.

    Raises:
        ProofError: something differs; the first is named.
        InputError: the export is older than the register.
    """
    made_ns, entries_now, head = _given(published)
    after: list[Opened] = []
    known = folds(_kept(opened_entries(openings), entries_now, after), cut_ns(made_ns))
    if known.now.state.taken < entries_now:
        raise InputError(
            f"the export ends before entry {entries_now}, which the register knows", remedy="ask for a newer export"
        )
    if after and at_of(after[0]) + LATE_NS < made_ns:
        seq = after[0]["opening"]["seq"]
        raise ProofError(f"entries_now: it leaves out entry {seq}, of long before it was made", remedy=_REMEDY)
    document = as_json(register_of(known, made_ns, stated_of(published), head, exact=published["exact"] is True))
    different = first_difference(published, document)
    if different is not None:
        raise ProofError(different, remedy=_REMEDY)
    return Checked(entries_now, as_json(register_of(known, made_ns, stated_of(published), head, exact=True)))


def _given(published: Document) -> tuple[int, int, SignedCheckpoint | None]:
    """Return what a register begins with, and cannot be computed: when, how far the log was known, its head."""
    log, entries_now = published["log"], published["entries_now"]
    try:
        made_ns = ns_of_utc(published["made"])
        head = None if log is None else parse_checkpoint(log["checkpoint"].encode())
    except (AttributeError, TypeError, KeyError, HabeasError) as error:
        raise FormatError(f"its time or checkpoint is none: {error}", remedy=_REMEDY) from error
    if type(entries_now) is not int or entries_now < 0:
        raise FormatError("entries_now is no number", remedy=_REMEDY)
    return made_ns, entries_now, head


def _kept(entries: Iterable[Opened], entries_now: int, after: list[Opened]) -> Iterator[Opened]:
    """Yield the entries before a number; put the first one after that says something aside."""
    for one in entries:
        opening = one["opening"]
        if opening["seq"] < entries_now:
            yield one
        elif opening["type"] != PADDING:
            after.append(one)
            return
