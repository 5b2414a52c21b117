"""Makes every call of the table, and compares: status, rule, what changed, what was written down, what was told."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from tests.web.cases import Case, Row
from tests.web.world import FACES, PEOPLE, Who, World

from habeas.web.strict import loads

PREFIX = "/api/v1"
_TOLD = 12
KINDS = {"usage", "rule", "input", "source", "image", "reference", "enrolment", "gone"}
NOT_LOGGED_IN = frozenset({"not-logged-in"})


@dataclass
class Report:
    """What came of the calls.

    Args:
        calls: how many; by what was expected.
        bypasses: calls that should have been refused, and were not.
        denied: calls that should have succeeded, and did not.
        wrong: refusals by another rule, or no refusals but failures.
        effects: refused calls that changed something.
        unlogged: refusals without an entry, and effects without one.
        leaks: what was told to somebody who may not know.
    """

    calls: Counter[str] = field(default_factory=Counter)
    bypasses: list[str] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    unlogged: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)

    def problems(self) -> str:
        """Return all of it that should be empty: how many of each kind, and the first of them."""
        kinds = ("bypasses", "denied", "wrong", "effects", "unlogged", "leaks")
        told = {kind: getattr(self, kind) for kind in kinds if getattr(self, kind)}
        return "\n".join(f"{len(lines)} {kind}:\n" + "\n".join(lines[:_TOLD]) for kind, lines in told.items())


def run(world: World, client: httpx.Client, rows: Sequence[Row], *, whole: bool = False) -> Report:
    """Call every route of these rows as every caller, on every object; `thin` callers on its first, unless `whole`."""
    report = Report()
    marks = world.marks()
    for row in rows:
        for number, case in enumerate(row.cases):
            for who in world.callers:
                if case.callers(who) and (whole or number == 0 or not who.thin):
                    _one(world, client, row, case, who, report, marks)
    return report


def expected(row: Row, case: Case, who: Who) -> frozenset[str]:
    """Return the rules that refuse this; none: it succeeds."""
    if not row.open_to_all and not who.logged_in:
        return NOT_LOGGED_IN
    return row.rule(who) | case.refused(who)


def _one(
    world: World, client: httpx.Client, row: Row, case: Case, who: Who, report: Report, marks: dict[str, bytes]
) -> None:
    world.put_back_films()
    if case.given is not None:
        with world.node.store.write() as tx:
            case.given(world, tx, who)
    before, count = (world.digests(), world.entry_count()) if case.given else (world.base, world.base_entries)
    world.forget_refusals()
    answer = _call(world, client, row, case, who)
    after, entries = world.digests(), world.entries(count)
    name = f"{who.name}: {row.method} {row.path} ({case.name}) -> {answer.status_code} {_rule(answer)}"
    rules = expected(row, case, who)
    changed = sorted(table for table in after if after[table] != before[table])
    _compare(name, answer, rules, case, report)
    if answer.status_code >= 400 and changed:
        report.effects.append(f"{name}: {', '.join(changed)}")
    actor = _account(world, who) if who.account and not row.open_to_all else "unknown"
    _check_entries(name, answer, actor, entries, changed, report)
    _check_told(name, answer, case, who, world, report, marks)
    if changed or case.given is not None or entries:
        world.restore()


def _call(world: World, client: httpx.Client, row: Row, case: Case, who: Who) -> httpx.Response:
    secret = world.secrets.get(who.name)
    headers = {"authorization": f"Bearer {secret}"} if secret is not None else {}
    url = PREFIX + row.path.format(**case.path(world, who)) + case.query
    body = case.body(world, who) if case.body is not None else None
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    return client.request(row.method, url, headers=headers, **sent)


def _rule(answer: httpx.Response) -> str:
    if answer.status_code < 400:
        return ""
    try:
        return str(answer.json()["error"].get("rule", answer.json()["error"]["kind"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "no error of ours"


def _compare(name: str, answer: httpx.Response, rules: frozenset[str], case: Case, report: Report) -> None:
    status = answer.status_code
    if not rules:
        report.calls["absent" if case.absent else "allowed"] += 1
        if status not in ((case.absent,) if case.absent else case.answers):
            report.denied.append(name)
        return
    report.calls["refused"] += 1
    if status < 400:
        report.bypasses.append(f"{name}, expected {', '.join(sorted(rules))}")
    elif not (status == 403 and _rule(answer) in rules) and status != case.absent:
        report.wrong.append(f"{name}, expected {', '.join(sorted(rules))}")


def _check_entries(
    name: str,
    answer: httpx.Response,
    actor: str,
    entries: list[tuple[str, str, str]],
    changed: list[str],
    report: Report,
) -> None:
    """A refusal by rule is one entry that names the rule; a change is never without one."""
    if answer.status_code == 403:
        told = [(kind, json.loads(body).get("rule")) for kind, _actor, body in entries]
        by = [actor for kind, actor, _body in entries if kind == "refused"]
        if told not in ([("refused", _rule(answer))], [("login.refused", _rule(answer))]) or by not in ([], [actor]):
            report.unlogged.append(f"{name}: {told} by {by}")
    elif changed and not entries:
        report.unlogged.append(f"{name}: changed {', '.join(changed)} without an entry")


def _account(world: World, who: Who) -> str:
    known = world.ids.get(f"account {who.account}")
    if known is None:
        known = world.ids[f"account {who.account}"] = world.account_id(who.account)
    return known


def _check_told(
    name: str, answer: httpx.Response, case: Case, who: Who, world: World, report: Report, marks: dict[str, bytes]
) -> None:
    """Look through the whole answer, headers too, for what this caller may not know."""
    told = b"\n".join([*(key + b": " + value for key, value in answer.headers.raw), answer.content])
    known = who.logged_in and answer.status_code < 400
    forbidden = dict(marks)
    forbidden |= {} if known and case.people(who) else PEOPLE
    forbidden |= {} if known and case.faces(who) else FACES
    forbidden |= {f"hidden {text.decode()}": text for text in (case.hidden(world, who) if known else [])}
    report.leaks += [f"{name}: {what}" for what, mark in forbidden.items() if mark in told]
    if known and answer.status_code == 200:
        if case.people(who) and PEOPLE["name"] not in told:
            report.denied.append(f"{name}: the people are not in it")
        if case.faces(who) and not any(mark in told for mark in FACES.values()):
            report.denied.append(f"{name}: no face is in it")


def problem(answer: httpx.Response) -> dict[str, Any]:
    """The error of an answer; fails where it has another shape, or is a fault of ours."""
    assert answer.headers["content-type"] == "application/json", answer.text
    body = loads(answer.content)
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert {"kind", "message", "remedy"} <= set(error), error
    assert error["kind"] in KINDS, error
    assert "Traceback" not in answer.text
    assert 'File "' not in answer.text
    assert 400 <= answer.status_code < 500, error
    return error
