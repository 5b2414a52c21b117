"""The client's side of the node's API: where the node is, who asks, what it answered, and errors as they were raised.

A command that talks to the node takes a `Client` first and is wrapped by `connected`, which adds the options that all
such commands share.
"""

import functools
import inspect
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Concatenate, Final, ParamSpec
from urllib.parse import quote

import httpx
import typer

from habeas.cli.logins import Kept, Logins, check_name
from habeas.cli.options import AsJson, Debug
from habeas.cli.output import put, reporting
from habeas.errors import (
    DiskError,
    EnrolmentRefused,
    FormatError,
    HabeasError,
    ImageError,
    InputError,
    KeyDestroyed,
    ModelError,
    NetworkError,
    ProofError,
    ReferenceRefused,
    RuleError,
    SourceError,
    StaleError,
    UsageError,
)

Where = Annotated[
    Path | None, typer.Option("--workspace", "-w", help="The installation's folder. Else: HABEAS_WORKSPACE.")
]
As = Annotated[str, typer.Option("--as", help="Account, where several are logged in side by side.")]
TokenFile = Annotated[Path | None, typer.Option("--token-file", help="File that holds an API token, instead of --as.")]

ANSWER_S: Final = 60.0
_CONNECT_S: Final = 5.0
_API: Final = "/api/v1"
_WORKSPACE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MAX_TOKEN: Final = 1024
_PLAIN_KINDS: Final[Mapping[str, type[HabeasError]]] = {
    kind.kind: kind
    for kind in (
        HabeasError,
        UsageError,
        InputError,
        SourceError,
        ImageError,
        ReferenceRefused,
        KeyDestroyed,
        ModelError,
        NetworkError,
        DiskError,
    )
}
"""Errors that are made of a message and a remedy. The others carry more."""
_PROOF_KINDS: Final[Mapping[str, type[ProofError]]] = {
    kind.kind: kind for kind in (ProofError, FormatError, StaleError)
}
Json = dict[str, Any]
P = ParamSpec("P")


def as_error(told: object) -> HabeasError:
    """Return the error that the node raised, from what it told of it."""
    if not isinstance(told, dict):
        return HabeasError("the node's answer is no answer", remedy="use a client of the same version as the node")
    message, remedy, kind = (str(told.get(name, "")) for name in ("message", "remedy", "kind"))
    if kind == RuleError.kind:
        return RuleError(message, rule=str(told.get("rule", "")), remedy=remedy)
    if kind == EnrolmentRefused.kind and isinstance(told.get("images"), list):
        return EnrolmentRefused(message, remedy=remedy, images=told["images"])
    if kind in _PROOF_KINDS:
        index, tile = told.get("index"), str(told.get("tile", ""))
        return _PROOF_KINDS[kind](message, remedy=remedy, index=index if isinstance(index, int) else None, tile=tile)
    return _PLAIN_KINDS.get(kind, HabeasError)(message, remedy=remedy)


def not_logged_in(name: str) -> RuleError:
    """Return the error of a command that nobody is logged in for."""
    return RuleError(f"{name} is not logged in here", rule="not-logged-in", remedy=f"habeas login {name}")


@dataclass(frozen=True, repr=False)
class Asked:
    """The options that every client has.

    Args:
        where: `--workspace`.
        name: `--as`; empty: the only one who is logged in.
        token_file: `--token-file`.
        as_json: `--json`.
    """

    where: Path | None
    name: str
    token_file: Path | None
    as_json: bool


class Client:
    """Speaks with one node as one account. Opened by `opened`; nobody is looked up before the first request.

    Args:
        asked: by options.
        http: speaks with the node's socket.
        socket: where that is.
    """

    def __init__(self, asked: Asked, http: httpx.Client, socket: Path) -> None:
        if asked.name and asked.token_file:
            raise UsageError("--as and --token-file exclude each other", remedy="give one of them")
        self.as_json = asked.as_json
        self._asked = asked
        self._http = http
        self._socket = socket
        self._kept: Kept | None = None
        self._secret: str | None = None

    # --- who ----------------------------------------------------------------------------------------------------------

    @functools.cached_property
    def logins(self) -> Logins:
        """The logins of this user with this installation."""
        workspace_id = str(self.without_login("GET", "/healthz").get("workspace", ""))
        if not _WORKSPACE_ID.fullmatch(workspace_id):
            raise InputError("this node does not say which installation it is", remedy="use a client of its version")
        return Logins.of(workspace_id, self._socket)

    def _authorisation(self) -> dict[str, str]:
        if self._secret is None:
            self._secret = self._found_secret()
        return {"Authorization": f"Bearer {self._secret}"} if self._secret else {}

    def _found_secret(self) -> str:
        if self._asked.token_file is not None:
            return _token(self._asked.token_file)
        self._kept = self.logins.chosen(self._asked.name)
        if self._kept is None and self._asked.name:
            raise not_logged_in(check_name(self._asked.name))
        return self._kept.secret if self._kept is not None else ""

    @property
    def kept(self) -> Kept | None:
        """The login that is used; None: a token, or nobody's."""
        self._authorisation()
        return self._kept

    def now_ns(self) -> int:
        """Return the time that the installation goes by, Unix nanoseconds: what `now` and `+2h` are counted from."""
        return int(self.without_login("GET", "/healthz")["now_ns"])

    # --- requests -----------------------------------------------------------------------------------------------------

    def get(self, *path: str, **query: str | int) -> Any:
        """Return what the node answers.

        Args:
            path: parts; each is quoted.
            query: parameters.

        Raises:
            HabeasError: as the node raised it, or it does not answer.
        """
        return self._as_somebody("GET", path, params=query).json()

    def page(self, *path: str, **query: str | int) -> tuple[list[Json], int]:
        """Return a list of the node's, and how many there are beside it.

        Args:
            path: as of `get`.
            query: as of `get`.

        Raises:
            HabeasError: as for `get`.
        """
        answer = self._as_somebody("GET", path, params=query)
        more = answer.headers.get("Habeas-More", "0")
        return answer.json(), int(more) if more.isascii() and more.isdigit() else 0

    def content(self, *path: str, **query: str | int) -> bytes:
        """Return the bytes that the node answers with.

        Args:
            path: as of `get`.
            query: as of `get`.

        Raises:
            HabeasError: as for `get`.
        """
        return self._as_somebody("GET", path, params=query).content

    def made(self, *path: str, within_s: float, body: Json | None = None) -> bytes:
        """Give a command that makes something, and return the bytes that the node answers with.

        Raises:
            HabeasError: as for `get`.
        """
        return self._as_somebody("POST", path, json=body, timeout=_timeout(within_s)).content

    def post(self, *path: str, body: Json | None = None, within_s: float = ANSWER_S) -> Json:
        """Give a command, and return what the node answers.

        Args:
            path: parts; each is quoted.
            body: JSON values.
            within_s: how long to wait for the answer.

        Raises:
            HabeasError: as for `get`.
        """
        done: Json = self._as_somebody("POST", path, json=body, timeout=_timeout(within_s)).json()
        return done

    def upload(self, *path: str, content: Iterator[bytes], size: int, within_s: float, **query: str | int) -> Json:
        """Send a file as it is read, and return what the node answers.

        Args:
            path: parts; each is quoted.
            content: of the file.
            size: of the file, bytes.
            within_s: how long to wait for the answer, once it is sent.
            query: parameters.

        Raises:
            HabeasError: as for `get`.
        """
        head = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        more: dict[str, Any] = {"params": query, "content": content, "timeout": _timeout(within_s)}
        done: Json = self._as_somebody("POST", path, head=head, **more).json()
        return done

    def without_login(self, method: str, path: str, body: Json | None = None) -> Json:
        """Ask what takes no login.

        Raises:
            HabeasError: as for `get`.
        """
        done: Json = self._ask(method, path, {}, json=body).json()
        return done

    def content_without_login(self, path: str, body: Json) -> bytes:
        """Return the bytes that the node answers with to what takes no login.

        Raises:
            HabeasError: as for `get`.
        """
        return self._ask("POST", path, {}, json=body).content

    def _as_somebody(
        self, method: str, path: tuple[str, ...], *, head: Mapping[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        where = "/" + "/".join(quote(part, safe="") for part in path)
        try:
            return self._ask(method, where, {**self._authorisation(), **(head or {})}, **more)
        except RuleError as error:
            if error.rule == "not-logged-in" and self._kept is not None:
                self.logins.forget(self._kept.name)  # ended: idle, or at its limit
            raise

    def _ask(self, method: str, path: str, headers: dict[str, str], **more: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, f"http://node{_API}{path}", headers=headers, **more)
        except httpx.ConnectError:
            raise _no_node() from None
        except httpx.TimeoutException:
            raise InputError("the node does not answer in time", remedy="see `habeas status`, or try again") from None
        except httpx.TransportError as error:
            raise InputError(
                f"the node broke off ({type(error).__name__})", remedy="see whether `habeas serve` still runs"
            ) from None
        if answer.is_error:
            raise _problem(answer)
        return answer

    # --- answers ------------------------------------------------------------------------------------------------------

    def tell(self, answer: Mapping[str, object], text: Callable[[], None]) -> None:
        """Print an answer: the object itself for programs, or what `text` says."""
        if self.as_json:
            put(answer)
        else:
            text()

    def tell_all(self, answers: list[Json], text: Callable[[], None]) -> None:
        """Print a list: an object a line for programs, or what `text` says."""
        if not self.as_json:
            text()
            return
        for answer in answers:
            put(answer)


def _timeout(answer_s: float) -> httpx.Timeout:
    return httpx.Timeout(answer_s, connect=_CONNECT_S)


def _no_node() -> InputError:
    return InputError("no node of this workspace runs", remedy="start it: habeas serve")


def _problem(answer: httpx.Response) -> HabeasError:
    try:
        told = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        told = None
    if not isinstance(told, dict):
        return HabeasError(f"the node answered {answer.status_code}", remedy="see what `habeas serve` prints")
    return as_error(told.get("error"))


def _token(path: Path) -> str:
    """Return the token in a file that nobody else may read.

    Raises:
        InputError: there is none, or others may read it.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_MAX_TOKEN).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path}: no token can be read there", remedy="make one: habeas user token") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(f"{path}: others may read this token", remedy=f"close it: chmod 600 {path}")
    if not text or not text.isprintable() or " " in text:
        raise InputError(f"{path}: holds no token", remedy="put what `habeas user token` printed into it")
    return text


@contextmanager
def opened(asked: Asked) -> Iterator[Client]:
    """Open a client of a workspace's node.

    Raises:
        InputError: no such workspace, or no node runs there.
        UsageError: options that exclude each other.
    """
    # Imported late: `habeas --help` loads no database.
    from habeas.node.workspace import find_workspace, socket_path  # noqa: PLC0415

    socket = socket_path(find_workspace(asked.where))
    with (
        _reachable(socket) as path,
        httpx.Client(
            transport=httpx.HTTPTransport(uds=path), trust_env=False, timeout=_timeout(ANSWER_S), follow_redirects=False
        ) as http,
    ):
        yield Client(asked, http, socket)


@contextmanager
def _reachable(socket: Path) -> Iterator[str]:
    """Hand out a path to a socket that is short enough for the kernel, however deep its folder lies.

    Raises:
        InputError: there is no socket.
    """
    try:
        if not stat.S_ISSOCK(socket.stat().st_mode):
            raise _no_node()
        folder = os.open(socket.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        raise _no_node() from None
    try:
        yield f"/proc/self/fd/{folder}/{socket.name}"
    finally:
        os.close(folder)


_SHARED: Final[tuple[tuple[str, Any, Any], ...]] = (
    ("where", Where, None),
    ("as_name", As, ""),
    ("token_file", TokenFile, None),
    ("as_json", AsJson, False),
    ("debug", Debug, False),
)


def connected(command: Callable[Concatenate[Client, P], None]) -> Callable[..., None]:
    """Turn a function of a client into a command: adds the shared options, opens the client, reports errors."""
    signature = inspect.signature(command)
    own = [one for one in signature.parameters.values() if one.name != "client"]

    @functools.wraps(command)
    def run(*args: Any, where: Path | None, as_name: str, token_file: Path | None, **options: Any) -> None:
        as_json, debug = options.pop("as_json"), options.pop("debug")
        asked = Asked(where, as_name, token_file, as_json)
        with reporting(as_json=as_json, debug=debug), opened(asked) as client:
            command(client, *args, **options)

    kind = inspect.Parameter.KEYWORD_ONLY
    added = [inspect.Parameter(name, kind, default=usual, annotation=of) for name, of, usual in _SHARED]
    own = [one.replace(kind=kind) for one in own]
    run.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]  # what Typer reads
    run.__annotations__ = {one.name: one.annotation for one in (*own, *added)}
    return run
