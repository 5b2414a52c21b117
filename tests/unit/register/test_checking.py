"""A published register against the log: the untouched one holds, a change of any figure is named."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from tests.unit.audit.exports import note_of
from tests.unit.register.histories import full

from habeas.errors import FormatError, InputError, ProofError
from habeas.register.checking import LATE_NS, check, computed, opened_entries
from habeas.register.document import Document, encode, first_difference, parse
from habeas.register.figures import Stated
from habeas.types import DAY_NS, utc

HISTORY = full()
MADE_NS = HISTORY.now_ns + 8 * DAY_NS
STATED = Stated("City of Somewhere", "register@somewhere.example", "", "Missing people at the station.")


def honest() -> Document:
    history = full()
    history.at(MADE_NS)
    history.add("node.stopped", "node", {})
    return computed(history, MADE_NS, STATED, note_of([b"leaf"]))


HONEST = honest()


class Export:
    """The openings of an export."""

    def __init__(self) -> None:
        self.history = full()
        self.history.at(MADE_NS)
        self.history.add("node.stopped", "node", {})

    def lines(self, seq: int) -> Iterator[bytes]:
        return self.history.lines(seq)


def test_an_honest_register_holds() -> None:
    assert check(parse(encode(HONEST)), Export()).entries == HONEST["entries_now"]


def test_it_holds_against_a_later_export_too() -> None:
    export = Export()
    export.history.end("aut-3", "refused")
    assert check(deepcopy(HONEST), export).entries == HONEST["entries_now"]


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value that holds no others."""
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from leaves(one, (*path, name))
    elif isinstance(value, list) and value:
        for index, one in enumerate(value):
            yield from leaves(one, (*path, index))
    else:
        yield path


def changed(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}x" if isinstance(value, str) else 7


def planted(path: tuple[str | int, ...]) -> Document:
    document: Any = deepcopy(HONEST)
    holder = document
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = changed(holder[path[-1]])
    return document


GIVEN = {"made", "entries_now"}
"""What a register begins with: a change of it is refused in other words."""
PATHS = [path for path in leaves(HONEST) if path[0] not in {"schema", "stated", *GIVEN} and path[-1] != "checkpoint"]


def test_there_is_something_of_every_kind() -> None:
    assert {path[0] for path in PATHS} == HONEST.keys() - {"schema", "stated", *GIVEN}
    assert len(PATHS) > 150


@pytest.mark.parametrize("path", PATHS, ids=lambda path: "/".join(map(str, path)))
def test_a_change_of_any_figure_is_named(path: tuple[str | int, ...]) -> None:
    """Control: every number, text and time of a register, one by one."""
    with pytest.raises(ProofError) as caught:
        check(planted(path), Export())
    if path != ("exact",):
        assert caught.value.message.startswith("/".join(map(str, path)))
    assert caught.value.exit_code == 7


@pytest.mark.parametrize("name", ["authorisations", "suspensions", "statistics", "zones", "policies"])
def test_a_row_left_out_is_named(name: str) -> None:
    document = deepcopy(HONEST)
    del document[name][-1]
    with pytest.raises(ProofError, match=f"{name}/.*nothing"):
        check(document, Export())


def test_a_name_that_was_added_is_named() -> None:
    with pytest.raises(ProofError, match="it says 1, the log says nothing"):
        check({**HONEST, "more": 1}, Export())


def test_a_forged_checkpoint_is_refused() -> None:
    document = deepcopy(HONEST)
    document["log"]["checkpoint"] = document["log"]["checkpoint"].replace("\n1\n", "\n2\n")
    with pytest.raises(ProofError):
        check(document, Export())


@pytest.mark.parametrize("entries", [-1, "7", 2.5, True])
def test_a_number_of_entries_that_is_none_is_refused(entries: object) -> None:
    with pytest.raises(FormatError):
        check({**HONEST, "entries_now": entries}, Export())


def test_a_register_that_is_older_than_it_says_is_named() -> None:
    export = Export()
    seq = HONEST["entries_now"] - 2
    with pytest.raises(ProofError, match=f"leaves out entry {seq}"):
        check({**HONEST, "entries_now": seq}, export)


def test_what_came_while_it_was_made_may_be_left_out() -> None:
    export = Export()
    export.history.at(MADE_NS - LATE_NS)
    export.history.add("login", "acc-rob", {})
    assert check(deepcopy(HONEST), export).entries == HONEST["entries_now"]
    early = Export()
    early.history.at(MADE_NS - LATE_NS - 1_000_000_000)
    early.history.add("login", "acc-rob", {})
    with pytest.raises(ProofError, match="leaves out"):
        check(deepcopy(HONEST), early)


def test_another_time_is_another_register() -> None:
    with pytest.raises(ProofError):
        check({**HONEST, "made": utc(MADE_NS + DAY_NS)}, Export())
    with pytest.raises(FormatError):
        check({**HONEST, "made": "today"}, Export())


def test_an_export_that_is_older_says_so() -> None:
    export = Export()
    del export.history.openings[-1:], export.history.hidden[-1:]
    with pytest.raises(InputError, match="ends before"):
        check(deepcopy(HONEST), export)


def test_what_the_operator_states_is_taken_as_it_is() -> None:
    document = deepcopy(HONEST)
    document["stated"]["operator"] = "Somebody else"
    assert check(document, Export()).entries
    with pytest.raises(FormatError):
        check({**HONEST, "stated": {"operator": 7}}, Export())


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"{}", json.dumps({**HONEST, "schema": 2}).encode()])
def test_what_is_no_register_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse(data)


@pytest.mark.parametrize("line", [b"", b"7", b"{}", b'{"opening":{"seq":1},"hidden":null}'])
def test_what_is_no_export_is_refused(line: bytes) -> None:
    class Bad:
        def lines(self, seq: int) -> Iterator[bytes]:
            del seq
            yield line

    with pytest.raises(FormatError):
        list(opened_entries(Bad()))


def test_differences_tell_kinds_apart() -> None:
    assert first_difference({"a": [1, 2]}, {"a": [1, 2]}) is None
    assert first_difference(1, True) is not None
    assert first_difference({"a": 1, "b": 2}, {"a": 1}) == "b: it says 2, the log says nothing"
    assert first_difference([], [{}]) == "0: it says nothing, the log says {}"


def test_auditors_get_the_exact_figures_of_the_same_moment() -> None:
    exact = check(deepcopy(HONEST), Export()).exact
    assert (exact["made"], exact["exact"], exact["authorisations_not_shown"]) == (HONEST["made"], True, 1)
    assert {one["zone"] for one in exact["statistics"]} == {"gate", "hall", "yard"}
    assert check(exact, Export()).exact == exact
