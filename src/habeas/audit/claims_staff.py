"""When nobody can tell any more which accounts were one person's: the names of the older ones were due to go."""

from typing import Final

from habeas.audit.claims_shared import SKEW_NS
from habeas.audit.history import History, Said
from habeas.types import DAY_NS

NAMED_NS: Final = 4 * 365 * DAY_NS
"""How long the name of an account is kept at least (docs/decisions/0015)."""


def link_is_due(said: Said, history: History) -> bool:
    """Tell whether `account.added` may hide for good which account it follows: one of those is forgotten by now.

    Which one it was lies in what is gone. The log says that some account, older than this one, was forgotten after this
    one was added, and not before its name had been kept for four years.
    """
    return said.kind == "account.added" and any(
        forgotten.seq > said.seq and _was_due(forgotten, said, history)
        for forgotten in history.all("account.forgotten")
    )


def _was_due(forgotten: Said, follower: Said, history: History) -> bool:
    added = history.about(forgotten.text("account"), "account.added")
    return any(one.seq < follower.seq and forgotten.at_ns - one.at_ns >= NAMED_NS - SKEW_NS for one in added)
