"""Who may hand evidence in, see of it, name it in a request, and discard it. Rows of `tests.web.table`."""

from collections.abc import Callable

from tests.web.cases import (
    Case,
    Row,
    _account,
    _second,
    a_draft,
    always,
    at,
    both,
    has_account,
    holds,
    read,
    scope,
    unknown,
)
from tests.web.world import NOTE, PICTURES, Who, World

from habeas.store import Tx
from habeas.store.footage_records import Evidence

HANDER = both(holds("requester"), scope("draft"))
_NAMED, _GONE = at("evidence named", "evidence_id"), at("evidence gone", "evidence_id")
_KEPT = at("evidence", "evidence_id")


def owned(key: str, *, second: bool = False) -> Callable[[World, Tx, Who], None]:
    """The caller handed it in, or a second account of the same person."""

    def given(world: World, tx: Tx, who: Who) -> None:
        account = _second(world, tx, who) if second else _account(world, tx, who.account)
        tx.change(tx.get(Evidence, world.ids[key]), uploader=account.account_id)

    return given


def a_file(_world: World, _who: Who) -> object:
    return PICTURES


def asking(key: str) -> Callable[[World, Who], object]:
    """A draft that names evidence."""

    def body(world: World, who: Who) -> object:
        asked = a_draft(world, who)
        assert isinstance(asked, dict)
        told = {name: value for name, value in asked.items() if name not in {"cameras", "from_ns", "until_ns"}}
        return {**told, "kind": "retrospective", "evidence": world.ids[key]}

    return body


def _note(_world: World, _who: Who) -> list[bytes]:
    return [NOTE.encode()]


def _note_own(_world: World, who: Who) -> list[bytes]:
    """Where it comes from is for whoever handed it in; in a request that names it, for approvers."""
    return [] if "requester" in who.roles and who.scopes is None else [NOTE.encode()]


DRAFTS = (
    Case("evidence of another", always("own-draft"), body=asking("evidence")),
    Case("own evidence", given=owned("evidence"), body=asking("evidence"), callers=has_account, hidden=_note),
    Case("named", always("evidence-once"), owned("evidence named"), body=asking("evidence named"), callers=has_account),
    Case("gone", always("state"), owned("evidence gone"), body=asking("evidence gone"), callers=has_account),
)
EVIDENCE_ROWS = (
    Row(
        "POST",
        "/evidence",
        HANDER,
        (Case("a file", body=a_file, query="?from_ns=1&note=the%20owner", hidden=lambda _world, _who: [PICTURES]),),
    ),
    Row(
        "GET",
        "/evidence",
        both(holds("requester", "approver", "privacy", "auditor"), read),
        (
            Case("of another", query="?everything=true", hidden=_note),
            Case("own", given=owned("evidence"), callers=has_account, hidden=_note_own),
            Case("of own second account", given=owned("evidence", second=True), callers=has_account, hidden=_note_own),
        ),
    ),
    Row(
        "POST",
        "/evidence/{evidence_id}/discard",
        HANDER,
        (
            Case("of another", always("own-draft"), path=_KEPT),
            Case("own", given=owned("evidence"), path=_KEPT, callers=has_account),
            Case("of own second account", given=owned("evidence", second=True), path=_KEPT, callers=has_account),
            Case("own, named", always("state"), owned("evidence named"), _NAMED, callers=has_account),
            Case("own, gone", always("state"), owned("evidence gone"), _GONE, callers=has_account),
            unknown("evidence_id", "evd-none"),
        ),
    ),
)
