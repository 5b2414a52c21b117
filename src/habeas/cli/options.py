"""Options that every command has."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line, for programs.")]
Debug = Annotated[bool, typer.Option("--debug", help="Print tracebacks.")]
