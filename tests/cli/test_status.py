"""`habeas status` of a running node."""

from tests.cli.nodes import RunningNode


def test_the_state_has_workers_and_model(node: RunningNode) -> None:
    told = node.run("status", who="rita").row
    assert told["workers"][0]["worker"] == 0, "others record"
    text = node.text("status", who="rita")
    assert told["model"] in text
    assert "worker" in text


def test_it_takes_a_role(node: RunningNode) -> None:
    said = node.run("status", who="nora")
    assert (said.status, said.error["rule"]) == (3, "role")
