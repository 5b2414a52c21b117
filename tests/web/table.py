"""Who may call what.

Written from product.md ("Roles", "Policy", "Authorisation", "Verdicts", "Suspension"), not from the code. A row is a
route; a case is one state or ownership of the object that it meets. Each says by which rules a caller is refused;
nothing left means that the call succeeds. What `given` makes is made anew for each caller.
"""

from collections.abc import Callable

from tests.web.cases import (
    CODE,
    Case,
    Row,
    _access_asker,
    _access_searched,
    _asker,
    _asker_own,
    _closed,
    _consented,
    _contact,
    _contact_own,
    _content,
    _corrected,
    _decided,
    _disputed,
    _each,
    _ended_hash,
    _frozen,
    _holds_operator,
    _judged,
    _judged_finding,
    _lift,
    _lifted,
    _log_in_doubt,
    _looked,
    _no_access_asker,
    _no_hints,
    _no_pictures,
    _over,
    _own_token,
    _own_zone,
    _policy_by,
    _policy_hash,
    _policy_void,
    _receipted,
    _said,
    _said_epoch,
    _searched,
    _second,
    _seen,
    _unmade,
    _with_oversight,
    a_box,
    a_draft,
    a_hold,
    a_plea,
    a_scope,
    a_suspension,
    access_hash,
    access_seen,
    always,
    an_access,
    an_export,
    approved_by_second,
    approver_login,
    at,
    both,
    export_hash,
    face,
    granter,
    has_account,
    hold_hash,
    holds,
    listing,
    login,
    named,
    nobody,
    officer_seen,
    open_to_all,
    operator_login,
    over,
    own_login,
    own_over,
    owned,
    owned_access,
    owned_export,
    owned_hold,
    owned_request,
    ownership,
    proposed,
    read,
    says,
    scope,
    shown,
    shown_access,
    shown_export,
    shown_hold,
    some_callers,
    unknown,
    unless,
    zone,
)
from tests.web.evidence import DRAFTS, EVIDENCE_ROWS
from tests.web.world import HOLD_ASKER, NORTH, PASSWORD, Who, World

approver = both(holds("approver"), login)
admin = both(holds("admin"), login)
officer = both(holds("privacy"), login)
NOT_OWN = always("own-request")
MINE = always("own-draft")
ASKER = both(holds("requester"), scope("draft"))
REASON = says(why="because")
WRONG = says(content_hash="0" * 64)
FEW = some_callers("nobody", "admin", "norole", "approver token cameras+draft+read", "disabled")
HASHED = approved_by_second("submitted", "authorisation", _content)
POLICY_APPROVED = approved_by_second("policy", "policy", lambda world, _tx: world.ids["policy hash"])
_USER = named("name", "target")
_OTHER_TOKEN = "approver1 token read"  # noqa: S105 - a name

PEOPLE_ROWS = (
    Row("GET", "/healthz", open_to_all, open_to_all=True),
    Row("GET", "/status", listing),
    Row(
        "POST",
        "/login",
        open_to_all,
        (
            Case("right", body=says(name="real", password=PASSWORD), callers=FEW),
            Case("wrong", always("login"), body=says(name="real", password="x" * 20), callers=FEW),
            Case("nobody's", always("login"), body=says(name="nosuch", password="x" * 20), callers=FEW),
            Case(
                "closed",
                always("login"),
                body=says(name="disabled", password="x" * 20),
                callers=FEW,
            ),
            Case(
                "wrong code",
                always("setup-code"),
                body=says(name="fresh", password="y" * 20, setup_code=CODE),
                callers=FEW,
            ),
        ),
        open_to_all=True,
    ),
    Row("POST", "/logout", open_to_all, open_to_all=True),
    Row("GET", "/whoami", open_to_all),
    Row("GET", "/users", listing),
    Row("POST", "/users", admin, (Case("new", body=says(name="newcomer")),)),
    Row("POST", "/users/{name}/disable", admin, (Case("there", path=_USER), unknown("name", "nosuch"))),
    Row("POST", "/users/{name}/reset", admin, (Case("there", path=_USER), unknown("name", "nosuch"))),
    Row(
        "POST",
        "/users/{name}/roles",
        both(granter, login),
        (
            Case("first word", path=_USER, body=says(role="auditor")),
            Case("second word", given=proposed("other"), path=_USER, body=says(role="auditor"), callers=has_account),
            Case(
                "own second word",
                always("two-persons"),
                proposed("self"),
                _USER,
                says(role="auditor"),
                callers=has_account,
            ),
            Case(
                "second word of the same person",
                always("two-persons"),
                proposed("second"),
                _USER,
                says(role="auditor"),
                callers=has_account,
            ),
            Case(
                "for oneself",
                always("own-request"),
                path=lambda _world, who: {"name": who.account},
                body=says(role="auditor"),
                callers=has_account,
            ),
            Case(
                "for an own second account",
                always("own-request"),
                given=lambda world, tx, who: _second(world, tx, who) and None,
                path=lambda _world, who: {"name": f"{who.account}.2"},
                body=says(role="auditor"),
                callers=has_account,
            ),
            Case("admin beside another", always("role-combination"), _holds_operator, _USER, says(role="admin")),
            unknown("name", "nosuch", body=says(role="auditor")),
        ),
    ),
    Row(
        "POST",
        "/users/{name}/roles/{role}/revoke",
        login,
        (
            Case("of another", holds("admin"), path=lambda _world, _who: {"name": "approver2", "role": "approver"}),
            Case(
                "own",
                path=lambda _world, who: {"name": who.account, "role": min(who.roles)},
                callers=lambda who: has_account(who) and bool(who.roles),
            ),
        ),
    ),
    Row("POST", "/tokens", login, (Case("new", body=says(scopes=["read"], days=1)),)),
    Row(
        "POST",
        "/tokens/{token_id}/revoke",
        login,
        (
            Case("own", given=_own_token, path=named("token_id", "tok-own"), callers=has_account),
            Case("of another", path=at(_OTHER_TOKEN, "token_id"), absent=422),
        ),
    ),
    Row("GET", "/cameras", listing),
    Row("GET", "/footage", listing),
    Row(
        "POST",
        "/cameras",
        both(holds("admin"), scope("cameras")),
        (Case("new", body=says(name="new", url="rtsp://127.0.0.3:1/x", purpose="entrance of the hall", zone=NORTH)),),
    ),
    Row(
        "POST",
        "/cameras/{name}/remove",
        both(holds("admin"), scope("cameras")),
        (Case("there", path=named("name", "cam-north")), unknown("name", "nosuch")),
    ),
    Row(
        "POST",
        "/cameras/{name}/test",
        both(holds("admin"), scope("cameras")),
        (Case("there", path=named("name", "cam-north"), answers=(200, 422)), unknown("name", "nosuch")),
    ),
)

POLICY_ROWS = (
    Row("GET", "/policy", listing),
    Row(
        "POST",
        "/policy",
        both(holds("approver", "privacy", "admin"), login),
        (Case("tighter", body=says(changes={"subjects": 40})),),
    ),
    Row(
        "POST",
        "/policy/{policy_id}/approve",
        approver,
        (
            Case("of another", path=at("policy", "policy_id"), body=_policy_hash),
            Case(
                "own", NOT_OWN, _policy_by(second=False), at("policy", "policy_id"), _policy_hash, callers=has_account
            ),
            Case(
                "of own second account",
                NOT_OWN,
                _policy_by(second=True),
                at("policy", "policy_id"),
                _policy_hash,
                callers=has_account,
            ),
            Case(
                "approved by the same person",
                always("two-persons"),
                POLICY_APPROVED,
                at("policy", "policy_id"),
                _policy_hash,
                callers=has_account,
            ),
            Case("something else", always("content-changed"), path=at("policy", "policy_id"), body=WRONG),
            Case("void", always("state"), _policy_void, at("policy", "policy_id"), _policy_hash),
            unknown("policy_id", "pol-0", body=WRONG),
        ),
    ),
    Row("GET", "/clock", listing),
    Row(
        "POST",
        "/clock/confirm",
        approver,
        (
            Case("first word"),
            Case("second word", given=_said("clock", "other")),
            Case(
                "second word of the same person", always("two-persons"), _said("clock", "second"), callers=has_account
            ),
        ),
    ),
    Row("GET", "/canaries", listing),
    Row(
        "POST",
        "/canaries/clear",
        approver,
        (
            Case("first word"),
            Case("second word", given=_said("breach", "other")),
            Case(
                "second word of the same person",
                always("two-persons"),
                _said("breach", "second"),
                callers=has_account,
            ),
        ),
    ),
    Row("GET", "/suspensions", listing),
    Row("POST", "/suspensions", officer, (Case("new", body=a_suspension),)),
    Row(
        "POST",
        "/suspensions/{suspension_id}/lift",
        officer,
        (
            Case("first word", path=at("suspension", "suspension_id")),
            Case("second word", given=_lift("other"), path=at("suspension", "suspension_id")),
            Case(
                "own second word",
                always("two-persons"),
                _lift("self"),
                at("suspension", "suspension_id"),
                callers=has_account,
            ),
            Case(
                "second word of the same person",
                always("two-persons"),
                _lift("second"),
                at("suspension", "suspension_id"),
                callers=has_account,
            ),
            Case("lifted", always("state"), _lifted, at("suspension", "suspension_id")),
            unknown("suspension_id", "sus-0"),
        ),
    ),
)

AUDITOR = both(holds("auditor"), read)
LOG_ROWS = (
    Row("GET", "/log", listing),
    Row("GET", "/log/epochs", listing),
    Row("GET", "/log/entries", AUDITOR, (Case("some", query="?first=3&limit=5"), Case("none", query="?first=999999"))),
    Row(
        "GET",
        "/log/epochs/{number}/file",
        AUDITOR,
        (
            Case("there", path=named("number", "1"), query="?name=checkpoint"),
            Case("elsewhere", path=named("number", "1"), query="?name=../../habeas.yaml", absent=422),
            Case("a folder", path=named("number", "1"), query="?name=tile/entries", absent=422),
            Case("of a folder", path=named("number", "1"), query="?name=checkpoint/000", absent=422),
            Case("not there", path=named("number", "1"), query="?name=tile/7/999", absent=422),
            Case("with a zero", path=named("number", "1"), query="?name=checkpoint%00", absent=422),
            Case("too long", path=named("number", "1"), query="?name=" + "tile/0/" + "x000/" * 37 + "000", absent=422),
            Case("of no epoch", path=named("number", "7"), query="?name=checkpoint", absent=422),
        ),
    ),
    Row(
        "GET",
        "/log/epochs/{number}/left-behind",
        AUDITOR,
        (
            Case("none", path=named("number", "1"), query="?first=3&limit=5"),
            Case("of no epoch", path=named("number", "7"), absent=422),
        ),
    ),
    Row(
        "GET",
        "/log/epoch",
        both(holds("approver"), read),
        (Case("goes on", always("state")), Case("in doubt", given=_log_in_doubt)),
    ),
    Row(
        "POST",
        "/log/epoch",
        approver,
        (
            Case("goes on", always("state"), body=WRONG),
            Case("first word", given=_log_in_doubt, body=_ended_hash),
            Case("something else", always("content-changed"), _log_in_doubt, body=WRONG),
            Case("second word", given=_each(_log_in_doubt, _said_epoch("other")), body=_ended_hash),
            Case(
                "second word of the same person",
                always("two-persons"),
                _each(_log_in_doubt, _said_epoch("second")),
                body=_ended_hash,
                callers=has_account,
            ),
        ),
    ),
)

SEEN = {"hidden": _no_hints}
AUTHORISATION_ROWS = (
    Row("POST", "/authorisations", ASKER, (Case("new", body=a_draft), *DRAFTS)),
    Row(
        "GET",
        "/authorisations",
        listing,
        (Case("open"), Case("ended", query="?which=ended"), Case("all", query="?which=all")),
    ),
    Row(
        "GET",
        "/authorisations/{authorisation_id}",
        listing,
        (
            Case("draft of another", path=at("draft"), people=nobody, **SEEN),
            Case("submitted of another", path=at("submitted"), people=approver_login, **SEEN),
            Case("active of another", path=at("active"), people=approver_login, **SEEN),
            Case("own", given=owned("submitted"), path=at("submitted"), callers=has_account, people=own_login, **SEEN),
            Case(
                "of own second account",
                given=owned("submitted", second=True),
                path=at("submitted"),
                callers=has_account,
                people=own_login,
                **SEEN,
            ),
            Case("ended", path=at("revoked"), **SEEN),
            unknown(),
        ),
    ),
    Row(
        "GET",
        "/references/{reference_id}",
        open_to_all,
        (
            Case(
                "of another",
                face("approver"),
                path=at("submitted reference", "reference_id"),
                faces=approver_login,
            ),
            Case(
                "own",
                face("approver", "requester"),
                owned("submitted"),
                at("submitted reference", "reference_id"),
                callers=has_account,
                faces=own_login,
            ),
            Case(
                "of own second account",
                face("approver", "requester"),
                owned("submitted", second=True),
                at("submitted reference", "reference_id"),
                callers=has_account,
                faces=own_login,
            ),
            Case("ended", face("approver"), path=at("revoked reference", "reference_id"), absent=410),
            unknown("reference_id", "ref-0"),
        ),
    ),
    Row(
        "POST",
        "/authorisations/{authorisation_id}/amend",
        ASKER,
        (
            *ownership("draft", MINE, open_to_all, body=a_scope(12)),
            *ownership("submitted", both(MINE, login), login, body=a_scope(12)),
            *own_over("active", "refused", "revoked", body=a_scope(12)),
            unknown(body=a_scope(12)),
        ),
    ),
    Row(
        "POST",
        "/authorisations/{authorisation_id}/submit",
        both(holds("requester"), login),
        (
            *ownership("draft", MINE, open_to_all),
            *own_over("submitted", "active", "refused", "revoked"),
            unknown(),
        ),
    ),
    Row(
        "POST",
        "/authorisations/{authorisation_id}/approve",
        approver,
        (
            *ownership("submitted", open_to_all, NOT_OWN, body=shown("submitted")),
            *ownership("urgent", open_to_all, NOT_OWN, body=shown("urgent")),
            Case(
                "approved by the same person",
                always("two-persons"),
                HASHED,
                at("submitted"),
                shown("submitted"),
                callers=has_account,
            ),
            Case("something else", always("content-changed"), path=at("submitted"), body=WRONG),
            *over("draft", "active", "refused", "revoked", body=WRONG),
            unknown(body=WRONG),
        ),
    ),
    Row(
        "POST",
        "/authorisations/{authorisation_id}/refuse",
        approver,
        (
            *ownership("submitted", open_to_all, NOT_OWN, body=REASON),
            *ownership("urgent", open_to_all, NOT_OWN, body=REASON),
            *over("draft", "active", "refused", "revoked", body=REASON),
            unknown(body=REASON),
        ),
    ),
    Row(
        "POST",
        "/authorisations/{authorisation_id}/revoke",
        both(holds("requester", "approver", "privacy"), login),
        (
            *ownership("draft", holds("approver", "privacy"), open_to_all, body=REASON),
            *ownership("active", holds("approver", "privacy"), open_to_all, body=REASON),
            *over("refused", "revoked", also=holds("approver", "privacy"), body=REASON),
            unknown(body=REASON),
        ),
    ),
    Row(
        "POST",
        "/authorisations/{authorisation_id}/search",
        both(holds("requester", "approver"), login),
        (
            *ownership("footage", holds("approver"), open_to_all),
            Case("searched", both(always("searched-once"), holds("approver")), _searched, at("footage")),
            Case(
                "own searched",
                always("searched-once"),
                _each(owned("footage"), _searched),
                at("footage"),
                callers=has_account,
            ),
            Case("of live cameras", path=at("active"), absent=422),
            unknown(),
        ),
    ),
    Row(
        "GET",
        "/authorisations/{authorisation_id}/search",
        both(holds("requester", "approver", "privacy", "auditor"), read),
        (
            Case("searched", given=_searched, path=at("footage")),
            Case("not searched", path=at("footage"), absent=422),
            unknown(),
        ),
    ),
    Row(
        "POST",
        "/authorisations/{authorisation_id}/renew",
        ASKER,
        (
            *ownership("active", MINE, open_to_all, body=a_scope(48)),
            *own_over("refused", "revoked", body=a_scope(48)),
            unknown(body=a_scope(48)),
        ),
    ),
    Row(
        "POST",
        "/consent/end",
        open_to_all,
        (
            Case("right code", given=_consented, body=says(code=CODE), callers=FEW),
            Case("wrong code", always("consent-code"), body=says(code="23456"), callers=FEW),
        ),
        open_to_all=True,
    ),
    Row("GET", "/notices", both(holds("requester", "approver", "privacy", "auditor"), read)),
    Row(
        "POST",
        "/authorisations/{authorisation_id}/notified",
        both(holds("requester", "privacy"), login),
        (
            *ownership("revoked", holds("privacy"), open_to_all),
            *over("notified", "active"),
            unknown(),
        ),
    ),
    Row(
        "POST",
        "/authorisations/{authorisation_id}/defer",
        approver,
        (
            *ownership("revoked", open_to_all, NOT_OWN, body=says(days=10, why="the child")),
            Case("too long", always("notice-deferral"), path=at("revoked"), body=says(days=91, why="the child")),
            *over("notified", "active", body=says(days=10, why="the child")),
            unknown(body=says(days=10, why="the child")),
        ),
    ),
)

_ALERT = at("alert", "alert_id")
_SAME = says(verdict="same")
reviewer = both(holds("operator"), login, zone(NORTH))
REVIEW_ROWS = (
    Row(
        "GET",
        "/review",
        both(holds("operator"), read),
        (Case("as it is", hidden=_own_zone), Case("page", query="?limit=1&offset=1")),
    ),
    Row("GET", "/alerts", both(holds("operator", "auditor", "privacy"), read), (Case("all", hidden=_own_zone),)),
    Row(
        "GET",
        "/alerts/{alert_id}",
        reviewer,
        (
            Case("there", path=_ALERT, faces=operator_login),
            Case("judged by another", given=_judged("other"), path=_ALERT, faces=operator_login),
            unknown("alert_id", "alert-0"),
        ),
    ),
    Row(
        "POST",
        "/alerts/{alert_id}/verdict",
        reviewer,
        (
            *(
                Case(f"{said}, first", given=_seen(), path=_ALERT, body=says(verdict=said))
                for said in ("same", "different", "cannot-tell")
            ),
            Case("not looked at", always("look-first"), path=_ALERT, body=_SAME),
            Case("looked at by another", always("look-first"), _seen("officer1"), _ALERT, _SAME),
            Case("second", given=_each(_judged("other"), _seen()), path=_ALERT, body=_SAME),
            Case("again", always("once-each"), _judged("self"), _ALERT, _SAME, callers=has_account),
            Case("by own second account", always("once-each"), _judged("second"), _ALERT, _SAME, callers=has_account),
            Case("decided", always("state"), _decided, _ALERT, _SAME),
            unknown("alert_id", "alert-0", body=_SAME),
        ),
    ),
)


def _part(number: str) -> Callable[[World, Who], dict[str, str]]:
    return lambda world, who: {**_ALERT(world, who), "number": number}


PLAYBACK_ROWS = (
    *(
        Row(
            method,
            "/alerts/{alert_id}/playback",
            reviewer,
            (
                Case("made", path=_ALERT, hidden=_no_pictures),
                Case("judged by another", given=_judged("other"), path=_ALERT, hidden=_no_pictures),
                Case("could not be made", given=_unmade, path=_ALERT, hidden=_no_pictures),
                Case("decided", always("state"), _decided, _ALERT),
                unknown("alert_id", "alert-0"),
            ),
        )
        for method in ("POST", "GET")
    ),
    Row(
        "GET",
        "/alerts/{alert_id}/playback/{number}",
        reviewer,
        (
            Case("made", path=_part("0")),
            Case("judged by another", given=_judged("other"), path=_part("0")),
            Case("no part", path=_part("1"), absent=422),
            Case("could not be made", given=_unmade, path=_part("0"), absent=422),
            Case("decided", always("state"), _decided, _part("0")),
        ),
    ),
)
_CODE = says(code=CODE)
_NO_CODE = says(code="23456")
_NO_SUCH = always("receipt-code")
corrector = both(holds("approver", "privacy"), login)
BUNDLER = both(holds("auditor", "approver"), login)
BUNDLE_ROWS = (
    Row(
        "POST",
        "/alerts/{alert_id}/bundle",
        BUNDLER,
        (Case("there", path=_ALERT), unknown("alert_id", "alert-0")),
    ),
    Row(
        "POST",
        "/authorisations/{authorisation_id}/bundle",
        BUNDLER,
        (Case("active", path=at("active")), Case("ended", path=at("revoked")), unknown()),
    ),
)
RECEIPT_ROWS = (
    Row(
        "POST",
        "/alerts/{alert_id}/receipt",
        reviewer,
        (
            Case("open", path=_ALERT),
            Case("decided", given=_decided, path=_ALERT),
            unknown("alert_id", "alert-0"),
        ),
    ),
    Row(
        "POST",
        "/receipts/show",
        open_to_all,
        (
            Case("right code", given=_receipted, body=_CODE, callers=FEW),
            Case("wrong code", _NO_SUCH, body=_NO_CODE, callers=FEW),
        ),
        open_to_all=True,
    ),
    Row(
        "POST",
        "/receipts/freeze",
        open_to_all,
        (
            Case("right code", given=_receipted, body=_CODE, callers=FEW),
            Case("with oversight", given=_each(_with_oversight, _receipted), body=_CODE, callers=FEW),
            Case("wrong code", _NO_SUCH, body=_NO_CODE, callers=FEW),
        ),
        open_to_all=True,
    ),
    Row(
        "POST",
        "/receipts/dispute",
        open_to_all,
        (
            Case("right code", given=_receipted, body=says(code=CODE, why="not me"), callers=FEW),
            Case("disputed", always("state"), _disputed, body=says(code=CODE, why="not me"), callers=FEW),
            Case("wrong code", _NO_SUCH, body=says(code="23456", why="not me"), callers=FEW),
        ),
        open_to_all=True,
    ),
    Row(
        "POST",
        "/receipts/record",
        open_to_all,
        (
            Case("sealed", given=_each(_with_oversight, _frozen), body=_CODE, callers=FEW),
            Case("nothing sealed", given=_frozen, body=_CODE, callers=FEW, absent=410),
            Case("not frozen", always("state"), _receipted, body=_CODE, callers=FEW),
            Case("wrong code", _NO_SUCH, body=_NO_CODE, callers=FEW),
        ),
        open_to_all=True,
    ),
    Row("GET", "/disputes", corrector, (Case("some", given=_disputed), Case("none"))),
    Row(
        "POST",
        "/alerts/{alert_id}/correct",
        corrector,
        (
            Case("due", given=_disputed, path=_ALERT, body=says(recipients=["Patrol 7"])),
            Case("not disputed", always("state"), path=_ALERT, body=says(recipients=["Patrol 7"])),
            Case("corrected", always("state"), _corrected, _ALERT, says(recipients=["Patrol 7"])),
            unknown("alert_id", "alert-0", body=says(recipients=["Patrol 7"])),
        ),
    ),
)
_ACCESS, _APPROVED = at("access", "access_id"), at("access approved", "access_id")
_ACCESS_UNKNOWN = unknown("access_id", "acr-0")
_ACCESS_READ = both(holds("privacy", "approver", "auditor"), read)


def _finding(world: World, _who: Who) -> dict[str, str]:
    return {"access_id": world.ids["access approved"], "finding_id": world.ids["finding"]}


def _no_finding(world: World, who: Who) -> dict[str, str]:
    return {**_finding(world, who), "finding_id": "fnd-0"}


def _listed(state: str) -> dict[str, object]:
    return {"path": at(state, "access_id"), "query": "?from_ns=1&until_ns=2"}


ACCESS_ROWS = (
    Row("POST", "/access", officer, (Case("new", body=an_access),)),
    Row("GET", "/access", _ACCESS_READ, (Case("all", hidden=_no_access_asker),)),
    Row(
        "GET",
        "/access/{access_id}",
        both(holds("privacy", "approver"), login),
        (
            Case("opened", path=_ACCESS, hidden=_access_asker, faces=access_seen),
            Case("approved", path=_APPROVED, hidden=_access_asker, faces=access_seen),
            Case("closed", always("state"), _closed, _ACCESS, hidden=_no_access_asker),
            _ACCESS_UNKNOWN,
        ),
    ),
    Row(
        "POST",
        "/access/{access_id}/approve",
        approver,
        (
            Case("of another", path=_ACCESS, body=shown_access),
            Case("own", NOT_OWN, owned_access(), _ACCESS, shown_access, callers=has_account),
            Case(
                "of own second account", NOT_OWN, owned_access(second=True), _ACCESS, shown_access, callers=has_account
            ),
            Case(
                "approved by the same person",
                always("two-persons"),
                approved_by_second("access", "access", access_hash),
                _ACCESS,
                shown_access,
                callers=has_account,
            ),
            Case("something else", always("content-changed"), path=_ACCESS, body=WRONG),
            Case("approved already", always("state"), path=_APPROVED, body=WRONG),
            unknown("access_id", "acr-0", body=WRONG),
        ),
    ),
    Row(
        "POST",
        "/access/{access_id}/refuse",
        approver,
        (
            Case("of another", path=_ACCESS),
            Case("own", NOT_OWN, owned_access(), _ACCESS, callers=has_account),
            Case("approved already", always("state"), path=_APPROVED),
            _ACCESS_UNKNOWN,
        ),
    ),
    Row(
        "POST",
        "/access/{access_id}/close",
        officer,
        (
            Case("opened", path=_ACCESS),
            Case("approved", path=_APPROVED),
            Case("closed already", always("state"), _closed, _ACCESS),
            _ACCESS_UNKNOWN,
        ),
    ),
    Row(
        "POST",
        "/access/{access_id}/search",
        officer,
        (
            Case("approved", path=_APPROVED),
            Case("opened", always("state"), path=_ACCESS),
            Case("searched", always("searched-once"), _access_searched, _APPROVED),
            _ACCESS_UNKNOWN,
        ),
    ),
    Row(
        "GET",
        "/access/{access_id}/search",
        _ACCESS_READ,
        (
            Case("searched", given=_access_searched, path=_APPROVED),
            Case("not searched", path=_APPROVED, absent=422),
            _ACCESS_UNKNOWN,
        ),
    ),
    Row(
        "GET",
        "/access/{access_id}/findings",
        officer,
        (Case("approved", path=_APPROVED), Case("opened", always("state"), path=_ACCESS), _ACCESS_UNKNOWN),
    ),
    Row(
        "GET",
        "/access/{access_id}/findings/{finding_id}",
        officer,
        (Case("there", path=_finding, faces=officer_seen), Case("unknown", path=_no_finding, absent=422)),
    ),
    Row(
        "POST",
        "/access/{access_id}/findings/{finding_id}",
        officer,
        (
            Case("looked at", given=_looked, path=_finding, body=says(same=False)),
            Case("not looked at", always("look-first"), path=_finding, body=says(same=True)),
            Case("judged", always("once-each"), _each(_looked, _judged_finding), _finding, says(same=False)),
            Case("unknown", path=_no_finding, body=says(same=False), absent=422),
        ),
    ),
    Row(
        "GET",
        "/access/{access_id}/listed",
        officer,
        (Case("approved", **_listed("access approved")), Case("opened", always("state"), **_listed("access"))),
    ),
)
_MADE, _PROPOSED = at("export made", "export_id"), at("export proposed", "export_id")
_GIVEN = at("export approved", "export_id")
_EXPORTER = both(holds("requester", "privacy"), login)
_SEES_EXPORT = both(unless("approver", "privacy", rule="playback"), login)
_OTHERS = unless("privacy", rule="own-draft")
_SECRET = says(passphrase="p" * 12)
_EXPORT_UNKNOWN = unknown("export_id", "exp-0")


def _film(number: str) -> Callable[[World, Who], dict[str, str]]:
    return lambda world, _who: {"export_id": world.ids["export made"], "number": number}


EXPORT_ROWS = (
    Row(
        "POST",
        "/exports",
        _EXPORTER,
        (
            Case("of another's hold", _OTHERS, body=an_export),
            Case("of an own hold", given=owned_hold("held"), body=an_export, callers=has_account),
            Case("of no hold", body=says(about="hold-0"), absent=422),
        ),
    ),
    Row("GET", "/exports", listing, (Case("open", hidden=_no_pictures), Case("all", query="?everything=true"))),
    Row(
        "GET",
        "/exports/{export_id}",
        open_to_all,
        (Case("of another", _SEES_EXPORT, path=_PROPOSED, hidden=_no_pictures), _EXPORT_UNKNOWN),
    ),
    Row(
        "POST",
        "/exports/{export_id}/boxes",
        _EXPORTER,
        (
            Case("of another", _OTHERS, path=_MADE, body=a_box),
            Case("own", given=owned_export("export made"), path=_MADE, body=a_box, callers=has_account),
            Case("approved", both(always("state"), _OTHERS), path=_GIVEN, body=a_box),
            unknown("export_id", "exp-0", body=a_box),
        ),
    ),
    Row(
        "GET",
        "/exports/{export_id}/films/{number}",
        open_to_all,
        (Case("of another", _SEES_EXPORT, path=_film("0")), Case("no film", _SEES_EXPORT, path=_film("1"), absent=422)),
    ),
    Row(
        "POST",
        "/exports/{export_id}/propose",
        _EXPORTER,
        (
            Case("of another", _OTHERS, path=_MADE, body=says(recipient="passphrase")),
            Case(
                "own",
                given=owned_export("export made"),
                path=_MADE,
                body=says(recipient="passphrase"),
                callers=has_account,
            ),
            Case("approved", both(always("state"), _OTHERS), path=_GIVEN, body=says(recipient="passphrase")),
            unknown("export_id", "exp-0", body=says(recipient="passphrase")),
        ),
    ),
    Row(
        "POST",
        "/exports/{export_id}/approve",
        approver,
        (
            Case("of another", path=_PROPOSED, body=shown_export),
            Case("own", NOT_OWN, owned_export("export proposed"), _PROPOSED, shown_export, callers=has_account),
            Case(
                "of own second account",
                NOT_OWN,
                owned_export("export proposed", second=True),
                _PROPOSED,
                shown_export,
                callers=has_account,
            ),
            Case(
                "approved by the same person",
                always("two-persons"),
                approved_by_second("export proposed", "export", export_hash),
                _PROPOSED,
                shown_export,
                callers=has_account,
            ),
            Case("something else", always("content-changed"), path=_PROPOSED, body=WRONG),
            Case("not proposed", always("state"), path=_MADE, body=WRONG),
            Case("approved already", always("state"), path=_GIVEN, body=WRONG),
            unknown("export_id", "exp-0", body=WRONG),
        ),
    ),
    Row(
        "POST",
        "/exports/{export_id}/refuse",
        approver,
        (
            Case("of another", path=_PROPOSED),
            Case("own", NOT_OWN, owned_export("export proposed"), _PROPOSED, callers=has_account),
            Case("approved already", always("state"), path=_GIVEN),
            _EXPORT_UNKNOWN,
        ),
    ),
    Row(
        "POST",
        "/exports/{export_id}/discard",
        _EXPORTER,
        (
            Case("of another", always("own-draft"), path=_MADE),
            Case("own", given=owned_export("export made"), path=_MADE, callers=has_account),
            Case("own, approved", given=owned_export("export approved"), path=_GIVEN, callers=has_account),
            _EXPORT_UNKNOWN,
        ),
    ),
    Row(
        "POST",
        "/exports/{export_id}/fetch",
        login,
        (
            Case("not approved", both(always("state"), holds("approver", "privacy")), path=_PROPOSED, body=says()),
            Case(
                "not in the log yet",
                holds("approver", "privacy"),
                path=_GIVEN,
                body=says(passphrase="p" * 12),
                absent=422,
            ),
            unknown("export_id", "exp-0", body=says()),
        ),
    ),
)
PLAYER = both(unless("approver", "privacy", rule="playback"), login)
OWN_PLAYER = both(unless("requester", "approver", "privacy", rule="playback"), login)
_HOLD, _HELD, _REQUEST = at("hold", "hold_id"), at("held", "hold_id"), at("request", "request_id")


def _asked_marks(_world: World, _who: Who) -> list[bytes]:
    return [HOLD_ASKER.encode()]


def _segment(world: World, _who: Who) -> dict[str, str]:
    return {"hold_id": world.ids["held"], "camera": "cam-north", "segment": world.ids["segment"]}


def _no_segment(world: World, who: Who) -> dict[str, str]:
    return {**_segment(world, who), "segment": "0" * 16}


HOLD_ROWS = (
    Row("POST", "/holds", both(holds("requester", "privacy"), scope("draft")), (Case("new", body=a_hold),)),
    Row(
        "GET",
        "/holds",
        listing,
        (Case("open", hidden=_asked_marks), Case("all", query="?everything=true", hidden=_asked_marks)),
    ),
    Row(
        "GET",
        "/holds/{hold_id}",
        listing,
        (
            Case("of another", path=_HOLD, hidden=_asker),
            Case("own", given=owned_hold("hold"), path=_HOLD, callers=has_account, hidden=_asker_own),
            Case(
                "of own second account",
                given=owned_hold("hold", second=True),
                path=_HOLD,
                callers=has_account,
                hidden=_asker_own,
            ),
            unknown("hold_id", "hold-0"),
        ),
    ),
    Row(
        "POST",
        "/holds/{hold_id}/approve",
        approver,
        (
            Case("of another", path=_HOLD, body=shown_hold("hold")),
            Case("own", NOT_OWN, owned_hold("hold"), _HOLD, shown_hold("hold"), callers=has_account),
            Case(
                "of own second account",
                NOT_OWN,
                owned_hold("hold", second=True),
                _HOLD,
                shown_hold("hold"),
                callers=has_account,
            ),
            Case(
                "approved by the same person",
                always("two-persons"),
                approved_by_second("hold", "hold", hold_hash),
                _HOLD,
                shown_hold("hold"),
                callers=has_account,
            ),
            Case("something else", always("content-changed"), path=_HOLD, body=WRONG),
            Case("kept already", always("state"), path=_HELD, body=WRONG),
            Case("refused already", always("state"), _over, _HOLD, WRONG),
            unknown("hold_id", "hold-0", body=WRONG),
        ),
    ),
    Row(
        "POST",
        "/holds/{hold_id}/refuse",
        approver,
        (
            Case("of another", path=_HOLD),
            Case("own", NOT_OWN, owned_hold("hold"), _HOLD, callers=has_account),
            Case("of own second account", NOT_OWN, owned_hold("hold", second=True), _HOLD, callers=has_account),
            Case("kept already", always("state"), path=_HELD),
            Case("refused already", always("state"), _over, _HOLD),
            unknown("hold_id", "hold-0"),
        ),
    ),
    Row(
        "POST",
        "/holds/{hold_id}/release",
        approver,
        (
            Case("first word", path=_HELD, body=shown_hold("held")),
            Case(
                "first word of the same person",
                always("two-persons"),
                approved_by_second("held", "release-hold", lambda world, tx: hold_hash(world, tx, "held")),
                _HELD,
                shown_hold("held"),
                callers=has_account,
            ),
            Case("something else", always("content-changed"), path=_HELD, body=WRONG),
            Case("not kept", always("state"), path=_HOLD, body=WRONG),
            Case("released already", always("state"), _over, _HELD, WRONG),
            unknown("hold_id", "hold-0", body=WRONG),
        ),
    ),
    Row(
        "GET",
        "/holds/{hold_id}/segments",
        open_to_all,
        (
            Case("of another", PLAYER, path=_HELD, hidden=_no_pictures),
            Case("own", OWN_PLAYER, owned_hold("held"), _HELD, callers=has_account, hidden=_no_pictures),
            Case("not kept", PLAYER, path=_HOLD, absent=410),
            unknown("hold_id", "hold-0"),
        ),
    ),
    Row(
        "GET",
        "/holds/{hold_id}/segments/{camera}/{segment}",
        open_to_all,
        (
            Case("of another", PLAYER, path=_segment),
            Case("own", OWN_PLAYER, owned_hold("held"), _segment, callers=has_account),
            Case("unknown", PLAYER, path=_no_segment, absent=422),
        ),
    ),
    Row("POST", "/requests", both(holds("requester", "privacy"), login), (Case("new", body=a_plea),)),
    Row(
        "GET",
        "/requests",
        both(holds("requester", "approver", "privacy", "auditor"), read),
        (
            Case("of another", hidden=_contact),
            Case("own", given=owned_request, callers=has_account, hidden=_contact_own),
        ),
    ),
    Row(
        "POST",
        "/requests/{request_id}/verify",
        officer,
        (
            Case("received", path=_REQUEST),
            Case("verified already", always("state"), _over, _REQUEST),
            unknown("request_id", "req-0"),
        ),
    ),
    Row(
        "POST",
        "/requests/{request_id}/refuse",
        officer,
        (
            Case("received", path=_REQUEST),
            Case("verified already", always("state"), _over, _REQUEST),
            unknown("request_id", "req-0"),
        ),
    ),
)
TABLE = (
    *PEOPLE_ROWS,
    *POLICY_ROWS,
    *LOG_ROWS,
    *AUTHORISATION_ROWS,
    *REVIEW_ROWS,
    *PLAYBACK_ROWS,
    *BUNDLE_ROWS,
    *RECEIPT_ROWS,
    *HOLD_ROWS,
    *ACCESS_ROWS,
    *EXPORT_ROWS,
    *EVIDENCE_ROWS,
)
