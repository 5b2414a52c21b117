"""Evidence: whose it is, what may name it, what it counts for, and that it goes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.installation import DAY, HOUR, Installation, person, rule_of

from habeas.authority import authorisations, evidence, reading
from habeas.authority.evidence import Given, State, stand_in
from habeas.authority.purposes import Purpose
from habeas.clock import ManualClock
from habeas.errors import InputError, RuleError
from habeas.keys import Scope
from habeas.store.footage_records import Evidence
from habeas.store.records import Alert, Authorisation, Entry


class Holder:
    """An installation in which evidence is handed in, its file left out."""

    def __init__(self, place: Installation) -> None:
        self.place = place

    def given(self, **changes: Any) -> Given:
        now_ns = self.place.clock.now_ns()
        key_id = self.place.keys.new(Scope.EVIDENCE, now_ns + 120 * HOUR)
        told: dict[str, Any] = {
            "evidence_id": f"evd-{len(self.place.look(Evidence)):016x}",
            "key_id": key_id,
            "deadline_ns": now_ns + 120 * HOUR,
            "sha256": "ab" * 32,
            "size_bytes": 9,
            "from_ns": now_ns - 10 * DAY,
            "lasts_ns": HOUR,
            "note": "the shop's camera",
        }
        return Given(**(told | changes))

    def add(self, who: str = "rob", **changes: Any) -> Evidence:
        given = self.given(**changes)
        return self.place.do(who, lambda tx, actor: evidence.add(tx, self.place.keys, actor, given))

    def discard(self, row: Evidence, who: str = "rob") -> Evidence:
        return self.place.do(who, lambda tx, actor: evidence.discard(tx, self.place.keys, actor, row.evidence_id))

    def row(self, row: Evidence) -> Evidence:
        return self.place.look(Evidence, evidence_id=row.evidence_id)[0]

    def about(self, row: Evidence, **changes: Any) -> dict[str, Any]:
        asked = {"live": False, "cameras": (stand_in(row),), "from_ns": row.from_ns, "until_ns": row.until_ns}
        return asked | changes

    def started(self, row: Evidence, **changes: Any) -> Authorisation:
        return self.place.started(**self.about(row, **changes))

    def kinds(self) -> list[str]:
        return [one.kind for one in self.place.look(Entry) if one.kind.startswith("evidence.")]


@pytest.fixture
def holder(tmp_path: Path, clock: ManualClock) -> Iterator[Holder]:
    clock.advance(DAY)
    with Installation(tmp_path, clock) as place:
        place.camera("c1")
        yield Holder(place)


@pytest.mark.rule("D1")
def test_a_requester_hands_in_and_says_when_it_was_taken_and_where_it_comes_from(holder: Holder) -> None:
    row = holder.add()
    assert (row.state, row.uploader) == (State.KEPT.value, holder.place.accounts["rob"])
    assert row.until_ns - row.from_ns == HOUR
    assert evidence.note_of(holder.place.keys, row) == "the shop's camera"
    (entry,) = [one for one in holder.place.look(Entry) if one.kind == "evidence.uploaded"]
    assert row.sha256 in entry.body
    assert "shop" not in entry.body, "where it comes from may name somebody"
    for who in ("abe", "pia", "ann", "opal", "aud"):
        assert rule_of(lambda who=who: holder.add(who)) == "role"
    assert holder.add("token:rob").state == State.KEPT.value
    for wrong in (
        {"note": " "},
        {"note": "x" * 501},
        {"from_ns": holder.place.clock.now_ns() + 1},
        {"lasts_ns": 11 * DAY},
    ):
        with pytest.raises(InputError):
            holder.add(**wrong)
    now_ns = holder.place.clock.now_ns()
    with pytest.raises(InputError, match="end after now"):
        holder.add(from_ns=now_ns - HOUR // 2)
    with pytest.raises(InputError, match="longer than 120 h"):
        holder.add(from_ns=now_ns - 9 * DAY, lasts_ns=121 * HOUR)


@pytest.mark.rule("D1")
def test_there_are_ten_pieces_of_one_requester_at_most(holder: Holder) -> None:
    rows = [holder.add() for _ in range(10)]
    assert rule_of(holder.add) == "evidence-number"
    assert holder.add("rita")
    holder.discard(rows[0])
    assert holder.add()


@pytest.mark.rule("D3")
def test_an_authorisation_names_it_in_the_place_of_a_camera_and_approvals_bind_it(holder: Holder) -> None:
    row = holder.add()
    place = holder.place
    asked = place.submitted(**holder.about(row))
    assert asked.cameras == ((row.evidence_id, row.sha256),)
    with place.store.read() as tx:
        bound = authorisations.content(tx, asked)
        assert bound["cameras"] == [[row.evidence_id, row.sha256]]
        assert bound["evidence"] == row.commitment
        shown = authorisations.hash_of(tx, asked)
    with place.store.write() as tx:  # another note: another content
        tx.change(tx.get(Evidence, row.evidence_id), commitment="0" * 64)
    assert rule_of(lambda: place.approve(asked.authorisation_id, "abe", shown)) == "content-changed"
    with place.store.write() as tx:
        tx.change(tx.get(Evidence, row.evidence_id), commitment=row.commitment)
    assert place.approve(asked.authorisation_id, "abe", shown).state == "submitted"
    assert place.approve(asked.authorisation_id, "bea", shown).state == "active"
    view = place.gallery.footage_view(row.evidence_id, asked.authorisation_id, place.clock.now_ns())
    assert view is not None
    assert place.gallery.view(row.evidence_id, place.clock.now_ns()) is None, "nobody watches it"
    assert row.evidence_id not in place.gallery.cameras()


@pytest.mark.rule("D3")
def test_what_approvers_see_says_what_it_is_and_where_it_comes_from(holder: Holder) -> None:
    row = holder.add()
    asked = holder.place.submitted(**holder.about(row))

    def seen(who: str) -> dict[str, Any]:
        told = holder.place.do(who, lambda tx, actor: reading.shown(tx, holder.place.keys, actor, asked))
        return dict(told["evidence"])  # type: ignore[call-overload]

    assert (seen("abe")["sha256"], seen("abe")["note"]) == (row.sha256, "the shop's camera")
    assert seen("rob")["note"] == "the shop's camera"
    assert (seen("aud")["note"], seen("rita")["note"]) == (None, None)


@pytest.mark.rule("D4")
def test_it_is_named_once_by_whoever_handed_it_in(holder: Holder) -> None:
    row = holder.add()
    place = holder.place
    assert rule_of(lambda: place.draft("rita", **holder.about(row))) == "own-draft"
    first = place.draft(**holder.about(row))
    assert holder.row(row).authorisation_id == first.authorisation_id
    assert rule_of(lambda: place.draft(**holder.about(row))) == "evidence-once"
    place.revoke(first.authorisation_id)
    assert rule_of(lambda: place.draft(**holder.about(row))) == "state"
    other = holder.add("rob")
    with pytest.raises(InputError, match="searched whole"):
        place.draft(**holder.about(other, until_ns=other.until_ns - 1))
    with pytest.raises(InputError, match="searched whole"):
        place.draft(**holder.about(other, cameras=(stand_in(replace(other, sha256="cd" * 32)),)))


@pytest.mark.rule("D3")
def test_it_is_searched_by_itself_once_and_never_live_or_by_consent(holder: Holder) -> None:
    row = holder.add()
    place = holder.place
    cameras = holder.place.asked().cameras
    with pytest.raises(InputError, match="by itself"):
        place.draft(**holder.about(row, cameras=(stand_in(row), *cameras)))
    with pytest.raises(InputError, match="by itself"):
        place.draft(**holder.about(row, live=True))
    assert rule_of(lambda: place.draft(**holder.about(row, purpose=Purpose.CONSENT))) == "consent-scope"
    asked = place.draft(**holder.about(row))
    with pytest.raises(InputError, match="searched whole"):
        place.amend(asked.authorisation_id, until_ns=row.until_ns, names=["c1"])
    with pytest.raises(InputError, match="neither amended nor renewed"):
        place.renew(asked.authorisation_id, until_ns=row.until_ns)
    with pytest.raises(InputError, match="searched whole"):  # control: it could be drafted before
        place.draft(**holder.about(holder.add(), from_ns=1))


@pytest.mark.rule("D3")
def test_its_length_counts_in_a_persons_camera_hours(holder: Holder) -> None:
    place = holder.place
    for _ in range(2):
        row = holder.add(lasts_ns=60 * HOUR)
        assert holder.started(row, people=(person("Kim Doe"),)).state == "active"
    row = holder.add(lasts_ns=HOUR)
    assert rule_of(lambda: place.submitted(**holder.about(row))) == "chain"
    other = holder.add(lasts_ns=HOUR)
    assert place.submitted(**holder.about(other, people=(person("Ada Roe", seed=4),))).state == "submitted"


@pytest.mark.rule("D6")
@pytest.mark.parametrize("how", ["refused", "revoked", "expired", "lapsed"])
def test_it_goes_with_its_authorisation_at_once(holder: Holder, how: str) -> None:
    place, row = holder.place, holder.add()
    other = holder.add()
    if how == "refused":
        place.refuse(place.submitted(**holder.about(row)).authorisation_id)
    elif how == "revoked":
        place.revoke(holder.started(row).authorisation_id)
    elif how == "expired":
        holder.started(row)
        place.advance(73 * HOUR)
    else:
        place.draft(**holder.about(row))
        assert not place.keys.expires_at_ns(row.key_id) > place.clock.now_ns() + 120 * HOUR
        place.advance(8 * DAY)
    assert not place.keys.has(row.key_id)
    assert holder.row(row).state == State.OVER.value
    assert holder.row(row).note_sealed is None
    if how != "lapsed":
        assert place.keys.has(other.key_id), "the control"
        assert holder.row(other).state == State.KEPT.value


@pytest.mark.rule("D6")
def test_its_requester_discards_it_until_something_names_it(holder: Holder) -> None:
    place, row = holder.place, holder.add()
    assert rule_of(lambda: holder.discard(row, "rita")) == "own-draft"
    assert rule_of(lambda: holder.discard(row, "abe")) == "role"
    holder.discard(row)
    assert not place.keys.has(row.key_id)
    assert rule_of(lambda: holder.discard(row)) == "state"
    assert holder.kinds() == ["evidence.uploaded", "evidence.discarded"]
    named = holder.add()
    place.draft(**holder.about(named))
    assert rule_of(lambda: holder.discard(named)) == "state"
    assert place.keys.has(named.key_id)


@pytest.mark.rule("D2")
def test_from_its_deadline_on_nothing_can_be_started_with_it(holder: Holder) -> None:
    place, row = holder.place, holder.add()
    named = holder.add()
    asked = place.submitted(**holder.about(named))
    place.clock.advance(120 * HOUR - 1)
    with place.store.read() as tx:
        assert evidence.is_kept(tx.get(Evidence, row.evidence_id), tx.now_ns)
    place.clock.advance(1)
    assert rule_of(lambda: place.draft(**holder.about(row))) == "state"
    assert rule_of(lambda: place.approve(asked.authorisation_id, "abe")) == "state"
    place.keys.reap(place.clock.now_ns())
    assert not place.keys.has(row.key_id), "the key store's own reaper asks nobody"


@pytest.mark.rule("D7")
def test_every_suspension_binds_it_whatever_it_names(holder: Holder) -> None:
    place, row = holder.place, holder.add(lasts_ns=4 * HOUR, from_ns=holder.place.clock.now_ns() - 10 * HOUR)
    place.camera("far", "elsewhere")
    assert place.gallery.free(row.evidence_id, row.from_ns, row.until_ns) == ((row.from_ns, row.until_ns),)
    place.suspend(zones=["elsewhere"], from_ns=row.from_ns + HOUR, lasts_ns=HOUR)
    assert place.gallery.free(row.evidence_id, row.from_ns, row.until_ns) == (
        (row.from_ns, row.from_ns + HOUR),
        (row.from_ns + 2 * HOUR, row.until_ns),
    )
    assert place.gallery.captured_freely("c1", row.from_ns + HOUR), "the control: a camera of another zone is free"


@pytest.mark.rule("D7")
def test_a_suspension_that_reaches_back_destroys_alerts_from_it(holder: Holder) -> None:
    place, row = holder.place, holder.add(from_ns=holder.place.clock.now_ns() - 10 * HOUR)
    asked = holder.started(row)
    with place.store.write() as tx:
        key_id = place.keys.new(Scope.ALERT, tx.now_ns + DAY)
        tx.add(alert_from(row, asked, key_id, tx.now_ns))
    place.suspend(names=["c1"], from_ns=row.from_ns, lasts_ns=HOUR)
    assert place.look(Alert)[0].destroyed_at_ns is not None
    assert not place.keys.has(key_id)


def alert_from(row: Evidence, asked: Authorisation, key_id: str, now_ns: int) -> Alert:
    return Alert(
        alert_id="alert-1",
        camera_id=row.evidence_id,
        zone=evidence.ZONE,
        authorisation_id=asked.authorisation_id,
        subject_id="s",
        captured_at_ns=row.from_ns + 1,
        raised_at_ns=now_ns,
        track_id=1,
        similarity=0.9,
        threshold=0.5,
        expected_fpir=1e-4,
        extrapolated=False,
        false_a_day=0.0,
        gallery_size=1,
        view_id="v",
        model_id="m",
        key_id=key_id,
        image_sealed=b"x",
        expires_at_ns=now_ns + DAY,
        state="open",
        from_footage=True,
        last_seen_ns=row.from_ns + 1,
    )


def test_no_camera_is_called_like_evidence(holder: Holder) -> None:
    for name, zone in (("evd-1", "gate"), ("c7", "evidence")):
        with pytest.raises(InputError, match="not called like evidence"):
            holder.place.camera(name, zone)


def test_a_list_shows_requesters_their_own_and_others_all_of_it(holder: Holder) -> None:
    mine, hers = holder.add(), holder.add("rita")
    gone = holder.add()
    holder.discard(gone)

    def seen(who: str, *, everything: bool = False) -> dict[str, bool]:
        told = holder.place.do(
            who, lambda tx, actor: evidence.listed(tx, holder.place.keys, actor, everything=everything)
        )
        return {str(one["evidence"]): "note" in one for one in told}

    assert seen("rob") == {mine.evidence_id: True}
    assert seen("rita") == {hers.evidence_id: True}
    assert seen("abe") == {mine.evidence_id: False, hers.evidence_id: False}
    assert seen("token:rob") == {mine.evidence_id: False}
    assert set(seen("rob", everything=True)) == {mine.evidence_id, gone.evidence_id}
    with pytest.raises(RuleError):
        seen("opal")
