"""Logins: checked slowly, kept as a hash, ended by idleness, by a limit, or by their holder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from habeas.accounts.credentials import digest, new_secret, password_fits
from habeas.accounts.roles import Actor, Role
from habeas.errors import RuleError
from habeas.store import Store, Tx
from habeas.store.records import Account, Grant, Session, Token
from habeas.types import HOUR_NS, NS_PER_S

IDLE_NS: Final = HOUR_NS
LONGEST_NS: Final = 12 * HOUR_NS
FREE_FAILURES: Final = 5
_FIRST_LOCK_NS: Final = 30 * NS_PER_S
_LONGEST_LOCK_NS: Final = HOUR_NS
_TOUCH_NS: Final = 60 * NS_PER_S
"""A login's last use is written at most this often."""
SESSION: Final = "habeas-login"
TOKEN: Final = "habeas-token"  # noqa: S105 - a prefix


@dataclass(frozen=True, repr=False)
class Login:
    """What a login came to; where it failed, `secret` is None, and the failure is to be committed all the same.

    Args:
        account_id: whose, where it succeeded.
        secret: for the client to hold.
        ends_at_ns: at the latest.
        refused: why not.
    """

    account_id: str | None
    secret: str | None
    ends_at_ns: int
    refused: RuleError | None = None


@dataclass(frozen=True, repr=False)
class Tried:
    """A password that was compared. That takes long on purpose, so it is done outside of the transaction that logs in.

    Args:
        password_hash: what it was compared with; None: there was nothing.
        fits: it was the one.
    """

    password_hash: str | None
    fits: bool


def try_password(store: Store, name: str, password: str) -> Tried:
    """Compare a password with the account's, while others write."""
    with store.read() as tx:
        found = tx.find(Account, name=name)
        locked = bool(found) and tx.now_ns < (found[0].locked_until_ns or 0)
    password_hash = found[0].password_hash if found else None
    return Tried(password_hash, not locked and password_fits(password_hash, password))


def log_in(tx: Tx, name: str, tried: Tried) -> Login:
    """Begin a login. Never raises on a wrong password: the count of failures must be kept."""
    found = tx.find(Account, name=name)
    account = found[0] if found else None
    if account is not None and tx.now_ns < (account.locked_until_ns or 0):
        return _refused(tx, account, "too many failed logins: this account waits", "login-locked")
    fits = tried.fits and account is not None and account.password_hash == tried.password_hash
    if account is None or not fits or account.disabled_at_ns is not None:
        if account is not None:
            account = _count_failure(tx, account)
        return _refused(tx, account, "this name and password do not fit", "login")
    secret = new_secret(SESSION)
    ends_at_ns = tx.now_ns + LONGEST_NS
    tx.add(Session(digest(secret), account.account_id, tx.now_ns, tx.now_ns, ends_at_ns))
    tx.change(account, failures=0, locked_until_ns=None)
    tx.entry("login", account.account_id, {})
    return Login(account.account_id, secret, ends_at_ns)


def _count_failure(tx: Tx, account: Account) -> Account:
    failures = account.failures + 1
    over = failures - FREE_FAILURES
    lock_ns = min(_FIRST_LOCK_NS << min(over, 20), _LONGEST_LOCK_NS) if over >= 0 else 0
    return tx.change(account, failures=failures, locked_until_ns=tx.now_ns + lock_ns if lock_ns else None)


def _refused(tx: Tx, account: Account | None, why: str, rule: str) -> Login:
    tx.entry("login.refused", account.account_id if account else "unknown", {"rule": rule})
    remedy = "wait, or try again with the right password; an admin can give a new code"
    return Login(None, None, 0, RuleError(why, rule=rule, remedy=remedy))


def log_out(tx: Tx, secret: str) -> None:
    """End a login; an unknown one is ended already."""
    for session in tx.find(Session, session_hash=digest(secret)):
        tx.remove(session)
        tx.entry("logout", session.account_id, {})


def actor_of(tx: Tx, secret: str) -> Actor:
    """Return who holds this login or API token, with the roles usable now.

    Raises:
        RuleError: nobody does, any more.
    """
    return _by_token(tx, secret) if secret.startswith(TOKEN) else _by_session(tx, secret)


def _by_session(tx: Tx, secret: str) -> Actor:
    found = tx.find(Session, session_hash=digest(secret))
    if not found or not tx.now_ns < min(found[0].ends_at_ns, found[0].used_at_ns + IDLE_NS):
        raise _nobody()
    return _actor(tx, found[0].account_id)


def touch(tx: Tx, secret: str) -> None:
    """Note that a login is in use, so that idleness does not end it."""
    for session in tx.find(Session, session_hash=digest(secret)):
        if tx.now_ns - session.used_at_ns >= _TOUCH_NS:
            tx.change(session, used_at_ns=tx.now_ns)


def _by_token(tx: Tx, secret: str) -> Actor:
    found = tx.find(Token, token_hash=digest(secret), revoked_at_ns=None)
    if not found or tx.now_ns >= found[0].ends_at_ns:
        raise _nobody()
    return _actor(tx, found[0].account_id, by_token=True, scopes=frozenset(found[0].scopes))


def _actor(tx: Tx, account_id: str, *, by_token: bool = False, scopes: frozenset[str] = frozenset()) -> Actor:
    account = tx.get(Account, account_id)
    if account.disabled_at_ns is not None:
        raise _nobody()
    return Actor(account_id, account.person, usable_roles(tx, account_id), by_token, scopes)


def usable_roles(tx: Tx, account_id: str) -> Mapping[Role, tuple[str, ...]]:
    """Return the roles that an account may use now, with their zones: those of the grant usable last."""
    grants = tx.find(Grant, account_id=account_id, revoked_at_ns=None)
    usable = [
        (grant.usable_from_ns, grant)
        for grant in grants
        if grant.usable_from_ns is not None and grant.usable_from_ns <= tx.now_ns
    ]
    return {Role(grant.role): grant.zones for _from_ns, grant in sorted(usable, key=lambda one: one[0])}


def _nobody() -> RuleError:
    return RuleError("you are not logged in, or no longer", rule="not-logged-in", remedy="habeas login NAME")
