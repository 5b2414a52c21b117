"""How two files of settings differ, and that nothing secret is in what is printed of it."""

from pathlib import Path

import pytest

from habeas.node.comparing import _SECRET, OF_BACKUP, settings_difference
from habeas.node.workspace import SETTINGS
from habeas.settings import known_keys

SECRET = "hunter2"  # noqa: S105 - planted, to be looked for


def difference(folder: Path, now: str, then: str) -> list[str]:
    (folder / SETTINGS).write_text(now)
    (folder / OF_BACKUP).write_text(then)
    return settings_difference(folder)


def test_lines_that_differ_are_told_and_the_same_file_is_none(tmp_path: Path) -> None:
    told = difference(tmp_path, "live:\n  stall_s: 4\n", "live:\n  stall_s: 5\n")
    assert told == [
        f"--- {SETTINGS}",
        f"+++ {OF_BACKUP}",
        "@@ -1,2 +1,2 @@",
        " live:",
        "-  stall_s: 4",
        "+  stall_s: 5",
    ]
    assert difference(tmp_path, "live: {}\n", "live: {}\n") == []


@pytest.mark.parametrize(
    "text",
    [
        f"database: postgresql+psycopg://u:{SECRET}@h/n\n",
        f"database: >\n  {SECRET}\n",
        f"keys:\n  master_command:\n    - kms\n    - --token={SECRET}\n",
        f"keys: {{master_command: [kms, {SECRET}]}}\n",
        f"models: {{base_url: 'https://u:{SECRET}@h/'}}\n",
        f"# database: postgresql+psycopg://u:{SECRET}@h/n\n",
        f"# master_command: [kms, {SECRET}]\n",
        f"# see https://u:{SECRET}@h/\nlive: {{}}\n",
        f"databse: {SECRET}\n",
        f"keys: {{master: {SECRET}}}\n",
        f"database: [{SECRET}\n",
        f"a: {SECRET}: b\n",
        f"x: [a, &s {SECRET}, {SECRET}-too]\ndatabase: *s\n",
    ],
)
def test_no_secret_is_told_but_that_it_differs(tmp_path: Path, text: str) -> None:
    other = text.replace(SECRET, f"other-{SECRET}")
    told = "\n".join(difference(tmp_path, text, other))
    assert SECRET not in told
    assert "(secret 1)" in told
    assert "(secret 2)" in told
    assert difference(tmp_path, text, text) == []


def test_the_secrets_are_settings() -> None:
    assert set(known_keys()) >= _SECRET


def test_what_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    (tmp_path / SETTINGS).write_text("")
    (tmp_path / OF_BACKUP).write_bytes(b"\xff")
    assert settings_difference(tmp_path) == [f"{OF_BACKUP} cannot be compared"]
