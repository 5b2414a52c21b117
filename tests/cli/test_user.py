"""Accounts and roles through a running node."""

import pytest
from tests.cli.nodes import PASSWORD, RunningNode


def add(node: RunningNode, name: str) -> str:
    made = node.run("user", "add", name, who="adam").row
    words = ["login", name, "--password-stdin", "--setup-code", made["setup_code"]]
    assert node.run(*words, stdin=PASSWORD).status == 0
    return name


def test_only_an_admin_makes_accounts(node: RunningNode) -> None:
    said = node.run("user", "add", "mallory", who="rita")
    assert (said.status, said.error["rule"]) == (3, "role")
    assert "setup_code" not in said.out


def test_a_role_takes_two_who_are_not_admins(node: RunningNode) -> None:
    name = add(node, "gina")
    assert node.run("user", "grant", name, "operator", who="adam").error["rule"] == "role-granters"
    assert node.run("user", "grant", name, "operator", "--zone", "east", who="ann").row["approved"] is False
    again = node.run("user", "grant", name, "operator", "--zone", "east", who="ann")
    assert (again.status, again.error["rule"]) == (3, "two-persons")
    done = node.run("user", "grant", name, "operator", "--zone", "east", who="bert").row
    assert (done["approved"], done["usable"]) == (True, False)
    assert "operator in east (usable from" in node.text("user", "list", who="ann")
    assert node.run("user", "revoke", name, "operator", who="adam").row["revoked"] == "operator"


def test_nobody_grants_a_role_to_themself(node: RunningNode) -> None:
    assert node.run("user", "grant", "ann", "operator", who="ann").error["rule"] == "own-request"


def test_an_unknown_role_is_named(node: RunningNode) -> None:
    said = node.run("user", "grant", "rita", "king", who="ann")
    assert (said.status, said.error["kind"]) == (4, "input")


def test_a_closed_account_is_out_at_once(node: RunningNode) -> None:
    name = add(node, "cleo")
    assert node.run("user", "disable", name, who="adam").row["disabled"] == name
    assert node.run("whoami", who=name).error["rule"] == "not-logged-in"
    states = {row["name"]: row["disabled"] for row in node.run("user", "list", who="ann").rows}
    assert states[name] is True
    assert states["ann"] is False


def test_a_reset_gives_a_new_code(node: RunningNode) -> None:
    name = add(node, "rosa")
    for who in ("ann", "bert"):
        node.run("user", "grant", name, "operator", who=who)
    asked = node.run("user", "reset", name, who="adam")
    assert (asked.status, asked.error["kind"]) == (2, "usage"), "no terminal, no --yes"
    assert "these roles lapse: operator" in asked.err
    assert node.run("whoami", who=name).status == 0, "nothing was changed"
    done = node.run("user", "reset", name, "--yes", who="adam").row
    assert done["roles_lapsed"] == ["operator"]
    roles = {row["name"]: row["roles"] for row in node.run("user", "list", who="ann").rows}
    assert roles[name] == []
    code = done["setup_code"]
    assert node.run("whoami", who=name).error["rule"] == "not-logged-in"
    words = ["login", name, "--password-stdin", "--setup-code", code]
    assert node.run(*words, stdin=PASSWORD).status == 0


def test_a_reset_says_before_and_after_that_roles_lapse(node: RunningNode) -> None:
    name = add(node, "rolf")
    for who in ("ann", "bert"):
        node.run("user", "grant", name, "auditor", who=who)
    words = ["user", "reset", name, "--as", "adam"]
    for answer, status, told in (("n\n", 2, "nothing was changed"), ("y\n", 0, "these roles have lapsed: auditor")):
        ended, shown = node.typed(*words, lines=answer)
        assert ended == status, shown
        before, after = shown.split(f"Reset {name}?")
        assert "these roles lapse: auditor" in before
        assert told in after
    text = node.text("user", "reset", name, "--yes", who="adam")
    assert "there is no role that lapses" in text
    assert node.run("user", "reset", "nobody-there", "--yes", who="adam").status == 4
    assert node.run("user", "reset", name, "--yes", who="rita").error["rule"] == "role"


def test_a_token_is_for_oneself(node: RunningNode) -> None:
    said = node.run("user", "token", "ann", "--scope", "read", "--days", "2", who="rita")
    assert (said.status, said.error["kind"]) == (2, "usage")
    shown = node.text("user", "token", "rita", "--scope", "read", "--scope", "draft", "--days", "2", who="rita")
    assert shown.startswith("habeas-token_")


@pytest.mark.parametrize("name", ["../x", "a b", "\x1b[31m", "ü", "x/y"])
def test_a_bad_name_is_refused_and_printed_as_text(node: RunningNode, name: str) -> None:
    said = node.run("user", "add", name, who="adam", json_too=False)
    assert said.status in {2, 4}
    assert "\x1b" not in said.out + said.err
