"""Accounts: made by an admin without any role, opened by their holder with a code, closed by an admin."""

from dataclasses import dataclass
from typing import Final

from habeas.accounts.credentials import code_digest, hash_password, new_code, new_id
from habeas.accounts.naming import words_of
from habeas.accounts.roles import Actor, Role
from habeas.accounts.staff import Named, accounts_of, close, end_access, is_over, named, new_name
from habeas.audit.hiding import hide
from habeas.errors import InputError, RuleError
from habeas.keys import KeyStore
from habeas.store import Tx
from habeas.store.records import Account
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


def add_account(tx: Tx, keys: KeyStore, actor: Actor, name: str, person: str | None = None) -> NewAccount:
    """Make an account without roles.

    Args:
        tx: the transaction.
        keys: the key store.
        actor: an admin.
        name: to log in with: letters, digits, `.`, `-`, `_`.
        person: who it is, where somebody has a second account; None: the name.

    Raises:
        RuleError: not an admin.
        InputError: a bad or taken name. The same person may have it again once the account is closed or its year over.
        DiskError: the name's key could not be written.
    """
    actor.require_of_staff(Role.ADMIN)
    actor.require_login()
    return insert_account(tx, keys, actor.account_id, name, person)


def insert_account(tx: Tx, keys: KeyStore, by: str, name: str, person: str | None = None) -> NewAccount:
    """Insert an account; `init` does so before anybody could log in."""
    _check_name(name)
    code = new_code()
    said = words_of(person or name)
    if not said or "\0" in (person or name):
        raise InputError("that is no person's name", remedy="give letters and numbers that can be seen")
    _check_free(tx, keys, name, said)
    account_id = new_id("acc")
    key_id, sealed = new_name(tx, keys, account_id, Named(name, said))
    earlier = accounts_of(tx, keys, said)
    tx.add(
        Account(
            account_id=account_id,
            name_key=key_id,
            created_at_ns=tx.now_ns,
            created_by=by,
            name_sealed=sealed,
            setup_hash=code_digest(code),
            setup_until_ns=tx.now_ns + SETUP_NS,
        )
    )
    last = earlier[-1] if earlier else None  # the one whose name is kept longest: the link goes with it
    link = None if last is None else hide(keys, last.name_key, {"person": last.account_id})
    tx.entry("account.added", by, {"account": account_id}, link)
    return NewAccount(account_id, name, code)


def _check_free(tx: Tx, keys: KeyStore, name: str, person: str) -> None:
    for account, told in _named(tx, keys, name):
        if told.person != person:
            raise InputError(
                f"the name {name} is taken", remedy="take another; if it is the same person, say who: --person"
            )
        if account.disabled_at_ns is None and not is_over(account, tx.now_ns):
            raise InputError(f"there is an account {name} already", remedy="take another name")


def _named(tx: Tx, keys: KeyStore, name: str) -> list[tuple[Account, Named]]:
    """Return the accounts with a name, the oldest first."""
    found = [(account, told) for account in tx.find(Account) if (told := named(keys, account)) and told.name == name]
    return sorted(found, key=lambda one: (one[0].created_at_ns, one[0].account_id))


def _check_name(name: str) -> None:
    plain = name.replace(".", "").replace("-", "").replace("_", "")
    if not (plain.isascii() and plain.isalnum() and len(name) <= _MAX_NAME and name[0] not in ".-"):
        raise InputError(
            f"{name!r} is no account name", remedy=f"up to {_MAX_NAME} letters, digits, dots, hyphens and underscores"
        )


def find_named(tx: Tx, keys: KeyStore, name: str) -> Account | None:
    """Return the account with this name, the newest of those that one person had in turn; None: there is none."""
    found = _named(tx, keys, name)
    return found[-1][0] if found else None


def account_named(tx: Tx, keys: KeyStore, name: str) -> Account:
    """Return the account with this name.

    Raises:
        InputError: there is none.
    """
    found = find_named(tx, keys, name)
    if found is None:
        raise InputError(f"no such account: {name}", remedy="see `habeas user list`")
    return found


def set_password(tx: Tx, keys: KeyStore, name: str, code: str, password: str) -> Account:
    """Set one's own password, once, with the code from the admin.

    Raises:
        RuleError: the code is wrong, used, or too old.
        InputError: the password is too short.
    """
    account = find_named(tx, keys, name)
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


def disable_account(tx: Tx, keys: KeyStore, actor: Actor, name: str) -> None:
    """Close an account at once: its logins and tokens end, its roles go.

    Raises:
        RuleError: not an admin.
        InputError: no such account.
    """
    actor.require_of_staff(Role.ADMIN)
    actor.require_login()
    account = account_named(tx, keys, name)
    close(tx, account)
    tx.entry("account.disabled", actor.account_id, {"account": account.account_id})


def renew_setup(tx: Tx, keys: KeyStore, actor: Actor, name: str) -> NewAccount:
    """Give somebody who forgot the password a new code. Roles lapse: whoever holds the code must be granted anew.

    Otherwise an admin could take over an approver's account.

    Raises:
        RuleError: not an admin, or the account's year is over.
        InputError: no such account.
    """
    actor.require_of_staff(Role.ADMIN)
    actor.require_login()
    account = account_named(tx, keys, name)
    if is_over(account, tx.now_ns):
        raise RuleError("the year of this account is over", rule="account-over", remedy=f"make a new one: {name}")
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
    tx.entry("account.reset", actor.account_id, {"account": account.account_id})
    return NewAccount(account.account_id, name, code)
