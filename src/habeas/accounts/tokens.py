"""API tokens: for programs, hashed, scoped, expiring. They cannot approve, lift, or give verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from habeas.accounts.credentials import digest, new_id, new_secret
from habeas.accounts.roles import Actor
from habeas.accounts.sessions import TOKEN
from habeas.errors import InputError
from habeas.store import Tx
from habeas.store.records import Token
from habeas.types import DAY_NS, utc

SCOPES: Final = frozenset({"read", "draft", "cameras"})
"""`read`: lists and states, no face; `draft`: authorisations not yet submitted; `cameras`: what an admin runs."""
LONGEST_NS: Final = 365 * DAY_NS


@dataclass(frozen=True, repr=False)
class NewToken:
    """A token, shown once.

    Args:
        token_id: to revoke it by.
        secret: to hold.
        ends_at_ns: expiry.
    """

    token_id: str
    secret: str
    ends_at_ns: int


def make_token(tx: Tx, actor: Actor, scopes: Sequence[str], lasts_ns: int) -> NewToken:
    """Make a token of one's own.

    Raises:
        RuleError: a token asks for a token.
        InputError: an unknown scope, or longer than a year.
    """
    actor.require_login()
    unknown = sorted(set(scopes) - SCOPES)
    if unknown or not scopes:
        raise InputError(f"no such scope: {', '.join(unknown) or '-'}", remedy=f"one of {', '.join(sorted(SCOPES))}")
    if not 0 < lasts_ns <= LONGEST_NS:
        raise InputError("a token lasts up to 365 days", remedy="give a shorter time")
    secret = new_secret(TOKEN)
    token = Token(
        new_id("tok"),
        digest(secret),
        actor.account_id,
        tuple(sorted(set(scopes))),
        tx.now_ns,
        tx.now_ns + lasts_ns,
    )
    tx.add(token)
    body = {"scopes": list(token.scopes), "token": token.token_id, "until": utc(token.ends_at_ns)}
    tx.entry("token.made", actor.account_id, body)
    return NewToken(token.token_id, secret, token.ends_at_ns)


def revoke_token(tx: Tx, actor: Actor, token_id: str) -> None:
    """End a token of one's own.

    Raises:
        InputError: there is no such token of this account.
    """
    actor.require_login()
    found = tx.find(Token, token_id=token_id, account_id=actor.account_id, revoked_at_ns=None)
    if not found:
        raise InputError(f"no such token of yours: {token_id}", remedy="see `habeas whoami`")
    tx.change(found[0], revoked_at_ns=tx.now_ns)
    tx.entry("token.revoked", actor.account_id, {"token": token_id})
