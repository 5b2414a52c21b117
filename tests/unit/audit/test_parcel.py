"""Parcels as whoever gives one away may make them up: they hold, or a `ProofError` says why not."""

import copy
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import PROPERTY
from tests.unit.audit.exports import POLICY
from tests.unit.audit.parcels import FILM, NAME, content, packed, reports
from tests.unit.audit.signers import LOG, OTHER_LOG

from habeas.audit.bundle import Exhibit
from habeas.audit.parcel import MAX_FILMS, Parcel, check, content_of, pack
from habeas.cli.times import show_told
from habeas.errors import FormatError, InputError, ProofError

KEYS: Final = (LOG.verifier,)
Change = Callable[[dict[str, Any]], object]


def opened(data: bytes, keys: Any = KEYS) -> Parcel:
    return check(data, keys, POLICY)


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: Mapping[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", how) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return data.getvalue()


GOOD: Final = packed()
FILES: Final = unzipped(GOOD)
MANIFEST: Final[dict[str, Any]] = json.loads(FILES["manifest.json"])


def with_manifest(text: bytes) -> bytes:
    return zipped({**FILES, "manifest.json": text})


def changed(change: Change) -> bytes:
    """A parcel whose manifest was changed."""
    told = copy.deepcopy(MANIFEST)
    change(told)
    return with_manifest(json.dumps(told).encode())


def approving(change: Change) -> bytes:
    """A parcel of other content, whose entry was made up to approve exactly that."""
    told = copy.deepcopy(MANIFEST)
    change(told["content"])
    told["entry"]["opening"]["body"]["sha256"] = content_of(told["content"])
    return with_manifest(json.dumps(told).encode())


# --- what holds -------------------------------------------------------------------------------------------------------


@pytest.mark.rule("E9")
def test_a_parcel_is_proven_with_the_logs_key_and_only_then() -> None:
    proven, unproven = opened(GOOD), opened(GOOD, ())
    assert (proven.proven, proven.witnesses, proven.films) == (True, 3, {NAME: FILM})
    assert (unproven.proven, unproven.witnesses, unproven.films) == (False, 0, {NAME: FILM})
    with pytest.raises(ProofError):
        opened(GOOD, (OTHER_LOG.verifier,))


@pytest.mark.rule("E9")
def test_an_entry_that_was_made_up_passes_without_a_key_and_with_one_it_does_not() -> None:
    forged = approving(lambda told: told.update(about="hold-2"))
    assert not opened(forged, ()).proven
    with pytest.raises(ProofError):
        opened(forged)


def test_a_key_that_a_later_version_adds_is_hashed_and_no_reason_to_refuse() -> None:
    assert opened(approving(lambda told: told.update(later=[1, "x"])), ()).content["later"] == [1, "x"]


# --- what does not ----------------------------------------------------------------------------------------------------


HUGE: Final = 10**400
ODD: Final = (None, True, 0, 1.5, -1, HUGE, float("nan"), float("inf"), "", "x", "\ud800", [], {}, [[]], {"a": {}})


def places(value: Any, *above: str | int) -> list[tuple[str | int, ...]]:
    """Where in a JSON value there is something."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return (
        [above, *(place for key, one in inner for place in places(one, *above, key))]
        if above
        else [place for key, one in inner for place in places(one, key)]
    )


PLACES: Final = places(MANIFEST)


def put(told: Any, place: tuple[str | int, ...], value: Any) -> None:
    for key in place[:-1]:
        told = told[key]
    told[place[-1]] = value


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
@pytest.mark.parametrize("keys", [(), KEYS], ids=["no key", "key"])
def test_whatever_stands_anywhere_in_a_manifest_is_no_bug(place: tuple[str | int, ...], keys: Any) -> None:
    for value in ODD:
        holds_or_says_why(changed(lambda told, value=value: put(told, place, value)), keys)
        if place[0] == "content" and len(place) > 1:
            try:
                made = approving(lambda told, value=value: put(told, place[1:], value))
            except (ValueError, RecursionError):
                continue  # it cannot be hashed
            holds_or_says_why(made, ())


def holds_or_says_why(data: bytes, keys: Any) -> None:
    """Whatever is said of what holds can be shown: its times are times."""
    try:
        parcel = opened(data, keys)
    except ProofError:
        return
    json.dumps(parcel.content, allow_nan=False)
    for film in parcel.content["films"]:
        show_told(film["from"])
        show_told(film["until"])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(HUGE) | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@PROPERTY
@given(st.lists(st.tuples(st.sampled_from(PLACES), values), min_size=1, max_size=3), st.booleans())
def test_whatever_stands_in_several_places_is_no_bug(
    changes: list[tuple[tuple[str | int, ...], Any]], with_key: bool
) -> None:
    def change(told: dict[str, Any]) -> None:
        for place, value in changes:
            try:
                put(told, place, value)
            except (KeyError, TypeError, IndexError):
                continue  # an earlier change took the place away

    holds_or_says_why(changed(change), KEYS if with_key else ())


@PROPERTY
@given(st.data(), st.booleans())
def test_whatever_bytes_are_changed_is_no_bug(data: st.DataObject, in_the_end: bool) -> None:
    made = bytearray(GOOD)
    first = len(made) - 400 if in_the_end else 0  # the directory of the archive
    for _ in range(data.draw(st.integers(1, 6))):
        made[data.draw(st.integers(first, len(made) - 1))] = data.draw(st.sampled_from([0, 1, 127, 128, 255]))
    holds_or_says_why(bytes(made[: data.draw(st.integers(0, len(made)))] if data.draw(st.booleans()) else made), KEYS)


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b"3", b"\xff", b"[" * 100_000, b"9" * 5000, b'{"kind": {}}'])
def test_what_is_no_manifest_is_a_format_error(text: bytes) -> None:
    with pytest.raises(FormatError):
        opened(with_manifest(text))


@pytest.mark.parametrize("levels", [50, 300, 450, 900, 960, 985])
@pytest.mark.parametrize(
    "where", [("content",), ("reports", NAME), ("entry", "opening"), ("entry", "opening", "body"), ()]
)
def test_what_lies_deep_is_no_bug(where: tuple[str, ...], levels: int) -> None:
    told = copy.deepcopy(MANIFEST)
    put(told, (*where, "later"), "deep")
    text = json.dumps(told).encode().replace(b'"deep"', b"[" * levels + b"]" * levels)
    for keys in ((), KEYS):
        holds_or_says_why(with_manifest(text), keys)


@pytest.mark.parametrize("text", [b"", b"c2sp.org/tlog-proof@v1\nindex 99999999999999999999\n\nx", b"\xff" * 9])
def test_what_is_no_proof_is_a_proof_error(text: bytes) -> None:
    with pytest.raises(ProofError):
        opened(zipped({**FILES, "entry.tlog-proof": text}))


@pytest.mark.parametrize("name", ["../x.mp4", "a/b.mp4", ".mp4", "x.mp3", "ä.mp4", "x" * 300 + ".mp4", "a\n.mp4"])
def test_a_film_is_a_file_of_one_folder(name: str) -> None:
    with pytest.raises(FormatError):
        opened(approving(lambda told: told["films"][0].update(name=name)), ())


@pytest.mark.parametrize("names", [["a.mp4", "A.mp4"], [f"{number}.mp4" for number in range(MAX_FILMS + 1)]])
def test_no_film_is_named_twice_and_there_are_not_too_many(names: list[str]) -> None:
    one = MANIFEST["content"]["films"][0]
    with pytest.raises(FormatError):
        opened(approving(lambda told: told.update(films=[{**one, "name": name} for name in names])), ())


def test_what_is_compressed_is_not_read() -> None:
    assert opened(zipped(FILES)).proven, "the control"
    for how in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with pytest.raises(FormatError, match="compressed"):
            opened(zipped(FILES, how))


def test_an_export_whose_approval_is_not_public_yet_is_not_packed() -> None:
    exhibit = Exhibit(3, b"{}", None, None)
    with pytest.raises(InputError, match="not published"):
        pack(content(), reports(), {NAME: FILM}, exhibit, {})
