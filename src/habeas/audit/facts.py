"""An entry as replaying takes it (`audit.replay`): who, when, what it says; how it changes a record of the state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from habeas.audit.state import State
from habeas.clock import ns_of_utc

RESTORED: Final = "database.restored"
_T = TypeVar("_T")


@dataclass(frozen=True)
class Fact:
    """An entry: who, when, and what it says.

    Args:
        actor: account id, or the part of the program that acted.
        at_ns: when.
        body: of the opening.
        hidden: what else it says, as far as that was opened.
    """

    actor: str
    at_ns: int
    body: Mapping[str, Any]
    hidden: Mapping[str, Any]

    def ns(self, name: str) -> int:
        """Return a time of the body."""
        return ns_of_utc(self.body[name])

    def ns_or_none(self, name: str) -> int | None:
        """Return a time of the body that may not be."""
        return None if self.body[name] is None else ns_of_utc(self.body[name])


Change = Callable[[State, Fact], None]
"""What a type of entry changes."""


def change(state: State, records: dict[str, _T], name: str, /, **values: Any) -> None:
    """Change a record. After a restore one that is in no entry may have been carried over: it is passed over."""
    if name in records or RESTORED not in state.kinds:
        records[name] = replace(records[name], **values)  # type: ignore[type-var]  # all records are dataclasses
