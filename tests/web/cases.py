"""What the table of access is written with: rules, cases, and what is made of objects before a call."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.web.world import ACCESS_ASKER, BORN, CONTACT, HOLD_ASKER, HOUR_NS, NAME, NORTH, PICTURES, ROLES, Who, World

from habeas.accounts import grants, staff
from habeas.accounts.credentials import code_digest, digest, new_id
from habeas.accounts.people import account_named, find_named
from habeas.accounts.roles import Role
from habeas.authority import authorisations
from habeas.authority.epochs import current_epoch, epoch_hash
from habeas.footage import access
from habeas.footage import exports as footage_exports
from habeas.footage import holds as footage_holds
from habeas.keys import new_identity
from habeas.node.trees import ended_epoch
from habeas.review import receipts
from habeas.review.images import OVERSIGHT
from habeas.store import Tx
from habeas.store.footage_records import AccessRequest, Export, Finding, FootageSearch, Hold, Playback, PublicRequest
from habeas.store.records import (
    Account,
    Alert,
    Approval,
    Authorisation,
    Dispute,
    Grant,
    Look,
    Meta,
    Policy,
    Receipt,
    Suspension,
    Token,
    Verdict,
)

Rules = frozenset[str]
Rule = Callable[[Who], Rules]
NONE: Rules = frozenset()
CODE = "23456-789AB-CDEFG-HJKLM"


# --- rules ------------------------------------------------------------------------------------------------------------


def holds(*roles: str) -> Rule:
    return lambda who: NONE if who.roles & set(roles) else frozenset({"role"})


def login(who: Who) -> Rules:
    return NONE if who.scopes is None else frozenset({"login-needed"})


def scope(name: str) -> Rule:
    return lambda who: NONE if who.scopes is None or name in who.scopes else frozenset({"token-scope"})


def both(*rules: Rule) -> Rule:
    return lambda who: frozenset[str]().union(*(rule(who) for rule in rules))


def open_to_all(_who: Who) -> Rules:
    return NONE


def always(*rules: str) -> Rule:
    return lambda _who: frozenset(rules)


def unless(*roles: str, rule: str) -> Rule:
    """Refuse those who hold none of these roles, by a rule with a name of its own."""
    return lambda who: NONE if who.roles & set(roles) else frozenset({rule})


def face(*roles: str) -> Rule:
    """A face: these roles, logged in."""
    return lambda who: NONE if who.roles & set(roles) and who.scopes is None else frozenset({"faces"})


def zone(name: str) -> Rule:
    return lambda who: NONE if not who.zones or name in who.zones else frozenset({"zone"})


def granter(who: Who) -> Rules:
    """Two holders who are not admins grant roles."""
    return NONE if who.roles - {"admin"} else frozenset({"role-granters"})


read = scope("read")
any_role = holds(*ROLES)
listing = both(any_role, read)


# --- rows -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One object as the call meets it.

    Args:
        name: of the case.
        refused: who is refused because of this object, beyond the row's rule.
        given: what is made of the object first.
        path: values of the path's parameters, from the world.
        body: of the request.
        query: of the request.
        answers: statuses of success.
        absent: status where the object is not there; it may come before the rule of somebody not entitled.
        callers: who makes sense here.
        people: who may read names here; others find none.
        faces: who may see faces here.
        hidden: what the answer may not hold for this caller.
    """

    name: str
    refused: Rule = open_to_all
    given: Callable[[World, Tx, Who], None] | None = None
    path: Callable[[World, Who], dict[str, str]] = lambda _world, _who: {}
    body: Callable[[World, Who], object] | None = None
    query: str = ""
    answers: tuple[int, ...] = (200,)
    absent: int = 0
    callers: Callable[[Who], bool] = lambda _who: True
    people: Callable[[Who], bool] = lambda _who: False
    faces: Callable[[Who], bool] = lambda _who: False
    hidden: Callable[[World, Who], list[bytes]] = lambda _world, _who: []


@dataclass(frozen=True)
class Row:
    """One route, who may call it, and the objects that it is tried on."""

    method: str
    path: str
    rule: Rule
    cases: tuple[Case, ...] = field(default=(Case("as it is"),))
    open_to_all: bool = False


def at(key: str, parameter: str = "authorisation_id") -> Callable[[World, Who], dict[str, str]]:
    return lambda world, _who: {parameter: world.ids[key]}


def named(parameter: str, value: str) -> Callable[[World, Who], dict[str, str]]:
    return lambda _world, _who: {parameter: value}


def says(**values: object) -> Callable[[World, Who], object]:
    return lambda _world, _who: values


def has_account(who: Who) -> bool:
    return bool(who.account) and who.logged_in


def some_callers(*names: str) -> Callable[[Who], bool]:
    return lambda who: who.name in names


# --- ownership --------------------------------------------------------------------------------------------------------


def _account(world: World, tx: Tx, name: str) -> Account:
    return account_named(tx, world.node.keys, name)


def _second(world: World, tx: Tx, who: Who, role: str | None = None) -> Account:
    """Return another account of the same person, with a role where one is asked for."""
    name, keys = f"{who.account}.2", world.node.keys
    account = find_named(tx, keys, name)
    if account is None:
        told = staff.named(keys, _account(world, tx, who.account))
        assert told is not None
        made = Account(new_id("acc"), "", tx.now_ns, "init")
        key_id, sealed = staff.new_name(tx, keys, made.account_id, staff.Named(name, told.person))
        account = replace(made, name_key=key_id, name_sealed=sealed)
        tx.add(account)
    if role is not None:
        grant = Grant(new_id("grant"), account.account_id, role, (), "init", tx.now_ns, "init", tx.now_ns)
        tx.add(grant)
    return account


def owned(state: str, *, second: bool = False) -> Callable[[World, Tx, Who], None]:
    """The request is the caller's own, or of a second account of the same person."""

    def given(world: World, tx: Tx, who: Who) -> None:
        account = _second(world, tx, who) if second else _account(world, tx, who.account)
        row = tx.get(Authorisation, world.ids[state])
        row = tx.change(row, requester=account.account_id)
        if row.content_hash:
            tx.change(row, content_hash=authorisations.hash_of(tx, row))

    return given


def approved_by_second(key: str, action: str, content: Callable[[World, Tx], str]) -> Any:
    """A second account of the same person approved it already."""

    def given(world: World, tx: Tx, who: Who) -> None:
        account = _second(world, tx, who, "approver")
        approval = new_id("ok"), world.ids[key], action, content(world, tx), account.account_id
        tx.add(Approval(*approval, tx.now_ns))

    return given


def _content(world: World, tx: Tx, state: str = "submitted") -> str:
    return authorisations.hash_of(tx, tx.get(Authorisation, world.ids[state]))


def shown(state: str) -> Callable[[World, Who], object]:
    """The hash of what the approver was shown."""

    def body(world: World, _who: Who) -> object:
        with world.node.store.read() as tx:
            return {"content_hash": _content(world, tx, state)}

    return body


def ownership(state: str, other: Rule, own: Rule, **more: Any) -> tuple[Case, ...]:
    """Somebody else's request, one's own, and one's own under a second account."""
    return (
        Case(f"{state} of another", other, path=at(state), **more),
        Case(f"own {state}", own, owned(state), at(state), callers=has_account, **more),
        Case(f"{state} of own second account", own, owned(state, second=True), at(state), callers=has_account, **more),
    )


def over(*states: str, also: Rule = open_to_all, **more: Any) -> tuple[Case, ...]:
    """Somebody else's request in a state in which nobody may do this."""
    refused = both(always("state"), also)
    return tuple(Case(f"{state} already", refused, path=at(state), **more) for state in states)


def own_over(*states: str, **more: Any) -> tuple[Case, ...]:
    return tuple(
        Case(f"own {state}", always("state"), owned(state), at(state), callers=has_account, **more) for state in states
    )


NOT_THERE = "aut-0000000000000000"


def unknown(parameter: str = "authorisation_id", value: str = NOT_THERE, **more: Any) -> Case:
    return Case("unknown", path=named(parameter, value), absent=422, **more)


# --- bodies -----------------------------------------------------------------------------------------------------------


def a_draft(world: World, _who: Who) -> object:
    now_ns = world.node.time.now_ns()
    image = {"name": "a.png", "data": base64.b64encode(world.portrait).decode()}
    return {
        "purpose": "missing-person",
        "authority": "Police South",
        "reference": "S-1/26",
        "subjects": [{"name": f"{NAME} again", "born": BORN.isoformat(), "images": [image]}],
        "cameras": ["cam-north"],
        "from_ns": now_ns,
        "until_ns": now_ns + 24 * HOUR_NS,
    }


def a_scope(hours: int) -> Callable[[World, Who], object]:
    return lambda world, _who: {"until_ns": world.node.time.now_ns() + hours * HOUR_NS, "cameras": ["cam-north"]}


def a_suspension(world: World, _who: Who) -> object:
    now_ns = world.node.time.now_ns()
    return {"cameras": ["cam-north"], "from_ns": now_ns, "until_ns": now_ns + HOUR_NS, "why": "a vigil"}


def a_hold(world: World, _who: Who) -> object:
    now_ns = world.node.time.now_ns()
    about = {"cameras": ["cam-north"], "from_ns": now_ns - 1, "until_ns": now_ns, "ends_ns": now_ns + HOUR_NS}
    return {"asked_by": "Police South", "reference": "S-2/26", "why": "a fall", **about}


def a_plea(world: World, _who: Who) -> object:
    now_ns = world.node.time.now_ns()
    about = {"cameras": ["cam-north"], "from_ns": now_ns - 1, "until_ns": now_ns}
    return {"contact": "ada@example.org", "why": "a fall", **about}


def owned_hold(key: str, *, second: bool = False) -> Callable[[World, Tx, Who], None]:
    """The hold was proposed by the caller, or by a second account of the same person."""

    def given(world: World, tx: Tx, who: Who) -> None:
        account = _second(world, tx, who) if second else _account(world, tx, who.account)
        tx.change(tx.get(Hold, world.ids[key]), requester=account.account_id)

    return given


def hold_hash(world: World, tx: Tx, key: str = "hold") -> str:
    return footage_holds.hash_of(tx.get(Hold, world.ids[key]))


def shown_hold(key: str) -> Callable[[World, Who], object]:
    """The hash of what was shown of a hold."""

    def body(world: World, _who: Who) -> object:
        with world.node.store.read() as tx:
            return {"content_hash": hold_hash(world, tx, key)}

    return body


def _over(world: World, tx: Tx, _who: Who) -> None:
    """The hold that is proposed was refused, the one that is kept released, and the request verified."""
    ended = {"over_at_ns": tx.now_ns, "destroyed_at_ns": tx.now_ns}
    tx.change(tx.get(Hold, world.ids["hold"]), state="refused", **ended)
    tx.change(tx.get(Hold, world.ids["held"]), state="released", **ended)
    tx.change(tx.get(PublicRequest, world.ids["request"]), state="graced")


def an_access(world: World, _who: Who) -> object:
    now_ns = world.node.time.now_ns()
    photo = {"name": "a.png", "data": base64.b64encode(world.portrait).decode()}
    about = {"cameras": ["cam-north"], "from_ns": now_ns - 1, "until_ns": now_ns}
    who = {"name": "Bea Roe", "born": BORN.isoformat(), "contact": "bea@example.org", "document": "passport"}
    return {**who, "photos": [photo], **about}


def access_hash(world: World, tx: Tx) -> str:
    return access.hash_of(tx, tx.get(AccessRequest, world.ids["access"]))


def shown_access(world: World, _who: Who) -> object:
    """The hash of what was shown of an access request."""
    with world.node.store.read() as tx:
        return {"content_hash": access_hash(world, tx)}


def owned_access(*, second: bool = False) -> Callable[[World, Tx, Who], None]:
    """The access request was opened by the caller, or by a second account of the same person."""

    def given(world: World, tx: Tx, who: Who) -> None:
        account = _second(world, tx, who) if second else _account(world, tx, who.account)
        tx.change(tx.get(AccessRequest, world.ids["access"]), opened_by=account.account_id)

    return given


def _closed(world: World, tx: Tx, _who: Who) -> None:
    """Both access requests are over."""
    for name in ("access", "access approved"):
        tx.change(tx.get(AccessRequest, world.ids[name]), state="closed", closed_at_ns=tx.now_ns)


def _access_searched(world: World, tx: Tx, _who: Who) -> None:
    """The footage of the approved access request was searched."""
    tx.add(FootageSearch(world.ids["access approved"], "done", "acc", tx.now_ns))


def _looked(world: World, tx: Tx, who: Who) -> None:
    """The caller was shown the picture of the finding."""
    account = find_named(tx, world.node.keys, who.account)
    if account is not None:
        tx.change(tx.get(Finding, world.ids["finding"]), looked=(account.account_id,))


def _judged_finding(world: World, tx: Tx, _who: Who) -> None:
    tx.change(tx.get(Finding, world.ids["finding"]), state="different")


def an_export(world: World, _who: Who) -> object:
    return {"about": world.ids["held"]}


def owned_export(key: str, *, second: bool = False) -> Callable[[World, Tx, Who], None]:
    """The export was made and proposed by the caller, or by a second account of the same person."""

    def given(world: World, tx: Tx, who: Who) -> None:
        account = _second(world, tx, who) if second else _account(world, tx, who.account)
        row = tx.get(Export, world.ids[key])
        requester = account.account_id if row.requester else ""
        tx.change(row, made_by=account.account_id, requester=requester)

    return given


def export_hash(world: World, tx: Tx) -> str:
    return footage_exports.hash_of(world.node.keys, tx.get(Export, world.ids["export proposed"]))


def shown_export(world: World, _who: Who) -> object:
    """The hash of what was shown of an export."""
    with world.node.store.read() as tx:
        return {"content_hash": export_hash(world, tx)}


def a_box(world: World, _who: Who) -> object:
    now_ns = world.node.time.now_ns()
    return {"boxes": [{"camera": "cam-north", "from_ns": now_ns - 9, "until_ns": now_ns, "box": [1, 2, 30, 40]}]}


def owned_request(world: World, tx: Tx, who: Who) -> None:
    """The caller wrote the request down."""
    request = tx.get(PublicRequest, world.ids["request"])
    tx.change(request, received_by=_account(world, tx, who.account).account_id)


def proposed(by: str) -> Callable[[World, Tx, Who], None]:
    """The role was proposed by `other`, by the caller, or by a second account of the same person."""

    def given(world: World, tx: Tx, who: Who) -> None:
        if by == "second":
            proposer = _second(world, tx, who, "auditor")
        else:
            proposer = _account(world, tx, who.account if by == "self" else "approver1")
        target = _account(world, tx, "target")
        tx.add(Grant(new_id("grant"), target.account_id, "auditor", (), proposer.account_id, tx.now_ns))

    return given


def _holds_operator(world: World, tx: Tx, _who: Who) -> None:
    grants.grant_first(tx, world.node.keys, _account(world, tx, "target").account_id, Role.OPERATOR)


def _own_token(world: World, tx: Tx, who: Who) -> None:
    secret = digest(f"own {who.name}")
    end_ns = tx.now_ns + HOUR_NS
    tx.add(Token("tok-own", secret, _account(world, tx, who.account).account_id, ("read",), tx.now_ns, end_ns))


def _policy_by(*, second: bool) -> Callable[[World, Tx, Who], None]:
    def given(world: World, tx: Tx, who: Who) -> None:
        account = _second(world, tx, who) if second else _account(world, tx, who.account)
        tx.change(tx.get(Policy, world.ids["policy"]), proposed_by=account.account_id)

    return given


def _policy_void(world: World, tx: Tx, _who: Who) -> None:
    tx.change(tx.get(Policy, world.ids["policy"]), state="void")


def _policy_hash(world: World, _who: Who) -> object:
    return {"content_hash": world.ids["policy hash"]}


def _lift(by: str) -> Callable[[World, Tx, Who], None]:
    def given(world: World, tx: Tx, who: Who) -> None:
        names = {"other": "officer1", "self": who.account}
        account = _second(world, tx, who, "privacy") if by == "second" else _account(world, tx, names[by])
        row = tx.get(Suspension, world.ids["suspension"])
        tx.change(row, lift_proposed_at_ns=tx.now_ns, lift_proposed_by=account.account_id)

    return given


def _log_in_doubt(world: World, _tx: Tx, _who: Who) -> None:
    world.doubt_log("planted")


def _ended_hash(world: World, _who: Who) -> dict[str, object]:
    with world.node.store.read() as tx:
        epoch = current_epoch(tx)
    assert epoch is not None
    known = ended_epoch(world.node.log_folder, epoch, world.node.keys, world.node.store)
    return {"content_hash": epoch_hash(known)}


def _lifted(world: World, tx: Tx, _who: Who) -> None:
    tx.change(tx.get(Suspension, world.ids["suspension"]), lifted_from_ns=tx.now_ns + HOUR_NS)


def _judged(by: str) -> Callable[[World, Tx, Who], None]:
    def given(world: World, tx: Tx, who: Who) -> None:
        names = {"other": "reviewer1", "self": who.account}
        account = _second(world, tx, who) if by == "second" else _account(world, tx, names[by])
        verdict = new_id("verdict"), world.ids["alert"], account.account_id, "same", False, tx.now_ns
        tx.add(Verdict(*verdict))

    return given


def _seen(by: str = "self") -> Callable[[World, Tx, Who], None]:
    """Somebody has opened the pictures: the caller, or another."""

    def given(world: World, tx: Tx, who: Who) -> None:
        account = find_named(tx, world.node.keys, who.account if by == "self" else by)
        if account is not None:
            tx.add(Look(world.ids["alert"], account.account_id, tx.now_ns))

    return given


def _each(*givens: Callable[[World, Tx, Who], None]) -> Callable[[World, Tx, Who], None]:
    def given(world: World, tx: Tx, who: Who) -> None:
        for one in givens:
            one(world, tx, who)

    return given


def _decided(world: World, tx: Tx, _who: Who) -> None:
    tx.change(tx.get(Alert, world.ids["alert"]), state="confirmed", decided_at_ns=tx.now_ns)


def _unmade(world: World, tx: Tx, _who: Who) -> None:
    """Nothing could be made of the alert's footage. Without its row the node would remove the film that is there."""
    tx.change(tx.get(Playback, world.ids["alert"]), state="failed", failure="nothing")


def _consented(world: World, tx: Tx, _who: Who) -> None:
    tx.change(tx.get(Authorisation, world.ids["active"]), consent_code_hash=code_digest(CODE))


def _searched(world: World, tx: Tx, _who: Who) -> None:
    """The footage was searched."""
    tx.add(FootageSearch(world.ids["footage"], "done", "acc", tx.now_ns))


def _receipted(world: World, tx: Tx, _who: Who) -> None:
    """Somebody holds a receipt of the alert."""
    tx.add(Receipt("receipt-1", world.ids["alert"], code_digest(CODE), "acc", tx.now_ns))


def _frozen(world: World, tx: Tx, who: Who) -> None:
    _receipted(world, tx, who)
    receipts.freeze(tx, world.node.keys, CODE)


def _with_oversight(_world: World, tx: Tx, _who: Who) -> None:
    tx.add(Meta(OVERSIGHT, new_identity().recipient))


def _disputed(world: World, tx: Tx, who: Who) -> None:
    _receipted(world, tx, who)
    receipts.dispute(tx, world.node.keys, CODE, "It was not me.")


def _corrected(world: World, tx: Tx, who: Who) -> None:
    _disputed(world, tx, who)
    tx.change(tx.get(Dispute, world.ids["alert"]), corrected_at_ns=tx.now_ns, why_sealed=None)


def _said(what: str, by: str) -> Callable[[World, Tx, Who], None]:
    """An approver, or the same person under another account, said already that the clock is right, or a breach over."""

    def given(world: World, tx: Tx, who: Who) -> None:
        account = _second(world, tx, who, "approver") if by == "second" else _account(world, tx, "approver1")
        content = world.ids[f"{what} hash"]
        approval = new_id("ok"), world.ids[what], what, content, account.account_id, tx.now_ns
        tx.add(Approval(*approval))

    return given


def _said_epoch(by: str) -> Callable[[World, Tx, Who], None]:
    """An approver, or the same person under another account, said already that the log begins anew."""

    def given(world: World, tx: Tx, who: Who) -> None:
        account = _second(world, tx, who, "approver") if by == "second" else _account(world, tx, "approver1")
        content = str(_ended_hash(world, who)["content_hash"])
        tx.add(Approval(new_id("ok"), "epoch-2", "epoch", content, account.account_id, tx.now_ns))

    return given


# --- what answers may hold --------------------------------------------------------------------------------------------


def _no_hints(_world: World, who: Who) -> list[bytes]:
    """The impostor check is for approvers; authority and reference are not for operators and admins."""
    hidden = [b"look_alikes"] if "approver" not in who.roles or who.scopes is not None else []
    sees_more = who.roles & {"requester", "approver", "privacy", "auditor"}
    return hidden if sees_more else [*hidden, b"Police North", b"N-12/26"]


def _own_zone(world: World, who: Who) -> list[bytes]:
    return [world.ids["alert"].encode()] if who.zones and NORTH not in who.zones else []


def _asker(_world: World, who: Who) -> list[bytes]:
    """Who asks for a hold is for approvers and privacy officers, and for whoever proposed it."""
    return [] if who.roles & {"approver", "privacy"} and who.scopes is None else [HOLD_ASKER.encode()]


def _asker_own(_world: World, who: Who) -> list[bytes]:
    sees = who.roles & {"requester", "approver", "privacy"} and who.scopes is None
    return [] if sees else [HOLD_ASKER.encode()]


def _contact(_world: World, who: Who) -> list[bytes]:
    """Who asks from outside is for privacy officers, and for whoever wrote it down."""
    return [] if "privacy" in who.roles and who.scopes is None else [CONTACT.encode()]


def _contact_own(_world: World, who: Who) -> list[bytes]:
    return [] if who.scopes is None else [CONTACT.encode()]


def _access_asker(_world: World, who: Who) -> list[bytes]:
    """Who asks for their footage is for privacy officers and approvers."""
    return [] if access_seen(who) else [ACCESS_ASKER.encode()]


def access_seen(who: Who) -> bool:
    return bool(who.roles & {"privacy", "approver"}) and who.scopes is None


def officer_seen(who: Who) -> bool:
    return "privacy" in who.roles and who.scopes is None


def _no_access_asker(_world: World, _who: Who) -> list[bytes]:
    return [ACCESS_ASKER.encode()]


def _no_pictures(_world: World, _who: Who) -> list[bytes]:
    return [PICTURES]


def nobody(_who: Who) -> bool:
    return False


def approver_login(who: Who) -> bool:
    return "approver" in who.roles and who.scopes is None


def own_login(who: Who) -> bool:
    return bool(who.roles & {"requester", "approver"}) and who.scopes is None


def operator_login(who: Who) -> bool:
    return "operator" in who.roles and who.scopes is None and not zone(NORTH)(who)
