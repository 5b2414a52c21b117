"""An ONVIF device on loopback that gives a real camera's answers, or a hostile one's.

The answers were recorded from a real camera by the authors of the npm package `onvif` (MIT), who test their client with
them. What is ours, for want of a whole device that runs offline: the server around them, the check of the password
digest (OASIS WS-Security UsernameToken Profile 1.0), and the hostile variants.
"""

import base64
import hashlib
import re
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, Self

from habeas.models.manifest import Carrier, PackagedFile

_RECORDED: Final = {
    "GetSystemDateAndTime": ("f3d462175b0dec067a2da4446c8f21c46f11ee4b8ad119c09ffd81e30b1478e1", 2543),
    "GetServices": ("17b5cb6f7dfa18f31ca9c41f217e6989913853c7719aa1ccb98a60d72c47864d", 4438),
    "GetCapabilities": ("bf86bac490fa904869cde4bf82da621d740fa02c918fb6b5da5c93c11511d14a", 5833),
    "GetProfiles": ("788875d8ebaa873b4da6a96c4e0e7062ee07d2e7bb5ed19c76c4f06ef86b4d43", 5825),
    "GetStreamUri": ("3009b9860da6ce5cfef07c99a09a4b7c62913f599ac7515aa628b9783b67d2bf", 2568),
    "Probe": ("4e967443eeac23b44770c5de86850d0c169c3644251f4516eeda953eb991542a", 2035),
}
RECORDED: Final = tuple(
    PackagedFile(
        name=f"{name}.xml",
        carrier=Carrier.NPM,
        requirement="onvif@0.8.1",
        member=f"package/test/serverMockup/{name}.xml",
        sha256=sha256,
        size=size,
        licence="MIT",
        fetch_mb=1,
    )
    for name, (sha256, size) in _RECORDED.items()
)
CAMERA_HOST: Final = "192.168.68.111"
"""Where the recorded camera was."""
USER: Final = "viewer"
PASSWORD: Final = "Zq7-hunter2-marker"  # noqa: S105 - planted, to be looked for
FAULT: Final = """<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
 xmlns:ter="http://www.onvif.org/ver10/error"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode>
<s:Value>ter:{code}</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en">{code}</s:Text></s:Reason></s:Fault>
</s:Body></s:Envelope>"""
Answer = tuple[int, dict[str, str], bytes]


class OnvifDevice:
    """A camera's ONVIF service. A context manager.

    Args:
        recorded: folder of the recorded answers.
        change: operation and recorded answer -> what to send; returns bytes, or status, headers and bytes.
        clock_ahead: how far its clock is from ours; a digest more than 10 s away from it is refused.
    """

    def __init__(
        self,
        recorded: Path,
        change: Callable[[str, bytes], bytes | Answer] = lambda _, answer: answer,
        *,
        clock_ahead: timedelta = timedelta(0),
    ) -> None:
        self._recorded = recorded
        self._change = change
        self._clock_ahead = clock_ahead
        self.operations: list[str] = []
        self.received: list[bytes] = []
        device = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status, headers, body = device.answer(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(status)
                usual = {"Content-Type": "application/soap+xml", "Content-Length": str(len(body))}
                for name, value in {**usual, **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    return  # the other side had enough

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def answer(self, request: bytes) -> Answer:
        """Answer one request as a camera would: everything but the time needs the password."""
        self.received.append(request)
        body = re.search(rb"Body>\s*<(?:\w+:)?(\w+)", request)
        assert body is not None
        operation = body[1].decode()
        self.operations.append(operation)
        if operation != "GetSystemDateAndTime" and not self._authorised(request):
            return 400, {}, FAULT.format(code="NotAuthorized").encode()
        file = self._recorded / f"{operation}.xml"
        if not file.exists():
            return 500, {}, FAULT.format(code="ActionNotSupported").encode()
        answer = file.read_bytes().replace(CAMERA_HOST.encode(), b"127.0.0.1")
        if operation == "GetSystemDateAndTime":
            answer = self._with_time(answer)
        changed = self._change(operation, answer)
        return changed if isinstance(changed, tuple) else (200, {}, changed)

    def _with_time(self, answer: bytes) -> bytes:
        now = datetime.now(UTC) + self._clock_ahead
        for unit in ("Year", "Month", "Day", "Hour", "Minute", "Second"):
            value = str(getattr(now, unit.lower())).encode()
            answer = re.sub(rb"(<tt:%b>)\d+" % unit.encode(), rb"\g<1>" + value, answer)
        return answer

    def _authorised(self, request: bytes) -> bool:
        found = re.findall(rb"<(?:\w+:)?(Username|Password|Nonce|Created)\b[^>]*>([^<]*)<", request)
        told = {name.decode(): value.decode() for name, value in found}
        if set(told) != {"Username", "Password", "Nonce", "Created"} or told["Username"] != USER:
            return False
        digest = hashlib.sha1(  # noqa: S324 - what the standard says
            base64.b64decode(told["Nonce"]) + told["Created"].encode() + PASSWORD.encode()
        ).digest()
        created = datetime.fromisoformat(told["Created"])
        fresh = abs(created - (datetime.now(UTC) + self._clock_ahead)) < timedelta(seconds=10)
        return fresh and base64.b64encode(digest).decode() == told["Password"]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class Responder:
    """Answers WS-Discovery probes on loopback. A context manager.

    Args:
        replies: the probe's message id -> what to send, in order.
        group: multicast group to join on loopback; empty: unicast only.
    """

    def __init__(self, replies: Callable[[str], list[bytes]], group: str = "") -> None:
        self._replies = replies
        self._line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._line.bind((group or "127.0.0.1", 0))
        if group:
            member = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
            self._line.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self.to = (group or "127.0.0.1", int(self._line.getsockname()[1]))
        self._line.settimeout(0.05)
        self._ended = threading.Event()
        self.probes: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                probe, sender = self._line.recvfrom(65536)
            except TimeoutError:
                continue
            self.probes.append(probe)
            asked = re.search(rb"MessageID>\s*(\S+?)\s*<", probe)
            assert asked is not None
            for reply in self._replies(asked[1].decode()):
                self._line.sendto(reply, sender)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join(5)
        self._line.close()
