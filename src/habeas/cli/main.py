"""The `habeas` command."""

from typing import Annotated

import typer

from habeas import __version__
from habeas.cli.demo import demo
from habeas.cli.evaluate import app as evaluate
from habeas.cli.models import app as models
from habeas.cli.watch import watch

app = typer.Typer(
    help="Finds the people it is authorised to look for in video, shows a human, keeps nothing about anyone else.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",
)
app.command()(demo)
app.command()(watch)
app.add_typer(evaluate, name="evaluate")
app.add_typer(models, name="models")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"habeas {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    app()
