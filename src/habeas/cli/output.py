"""What the command line prints: lines for people, objects for programs, errors with their remedy."""

import json
import os
import signal
import sys
import traceback
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from habeas.errors import EXIT_INTERRUPTED, DiskError, HabeasError
from habeas.models.manifest import PackagedFile
from habeas.models.pull import Progress as PullProgress
from habeas.models.pull import Report, download_mb

_OUT: Final = Console(highlight=False, soft_wrap=True, emoji=False)
ERR: Final = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


_bars: Final[list[Progress]] = []
"""Bars shown now."""
_COMMANDS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories that steer a terminal, break a line, or cannot be encoded."""
_TURNS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of writing: they make a name read as another."""


class _OutputLostError(DiskError):
    """Standard output cannot be written: errors go to standard error, whatever was asked for."""


def plain(text: str) -> str:
    """Return a text as one line that a terminal takes for nothing but text: names of people and files are not ours."""
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if char in _TURNS or unicodedata.category(char) in _COMMANDS
        else char
        for char in text
    )


def say(text: str) -> None:
    """Print a line for people, to standard output.

    Raises:
        DiskError: it cannot be written.
    """
    console = _above_bar()
    with _writing():
        console.print(_encodable(plain(text), console), markup=False)


def note(text: str, style: str = "dim") -> None:
    """Print a line about what is going on, to standard error; where that cannot be written, it is lost."""
    with suppress(OSError):
        ERR.print(_encodable(plain(text), ERR), markup=False, style=style)


def put(event: Mapping[str, object]) -> None:
    """Print one JSON object on a line, at once.

    Raises:
        DiskError: it cannot be written.
    """
    if sys.stdout is None:  # closed by whoever started us: nobody listens
        return
    line = json.dumps(event, allow_nan=False)
    with _writing():
        if _above_bar() is ERR:
            ERR.print(line, markup=False)
        else:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def _above_bar() -> Console:
    """Return where output goes: on a terminal that shows a bar, through the bar's console, which makes room for it."""
    return ERR if _bars and _OUT.is_terminal and ERR.is_terminal else _OUT


def _encodable(text: str, console: Console) -> str:
    """Return a text with escapes for what the console's encoding lacks."""
    encoding = console.encoding
    return text.encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        _give_up_stdout()
        reason = error.strerror or str(error)
        raise _OutputLostError(
            f"cannot write to standard output: {reason}", remedy="send it to a place with room, or to a terminal"
        ) from error


def _give_up_stdout() -> None:
    """Send what is still to come nowhere: Python would try again at exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def check_writable(path: Path, option: str) -> None:
    """Find out before minutes of work rather than after them.

    Raises:
        DiskError: no file can be made there.
    """
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise DiskError(f"{path}: cannot be written", remedy=f"give {option} a file name in a folder that exists")


@contextmanager
def bar(text: str, total: int | None) -> Iterator[Progress]:
    """Show a progress bar on standard error while the block runs; silent where that is no terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=ERR, transient=True, disable=not ERR.is_terminal) as progress:
        progress.add_task(text, total=total)
        _bars.append(progress)
        try:
            yield progress
        finally:
            _bars.remove(progress)


def pull_report(files: list[PackagedFile]) -> Report:
    """Say what is about to be fetched and how large it is; return who tells of the progress."""
    note(f"fetching {len(files)} model files, about {download_mb(files)} MB, once: {', '.join(f.name for f in files)}")
    return tell_pull


def tell_pull(progress: PullProgress) -> None:
    """Print one line for each file."""
    note(f"  [{progress.done}/{progress.total}] {progress.file.name}: {progress.step} ({progress.file.requirement})")


@contextmanager
def reporting(*, as_json: bool, debug: bool) -> Iterator[None]:
    """Turn errors of the block into one line, its remedy, and the exit status of their kind."""
    with suppress(ValueError):  # not the main thread: its owner handles signals
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's stop ends as Ctrl-C does
    try:
        yield
    except HabeasError as error:
        _fail(error, as_json=as_json, debug=debug)
    except (KeyboardInterrupt, typer.Abort):  # the latter: at a question
        note("interrupted", "default")
        raise SystemExit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read our output has gone; say nothing more, and keep Python from trying at exit.
        _give_up_stdout()
        raise SystemExit(0) from None
    except Exception as error:  # noqa: BLE001 - command top level: a bug becomes one line and exit 70
        _fail(_as_bug(error), as_json=as_json, debug=debug)


def _as_bug(error: Exception) -> HabeasError:
    bug = HabeasError(f"{type(error).__name__}: {error}", remedy="this is a bug: run again with --debug and report it")
    bug.__cause__ = error
    return bug


def _fail(error: HabeasError, *, as_json: bool, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exception(error)
    try:
        if as_json and not isinstance(error, _OutputLostError):
            put({"event": "error", "error": error.as_json()})
        else:
            _tell(error)
    except _OutputLostError:
        _tell(error)
    except BrokenPipeError:
        _give_up_stdout()
    raise SystemExit(error.exit_code)


def _tell(error: HabeasError) -> None:
    note(f"habeas: {error.message}", "bold red")
    if error.remedy:
        note(f"  {error.remedy}", "default")
