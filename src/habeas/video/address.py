"""Camera addresses: hostile text in, a checked address out.

Whoever may type a camera's address could otherwise make the process that opens it read a file, reach into another
network, or speak another protocol: FFmpeg opens whatever it is told. So the text is parsed here, once, by a grammar
that knows three schemes and refuses what it does not know. A host name is resolved once and every answer is checked;
what is connected to afterwards is `CameraAddress.addresses`, never the name (else a name that answers differently the
second time would lead elsewhere). `recheck` does the same again before each connection; who only hands an address on
leaves the name unasked until then.

Refusals never repeat what was given, since a password may stand anywhere in it; only a host or port that was understood
as such is named. Sources: RFC 3986 (grammar), RFC 6890 and the IANA registries of special addresses, docs/threat-model.
"""

import dataclasses
import hashlib
import ipaddress
import re
import socket
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Final, NoReturn, TypeAlias
from urllib.parse import parse_qsl, quote, unquote, unquote_to_bytes, urlencode

from habeas.errors import HabeasError, InputError

Network: TypeAlias = IPv4Network | IPv6Network
Resolver: TypeAlias = Callable[[str], Sequence[str]]
"""Host name -> IP addresses as text. Raises `InputError` where the name is unknown."""

MAX_CHARACTERS: Final = 2048
MAX_ANSWERS: Final = 16
"""A camera has one address or two; a name with more is no camera's."""
DEFAULT_PORTS: Final = (554, 322, 8554, 7447, 10554)
DEFAULT_NETWORKS: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
_PORT_OF: Final = {"rtsp": 554, "rtsps": 322}
_SCHEME: Final = re.compile(r"(rtsp|rtsps|file)://(.*)", re.IGNORECASE | re.DOTALL)
_LEGAL: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+;=%]*")
"""What RFC 3986 lets stand in an address, without the comma, which FFmpeg takes for a separator in places."""
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_MAX_PORT: Final = 65535
_MAX_HOST: Final = 253
_FIRST_PRINTABLE, _DELETE = 0x20, 0x7F
_CHANNEL_KEYS: Final = frozenset({"camera", "channel", "id", "profile", "stream", "subtype", "track"})

_SPECIAL: Final[tuple[tuple[str, tuple[Network, ...]], ...]] = tuple(
    (name, tuple(ipaddress.ip_network(text) for text in texts.split()))
    for name, texts in (
        ("loopback", "127.0.0.0/8 ::1/128"),
        ("a cloud's metadata service", "169.254.169.254/32 fd00:ec2::254/128 fd20:ce::254/128 100.100.100.200/32"),
        ("a cloud's metadata service", "168.63.129.16/32 192.0.0.192/32"),
        ("link-local", "169.254.0.0/16 fe80::/10 fec0::/10"),
        ("multicast", "224.0.0.0/4 ff00::/8"),
        ("broadcast", "255.255.255.255/32"),
        ("unspecified", "0.0.0.0/8 ::/128"),
        ("reserved", "240.0.0.0/4"),
        ("an IPv4 address inside IPv6", "::/96 64:ff9b::/96 64:ff9b:1::/48 2002::/16 2001::/32"),
    )
)
"""Refused unless a listed network lies within the range: listing everything does not list these."""


@dataclass(frozen=True)
class AddressRules:
    """What a camera's address may be.

    Args:
        networks: where cameras may be.
        ports: on which they may listen.
        folders: below which video files may lie; none: no file is opened.

    Raises:
        InputError: a port outside 1..65535, or a folder that is not an absolute path.
    """

    networks: tuple[Network, ...] = DEFAULT_NETWORKS
    ports: tuple[int, ...] = DEFAULT_PORTS
    folders: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if not all(0 < port <= _MAX_PORT for port in self.ports):
            raise InputError("a camera port is not within 1..65535", remedy="list ports such as 554")
        if not all(folder.is_absolute() for folder in self.folders):
            raise InputError("a folder of videos is not an absolute path", remedy="write it from the root: /srv/video")


def rules_with(networks: Iterable[str] = (), ports: Iterable[int] = (), folders: Iterable[Path] = ()) -> AddressRules:
    """Return the default rules plus what settings list.

    Args:
        networks: in CIDR form, `127.0.0.1/32`; a special range counts only if listed as itself or a part of it.
        ports: beside the default ones.
        folders: of video files, absolute.

    Raises:
        InputError: a network, port or folder that cannot be.
    """
    listed = tuple(_network(text) for text in networks)
    return AddressRules((*DEFAULT_NETWORKS, *listed), (*DEFAULT_PORTS, *ports), tuple(folders))


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise InputError(f"{text!r} is no network", remedy="write it as 192.168.7.0/24, host bits zero") from None


@dataclass(frozen=True, repr=False)
class CameraAddress:
    """A source that was checked. `repr` shows what may be shown.

    Args:
        scheme: `rtsp`, `rtsps` or `file`.
        host: a name or address in canonical form (lower case, IPv6 without brackets); empty for a file.
        port: to connect to; 0 for a file.
        path_and_query: as given, still percent-encoded; for a file its resolved path, percent-encoded.
        user: decoded; empty: none.
        password: decoded.
        addresses: the checked IP addresses; only these may be connected to. Empty: its name was not asked for yet.
        file: the resolved path of a file.
    """

    scheme: str
    host: str
    port: int
    path_and_query: str
    user: str
    password: str
    addresses: tuple[str, ...]
    file: Path | None = None

    def source(self) -> str:
        """Return the address as given, without user and password, to connect to; `digest` tells cameras apart."""
        return f"{self.scheme}://{'' if self.file else self._authority()}{self.path_and_query}"

    def public(self) -> str:
        """Return what may be shown: no user, no password, and of the query only what tells channels apart."""
        if self.file is not None:
            return self.source()
        path, _, query = self.path_and_query.partition("?")
        path = "/".join("…" if set(segment) & set("=;") else segment for segment in path.split("/"))
        told = [(key, value) for key, value in parse_qsl(query) if key.lower() in _CHANNEL_KEYS]
        shown = path + (f"?{urlencode(told)}" if told else "")
        forms = (shown, unquote(shown), unquote(shown.replace("+", " ")))
        if any(secret in form for secret in (self.user, self.password) if secret for form in forms):
            shown = "/…"  # cameras take their credentials there too, under any name
        return f"{self.scheme}://{self._authority()}{shown}"

    def digest(self) -> str:
        """Return the SHA-256 by which a source is known, hexadecimal: the same for every spelling of its address.

        Scheme, host, port, path, and of the query what tells channels apart; no user. The path is decoded, slashes
        merged, dot segments removed, the last slash cut (RFC 3986, section 6.2.2, and stricter). Nothing connects by
        this form. What remains: a name and its IP address, `rtsp` and `rtsps`, and another stream path or channel key
        of one camera are different sources.
        """
        canonical = self.source() if self.file else f"{self.scheme}://{self._authority()}{self._canonical_path()}"
        return hashlib.sha256(canonical.encode()).hexdigest()

    def _canonical_path(self) -> str:
        path, _, query = self.path_and_query.partition("?")
        segments: list[str] = []
        for segment in unquote(path).split("/"):
            if segment == "..":
                segments = segments[:-1]
            elif segment not in ("", "."):
                segments.append(segment)
        told = {(key.lower(), value) for key, value in parse_qsl(query) if key.lower() in _CHANNEL_KEYS}
        return f"/{quote('/'.join(segments))}" + (f"?{urlencode(sorted(told))}" if told else "")

    def worker_url(self, port: int) -> str:
        """Return the address for a worker that reaches the camera through a relay on loopback.

        It holds the password: hand it over a pipe, never on a command line.

        Args:
            port: of the relay.

        Raises:
            HabeasError: the source is a file; a worker gets that as a descriptor.
        """
        if self.file is not None:
            raise HabeasError("a file has no relay")
        credentials = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if self.user else ""
        return f"{self.scheme}://{credentials}127.0.0.1:{port}{self.path_and_query}"

    def _authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"CameraAddress({self.public()!r})"


def system_resolver(name: str) -> list[str]:
    """Ask the system for a name's addresses.

    Raises:
        InputError: it has none.
    """
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise InputError(f"the host {name} is unknown", remedy="check the name, or give the IP address") from None
    return [str(address[0]) for *_, address in found]


def parse_address(text: str, rules: AddressRules, resolve: Resolver | None = system_resolver) -> CameraAddress:
    """Parse and check a source's address.

    1. Only legal characters, bounded length.  2. A scheme we know.  3. One `@` at most, before the path.
    4. Nothing encoded that would break out of a line or a path.  5. The port is listed.
    6. The host is an address or a plain name; each of its addresses is allowed.

    Args:
        text: `rtsp://user:password@host:port/path?query`, `rtsps://...` or `file:///...`.
        rules: what is allowed.
        resolve: asked only for a well-formed host name, after everything else was checked. None: no name is asked for,
            `addresses` stays empty, and `recheck` follows before anything is connected to.

    Raises:
        InputError: says what is wrong and what to do, without repeating what was given.
    """
    scheme, rest = _checked_text(text)  # 1, 2
    if scheme == "file":
        return _file_address(rest, rules)
    authority, path_and_query = _split(rest)  # 3
    credentials, _, place = authority.rpartition("@")
    user, password = _credentials(credentials, present="@" in authority)
    _decoded(path_and_query, "the path")  # 4
    host, port = _host_and_port(place, _PORT_OF[scheme])
    _check_port(port, rules)  # 5
    addresses = checked_host(host, rules, resolve)  # 6
    host = addresses[0] if _literal(host) else host
    return CameraAddress(scheme, host, port, path_and_query, user, password, addresses)


def digest_of(source: str) -> str | None:
    """Return the digest that a source has as a camera (`CameraAddress.digest`), allowed or not; asks no resolver.

    Args:
        source: an `rtsp` address, or the path of a file.

    Returns:
        None: no camera has an address of this form.
    """
    try:
        if "://" not in source:
            path = quote(str(Path(source).resolve()))
            return CameraAddress("file", "", 0, path, "", "", (), Path(source)).digest()
        scheme, rest = _checked_text(source)
        authority, path_and_query = _split(rest)
        host, port = _host_and_port(authority.rpartition("@")[2], _PORT_OF.get(scheme, 0))
    except (InputError, OSError, RuntimeError, ValueError):
        return None
    host = str(ipaddress.ip_address(host)) if _literal(host) else host.rstrip(".")
    return CameraAddress(scheme, host, port, path_and_query, "", "", ()).digest()


def recheck(address: CameraAddress, rules: AddressRules, resolve: Resolver = system_resolver) -> CameraAddress:
    """Check an address again, before each connection: names move, files are replaced, rules change.

    Raises:
        InputError: it is no longer allowed.
    """
    if address.file is not None:
        return _file_address(quote(str(address.file)), rules)
    _check_port(address.port, rules)
    return dataclasses.replace(address, addresses=checked_host(address.host, rules, resolve))


# --- text -------------------------------------------------------------------------------------------------------------


def _refuse(message: str, remedy: str) -> NoReturn:
    raise InputError(message, remedy=remedy)


def _checked_text(text: str) -> tuple[str, str]:
    if len(text) > MAX_CHARACTERS:
        _refuse(f"the address is longer than {MAX_CHARACTERS} characters", "give the camera's short address")
    if not text.isascii() or not text.isprintable() or " " in text:
        _refuse("the address has spaces, control characters or letters beyond ASCII", "write them as %20 and so on")
    if _LEGAL.fullmatch(text) is None:
        _refuse("the address has a character that none may have", 'write , | \\ " < > ^ ` { } as %2C %7C %5C and so on')
    if "#" in text:
        _refuse("the address has a fragment (#)", "leave it out; write the # of a password as %23")
    matched = _SCHEME.fullmatch(text)
    if matched is None:
        _refuse("the address has no scheme that Habeas opens", "begin with rtsp://, rtsps:// or file://")
    return matched[1].lower(), matched[2]


def _split(rest: str) -> tuple[str, str]:
    end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    authority, path_and_query = rest[:end], rest[end:]
    if authority.count("@") > 1 or "@" in path_and_query:
        _refuse("the address has an @ where none belongs", "write the / ? @ of a password as %2F %3F %40")
    return authority, path_and_query


def _decoded(text: str, what: str) -> str:
    """Return percent-encoded text decoded, having looked at every layer of encoding for control characters."""
    plain = _decode_once(text)
    if plain is None:
        _refuse(f"{what} has a broken percent-encoding", "write a % as %25, and characters as UTF-8")
    before: str = text
    layer: str | None = plain
    while layer is not None and layer != before:  # an inner layer that is no encoding is plain text
        if any(character < chr(_FIRST_PRINTABLE) or character == chr(_DELETE) for character in layer):
            _refuse(f"{what} has an encoded control character", "remove %00, %0A, %0D and the like")
        before, layer = layer, _decode_once(layer)
    return plain


def _decode_once(text: str) -> str | None:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        return None
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return None


def _credentials(text: str, *, present: bool) -> tuple[str, str]:
    encoded_user, _, encoded_password = text.partition(":")
    user, password = _decoded(encoded_user, "the user name"), _decoded(encoded_password, "the password")
    if present and not user:
        _refuse("the address has an @ without a user name", "write rtsp://user:password@host/path, or no @")
    if ":" in user:
        _refuse("the user name has a colon", "give the camera another user; HTTP and RTSP cannot carry this one")
    return user, password


# --- host and port ----------------------------------------------------------------------------------------------------


def _host_and_port(place: str, default_port: int) -> tuple[str, int]:
    if place.startswith("["):
        inner, bracket, after = place[1:].partition("]")
        host, colon, port = inner, after[:1], after[1:]
        if not bracket or ":" not in inner or colon not in ("", ":"):
            _refuse("the IPv6 address is not well-formed", "write rtsp://[fd00::5]:554/path")
    else:
        host, colon, port = place.partition(":")
    if colon and (_PORT.fullmatch(port) is None or int(port) > _MAX_PORT):
        _refuse("the port is not a number within 1..65535", "write rtsp://host:port/path")
    return host.lower(), int(port) if colon else default_port


def _check_port(port: int, rules: AddressRules) -> None:
    if port not in rules.ports:
        allowed = ", ".join(map(str, sorted(set(rules.ports)))) or "none"
        _refuse(
            f"cameras may not be on port {port}",
            f"allowed: {allowed}; list further ones as cameras.ports in habeas.yaml",
        )


def _literal(host: str) -> bool:
    """Tell whether the host is an IP address in plain form."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def checked_host(host: str, rules: AddressRules, resolve: Resolver | None = system_resolver) -> tuple[str, ...]:
    """Return the IP addresses of a host, all of them allowed, in canonical form, none twice.

    Args:
        host: an IPv4 address of four decimal numbers, an IPv6 address without brackets, or a plain ASCII name.
        rules: what is allowed.
        resolve: asked for a name, once. None: not asked, a name has no addresses.

    Raises:
        InputError: not a host, unknown, or one of its addresses is not allowed.
    """
    host = host.lower()
    if "%" in host:
        _refuse("the host has a zone or an encoding (%)", "give the plain address or name")
    if _literal(host):
        return (_allowed(host, rules),)
    labels = host.split(".")
    if len(host) > _MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        _refuse("the host is neither an IP address nor a plain name", "use letters a-z, digits, hyphens and dots")
    if _NUMBER.fullmatch(labels[-1]):
        _refuse("the host is an IP address in an unusual form", "write four decimal numbers: 192.168.7.20")
    if any(label.startswith("xn--") for label in labels):
        _refuse("the host has letters beyond ASCII (xn--)", "give the IP address; such names can look like others")
    if resolve is None:
        return ()
    answers = list(resolve(host))
    if not 0 < len(answers) <= MAX_ANSWERS:
        _refuse(f"the host {host} has {len(answers)} addresses", "give the camera's IP address")
    return tuple(dict.fromkeys(_allowed(answer, rules, f" ({host})") for answer in answers))


def _allowed(text: str, rules: AddressRules, named: str = "") -> str:
    if "%" in text or not _literal(text):
        _refuse(f"the host{named} resolves to something that is no plain address", "give the camera's IP address")
    address = ipaddress.ip_address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        _refuse(f"{address}{named} is an IPv4 address inside IPv6", "give the IPv4 address")
    listed = [network for network in rules.networks if address in network]
    if not listed:
        _refuse(
            f"{address}{named} is in no network of cameras",
            "list the cameras' network as cameras.networks in habeas.yaml",
        )
    special = _special(address)
    if special is not None and not any(_within(network, special[1]) for network in listed):
        _refuse(f"{address}{named} is {special[0]}", "give the camera's own address; or list exactly this one")
    return str(address)


def _special(address: IPv4Address | IPv6Address) -> tuple[str, Network] | None:
    for name, ranges in _SPECIAL:
        for network in ranges:
            if address in network:
                return name, network
    return None


def _within(network: Network, outer: Network) -> bool:
    if isinstance(network, IPv4Network):
        return isinstance(outer, IPv4Network) and network.subnet_of(outer)
    return isinstance(outer, IPv6Network) and network.subnet_of(outer)


# --- files ------------------------------------------------------------------------------------------------------------


def _file_address(rest: str, rules: AddressRules) -> CameraAddress:
    """Check a file: first its name alone, then where it really lies. Nothing outside the folders is looked at."""
    if not rest.startswith("/") or "?" in rest:
        _refuse("a file's address has a host or a query", "write file:///folder/video.mp4, a ? as %3F")
    path = Path(_decoded(rest, "the path"))
    if ".." in path.parts or not any(path.is_relative_to(folder) for folder in _both(rules.folders)):
        _refuse_file(path)
    try:
        real = path.resolve(strict=True)
        regular = stat.S_ISREG(real.stat().st_mode)
    except (OSError, RuntimeError):
        real, regular = path, False
    if not any(real.is_relative_to(folder.resolve()) for folder in rules.folders):
        _refuse_file(path)
    if not regular:
        _refuse("there is no such video file", "check the name; folders, pipes and devices are not opened")
    return CameraAddress("file", "", 0, quote(str(real)), "", "", (), real)


def _both(folders: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple(form for folder in folders for form in (folder, folder.resolve()))


def _refuse_file(path: Path) -> NoReturn:
    """Refuse a file, and say which folder to list. Nothing is said of where it leads: that would tell what is there."""
    folder = "its folder" if ".." in path.parts else str(path.parent)
    remedy = (
        f"list {folder} as cameras.folders in habeas.yaml and start the node again, or move the file below one listed"
    )
    _refuse("the file is in no folder of videos", remedy)
