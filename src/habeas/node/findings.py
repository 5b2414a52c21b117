"""What a check of `habeas doctor` found."""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from habeas.errors import HabeasError


class Health(enum.Enum):
    """How a check came out: all is well; it works, but; it does not."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Args:
        check: what was looked at.
        health: how it came out.
        text: what is so, one line; no secret, no password.
        remedy: what to do about it; empty where all is well.
        facts: JSON values, for programs.
    """

    check: str
    health: Health
    text: str
    remedy: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Return the object that `--json` prints."""
        told = {"check": self.check, "health": self.health.value, "text": self.text, "remedy": self.remedy}
        return {"event": "check", **told, "facts": dict(self.facts)}


def ok(check: str, text: str, **facts: object) -> Finding:
    """Return a finding that all is well."""
    return Finding(check, Health.OK, text, facts=facts)


def warn(check: str, text: str, remedy: str, **facts: object) -> Finding:
    """Return a finding that something could be better."""
    return Finding(check, Health.WARN, text, remedy, facts)


def fail(check: str, text: str, remedy: str, **facts: object) -> Finding:
    """Return a finding that something does not work."""
    return Finding(check, Health.FAIL, text, remedy, facts)


def guarded(check: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield findings; what cannot be checked is one, too, and ends no other check."""
    try:
        yield from findings
    except HabeasError as error:
        yield fail(check, error.message, error.remedy)
    except OSError as error:
        yield fail(check, f"{error.filename or 'it'} cannot be read: {error.strerror}", "see its modes and owner")
