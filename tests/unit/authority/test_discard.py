"""After every end nothing on the machine opens what it held: not the program, not an older database."""

import shutil
from pathlib import Path

import pytest
from tests.installation import DAY, HOUR, Installation

from habeas.authority import discard
from habeas.authority.opened import open_image, open_template
from habeas.authority.purposes import Purpose
from habeas.errors import DiskError, KeyDestroyed
from habeas.keys import KeyStore, Scope
from habeas.review.images import image_context
from habeas.store import open_store
from habeas.store.records import Alert, Authorisation, Entry, Reference, Subject
from habeas.types import NS_PER_S

FIVE_MINUTES = 300 * NS_PER_S
ENDS = ["expired", "revoked", "refused", "refused-by-clock", "draft-lapsed", "consent-code", "suspended"]


def opens(keys: KeyStore, url: str, place: Installation) -> set[str]:
    """What can be read of people, of a database: authorisation ids, and alert ids."""
    found: set[str] = set()
    with open_store(url, place.clock) as store, store.read() as tx:
        for reference in tx.find(Reference):
            subject = tx.get(Subject, reference.subject_id)
            for read in (open_image, open_template):
                try:
                    read(keys, subject, reference)
                except KeyDestroyed:
                    continue
                found.add(subject.authorisation_id)
        for alert in tx.find(Alert, oversight_sealed=None):
            try:
                keys.decrypt(alert.key_id, alert.image_sealed or b"", image_context(alert.alert_id))
            except KeyDestroyed:
                continue
            found.add(alert.alert_id)
    return found


@pytest.mark.rule("A16")
@pytest.mark.rule("S2")
@pytest.mark.parametrize("how", ENDS)
def test_after_five_minutes_nothing_opens_it(place: Installation, tmp_path: Path, how: str) -> None:
    control = place.started("rita", until_ns=place.clock.now_ns() + 20 * DAY)
    place.clock.advance(9)
    made = place.drafted(
        urgent=how in {"refused", "refused-by-clock"},
        until_ns=place.clock.now_ns() + (9 * DAY if how == "draft-lapsed" else DAY),
        purpose=Purpose.CONSENT if how == "consent-code" else Purpose.MISSING_PERSON,
    )
    row = made.authorisation
    alert = None
    if how != "draft-lapsed":
        place.submit(row.authorisation_id)
        for approver in ["abe"] if row.urgent or how == "consent-code" else ["abe", "bea"]:
            place.approve(row.authorisation_id, approver)
        alert = place.alert(row.authorisation_id)
    kept = place.alert(control.authorisation_id, "c1", track_id=9, at_ns=place.clock.now_ns() - 9)
    copy = tmp_path / "copy.db"
    with place.store.read() as tx:  # a backup
        tx.find(Authorisation)
        shutil.copy(Path(place.url.removeprefix("sqlite:///")), copy)
        for end in ("-wal", "-shm"):
            source = Path(place.url.removeprefix("sqlite:///") + end)
            if source.exists():
                shutil.copy(source, f"{copy}{end}")
    mine = {row.authorisation_id} | ({alert.alert_id} if alert is not None else set())
    assert mine <= opens(place.keys, f"sqlite:///{copy}", place), "control: before its end it opens"
    end_by(place, row.authorisation_id, how, made.consent_code or "")
    place.clock.advance(FIVE_MINUTES)
    place.tick()
    if how == "suspended":
        assert alert is not None
        mine = {alert.alert_id}
    for url in (place.url, f"sqlite:///{copy}"):
        for disk in (place.disk, place.disk.after_kill()):
            if disk is place.disk:
                left = opens(place.keys, url, place)
            else:
                with KeyStore(Path("memory"), place.master, disk=disk) as keys:
                    left = opens(keys, url, place)
            assert mine.isdisjoint(left)
            assert {control.authorisation_id, kept.alert_id} <= left, "control: what goes on still opens"
    with place.store.read() as tx:
        dead = tx.get(Authorisation, row.authorisation_id)
        assert (dead.discarded_at_ns is not None) is (how != "suspended")
    kinds = [entry.kind for entry in place.look(Entry) if row.authorisation_id in entry.body]
    assert ("authorisation.discarded" in kinds) is (how != "suspended")


def end_by(place: Installation, authorisation_id: str, how: str, code: str) -> None:
    if how in {"expired", "refused-by-clock"}:
        place.clock.advance(DAY)
    elif how == "draft-lapsed":
        place.clock.advance(7 * DAY)
    elif how == "revoked":
        place.revoke(authorisation_id)
    elif how == "refused":
        place.refuse(authorisation_id)
    elif how == "consent-code":
        place.end_consent(code)
    else:
        alert = place.look(Alert, authorisation_id=authorisation_id)[0]
        place.suspend(names=["c1"], from_ns=alert.captured_at_ns)


@pytest.mark.rule("A16")
def test_the_key_store_alone_keeps_the_deadline(place: Installation) -> None:
    """The database is gone, or refuses: every key carries its own end."""
    row = place.started()
    alert = place.alert(row.authorisation_id)
    place.clock.advance(2 * HOUR - 1)
    place.keys.reap(place.clock.now_ns())
    ids = {one.key_id for one in place.subjects(row.authorisation_id)} | {alert.key_id}
    assert ids <= place.keys.ids()
    place.clock.advance(1)
    place.keys.reap(place.clock.now_ns())
    assert ids.isdisjoint(place.keys.ids())


@pytest.mark.rule("A16")
def test_a_restored_database_brings_nobody_back(place: Installation) -> None:
    row = place.started()
    place.keys.destroy([one.key_id for one in place.subjects(row.authorisation_id)])
    place.tick()
    assert place.row(row.authorisation_id).state == "expired"
    assert place.compared("c1") == set()


@pytest.mark.rule("A16")
def test_keys_that_no_open_authorisation_names_go(place: Installation) -> None:
    row = place.started()
    stray = place.keys.new(Scope.SUBJECT, place.clock.now_ns() + DAY)
    camera = place.keys.new(Scope.CAMERA, place.clock.now_ns() + DAY)
    place.tick()
    assert stray not in place.keys.ids()
    assert camera in place.keys.ids()
    assert place.subjects(row.authorisation_id)[0].key_id in place.keys.ids()


@pytest.mark.rule("A16")
def test_a_crash_before_the_keys_went_is_made_good(place: Installation) -> None:
    row = place.started()
    keys = {one.key_id for one in place.subjects(row.authorisation_id)}

    with place.store.write() as tx:
        dead = tx.get(Authorisation, row.authorisation_id)
        discard.end(tx, place.keys, dead, discard.State.REVOKED, "somebody", "why")
        tx._after.clear()  # the process dies between the commit and what follows it
    assert keys <= place.keys.ids()
    place.tick()
    assert keys.isdisjoint(place.keys.ids())
    assert place.row(row.authorisation_id).discarded_at_ns is not None


@pytest.mark.rule("A16")
def test_a_crash_before_keys_got_their_end_is_made_good(place: Installation) -> None:
    row = place.started(until_ns=place.clock.now_ns() + 20 * DAY)
    key_id = place.subjects(row.authorisation_id)[0].key_id
    place.keys.reschedule(key_id, place.clock.now_ns() + DAY)
    place.tick()
    assert place.keys.expires_at_ns(key_id) == row.ends_at_ns


@pytest.mark.rule("A16")
def test_an_amended_draft_keeps_its_key_as_long_as_it_may_be_decided(place: Installation) -> None:
    row = place.draft(until_ns=place.clock.now_ns() + HOUR)
    place.amend(row.authorisation_id, until_ns=place.clock.now_ns() + 3 * DAY, names=["c1"])
    place.tick()
    place.advance(2 * HOUR)
    assert place.row(row.authorisation_id).state == "draft"
    place.submit(row.authorisation_id)


@pytest.mark.rule("A15")
@pytest.mark.rule("A16")
def test_a_full_disk_keeps_nobody_from_ending(place: Installation) -> None:
    row = place.started()
    key_id = place.subjects(row.authorisation_id)[0].key_id

    class Full:
        """A key store whose disk takes nothing."""

        def ids(self, scope: Scope | None = None) -> frozenset[str]:
            return place.keys.ids(scope)

        def destroy(self, _key_ids: object) -> None:
            raise DiskError("full")

    place.clock.advance(2 * HOUR)
    with pytest.raises(DiskError), place.store.write() as tx:
        discard.tick(tx, Full())  # type: ignore[arg-type]
    assert place.row(row.authorisation_id).state == "expired", "said after the commit"
    assert place.row(row.authorisation_id).discarded_at_ns is None
    place.tick()
    assert key_id not in place.keys.ids()
    assert place.row(row.authorisation_id).discarded_at_ns is not None
