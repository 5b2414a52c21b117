"""Bundles: what is in one, that it is checked offline, that each fault planted in it is seen, and who may make one."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from tests.installation import HOUR, Installation, rule_of
from tests.unit.audit.exports import files_of, note_of
from tests.unit.audit.signers import LOG, THIEF, WITNESSES

from habeas.audit import bundle
from habeas.audit.entry import leaf_of
from habeas.audit.folder import LogFolder
from habeas.audit.note import VerifierKey
from habeas.audit.policy import WitnessPolicy
from habeas.clock import ManualClock
from habeas.errors import InputError, ProofError
from habeas.node.bundling import bundle_of, gather
from habeas.node.searching import write_searches
from habeas.review.table import Answer
from habeas.store.records import Alert, Authorisation, Entry, Epoch, Search

KEYS: Final = (LOG.verifier,)
POLICY: Final = WitnessPolicy(tuple(one.verifier for one in WITNESSES[:3]), 2)
DECISION: Final = b"the court says so"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Installation]:
    with Installation(tmp_path, ManualClock()) as made:
        made.camera("c1")
        with made.store.write() as tx:
            tx.add(Epoch(1, LOG.name, 0, tx.now_ns, LOG.verifier.encode(), "log-1", b""))
            tx.entry("node.started", "node", {"build": "b" * 64, "clock_trusted": True, "model": "m"})
        yield made


@pytest.fixture
def row(place: Installation) -> Authorisation:
    return place.started("rita", decision=DECISION, until_ns=place.clock.now_ns() + 20 * HOUR)


def searched(place: Installation, row: Authorisation, view_id: str = "v") -> None:
    """An hour of searches is over, and an entry."""
    hour_ns = place.clock.now_ns() - place.clock.now_ns() % HOUR
    of = (row.authorisation_id,)
    counted = Search("c1", view_id, hour_ns, 120, of, 1, 1, "m", "cal", 1e-4, 0.5, "b")
    with place.store.write() as tx:
        tx.add(counted)
    place.advance(HOUR)
    with place.store.write() as tx:
        write_searches(tx, {}, calibration="cal", build="b")


def published(place: Installation, *, without_last: int = 0) -> None:
    """The log is signed and witnessed; of the last entries not yet."""
    leaves = [leaf_of(entry) for entry in place.look(Entry)]
    leaves = leaves[: len(leaves) - without_last]
    LogFolder(place.folder / "log" / "1").write(files_of(leaves, note_of(leaves, LOG)))


def made(place: Installation, who: str = "aud", **of: str) -> bytes:
    gathered = place.do(who, lambda tx, actor: gather(tx, actor, **of))
    return bundle_of(gathered, place.keys, place.folder / "log")


def confirmed(place: Installation, row: Authorisation) -> Alert:
    alert = place.alert(row.authorisation_id)
    for who in ("opal", "otto"):
        place.judge(who, alert.alert_id, Answer.SAME)
    return alert


@pytest.fixture
def court(place: Installation, row: Authorisation) -> bytes:
    """The bundle of a confirmed alert."""
    alert = confirmed(place, row)
    searched(place, row)
    searched(place, row, view_id="another")
    published(place)
    return made(place, alert_id=alert.alert_id)


def checked(data: bytes, keys: tuple[VerifierKey, ...] = KEYS, policy: WitnessPolicy = POLICY) -> bundle.Checked:
    return bundle.check(data, keys, policy)


# --- what is in it ----------------------------------------------------------------------------------------------------


def test_a_court_finds_all_that_led_to_an_alert(row: Authorisation, court: bytes) -> None:
    found = checked(court)
    abstract = found.told["abstract"]
    (alert,) = abstract["alerts"].values()
    asked = abstract["authorisations"][row.authorisation_id]
    assert (found.unproven, found.witnesses) == ((), 3)
    assert (asked["decision"], asked["sha256"]) == (row.decision_sha256, row.content_hash)
    assert [one["of"] for one in abstract["approvals"]] == [row.authorisation_id] * 2
    assert (alert["outcome"], alert["threshold"], alert["gallery_size"], alert["model"]) == ("confirmed", 0.5, 1, "m")
    assert [one["verdict"] for one in alert["verdicts"]] == ["same", "same"]
    assert abstract["searches"]["settings"][0]["calibration"] == "cal"
    assert abstract["searches"]["number"] == 120, "of this view, and no other"
    assert abstract["programs"] == [{"build": "b" * 64, "model": "m"}]


def test_it_holds_no_face_and_no_name(court: bytes) -> None:
    files = unzipped(court)
    assert {Path(name).suffix for name in files} == {".txt", ".json", ".tlog-proof"}
    everything = b"".join(files.values())
    assert b"a face" not in everything
    assert b"Kim Doe" not in everything


def test_the_defence_finds_searches_that_found_nothing(place: Installation, row: Authorisation) -> None:
    for _ in range(3):
        searched(place, row)
    published(place)
    told = checked(made(place, authorisation_id=row.authorisation_id)).told["abstract"]
    assert (told["searches"]["number"], told["alerts"]) == (360, {})


def test_alerts_of_an_authorisation_are_listed_with_their_outcome(place: Installation, row: Authorisation) -> None:
    alert = confirmed(place, row)
    open_one = place.alert(row.authorisation_id, track_id=2)
    published(place)
    told = checked(made(place, authorisation_id=row.authorisation_id)).told["abstract"]["alerts"]
    assert {name: one["outcome"] for name, one in told.items()} == {
        alert.alert_id: "confirmed",
        open_one.alert_id: None,
    }


@pytest.mark.rule("V12")
def test_the_bundle_of_a_false_alert_does_not_say_again_whom_it_matched(
    place: Installation, row: Authorisation
) -> None:
    alert = place.alert(row.authorisation_id)
    for who in ("opal", "otto"):
        place.judge(who, alert.alert_id, Answer.DIFFERENT)
    published(place)
    data = made(place, alert_id=alert.alert_id)
    (told,) = checked(data).told["abstract"]["alerts"].values()
    assert (told["outcome"], told["similarity"], told["captured_at"]) == ("false", None, None)
    assert row.authorisation_id.encode() not in b"".join(unzipped(data).values())


def test_entries_after_the_checkpoint_are_counted_and_nothing_vouches_for_them(
    place: Installation, row: Authorisation
) -> None:
    alert = confirmed(place, row)
    published(place, without_last=1)
    found = checked(made(place, alert_id=alert.alert_id))
    assert found.unproven == (len(place.look(Entry)) - 2,)
    assert found.proven == len(found.told["entries"]) - 1


def test_a_bundle_of_a_log_that_was_never_published_has_no_proof(place: Installation, row: Authorisation) -> None:
    found = checked(made(place, alert_id=place.alert(row.authorisation_id).alert_id))
    assert (found.proven, found.witnesses) == (0, 0)


def test_the_same_content_is_the_same_bytes(place: Installation, row: Authorisation) -> None:
    published(place)
    gathered = place.do("aud", lambda tx, actor: gather(tx, actor, authorisation_id=row.authorisation_id))
    first, second = (bundle_of(gathered, place.keys, place.folder / "log") for _ in range(2))
    assert first == second


# --- who may ----------------------------------------------------------------------------------------------------------


def test_an_entry_says_so_before_the_bytes_leave(place: Installation, row: Authorisation) -> None:
    gathered = place.do("abe", lambda tx, actor: gather(tx, actor, authorisation_id=row.authorisation_id))
    last = place.look(Entry)[-1]
    assert (last.kind, last.seq) == ("bundle.made", gathered.about.made_entry)
    assert json.loads(last.body)["authorisation"] == row.authorisation_id


@pytest.mark.parametrize(
    ("who", "rule"),
    [("opal", "role"), ("rob", "role"), ("pia", "role"), ("ann", "role"), ("token:aud", "login-needed")],
)
def test_nobody_else_makes_one(place: Installation, row: Authorisation, who: str, rule: str) -> None:
    assert rule_of(lambda: made(place, who, authorisation_id=row.authorisation_id)) == rule


@pytest.mark.parametrize("of", [{"alert_id": "alert-0"}, {"authorisation_id": "aut-0"}])
def test_there_is_no_bundle_of_nothing(place: Installation, of: dict[str, str]) -> None:
    with pytest.raises(InputError):
        made(place, **of)


# --- checking ---------------------------------------------------------------------------------------------------------


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def changed(data: bytes, change: Callable[[dict[str, Any], dict[str, bytes]], None]) -> bytes:
    files = unzipped(data)
    told = json.loads(files["bundle.json"])
    change(told, files)
    files["bundle.json"] = json.dumps(told).encode()
    return zipped(files)


def entry(told: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in told["entries"] if one["opening"]["type"] == kind)
    return found


def _threshold(told: dict[str, Any], _files: dict[str, bytes]) -> None:
    entry(told, "alert.raised")["opening"]["body"]["threshold"] = 0.1


def _hidden(told: dict[str, Any], _files: dict[str, bytes]) -> None:
    entry(told, "alert.raised")["hidden"]["similarity"] = 0.99


def _seq(told: dict[str, Any], _files: dict[str, bytes]) -> None:
    told["epochs"][LOG.name] = 1


def _verdict(told: dict[str, Any], files: dict[str, bytes]) -> None:
    """The decision is not proven yet, they say, and tells another verdict."""
    one = entry(told, "alert.decided")
    del files[one["proof"]], told["files"][one["proof"]]
    one["proof"] = None
    one["opening"]["body"]["verdicts"][0]["verdict"] = "different"


def _abstract(told: dict[str, Any], _files: dict[str, bytes]) -> None:
    told["abstract"]["searches"]["number"] = 0


def _missing_file(told: dict[str, Any], files: dict[str, bytes]) -> None:
    del files[entry(told, "alert.decided")["proof"]]


def _more_files(_told: dict[str, Any], files: dict[str, bytes]) -> None:
    files["face.jpg"] = b"\xff\xd8\xff"


def _proof_bytes(told: dict[str, Any], files: dict[str, bytes]) -> None:
    files[entry(told, "alert.decided")["proof"]] += b"x"


def _swapped(told: dict[str, Any], _files: dict[str, bytes]) -> None:
    one, other = entry(told, "alert.decided"), entry(told, "alert.raised")
    one["proof"], other["proof"] = other["proof"], one["proof"]


def _readme(_told: dict[str, Any], files: dict[str, bytes]) -> None:
    files["README.txt"] = b"All is well."


def _version(told: dict[str, Any], _files: dict[str, bytes]) -> None:
    told["v"] = 2


def _order(told: dict[str, Any], _files: dict[str, bytes]) -> None:
    told["entries"].reverse()


def _doubled(told: dict[str, Any], _files: dict[str, bytes]) -> None:
    told["entries"].append(told["entries"][-1])


def _odd_tags(told: dict[str, Any], files: dict[str, bytes]) -> None:
    one = entry(told, "authorisation.submitted")
    del files[one["proof"]], told["files"][one["proof"]]
    one["proof"] = None
    one["opening"]["body"]["tags"] = 7


@pytest.mark.parametrize(
    "fault",
    [
        _threshold,
        _hidden,
        _seq,
        _verdict,
        _abstract,
        _missing_file,
        _more_files,
        _proof_bytes,
        _swapped,
        _readme,
        _version,
        _order,
        _doubled,
        _odd_tags,
    ],
    ids=lambda fault: fault.__name__[1:],
)
def test_each_fault_is_seen(court: bytes, fault: Callable[[dict[str, Any], dict[str, bytes]], None]) -> None:
    assert checked(changed(court, lambda _told, _files: None)).unproven == (), "repacked it holds still"
    with pytest.raises(ProofError):
        checked(changed(court, fault))


def test_the_key_comes_from_elsewhere_and_witnesses_must_have_signed(court: bytes) -> None:
    for keys, policy in (
        ((THIEF.verifier,), POLICY),
        ((), POLICY),
        (KEYS, WitnessPolicy((WITNESSES[3].verifier,), 1)),
    ):
        with pytest.raises(ProofError):
            checked(court, keys, policy)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"x" * 1000])
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    with pytest.raises(ProofError, match="no bundle"):
        checked(data)


def test_what_was_cut_or_damaged_never_crashes(court: bytes) -> None:
    """Every 97th byte is turned round, and the archive is cut there."""
    for at in range(0, len(court), 97):
        for data in (court[:at], court[:at] + bytes([court[at] ^ 0xFF]) + court[at + 1 :]):
            with suppress(ProofError):
                checked(data)


def test_a_bomb_is_not_unpacked() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}", bytes(bundle.MAX_BYTES // 2))
    with pytest.raises(ProofError, match="too much"):
        checked(data.getvalue())
