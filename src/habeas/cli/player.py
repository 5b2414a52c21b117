"""A page on this machine that plays segments one after the other; nothing of it is written to the disk.

Only this machine is answered, only under an address that nobody can guess, and only when it is asked for by that name:
a page of somewhere else, open in the same browser, cannot reach it. Whoever opens the page first gets a cookie, and
nobody is answered without it from then on: the address may be seen by other users of the machine, among the words that
a browser was started with. Each segment is fetched when it is about to be played, and forgotten. While one plays,
however long it is, the page says so each minute.
"""

import json
import re
import secrets
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self

from habeas.cli.client import Json
from habeas.cli.output import note
from habeas.errors import HabeasError
from habeas.ports import Clock
from habeas.types import NS_PER_S

IDLE_NS: Final = 600 * NS_PER_S
_HERE: Final = "127.0.0.1"
_POLL_S: Final = 0.5
_COOKIE: Final = "habeas-player"
_RANGE: Final = re.compile(r"bytes=([0-9]{1,15})-([0-9]{0,15})")
_ALIVE: Final = "alive"
"""What the page asks for while a video plays."""
_PAGE: Final = """<!doctype html><meta charset="utf-8"><title>habeas footage</title>
<style nonce="{nonce}">body{{margin:0;background:#111;color:#ddd;font:14px sans-serif}}
video{{width:100vw;height:92vh}}p{{margin:.5em 1em}}</style>
<video controls autoplay muted></video><p></p>
<script nonce="{nonce}">
const segments = {segments};
const video = document.querySelector("video"), line = document.querySelector("p");
let at = 0;
function show() {{
  const one = segments[at];
  line.textContent = `${{at + 1}} of ${{segments.length}}: ${{one.camera}}, ${{one.began}}`;
  video.src = String(at);
  video.onloadedmetadata = () => {{ video.currentTime = one.skip_s; video.play(); }};
}}
video.onended = () => {{ if (at + 1 < segments.length) {{ at += 1; show(); }} }};
video.onerror = () => {{ line.textContent += " cannot be played here"; }};
setInterval(() => {{ if (!video.paused && !video.ended) fetch("{alive}").catch(() => {{}}); }}, 60000);
show();
</script>
"""


@dataclass(frozen=True, repr=False)
class Answer:
    """What a request is answered with.

    Args:
        status: of it.
        kind: of the bytes.
        data: the bytes.
        nonce: of a page's own script and style; empty: it has none.
        cookie: that the browser is to send from now on; empty: none.
        span: which bytes these are and of how many, for a range; empty: these are all.
    """

    status: HTTPStatus
    kind: str
    data: bytes
    nonce: str = ""
    cookie: str = ""
    span: str = ""


_NOT_HERE: Final = Answer(HTTPStatus.NOT_FOUND, "text/plain", b"not here")


class Player:
    """Serves the page. A context manager.

    Args:
        segments: JSON values, as the node lists them.
        fetch: returns a segment's bytes, by its number.
        clock: tells how long nothing was asked for.
    """

    def __init__(self, segments: Sequence[Json], fetch: Callable[[int], bytes], clock: Clock) -> None:
        self._segments = segments
        self._fetch = fetch
        self._clock = clock
        self._token = secrets.token_urlsafe(32)
        self._cookie = secrets.token_urlsafe(32)
        self._opened = False
        self._lock = threading.Lock()
        """Guards `_opened`, since one browser is the first, and what follows."""
        self._latest: tuple[int, bytes] | None = None
        self._fetching = threading.Lock()
        """Guards `_latest`: two ranges of a segment fetch it once."""
        self._answering = 0
        self._asked_ns = clock.monotonic_ns()
        self._server = ThreadingHTTPServer((_HERE, 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": _POLL_S}, name="player", daemon=True
        )

    @property
    def host(self) -> str:
        """What a browser that was given the address asks for."""
        return f"{_HERE}:{self._server.server_port}"

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{self.host}/{self._token}/"

    def play(self, *, browser: bool) -> None:
        """Serve until Ctrl-C, or until nothing was asked for, and nothing played, in ten minutes.

        Args:
            browser: open one.
        """
        if browser:
            webbrowser.open(self.address)
        with suppress(KeyboardInterrupt):
            while not self.is_idle():
                self._thread.join(_POLL_S)

    def is_idle(self) -> bool:
        """Tell whether nothing was asked for since the last answer ended, ten minutes ago or longer."""
        with self._lock:
            return not self._answering and self._clock.monotonic_ns() - self._asked_ns >= IDLE_NS

    def answer(self, host: str, path: str, cookies: str, span: str = "") -> Answer:
        """Return what a request is answered with.

        Args:
            host: that it asks for.
            path: of what.
            cookies: that it has.
            span: the range of bytes that it asks for; empty, or of another form: all.
        """
        _, _, rest = path.partition("/")
        token, _, name = rest.partition("/")
        if host != self.host or not secrets.compare_digest(token.encode(), self._token.encode()):
            return _NOT_HERE
        if not (f"{_COOKIE}={self._cookie}" in cookies.split("; ") or (not name and self._is_first())):
            return _NOT_HERE
        with self._busy():
            return self._answer(name, span)

    def _answer(self, name: str, span: str) -> Answer:
        if not name:
            return self._page()
        if name == _ALIVE:
            return Answer(HTTPStatus.OK, "text/plain", b"")
        if not (name.isascii() and name.isdigit() and int(name) < len(self._segments)):
            return _NOT_HERE
        try:
            asked = _RANGE.fullmatch(span)
            return _ranged(self._segment(int(name), anew=asked is None or int(asked[1]) == 0), asked)
        except HabeasError as error:
            note(f"segment {int(name) + 1}: {error.message}")
            return Answer(HTTPStatus.BAD_GATEWAY, "text/plain", error.message.encode())

    def _segment(self, number: int, *, anew: bool) -> bytes:
        """Return a segment, fetched unless it goes on with what was fetched last."""
        with self._fetching:
            if anew or self._latest is None or self._latest[0] != number:
                self._latest = None
                self._latest = number, self._fetch(number)
            return self._latest[1]

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """Be not idle meanwhile: fetching a long film takes minutes."""
        with self._lock:
            self._answering += 1
        try:
            yield
        finally:
            with self._lock:
                self._answering -= 1
                self._asked_ns = self._clock.monotonic_ns()

    def _is_first(self) -> bool:
        with self._lock:
            first, self._opened = not self._opened, True
        return first

    def _page(self) -> Answer:
        nonce = secrets.token_urlsafe(16)
        told = json.dumps([{name: one[name] for name in ("camera", "began", "skip_s")} for one in self._segments])
        page = _PAGE.format(nonce=nonce, alive=_ALIVE, segments=told.replace("<", "\\u003c"))
        cookie = f"{_COOKIE}={self._cookie}; Path=/{self._token}/; HttpOnly; SameSite=Strict"
        return Answer(HTTPStatus.OK, "text/html; charset=utf-8", page.encode(), nonce, cookie)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        player = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host, cookies, span = (self.headers.get(name, "") for name in ("Host", "Cookie", "Range"))
                answer = player.answer(host, self.path, cookies, span)
                self.send_response(answer.status)
                for name, value in _headers(answer):
                    self.send_header(name, value)
                self.end_headers()
                with suppress(OSError):  # the browser went away
                    self.wfile.write(answer.data)

            def log_message(self, *_args: object) -> None:
                """Say nothing: the address is a secret."""

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _ranged(data: bytes, asked: re.Match[str] | None) -> Answer:
    """Return a segment, or the one range of it that is asked for."""
    if asked is None:
        return Answer(HTTPStatus.OK, "video/mp4", data)
    first = int(asked[1])
    last = min(int(asked[2] or len(data)), len(data) - 1)
    if first > last:
        return Answer(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "text/plain", b"", span=f"bytes */{len(data)}")
    told = f"bytes {first}-{last}/{len(data)}"
    return Answer(HTTPStatus.PARTIAL_CONTENT, "video/mp4", data[first : last + 1], span=told)


def _headers(answer: Answer) -> list[tuple[str, str]]:
    """Return the headers of an answer: it is kept nowhere, and a page loads nothing from elsewhere."""
    nonce, own = answer.nonce, ""
    if nonce:
        own = f"media-src 'self'; connect-src 'self'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
    return [
        ("Content-Type", answer.kind),
        ("Content-Length", str(len(answer.data))),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", f"default-src 'none'; {own}base-uri 'none'; frame-ancestors 'none'"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
        ("Accept-Ranges", "bytes"),
        *([("Set-Cookie", answer.cookie)] if answer.cookie else []),
        *([("Content-Range", answer.span)] if answer.span else []),
    ]
