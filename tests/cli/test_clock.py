"""The clock and the state of a running node."""

from tests.cli.nodes import RunningNode


def test_the_clock_is_trusted_and_shown(node: RunningNode) -> None:
    told = node.run("clock", "show", who="rita").row
    assert told["jumped"] is False
    assert abs(told["off_by_s"]) < 5
    assert "trusted" in node.text("clock", "show", who="rita")


def test_confirming_takes_an_approver(node: RunningNode) -> None:
    said = node.run("clock", "confirm", who="adam")
    assert (said.status, said.error["kind"]) == (3, "rule")
