"""The register's pages: static, without scripts, made of the document alone."""

from collections.abc import Mapping
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from habeas.register.document import Document

PAGES: Final[Mapping[str, str]] = {
    "index.html": "Overview",
    "cameras.html": "Cameras",
    "authorisations.html": "Authorisations",
    "suspensions.html": "Suspensions",
    "statistics.html": "Statistics",
    "policy.html": "Policy",
    "log.html": "Log",
}
"""File, and title."""
STYLE: Final = "style.css"
_WHOLE_HOUR: Final = 16


def render(document: Document) -> dict[str, bytes]:
    """Return the pages and their style by file name.

    Args:
        document: from `document.as_json`.
    """
    made = _environment()
    pages = {name: made.get_template(name).render(register=document, pages=PAGES, page=name).encode() for name in PAGES}
    return {**pages, STYLE: made.get_template(STYLE).render().encode()}


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("habeas.register"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"moment": moment, "share": share, "count": count, "shown": shown}
    return made


def moment(text: str | None) -> str:
    """Return a time for people: `2026-11-26 14:15 UTC`."""
    return "" if text is None else f"{text[:_WHOLE_HOUR].replace('T', ' ')} UTC"


def share(value: float | None) -> str:
    """Return a share for people: percent, or so many in a million where it is small."""
    if value is None:
        return "-"
    return f"{value:.2%}" if value >= 0.001 or value == 0 else f"{value * 1e6:.3g} in a million"  # noqa: PLR2004


def count(value: int | None) -> str:
    """Return a number for people: thousands apart; withheld: a dash."""
    return "-" if value is None else f"{value:,}"


def shown(value: object) -> str:
    """Return the value of a ceiling for people."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value) if value != "" else "none"
