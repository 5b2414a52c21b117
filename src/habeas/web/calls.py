"""Who calls: a bearer secret becomes an actor inside the transaction of the command, never before."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final, cast

from fastapi import Depends, Request

from habeas.accounts.roles import Actor
from habeas.accounts.sessions import actor_of, touch
from habeas.errors import HabeasError, RuleError
from habeas.node.node import Node
from habeas.store import Tx
from habeas.web.peers import user_id_of

MORE: Final = "Habeas-More"
"""Header of a list that is not whole: how many there are beside what is in it."""
WITH_MORE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"headers": {MORE: {"description": "How many there are beside these.", "schema": {"type": "integer"}}}}
}
"""What the OpenAPI document says of such a list."""
UNKNOWN = "unknown"
"""Who acts, in entries, where nobody is logged in."""


@dataclass(frozen=True, repr=False)
class Call:
    """One request: the node, and what the client holds.

    Args:
        node: running.
        secret: of a login or API token; empty: none.
        user_id: the machine's user who calls, as the kernel says.
    """

    node: Node
    secret: str
    user_id: int

    @contextmanager
    def command(self, *, trusted: bool = False, witnessed: bool = False) -> Iterator[tuple[Tx, Actor]]:
        """Hand out a writing transaction and who acts in it; a refusal is an entry of its own.

        Args:
            trusted: refuse while the clock is in doubt: this starts something, or shows a face.
            witnessed: refuse while others cannot see what is done here: this starts, lifts or exports something.

        Raises:
            RuleError: nobody is logged in, or a rule refuses what the block does.
        """
        actor_id = UNKNOWN
        try:
            if trusted:
                self.node.time.require_trust()
            if witnessed:
                self.node.log.require_witnessed()
            with self.node.command() as tx:
                actor = actor_of(tx, self.node.keys, self.secret)
                actor_id = actor.account_id
                touch(tx, self.secret)
                yield tx, actor
        except RuleError as error:
            self._note_refusal(actor_id, error)
            raise

    @contextmanager
    def look(self) -> Iterator[tuple[Tx, Actor]]:
        """Hand out a reading transaction and who reads; a refusal is an entry.

        Raises:
            RuleError: nobody is logged in, or a rule refuses what the block reads.
        """
        actor_id = UNKNOWN
        try:
            with self.node.store.read() as tx:
                actor = actor_of(tx, self.node.keys, self.secret)
                actor_id = actor.account_id
                yield tx, actor
        except RuleError as error:
            self._note_refusal(actor_id, error)
            raise

    @contextmanager
    def anonymous(self) -> Iterator[Tx]:
        """Hand out a writing transaction for whoever holds a password or a code; a refusal is an entry of its own.

        Raises:
            RuleError: a rule refuses what the block does.
        """
        with self.noting("refused", UNKNOWN), self.node.command() as tx:
            yield tx

    @contextmanager
    def holder(self, what: str) -> Iterator[Tx]:
        """As `anonymous`, for whoever holds a code; attempts of one caller are slowed, as with passwords.

        Args:
            what: of what kind the code is.

        Raises:
            RuleError: too early, or a rule refuses what the block does.
        """
        with self.noting("refused", UNKNOWN):
            now_ns = self.node.time.monotonic_ns()
            self.node.throttle.attempt(f"code of a {what}", known=True, caller=self.user_id, now_ns=now_ns)
            with self.node.command() as tx:
                yield tx
        self.node.throttle.succeeded(f"code of a {what}", caller=self.user_id)

    @contextmanager
    def noting(self, kind: str, actor_id: str) -> Iterator[None]:
        """Let a refusal of a caller whom nobody knows become an entry, of its own or counted with others.

        Args:
            kind: of the entry.
            actor_id: the account that is asked for; `unknown`: none.
        """
        try:
            yield
        except RuleError as error:
            self.node.refusals.note(kind, actor_id, error.rule)
            raise

    def _note_refusal(self, actor_id: str, error: RuleError) -> None:
        self.node.refusals.note("refused", actor_id, error.rule)


def call_of(request: Request) -> Call:
    """Return who calls."""
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    node = cast("Node", request.app.state.node)
    return Call(node, secret.strip() if kind.lower() == "bearer" else "", user_id_of(request.scope))


Caller = Annotated[Call, Depends(call_of)]


def as_problem(error: HabeasError) -> dict[str, object]:
    """Return what a client is told of an error."""
    return {"error": error.as_json()}
