"""Logins: checked slowly, kept as a hash, ended by idleness, by a limit, or by their holder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from habeas.accounts.credentials import digest, new_secret, password_fits
from habeas.accounts.people import find_named
from habeas.accounts.roles import Actor, Role
from habeas.accounts.staff import everybody, is_over, over_at_ns
from habeas.errors import RuleError
from habeas.keys import KeyStore
from habeas.store import Store, Tx
from habeas.store.records import Account, Grant, Session, Token
from habeas.types import HOUR_NS, NS_PER_S

IDLE_NS: Final = HOUR_NS
LONGEST_NS: Final = 12 * HOUR_NS
_TOUCH_NS: Final = 60 * NS_PER_S
"""A login's last use is written at most this often."""
SESSION: Final = "habeas-login"
TOKEN: Final = "habeas-token"  # noqa: S105 - a prefix


@dataclass(frozen=True, repr=False)
class Login:
    """A login.

    Args:
        account_id: whose.
        secret: for the client to hold.
        ends_at_ns: at the latest.
        used_until_ns: when the account's year is over.
    """

    account_id: str
    secret: str
    ends_at_ns: int
    used_until_ns: int


@dataclass(frozen=True, repr=False)
class Tried:
    """A password that was compared. That takes long on purpose, so it is done outside of the transaction that logs in.

    Args:
        password_hash: what it was compared with; None: there was nothing.
        fits: it was the one.
    """

    password_hash: str | None
    fits: bool


def asked_for(store: Store, keys: KeyStore, name: str) -> Account | None:
    """Return the account that somebody would log in to; None: there is none."""
    with store.read() as tx:
        return find_named(tx, keys, name)


def try_password(account: Account | None, password: str) -> Tried:
    """Compare a password with the account's, while others write; `throttle` says before whether it may be tried."""
    password_hash = account.password_hash if account is not None else None
    return Tried(password_hash, password_fits(password_hash, password))


def log_in(tx: Tx, keys: KeyStore, name: str, tried: Tried) -> Login:
    """Begin a login.

    Raises:
        RuleError: the password is not the one, there is no such account, or it is closed: in the same words.
    """
    account = find_named(tx, keys, name)
    fits = tried.fits and account is not None and account.password_hash == tried.password_hash
    if account is None or not fits or account.disabled_at_ns is not None:
        remedy = "try again with the right password; an admin can give a new code"
        raise RuleError("this name and password do not fit", rule="login", remedy=remedy)
    account_id, secret, ends_at_ns = account.account_id, new_secret(SESSION), tx.now_ns + LONGEST_NS
    tx.add(Session(digest(secret), account_id, tx.now_ns, tx.now_ns, ends_at_ns))
    tx.entry("login", account_id, {})
    return Login(account_id, secret, ends_at_ns, over_at_ns(account))


def log_out(tx: Tx, secret: str) -> None:
    """End a login; an unknown one is ended already."""
    for session in tx.find(Session, session_hash=digest(secret)):
        tx.remove(session)
        tx.entry("logout", session.account_id, {})


def actor_of(tx: Tx, keys: KeyStore, secret: str) -> Actor:
    """Return who holds this login or API token, with the roles usable now.

    Raises:
        RuleError: nobody does, any more.
    """
    return _by_token(tx, keys, secret) if secret.startswith(TOKEN) else _by_session(tx, keys, secret)


def _by_session(tx: Tx, keys: KeyStore, secret: str) -> Actor:
    found = tx.find(Session, session_hash=digest(secret))
    if not found or not tx.now_ns < min(found[0].ends_at_ns, found[0].used_at_ns + IDLE_NS):
        raise not_logged_in()
    return _actor(tx, keys, found[0].account_id)


def touch(tx: Tx, secret: str) -> None:
    """Note that a login is in use, so that idleness does not end it."""
    for session in tx.find(Session, session_hash=digest(secret)):
        if tx.now_ns - session.used_at_ns >= _TOUCH_NS:
            tx.change(session, used_at_ns=tx.now_ns)


def _by_token(tx: Tx, keys: KeyStore, secret: str) -> Actor:
    found = tx.find(Token, token_hash=digest(secret), revoked_at_ns=None)
    if not found or tx.now_ns >= found[0].ends_at_ns:
        raise not_logged_in()
    return _actor(tx, keys, found[0].account_id, by_token=True, scopes=frozenset(found[0].scopes))


def _actor(
    tx: Tx, keys: KeyStore, account_id: str, *, by_token: bool = False, scopes: frozenset[str] = frozenset()
) -> Actor:
    account, names = tx.get(Account, account_id), everybody(tx, keys)
    own = names[account_id]
    if account.disabled_at_ns is not None or own is None:
        raise not_logged_in()
    roles = usable_roles(tx, account_id)
    over = is_over(account, tx.now_ns)
    return Actor(
        account_id,
        frozenset(other for other, told in names.items() if told is not None and told.person == own.person),
        {} if over else roles,
        by_token,
        scopes,
        unnamed=frozenset(other for other, told in names.items() if told is None),
        over=roles if over else {},
    )


def usable_roles(tx: Tx, account_id: str) -> Mapping[Role, tuple[str, ...]]:
    """Return the roles that an account may use now, with their zones: those of the grant usable last."""
    grants = tx.find(Grant, account_id=account_id, revoked_at_ns=None)
    usable = [
        (grant.usable_from_ns, grant)
        for grant in grants
        if grant.usable_from_ns is not None and grant.usable_from_ns <= tx.now_ns
    ]
    return {Role(grant.role): grant.zones for _from_ns, grant in sorted(usable, key=lambda one: one[0])}


def not_logged_in() -> RuleError:
    """Return what nobody, or nobody any more, is refused with."""
    return RuleError("you are not logged in, or no longer", rule="not-logged-in", remedy="habeas login NAME")
