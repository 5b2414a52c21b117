"""What the option parser finds wrong, told as every other error: a line and its remedy, or with `--json` an object."""

import sys
from collections.abc import Sequence
from typing import Any, Final

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from habeas.cli.output import reporting
from habeas.errors import UsageError
from habeas.wording import wrongs

_EXCEPTIONS: Final = [one for one in typer.BadParameter.__mro__ if issubclass(one, Exception)]
_MISTAKE: Final = next(one for one in _EXCEPTIONS if one.__name__ == "ClickException")
"""What the parser raises: Typer carries that parser with it, and exports no more of its errors than this descendant."""
_HELP: Final = "NoArgsIsHelpError"
"""A command without any word is answered with its help, and is no mistake."""


class Commands(TyperGroup):
    """The `habeas` command."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        """Run a command, and end the program. Whatever calls it, its name is `habeas`."""
        words = list(sys.argv[1:] if args is None else args)
        del more
        try:
            status = super().main(words, **{**options, "prog_name": "habeas", "standalone_mode": False})
        except _MISTAKE as error:
            if type(error).__name__ == _HELP:
                error.show()  # type: ignore[attr-defined]  # as above: its class has no name here
                raise SystemExit(UsageError.exit_code) from None
            with reporting(as_json=_says("--json", words), debug=_says("--debug", words)):
                raise as_usage(error) from error
        raise SystemExit(status or 0)


def _says(option: str, words: Sequence[str]) -> bool:
    return option in (words[: words.index("--")] if "--" in words else words)


def as_usage(error: Any) -> UsageError:
    """Return a mistake that the option parser found as one of ours.

    Args:
        error: of the parser; caused by pydantic where a value is not of its kind.
    """
    context = getattr(error, "ctx", None)
    help_of = f"see `{context.command_path if context is not None else 'habeas'} --help`"
    if isinstance(error.__cause__, ValidationError):
        one = wrongs(error.__cause__.errors())[0]
        name = "/".join(error.param.opts) if getattr(error, "param", None) is not None else "a word"
        return UsageError(f"{name}: {one.what}", remedy=f"{one.remedy}; {help_of}")
    return UsageError(" ".join(error.format_message().split()), remedy=help_of)
