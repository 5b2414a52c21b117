"""Logins, codes and tokens, with real Argon2."""

import pytest
from tests.installation import DAY, HOUR, Installation, rule_of

from habeas.accounts import credentials, people, sessions, tokens
from habeas.accounts.roles import Role
from habeas.errors import InputError, RuleError
from habeas.store.records import Account, Session, Token

PASSWORD = "correct horse battery"  # noqa: S105 - nobody's


@pytest.fixture
def holder(place: Installation) -> str:
    """Somebody who set a password."""
    made = place.do("ann", lambda tx, actor: people.add_account(tx, place.keys, actor, "eve"))
    with place.store.write() as tx:
        people.set_password(tx, place.keys, "eve", made.setup_code.lower().replace("-", " "), PASSWORD)
    place.accounts["eve"] = made.account_id
    return "eve"


def log_in(place: Installation, password: str = PASSWORD, name: str = "eve") -> sessions.Login:
    tried = sessions.try_password(sessions.asked_for(place.store, place.keys, name), password)
    with place.store.write() as tx:
        return sessions.log_in(tx, place.keys, name, tried)


def refused(place: Installation, password: str = PASSWORD, name: str = "eve") -> str:
    return rule_of(lambda: log_in(place, password, name))


def test_a_password_that_was_changed_meanwhile_does_not_fit(place: Installation, holder: str) -> None:
    tried = sessions.try_password(sessions.asked_for(place.store, place.keys, holder), PASSWORD)
    assert tried.fits
    with place.store.write() as tx:
        account = people.account_named(tx, place.keys, holder)
        tx.change(account, password_hash=credentials.hash_password("another password"))
        assert rule_of(lambda: sessions.log_in(tx, place.keys, holder, tried)) == "login"


def holds(place: Installation, secret: str | None) -> bool:
    with place.store.read() as tx:
        return rule_of(lambda: sessions.actor_of(tx, place.keys, secret or "")) != "not-logged-in"


@pytest.mark.usefixtures("holder")
def test_a_login_is_kept_as_a_hash_and_ends(place: Installation) -> None:
    login = log_in(place)
    assert holds(place, login.secret)
    assert not holds(place, f"{login.secret}x")
    assert login.secret not in repr(place.look(Session))
    assert PASSWORD not in repr(place.look(Account))
    place.advance(HOUR, tick=False)
    assert not holds(place, login.secret), "idle"


@pytest.mark.usefixtures("holder")
def test_a_login_in_use_ends_after_twelve_hours(place: Installation) -> None:
    login = log_in(place)
    for _ in range(23):
        place.clock.advance(HOUR // 2)
        assert holds(place, login.secret)
        with place.store.write() as tx:
            sessions.touch(tx, login.secret or "")
    place.clock.advance(HOUR // 2)
    assert not holds(place, login.secret)


def test_nobody_and_a_wrong_password_are_refused_alike(place: Installation, holder: str) -> None:
    said = []
    for name, password in ((holder, "wrong password!"), ("nobody", PASSWORD)):
        with pytest.raises(RuleError) as error:
            log_in(place, password, name)
        said.append((error.value.message, error.value.rule, error.value.remedy))
    assert said[0] == said[1]
    place.disable(holder)
    assert refused(place) == "login"


@pytest.mark.rule("O11")
def test_a_code_works_once_and_for_three_days(place: Installation) -> None:
    made = place.do("ann", lambda tx, actor: people.add_account(tx, place.keys, actor, "zoe"))

    def use(code: str, password: str = PASSWORD) -> None:
        with place.store.write() as tx:
            people.set_password(tx, place.keys, "zoe", code, password)

    with pytest.raises(RuleError):
        use(credentials.new_code())
    with pytest.raises(InputError):
        use(made.setup_code, "short")
    use(made.setup_code)
    with pytest.raises(RuleError):
        use(made.setup_code)
    again = place.do("ann", lambda tx, actor: people.renew_setup(tx, place.keys, actor, "zoe"))
    assert refused(place, name="zoe") == "login", "the old password is gone"
    place.advance(72 * HOUR, tick=False)
    with pytest.raises(RuleError):
        use(again.setup_code)
    assert made.setup_code not in repr(made)
    assert made.setup_code not in repr(place.look(Account))


@pytest.mark.rule("O11")
def test_a_new_code_ends_logins_and_tokens(place: Installation, holder: str) -> None:
    login = log_in(place)
    with place.store.write() as tx:
        token = tokens.make_token(tx, sessions.actor_of(tx, place.keys, login.secret or ""), ["read"], DAY)
    assert holds(place, token.secret)
    made = place.do("ann", lambda tx, actor: people.renew_setup(tx, place.keys, actor, holder))
    assert not holds(place, login.secret)
    assert not holds(place, token.secret)
    with place.store.write() as tx:
        people.set_password(tx, place.keys, holder, made.setup_code, PASSWORD)
    assert holds(place, log_in(place).secret)


@pytest.mark.rule("O12")
@pytest.mark.usefixtures("holder")
def test_tokens_are_hashed_scoped_and_expire(place: Installation) -> None:
    made = place.do("rob", lambda tx, actor: tokens.make_token(tx, actor, ["read"], DAY))
    assert made.secret not in repr(place.look(Token)) + repr(made)
    with place.store.read() as tx:
        actor = sessions.actor_of(tx, place.keys, made.secret)
        assert (actor.by_token, actor.scopes, set(actor.roles)) == (True, {"read"}, {Role.REQUESTER})
        with pytest.raises(RuleError) as error:
            actor.require_scope("draft")
        assert error.value.rule == "token-scope"
    for scopes, lasts_ns in (([], DAY), (["approve"], DAY), (["read"], 0), (["read"], 366 * DAY)):
        with pytest.raises(InputError):
            place.do("rob", lambda tx, a, s=scopes, ns=lasts_ns: tokens.make_token(tx, a, s, ns))  # type: ignore[misc]
    with pytest.raises(InputError):
        place.do("rita", lambda tx, actor: tokens.revoke_token(tx, actor, made.token_id))
    place.clock.advance(DAY)
    assert not holds(place, made.secret)


@pytest.mark.usefixtures("holder")
def test_a_token_and_a_login_can_be_ended_by_their_holder(place: Installation) -> None:
    made = place.do("rob", lambda tx, actor: tokens.make_token(tx, actor, ["read"], DAY))
    place.do("rob", lambda tx, actor: tokens.revoke_token(tx, actor, made.token_id))
    assert not holds(place, made.secret)
    login = log_in(place)
    with place.store.write() as tx:
        sessions.log_out(tx, login.secret or "")
    assert not holds(place, login.secret)
