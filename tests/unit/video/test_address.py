"""Camera addresses: what is accepted, what is refused, and that nothing is asked, opened or said that should not be."""

import ipaddress
import os
import socket
import threading
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.cameras import RtspCamera
from tests.strategies import PROPERTY
from tests.unit.video.address_tables import GOOD, HOSTILE

from habeas.clock import SystemClock
from habeas.errors import HabeasError, InputError
from habeas.settings import LiveSettings
from habeas.video.address import (
    AddressRules,
    CameraAddress,
    checked_host,
    digest_of,
    parse_address,
    recheck,
    rules_with,
    system_resolver,
)
from habeas.video.live import LiveStream

RULES = AddressRules()
MARKER = "Zq7-hunter2-marker"


class Names:
    """A resolver that knows some names and remembers what it was asked."""

    def __init__(self, **known: Sequence[str]) -> None:
        self.known = known
        self.asked: list[str] = []

    def __call__(self, name: str) -> list[str]:
        self.asked.append(name)
        if name not in self.known:
            raise InputError(f"the host {name} is unknown", remedy="check it")
        return list(self.known[name])


def refused(text: str, rules: AddressRules = RULES, names: Names | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        parse_address(text, rules, names or Names())
    assert caught.value.message
    assert caught.value.remedy
    return caught.value


# --- hostile ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_address_is_refused_before_anybody_is_asked(text: str) -> None:
    names = Names()
    error = refused(text, names=names)
    assert any(reason in error.message + error.remedy for reason in HOSTILE[text].split("|")), error.message
    assert names.asked == []


def test_the_table_is_long_enough() -> None:
    assert len(HOSTILE) >= 150


# --- good -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", GOOD)
def test_a_cameras_address_is_accepted(text: str) -> None:
    names = Names(
        **{"camera": ["192.168.7.7"], "camera.lan": ["10.0.0.9", "fd00::9", "10.0.0.9"]},
        **{"cam-7.example.org": ["10.1.1.1"], "7cam.lan": ["10.0.0.7"]},
    )
    address = parse_address(text, RULES, names)
    assert (address.host, address.port, address.path_and_query) == GOOD[text]
    assert address.scheme == text.partition(":")[0].lower()
    assert address.file is None
    expected = list(dict.fromkeys(names.known.get(address.host, [address.host])))
    assert list(address.addresses) == expected
    assert names.asked == ([address.host] if address.host in names.known else [])
    assert urlsplit(address.worker_url(4000)).port == 4000


def test_credentials_are_decoded_and_encoded_again() -> None:
    address = parse_address("rtsp://us%20er:p%40s%2Fs%25%23:%C3%A9@10.0.0.5/a?b=c", RULES)
    assert (address.user, address.password) == ("us er", "p@s/s%#:é")
    url = address.worker_url(4001)
    parts = urlsplit(url)
    assert (parts.hostname, parts.port, parts.path, parts.query) == ("127.0.0.1", 4001, "/a", "b=c")
    assert unquote(parts.username or "") == "us er"
    assert unquote(parts.password or "") == "p@s/s%#:é"
    assert parse_address("rtsp://10.0.0.5/a", RULES).worker_url(9) == "rtsp://127.0.0.1:9/a"


def test_what_a_worker_opens_is_the_camera() -> None:
    with RtspCamera() as camera:
        rules = rules_with(["127.0.0.1/32"], [camera.port])
        address = parse_address(camera.url.replace("127.0.0.1", "camera"), rules, Names(camera=["127.0.0.1"]))
        with LiveStream(address.worker_url(camera.port), LiveSettings(stall_s=5), SystemClock()) as stream:
            assert next(iter(stream.frames())).size_wh == (160, 120)


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (["127.0.0.1"], "no network"),
        (["10.0.0.5", "127.0.0.1"], "no network"),
        (["10.0.0.5", "169.254.169.254"], "no network"),
        (["fd00:ec2::254"], "metadata"),
        (["::ffff:10.0.0.5"], "inside IPv6"),
        (["fe80::1%eth0"], "no plain address"),
        (["fd00::1%1"], "no plain address"),
        (["8.8.8.8"], "no network"),
        ([], "0 addresses"),
        ([f"10.0.0.{n}" for n in range(17)], "17 addresses"),
        (["camera.lan"], "no plain address"),
        (["0x7f000001"], "no plain address"),
        ([""], "no plain address"),
    ],
)
def test_every_answer_is_checked(answers: list[str], reason: str) -> None:
    names = Names(camera=answers)
    assert reason in refused("rtsp://camera/", names=names).message
    assert names.asked == ["camera"]


def test_a_name_is_asked_once_and_what_was_checked_is_what_is_connected_to() -> None:
    answers = iter([["10.0.0.5"], ["127.0.0.1"]])
    address = parse_address("rtsp://rebind.lan/", RULES, lambda _: next(answers))
    assert address.addresses == ("10.0.0.5",)
    assert next(answers) == ["127.0.0.1"], "the second answer was never asked for"


def test_before_each_connection_it_is_asked_again() -> None:
    address = parse_address("rtsp://user:secret@camera/x", RULES, Names(camera=["10.0.0.5"]))
    moved = recheck(address, RULES, Names(camera=["10.0.0.6"]))
    assert moved.addresses == ("10.0.0.6",)
    assert moved.digest() == address.digest()
    assert moved.worker_url(1) == address.worker_url(1)
    with pytest.raises(InputError, match=r"127\.0\.0\.1"):
        recheck(address, RULES, Names(camera=["127.0.0.1"]))
    with pytest.raises(InputError, match="no network"):
        recheck(address, AddressRules(networks=()), Names(camera=["10.0.0.5"]))
    with pytest.raises(InputError, match="port 554"):
        recheck(address, AddressRules(ports=(8554,)), Names(camera=["10.0.0.5"]))


def test_the_systems_resolver_answers_or_refuses() -> None:
    assert "127.0.0.1" in system_resolver("localhost")
    assert parse_address("rtsp://localhost/", rules_with(["127.0.0.1/32", "::1/128"])).addresses
    for unknown in ("", "a" * 70):  # refused before any server is asked
        with pytest.raises(InputError, match="unknown"):
            system_resolver(unknown)


# --- what settings list -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listed", "text", "allowed"),
    [
        ("127.0.0.0/8", "rtsp://127.0.0.1/", True),
        ("127.0.0.1/32", "rtsp://127.0.0.1/", True),
        ("127.0.0.1/32", "rtsp://127.0.0.2/", False),
        ("0.0.0.0/0", "rtsp://127.0.0.1/", False),
        ("0.0.0.0/0", "rtsp://8.8.8.8/", True),
        ("0.0.0.0/0", "rtsp://169.254.169.254/", False),
        ("169.254.0.0/16", "rtsp://169.254.1.1/", True),
        ("169.254.0.0/16", "rtsp://169.254.169.254/", False),
        ("0.0.0.0/0", "rtsp://224.0.0.1/", False),
        ("0.0.0.0/0", "rtsp://255.255.255.255/", False),
        ("0.0.0.0/0", "rtsp://0.0.0.0/", False),
        ("100.64.0.0/10", "rtsp://100.64.0.1/", True),
        ("100.64.0.0/10", "rtsp://100.100.100.200/", False),
        ("::/0", "rtsp://[::1]/", False),
        ("::1/128", "rtsp://[::1]/", True),
        ("::/0", "rtsp://[fe80::1]/", False),
        ("::/0", "rtsp://[::ffff:10.0.0.5]/", False),
        ("::/0", "rtsp://[64:ff9b::a00:5]/", False),
        ("::/0", "rtsp://[2002:a00:5::]/", False),
        ("::/0", "rtsp://[::10.0.0.5]/", False),
        ("::/0", "rtsp://[2606:4700::1]/", True),
        ("203.0.113.0/24", "rtsp://203.0.113.9/", True),
    ],
)
def test_a_special_place_must_be_listed_as_itself(listed: str, text: str, allowed: bool) -> None:
    rules = rules_with([listed])
    if allowed:
        assert parse_address(text, rules).addresses
    else:
        refused(text, rules)


def test_further_ports_and_bad_settings() -> None:
    assert parse_address("rtsp://10.0.0.5:5554/", rules_with(ports=[5554])).port == 5554
    assert parse_address("rtsp://10.0.0.5/", rules_with(ports=[5554])).port == 554
    for bad in ("10.0.0.1/8", "10.0.0.0/33", "ten", ""):
        with pytest.raises(InputError):
            rules_with([bad])
    for port in (0, 65536, -1):
        with pytest.raises(InputError):
            rules_with(ports=[port])
    with pytest.raises(InputError):
        rules_with(folders=[Path("videos")])
    assert "none" in refused("rtsp://10.0.0.5/", AddressRules(ports=())).remedy


def test_a_host_alone_is_checked_the_same_way() -> None:
    assert checked_host("10.0.0.5", RULES) == ("10.0.0.5",)
    assert checked_host("FD00::0005", RULES) == ("fd00::5",)
    for bad in ("127.0.0.1", "0x7f.1", "a b", "user@10.0.0.5", "10.0.0.5/x", "10.0.0.5:80", "", "fd00::1%1"):
        with pytest.raises(InputError):
            checked_host(bad, RULES, Names())


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def videos(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "videos"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.mp4").write_bytes(b"video")
    (folder / "sub" / "b, c.mp4").write_bytes(b"video")
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    (folder / "out.mp4").symlink_to(tmp_path / "secret.mp4")
    (folder / "away").symlink_to(tmp_path)
    (folder / "in.mp4").symlink_to(folder / "a.mp4")
    (folder / "loop").symlink_to(folder / "loop")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(folder / "socket"))
        yield folder


def test_a_file_below_a_folder_is_accepted(videos: Path) -> None:
    rules = rules_with(folders=[videos])
    address = parse_address(f"file://{videos}/a.mp4", rules, Names())
    assert address.file == (videos / "a.mp4").resolve()
    assert (address.scheme, address.host, address.addresses, address.user) == ("file", "", (), "")
    assert address.public() == f"file://{quote(str(address.file))}"
    encoded = parse_address(f"file://{videos}/sub/b%2C%20c.mp4", rules)
    assert encoded.file == (videos / "sub" / "b, c.mp4").resolve()
    assert recheck(encoded, rules) == encoded
    assert parse_address(f"file://{videos}/in.mp4", rules).digest() == address.digest(), "a link inside, resolved"
    with pytest.raises(HabeasError):
        address.worker_url(4000)


def test_a_folder_that_is_a_link_itself_works(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(videos)
    rules = rules_with(folders=[tmp_path / "link"])
    for folder in (videos, tmp_path / "link"):
        assert parse_address(f"file://{folder}/a.mp4", rules).file == (videos / "a.mp4").resolve()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("out.mp4", "no folder"),
        ("away/secret.mp4", "no folder"),
        ("../secret.mp4", "no folder"),
        ("sub/../../secret.mp4", "no folder"),
        ("%2e%2e/secret.mp4", "no folder"),
        ("..%2fsecret.mp4", "no folder"),
        ("../videos-other/a.mp4", "no folder"),
        ("sub", "no such"),
        ("", "no such"),
        ("pipe", "no such"),
        ("socket", "no such"),
        ("loop", "no such"),
        ("missing.mp4", "no such"),
        ("a.mp4/", None),
        ("a.mp4/x", "no such"),
        ("x" * 300, "no such"),
        ("a.mp4?x", "query"),
        ("a.mp4%00.mp4", "control"),
        ("a.mp4%250a", "control"),
        ("%ff", "percent"),
    ],
)
def test_a_file_elsewhere_or_no_file_is_refused(videos: Path, name: str, reason: str | None) -> None:
    rules = rules_with(folders=[videos])
    if reason is None:  # the same file under another spelling
        assert parse_address(f"file://{videos}/{name}", rules).file == (videos / "a.mp4").resolve()
    else:
        assert reason in refused(f"file://{videos}/{name}", rules).message


def test_what_lies_outside_cannot_be_told_apart_from_what_does_not_exist(videos: Path, tmp_path: Path) -> None:
    rules = rules_with(folders=[videos])
    there = refused(f"file://{tmp_path}/secret.mp4", rules)
    missing = refused(f"file://{tmp_path}/missing.mp4", rules)
    assert there.as_json() == missing.as_json()


def test_a_file_that_became_a_link_out_is_noticed_before_it_is_opened_again(videos: Path, tmp_path: Path) -> None:
    rules = rules_with(folders=[videos])
    address = parse_address(f"file://{videos}/a.mp4", rules)
    (videos / "a.mp4").unlink()
    (videos / "a.mp4").symlink_to(tmp_path / "secret.mp4")
    with pytest.raises(InputError, match="no folder"):
        recheck(address, rules)


# --- nothing is opened ------------------------------------------------------------------------------------------------


class Canary:
    """A listener on loopback that must not be touched."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.touched = threading.Event()
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        try:
            self._listening.accept()[0].close()
        except OSError:
            return
        self.touched.set()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)


def test_parsing_connects_to_nobody_and_opens_no_file(tmp_path: Path) -> None:
    canary, fifo = Canary(), tmp_path / "canary"
    os.mkfifo(fifo)  # opening it would wait for ever
    try:
        places = ("127.0.0.1", "[::1]", "localhost", "2130706433", "[::ffff:127.0.0.1]", "camera")
        names = Names(localhost=["127.0.0.1"], camera=["10.0.0.5"])
        for rules in (RULES, rules_with(["127.0.0.0/8"], [canary.port], [tmp_path])):
            for text in (*(f"rtsp://u:p@{place}:{canary.port}/" for place in places), f"file://{fifo}"):
                try:
                    parse_address(text, rules, names)
                except InputError:
                    continue
        assert not canary.touched.is_set()
        socket.create_connection(("127.0.0.1", canary.port)).close()
        assert canary.touched.wait(5), "the canary does notice"
    finally:
        canary.close()


# --- nothing is said --------------------------------------------------------------------------------------------------


def everything_said(text: str, rules: AddressRules) -> str:
    """All that a person or a log could see of an address: its public form, its repr, or the whole of its refusal."""
    try:
        address = parse_address(text, rules, Names(camera=["10.0.0.5"]))
        return f"{address} {address!r} {address.public()} {address.digest()} {[address]}"
    except InputError as error:
        chain: list[BaseException] = [error]
        while chain[-1].__context__ is not None:
            chain.append(chain[-1].__context__)
        return " ".join([repr(e) + str(vars(e)) for e in chain] + traceback.format_exception_only(error))


PLANTED = [
    f"rtsp://admin:{MARKER}@10.0.0.5/live",
    f"rtsp://{MARKER}:x@10.0.0.5/live",
    f"rtsp://{MARKER}@10.0.0.5/live",
    f"rtsp://admin:{MARKER}@camera/live",
    f"rtsp://admin:{MARKER}@10.0.0.5/{MARKER}",
    f"rtsp://admin:{MARKER}@10.0.0.5/a?channel={MARKER}",
    f"rtsp://10.0.0.5/a?password={MARKER}&channel=1",
    f"rtsp://10.0.0.5/user=admin_password={MARKER}_channel=1",
    f"rtsp://10.0.0.5/;{MARKER}",
    f"rtsp://admin:{MARKER}@127.0.0.1/",
    f"rtsp://admin:{MARKER}@unknown/",
    f"rtsp://admin:{MARKER}@10.0.0.5:99/",
    f"rtsp://admin:{MARKER}@10.0.0.5:bad/",
    f"rtsp://admin:{MARKER}/x@10.0.0.5/",
    f"rtsp://admin:{MARKER}#x@10.0.0.5/",
    f"rtsp://admin:{MARKER}?x@10.0.0.5/",
    f"rtsp://admin:{MARKER}@x@10.0.0.5/",
    f"rtsp://admin:{MARKER}%00@10.0.0.5/",
    f"rtsp://admin:{MARKER}%ff@10.0.0.5/",
    f"rtsp://admin:{MARKER}%zz@10.0.0.5/",
    f"rtsp://admin:{MARKER} @10.0.0.5/",
    f"rtsp://:{MARKER}@10.0.0.5/",
    f"rtsp://admin%3A{MARKER}@10.0.0.5/",
    f"http://admin:{MARKER}@10.0.0.5/",
    f"admin:{MARKER}@10.0.0.5/",
    f"rtsp://admin:{MARKER}@[fe80::1%25eth0]/",
    f"rtsp://admin:{MARKER}@" + "a" * 3000,
    f"file://admin:{MARKER}@/srv/x",
]


@pytest.mark.parametrize("text", PLANTED, ids=range(len(PLANTED)))
def test_a_planted_password_is_never_shown(text: str) -> None:
    assert MARKER not in everything_said(text, RULES)


def test_the_scan_would_notice() -> None:
    assert MARKER in everything_said(f"rtsp://10.0.0.5/{MARKER}", RULES), "a plain path is shown"


# --- public form and digest -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("rtsp://u:secret@10.0.0.5/live", "rtsp://10.0.0.5:554/live"),
        ("rtsp://10.0.0.5", "rtsp://10.0.0.5:554"),
        ("rtsps://[FD00::5]/x", "rtsps://[fd00::5]:322/x"),
        ("rtsp://10.0.0.5/cam?channel=1&token=abc&Subtype=0", "rtsp://10.0.0.5:554/cam?channel=1&Subtype=0"),
        ("rtsp://10.0.0.5/user=a_password=b", "rtsp://10.0.0.5:554/…"),
        ("rtsp://u:secret@10.0.0.5/secret", "rtsp://10.0.0.5:554/…"),
        ("rtsp://u:a%20bc@10.0.0.5/x?channel=a+bc", "rtsp://10.0.0.5:554/…"),
        ("rtsp://u:s%2541@10.0.0.5/x?channel=s%2541", "rtsp://10.0.0.5:554/…"),
    ],
)
def test_the_public_form(text: str, public: str) -> None:
    assert parse_address(text, RULES).public() == public
    assert repr(parse_address(text, RULES)) == f"CameraAddress({public!r})"


def test_the_source_has_all_but_the_credentials() -> None:
    assert parse_address("RTSP://u:secret@Camera/A?b=c", RULES, Names(camera=["10.0.0.5"])).source() == (
        "rtsp://camera:554/A?b=c"
    )


def test_the_digest_knows_the_source_and_no_credentials() -> None:
    def digest(text: str) -> str:
        return parse_address(text, RULES, Names(camera=["10.0.0.5"])).digest()

    same = {"rtsp://camera/a?b", "RTSP://CAMERA:554/a?b", "rtsp://u:p@camera/a?b", "rtsp://other:q@Camera/a?b"}
    assert len({digest(text) for text in same}) == 1
    # SHA-256 of "rtsp://camera:554/a?channel=1", from coreutils.
    assert (
        digest("rtsp://u:p@camera//a/?b&Channel=1")
        == "5602624153735d486455f988fa3b8ef19cde9f5b5bc02184d94dbf3befeb91fe"
    )


LIVE = "rtsp://10.0.0.5/live"


@pytest.mark.parametrize(
    ("plain", "tails"),
    [
        (
            "/live",
            [
                *("/live?", "/live?x=1", "/%6Cive", "/%6cive", "/live/", "/live//", "/./live", "//live", ":554/live"),
                *("/live/.", "/other/../live", "/../live", "/%2e/live", "/%2E%2E/live", "/live/?x=1", "/live?channel="),
            ],
        ),
        ("/a/b", ["/a//b", "/a%2Fb", "/a/./b/", "/a/c/../b?token=x"]),
        ("", ["/", "//", "/.", "?", "?x", ":554", "/live/.."]),
        (
            "/cam?channel=1&subtype=0",
            [
                *("/cam?subtype=0&channel=1", "/cam/?channel=1&x=2&subtype=0", "/cam?Channel=%31&SUBTYPE=0"),
                "/cam?channel=1&subtype=0&channel=1",
            ],
        ),
        ("/user=a%20b", ["/user%3Da%20b", "/user%3da%20b/"]),
    ],
)
def test_spellings_of_one_source_have_one_digest(plain: str, tails: list[str]) -> None:
    address = parse_address(f"rtsp://10.0.0.5{plain}", RULES)
    for tail in tails:
        text = f"rtsp://10.0.0.5{tail}"
        other = parse_address(text, RULES)
        assert other.digest() == address.digest() == digest_of(text), tail
        given = tail.removeprefix(":554")
        assert other.worker_url(9) == f"rtsp://127.0.0.1:9{given}", "what is connected to stays as it was given"
        assert other.source() == f"rtsp://10.0.0.5:554{given}"


def test_different_sources_have_different_digests() -> None:
    texts = [
        *(LIVE, "rtsps://10.0.0.5/live", "rtsp://10.0.0.5:8554/live", "rtsp://10.0.0.6/live", "rtsp://camera/live"),
        *("rtsp://10.0.0.5/Live", "rtsp://10.0.0.5/live/1", "rtsp://10.0.0.5/", "rtsp://10.0.0.5/%256Cive"),
        *(f"{LIVE}?channel=1", f"{LIVE}?channel=2", f"{LIVE}?stream=1", f"{LIVE}%3Fchannel=1", f"{LIVE}?channel=A"),
    ]
    names = Names(camera=["10.0.0.5"])
    assert len({parse_address(text, RULES, names).digest() for text in texts}) == len(texts)


def test_a_name_with_a_last_dot_is_the_name() -> None:
    assert digest_of("rtsp://camera./live") == digest_of("rtsp://camera/live") != digest_of("rtsp://camera.lan/live")


# --- anything ---------------------------------------------------------------------------------------------------------

fragments = st.sampled_from(
    ["rtsp://", "rtsps://", "file://", "file:///", "user", ":", "@", "10.0.0.5", "[fd00::5]", "[", "]", "camera", "/"]
)
oddities = st.sampled_from(
    ["%", "%00", "%25", "%2", "?", "#", "&", "=", "..", "127.0.0.1", "0x7f", ":554", "xn--", ".", "-", "\\", "\n"]
)
pieced = st.lists(fragments | oddities | st.text(max_size=4), max_size=12).map("".join)


@given(st.text(max_size=200) | pieced)
@example("rtsp://[fd00::%]")
@PROPERTY
def test_parsing_refuses_or_returns(text: str) -> None:
    try:
        address = parse_address(text, rules_with(folders=[Path("/nowhere")]), Names(camera=["10.0.0.5"]))
    except InputError:
        return
    check_accepted(address)


def check_accepted(address: CameraAddress) -> None:
    assert address.scheme in {"rtsp", "rtsps"}
    assert all(any(ipaddress.ip_address(ip) in network for network in RULES.networks) for ip in address.addresses)
    assert address.public().isprintable()
    assert urlsplit(address.worker_url(4000)).hostname == "127.0.0.1"


@given(st.lists(st.text(max_size=20), max_size=4))
@PROPERTY
def test_a_resolver_may_answer_anything(answers: list[str]) -> None:
    try:
        address = parse_address("rtsp://camera/", RULES, Names(camera=answers))
    except InputError:
        return
    check_accepted(address)


passwords = st.text(min_size=6, max_size=20).filter(lambda text: text.isprintable() and "%" not in text)


@given(passwords, st.booleans())
@PROPERTY
def test_the_public_form_never_contains_the_password(password: str, repeated: bool) -> None:
    encoded = quote(password, safe="")
    path = f"/live/{encoded}?channel={encoded}" if repeated else "/cam?channel=1"
    address = parse_address(f"rtsp://viewer:{encoded}@10.0.0.5{path}", RULES)
    assert address.password == password
    for shown in (address.public(), repr(address)):
        assert password not in shown
        assert encoded not in shown


def test_a_name_can_be_left_unasked_until_it_is_connected_to() -> None:
    address = parse_address("rtsp://user:secret@camera/x", RULES, resolve=None)
    assert address.addresses == ()
    found = recheck(address, RULES, Names(camera=["10.0.0.5"]))
    assert found == parse_address("rtsp://user:secret@camera/x", RULES, Names(camera=["10.0.0.5"]))
    assert parse_address("rtsp://10.0.0.5/", RULES, resolve=None).addresses == ("10.0.0.5",)
    for bad in ("rtsp://8.8.8.8/", "rtsp://cam_era/", "rtsp://camera:1/"):
        with pytest.raises(InputError):
            parse_address(bad, RULES, resolve=None)
