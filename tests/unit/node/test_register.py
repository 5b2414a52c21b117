"""The node makes the public register of its own entries: auditors compute the same, and outsiders verify its log."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.installation import DAY, HOUR, STAFF
from tests.unit.node.test_publishing import Station

from habeas.audit.fetching import openings_at
from habeas.audit.folder import LogFolder
from habeas.audit.inputs import logs_at
from habeas.audit.note import parse_key
from habeas.audit.openings import open_entry, openings_file
from habeas.audit.policy import WitnessPolicy
from habeas.audit.verify import Trust, verify
from habeas.clock import ns_of_utc
from habeas.errors import ProofError
from habeas.node.counting import log_counts, write_counts
from habeas.node.register import EVERY_NS, Registering
from habeas.node.searching import write_searches
from habeas.register.checking import check
from habeas.register.document import parse
from habeas.register.pages import PAGES
from habeas.review.table import Answer
from habeas.settings import PublicSettings
from habeas.store import queries
from habeas.store.records import Search
from habeas.types import NS_PER_S


def registering(station: Station) -> Registering:
    settings = PublicSettings(operator="City of Somewhere")
    return Registering(
        station.here.store, station.here.clock, station.folder / "logs", station.folder / "public", settings
    )


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    made = Station(tmp_path)
    made.begun()
    yield made
    made.close()


def published(station: Station) -> dict[str, Any]:
    return parse((station.folder / "public" / "register.json").read_bytes())


def export(station: Station) -> Path:
    """Write what an auditor gets of the openings."""
    folder = station.folder / "export"
    with station.here.store.read() as tx:
        rows = queries.entries_from(tx, 0, 1 << 30)
    path = folder / openings_file(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(open_entry(station.here.keys, row).as_json()) + "\n" for row in rows))
    return folder


def live(station: Station) -> None:
    """Two weeks of an installation."""
    here = station.here
    for number in range(6):
        here.camera(f"c{number}")
    found = here.started()
    alert = here.alert(found.authorisation_id)
    for name in ("opal", "otto"):
        here.judge(name, alert.alert_id, Answer.DIFFERENT)
    here.advance(3 * HOUR)
    here.advance(8 * DAY)
    here.started()
    here.advance(2 * DAY)
    station.log.beat()


def test_an_auditor_computes_what_the_node_publishes(station: Station) -> None:
    register = registering(station)
    register.step()
    live(station)
    register.step()
    openings = openings_at(str(export(station)))
    assert openings is not None
    told = published(station)
    assert check(told, openings).entries == told["entries_now"]
    assert [one["state"] for one in told["authorisations"]] == ["expired"]
    assert (told["authorisations_not_shown"], told["stated"]["operator"]) == (1, "City of Somewhere")
    assert told["log"]["witnesses"]
    assert not told["log"]["self_witnessed"]
    assert told["zones"][0]["cameras"] == 6
    with pytest.raises(ProofError, match="authorisations_not_shown"):
        check({**told, "authorisations_not_shown": 0}, openings)


def test_reading_what_came_is_the_same_as_reading_all_of_it(station: Station) -> None:
    step_by_step = registering(station)
    for number in range(3):
        station.here.camera(f"c{number}")
        station.here.advance(DAY)
        station.log.beat()
        step_by_step.step()
    one = published(station)
    registering(station).step()
    assert published(station) == one


def test_an_outsider_verifies_the_public_log(station: Station) -> None:
    live(station)
    registering(station).step()
    folder = station.folder / "public" / "log"
    logs = logs_at(LogFolder(folder), lambda name: LogFolder(folder / name))
    keys = tuple(witness.key for witness in station.witnesses)
    trust = Trust((parse_key(station.epoch().vkey),), WitnessPolicy(keys, 2), ())
    found = verify(logs, trust, None, lambda _step: None, lambda _done, _total: None)
    assert found.entries + found.pending == station.log.state.signed


def test_what_the_node_counts_gets_into_it(station: Station) -> None:
    live(station)
    now_ns = station.here.clock.now_ns()
    hour = Search("c1", "view", now_ns - HOUR, 9, ("aut",), 1, 4, "m", "digest", 1e-4, 0.5, "build")
    with station.here.store.write() as tx:
        write_counts(tx, {"c1": Counter(analysed_ns=7 * NS_PER_S, faces=40, tracks=9)})
        tx.add(hour)
        write_searches(tx, {}, calibration="digest", build="build")
    station.here.advance(40 * DAY)
    with station.here.store.write() as tx:
        log_counts(tx)
    station.here.advance(3 * DAY)
    registering(station).step()
    openings = openings_at(str(export(station)))
    assert openings is not None
    exact = check(published(station), openings).exact
    (row,) = [one for one in exact["statistics"] if one["tracks"]]
    assert (row["zone"], row["tracks"], row["faces"], row["analysed_s"], row["gallery"]) == ("gate", 9, 40, 7, [4, 4])


def test_pages_are_written_every_five_minutes(station: Station) -> None:
    register = registering(station)
    register.step()
    first = published(station)["made"]
    station.here.clock.advance(EVERY_NS - 1)
    register.step()
    assert published(station)["made"] == first
    station.here.clock.advance(1)
    register.step()
    assert ns_of_utc(published(station)["made"]) == station.here.clock.now_ns() // NS_PER_S * NS_PER_S


@pytest.mark.rule("G5")
def test_a_suspension_its_lifting_and_its_lift_are_there_with_the_next_beat(station: Station) -> None:
    station.here.camera("c1")
    register = registering(station)
    register.step()
    suspension = station.here.suspend(zones=["gate"])
    register.step()
    assert published(station)["suspensions"][0]["state"] == "in force"
    station.here.lift(suspension.suspension_id, "pia")
    register.step()
    assert published(station)["suspensions"][0]["lift_proposed_at"] is not None
    station.here.lift(suspension.suspension_id, "paul")
    register.step()
    assert published(station)["suspensions"][0]["lifted_from"] is not None


def test_before_the_log_begins_there_is_a_register_without_one(tmp_path: Path) -> None:
    made = Station(tmp_path)
    registering(made).step()
    assert published(made)["log"] is None
    made.close()


@pytest.mark.rule("G6")
def test_nobody_is_named_in_what_is_published(station: Station) -> None:
    live(station)
    registering(station).step()
    files = [path for path in (station.folder / "public").iterdir() if path.is_file()]
    text = "".join(path.read_text() for path in files)
    assert len(files) > len(PAGES)
    for name in ("Kim", "acc-", "10.1.", *STAFF):
        assert f'"{name}' not in text
        assert f">{name}" not in text
    with station.here.store.read() as tx:
        said = "".join(row.body for row in queries.entries_from(tx, 0, 1 << 30))
    assert "acc-" in said


def test_the_log_s_thread_publishes_after_each_beat_that_failed_too(station: Station) -> None:
    """Twice round: the second time it is asked to end."""
    done: list[int] = []

    def after() -> None:
        done.append(station.log.state.signed)
        station.log._ending.set()

    station.log._after_beat = after
    (station.folder / "logs" / "1" / "checkpoint").write_bytes(b"damaged")
    station.log._tree = None
    station.log._run()
    assert len(done) == 1
    assert station.problems != []
