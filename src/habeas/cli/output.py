"""What the command line prints: lines for people, objects for programs, errors with their remedy."""

import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from habeas.errors import EXIT_INTERRUPTED, HabeasError
from habeas.models.manifest import PackagedFile
from habeas.models.pull import Progress as PullProgress
from habeas.models.pull import Report, download_mb

_OUT: Final = Console(highlight=False, soft_wrap=True)
ERR: Final = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a line for people, to standard output."""
    _OUT.print(text, markup=False)


def note(text: str) -> None:
    """Print a line about what is going on, to standard error."""
    ERR.print(text, markup=False, style="dim")


def put(event: Mapping[str, object]) -> None:
    """Print one JSON object on a line, at once."""
    sys.stdout.write(json.dumps(event, allow_nan=False) + "\n")
    sys.stdout.flush()


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
        yield progress


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
    try:
        yield
    except HabeasError as error:
        _fail(error, as_json=as_json, debug=debug)
    except KeyboardInterrupt:
        ERR.print("interrupted", markup=False)
        raise SystemExit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read our output has gone; say nothing more, and keep Python from trying at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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
    if as_json:
        put({"event": "error", "error": error.as_json()})
    else:
        ERR.print(f"habeas: {error.message}", markup=False, style="bold red")
        if error.remedy:
            ERR.print(f"  {error.remedy}", markup=False)
    raise SystemExit(error.exit_code)
