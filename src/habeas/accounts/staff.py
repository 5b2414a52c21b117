"""Who is behind a pseudonym, and for how long that can be read.

The id of an account is its holder's pseudonym: random, and the only thing that the log says of them. The name to log in
with, and which person it is, are encrypted under a key of the account's own. It ends four years after the account was
made: one year in which it is used, three in which its acts can still be asked about. After its year an account does
nothing more but help to make new ones; what it did before is named for three years at least, and four at most.

Accounts of one person are known by what they hide. Once a key is gone, nobody can tell whose the account was, nor which
others were the same person's: not from the database, nor from an older copy of it.
"""

import json
from dataclasses import dataclass
from typing import Any, Final, cast

import rfc8785

from habeas.errors import KeyDestroyed
from habeas.keys import KeyStore, Scope
from habeas.store import Tx
from habeas.store.records import Account, Grant, Session, Token
from habeas.types import DAY_NS

USED_NS: Final = 365 * DAY_NS
"""How long an account is used, from when it was made."""
NAMED_NS: Final = USED_NS + 3 * 365 * DAY_NS
"""How long its name can be read."""
WARNED_NS: Final = 30 * DAY_NS
"""How long before its year is over its holder hears of it."""
ACTOR: Final = "clock"


@dataclass(frozen=True, repr=False)
class Named:
    """What an account's key opens.

    Args:
        name: to log in with.
        person: words that are the same for all accounts of one person (`naming.words_of`).
    """

    name: str
    person: str


def new_name(tx: Tx, keys: KeyStore, account_id: str, named: Named) -> tuple[str, bytes]:
    """Return a new key's id, and a name encrypted under it.

    Raises:
        DiskError: the key could not be written.
    """
    key_id = keys.new(Scope.STAFF, tx.now_ns + NAMED_NS)
    plain = rfc8785.dumps({"name": named.name, "person": named.person})
    return key_id, keys.encrypt(key_id, plain, _context(account_id))


def named(keys: KeyStore, account: Account) -> Named | None:
    """Return the name of an account; None: its key is gone.

    Raises:
        InputError: what is kept of it is damaged.
    """
    if account.name_sealed is None:
        return None
    try:
        plain = keys.decrypt(account.name_key, account.name_sealed, _context(account.account_id))
    except KeyDestroyed:
        return None
    told = cast("dict[str, Any]", json.loads(plain))
    return Named(told["name"], told["person"])


def _context(account_id: str) -> bytes:
    return f"account {account_id} name".encode()


def everybody(tx: Tx, keys: KeyStore) -> dict[str, Named | None]:
    """Return all accounts by id, with their names as far as they can be read."""
    return {account.account_id: named(keys, account) for account in tx.find(Account)}


def names_of(tx: Tx, keys: KeyStore) -> dict[str, str]:
    """Return the names to log in with that can be read, by account."""
    return {account_id: one.name for account_id, one in everybody(tx, keys).items() if one is not None}


def accounts_of(tx: Tx, keys: KeyStore, person: str) -> list[Account]:
    """Return the accounts of a person whose names can be read, the oldest first."""
    found = [one for one in tx.find(Account) if (told := named(keys, one)) is not None and told.person == person]
    return sorted(found, key=lambda one: (one.created_at_ns, one.account_id))


def is_over(account: Account, now_ns: int) -> bool:
    """Tell whether an account's year is over."""
    return now_ns >= over_at_ns(account)


def over_at_ns(account: Account) -> int:
    """Return when an account's year is over, Unix nanoseconds."""
    return account.created_at_ns + USED_NS


def close(tx: Tx, account: Account, **changes: object) -> None:
    """Close an account in the database: its logins and tokens end, its roles go. The entry is the caller's."""
    tx.change(
        account, disabled_at_ns=account.disabled_at_ns or tx.now_ns, password_hash=None, setup_hash=None, **changes
    )
    end_access(tx, account.account_id)


def end_access(tx: Tx, account_id: str) -> None:
    """End every login, token and role of an account."""
    for session in tx.find(Session, account_id=account_id):
        tx.remove(session)
    for token in tx.find(Token, account_id=account_id, revoked_at_ns=None):
        tx.change(token, revoked_at_ns=tx.now_ns)
    for grant in tx.find(Grant, account_id=account_id, revoked_at_ns=None):
        tx.change(grant, revoked_at_ns=tx.now_ns)


def forget_names(tx: Tx, keys: KeyStore) -> list[str]:
    """Close the accounts whose names are due to be forgotten, each with an entry; their keys go right after.

    Returns:
        The accounts' ids.
    """
    due = [
        account
        for account in tx.find(Account)
        if account.name_sealed is not None and tx.now_ns >= account.created_at_ns + NAMED_NS
    ]
    for account in due:
        close(tx, account, name_sealed=None)
        tx.entry("account.forgotten", ACTOR, {"account": account.account_id})
    if due:
        tx.after_commit(lambda: keys.destroy([account.name_key for account in due]))
    return [account.account_id for account in due]
