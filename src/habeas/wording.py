"""What pydantic finds wrong with a setting or a request, in our words: which field, what is wrong, what to do.

No text of pydantic's reaches a user, and no value that was given is repeated: it may be a password.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import ErrorDetails, PydanticCustomError

_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "extra_forbidden": ("there is no such field", "leave it out, or check its spelling"),
    "missing": ("is missing", "give it"),
    "none_required": ("takes no value", "leave it out"),
    "string_type": ("is no text", "write a text, in quotation marks"),
    "string_unicode": ("is not proper Unicode", "write it in UTF-8"),
    "string_too_short": ("is shorter than {min_length} characters", "write at least {min_length}"),
    "string_too_long": ("is longer than {max_length} characters", "shorten it"),
    "bytes_type": ("is no text", "write a text, in quotation marks"),
    "bool_type": ("is neither true nor false", "write true or false"),
    "bool_parsing": ("is neither true nor false", "write true or false"),
    "int_type": ("is no whole number", "write a whole number, without quotation marks"),
    "int_parsing": ("is no whole number", "write a whole number"),
    "int_parsing_size": ("is too large a number", "write a smaller one"),
    "int_from_float": ("is no whole number", "write a whole number"),
    "float_type": ("is no number", "write a number, without quotation marks"),
    "float_parsing": ("is no number", "write a number"),
    "finite_number": ("is no finite number", "write a number"),
    "greater_than": ("is too small", "write more than {gt}"),
    "greater_than_equal": ("is too small", "write {ge} or more"),
    "less_than": ("is too large", "write less than {lt}"),
    "less_than_equal": ("is too large", "write {le} or less"),
    "literal_error": ("is none of what can be chosen", "write {expected}"),
    "path_type": ("is no path", "write the path of a file or folder"),
    "list_type": ("is no list", "write a list"),
    "tuple_type": ("is no list", "write a list: [one, another]"),
    "too_short": ("has fewer than {min_length} entries", "give at least {min_length}"),
    "too_long": ("has more than {max_length} entries", "give at most {max_length}"),
    "dict_type": ("is no group of names and values", "write names and values"),
    "model_type": ("is no group of names and values", "write names and values below it"),
    "model_attributes_type": ("is no JSON object", "send a JSON object, as application/json"),
    "json_invalid": ("is no JSON", "send one JSON object"),
}
"""By kind of error: what is wrong, and the remedy. Names in braces are of its context: bounds, never what was given."""
_ELSE: Final = ("cannot be taken", "see how it is documented")
_CHOICE: Final = re.compile(r"\^\(([\w|-]+)\)\$")
_VARIANT: Final = re.compile(r"int|float|constrained-str|list\[.*\]|function-.*|\[key\]")
"""What pydantic puts behind a field to tell which kind it tried."""


@dataclass(frozen=True)
class Wrong:
    """One thing that is wrong.

    Args:
        path: of the field, from the outside in.
        what: is wrong with it, beginning with a verb or a thing: to be read behind its name.
        remedy: what to do.
    """

    path: tuple[str, ...]
    what: str
    remedy: str


def refusal(what: str, remedy: str) -> PydanticCustomError:
    """Return what a validator of ours raises: told with these words, which repeat nothing secret."""
    return PydanticCustomError("habeas", "refused", {"what": what, "remedy": remedy})


def wrongs(errors: Sequence[ErrorDetails] | Sequence[Any]) -> list[Wrong]:
    """Return everything that is wrong, each field once, in the order in which it was found.

    Args:
        errors: `ValidationError.errors()`, or FastAPI's.
    """
    found: dict[tuple[str, ...], Wrong] = {}
    for error in errors:
        path = _path(error["loc"][:1] if error["type"] == "json_invalid" else error["loc"])  # else a place in the text
        found.setdefault(path, Wrong(path, *_words(error["type"], error.get("ctx") or {})))
    return list(found.values())


def _path(loc: Sequence[int | str]) -> tuple[str, ...]:
    parts = [str(part) for part in loc]
    while len(parts) > 1 and _VARIANT.fullmatch(parts[-1]):
        parts.pop()
    return tuple(parts)


def _words(kind: str, context: Mapping[str, Any]) -> tuple[str, str]:
    if kind == "habeas":
        return str(context["what"]), str(context["remedy"])
    if kind == "string_pattern_mismatch":
        choice = _CHOICE.fullmatch(str(context["pattern"]))
        form = " or ".join(choice[1].split("|")) if choice else f"what fits {context['pattern']}"
        return ("is none of what can be chosen" if choice else "is not of its form"), f"write {form}"
    what, remedy = _WORDS.get(kind, _ELSE)
    return what.format(**context), remedy.format(**context)
