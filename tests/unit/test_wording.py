"""What pydantic finds wrong, in our words: every kind of error that a setting or a request can come to has some."""

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from habeas.settings import Settings
from habeas.web import bodies
from habeas.wording import _ELSE, _WORDS, refusal, wrongs

BODIES = [one for one in vars(bodies).values() if isinstance(one, type) and issubclass(one, bodies.Body)]
HOSTILE: list[Any] = [None, [], {}, 0, -1, 1.5, 10**30, float("nan"), "", "x" * 5000, "\ud800", True, ["x"] * 5000]
HOSTILE += [{"x": 1}, [[]], [0], [{"x": 1}], object()]


def told(kind: Any, value: Any) -> list[Any]:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        return error.errors()
    return []


@pytest.mark.parametrize("model", [*BODIES, *(field.annotation for field in Settings.model_fields.values())])
def test_no_text_of_pydantics_is_left(model: Any) -> None:
    """Every field with every value that it may not have."""
    fields = model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else {}
    cases = [*HOSTILE, *({name: value} for name in fields for value in HOSTILE)]
    for value in cases:
        for raw, own in ((error, wrongs([error])[0]) for error in told(model, value)):
            assert (own.what, own.remedy) != _ELSE, raw["type"]
            assert raw["msg"] not in own.what + own.remedy
            assert raw["type"] == "string_pattern_mismatch" or "{" not in own.what + own.remedy


def test_a_kind_without_words_is_told_all_the_same() -> None:
    (one,) = wrongs([{"type": "no_such_kind", "loc": ("a", 1), "msg": "Raw text", "input": "hunter2"}])
    assert (one.path, one.what, one.remedy) == (("a", "1"), *_ELSE)
    assert "no_such_kind" not in _WORDS


def test_bounds_and_choices_are_in_the_remedy() -> None:
    def remedy(kind: Any, value: Any) -> str:
        return wrongs(told(kind, value))[0].remedy

    assert remedy(Annotated[int, Field(ge=3)], 1) == "write 3 or more"
    assert remedy(Annotated[str, Field(pattern="^(a|b-c)$")], "d") == "write a or b-c"
    assert remedy(Annotated[str, Field(pattern="^[0-9]$")], "d") == "write what fits ^[0-9]$"
    assert remedy(Annotated[list[int], Field(max_length=1)], [1, 2]) == "give at most 1"


def test_one_field_that_may_be_of_several_kinds_is_told_once() -> None:
    found = wrongs(told(dict[str, int | float | list[str]], {"a": None}))
    assert [one.path for one in found] == [("a",)]
    raised = refusal("is odd", "make it even")
    assert (raised.context or {})["remedy"] == "make it even"
