"""Documents that are run: their blocks and remarks, a shell in which their commands run, and what they print."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import pytest

BLOCK: Final = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$|^<!-- (.*?) -->$", re.MULTILINE | re.DOTALL)
"""(language, file, text, "") of a block, or ("", "", "", remark)."""
_END: Final = "--- end of command"


class Shell:
    """One shell in which all commands run, so that its variables last."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            ["/bin/bash", "--norc"],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> tuple[str, int]:
        """Run a command; return its output and exit status."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\nstatus=$?; echo; echo '{_END}' $status\n")
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            if line.startswith(_END):
                return "".join(lines).strip("\n"), int(line.removeprefix(_END))
            lines.append(line)
        pytest.fail(f"the shell ended: {''.join(lines)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


@dataclass(frozen=True)
class Step:
    """A command, what it prints, and how it ends."""

    command: str
    printed: str
    status: int


def steps(block: str) -> Iterator[Step]:
    """Yield the commands of a console block."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        status = re.search(r"^\[(\d+)\]\n?\Z", printed, re.MULTILINE)
        yield Step(command, printed[: status.start()] if status else printed, int(status[1]) if status else 0)


def fits(expected: str, printed: str) -> bool:
    """Tell whether an output is the one of the story, where `…` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in expected.strip("\n").split("…"))
    return re.fullmatch(pattern, printed.strip("\n"), re.DOTALL) is not None
