"""Roles of people: proposed by one holder, approved by another, usable a day later. No admin among them.

A role granted again, for other zones, holds as it was until the new grant is usable.
"""

from collections.abc import Sequence
from typing import Final

from habeas.accounts.credentials import new_id
from habeas.accounts.people import account_named
from habeas.accounts.roles import EVERYWHERE, ZONED, Actor, Role, check_combination
from habeas.accounts.sessions import usable_roles
from habeas.accounts.staff import accounts_of, named
from habeas.errors import InputError, RuleError
from habeas.keys import KeyStore
from habeas.store import Tx
from habeas.store.records import Account, Grant
from habeas.types import DAY_NS, utc

WAIT_NS: Final = DAY_NS
"""From the second yes until a role may be used."""
PROPOSAL_NS: Final = 7 * DAY_NS
"""A proposal that nobody approved lapses."""


def grant_role(tx: Tx, keys: KeyStore, actor: Actor, name: str, role: Role, zones: Sequence[str] = EVERYWHERE) -> Grant:
    """Propose a role, or approve it where somebody else proposed the same.

    Args:
        tx: the transaction.
        keys: the key store.
        actor: a holder of any role but `admin`, logged in, not the person concerned.
        name: of the account.
        role: to grant.
        zones: where; none: everywhere.

    Raises:
        RuleError: the actor may not, or proposed it, or the roles do not combine.
        InputError: no such account, its holder has not set a password yet, or zones for a role that is for all of them.
    """
    account = account_named(tx, keys, name)
    _check_granter(actor, account)
    if zones and role not in ZONED:
        raise InputError(f"the role {role.value} is for every zone", remedy="name no zones with it")
    if account.credential_at_ns is None or account.disabled_at_ns is not None:
        raise InputError(
            f"{name} has not set a password yet", remedy="roles go to people who can use them: ask them to"
        )
    check_combination([role, *_roles_of_person(tx, keys, account)])
    wanted = tuple(sorted(set(zones)))
    for grant in _open_proposals(tx, account, role):
        if grant.zones == wanted:
            return _approve(tx, actor, grant)
    grant = Grant(new_id("grant"), account.account_id, role.value, wanted, actor.account_id, tx.now_ns)
    tx.add(grant)
    tx.entry("role.proposed", actor.account_id, _body(grant))
    return grant


def _check_granter(actor: Actor, account: Account) -> None:
    actor.require_login()
    if not actor.of_staff() or Role.ADMIN in actor.of_staff():
        raise RuleError(
            "roles are granted by two holders of roles who are not admins",
            rule="role-granters",
            remedy="ask two people with another role",
        )
    if actor.owns(account.account_id):
        raise RuleError("nobody grants a role to themself", rule="own-request", remedy="ask two others")


def _roles_of_person(tx: Tx, keys: KeyStore, account: Account) -> list[Role]:
    told = named(keys, account)
    theirs = [] if told is None else accounts_of(tx, keys, told.person)
    accounts = {account.account_id, *(one.account_id for one in theirs)}
    grants = tx.find(Grant, account_id=accounts, revoked_at_ns=None)
    return [Role(grant.role) for grant in grants if grant.approved_by is not None]


def _open_proposals(tx: Tx, account: Account, role: Role) -> list[Grant]:
    grants = tx.find(Grant, account_id=account.account_id, role=role.value, approved_by=None, revoked_at_ns=None)
    since = max(tx.now_ns - PROPOSAL_NS, account.credential_at_ns or 0)  # not for whoever held the account before
    return [grant for grant in grants if grant.proposed_at_ns >= since]


def _approve(tx: Tx, actor: Actor, grant: Grant) -> Grant:
    if not set(usable_roles(tx, grant.proposed_by)) - {Role.ADMIN}:
        raise RuleError(
            "whoever proposed this holds no role any more",
            rule="role-granters",
            remedy="propose it again, then ask another",
        )
    if actor.may_be(grant.proposed_by):
        raise RuleError(
            "a role is granted by two distinct persons", rule="two-persons", remedy="ask somebody else to grant it too"
        )
    grant = tx.change(grant, approved_by=actor.account_id, usable_from_ns=tx.now_ns + WAIT_NS)
    tx.entry("role.granted", actor.account_id, {**_body(grant), "usable_from": utc(tx.now_ns + WAIT_NS)})
    return grant


def grant_first(tx: Tx, keys: KeyStore, account_id: str, role: Role, zones: Sequence[str] = EVERYWHERE) -> None:
    """Grant a role at `init`, usable at once, and say so in an entry: there is nobody yet who could.

    Raises:
        RuleError: the roles do not combine.
    """
    check_combination([role, *_roles_of_person(tx, keys, tx.get(Account, account_id))])
    grant = Grant(new_id("grant"), account_id, role.value, tuple(zones), "init", tx.now_ns, "init", tx.now_ns)
    tx.add(grant)
    tx.entry("role.granted-first", "init", _body(grant))


def revoke_role(tx: Tx, keys: KeyStore, actor: Actor, name: str, role: Role) -> None:
    """Take a role away, at once: an admin, or the holder.

    Raises:
        RuleError: somebody else asks.
        InputError: it is not held.
    """
    actor.require_login()
    account = account_named(tx, keys, name)
    if actor.account_id != account.account_id:
        actor.require_of_staff(Role.ADMIN)
    grants = tx.find(Grant, account_id=account.account_id, role=role.value, revoked_at_ns=None)
    if not grants:
        raise InputError(f"{name} does not hold the role {role.value}", remedy="see `habeas user list`")
    for grant in grants:
        tx.change(grant, revoked_at_ns=tx.now_ns)
    tx.entry("role.revoked", actor.account_id, {"account": account.account_id, "role": role.value})


def _body(grant: Grant) -> dict[str, object]:
    return {
        "account": grant.account_id,
        "grant": grant.grant_id,
        "proposed_by": grant.proposed_by,
        "role": grant.role,
        "zones": list(grant.zones),
    }
