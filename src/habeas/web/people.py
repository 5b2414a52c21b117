"""Routes of accounts, roles, logins and tokens."""

from fastapi import APIRouter

from habeas.accounts import grants, people, sessions, tokens
from habeas.accounts.roles import Role
from habeas.accounts.staff import is_over, named, over_at_ns
from habeas.errors import InputError
from habeas.keys import KeyStore
from habeas.store import Tx
from habeas.store.records import Account, Grant
from habeas.types import DAY_NS, utc
from habeas.web.bodies import AccountBody, GrantBody, LoginBody, TokenBody
from habeas.web.calls import UNKNOWN, Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)


@routes.post("/login")
def login(call: Caller, body: LoginBody) -> dict[str, object]:
    """Log in; with a code from the admin, set the password first."""
    if body.setup_code:
        with call.anonymous() as tx:
            people.set_password(tx, call.node.keys, body.name, body.setup_code, body.password)
    account, throttle = sessions.asked_for(call.node.store, call.node.keys, body.name), call.node.throttle
    with call.noting("login.refused", account.account_id if account is not None else UNKNOWN):
        now_ns = call.node.time.monotonic_ns()
        throttle.attempt(body.name, known=account is not None, caller=call.user_id, now_ns=now_ns)
        tried = sessions.try_password(account, body.password)
        with call.node.command() as tx:
            done = sessions.log_in(tx, call.node.keys, body.name, tried)
    throttle.succeeded(body.name, caller=call.user_id)
    return {
        "account": done.account_id,
        "secret": done.secret,
        "ends": utc(done.ends_at_ns),
        "used_until": utc(done.used_until_ns),
    }


@routes.post("/logout")
def logout(call: Caller) -> dict[str, object]:
    """End this login."""
    with call.anonymous() as tx:
        sessions.log_out(tx, call.secret)
    return {"ended": True}


@routes.get("/whoami")
def whoami(call: Caller) -> dict[str, object]:
    """Say who is logged in, and what they may do now."""
    with call.look() as (tx, actor):
        account = tx.get(Account, actor.account_id)
        return {**_account(tx, call.node.keys, account), "by_token": actor.by_token, "scopes": sorted(actor.scopes)}


def _account(tx: Tx, keys: KeyStore, account: Account) -> dict[str, object]:
    told = named(keys, account)
    held = tx.find(Grant, account_id=account.account_id, revoked_at_ns=None)
    return {
        "account": account.account_id,
        "name": told.name if told is not None else None,
        "person": told.person if told is not None else None,
        "used_until": utc(over_at_ns(account)),
        "over": is_over(account, tx.now_ns),
        "disabled": account.disabled_at_ns is not None,
        "password_set": account.credential_at_ns is not None,
        "roles": [_grant(tx, grant) for grant in held],
    }


def _grant(tx: Tx, grant: Grant) -> dict[str, object]:
    usable = grant.usable_from_ns is not None and grant.usable_from_ns <= tx.now_ns
    return {
        "role": grant.role,
        "zones": list(grant.zones),
        "approved": grant.approved_by is not None,
        "usable": usable,
        "usable_from": utc(grant.usable_from_ns) if grant.usable_from_ns is not None else None,
    }


@routes.get("/users")
def list_users(call: Caller) -> list[dict[str, object]]:
    """List accounts and their roles, for anybody with a role."""
    with call.look() as (tx, actor):
        actor.require(*Role)
        actor.require_scope("read")
        return [_account(tx, call.node.keys, account) for account in tx.find(Account)]


@routes.post("/users")
def add_user(call: Caller, body: AccountBody) -> dict[str, object]:
    """Make an account without roles; its holder sets the password with the code."""
    with call.command() as (tx, actor):
        made = people.add_account(tx, call.node.keys, actor, body.name, body.person)
    return {"account": made.account_id, "name": made.name, "setup_code": made.setup_code}


@routes.post("/users/{name}/disable")
def disable_user(call: Caller, name: str) -> dict[str, object]:
    """Close an account."""
    with call.command() as (tx, actor):
        people.disable_account(tx, call.node.keys, actor, name)
    return {"disabled": name}


@routes.post("/users/{name}/reset")
def reset_user(call: Caller, name: str) -> dict[str, object]:
    """Give a new code; the roles lapse."""
    with call.command() as (tx, actor):
        actor.require_of_staff(Role.ADMIN)
        account = people.account_named(tx, call.node.keys, name)
        lapsed = sorted({grant.role for grant in tx.find(Grant, account_id=account.account_id, revoked_at_ns=None)})
        made = people.renew_setup(tx, call.node.keys, actor, name)
    told = {"account": made.account_id, "name": made.name, "setup_code": made.setup_code}
    return {**told, "roles_lapsed": lapsed}


@routes.post("/users/{name}/roles")
def grant_role(call: Caller, name: str, body: GrantBody) -> dict[str, object]:
    """Propose a role, or approve it where somebody else proposed it."""
    with call.command(trusted=True) as (tx, actor):
        return _grant(tx, grants.grant_role(tx, call.node.keys, actor, name, _role(body.role), body.zones))


@routes.post("/users/{name}/roles/{role}/revoke")
def revoke_role(call: Caller, name: str, role: str) -> dict[str, object]:
    """Take a role away."""
    with call.command() as (tx, actor):
        grants.revoke_role(tx, call.node.keys, actor, name, _role(role))
    return {"revoked": role}


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError:
        known = ", ".join(role.value for role in Role)
        raise InputError(f"no such role: {name}", remedy=f"one of {known}") from None


@routes.post("/tokens")
def make_token(call: Caller, body: TokenBody) -> dict[str, object]:
    """Make an API token of one's own."""
    with call.command(trusted=True) as (tx, actor):
        made = tokens.make_token(tx, actor, body.scopes, body.days * DAY_NS)
    return {"token": made.token_id, "secret": made.secret, "ends": utc(made.ends_at_ns)}


@routes.post("/tokens/{token_id}/revoke")
def revoke_token(call: Caller, token_id: str) -> dict[str, object]:
    """End an API token of one's own."""
    with call.command() as (tx, actor):
        tokens.revoke_token(tx, actor, token_id)
    return {"revoked": token_id}
