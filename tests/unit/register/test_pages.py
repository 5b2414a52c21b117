"""Pages: each is there, whole, without scripts, and shows no text as anything but text."""

import re
from copy import deepcopy
from html.parser import HTMLParser

import pytest
from tests.unit.register.test_checking import HONEST

from habeas.register.document import Document
from habeas.register.pages import PAGES, STYLE, count, moment, render, share, shown

EVIL = "<script>alert(1)</script>\"'&"
VOID = {"meta", "link", "br"}


class Tree(HTMLParser):
    """Checks that what is opened is closed, and gathers what there is."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: bytes) -> Tree:
    tree = Tree()
    tree.feed(page.decode())
    assert tree.open == []
    return tree


def evil(value: object) -> object:
    if isinstance(value, dict):
        return {name: evil(one) for name, one in value.items()}
    if isinstance(value, list):
        return [evil(one) for one in value]
    return f"{value}{EVIL}" if isinstance(value, str) else value


def empty() -> Document:
    lists = ("zones", "policies", "authorisations", "suspensions", "statistics")
    return {**deepcopy(HONEST), **{name: [] for name in lists}, "log": None, "model": None}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("what", ["honest", "empty", "evil"])
def test_every_page_is_whole_accessible_and_without_scripts(name: str, what: str) -> None:
    document = {"honest": HONEST, "empty": empty(), "evil": evil(HONEST)}[what]
    tree = read(render(document)[name])  # type: ignore[arg-type]  # JSON values
    kinds = [tag for tag, _ in tree.tags]
    assert kinds.count("h1") == kinds.count("main") == kinds.count("nav") == 1
    assert not {"script", "iframe", "img", "form", "object", "style"} & set(kinds)
    assert ("html", {"lang": "en"}) in tree.tags
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in tree.tags
    here = [attrs["href"] for tag, attrs in tree.tags if tag == "a" and attrs.get("aria-current") == "page"]
    assert here == [name]
    assert all(attrs.get("scope") for tag, attrs in tree.tags if tag == "th")
    assert not [attrs for _, attrs in tree.tags for key in attrs if key.startswith("on")]


def test_pages_say_what_the_document_says() -> None:
    pages = {name: read(page).text for name, page in render(HONEST).items() if name != STYLE}
    assert "City of Somewhere" in pages["index.html"]
    assert "Police of Somewhere" in pages["authorisations.html"]
    assert "an assembly" in pages["suspensions.html"]
    assert "Watches the hall." in pages["cameras.html"]
    assert "other zones" in pages["statistics.html"]
    assert "95 %" in pages["statistics.html"]
    assert "version 1" in pages["policy.html"].lower()
    assert "example.org/log" in pages["log.html"]
    assert "self-witnessed" not in pages["log.html"].lower()


def test_what_is_not_stated_says_so() -> None:
    bare = deepcopy(HONEST)
    bare["stated"] = dict.fromkeys(bare["stated"], "")
    assert read(render(bare)["index.html"]).text.count("not stated") >= 4


def test_a_log_without_two_witnesses_says_so() -> None:
    alone = deepcopy(HONEST)
    alone["log"]["self_witnessed"] = True
    pages = render(alone)
    assert b"self-witnessed" in pages["index.html"]
    assert b"Self-witnessed" in pages["log.html"]


def test_withheld_numbers_are_dashes() -> None:
    withheld = deepcopy(HONEST)
    row = withheld["statistics"][0]
    withheld["statistics"] = [{**dict.fromkeys(row), "period": "2026-11", "zone": "gate", "days": 1}]
    assert re.search(r"gate\s+-\s*-\s*-", read(render(withheld)["statistics.html"]).text)


def test_how_values_read() -> None:
    assert moment("2026-11-26T14:15:12.000000000Z") == "2026-11-26 14:15 UTC"
    assert (moment(None), count(None), count(1234567)) == ("", "-", "1,234,567")
    assert (share(None), share(0.0438), share(0.0), share(1.5e-6)) == ("-", "4.38%", "0.00%", "1.5 in a million")
    assert (shown([]), shown(""), shown(["a", "b"]), shown(5)) == ("none", "none", "a, b", "5")
