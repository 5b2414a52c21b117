"""The `habeas` command."""

from typing import Annotated

import typer

from habeas import __version__
from habeas.cli.access import app as access
from habeas.cli.audit import app as audit
from habeas.cli.authorise import app as authorise
from habeas.cli.backup import backup, restore
from habeas.cli.bundle import app as bundle
from habeas.cli.camera import app as camera
from habeas.cli.canary import app as canary
from habeas.cli.clock import app as clock
from habeas.cli.demo import demo
from habeas.cli.doctor import doctor
from habeas.cli.evaluate import app as evaluate
from habeas.cli.evidence import app as evidence
from habeas.cli.exports import app as exports
from habeas.cli.footage import app as footage
from habeas.cli.holds import app as holds
from habeas.cli.init import init
from habeas.cli.log import app as log
from habeas.cli.login import login, logout, whoami
from habeas.cli.models import app as models
from habeas.cli.parsing import Commands
from habeas.cli.policy import app as policy
from habeas.cli.receipt import app as receipt
from habeas.cli.register import app as register
from habeas.cli.requests import app as requests
from habeas.cli.review import app as review
from habeas.cli.serve import serve
from habeas.cli.status import status
from habeas.cli.suspend import app as suspend
from habeas.cli.user import app as user
from habeas.cli.warden import warden
from habeas.cli.watch import watch
from habeas.cli.witness import app as witness

app = typer.Typer(
    help="Finds the people it is authorised to look for in video, shows a human, keeps nothing about anyone else.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",
    cls=Commands,
)
app.command(epilog="Example: `habeas demo --out sheet.png`")(demo)
app.command(epilog="Example: `habeas watch street.mp4 --subject ada=ada.jpg --basis consent`")(watch)
app.add_typer(evaluate, name="evaluate")
app.add_typer(models, name="models")
app.command(epilog="Example: `habeas init city --people people.yaml`")(init)
app.command(epilog="Example: `habeas backup /mnt/backup/monday.habeas`")(backup)
app.command(epilog="Example: `habeas restore /mnt/backup/monday.habeas`")(restore)
app.command(epilog="Example: `habeas serve -w /srv/habeas`")(serve)
app.command(epilog="Example: `habeas warden -w /srv/habeas`")(warden)
app.command(epilog="Example: `habeas doctor -w /srv/habeas`")(doctor)
app.command(epilog="Example: `habeas login ines`")(login)
app.command(epilog="Example: `habeas logout --as ines`")(logout)
app.command(epilog="Example: `habeas whoami --json`")(whoami)
app.command(epilog="Example: `habeas status`")(status)
app.add_typer(user, name="user")
app.add_typer(camera, name="camera")
app.add_typer(policy, name="policy")
app.add_typer(authorise, name="authorise")
app.add_typer(suspend, name="suspend")
app.add_typer(review, name="review")
footage.add_typer(holds)
footage.add_typer(exports)
footage.add_typer(requests, name="request")
footage.add_typer(evidence, name="evidence")
app.add_typer(footage, name="footage")
app.add_typer(access, name="access")
app.add_typer(receipt, name="receipt")
app.add_typer(clock, name="clock")
app.add_typer(canary, name="canary")
app.add_typer(witness, name="witness")
audit.add_typer(log)
audit.add_typer(bundle)
app.add_typer(audit, name="audit")
app.add_typer(register, name="register")


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
