"""How the settings of a backup differ from those in force: lines to read, without what is secret in either."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from habeas.node.workspace import SETTINGS
from habeas.settings import known_keys

OF_BACKUP: Final = f"{SETTINGS}.of-backup"
_SECRET: Final = frozenset({("database",), ("keys", "master_command"), ("models", "base_url")})
"""Settings in which a password may stand."""
_NAMES: Final = "|".join(key[-1] for key in sorted(_SECRET))
_IN_COMMENT: Final = re.compile(rf"(#.*\b(?:{_NAMES})\s*:\s*)(\S.*)")
_IN_ADDRESS: Final = re.compile(r"(?<=://)[^\s/@]+@")
_NOT_READ: Final = "(it is no YAML, and is not shown)"


def settings_difference(folder: Path) -> list[str]:
    """Return how the settings of a backup differ from those in force, as lines of a unified diff; none: they do not.

    Where a secret differs, it has another number in each.

    Args:
        folder: of the workspace, in which a restore left them.
    """
    secrets: dict[str, int] = {}
    try:
        now, then = (_masked((folder / name).read_text("utf-8"), secrets) for name in (SETTINGS, OF_BACKUP))
    except (OSError, UnicodeDecodeError):
        return [f"{OF_BACKUP} cannot be compared"]
    return list(difflib.unified_diff(now, then, SETTINGS, OF_BACKUP, n=1, lineterm=""))


def _masked(text: str, secrets: dict[str, int]) -> list[str]:
    """Return the lines of a file of settings, a number in the place of each secret: the same for the same one."""

    def number(secret: str) -> str:
        return f"(secret {secrets.setdefault(secret.strip(), len(secrets) + 1)})"

    try:
        spans = set(_spans(yaml.compose(text, yaml.SafeLoader), ()))
    except yaml.YAMLError:
        return [_NOT_READ, number(text)]
    outer = [one for one in spans if not any(other[0] <= one[0] and one[1] <= other[1] for other in spans - {one})]
    for start, end in sorted(outer, reverse=True):  # an anchor may lie in another's value
        text = text[:start] + number(text[start:end]) + text[end:]
    text = _IN_COMMENT.sub(lambda found: found[1] + number(found[2]), text)
    return _IN_ADDRESS.sub(lambda found: f"{number(found[0])}@", text).splitlines()


def _spans(node: yaml.Node | None, path: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Yield where the values are that are not shown: secret ones, and those of a key that is no setting."""
    if not isinstance(node, yaml.MappingNode):
        return
    known = set(known_keys())
    for key, value in node.value:
        here = (*path, str(key.value))
        group = any(one[: len(here)] == here for one in known)
        if here in _SECRET or not group:
            yield value.start_mark.index, value.end_mark.index
        elif here not in known:
            yield from _spans(value, here)
