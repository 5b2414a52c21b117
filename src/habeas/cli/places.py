"""Options that say where and when."""

from typing import Annotated

import typer

Zones = Annotated[list[str] | None, typer.Option("--zone", help="Every camera of this zone; repeat it.")]
Cameras = Annotated[list[str] | None, typer.Option("--camera", help="This camera; repeat it.")]
From = Annotated[str, typer.Option("--from", help="First instant: now, +2h, '2026-05-01 10:00', or RFC 3339.")]
Until = Annotated[str, typer.Option("--until", help="First instant after, written as --from.")]
Why = Annotated[str, typer.Option("--why", help="The reason, in a sentence.")]
