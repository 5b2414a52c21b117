"""The bytes of footage: nothing can be changed, moved, repeated or given a later deadline without being noticed."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from habeas.errors import FormatError, InputError, KeyDestroyed
from habeas.footage.form import Header, Kind, Record, open_record, read_header, seal_record, split_records
from habeas.keys import KeyStore, MasterKey, MemoryDisk, Scope
from habeas.types import HOUR_NS

HOUR = 500_000 * HOUR_NS


@pytest.fixture(scope="module")
def keys() -> Iterator[KeyStore]:
    with KeyStore.create(Path("memory"), MasterKey(bytes(32)), disk=MemoryDisk()) as made:
        yield made


def header(keys: KeyStore, **changes: object) -> Header:
    plain = Header("gate", HOUR, HOUR + 120 * HOUR_NS, "", "ab" * 8, "h264", (640, 360), HOUR + 5)
    key = changes.pop("key", None) or keys.new(Scope.FOOTAGE, HOUR + 120 * HOUR_NS)
    return dataclasses.replace(plain, key=key, **changes)  # type: ignore[arg-type]  # given by name


def part(data: bytes = b"boxes", at_ns: int = HOUR) -> Record:
    return Record(Kind.PART, at_ns, 1_000_000_000, data)


def sealed(keys: KeyStore, of: Header, number: int, record: Record) -> bytes:
    """Return a record without its length."""
    return seal_record(keys, of, number, record)[4:]


@given(data=st.binary(max_size=2000), at_ns=st.integers(0, 2**63 - 1), lasts_ns=st.integers(0, 2**63 - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(keys: KeyStore, data: bytes, at_ns: int, lasts_ns: int) -> None:
    of = header(keys, key=keys.new(Scope.FOOTAGE, HOUR + 120 * HOUR_NS))
    given_ = Record(Kind.PART, at_ns, lasts_ns, data)
    read = open_record(keys, of, 7, sealed(keys, of, 7, given_))
    assert (read.kind, read.captured_at_ns, read.lasts_ns, read.data) == (Kind.PART, at_ns, lasts_ns, data)
    whole = of.dump() + seal_record(keys, of, 0, given_)
    found, begin = read_header(whole)
    assert found == of
    assert len(list(split_records(whole, begin))) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"deadline_ns": HOUR + 121 * HOUR_NS},
        {"camera": "other"},
        {"hour_ns": HOUR + HOUR_NS},
        {"segment": "cd" * 8},
        {"codec": "hevc"},
        {"began_ns": 0},
    ],
)
def test_a_record_opens_nowhere_else(keys: KeyStore, changes: dict[str, object]) -> None:
    of = header(keys)
    record = sealed(keys, of, 0, part())
    with pytest.raises(InputError, match="damaged, or were not encrypted"):
        open_record(keys, header(keys, key=of.key, **changes), 0, record)
    with pytest.raises(InputError, match="damaged, or were not encrypted"):
        open_record(keys, of, 1, record)
    assert open_record(keys, of, 0, record).data == b"boxes", "the control"


@given(st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_changed_bit_is_read(keys: KeyStore, data: st.DataObject) -> None:
    of = header(keys)
    record = bytearray(sealed(keys, of, 0, part()))
    at = data.draw(st.integers(0, len(record) * 8 - 1))
    record[at // 8] ^= 1 << at % 8
    with pytest.raises(InputError):
        open_record(keys, of, 0, bytes(record))


def test_after_its_key_nothing_opens(keys: KeyStore) -> None:
    of = header(keys)
    record = sealed(keys, of, 0, part())
    keys.reap(of.deadline_ns)
    with pytest.raises(KeyDestroyed):
        open_record(keys, of, 0, record)


def test_what_a_crash_cut_is_left_out_and_an_impossible_length_is_none(keys: KeyStore) -> None:
    of = header(keys)
    whole = of.dump() + seal_record(keys, of, 0, part()) + seal_record(keys, of, 1, part())
    begin = len(of.dump())
    for cut in range(1, len(seal_record(keys, of, 1, part()))):
        assert len(list(split_records(whole[:-cut], begin))) == 1
    with pytest.raises(InputError, match="impossible length"):
        list(split_records(whole + b"\xff\xff\xff\xff", begin))
    with pytest.raises(InputError, match="impossible length"):
        list(split_records(whole + bytes(4), begin))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_header_or_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_header(data)


def test_headers_have_one_form_and_one_version(keys: KeyStore) -> None:
    data = header(keys).dump()
    assert read_header(data)[1] == len(data)
    spaced = data.replace(b'":', b'": ', 1)
    longer = spaced[:9] + (len(spaced) - 13).to_bytes(4, "big") + spaced[13:]
    with pytest.raises(FormatError, match="canonical"):
        read_header(longer)
    with pytest.raises(FormatError, match="version 9"):
        read_header(data[:8] + b"\x09" + data[9:])
    with pytest.raises(FormatError):
        read_header(data[:20])
    assert "boxes" not in repr(part())
