import inspect
import re

import pytest

from habeas import errors
from habeas.errors import EXIT_INTERRUPTED, EnrolmentRefused, HabeasError, ProofError, RuleError

CLASSES = [thing for thing in vars(errors).values() if inspect.isclass(thing) and issubclass(thing, HabeasError)]
EXIT_CODES = {"usage": 2, "rule": 3, "input": 4, "source": 4, "image": 4, "reference": 4, "enrolment": 4, "gone": 4}
EXIT_CODES |= {"model": 5, "network": 5, "disk": 6, "proof": 7, "format": 7, "stale": 7, "bug": 70}
"""The issue's list, written down a second time."""


def drawn() -> list[tuple[int, str, int | None, int | None]]:
    """The tree in the module's docstring: (depth, class, exit status, HTTP status)."""
    rows = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^    ([│├└─ ]*)([A-Z]\w+)(?:\s+exit\s+(\d+),\s+(\d+))?\s", line + " ")
        if found:
            status = [int(number) if number else None for number in found.groups()[2:]]
            rows.append((len(found[1]) // 4, found[2], status[0], status[1]))
    return rows


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    path: list[str] = []
    seen = {}
    for depth, name, exit_code, http_status in drawn():
        path[depth:] = [name]
        error = getattr(errors, name)
        assert error.__bases__ == ((getattr(errors, path[depth - 1]),) if depth else (Exception,)), name
        inherited = seen[path[depth - 1]] if exit_code is None else (exit_code, http_status)
        seen[name] = inherited
        assert (error.exit_code, error.http_status) == inherited, name
    assert set(seen) == {error.__name__ for error in CLASSES}


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_each_kind_has_its_name_and_exit_status(error: type[HabeasError]) -> None:
    assert error.exit_code == EXIT_CODES[error.kind]
    assert [other.kind for other in CLASSES].count(error.kind) == 1


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_each_carries_its_message_and_remedy(error: type[HabeasError]) -> None:
    extra: dict[str, object] = {"rule": "fpir"} if issubclass(error, RuleError) else {}
    extra |= {"images": []} if issubclass(error, EnrolmentRefused) else {}
    extra |= {"index": 5, "tile": "tile/0/000"} if issubclass(error, ProofError) else {}
    raised = error("it is so", remedy="do this", **extra)
    assert str(raised) == raised.message == "it is so"
    assert raised.as_json() == {"kind": error.kind, "message": "it is so", "remedy": "do this", **extra}
    assert error("plain", **extra).remedy == ""


def test_interruption_has_the_shells_status() -> None:
    assert EXIT_INTERRUPTED == 130
