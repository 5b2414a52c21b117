"""Accounts: made by an admin without any role, opened by their holder with a code, closed by an admin."""

from dataclasses import dataclass
from typing import Final

from habeas.accounts.credentials import code_digest, hash_password, new_code, new_id
from habeas.accounts.naming import words_of
from habeas.accounts.roles import Actor, Role
from habeas.errors import InputError, RuleError
from habeas.store import Tx
from habeas.store.records import Account, Grant, Session, Token
from habeas.types import HOUR_NS

SETUP_NS: Final = 72 * HOUR_NS
"""How long a code for the first login holds."""
_MAX_NAME: Final = 64


@dataclass(frozen=True, repr=False)
class NewAccount:
    """An account and the code with which its holder sets a password, once.

    Args:
        account_id: the pseudonym.
        name: to log in with.
        setup_code: to hand over in person.
    """

    account_id: str
    name: str
    setup_code: str


def add_account(tx: Tx, actor: Actor, name: str, person: str | None = None) -> NewAccount:
    """Make an account without roles.

    Args:
        tx: the transaction.
        actor: an admin.
        name: to log in with: letters, digits, `.`, `-`, `_`.
        person: who it is, where somebody has a second account; None: the name.

    Raises:
        RuleError: not an admin.
        InputError: a bad or taken name.
    """
    actor.require(Role.ADMIN)
    actor.require_login()
    return insert_account(tx, actor.account_id, name, person)


def insert_account(tx: Tx, by: str, name: str, person: str | None = None) -> NewAccount:
    """Insert an account; `init` does so before anybody could log in."""
    _check_name(name)
    code = new_code()
    said = words_of(person or name)
    if not said or "\0" in (person or name):
        raise InputError("that is no person's name", remedy="give letters and numbers that can be seen")
    account = Account(
        account_id=new_id("acc"),
        name=name,
        person=said,
        created_at_ns=tx.now_ns,
        created_by=by,
        setup_hash=code_digest(code),
        setup_until_ns=tx.now_ns + SETUP_NS,
    )
    earlier = tx.find(Account, person=said)
    tx.add(account)
    first = min(earlier, key=lambda one: (one.created_at_ns, one.account_id), default=account)
    tx.entry("account.added", by, {"account": account.account_id, "person": first.account_id})
    return NewAccount(account.account_id, name, code)


def _check_name(name: str) -> None:
    plain = name.replace(".", "").replace("-", "").replace("_", "")
    if not (plain.isascii() and plain.isalnum() and len(name) <= _MAX_NAME and name[0] not in ".-"):
        raise InputError(
            f"{name!r} is no account name", remedy=f"up to {_MAX_NAME} letters, digits, dots, hyphens and underscores"
        )


def account_named(tx: Tx, name: str) -> Account:
    """Return the account with this name.

    Raises:
        InputError: there is none.
    """
    found = tx.find(Account, name=name)
    if not found:
        raise InputError(f"no such account: {name}", remedy="see `habeas user list`")
    return found[0]


def set_password(tx: Tx, name: str, code: str, password: str) -> Account:
    """Set one's own password, once, with the code from the admin.

    Raises:
        RuleError: the code is wrong, used, or too old.
        InputError: the password is too short.
    """
    found = tx.find(Account, name=name)
    account = found[0] if found else None
    good = (
        account is not None
        and account.disabled_at_ns is None
        and account.setup_hash is not None
        and account.setup_hash == code_digest(code)
        and tx.now_ns < (account.setup_until_ns or 0)
    )
    if account is None or not good:
        raise RuleError("this code opens no account", rule="setup-code", remedy="ask an admin for a new one")
    changed = tx.change(
        account,
        password_hash=hash_password(password),
        credential_at_ns=tx.now_ns,
        setup_hash=None,
        setup_until_ns=None,
    )
    tx.entry("account.credential-set", account.account_id, {})
    return changed


def disable_account(tx: Tx, actor: Actor, name: str) -> None:
    """Close an account at once: its logins and tokens end, its roles go.

    Raises:
        RuleError: not an admin.
        InputError: no such account.
    """
    actor.require(Role.ADMIN)
    actor.require_login()
    account = tx.change(account_named(tx, name), disabled_at_ns=tx.now_ns, password_hash=None, setup_hash=None)
    end_access(tx, account.account_id)
    for grant in tx.find(Grant, account_id=account.account_id, revoked_at_ns=None):
        tx.change(grant, revoked_at_ns=tx.now_ns)
    tx.entry("account.disabled", actor.account_id, {"account": account.account_id})


def renew_setup(tx: Tx, actor: Actor, name: str) -> NewAccount:
    """Give somebody who forgot the password a new code. Roles lapse: whoever holds the code must be granted anew.

    Otherwise an admin could take over an approver's account.

    Raises:
        RuleError: not an admin.
        InputError: no such account.
    """
    actor.require(Role.ADMIN)
    actor.require_login()
    account = account_named(tx, name)
    code = new_code()
    tx.change(
        account,
        password_hash=None,
        credential_at_ns=None,
        disabled_at_ns=None,
        setup_hash=code_digest(code),
        setup_until_ns=tx.now_ns + SETUP_NS,
    )
    end_access(tx, account.account_id)
    for grant in tx.find(Grant, account_id=account.account_id, revoked_at_ns=None):
        tx.change(grant, revoked_at_ns=tx.now_ns)
    tx.entry("account.reset", actor.account_id, {"account": account.account_id})
    return NewAccount(account.account_id, name, code)


def end_access(tx: Tx, account_id: str) -> None:
    """End every login and token of an account."""
    for session in tx.find(Session, account_id=account_id):
        tx.remove(session)
    for token in tx.find(Token, account_id=account_id, revoked_at_ns=None):
        tx.change(token, revoked_at_ns=tx.now_ns)
