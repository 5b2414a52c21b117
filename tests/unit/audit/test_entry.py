"""Leaves and openings: one form each, committed to, silent about what they hide."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.installation import Installation

from habeas.audit.entry import Leaf, leaf_of, opening_of
from habeas.audit.hiding import hide, uncover
from habeas.audit.tiles import MAX_ENTRY_BYTES
from habeas.errors import InputError, KeyDestroyed
from habeas.keys import Scope
from habeas.store.records import Entry
from habeas.store.transaction import MAX_BODY_BYTES

AT_NS = 1_795_702_512_000_000_001
PLAIN = Entry(7, AT_NS, "alert.decided", "account-1", '{"alert":"a","v":1}', bytes(range(16)))


def test_a_leaf_says_type_hour_and_commitment_only() -> None:
    leaf = leaf_of(PLAIN)
    assert json.loads(leaf) == {
        "commitment": hashlib.sha256(opening_of(PLAIN)).hexdigest(),
        "hour": "2026-11-26T14:00:00Z",
        "type": "alert.decided",
        "v": 1,
    }
    assert Leaf.parse(leaf).dump() == leaf


def test_an_opening_says_everything_but_what_is_hidden() -> None:
    assert json.loads(opening_of(PLAIN)) == {
        "actor": "account-1",
        "at": "2026-11-26T14:15:12.000000001Z",
        "body": {"alert": "a", "v": 1},
        "hidden": None,
        "salt": "000102030405060708090a0b0c0d0e0f",
        "seq": 7,
        "type": "alert.decided",
        "v": 1,
    }


@given(st.integers(0, 2**62), st.text(), st.binary(min_size=16, max_size=16))
def test_every_field_is_committed_to(at_ns: int, actor: str, salt: bytes) -> None:
    other = Entry(7, at_ns, "alert.decided", actor, PLAIN.body, salt)
    same = (at_ns, actor, salt) == (PLAIN.at_ns, PLAIN.actor, PLAIN.salt)
    assert (leaf_of(other) == leaf_of(PLAIN)) is same


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":1}', b'"v":1} '),
        (b'"v":1}', b'"v":1,"v":1}'),
        (b'"v":1}', b'"v": 1}'),
        (b'"v":1}', b'"v":1.0}'),
        (b'"v":1}', b'"v":1'),
        (b"alert.decided", b""),
        (b"alert.decided", b"Alert decided"),
        (b"alert.decided", b"a" * 65),
        (b"alert.decided", b"\xff"),
        (b"T14:00:00Z", b"T14:15:00Z"),
        (b"2026", "\uff12026".encode()),
        (b'{"commitment":"', b'{"commitment":"0'),
        (b'{"commitment":"', b'\n{"commitment":"'),
    ],
)
def test_a_leaf_has_one_form_and_no_other(old: bytes, new: bytes) -> None:
    leaf = leaf_of(PLAIN)
    assert Leaf.parse(leaf).dump() == leaf
    with pytest.raises(InputError):
        Leaf.parse(leaf.replace(old, new))


@pytest.mark.parametrize(
    "fields",
    [
        {"commitment": "c", "hour": "h", "type": "t", "v": 2},
        {"commitment": "c", "hour": "h", "type": "t"},
        {"commitment": "c", "hour": 1, "type": "t", "v": 1},
        {"commitment": "c", "hour": "h", "more": 1, "type": "t", "v": 1},
    ],
)
def test_leaves_of_another_version_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Leaf.parse(json.dumps(fields, separators=(",", ":"), sort_keys=True).encode())


@pytest.fixture
def station(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.mark.rule("L8")
def test_what_is_hidden_goes_with_its_key_and_the_leaf_stays(station: Installation) -> None:
    with station:
        key_id = station.keys.new(Scope.ALERT, AT_NS)
        with station.store.write() as tx:
            seq = tx.entry("test.hidden", "ann", {"n": 1}, hide(station.keys, key_id, {"camera": "gate-7"}))
        entry = station.look(Entry, seq=seq)[0]
        leaf = leaf_of(entry)
        plain = uncover(station.keys, entry)
        assert json.loads(plain)["camera"] == "gate-7"
        assert hashlib.sha256(plain).hexdigest() == json.loads(opening_of(entry))["hidden"]
        assert b"gate-7" not in opening_of(entry)
        assert b"gate-7" not in (entry.hidden_sealed or b"")
        station.keys.destroy([key_id])
        with pytest.raises(KeyDestroyed):
            uncover(station.keys, entry)
        assert leaf_of(station.look(Entry, seq=seq)[0]) == leaf


def test_the_same_fact_hidden_twice_commits_to_different_hashes(station: Installation) -> None:
    """Otherwise whoever guesses what was hidden could confirm the guess after its key is gone."""
    with station:
        key_id = station.keys.new(Scope.ALERT, AT_NS)
        assert len({hide(station.keys, key_id, {"camera": "gate-7"}).sha256 for _ in range(3)}) == 3


def test_a_body_too_long_for_the_log_is_refused(station: Installation) -> None:
    with station, station.store.write() as tx:
        with pytest.raises(InputError, match="too long"):
            tx.entry("test.long", "ann", {"text": "x" * MAX_BODY_BYTES})
        tx.entry("test.long", "ann", {"text": "x" * (MAX_BODY_BYTES - 100)})
        assert len(opening_of(tx.find(Entry, kind="test.long")[0])) <= MAX_ENTRY_BYTES
