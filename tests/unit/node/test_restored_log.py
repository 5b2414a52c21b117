"""After a restore the log that goes on says how everything ended that it knows: all claims hold, whatever came between.

Each end comes between the backup and the restore, so that its entry is lost; then the clock goes on until all is over.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.installation import DAY, HOUR, Installation, rule_of
from tests.replaying import openings_of, replayed, state_of_database
from tests.unit.audit.test_installation_holds import Export
from tests.unit.footage.bench import Bench, Tight
from tests.unit.node.test_accessing import Asking
from tests.unit.node.test_exporting import Exporter

from habeas.accounts.roles import Role
from habeas.audit.state import State
from habeas.clock import ManualClock
from habeas.errors import ProofError
from habeas.footage import exports
from habeas.footage.holds import hash_of
from habeas.keys import Scope
from habeas.node.restoring import back_up, bring_back
from habeas.node.workspace import Workspace
from habeas.register.fold import folds
from habeas.settings import Settings
from habeas.store.footage_records import Export as ExportRow
from habeas.store.footage_records import Hold
from habeas.store.records import Alert, Authorisation, Entry, Meta, Suspension
from habeas.types import NS_PER_S

_ID = "w-test"
_MINUTES = 7
"""More than what is due may take."""


class Station(Exporter):
    """An installation with everything in it that may end, which is set back to a backup."""

    def __init__(self, asking: Asking) -> None:
        super().__init__(asking)
        place = self.place
        with place.store.write() as tx:
            tx.add(Meta("workspace_id", _ID))
        self.workspace = Workspace(place.folder, Settings(workspace_id=_ID, database=place.url))
        self.archive = place.folder / "b.habeas"

    def set_back(self, since: Callable[[], object]) -> None:
        """Restore a backup, before which something happened that it does not know."""
        back_up(self.workspace, self.archive, self.place.clock)
        self.place.clock.advance(NS_PER_S)
        since()
        self.place.clock.advance(NS_PER_S)
        self.place.store.close()
        bring_back(self.workspace, self.archive, self.place.clock)
        self.place.refresh()

    def step(self) -> None:
        """Do what a node does each second."""
        self.place.tick()
        self.holder.step()
        self.asking.accessing.end_due()
        self.exporting.end_due()

    def until_all_is_over(self, days: int) -> None:
        """Let days pass; the node runs before and after for some minutes, so that what is due is done, or missed."""
        for wait_ns in (days * DAY, 0):
            for _ in range(_MINUTES):
                self.step()
                with self.place.store.write() as tx:
                    tx.entry("padding", "log", {})
                self.place.clock.advance(60 * NS_PER_S)
            self.place.clock.advance(wait_ns)

    def check(self) -> dict[str, int]:
        """Verify the log as an auditor does; return how many entries each claim is about."""
        with self.place.store.read() as tx:
            replayed(tx, self.place.keys)
        steps = Export(self.place, self.place.look(Entry)).verify()
        return {number: step.count for number, step in steps.items()}

    def after(self, kind: str) -> list[dict[str, Any]]:
        """Return the entries of a type from the restore on."""
        rows = self.place.look(Entry)
        first = next(index for index, row in enumerate(rows) if row.actor == "restore")
        return [json.loads(row.body) for row in rows[first:] if row.kind == kind]


@pytest.fixture
def station(tmp_path: Path, clock: ManualClock) -> Iterator[Station]:
    clock.advance(HOUR - clock.now_ns() % HOUR)
    with Installation(tmp_path, clock) as place:
        for name in ("c1", "c2"):
            place.camera(name)
        yield Station(Asking(place, Bench(place, Tight(tmp_path / "footage"))))


def released(station: Station, hold: Hold) -> None:
    for who in ("abe", "bea"):
        station.holder.release(hold, who)
    station.holder.step()


# --- authorisations ---------------------------------------------------------------------------------------------------


@pytest.mark.rule("A16")
@pytest.mark.rule("L9")
@pytest.mark.parametrize("discarded", [False, True])
def test_an_authorisation_that_ended_since_ends_in_the_log_that_goes_on(station: Station, *, discarded: bool) -> None:
    place = station.place
    row = place.started(until_ns=place.clock.now_ns() + 20 * DAY)
    alert = place.alert(row.authorisation_id)

    def since() -> None:
        place.revoke(row.authorisation_id)
        if discarded:
            place.tick()

    station.set_back(since)
    (told,) = station.after("authorisation.revoked")
    assert told["authorisation"] == row.authorisation_id
    assert place.look(Alert, alert_id=alert.alert_id)[0].image_sealed is None, "at once"
    station.step()
    assert [one["authorisation"] for one in station.after("authorisation.discarded")] == [row.authorisation_id]
    assert [one["alert"] for one in station.after("alert.destroyed")] == [alert.alert_id]
    station.until_all_is_over(25)
    counts = station.check()
    assert (counts["8.3"], counts["8.4"]) == (1, 1)


def test_what_was_asked_for_then_and_started_since_ends_too(station: Station) -> None:
    place = station.place
    row = place.submitted()

    def since() -> None:
        for who in ("abe", "bea"):
            place.approve(row.authorisation_id, who)

    station.set_back(since)
    assert [one["authorisation"] for one in station.after("authorisation.expired")] == [row.authorisation_id]
    station.until_all_is_over(1)
    assert station.check()["8.4"] == 1


def test_what_the_backup_does_not_know_is_in_no_entry(station: Station) -> None:
    place = station.place
    station.set_back(lambda: place.revoke(place.started().authorisation_id))
    (row,) = place.look(Authorisation)
    assert row.state == "revoked"
    assert station.after("authorisation.revoked") == []
    station.until_all_is_over(1)
    station.check()


# --- holds ------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("T6")
@pytest.mark.rule("L9")
def test_a_hold_that_was_released_since_ends_in_the_log_that_goes_on(station: Station) -> None:
    hold = station.hold()
    station.set_back(lambda: released(station, hold))
    assert station.place.look(Hold)[0].state == "released"
    assert station.after("hold.ended") == [{"hold": hold.hold_id, "v": 1, "why": "released"}]
    station.until_all_is_over(25)
    assert station.check()["8.16"] == 1


@pytest.mark.rule("L9")
@pytest.mark.parametrize("how", ["refused", "lapsed", "released", "ended"])
def test_a_proposal_of_then_that_is_over_now_is_over_in_the_log(station: Station, how: str) -> None:
    station.holder.plenty()
    station.place.clock.advance(HOUR)
    proposed = station.holder.propose(station.asking.began_ns, station.asking.ended_ns)

    def since() -> None:
        if how == "refused":
            station.holder.refuse(proposed)
        elif how == "lapsed":
            station.place.clock.advance(7 * DAY)
        else:
            for who in ("abe", "bea"):
                station.holder.approve(proposed, who)
            station.holder.step()
            if how == "released":
                released(station, proposed)
            else:
                station.place.clock.advance(20 * DAY)
        station.holder.step()

    station.set_back(since)
    assert station.place.look(Hold)[0].state == how
    assert station.after(f"hold.{'ended' if how == 'released' else how}")[0]["hold"] == proposed.hold_id
    station.until_all_is_over(1)
    assert station.check()["7"] >= 1, "what the proposal hid is gone, and the log says why"


@pytest.mark.rule("T5")
@pytest.mark.parametrize("then", ["unknown", "proposed", "approved"])
def test_a_hold_that_runs_goes_on_and_the_log_says_that_it_was_carried_over(station: Station, then: str) -> None:
    station.holder.plenty()
    station.place.clock.advance(HOUR)
    span = station.asking.began_ns, station.asking.ended_ns
    known = [] if then == "unknown" else [station.holder.propose(*span)]
    if then == "approved":
        for who in ("abe", "bea"):
            station.holder.approve(known[0], who)

    def since() -> None:
        hold = known[0] if known else station.holder.propose(*span)
        if then != "approved":
            for who in ("abe", "bea"):
                station.holder.approve(hold, who)
        station.holder.step()

    station.set_back(since)
    (hold,) = station.place.look(Hold)
    assert hold.state == "held"
    (told,) = station.after("hold.carried")
    assert (told["hold"], told["sha256"], told["kept"]) == (hold.hold_id, hash_of(hold), True)
    played = {"hold": hold.hold_id, "camera": "c1", "segment": "s"}
    with station.place.store.write() as tx:
        tx.entry("footage.played", station.place.accounts["abe"], played)
    station.until_all_is_over(25)
    assert station.place.look(Hold)[0].state == "ended"
    with station.place.store.read() as tx:
        assert replayed(tx, station.place.keys).holds[hold.hold_id].state == "ended"
    counts = station.check()
    assert (counts["8.16"], counts["8.17"]) == (2 if then == "approved" else 1, 1)


def test_a_carried_hold_that_does_not_end_breaks_the_claim(station: Station) -> None:
    """Control: the entry of its end is left out; and one that no restore carried over is refused."""
    place = station.place
    station.set_back(station.hold)
    station.until_all_is_over(25)
    rows = place.look(Entry)
    numbers = {row.kind: index for index, row in enumerate(rows)}
    station.check()
    for kind, what in (("hold.ended", "on time"), ("database.restored", "no restore")):
        changed = list(rows)
        changed[numbers[kind]] = _as_padding(rows[numbers[kind]])
        with pytest.raises(ProofError, match=what):
            Export(place, changed).verify()


def test_a_forged_carried_hold_is_of_no_later_restore(station: Station) -> None:
    """Whoever writes one into a log that runs, and restores an honest backup later, breaks the claim."""
    place = station.place
    station.set_back(station.hold)
    told = station.after("hold.carried")[0]
    place.clock.advance(NS_PER_S)
    with place.store.write() as tx:
        tx.entry("hold.carried", "restore", {**told, "hold": "hld-forged"})
    forged = place.look(Entry)[-1].seq
    back_up(station.workspace, place.folder / "later.habeas", place.clock)
    place.clock.advance(HOUR)
    place.store.close()
    bring_back(station.workspace, place.folder / "later.habeas", place.clock)
    with pytest.raises(ProofError, match=rf"entry {forged} .*no restore"):
        station.check()


@pytest.mark.parametrize("kind", ["hold.carried", "suspension.carried"])
@pytest.mark.parametrize("planted", ["actor", "count", "between"])
def test_what_a_restore_does_not_say_that_it_carried_over_is_refused(station: Station, kind: str, planted: str) -> None:
    place = station.place

    def since() -> None:
        station.hold()
        place.suspend(names=["c2"])

    station.set_back(since)
    station.check()
    rows = place.look(Entry)
    numbers = {row.kind: index for index, row in enumerate(rows)}
    if planted == "actor":
        rows[numbers[kind]] = replace(rows[numbers[kind]], actor=place.accounts["abe"])
    elif planted == "count":
        last = rows[numbers["database.restored"]]
        told = {**json.loads(last.body), f"{kind.partition('.')[0]}s": 0}
        rows[numbers["database.restored"]] = replace(last, body=json.dumps(told))
    else:
        later = numbers["database.restored"]
        rows[later] = replace(rows[later], at_ns=rows[later].at_ns + 1)
    with pytest.raises(ProofError, match=r"\((hold|suspension).carried\): .*(no restore|fewer)"):
        Export(place, rows).verify()


def _as_padding(row: Entry) -> Entry:
    return Entry(row.seq, row.at_ns, "padding", row.actor, row.body, row.salt)


# --- suspensions ------------------------------------------------------------------------------------------------------


def register_of(station: Station) -> State:
    """Return what the register shows at once."""
    place = station.place
    with place.store.read() as tx:
        return folds(list(openings_of(tx, place.keys)), place.clock.now_ns()).now.state


@pytest.mark.rule("S2")
@pytest.mark.rule("G5")
def test_a_suspension_that_was_imposed_since_is_in_the_log_and_the_register(station: Station) -> None:
    """What was captured in it goes anew; lifting it is told as of any other."""
    place = station.place
    row = place.started()
    alert = place.alert(row.authorisation_id)
    station.set_back(lambda: place.suspend(names=["c1"], from_ns=alert.captured_at_ns - NS_PER_S, lasts_ns=9 * DAY))
    (suspension,) = place.look(Suspension)
    with place.store.read() as tx:
        assert replayed(tx, place.keys).suspensions == state_of_database(tx, place.keys).suspensions
    assert register_of(station).suspensions.keys() == {suspension.suspension_id}
    assert [one["alert"] for one in station.after("alert.destroyed")] == [alert.alert_id]
    station.step()
    assert place.keys.ids(Scope.ALERT) == set()
    for who in ("pia", "paul"):
        place.lift(suspension.suspension_id, who)
        assert (register_of(station).suspensions[suspension.suspension_id].lift_proposed_by or "") != ""
    station.until_all_is_over(25)
    assert register_of(station).suspensions[suspension.suspension_id].lifted_from_ns is not None
    assert station.check()["8.7"] == 1


@pytest.mark.rule("S2")
def test_an_alert_that_a_carried_suspension_leaves_breaks_the_claim(station: Station) -> None:
    """Control: the entry that it was destroyed is left out."""
    place = station.place
    row = place.started()
    place.alert(row.authorisation_id)
    back_ns = place.clock.now_ns() - HOUR
    station.set_back(lambda: place.suspend(names=["c1"], from_ns=back_ns, lasts_ns=9 * DAY))
    station.until_all_is_over(25)
    station.check()
    rows = place.look(Entry)
    left = [_as_padding(row) if row.kind == "alert.destroyed" else row for row in rows]
    with pytest.raises(ProofError, match="nothing says that this was due"):
        Export(place, left).verify()


def test_a_suspension_that_was_lifted_since_stays_lifted_only_if_the_backup_does_not_know_it(station: Station) -> None:
    place = station.place
    known = place.suspend(names=["c1"], lasts_ns=9 * DAY)
    new: list[str] = []

    def lifting(suspension_id: str) -> None:
        for who in ("pia", "paul"):
            place.lift(suspension_id, who)

    def since() -> None:
        new.append(place.suspend(names=["c2"], lasts_ns=9 * DAY).suspension_id)
        lifting(known.suspension_id)
        lifting(new[0])

    station.set_back(since)
    shown = register_of(station).suspensions
    with place.store.read() as tx:
        stored = state_of_database(tx, place.keys).suspensions
    assert {name: one.lifted_from_ns for name, one in shown.items()} == {
        name: one.lifted_from_ns for name, one in stored.items()
    }
    assert (shown[known.suspension_id].lifted_from_ns, shown[new[0]].lifted_from_ns is None) == (None, False)
    lifting(known.suspension_id)
    station.until_all_is_over(25)
    assert station.check()["8.7"] == 1


# --- requests, exports, staff -----------------------------------------------------------------------------------------


@pytest.mark.rule("X5")
@pytest.mark.parametrize("destroyed", [False, True])
def test_an_access_request_that_was_closed_since_ends_in_the_log(station: Station, *, destroyed: bool) -> None:
    row = station.asking.approved()

    def since() -> None:
        station.asking.close(row)
        if destroyed:
            station.step()

    station.set_back(since)
    station.step()
    for kind in ("access.closed", "access.destroyed"):
        assert [one["access"] for one in station.after(kind)] == [row.access_id]
    station.until_all_is_over(1)
    assert station.check()["8.19"] == 1


def test_requests_of_the_public_that_are_over_since_end_in_the_log(station: Station) -> None:
    holder, span = station.holder, (station.asking.began_ns, station.asking.ended_ns)
    refused, lapsing = holder.receive(*span), holder.receive(*span)

    def since() -> None:
        holder.refuse_request(refused)
        station.place.clock.advance(6 * DAY)
        holder.step()

    station.set_back(since)
    assert station.after("request.refused") == [{"request": refused.request_id, "v": 1}]
    assert station.after("request.lapsed") == [{"request": lapsing.request_id, "v": 1, "verified": False}]
    assert station.after("request.destroyed") == [{"request": refused.request_id, "v": 1, "verified": False}]
    station.step()
    assert len(station.after("request.destroyed")) == 1


@pytest.mark.rule("E8")
def test_an_export_keeps_the_rows_of_then_and_the_keys_of_now(station: Station) -> None:
    """Refused since: over at once. Its key gone: the clock ends it. Begun since: key and films are destroyed."""
    hold = station.hold()
    refused, keyless, stays = (station.make(hold.hold_id) for _ in range(3))
    for one in (refused, stays):
        station.propose(one)
    begun: list[ExportRow] = []

    def since() -> None:
        keys = station.place.keys
        station.place.do("abe", lambda tx, actor: exports.refuse(tx, keys, actor, refused.export_id))
        keys.destroy([keyless.key_id])
        begun.append(station.make(hold.hold_id))

    station.set_back(since)
    assert station.after("export.refused") == [{"export": refused.export_id, "v": 1}]
    assert station.now(refused).state == "refused"
    assert rule_of(lambda: station.approve(refused, "abe", "0" * 64)) == "state"
    assert station.place.keys.has(begun[0].key_id), "the control"
    station.step()
    assert station.after("export.ended") == [{"export": keyless.export_id, "v": 1}]
    assert station.place.keys.ids(Scope.EXPORT) == {stays.key_id}
    assert [folder.name for folder in station.folder.glob("*")] == [stays.export_id]
    assert station.exporting.film(station.now(stays), 0)
    for who in ("abe", "bea"):
        station.approve(stays, who)
    assert station.now(stays).state == "approved", "the control: what nobody ended goes on"
    station.until_all_is_over(25)
    assert {one["export"] for one in station.after("export.ended")} == {keyless.export_id, stays.export_id}
    station.check()


@pytest.mark.rule("O11")
def test_roles_and_accounts_that_are_over_since_are_over_in_the_log(station: Station) -> None:
    place = station.place

    def since() -> None:
        place.disable("cid")
        place.revoke_role("dora", Role.APPROVER)
        for by in ("rob", "rita"):
            place.grant("opal", Role.OPERATOR, by, ["gate"])

    station.set_back(since)
    cid, dora = place.accounts["cid"], place.accounts["dora"]
    assert station.after("account.disabled") == [{"account": cid, "v": 1}]
    revoked = {(one["account"], one["role"]) for one in station.after("role.revoked")}
    assert revoked == {(cid, "approver"), (dora, "approver")}, "opal's role is as it was: the newer is not usable yet"
    with place.store.read() as tx:
        roles = replayed(tx, place.keys).roles.values()
        assert {one.account for one in roles if one.role == "approver" and not one.revoked} == {
            account for name, account in place.accounts.items() if name in {"abe", "bea"}
        }
    station.check()
