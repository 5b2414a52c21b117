"""What the openings of a log tell, in their order, as far as a claim is about it.

An operator who cheats writes openings too: nothing here trusts a field to be there, or to be of its kind.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from habeas.audit.canonical import commits
from habeas.audit.entry import VERSION, Leaf
from habeas.audit.facts import RESTORED
from habeas.clock import ns_of_utc
from habeas.errors import InputError, ProofError
from habeas.types import NS_PER_S

_REMEDY: Final = "ask the operator; keep this copy, it is evidence"
_FIELDS: Final = {"actor", "at", "body", "hidden", "salt", "seq", "type", "v"}
_SALT: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SILENCE_NS: Final = 2 * 60 * NS_PER_S
"""Without any entry for so long, the node was off."""


@dataclass(frozen=True)
class Said:
    """An entry that was opened.

    Args:
        seq: its number.
        index: in its epoch's log.
        kind: its type.
        actor: account id, or the part of the program that acted.
        at_ns: when, Unix nanoseconds.
        body: what the opening says, with what it hides, as far as that was opened.
        sealed: it hides something that was not opened.
        opened: it hides something that was.
    """

    seq: int
    index: int
    kind: str
    actor: str
    at_ns: int
    body: Mapping[str, Any]
    sealed: bool = False
    opened: bool = False

    def broken(self, what: str) -> ProofError:
        """Return the error that this entry breaks a claim."""
        return ProofError(f"entry {self.seq} ({self.kind}): {what}", remedy=_REMEDY, index=self.index)

    def text(self, name: str) -> str:
        """Return a field.

        Raises:
            ProofError: there is no such text.
        """
        value = self.body.get(name)
        if not isinstance(value, str):
            raise self.broken(f"it does not say {name}")
        return value

    def time_ns(self, name: str) -> int:
        """Return a time, Unix nanoseconds.

        Raises:
            ProofError: there is none.
        """
        try:
            return ns_of_utc(self.text(name))
        except InputError:
            raise self.broken(f"{name} is no time") from None

    def items(self, name: str) -> list[Any]:
        """Return a list.

        Raises:
            ProofError: there is none.
        """
        value = self.body.get(name)
        if not isinstance(value, list):
            raise self.broken(f"it does not list {name}")
        return value

    def fields(self, name: str) -> Mapping[str, Any]:
        """Return an object.

        Raises:
            ProofError: there is none.
        """
        value = self.body.get(name)
        if not isinstance(value, dict):
            raise self.broken(f"it has no {name}")
        return value


# --- opening one entry ------------------------------------------------------------------------------------------------


def _no_json(text: str) -> object:
    raise ValueError(text)


_READER: Final = json.JSONDecoder(parse_constant=_no_json)


def open_entry(line: bytes, seq: int, index: int, leaf: Leaf) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    """Return an opening and what it hides, if both are what the leaf committed to.

    Args:
        line: `{"opening": {...}, "hidden": {...} or null}`.
        seq: the entry's number.
        index: of the leaf, in its log.
        leaf: which is verified.

    Raises:
        ProofError: they are not.
    """
    try:
        told = _READER.decode(line.decode("utf-8"))
        opening, hidden = told["opening"], told["hidden"]
        opened = commits(leaf.commitment, opening)
        _check(opening, seq, index, leaf, opened=opened)
        uncovered = hidden is None or commits(opening["hidden"] or "", hidden)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _unopened(seq, index, "its opening cannot be read") from None
    if not uncovered:
        raise _unopened(seq, index, "what it hides is not what the opening committed to")
    return opening, hidden


def _check(opening: Any, seq: int, index: int, leaf: Leaf, *, opened: bool) -> None:
    if not opened:
        raise _unopened(seq, index, "its opening is not what the leaf committed to")
    fits = (
        isinstance(opening, dict)
        and opening.keys() == _FIELDS
        and opening["v"] == VERSION
        and isinstance(opening["actor"], str)
        and isinstance(opening["at"], str)
        and isinstance(opening["salt"], str)
        and isinstance(opening["type"], str)
        and isinstance(opening["body"], dict)
        and _SALT.fullmatch(opening["salt"])
        and (opening["hidden"] is None or (isinstance(opening["hidden"], str) and _SHA256.fullmatch(opening["hidden"])))
    )
    if not fits:
        raise _unopened(seq, index, "its opening is not of the form that it should be")
    if type(opening["seq"]) is not int or opening["seq"] != seq:
        raise _unopened(seq, index, f"its opening says that it is entry {opening['seq']}")
    if opening["type"] != leaf.kind or f"{opening['at'][:13]}:00:00Z" != leaf.hour:
        raise _unopened(seq, index, "leaf and opening say another type or hour")


def _unopened(seq: int, index: int, what: str) -> ProofError:
    return ProofError(f"entry {seq}: {what}", remedy=_REMEDY, index=index)


# --- all of them ------------------------------------------------------------------------------------------------------


class History:
    """The entries that claims are about, as they come. Not thread-safe."""

    def __init__(self) -> None:
        self._by_kind: dict[str, list[Said]] = defaultdict(list)
        self._by_object: dict[tuple[str, str], list[Said]] = defaultdict(list)
        self._gaps: list[tuple[int, int]] = []
        self._moment: tuple[int, list[int]] = (0, [])
        """The time of the latest entry; numbers of what was carried over in those of it, that follow one another."""
        self._carried: dict[int, Said] = {}
        """By number of an entry of something that was carried over: that of the restore, in whose transaction it is."""
        self.until_ns = 0
        """The latest time that an entry says."""

    def add(self, said: Said) -> None:
        """Take the next entry.

        Args:
            said: of a higher number than those before.
        """
        if self.until_ns and said.at_ns - self.until_ns > _SILENCE_NS:
            self._gaps.append((self.until_ns, said.at_ns))
        self.until_ns = max(self.until_ns, said.at_ns)
        self._gather(said)
        if said.kind not in KEPT:
            return
        self._by_kind[said.kind].append(said)
        for name in _OBJECTS:
            value = said.body.get(name)
            if isinstance(value, str):
                self._by_object[said.kind, value].append(said)

    def _gather(self, said: Said) -> None:
        """Find what one transaction carried over: its entries follow one another, all of one time."""
        if self._moment[0] != said.at_ns:
            self._moment = said.at_ns, []
        if said.actor == _RESTORE and said.kind in CARRIED:
            self._moment[1].append(said.seq)
        elif said.actor == _RESTORE and said.kind == RESTORED:
            self._carried.update(dict.fromkeys(self._moment[1], said))
            self._moment[1].clear()

    def restored_by(self, said: Said) -> Said | None:
        """Return the entry of the restore that carried something over; None: none did."""
        return self._carried.get(said.seq)

    def all(self, *kinds: str) -> list[Said]:
        """Return the entries of these types, in their order."""
        return sorted((said for kind in kinds for said in self._by_kind.get(kind, ())), key=lambda said: said.seq)

    def about(self, object_id: str, *kinds: str) -> list[Said]:
        """Return the entries of these types that name this object, in their order."""
        found = {said.seq: said for kind in kinds for said in self._by_object.get((kind, object_id), ())}
        return [found[seq] for seq in sorted(found)]

    def person(self, account: str) -> str:
        """Return the person of an account: their first account that can be told. No account stands for itself."""
        passed = {account}
        while added := self.about(account, "account.added"):
            account = str(added[0].body.get("person", account))
            if account in passed:
                break
            passed.add(account)
        return account

    def persons(self, accounts: Iterable[str]) -> set[str]:
        """Return the persons of accounts."""
        return {self.person(account) for account in accounts}

    def held(self, account: str, role: str, used: Said, before_seq: int | None = None) -> bool:
        """Tell whether an account held a role when an entry used it, and nobody took it away before a later one.

        Args:
            account: which.
            role: by name.
            used: the entry.
            before_seq: where that still counts; None: at the entry itself.
        """
        return role in self.roles(account, used, used.seq if before_seq is None else before_seq)

    def roles(self, account: str, used: Said, before_seq: int) -> set[str]:
        """Return the roles that an account held, as in `held`."""
        return {
            said.text("role")
            for said in self.granted(account, used.seq)
            if (said.kind == FIRST or said.time_ns("usable_from") <= used.at_ns) and not self._taken(said, before_seq)
        }

    def granted(self, account: str, before_seq: int) -> list[Said]:
        """Return the entries that gave an account its roles; those not taken away, and the first ones in their time."""
        return [
            said
            for said in self.about(account, "role.granted", FIRST)
            if said.seq < before_seq
            and (said.kind != FIRST or self.is_first(said))
            and not self._taken(said, before_seq)
        ]

    def is_first(self, said: Said) -> bool:
        """Tell whether `init` wrote an entry, before the node ran for the first time, and anybody approved anything."""
        began = [one for kind in ("node.started", "approval.given") for one in self._by_kind.get(kind, ())[:1]]
        return said.actor == "init" and all(one.seq > said.seq for one in began)

    def _taken(self, granted: Said, before_seq: int) -> bool:
        role, account = granted.text("role"), granted.text("account")
        return any(
            granted.seq < said.seq < before_seq and said.body.get("role", role) == role
            for said in self.about(account, "role.revoked", "account.disabled", "account.forgotten", "account.reset")
        )

    def fork(self) -> "History":
        """Return what is known so far, to go on another way."""
        other = History()
        other._by_kind.update({kind: list(said) for kind, said in self._by_kind.items()})
        other._by_object.update({key: list(said) for key, said in self._by_object.items()})
        other._gaps, other.until_ns = list(self._gaps), self.until_ns
        other._moment, other._carried = (self._moment[0], list(self._moment[1])), dict(self._carried)
        return other

    def dumb_ns(self, from_ns: int, until_ns: int) -> int:
        """Return for how long of a stretch of time a node that ran wrote nothing: it could not, and did not stop."""
        begins = {said.at_ns for said in self._by_kind.get("node.started", ())}
        gaps = ((silent_ns, again_ns) for silent_ns, again_ns in self._gaps if again_ns not in begins)
        return sum(max(0, min(until_ns, again_ns) - max(from_ns, silent_ns)) for silent_ns, again_ns in gaps)

    def latest_ns(self, due_ns: int, within_ns: int) -> int:
        """Return until when something that was due had to be done; later where nothing was written meanwhile.

        A node that runs writes entries every half minute, whatever happens. One that was off does what is due when it
        runs again.

        Args:
            due_ns: when it was due.
            within_ns: how long it may take.
        """
        latest_ns = due_ns + within_ns
        for silent_ns, again_ns in self._gaps:
            if silent_ns < latest_ns and again_ns > due_ns:
                latest_ns = again_ns + within_ns
        return latest_ns


IMPOSED: Final = ("suspension.imposed", "suspension.carried")
"""Types of entries from which on a suspension binds."""
CARRIED: Final = frozenset({"hold.carried", "suspension.carried"})
_RESTORE: Final = "restore"
FIRST: Final = "role.granted-first"
"""Type of the entry of a role that nobody had to grant."""
_OBJECTS: Final = (
    *(
        "access",
        "account",
        "alert",
        "authorisation",
        "camera",
        "evidence",
        "export",
        "grant",
        "hold",
        "object",
        "policy",
        "suspension",
    ),
)
"""Fields of bodies that name what an entry is about."""
KEPT: Final = frozenset(
    {
        "access.approved",
        "access.closed",
        "access.destroyed",
        "access.opened",
        "access.refused",
        "access.search-began",
        "account.added",
        "account.disabled",
        "account.forgotten",
        "account.reset",
        "alert.decided",
        "alert.destroyed",
        "alert.last-seen",
        "alert.playback-ended",
        "alert.playback-made",
        "alert.played",
        "alert.raised",
        "alert.seen-again",
        "approval.given",
        "authorisation.active",
        "authorisation.amended",
        "authorisation.discarded",
        "authorisation.drafted",
        "authorisation.expired",
        "authorisation.refused",
        "authorisation.revoked",
        "authorisation.submitted",
        "camera.added",
        "camera.counted",
        "camera.removed",
        "canary.leaked",
        "canary.missed",
        "canary.seen",
        "evidence.destroyed",
        "evidence.discarded",
        "evidence.shortened",
        "evidence.uploaded",
        "export.approved",
        "export.began",
        "export.discarded",
        "export.ended",
        "export.fetched",
        "export.proposed",
        "export.refused",
        "footage.began",
        "footage.destroyed",
        "footage.found",
        "footage.played",
        "footage.search-began",
        "footage.shortened",
        "hold.approved",
        "hold.carried",
        "hold.ended",
        "hold.kept",
        "hold.lapsed",
        "hold.proposed",
        "hold.refused",
        "hold.released",
        "log.epoch",
        "node.started",
        "policy.approved",
        "policy.first",
        "policy.proposed",
        "role.granted",
        FIRST,
        "role.proposed",
        "role.revoked",
        *IMPOSED,
        "suspension.lift-proposed",
        "suspension.lifted",
        "verdict.given",
        "view.alert",
    }
)
"""Types of entries that some claim looks at; the others are not kept in memory."""


def said_of(opening: Mapping[str, Any], hidden: Mapping[str, Any] | None, index: int) -> Said:
    """Return an opened entry.

    Raises:
        ProofError: its time is none.
    """
    try:
        at_ns = ns_of_utc(opening["at"])
    except InputError:
        raise _unopened(opening["seq"], index, "its time is none") from None
    body = {**(hidden if isinstance(hidden, dict) else {}), **opening["body"]}
    hides = opening["hidden"] is not None
    return Said(
        opening["seq"],
        index,
        opening["type"],
        opening["actor"],
        at_ns,
        body,
        sealed=hides and hidden is None,
        opened=hides and hidden is not None,
    )
