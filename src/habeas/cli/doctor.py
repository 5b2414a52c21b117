"""`habeas doctor`: what is wrong with an installation, and what to do about it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from habeas.cli.client import As, Asked, Client, Json, TokenFile, Where, opened
from habeas.cli.options import AsJson, Debug
from habeas.cli.output import put, reporting, say
from habeas.errors import HabeasError, InputError, RuleError

if TYPE_CHECKING:
    from habeas.node.doctor import AskNode
    from habeas.node.findings import Finding

_TEST_S: Final = 90.0


def doctor(
    where: Where = None,
    as_name: As = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Check an installation: files, database, keys, witnesses, models, clock, limits, sandbox, people, cameras.

    Each check is ok, warn or FAIL, with what to do about it. Exit status 0; 4 if a check fails. Cameras are opened, but
    nobody is looked for. While the node runs they are tested through it, which takes an admin's login.
    """
    with reporting(as_json=as_json, debug=debug), ExitStack() as stack:
        # Imported late: `habeas --help` loads no database.
        from habeas.clock import SystemClock  # noqa: PLC0415
        from habeas.node.doctor import Doctor  # noqa: PLC0415

        ask = _ask_node(Asked(where, as_name, token_file, as_json), stack)
        examined = stack.enter_context(Doctor(where, SystemClock(), ask))
        counts = Counter(_told(examined.findings(), as_json=as_json))
        if as_json:
            put({"event": "summary", **{name: counts[name] for name in ("ok", "warn", "fail")}})
        if counts["fail"]:
            raise InputError(f"{counts['fail']} checks failed", remedy="do what is said beside each, then run it again")


def _told(findings: "Iterator[Finding]", *, as_json: bool) -> Iterator[str]:
    """Print each finding as it comes; yield how it came out."""
    for one in findings:
        if as_json:
            put(one.as_json())
        else:
            health = one.health.value
            say(f"{health.upper() if health == 'fail' else health:<5} {one.check:<12} {one.text}")
            if one.remedy:
                say(f"{'':<18} -> {one.remedy}")
            for line in _lines(one.facts.get("difference")):
                say(f"{'':<18}    {line}")
        yield one.health.value


def _lines(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _ask_node(asked: Asked, stack: ExitStack) -> "AskNode | None":
    """Return what tests a camera through the node, as an admin who is logged in; None: no node, or none is."""
    try:
        for name in _logged_in(asked):
            client = stack.enter_context(opened(replace(asked, name=name)))
            if _runs_cameras(client):
                return lambda camera: client.post("cameras", camera, "test", within_s=_TEST_S)
    except HabeasError:
        return None
    return None


def _logged_in(asked: Asked) -> list[str]:
    """Return the accounts to ask as: the one that is named, or all that are logged in."""
    if asked.name or asked.token_file is not None:
        return [asked.name]
    with opened(asked) as client:
        return client.logins.names()


def _runs_cameras(client: Client) -> bool:
    try:
        who: Json = client.get("whoami")
    except RuleError:
        return False  # that login has ended
    is_admin = any(role["role"] == "admin" and role["usable"] for role in who["roles"])
    return is_admin and not who["over"] and (not who["by_token"] or "cameras" in who["scopes"])
