"""Discovery and streams of cameras, ordinary and hostile, on loopback.

The device's answers were recorded from a real camera (`onvif_device.py`). Discovery runs over unicast and over
multicast on the loopback interface; no other network is touched.
"""

import asyncio
import importlib
import importlib.util
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import PROPERTY
from tests.unit.video.onvif_device import FAULT, PASSWORD, RECORDED, USER, Answer, OnvifDevice, Responder

from habeas.errors import HabeasError, InputError, SourceError, UsageError
from habeas.models.pull import fetch
from habeas.settings import Settings
from habeas.video.address import parse_address, rules_with
from habeas.video.onvif import MAX_BYTES, MAX_DEPTH, FoundCamera, FoundStream, check_xml, discover, streams

RULES = rules_with(["127.0.0.1/32"])
needs_extra = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("onvif", "wsdiscovery")), reason="needs the extra [onvif]"
)
Change = Callable[[str, bytes], bytes | Answer]


@pytest.fixture(scope="session")
def recorded(settings: Settings) -> Path:
    """The recorded answers, fetched once."""
    folder = settings.models.folder / "onvif-answers"
    fetch(RECORDED, folder)
    return folder


def ask(device: OnvifDevice, user: str = USER, password: str = PASSWORD, timeout_s: float = 20.0) -> list[FoundStream]:
    return streams("127.0.0.1", device.port, user, password, rules=RULES, ports=(device.port,), timeout_s=timeout_s)


def instead(operation: str, answer: bytes | Answer) -> Change:
    """Send `answer` for one operation, the recorded ones for all others."""
    return lambda asked, usual: answer if asked == operation else usual


def replaced(operation: str, old: bytes, new: bytes) -> Change:
    def change(asked: str, usual: bytes) -> bytes:
        assert asked != operation or old in usual
        return usual.replace(old, new) if asked == operation else usual

    return change


# --- streams ----------------------------------------------------------------------------------------------------------


@needs_extra
def test_a_real_cameras_answers_are_understood(recorded: Path) -> None:
    with OnvifDevice(recorded) as device:
        found = ask(device)
    assert [(s.profile, s.size_wh, s.rate_hz, s.encoding) for s in found] == [("main", (1920, 1080), 5.0, "H264")]
    assert {s.url for s in found} == {"rtsp://127.0.0.1:554/h264main"}
    assert {s.refused for s in found} == {""}
    assert device.operations[0] == "GetSystemDateAndTime"
    assert "GetServices" in device.operations
    assert not any(PASSWORD.encode() in request for request in device.received), "only its digest is sent"


@needs_extra
@pytest.mark.parametrize("ahead", [timedelta(days=-4000), timedelta(hours=3)])
def test_a_camera_with_a_wrong_clock_is_asked_in_its_own_time(recorded: Path, ahead: timedelta) -> None:
    with OnvifDevice(recorded, clock_ahead=ahead) as device:
        assert ask(device)


@needs_extra
def test_a_camera_without_getservices_is_asked_for_capabilities(recorded: Path) -> None:
    fault = 500, {}, FAULT.format(code="ActionNotSupported").encode()
    with OnvifDevice(recorded, instead("GetServices", fault)) as device:
        assert ask(device)
    assert "GetCapabilities" in device.operations


@needs_extra
@pytest.mark.parametrize(("user", "password"), [(USER, "wrong"), ("nobody", PASSWORD), ("", "")])
def test_a_wrong_password_is_called_that(recorded: Path, user: str, password: str) -> None:
    with OnvifDevice(recorded) as device, pytest.raises(SourceError, match="user name or password"):
        ask(device, user, password)


@needs_extra
@pytest.mark.parametrize("body", [b"", b"<html>401", b"<a/>"])
def test_so_is_a_401(recorded: Path, body: bytes) -> None:
    with (
        OnvifDevice(recorded, instead("GetProfiles", (401, {}, body))) as device,
        pytest.raises(SourceError, match="user name or password"),
    ):
        ask(device)


@needs_extra
def test_credentials_in_the_address_are_left_out(recorded: Path) -> None:
    change = replaced("GetStreamUri", b"rtsp://127.0.0.1/", f"rtsp://{USER}:{PASSWORD}@127.0.0.1:8554/".encode())
    with OnvifDevice(recorded, change) as device:
        found = ask(device)
    assert found[0].url == "rtsp://127.0.0.1:8554/h264main"
    assert PASSWORD not in repr(found)


@needs_extra
@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("file:///etc/passwd", "no folder"),
        ("http://127.0.0.1/", "scheme"),
        ("concat:/etc/passwd", "scheme"),
        ("rtsp://10.0.0.5/live", "not on the camera"),
        ("rtsp://192.168.68.111/live", "not on the camera"),
        ("rtsp://127.0.0.2/live", "no network"),
        ("rtsp://169.254.169.254/", "no network"),
        ("rtsp://evil.example/live", "a name for a host"),
        ("rtsp://localhost/live", "a name for a host"),
        ("rtsp://127.0.0.1:22/", "port 22"),
        ("rtsp://127.0.0.1@10.0.0.5/", "not on the camera"),
        ("rtsp://2130706433/", "unusual"),
        ("rtsp://127.0.0.1/%0d%0a", "control"),
        ("rtsp://127.0.0.1/&#10;x", "spaces"),
        ("-i", "scheme"),
        ("", "scheme"),
        ("rtsp://127.0.0.1/" + "a" * 3000, "2048"),
    ],
)
def test_a_hostile_stream_address_is_refused_with_the_reason(recorded: Path, uri: str, reason: str) -> None:
    with OnvifDevice(recorded, replaced("GetStreamUri", b"rtsp://127.0.0.1/h264main", uri.encode())) as device:
        found = ask(device)
    assert {s.url for s in found} == {""}
    assert all(reason in s.refused for s in found)


@needs_extra
def test_a_file_is_refused_even_where_files_are_allowed(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"video")
    rules = rules_with(["127.0.0.1/32"], folders=[tmp_path])
    uri = f"file://{tmp_path}/a.mp4"
    assert parse_address(uri, rules).file, "an allowed file, were it typed by hand"
    with OnvifDevice(recorded, replaced("GetStreamUri", b"rtsp://127.0.0.1/h264main", uri.encode())) as device:
        found = streams("127.0.0.1", device.port, USER, PASSWORD, rules=rules, ports=(device.port,))
    assert {s.refused for s in found} == {"the stream is not on the camera itself"}


# --- hostile devices --------------------------------------------------------------------------------------------------

ENVELOPE = '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>{}</s:Body></s:Envelope>'
LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + "]>"
    + ENVELOPE.format("&a9;")
)
OUTSIDE = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>' + ENVELOPE.format("&f;")
ATTRIBUTES = '<!DOCTYPE x [<!ENTITY a "' + "a" * 9999 + '">]><x y="' + "&a;" * 9999 + '"/>'
HOSTILE: dict[str, bytes | Answer] = {
    "nothing": b"",
    "no XML": b"<html><p>",
    "noise": bytes(range(256)),
    "another document": b"<a/>",
    "an empty envelope": ENVELOPE.format("").encode(),
    "entity bomb": LAUGHS.encode(),
    "entity bomb in UTF-16": LAUGHS.encode("utf-16"),
    "entity bomb in UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>' + LAUGHS.encode("utf-7"),
    "entity bomb in attributes": ATTRIBUTES.encode(),
    "outside entity": OUTSIDE.encode(),
    "outside document type": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><x/>',
    "gigantic": ENVELOPE.format("a" * (MAX_BYTES + 1)).encode(),
    "gigantic and never ending": (200, {"Content-Length": str(1 << 40)}, b"<a>" * (1 << 20)),
    "deep": ("<a>" * 50_000 + "</a>" * 50_000).encode(),
    "compressed": (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"),
    "server error": (500, {}, b""),
    "fault": (500, {}, FAULT.format(code="Whatever").encode()),
    "long headers": (200, {"X-Long": "a" * 200_000}, b"<a/>"),
    "other media": (200, {"Content-Type": 'multipart/related; boundary="x"'}, b"--x\r\n\r\n<a/>\r\n--x--"),
}


@needs_extra
@pytest.mark.parametrize("operation", ["GetSystemDateAndTime", "GetCapabilities", "GetProfiles", "GetStreamUri"])
@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_answer_ends_in_our_error(recorded: Path, operation: str, answer: bytes | Answer) -> None:
    def change(asked: str, usual: bytes) -> bytes | Answer:
        if asked == "GetServices" and operation == "GetCapabilities":
            return 500, {}, FAULT.format(code="ActionNotSupported").encode()
        return answer if asked == operation else usual

    with OnvifDevice(recorded, change) as device, pytest.raises(SourceError) as caught:
        ask(device)
    error = caught.value
    assert error.remedy
    assert error.__suppress_context__ or error.__context__ is None
    assert PASSWORD not in f"{error} {error.as_json()}"
    assert operation in device.operations


@needs_extra
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gigantic", "longer than"),
        ("gigantic and never ending", "longer than"),
        ("deep", "nested"),
        ("entity bomb in attributes", "document type"),
        ("entity bomb in UTF-7", "encoding"),
        ("compressed", "compresses"),
        ("noise", "well-formed"),
        ("fault", "refuses to tell"),
    ],
)
def test_it_is_stopped_at_the_right_place(recorded: Path, name: str, reason: str) -> None:
    change = instead("GetProfiles", HOSTILE[name])
    with OnvifDevice(recorded, change) as device, pytest.raises(SourceError, match=reason):
        ask(device)


@needs_extra
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(recorded: Path, status: int) -> None:
    with OnvifDevice(recorded) as elsewhere:
        answer = status, {"Location": f"http://127.0.0.1:{elsewhere.port}/onvif/device_service"}, b""
        with OnvifDevice(recorded, instead("GetProfiles", answer)) as device, pytest.raises(SourceError, match="redir"):
            ask(device)
        assert elsewhere.operations == []
        assert ask(elsewhere), "it would have answered"


@needs_extra
def test_services_elsewhere_are_not_asked(recorded: Path) -> None:
    with OnvifDevice(recorded) as elsewhere:
        there = f"http://127.0.0.1:{elsewhere.port}/".encode()
        with OnvifDevice(recorded, replaced("GetServices", b"http://127.0.0.1/", there)) as device:
            assert ask(device), "asked where it was said, not where it says"
        assert elsewhere.operations == []


@needs_extra
def test_the_package_alone_would_go_elsewhere(recorded: Path) -> None:
    async def alone(port: int, **options: bool) -> None:
        package = importlib.import_module("onvif.client")
        camera = package.ONVIFCamera("127.0.0.1", port, USER, PASSWORD, no_cache=True, **options)
        try:
            await camera.update_xaddrs()
            await (await camera.create_media_service()).GetProfiles()
        finally:
            await camera.close()

    with OnvifDevice(recorded) as elsewhere:
        there = f"http://127.0.0.1:{elsewhere.port}/".encode()
        with OnvifDevice(recorded, replaced("GetServices", b"http://127.0.0.1/", there)) as device:
            asyncio.run(alone(device.port))
        redirected = 307, {"Location": there.decode()}, b""
        with OnvifDevice(recorded, instead("GetProfiles", redirected)) as device:
            asyncio.run(alone(device.port, nat_override=True))
        assert elsewhere.operations == ["GetProfiles", "GetProfiles"]


@needs_extra
@pytest.mark.parametrize("scheme", [b"https", b"file", b"ftp", b"-x"])
def test_services_of_another_kind_are_not_asked(recorded: Path, scheme: bytes) -> None:
    change = replaced("GetServices", b"http://127.0.0.1/", scheme + b"://127.0.0.1/")
    with OnvifDevice(recorded, change) as device, pytest.raises(SourceError, match="elsewhere"):
        ask(device)


@needs_extra
def test_a_device_that_says_nothing_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = int(silent.getsockname()[1])
        with pytest.raises(SourceError, match="no answer in time"):
            streams("127.0.0.1", port, USER, PASSWORD, rules=RULES, ports=(port,), timeout_s=0.3)


@needs_extra
def test_so_is_one_that_drips(recorded: Path) -> None:
    released = threading.Event()

    def drip(_asked: str, usual: bytes) -> bytes:
        released.wait(5)
        return usual

    with OnvifDevice(recorded, drip) as device:
        with pytest.raises(SourceError, match="no answer in time"):
            ask(device, timeout_s=0.3)
        released.set()


@needs_extra
def test_thousands_of_profiles_are_refused(recorded: Path) -> None:
    one = b'<trt:Profiles token="p"><tt:Name>p</tt:Name></trt:Profiles>'
    change = replaced("GetProfiles", b"</trt:GetProfilesResponse>", one * 1000 + b"</trt:GetProfilesResponse>")
    with OnvifDevice(recorded, change) as device, pytest.raises(SourceError, match="profiles"):
        ask(device)


@needs_extra
def test_sizes_and_names_that_cannot_be_are_not_repeated(recorded: Path) -> None:
    def change(asked: str, usual: bytes) -> bytes:
        if asked != "GetProfiles":
            return usual
        named = usual.replace(
            b"<tt:Name>main</tt:Name>", "<tt:Name>a\u202eb\u0085{}</tt:Name>".format("c" * 500).encode()
        )
        return named.replace(b"<tt:Width>1920<", b"<tt:Width>-1<").replace(b"Limit>5<", b"Limit>999999999<")

    with OnvifDevice(recorded, change) as device:
        first = ask(device)[0]
    assert first.profile == "ab" + "c" * 78
    assert first.size_wh is None
    assert first.rate_hz is None


@needs_extra
def test_only_allowed_places_are_asked(recorded: Path) -> None:
    with OnvifDevice(recorded) as device:
        with pytest.raises(InputError, match="no network"):
            streams("127.0.0.1", device.port, USER, PASSWORD, ports=(device.port,))
        with pytest.raises(InputError, match="port"):
            streams("127.0.0.1", device.port, USER, PASSWORD, rules=RULES)
        for host in ("127.1", "user@127.0.0.1", "127.0.0.1/x", "127.0.0.1:80", "http://127.0.0.1"):
            with pytest.raises(InputError):
                streams(host, device.port, USER, PASSWORD, rules=RULES, ports=(device.port,))
    assert device.operations == []


@needs_extra
def test_a_name_is_resolved_once_and_the_answer_asked(recorded: Path) -> None:
    answers = iter([["127.0.0.1"]])
    with OnvifDevice(recorded) as device:
        ports = (device.port,)
        assert streams("cam", device.port, USER, PASSWORD, rules=RULES, ports=ports, resolve=lambda _: next(answers))


@needs_extra
def test_the_process_stays_as_it_was(recorded: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])  # the test runner has some, which would hide what the package does
    level = root.level
    for name in [name for name in sys.modules if name.split(".")[0] == "onvif"]:
        monkeypatch.delitem(sys.modules, name)
    with OnvifDevice(recorded) as device:
        assert ask(device), "and no proxy was asked"
    assert os.environ["http_proxy"] == "http://127.0.0.1:1"
    assert (root.handlers, root.level) == ([], level)
    assert list(tmp_path.rglob("*")) == [], "nothing is written"


# --- plain XML --------------------------------------------------------------------------------------------------------


def test_plain_xml_passes() -> None:
    check_xml(b'<?xml version="1.0"?><a b="&lt;&#65;"><c/></a>')
    check_xml(("<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH).encode())
    with pytest.raises(SourceError, match="deep"):
        check_xml(("<a>" * (MAX_DEPTH + 1) + "</a>" * (MAX_DEPTH + 1)).encode())


@pytest.mark.parametrize("bomb", [LAUGHS, OUTSIDE, ATTRIBUTES], ids=["laughs", "outside", "attributes"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig", "us-ascii", "iso-8859-1"])
def test_a_document_type_is_seen_in_every_encoding(bomb: str, encoding: str) -> None:
    declared = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>'
    with pytest.raises(SourceError, match="document type"):
        check_xml((declared + bomb).encode(encoding))


@pytest.mark.parametrize("encoding", ["UTF-7", "utf-32", "cp037", "cp1252", "rot13"])
def test_other_encodings_are_not_read(encoding: str) -> None:
    with pytest.raises(SourceError, match="encoding"):
        check_xml(f'<?xml version="1.0" encoding="{encoding}"?>'.encode() + b"<a/>")


@given(st.binary(max_size=200) | st.text("<>/a!DOCTYPE[]&;x \"'", max_size=60).map(str.encode))
@PROPERTY
def test_any_bytes_pass_or_are_refused(data: bytes) -> None:
    try:
        check_xml(data)
    except SourceError:
        return
    assert b"<!DOCTYPE" not in data


# --- discovery --------------------------------------------------------------------------------------------------------


def probe_match(recorded: Path, message_id: str, service: str) -> bytes:
    """A real camera's answer to a probe."""
    answer = (recorded / "Probe.xml").read_text(encoding="utf-8")
    return answer.replace("RELATES_TO", message_id).replace("SERVICE_URI", service).encode()


def look(responder: Responder) -> list[FoundCamera]:
    return discover(0.4, rules=RULES, interface="127.0.0.1", to=responder.to)


@needs_extra
@pytest.mark.parametrize("group", ["", "239.255.255.250"])
def test_a_camera_that_answers_is_found(recorded: Path, group: str) -> None:
    service = "http://10.9.9.9/onvif/device_service http://127.0.0.1:8899/onvif/device_service"
    with Responder(lambda asked: [probe_match(recorded, asked, service)] * 2, group) as responder:
        (camera,) = look(responder)
    assert (camera.host, camera.port, camera.name) == ("127.0.0.1", 8899, "PREDATOR")
    assert "onvif://www.onvif.org/hardware/HD_PREDATOR" in camera.scopes
    assert b"NetworkVideoTransmitter" in responder.probes[0]
    assert len(responder.probes) == 2


@needs_extra
def test_nobody_answers() -> None:
    with Responder(lambda _: []) as responder:
        assert look(responder) == []


@needs_extra
@pytest.mark.parametrize(
    "service",
    [
        "http://10.0.0.5/onvif/device_service",
        "http://169.254.169.254/onvif/device_service",
        "https://127.0.0.1/onvif/device_service",
        "file:///etc/passwd",
        "http://127.0.0.1@10.0.0.5/onvif",
        "http://127.0.0.1.evil.example/onvif",
        "http://127.0.0.1:0/onvif",
        "http://2130706433/onvif",
        "http://localhost/onvif",
        "{ip.__class__} http://{ip}/",
        "",
    ],
)
def test_a_service_elsewhere_is_not_a_camera(recorded: Path, service: str) -> None:
    with Responder(lambda asked: [probe_match(recorded, asked, service)]) as responder:
        assert look(responder) == []


@needs_extra
def test_a_hostile_answer_hides_no_honest_one(recorded: Path) -> None:
    service = "http://127.0.0.1/onvif/device_service"

    def replies(asked: str) -> list[bytes]:
        honest = probe_match(recorded, asked, service)
        return [
            b"",
            b"\xff" * 1000,
            LAUGHS.encode(),
            OUTSIDE.encode(),
            ("<a>" * 5000 + "</a>" * 5000).encode(),
            honest.replace(b"<wsa:Action", b"<wsa:NoAction").replace(b"</wsa:Action", b"</wsa:NoAction"),
            honest.replace(b"http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches", b""),
            honest.replace(b"uuid:c9790c3a-701b-464d-a189-0060351c8ada", b""),
            honest.replace(b"<wsdd:MetadataVersion>1</wsdd:MetadataVersion>", b""),
            honest[:-30],
            honest.replace(b"?>", b'?><!DOCTYPE x [<!ENTITY port "82">]>', 1).replace(b"1/onvif", b"1:&port;/onvif"),
            probe_match(recorded, "urn:uuid:another-question", "http://127.0.0.1:81/"),
            honest.replace(b"name/PREDATOR", b"name/%1b%5b31m%E2%80%AE" + b"A" * 500),
        ]

    with Responder(lambda asked: [*replies(asked), probe_match(recorded, asked, "http://127.0.0.1:88/")]) as responder:
        found = look(responder)
    assert [camera.port for camera in found] == [80, 88]
    assert found[0].name.startswith("[31mA")
    assert len(found[0].name) <= 80
    assert found[0].name.isprintable()


@needs_extra
def test_answers_from_elsewhere_than_cameras_may_be_are_dropped(recorded: Path) -> None:
    with Responder(lambda asked: [probe_match(recorded, asked, "http://127.0.0.1/")]) as responder:
        assert discover(0.2, interface="127.0.0.1", to=responder.to) == []


@needs_extra
def test_a_network_that_cannot_be_asked_is_said() -> None:
    with pytest.raises(SourceError, match="cannot be asked"):
        discover(0.1, interface="192.0.2.1", to=("127.0.0.1", 9))


# --- without the extra ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["wsdiscovery.message", "zeep.exceptions"])
def test_without_the_extra_its_name_is_told(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    calls: dict[str, Callable[[], object]] = {
        "wsdiscovery.message": lambda: discover(0.1, to=("127.0.0.1", 9)),
        "zeep.exceptions": lambda: streams("127.0.0.1", 80, USER, PASSWORD, rules=RULES),
    }
    with pytest.raises(UsageError) as caught:
        calls[missing]()
    assert isinstance(caught.value, HabeasError)
    assert "habeas[onvif]" in caught.value.remedy
