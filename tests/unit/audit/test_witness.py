"""A witness and its files: what it answers, what it keeps before it answers, and that it never goes back."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.histories import FORK, TRUE, History
from tests.unit.audit.signers import LOG, OTHER_LOG, THIEF, WITNESSES, signed

from habeas.audit.checkpoint import Checkpoint, parse_checkpoint
from habeas.audit.merkle import EMPTY_ROOT
from habeas.audit.note import Note, VerifierKey, verify_note
from habeas.audit.witness import EVIDENCE, KEY_FILE, MAX_EVIDENCE, Told, Witness
from habeas.audit.witnessing import MAX_REQUEST_BYTES, Request, parse_answer, parse_request, parse_size
from habeas.clock import ManualClock
from habeas.errors import DiskError, FormatError, HabeasError, InputError, UsageError
from habeas.types import NS_PER_S

ASKER = Path(__file__).parents[2] / "fault" / "drivers" / "asked.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "w"


@pytest.fixture
def witness(folder: Path, clock: ManualClock) -> Witness:
    made = Witness.found(folder, "w.example/habeas", clock)
    made.add_log(LOG.verifier)
    return made


def again(folder: Path) -> Witness:
    """The witness after a start."""
    return Witness(folder, ManualClock())


def signed_by(told: Told, key: VerifierKey, request: bytes) -> bool:
    """Tell whether an answer is the witness's signature of what was asked."""
    (verified,) = verify_note(Note(parse_request(request).signed.note.text, parse_answer(told.body)), [key])
    return told.status == 200 and verified.key == key


def state(folder: Path) -> Path:
    (file,) = (folder / "logs").iterdir()
    return file


# --- answers ----------------------------------------------------------------------------------------------------------


def test_a_log_that_grows_is_cosigned_with_the_time(witness: Witness, clock: ManualClock) -> None:
    for old, size in [(0, 0), (0, 3), (3, 3), (3, 8), (8, 40)]:
        clock.advance(30 * NS_PER_S)
        request = TRUE.request(old, size)
        told = witness.answer(request)
        assert signed_by(told, witness.key, request)
        text = parse_request(request).signed.note.text
        (verified,) = verify_note(Note(text, parse_answer(told.body)), [witness.key])
        assert verified.time_s == clock.now_ns() // NS_PER_S
        assert [one.size for one in witness.logs()] == [size]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 1",
        b"old x\n\n" + TRUE.request(0).partition(b"\n\n")[2],
        b"old 00\n\n" + TRUE.request(0).partition(b"\n\n")[2],
        b"\xff" + TRUE.request(0),
        TRUE.request(0)[:-1],
        TRUE.request(0) + b"\n",
        b"x" * (MAX_REQUEST_BYTES + 1),
        TRUE.request(9, 8),
    ],
    ids=["empty", "short", "no number", "two spellings", "no UTF-8", "cut", "longer", "too large", "old above new"],
)
def test_400(witness: Witness, body: bytes) -> None:
    assert witness.answer(TRUE.request(0, 9)).status == 200
    told = witness.answer(body)
    assert told.status == 400
    assert told.body.endswith(b"\n")


def test_403_without_the_logs_signature(witness: Witness) -> None:
    told = witness.answer(TRUE.request(0, 5, log=THIEF))
    assert (told.status, witness.logs()[0].size) == (403, 0)


def test_404_of_a_log_that_is_not_known(witness: Witness) -> None:
    assert witness.answer(TRUE.request(0, 5, log=OTHER_LOG)).status == 404
    witness.add_log(OTHER_LOG.verifier)
    assert witness.answer(TRUE.request(0, 5, log=OTHER_LOG)).status == 200


def test_409_with_the_size_where_the_log_knows_another(witness: Witness) -> None:
    witness.answer(TRUE.request(0, 5))
    for old in (0, 4, 6):
        told = witness.answer(TRUE.request(old, 8))
        assert (told.status, told.is_size, parse_size(told.body)) == (409, True, 5)


@pytest.mark.rule("L6")
def test_a_log_that_was_set_back_is_refused(witness: Witness) -> None:
    witness.answer(TRUE.request(0, 20))
    for old in range(20):
        told = witness.answer(TRUE.request(min(old, 19), 19))
        assert (told.status, told.is_size) == (409, True)
    assert witness.answer(TRUE.request(20, 19)).status == 400
    assert witness.logs()[0].size == 20


@pytest.mark.rule("L6")
@pytest.mark.parametrize(("size", "status"), [(20, 409), (21, 422), (40, 422)])
def test_a_forked_log_is_refused_and_the_evidence_kept(witness: Witness, folder: Path, size: int, status: int) -> None:
    witness.answer(TRUE.request(0, 20))
    told = witness.answer(FORK.request(20, size))
    assert (told.status, told.is_size) == (status, False)
    assert witness.logs()[0].evidence == 1
    came, before = folder / told.evidence, folder / f"{told.evidence}.cosigned"
    assert parse_request(came.read_bytes()).signed.checkpoint.root == FORK.root(size)
    assert parse_checkpoint(before.read_bytes()).checkpoint.root == TRUE.root(20)
    assert [bool(verify_note(parse_checkpoint(file).note, [LOG.verifier]))
            for file in (before.read_bytes(), came.read_bytes().partition(b"\n\n")[2])] == [True, True]  # fmt: skip
    assert witness.answer(FORK.request(20, size)).evidence == "", "once"
    assert witness.answer(TRUE.request(20, 21)).status == 200, "the true history goes on"


def test_two_trees_of_one_size_are_evidence_whatever_old_size_is_named(witness: Witness) -> None:
    witness.answer(TRUE.request(0, 20))
    told = witness.answer(FORK.request(0, 20))
    assert (told.status, told.is_size, told.body) == (409, True, b"20\n")
    assert told.evidence
    assert not witness.answer(TRUE.request(0, 20)).evidence, "the control: the same tree"
    assert not witness.answer(FORK.request(0, 21)).evidence, "a larger one proves nothing yet"


def test_no_stranger_fills_the_disk_with_evidence(witness: Witness, folder: Path) -> None:
    witness.answer(TRUE.request(0, 5))
    for number in range(MAX_EVIDENCE + 5):
        witness.answer(TRUE.grown(b"%d" % number).request(5, proof=[EMPTY_ROOT]))
        witness.answer(TRUE.request(5, 9, log=THIEF))
    assert len(list((folder / EVIDENCE).iterdir())) == 2 * MAX_EVIDENCE
    assert witness.logs()[0].evidence == MAX_EVIDENCE


def test_the_tree_of_no_leaves_with_another_root_is_422(witness: Witness) -> None:
    empty = Request(0, (), signed(Checkpoint(LOG.name, 0, TRUE.root(1)), LOG)).encode()
    assert witness.answer(empty).status == 422
    assert witness.answer(TRUE.request(0, 0)).status == 200, "the control"


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_what_was_cosigned_is_known_after_a_start(witness: Witness, folder: Path) -> None:
    witness.answer(TRUE.request(0, 20))
    assert again(folder).key == witness.key
    assert again(folder).answer(FORK.request(20)).status == 422
    assert again(folder).answer(TRUE.request(0, 25)).body == b"20\n"
    assert again(folder).answer(TRUE.request(20, 25)).status == 200


def test_no_file_of_a_witness_is_readable_by_others(witness: Witness, folder: Path) -> None:
    witness.answer(TRUE.request(0, 20))
    witness.answer(FORK.request(20))
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 4
    assert {path.stat().st_mode & 0o077 for path in (*files, folder)} == {0}


def test_a_damaged_file_refuses_its_log_and_no_other(witness: Witness, folder: Path) -> None:
    witness.answer(TRUE.request(0, 20))
    file = state(folder)
    witness.add_log(OTHER_LOG.verifier)
    whole = file.read_bytes()
    cuts = [whole[:at] for at in range(len(whole))]
    flips = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]
    for damaged in (*cuts, *flips, whole + b"\n", whole + whole):
        file.write_bytes(damaged)
        for request in (TRUE.request(20, 30), FORK.request(0, 30)):
            with pytest.raises(FormatError, match="damaged"):
                witness.answer(request)
        assert file.read_bytes() == damaged
    assert witness.answer(TRUE.request(0, 5, log=OTHER_LOG)).status == 200
    assert [(one.key is None, one.size) for one in witness.logs()] == [(False, 5), (True, 0)]
    with pytest.raises(InputError, match="known already"):
        witness.add_log(LOG.verifier)
    file.write_bytes(whole)
    assert witness.answer(TRUE.request(20, 30)).status == 200, "the control"


def test_one_logs_file_is_not_taken_for_anothers(witness: Witness, folder: Path) -> None:
    witness.answer(TRUE.request(0, 20))
    first = state(folder)
    witness.add_log(OTHER_LOG.verifier)
    (second,) = set((folder / "logs").iterdir()) - {first}
    shutil.copy(second, first)
    with pytest.raises(FormatError, match="another log"):
        witness.answer(FORK.request(0))


def test_a_disk_that_fails_signs_nothing(witness: Witness, folder: Path) -> None:
    witness.answer(TRUE.request(0, 5))
    logs = folder / "logs"
    logs.rename(folder / "aside")
    logs.write_text("no folder")
    with pytest.raises(DiskError):
        witness.answer(TRUE.request(5, 9))
    with pytest.raises(DiskError):
        witness.add_log(OTHER_LOG.verifier)
    logs.unlink()
    (folder / "aside").rename(logs)
    assert witness.answer(TRUE.request(0, 9)).body == b"5\n"


def test_a_folder_brought_back_from_a_backup_goes_back(witness: Witness, folder: Path, tmp_path: Path) -> None:
    """What docs/witness.md warns of: nothing in the folder can tell."""
    witness.answer(TRUE.request(0, 2))
    shutil.copytree(folder, tmp_path / "backup")
    assert witness.answer(TRUE.request(2, 20)).status == 200
    assert again(tmp_path / "backup").answer(FORK.request(2, 20)).status == 200


def test_a_clock_before_1970_signs_nothing(folder: Path) -> None:
    witness = Witness.found(folder, "w.example", ManualClock(-NS_PER_S))
    witness.add_log(LOG.verifier)
    with pytest.raises(InputError, match="no time"):
        witness.answer(TRUE.request(0, 5))


# --- founding ---------------------------------------------------------------------------------------------------------


def test_a_witness_is_found_once(witness: Witness, folder: Path, clock: ManualClock) -> None:
    with pytest.raises(InputError, match="there is a witness"):
        Witness.found(folder, "other", clock)
    (folder / KEY_FILE).unlink()
    with pytest.raises(InputError, match="there is a witness"):
        Witness.found(folder, "other", clock)
    assert repr(witness) == "Witness('w.example/habeas')"


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\tb"])
def test_what_is_no_name(folder: Path, name: str, clock: ManualClock) -> None:
    with pytest.raises(InputError, match="key name"):
        Witness.found(folder, name, clock)
    assert not folder.exists()


def test_a_key_of_a_witness_is_none_of_a_log(witness: Witness) -> None:
    with pytest.raises(InputError, match="not the key of a log"):
        witness.add_log(WITNESSES[0].verifier)


def test_without_a_witness_there_is_nothing_to_open(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no witness"):
        again(tmp_path)


def test_a_key_that_others_may_read_is_refused(witness: Witness, folder: Path) -> None:
    (folder / KEY_FILE).chmod(0o640)
    with pytest.raises(UsageError, match="others may read"):
        again(folder)
    assert witness.name


SECRET = "11" * 32


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[]", b"null", b'{"name": "a"}', b'{"name": "a", "secret": 5, "v": 1}',
     b'{"name": "a", "secret": "11", "v": 1}', json.dumps({"name": "a", "secret": SECRET, "v": 2}).encode()],
)  # fmt: skip
def test_a_damaged_key_is_named(witness: Witness, folder: Path, content: bytes) -> None:
    (folder / KEY_FILE).write_bytes(content)
    with pytest.raises(FormatError, match=KEY_FILE) as error:
        again(folder)
    assert witness.name
    assert SECRET not in str(error.value)


# --- at once ----------------------------------------------------------------------------------------------------------

Ask = Callable[[bytes], tuple[int, bytes]]


def race(first: Ask, second: Ask, rounds: int) -> list[tuple[int, int]]:
    """Ask two ways at once, for two futures of one history; go on from the one that was cosigned."""
    history, statuses = History((b"0",)), []
    first(history.request(0))
    with ThreadPoolExecutor(2) as pool:
        for number in range(rounds):
            size = len(history.leaves)
            futures = [history.grown(b"a%d" % number), history.grown(b"b%d" % number, b"and one more")]
            bodies = [one.request(size) for one in futures]
            together = threading.Barrier(2)

            def ask(how: Ask, body: bytes, together: threading.Barrier = together) -> int:
                together.wait()
                return how(body)[0]

            came = list(pool.map(ask, (first, second), bodies))
            statuses.append((came[0], came[1]))
            if came.count(200) != 1:
                break
            history = futures[came.index(200)]
    return statuses


def here(witness: Witness) -> Ask:
    def ask(body: bytes) -> tuple[int, bytes]:
        told = witness.answer(body)
        return told.status, told.body

    return ask


@pytest.fixture
def processes(folder: Path, witness: Witness) -> Iterator[list[Ask]]:
    """The same witness, running twice."""
    assert witness
    running = [
        subprocess.Popen([sys.executable, ASKER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]

    def ask(one: "subprocess.Popen[str]") -> Ask:
        assert one.stdin
        assert one.stdout
        given, said = one.stdin, one.stdout

        def asked(body: bytes) -> tuple[int, bytes]:
            given.write(f"{body.hex()}\n")
            given.flush()
            status, told = said.readline().split()
            return int(status), bytes.fromhex(told)

        return asked

    yield [ask(one) for one in running]
    for one in running:
        one.communicate()
        assert one.returncode == 0


def test_two_threads_never_get_two_histories(witness: Witness, folder: Path) -> None:
    other = again(folder)
    for first, second in [(here(witness), here(witness)), (here(witness), here(other))]:
        shutil.rmtree(folder / "logs")
        witness.add_log(LOG.verifier)
        assert {tuple(sorted(one)) for one in race(first, second, 25)} == {(200, 409)}


def test_two_processes_never_get_two_histories(processes: list[Ask]) -> None:
    statuses = race(processes[0], processes[1], 40)
    assert {tuple(sorted(one)) for one in statuses} == {(200, 409)}
    assert len(statuses) == 40


def test_that_race_is_one(witness: Witness) -> None:
    """The control: a witness that decides by what it read before loses it, as the specification says."""
    meet = threading.Barrier(2)

    def careless(body: bytes) -> tuple[int, bytes]:
        known = witness.logs()[0].size
        if known:
            meet.wait()
        same = parse_request(body).old_size == known
        told = witness.answer(body)
        return (200 if same else told.status), told.body

    assert (200, 200) in race(careless, careless, 3)


def test_beginning_beside_a_running_one_removes_nothing_of_it(witness: Witness, folder: Path) -> None:
    """Half-written files are removed under the lock: while another process writes one, nobody looks."""
    over = threading.Event()

    def begin() -> None:
        while not over.is_set():
            again(folder)

    thread = threading.Thread(target=begin)
    thread.start()
    try:
        for size in range(1, 40):
            assert witness.answer(TRUE.request(size - 1, size)).status == 200
    finally:
        over.set()
        thread.join()


def test_what_a_crash_left_half_written_is_removed(witness: Witness, folder: Path) -> None:
    (folder / "logs" / ".new-abc").write_bytes(b"half")
    assert [one.log for one in again(folder).logs()] == [LOG.name]
    assert [path.name for path in (folder / "logs").iterdir()] == [state(folder).name]
    assert witness.name


def test_every_refusal_has_a_remedy(witness: Witness, folder: Path) -> None:
    state(folder).write_bytes(b"")
    with pytest.raises(HabeasError) as error:
        witness.answer(TRUE.request(0))
    assert "docs/witness.md" in error.value.remedy
