"""Drafting by the API: a face is looked at only after everything else was checked, each time with an entry."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.web.cases import a_draft
from tests.web.matrix import PREFIX, problem
from tests.web.world import World

DAY_NS = 24 * 3600 * 10**9


@pytest.fixture
def kept(world: World) -> Any:
    """What a test drafts is gone afterwards."""
    yield
    world.restore()


def subject(folder: Path, name: str, *files: str) -> dict[str, object]:
    images = [{"name": file, "data": base64.b64encode((folder / file).read_bytes()).decode()} for file in files]
    return {"name": name, "born": "1970-01-01", "images": images}


def post(world: World, client: httpx.Client, changes: Mapping[str, object]) -> tuple[httpx.Response, list[Any]]:
    """Draft with these changes; the answer, and the entries of images examined."""
    before = world.entry_count()
    plain = a_draft(world, None)  # type: ignore[arg-type]  # who asks makes no difference
    assert isinstance(plain, dict)
    answer = client.post(
        f"{PREFIX}/authorisations",
        json={**plain, **changes},
        headers={"authorization": f"Bearer {world.secrets['requester1']}"},
    )
    entries = [entry for entry in world.entries(before) if entry[0] == "images.examined"]
    return answer, entries


@pytest.mark.rule("O2")
@pytest.mark.usefixtures("kept")
def test_what_may_not_be_asked_examines_nothing(world: World, client: httpx.Client) -> None:
    now_ns = world.node.time.now_ns()
    far = {"from_ns": now_ns + 40 * DAY_NS, "until_ns": now_ns + 41 * DAY_NS}
    for changes in (
        {"purpose": "consent", "from_ns": 0, "until_ns": 1},
        {"purpose": "no such"},
        far,
        {"purpose": "consent", "urgent": True},
        {"cameras": ["no such"]},
        {"cameras": []},
        {"authority": "x"},
        {"decision": ""},
    ):
        answer, entries = post(world, client, changes)
        problem(answer)
        assert entries == [], changes
    answer, entries = post(world, client, {})
    assert answer.status_code == 200
    assert len(entries) == 1, "control"


@pytest.mark.rule("A21")
@pytest.mark.usefixtures("kept")
def test_drafting_tells_nobody_that_two_faces_are_one(
    world: World, client: httpx.Client, portraits_folder: Path
) -> None:
    twins = [subject(portraits_folder, "X", "obama.jpg"), subject(portraits_folder, "Obama", "obama2.jpg")]
    answer, entries = post(world, client, {"subjects": twins})
    assert answer.status_code == 200
    assert "similar" not in answer.text
    assert json.loads(entries[0][2]) == {"images": 2, "refused": 0, "v": 1}
    identifier = answer.json()["id"]
    asker = {"authorization": f"Bearer {world.secrets['requester1']}"}
    assert "look_alikes" not in client.get(f"{PREFIX}/authorisations/{identifier}", headers=asker).json()


@pytest.mark.rule("R1")
@pytest.mark.usefixtures("kept")
def test_images_of_several_people_are_refused_in_fixed_words(
    world: World, client: httpx.Client, portraits_folder: Path
) -> None:
    mixed = [subject(portraits_folder, "Secret Name", "obama.jpg", "biden.jpg")]
    answer, entries = post(world, client, {"subjects": mixed})
    assert problem(answer)["message"] == "the images of one person show more than one person"
    assert len(entries) == 1


@pytest.mark.usefixtures("kept")
def test_an_examination_that_refuses_is_an_entry_too(world: World, client: httpx.Client) -> None:
    bad = {"name": "A", "born": "1990-01-01", "images": [{"name": "a.jpg", "data": "AAAA"}]}
    answer, entries = post(world, client, {"subjects": [bad]})
    assert problem(answer)["kind"] == "enrolment"
    assert json.loads(entries[0][2]) == {"images": 1, "refused": 1, "v": 1}
    assert entries[0][1] == world.account_id("requester1")


@pytest.mark.rule("A12")
@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("char", ["\u0007", "\u200b", "\u00ad", "\ue000", "\u2028", "\u2029"], ids=ascii)
def test_a_name_is_of_characters_that_can_be_seen(world: World, client: httpx.Client, char: str) -> None:
    named = {"name": f"Kim D{char}oe", "born": "1990-01-01", "images": [{"name": "a.jpg", "data": "AAAA"}]}
    answer, entries = post(world, client, {"subjects": [named]})
    assert problem(answer)["message"] == "subjects.0.name: has characters that cannot be seen"
    assert "Kim" not in answer.text
    assert entries == []
