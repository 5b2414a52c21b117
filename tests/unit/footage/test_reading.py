"""Footage read by interval: each segment from its beginning; damage is said; nothing past its deadline."""

import pytest
from tests.unit.footage.bench import MINUTE, Bench

from habeas.errors import InputError
from habeas.footage.reading import Damage, Stretch, Window, read_window
from habeas.keys import Scope
from habeas.types import HOUR_NS, NS_PER_S


def read(bench: Bench, from_ns: int, until_ns: int, camera: str = "c1") -> list[Stretch | Damage]:
    place = bench.place
    window = Window(camera, from_ns, until_ns)
    return list(read_window(bench.folder, place.keys, Scope.FOOTAGE, window, place.clock.now_ns()))


def played(found: list[Stretch | Damage]) -> list[str]:
    return [one.data.decode() if isinstance(one, Stretch) else f"{one.why[:20]}" for one in found]


def test_an_interval_has_the_segments_that_it_touches_up_to_its_end(bench: Bench) -> None:
    began_ns = bench.place.clock.now_ns()
    for segment in range(4):
        bench.record(segment, 4)
    bench.record(0, 4, camera="c2")
    bench.stop()
    found = read(bench, began_ns + 4 * NS_PER_S, began_ns + 7 * NS_PER_S)
    assert played(found) == ["c1 1 0c1 1 1c1 1 2c1 1 3", "c1 2 0c1 2 1"]
    first = found[0]
    assert isinstance(first, Stretch)
    assert (first.header.began_ns, first.until_ns, first.lasts_ns) == (
        began_ns + 3 * NS_PER_S,
        began_ns + 6 * NS_PER_S,
        3 * NS_PER_S,
    )
    assert played(read(bench, began_ns, began_ns + 1)) == ["c1 0 0c1 0 1"]
    assert played(read(bench, began_ns + 12 * NS_PER_S, began_ns + MINUTE)) == []


def test_a_segment_that_began_in_the_hour_before_belongs_to_the_interval(bench: Bench) -> None:
    bench.place.clock.advance(HOUR_NS - 2 * NS_PER_S)
    bench.record(0, 6)
    bench.stop()
    next_ns = bench.hour_ns
    assert played(read(bench, next_ns, next_ns + MINUTE)) == ["c1 0 0c1 0 1c1 0 2c1 0 3c1 0 4c1 0 5"]


@pytest.mark.rule("T2")
def test_at_its_deadline_nothing_of_it_is_there_while_what_is_not_due_is(bench: Bench) -> None:
    first_ns = bench.place.clock.now_ns()
    bench.record(0, 3)
    bench.place.clock.advance(HOUR_NS)
    bench.record(1, 3)
    bench.stop()
    bench.place.clock.advance(120 * HOUR_NS - (bench.place.clock.now_ns() - first_ns))
    assert played(read(bench, first_ns, first_ns + 2 * HOUR_NS)) == ["c1 1 0c1 1 1c1 1 2"]


def test_a_damaged_record_ends_its_segment_and_is_said_and_no_other_suffers(bench: Bench) -> None:
    began_ns = bench.place.clock.now_ns()
    bench.record(0, 4)
    bench.record(1, 4)
    bench.stop()
    path = bench.folder.segments("c1", bench.hour_ns)[0]
    data = bytearray(path.read_bytes())
    data[len(data) - 150] ^= 1
    path.write_bytes(data)
    found = read(bench, began_ns, began_ns + MINUTE)
    assert [type(one) for one in found] == [Stretch, Damage, Stretch]
    assert played(found)[0] in {"c1 0 0c1 0 1", "c1 0 0c1 0 1c1 0 2"}


def test_a_segment_of_another_camera_is_damage(bench: Bench) -> None:
    began_ns = bench.place.clock.now_ns()
    bench.record(0, 4)
    bench.record(0, 4, camera="c2")
    bench.stop()
    theirs = bench.folder.segments("c2", bench.hour_ns)[0]
    theirs.rename(bench.folder.hour("c1", bench.hour_ns) / theirs.name)
    found = read(bench, began_ns, began_ns + MINUTE)
    assert [one.why.partition(" and lies")[0][-20:] for one in found if isinstance(one, Damage)]
    assert [one.header.camera for one in found if isinstance(one, Stretch)] == ["c1"]


def test_keys_of_another_kind_open_nothing(bench: Bench) -> None:
    began_ns = bench.place.clock.now_ns()
    bench.record(0, 4)
    bench.stop()
    place = bench.place
    window = Window("c1", began_ns, began_ns + MINUTE)
    (found,) = read_window(bench.folder, place.keys, Scope.ALERT, window, place.clock.now_ns())
    assert isinstance(found, Damage)
    assert "another kind" in found.why


def test_an_empty_interval_is_refused() -> None:
    with pytest.raises(InputError, match="before it begins"):
        Window("c1", 5, 5)
