"""The policy through a running node: two people change it, bound to what they were shown."""

import pytest
from tests.cli.nodes import RunningNode

from habeas.cli.policy import parse_change
from habeas.errors import UsageError


def test_two_approvers_tighten_at_once(node: RunningNode) -> None:
    made = node.run("policy", "propose", "authorisation_h=700", who="pia").row
    words = ["policy", "approve", made["policy"]]
    assert node.run(*words, who="ann").error["kind"] == "usage", "no terminal, no hash"
    assert node.run(*words, "--hash", "0" * 12, who="ann").error["rule"] == "content-changed"
    assert node.run(*words, "--hash", "xyz", who="ann").error["kind"] == "usage"
    short = made["content_hash"][:12]
    assert node.run(*words, "--hash", short, who="ann").row["state"] == "proposed"
    again = node.run(*words, "--hash", short, who="ann")
    assert (again.status, again.error["rule"]) == (3, "two-persons")
    assert node.run(*words, "--hash", made["content_hash"], who="bert").row["state"] == "active"
    assert node.run("policy", "show", who="rita").row["now"]["ceilings"]["authorisation_h"] == 700


def test_at_a_terminal_it_is_shown_and_asked(node: RunningNode) -> None:
    made = node.run("policy", "propose", "footage_h=100", who="pia").row
    words = ["policy", "approve", made["policy"], "--as", "ann"]
    status, shown = node.typed(*words, lines="n\n")
    assert (status, "not approved" in shown) == (2, True), shown
    assert "footage_h" in shown
    status, shown = node.typed(*words, lines="y\n")
    assert (status, "one more approver" in shown) == (0, True), shown


def test_what_loosens_waits_and_is_shown_waiting(node: RunningNode) -> None:
    shown = node.text("policy", "propose", "subjects=3", who="pia")
    assert "subjects" in shown
    assert "hash:" in shown
    assert "proposed:" in node.text("policy", "show", who="rita")


def test_above_a_compiled_maximum_is_a_rule(node: RunningNode) -> None:
    said = node.run("policy", "propose", "fpir=0.5", who="pia")
    assert said.status == 3


def test_an_unknown_proposal_is_said_so(node: RunningNode) -> None:
    assert node.run("policy", "approve", "pol-none", "--hash", "0" * 12, who="ann").error["kind"] == "input"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=3", 3),
        ("a=0.5", 0.5),
        ("a=1e-4", 1e-4),
        ("a=abc", "abc"),
        ("a=true", "true"),
        ("a=NaN", "NaN"),
        ("a=Infinity", "Infinity"),
        ("a=", ""),
        ("purposes=consent, missing-person", ["consent", "missing-person"]),
        ("witnesses=", []),
    ],
)
def test_values_are_read_as_written(text: str, value: object) -> None:
    name, read = parse_change(text)
    assert (name, read) == (text.partition("=")[0], value)
    assert type(read) is type(value)


@pytest.mark.parametrize("text", ["", "a", "=3"])
def test_a_change_is_a_name_and_a_value(text: str) -> None:
    with pytest.raises(UsageError):
        parse_change(text)
