"""Who is behind a pseudonym: named for as long as is promised, forgotten then, and the log holds before and after."""

import json
from typing import Final

import pytest
from tests.installation import DAY, HOUR, Installation, rule_of
from tests.replaying import differences, replayed
from tests.unit.audit.test_installation_holds import Export

from habeas.accounts import people, sessions, staff
from habeas.accounts.people import find_named
from habeas.accounts.roles import Role
from habeas.audit.claims_staff import NAMED_NS
from habeas.audit.entry import leaf_of, opening_of
from habeas.audit.hiding import uncover
from habeas.errors import InputError, KeyDestroyed, ProofError
from habeas.keys import KeyStore, Scope
from habeas.store.records import Account, Approval, Entry, Grant

YEAR: Final = 365 * DAY


def names(place: Installation) -> set[str]:
    with place.store.read() as tx:
        return set(staff.names_of(tx, place.keys).values())


def opened(accounts: list[Account], keys: KeyStore) -> list[str]:
    """Return the names that rows give up to every key that there is."""
    found = []
    for account in accounts:
        for key_id in (account.name_key, *keys.ids()):
            try:
                found.append(staff.named(keys, _under(account, key_id)))
            except (KeyDestroyed, InputError):
                continue
    return [one.name for one in found if one is not None]


def _under(account: Account, key_id: str) -> Account:
    return Account(account.account_id, key_id, account.created_at_ns, account.created_by, account.name_sealed)


def test_the_verifier_and_the_program_mean_the_same_time() -> None:
    assert NAMED_NS == staff.NAMED_NS == staff.USED_NS + 3 * YEAR


@pytest.mark.rule("L14")
def test_no_row_and_no_entry_names_anybody(place: Installation) -> None:
    place.hire("quentin", Role.APPROVER, person_name="Quentin Vole")
    running = place.started("rob", ["quentin", "abe"])
    place.revoke(running.authorisation_id)
    for kind in (Account, Approval, Entry, Grant):
        told = repr([vars(row) for row in place.look(kind)]).lower()
        assert "quentin" not in told, kind
        assert "vole" not in told, kind
    assert "quentin" in names(place), "control: the key opens it"
    assert "quentin" in opened(place.look(Account), place.keys)


@pytest.mark.rule("L14")
def test_a_name_is_forgotten_when_it_is_due_whatever_else_is_kept(place: Installation) -> None:
    place.hire("quentin", Role.APPROVER)
    place.started("rob", ["quentin", "abe"])
    before = place.look(Account)
    exported = [(leaf_of(entry), opening_of(entry)) for entry in place.look(Entry)]
    place.advance(NAMED_NS - HOUR)
    assert "quentin" in names(place)
    assert "quentin" in opened(before, place.keys), "control: until then"
    place.advance(HOUR)
    assert names(place) == set()
    assert place.keys.ids(Scope.STAFF) == frozenset()
    assert opened(before, place.keys) == opened(place.look(Account), place.keys) == [], "nor by an older database"
    assert not any(b"quentin" in part for pair in exported for part in pair)
    assert all(account.disabled_at_ns is not None for account in place.look(Account))
    assert [entry.kind for entry in place.look(Entry)].count("account.forgotten") == len(before)


@pytest.mark.rule("L14")
def test_which_accounts_are_one_persons_is_told_until_the_older_is_forgotten(place: Installation) -> None:
    place.advance(2 * YEAR)
    place.hire("abe2", Role.APPROVER, person_name="abe")
    place.advance(YEAR // 2)
    place.hire("abe3", Role.APPROVER, person_name="ABE")
    links = [entry for entry in place.look(Entry) if entry.kind == "account.added" and entry.hidden_key]
    told = [json.loads(uncover(place.keys, entry))["person"] for entry in links]
    assert told == [place.accounts["abe"], place.accounts["abe2"]], "each goes with the name that is kept longest"
    assert Export(place, place.look(Entry)).verify()["7"].note == ""
    same(place)
    place.advance(NAMED_NS - 2 * YEAR - YEAR // 2)
    with pytest.raises(KeyDestroyed):
        uncover(place.keys, links[0])
    assert json.loads(uncover(place.keys, links[1]))["person"] == place.accounts["abe2"]
    assert Export(place, place.look(Entry)).verify()["7"].note == "1 were destroyed when due"
    same(place)
    with place.store.read() as tx:
        assert place.actor(tx, "abe3").accounts == {place.accounts["abe2"], place.accounts["abe3"]}


def same(place: Installation) -> None:
    with place.store.read() as tx:
        assert differences(replayed(tx, place.keys), tx, place.keys) == []


@pytest.mark.rule("L9")
@pytest.mark.rule("L14")
def test_a_link_that_is_gone_early_is_found(place: Installation) -> None:
    place.hire("abe2", Role.APPROVER, person_name="abe")
    Export(place, place.look(Entry)).verify()
    first = next(one for one in place.look(Account) if one.account_id == place.accounts["abe"])
    place.keys.destroy([first.name_key])
    with pytest.raises(ProofError, match="nothing says that this was due"):
        Export(place, place.look(Entry)).verify()
    with place.store.write() as tx:
        tx.entry("account.forgotten", "clock", {"account": first.account_id})
    with pytest.raises(ProofError, match="nothing says that this was due"):
        Export(place, place.look(Entry)).verify()


@pytest.mark.rule("L14")
def test_after_its_year_an_account_only_helps_to_make_new_ones(place: Installation) -> None:
    place.advance(YEAR)
    assert rule_of(place.submitted) == "account-over"
    assert rule_of(lambda: place.suspend(zones=["gate"])) == "account-over"
    made = place.do("ann", lambda tx, actor: people.add_account(tx, place.keys, actor, "abe"))
    with place.store.write() as tx:
        people.set_password(tx, place.keys, "abe", made.setup_code, "correct horse battery")
        found = find_named(tx, place.keys, "abe")
        assert found is not None
        assert found.account_id == made.account_id, "the newer of the two"
    old = place.accounts["abe"]
    for granter in ("bea", "cid"):
        place.grant("abe", Role.APPROVER, granter)
    place.advance(DAY)
    place.accounts["abe"] = made.account_id
    with place.store.read() as tx:
        actor = place.actor(tx, "abe")
    assert set(actor.roles) == {Role.APPROVER}
    assert actor.accounts == {old, made.account_id}
    Export(place, place.look(Entry)).verify()


@pytest.mark.rule("L14")
def test_a_name_is_taken_over_by_the_same_person_only(place: Installation) -> None:
    def add(name: str, person: str | None = None) -> None:
        place.do("ann", lambda tx, actor: people.add_account(tx, place.keys, actor, name, person))

    with pytest.raises(InputError, match="already"):
        add("abe")
    place.advance(YEAR)
    with pytest.raises(InputError, match="taken"):
        add("abe", "Somebody Else")
    add("abe")


@pytest.mark.rule("O7")
def test_whose_name_is_forgotten_may_be_anybody(place: Installation) -> None:
    place.advance(YEAR)
    policy_like = place.accounts["rob"]
    place.advance(2 * YEAR)
    place.hire("new", Role.APPROVER)
    place.advance(YEAR)
    with place.store.read() as tx:
        actor = place.actor(tx, "new")
    assert actor.may_be(policy_like), "no rule of two persons counts it as another"
    assert not actor.owns(policy_like), "and it owns nothing of it"
    assert actor.over.keys() == {Role.APPROVER}


@pytest.mark.rule("L14")
def test_nobody_is_logged_in_under_a_forgotten_name(place: Installation) -> None:
    made = place.do("ann", lambda tx, actor: people.add_account(tx, place.keys, actor, "eve"))
    with place.store.write() as tx:
        people.set_password(tx, place.keys, "eve", made.setup_code, "correct horse battery")
    place.advance(NAMED_NS - HOUR)
    tried = sessions.try_password(sessions.asked_for(place.store, place.keys, "eve"), "correct horse battery")
    with place.store.write() as tx:
        login = sessions.log_in(tx, place.keys, "eve", tried)
    with place.store.read() as tx:
        assert sessions.actor_of(tx, place.keys, login.secret).account_id == made.account_id, "control"
    place.advance(HOUR, tick=False)
    place.tick()
    with place.store.read() as tx:
        assert rule_of(lambda: sessions.actor_of(tx, place.keys, login.secret)) == "not-logged-in"
        assert find_named(tx, place.keys, "eve") is None
