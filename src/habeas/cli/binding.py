"""Approving exactly what was shown: the hash that an approval binds, typed by a person or resolved before one."""

import re
import sys
from typing import Annotated, Final

import typer

from habeas.cli.output import plain
from habeas.errors import RuleError, UsageError

Hash = Annotated[str, typer.Option("--hash", help="Of what `show` printed, at least its first 12 characters.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask: do exactly what is printed. Needs no terminal.")]
SHORT: Final = 12
_HASH: Final = re.compile(r"[0-9a-f]{12,64}")


def confirmed_hash(shown: str, given: str, *, yes: bool) -> str:
    """Return the hash to approve: of what was just shown, once a person said yes or named it.

    Args:
        shown: whole, of what the node says now.
        given: by `--hash`, or empty.
        yes: do not ask.

    Raises:
        UsageError: no terminal, no hash and no yes, or not a hash.
        RuleError: the hash is of something else.
        Abort: the person said no.
    """
    there = sys.stdin.isatty()
    if not (there or given or yes):
        raise UsageError(
            "there is no terminal to ask at",
            remedy="look with `show`, then give the hash it printed: --hash HASH; or --yes, for what is printed now",
        )
    if given and not _HASH.fullmatch(given.lower()):
        raise UsageError(f"{given!r} is no such hash", remedy=f"give at least the first {SHORT} characters of it")
    if given and not shown.startswith(given.lower()):
        raise RuleError(
            "this is not what you were shown: it changed, or the hash is of something else",
            rule="content-changed",
            remedy="look at it again, and approve what it says now",
        )
    if there and not yes and not typer.confirm(f"Approve exactly this ({plain(shown[:SHORT])})?", err=True):
        raise UsageError("not approved", remedy="nothing was changed")
    return shown


def agree(question: str) -> None:
    """Ask at the terminal.

    Raises:
        UsageError: there is none, or the person said no.
    """
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at", remedy="run it again with --yes; nothing was changed")
    if not typer.confirm(plain(question), err=True):
        raise UsageError("not agreed", remedy="nothing was changed")
