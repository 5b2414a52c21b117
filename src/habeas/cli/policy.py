"""`habeas policy`: the ceilings of the installation. Two approvers change them, a day ahead."""

import json
from typing import Annotated

import typer

from habeas.cli.binding import Hash, Yes, confirmed_hash
from habeas.cli.client import Client, Json, connected
from habeas.cli.output import say
from habeas.cli.tables import table
from habeas.cli.times import show_told
from habeas.errors import InputError, UsageError

app = typer.Typer(
    help="The ceilings of this installation: two people change them.", no_args_is_help=True, rich_markup_mode="markdown"
)
_LISTS = ("purposes", "witnesses")
Value = int | float | str | list[str]


@app.command(epilog="Example: `habeas policy show`")
@connected
def show(client: Client) -> None:
    """Show the ceilings in force, those that wait, and what is proposed."""
    told: Json = client.get("policy")
    client.tell(told, lambda: _say_policies(told))


def _say_policies(told: Json) -> None:
    say("in force:")
    table(("ceiling", "value"), sorted(told["now"]["ceilings"].items()), none="none")
    for heading in ("waiting", "proposed"):
        for policy in told[heading]:
            say("")
            _say_change(heading, policy, told["now"])


def _say_change(heading: str, policy: Json, now: Json) -> None:
    since = f", from {show_told(policy['effective_from'])}" if policy["effective_from"] else ""
    say(f"{heading}: {policy['policy']} by {policy['proposed_by']}{since}, {len(policy['approvals'])} approvals")
    old = now["ceilings"]
    rows = [
        (name, old.get(name), value) for name, value in sorted(policy["ceilings"].items()) if old.get(name) != value
    ]
    table(("ceiling", "now", "then"), rows, none="  changes nothing")
    say(f"hash: {policy['content_hash']}")


@app.command(epilog="Example: `habeas policy propose subjects=10 purposes=consent,missing-person`")
@connected
def propose(
    client: Client,
    changes: Annotated[list[str], typer.Argument(help="NAME=VALUE, as `habeas policy show` names them.")],
) -> None:
    """Propose other ceilings. Two approvers who did not propose them put them in force."""
    made = client.post("policy", body={"changes": dict(map(parse_change, changes))})
    client.tell(made, lambda: _say_change("proposed", made, client.get("policy")["now"]))


def parse_change(text: str) -> tuple[str, Value]:
    """Return name and value of `NAME=VALUE`: a number, a text, or for some names a list with commas.

    Raises:
        UsageError: not of that form.
    """
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise UsageError(f"{text!r} is not NAME=VALUE", remedy="write subjects=10")
    if name in _LISTS:
        return name, [one.strip() for one in value.split(",") if one.strip()]
    try:
        number = json.loads(value, parse_constant=_no_constant)
    except ValueError:
        return name, value
    whole = isinstance(number, int) and not isinstance(number, bool)
    return name, number if whole or isinstance(number, float) else value


def _no_constant(text: str) -> None:
    """Refuse NaN and Infinity, which are no JSON.

    Raises:
        ValueError: always.
    """
    raise ValueError(text)


@app.command(epilog="Example: `habeas policy approve pol-0123456789abcdef --hash 1f2e3d4c5b6a`")
@connected
def approve(
    client: Client,
    policy_id: Annotated[str, typer.Argument(help="As `habeas policy show` lists it.")],
    content_hash: Hash = "",
    yes: Yes = False,
) -> None:
    """Show what a proposal changes, ask, and approve exactly that."""
    told: Json = client.get("policy")
    found = [one for one in told["proposed"] if one["policy"] == policy_id]
    if not found:
        raise InputError(f"no such open proposal: {policy_id}", remedy="see `habeas policy show`")
    if not client.as_json:
        _say_change("proposed", found[0], told["now"])
    bound = confirmed_hash(found[0]["content_hash"], content_hash, yes=yes)
    done = client.post("policy", policy_id, "approve", body={"content_hash": bound})
    active = done["effective_from"] is not None
    text = f"in force from {show_told(done['effective_from'])}" if active else "approved: it takes one more approver"
    client.tell(done, lambda: say(text))
