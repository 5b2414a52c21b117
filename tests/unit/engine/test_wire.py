"""Messages as bytes: what goes in comes out, and nothing else gets in."""

import json
import os
import socket
import struct
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import PROPERTY, unit_rows

from habeas.engine.channel import Channel
from habeas.engine.film_messages import FilmOrder
from habeas.engine.messages import (
    MAX_TEXT,
    CameraFlaw,
    Counters,
    EnrolImage,
    Enrolled,
    Heartbeat,
    Message,
    ProbeMade,
    Shutdown,
    StartCamera,
    StopCamera,
    TrackEnded,
    one_line,
    payload_of,
)
from habeas.engine.redact_messages import FilmBytes, PaintFilm, TrackFollowed
from habeas.engine.vocabulary import TO_NODE, TO_WORKER, _by_type
from habeas.engine.wire import LEAD_BYTES, MAX_HEADER, MAX_PAYLOAD, decode, encode, parse_lead
from habeas.errors import InputError
from habeas.settings import DetectSettings, LiveSettings

ALL: Final = {**TO_NODE, **TO_WORKER}
numbers = st.integers(0, 2**63 - 1)
texts = st.text(max_size=MAX_TEXT).map(one_line)
names = st.text(min_size=1, max_size=200).map(one_line)
shares = st.floats(0, 1)


def ordered(count: int) -> st.SearchStrategy[list[int]]:
    return st.lists(numbers, min_size=count, max_size=count).map(sorted)


@st.composite
def probes(draw: st.DrawFn) -> ProbeMade:
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    width, height, dimensions = draw(st.integers(1, 40)), draw(st.integers(1, 40)), draw(st.integers(1, 700))
    first, last = draw(ordered(2))
    edge = st.floats(-1e6, 1e6, width=32)
    message = ProbeMade(
        camera_id=draw(names),
        epoch=draw(numbers),
        track_id=draw(numbers),
        at_ns=last,
        first_seen_ns=first,
        captured_at_ns=draw(numbers),
        box_xyxy_px=(draw(edge), draw(edge), draw(edge), draw(edge)),
        dimensions=dimensions,
        face_wh=(width, height),
    )
    vector = unit_rows(rng, 1, dimensions)[0]
    return message.with_payload(payload_of(vector, rng.integers(0, 256, (height, width, 3), np.uint8)))


@st.composite
def enrolments(draw: st.DrawFn) -> Enrolled:
    dimensions = draw(st.sampled_from([0, 640]))
    message = Enrolled(
        request_id=draw(numbers),
        refusal="" if dimensions else "the face is turned away",
        remedy=draw(texts),
        dimensions=dimensions,
        size_wh=(640, 480),
        report={"score": draw(shares)},
    )
    return message.with_payload(payload_of(unit_rows(np.random.default_rng(0), 1, 640)[0]) if dimensions else b"")


@st.composite
def starts(draw: st.DrawFn) -> StartCamera:
    edges = st.tuples(shares, shares, shares, shares)
    return StartCamera(
        camera_id=draw(names),
        epoch=draw(numbers),
        url=draw(st.sampled_from(["", "rtsp://a:b@127.0.0.1:5/x"])),
        detect=DetectSettings(min_face_px=draw(st.integers(16, 512))),
        live=LiveSettings(stall_s=draw(st.floats(0.5, 60))),
        masks=tuple(draw(st.lists(edges, max_size=4))),
    )


def counted(camera_id: str, epoch: int, done: list[int], rest: list[int]) -> Counters:
    analysed, gated, dropped = done
    return Counters(
        camera_id=camera_id,
        epoch=epoch,
        decoded=analysed + gated + dropped + rest[0],
        analysed=analysed,
        gated=gated,
        dropped=dropped,
        faces=rest[1],
        tracks=rest[2],
        analysed_ns=rest[3],
    )


few = st.integers(0, 2**40)
edge = st.floats(-1e6, 1e6)
box = st.tuples(edge, edge, edge, edge)
everything = st.one_of(
    probes(),
    enrolments(),
    starts(),
    st.builds(counted, names, numbers, st.lists(few, min_size=3, max_size=3), st.lists(few, min_size=4, max_size=4)),
    st.builds(CameraFlaw, camera_id=names, epoch=numbers, text=texts, at_ns=numbers),
    st.builds(StopCamera, camera_id=names, epoch=numbers),
    st.builds(EnrolImage, request_id=numbers, image_bytes=st.integers(1, 20 << 20)),
    st.builds(
        PaintFilm,
        request_id=numbers,
        examined=numbers,
        keep=st.lists(numbers, max_size=4).map(tuple),
        by_hand=st.lists(st.tuples(numbers, numbers, box, st.booleans()), max_size=3).map(tuple),
    ),
    st.builds(
        TrackFollowed,
        request_id=numbers,
        track_id=st.integers(1, 9),
        best_score=shares,
        sightings=st.integers(1, 9),
        places=st.lists(st.tuples(numbers, box), min_size=1, max_size=9).map(tuple),
    ),
    st.builds(lambda data: FilmBytes(request_id=1).with_payload(data), st.binary(min_size=1, max_size=99)),
    st.just(Heartbeat()),
    st.just(Shutdown()),
)


def read(data: bytes, sequence: int = 0) -> Message:
    lead = parse_lead(data[:LEAD_BYTES], sequence, ALL)
    assert lead.header_bytes <= MAX_HEADER
    assert lead.payload_bytes <= MAX_PAYLOAD
    return decode(lead, data[LEAD_BYTES:])


def made(kind: type[Message], header: bytes, payload: bytes = b"", descriptors: int = 0) -> bytes:
    sizes = len(header), len(payload)
    return struct.pack("<4sBBHQII", b"HBSW", 1, kind.TYPE, descriptors, 0, *sizes) + header + payload


def with_fields(message: Message, **changed: Any) -> bytes:
    fields = {**json.loads(message.header()), **changed}
    header = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    return made(type(message), header, message.payload, message.descriptors)


PROBE: Final = ProbeMade(
    camera_id="gate",
    epoch=1,
    track_id=2,
    at_ns=9,
    first_seen_ns=5,
    captured_at_ns=7,
    box_xyxy_px=(1.0, 2.0, 3.0, 4.0),
    dimensions=4,
    face_wh=(2, 3),
).with_payload(payload_of(np.array([0, 1, 0, 0], np.float32), np.zeros((3, 2, 3), np.uint8)))
COUNTERS: Final = counted("gate", 1, [1, 2, 3], [1, 0, 0, 0])
START: Final = StartCamera(
    camera_id="gate", epoch=1, url="rtsp://u:hunter2@127.0.0.1:9/x", detect=DetectSettings(), live=LiveSettings()
)


@PROPERTY
@given(everything, st.integers(0, 2**64 - 1))
def test_a_message_comes_out_as_it_went_in(message: Message, sequence: int) -> None:
    data = encode(message, sequence)
    again = read(data, sequence)
    assert again == message
    assert again.payload == message.payload
    assert encode(again, sequence) == data


def test_a_probe_keeps_its_numbers() -> None:
    again = read(encode(PROBE, 0))
    assert isinstance(again, ProbeMade)
    assert again.vector.tolist() == [0, 1, 0, 0]
    assert again.vector.dtype == np.float32
    assert again.face_rgb.shape == (3, 2, 3)


@PROPERTY
@given(everything, st.data())
def test_damaged_bytes_are_refused_or_another_valid_message(message: Message, data: st.DataObject) -> None:
    damaged = bytearray(encode(message, 0))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    kept = bytes(damaged[: data.draw(st.integers(0, len(damaged)))] if data.draw(st.booleans()) else damaged)
    try:
        again = read(kept)
    except InputError:
        return
    assert encode(again, 0) == kept, "two ways to write one message"


@PROPERTY
@given(st.sampled_from(list(ALL.values())), st.binary(max_size=300), st.binary(max_size=50))
def test_any_bytes_are_refused_or_a_message(kind: type[Message], header: bytes, payload: bytes) -> None:
    data = made(kind, header, payload)
    try:
        again = read(data)
    except InputError:
        return
    assert encode(again, 0) == data


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(with_fields(PROBE, extra=1), id="an unknown key"),
        pytest.param(with_fields(PROBE, payload="x"), id="a key that is an attribute"),
        pytest.param(with_fields(PROBE, track_id="2"), id="text for a number"),
        pytest.param(with_fields(PROBE, track_id=2.0), id="a float for a whole number"),
        pytest.param(with_fields(PROBE, track_id=True), id="truth for a number"),
        pytest.param(with_fields(PROBE, track_id=-1), id="negative"),
        pytest.param(with_fields(PROBE, track_id=2**63), id="too large"),
        pytest.param(with_fields(PROBE, track_id=10**4000), id="a number of four thousand digits"),
        pytest.param(with_fields(PROBE, camera_id=""), id="no camera"),
        pytest.param(with_fields(PROBE, camera_id="gate\n"), id="a line break"),
        pytest.param(with_fields(PROBE, camera_id="gate\u202e"), id="a change of direction"),
        pytest.param(with_fields(PROBE, camera_id=None), id="null"),
        pytest.param(with_fields(PROBE, box_xyxy_px=[1.0, 2.0, 3.0]), id="three edges"),
        pytest.param(with_fields(PROBE, box_xyxy_px=[float("nan")] * 4), id="NaN"),
        pytest.param(with_fields(PROBE, box_xyxy_px=[float("inf")] * 4), id="infinity"),
        pytest.param(with_fields(PROBE, box_xyxy_px=[1e9] * 4), id="far away"),
        pytest.param(with_fields(PROBE, box_xyxy_px=[1, 2, 3, 4]), id="another way to write a number"),
        pytest.param(with_fields(PROBE, face_wh=[513, 1]), id="a picture too wide"),
        pytest.param(with_fields(PROBE, face_wh=[0, 1]), id="an empty picture"),
        pytest.param(with_fields(PROBE, face_wh=[3, 3]), id="a picture of another size"),
        pytest.param(with_fields(PROBE, dimensions=3), id="a template of another size"),
        pytest.param(with_fields(PROBE, first_seen_ns=10), id="seen before it began"),
        pytest.param(with_fields(COUNTERS, decoded=5), id="more frames than were decoded"),
        pytest.param(with_fields(START, live={"stall_s": float("nan")}), id="NaN in a setting"),
        pytest.param(with_fields(START, masks=[[0.0, 0.0, 1.0, 1.0]] * 65), id="too many masks"),
        pytest.param(with_fields(START, url=""), id="no descriptor where one is due"),
        pytest.param(made(Heartbeat, b"{}", b"x"), id="a payload where none belongs"),
        pytest.param(made(Heartbeat, b"{ }"), id="a space"),
        pytest.param(made(Heartbeat, b"{}", descriptors=1), id="a descriptor where none belongs"),
        pytest.param(made(Heartbeat, b"[" * 60_000), id="deep nesting"),
        pytest.param(made(Heartbeat, b""), id="nothing"),
        pytest.param(made(Heartbeat, b"\xff\xfe"), id="no text"),
        pytest.param(made(Shutdown, b'{"a":1,"a":1}'), id="a key twice"),
        pytest.param(made(TrackEnded, b"null"), id="no object"),
    ],
)
def test_what_is_malformed_is_refused(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read(data)
    assert caught.value.remedy


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.0, 3.0, 1e38])
def test_a_template_that_is_none_is_refused(bad: float) -> None:
    vector = np.array([bad, 0, 0, 0], np.float32)
    with pytest.raises(InputError):
        read(made(ProbeMade, PROBE.header(), payload_of(vector, np.zeros((3, 2, 3), np.uint8))))


@pytest.mark.parametrize(
    ("lead", "why"),
    [
        (struct.pack("<4sBBHQII", b"HBSX", 1, 41, 0, 0, 2, 0), "magic"),
        (struct.pack("<4sBBHQII", b"HBSW", 2, 41, 0, 0, 2, 0), "version"),
        (struct.pack("<4sBBHQII", b"HBSW", 1, 99, 0, 0, 2, 0), "unknown type 99"),
        (struct.pack("<4sBBHQII", b"HBSW", 1, Shutdown.TYPE, 0, 0, 2, 0), "unknown type"),
        (struct.pack("<4sBBHQII", b"HBSW", 1, 41, 0, 1, 2, 0), "message 1 where 0"),
        (struct.pack("<4sBBHQII", b"HBSW", 1, 41, 0, 0, MAX_HEADER + 1, 0), "limits"),
        (struct.pack("<4sBBHQII", b"HBSW", 1, 41, 0, 0, 2, MAX_PAYLOAD + 1), "limits"),
        (struct.pack("<4sBBHQII", b"HBSW", 1, 41, 65535, 0, 2, 0), "limits"),
        (b"HBSW", "cut short"),
    ],
)
def test_the_fixed_part_is_checked_first(lead: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why):
        parse_lead(lead, 0, TO_NODE)


def test_messages_over_the_limits_are_not_sent() -> None:
    with pytest.raises(InputError, match="too large"):
        encode(START.model_copy(update={"url": "x" * MAX_HEADER}), 0)


def test_nothing_shows_a_password_or_a_template() -> None:
    assert "hunter2" not in repr(START)
    assert "hunter2" not in str(START)
    said = repr(PROBE) + str(PROBE)
    assert "payload" not in said
    assert "0.0" not in said
    with pytest.raises(InputError) as caught:
        read(with_fields(START, url="rtsp://u:hunter2@127.0.0.1/\n"))
    assert "hunter2" not in repr(caught.value) + str(caught.value.as_json())


def test_text_is_made_fit_for_a_message() -> None:
    assert one_line("a\r\nb\x00c\u202e\ud800é") == "a  b c  é"
    assert len(one_line("x" * 1000)) == MAX_TEXT


def test_every_message_has_a_type_of_its_own_and_a_direction() -> None:
    kinds = {kind for kind in every_kind(Message) if kind.__module__.startswith("habeas.")} - {FilmOrder}
    assert len({kind.TYPE for kind in kinds}) == len(kinds) == len(ALL)
    with pytest.raises(ValueError, match="one type"):
        _by_type(FilmBytes, FilmBytes)


def every_kind(kind: type[Message]) -> set[type[Message]]:
    return {each for below in kind.__subclasses__() for each in {below, *every_kind(below)}}


# --- the channel ------------------------------------------------------------------------------------------------------


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel, socket.socket]]:
    """A node's end with little patience, a worker's end, and that end's bare socket."""
    ours, its = socket.socketpair()
    node, worker = Channel(ours, TO_NODE, 0.3), Channel(its, TO_WORKER)
    yield node, worker, its
    node.close()
    worker.close()


def test_messages_and_descriptors_arrive_in_order(pair: tuple[Channel, Channel, socket.socket]) -> None:
    node, worker, _ = pair
    read_end, write_end = os.pipe()
    node.send(START)
    node.send(START.model_copy(update={"url": ""}), [read_end])
    os.close(read_end)
    first, second = worker.receive(), worker.receive()
    assert first is not None
    assert second is not None
    assert first.message == START
    assert first.descriptors == ()
    (got,) = second.descriptors
    os.write(write_end, b"through")
    assert os.read(got, 7) == b"through"
    assert not os.get_inheritable(got)
    second.close()
    os.close(write_end)
    node.close()
    assert worker.receive() is None


def test_a_large_message_passes_while_the_other_side_reads(pair: tuple[Channel, Channel, socket.socket]) -> None:
    node, worker, _ = pair
    rng = np.random.default_rng(0)
    face = rng.integers(0, 256, (512, 512, 3), np.uint8)
    large = PROBE.model_copy(update={"face_wh": (512, 512)}).with_payload(
        payload_of(np.array([0, 1, 0, 0], np.float32), face)
    )
    sending = threading.Thread(target=worker.send, args=(large,))
    sending.start()
    received = node.receive()
    sending.join(5)
    assert received is not None
    assert isinstance(received.message, ProbeMade)
    assert (received.message.face_rgb == face).all()


def test_a_message_that_drips_or_stops_is_refused(pair: tuple[Channel, Channel, socket.socket]) -> None:
    node, _, bare = pair
    bare.send(encode(Heartbeat(), 0)[:10])
    with pytest.raises(InputError, match="too long"):
        node.receive()


def test_a_message_cut_off_by_the_end_is_refused(pair: tuple[Channel, Channel, socket.socket]) -> None:
    node, worker, bare = pair
    bare.send(encode(Heartbeat(), 0)[:25])
    worker.close()
    with pytest.raises(InputError, match="cut short"):
        node.receive()


def test_who_does_not_read_is_not_waited_for(pair: tuple[Channel, Channel, socket.socket]) -> None:
    node, _, _ = pair

    def talk() -> None:
        for _ in range(100_000):
            node.send(START)

    with pytest.raises(InputError, match="too long"):
        talk()


def test_descriptors_that_nobody_announced_are_refused_and_closed(
    pair: tuple[Channel, Channel, socket.socket],
) -> None:
    node, _, bare = pair
    before = set(Path("/proc/self/fd").iterdir())
    socket.send_fds(bare, [encode(Heartbeat(), 0)], [0, 0, 0])
    with pytest.raises(InputError, match="descriptors"):
        node.receive()
    assert set(Path("/proc/self/fd").iterdir()) - before == set()


def test_room_is_made_only_within_the_limits(pair: tuple[Channel, Channel, socket.socket]) -> None:
    node, _, bare = pair
    bare.send(struct.pack("<4sBBHQII", b"HBSW", 1, 41, 0, 0, MAX_HEADER, MAX_PAYLOAD))  # and never what it announces
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            node.receive()
        assert tracemalloc.get_traced_memory()[1] < 2 * (MAX_HEADER + MAX_PAYLOAD)
    finally:
        tracemalloc.stop()


def test_announcing_more_makes_no_room_at_all(pair: tuple[Channel, Channel, socket.socket]) -> None:
    node, _, bare = pair
    bare.send(struct.pack("<4sBBHQII", b"HBSW", 1, 41, 0, 0, 2**32 - 1, 2**32 - 1))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="limits"):
            node.receive()
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
