"""Tables and facts for people to read. Everything in them came from elsewhere, and is printed as plain text."""

import io
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from habeas.cli.output import plain, say

_NO_TERMINAL_COLUMNS: Final = 4000
"""A pipe has no width: nothing is folded."""


def table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, none: str) -> None:
    """Print a table to standard output; its first column, ids and names to be copied, is never folded.

    Args:
        headings: of the columns.
        rows: a text for each column.
        none: what to say where there is no row.
    """
    if not rows:
        say(none)
        return
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for number, heading in enumerate(headings):
        drawn.add_column(heading, no_wrap=number == 0, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(plain(_text(cell))) for cell in row))
    page = io.StringIO()
    width = Console().width if Console().is_terminal else _NO_TERMINAL_COLUMNS
    Console(file=page, width=width, color_system=None, force_terminal=False).print(drawn)
    for line in page.getvalue().splitlines():
        say(line.rstrip())


def facts(pairs: Sequence[tuple[str, object]]) -> None:
    """Print names and values below each other."""
    widest = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        say(f"{name.ljust(widest)}  {_text(value)}")


def _text(value: object) -> str:
    if value is None or (isinstance(value, str | list | tuple) and not value):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_text(one) for one in value)
    return str(value)
