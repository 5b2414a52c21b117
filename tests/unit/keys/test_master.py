import base64
import copy
import os
import pickle
import stat
import sys
from pathlib import Path

import pytest

from habeas.errors import DiskError, HabeasError, InputError, RuleError
from habeas.keys import MasterKey

SECRET = bytes(range(32))
TEXT = base64.b64encode(SECRET).decode()
NOT_KEYS = [
    "",
    "\n",
    TEXT[:-4],
    TEXT + TEXT,
    TEXT.replace("A", "!"),
    SECRET.hex(),
    base64.b64encode(SECRET[:31]).decode(),
]


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def printing(text: str) -> list[str]:
    return [sys.executable, "-c", f"import sys; sys.stdout.write({text!r})"]


def test_a_new_file_is_private_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "master"
    made = MasterKey.create_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert MasterKey.from_file(path).secret_bytes() == made.secret_bytes()
    assert made.secret_bytes() != MasterKey.create_file(tmp_path / "other").secret_bytes()


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "master"
    made = MasterKey.create_file(path)
    with pytest.raises(DiskError, match="File exists"):
        MasterKey.create_file(path)
    assert MasterKey.from_file(path).secret_bytes() == made.secret_bytes()
    with pytest.raises(DiskError):
        MasterKey.create_file(tmp_path / "no" / "folder")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o700, 0o200, 0o666, 0o4600, 0o000])
def test_a_file_with_another_mode_is_refused(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / "master", TEXT)
    path.chmod(mode)
    with pytest.raises(InputError) as refused:
        MasterKey.from_file(path)
    assert refused.value.remedy


def test_a_file_for_reading_only_is_fine(tmp_path: Path) -> None:
    path = private(tmp_path / "master", TEXT + "\n")
    path.chmod(0o400)
    assert MasterKey.from_file(path).secret_bytes() == SECRET


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = private(tmp_path / "master", TEXT)
    os.chown(path, 12345, -1)
    with pytest.raises(InputError, match="another user"):
        MasterKey.from_file(path)


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    for path in (tmp_path / "master", tmp_path):
        with pytest.raises(InputError):
            MasterKey.from_file(path)
    assert not list(tmp_path.iterdir())
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (Path(os.devnull), tmp_path / "pipe"):
        with pytest.raises(InputError, match="not a file"):
            MasterKey.from_file(path)


@pytest.mark.parametrize("text", NOT_KEYS)
def test_what_is_no_key_is_refused_everywhere_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("HABEAS_TEST_MASTER", text)
    path = private(tmp_path / "master", text)
    for source in (
        lambda: MasterKey.from_file(path),
        lambda: MasterKey.from_environment("HABEAS_TEST_MASTER"),
        lambda: MasterKey.from_command(printing(text)),
    ):
        with pytest.raises(InputError, match="holds no master key") as refused:
            source()
        assert "base64" in refused.value.remedy
        assert not text.strip() or text not in str(refused.value)


def test_the_environment_gives_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HABEAS_TEST_MASTER", TEXT)
    assert MasterKey.from_environment("HABEAS_TEST_MASTER").secret_bytes() == SECRET
    assert "HABEAS_TEST_MASTER" not in os.environ  # no child inherits it
    with pytest.raises(InputError, match="not set"):
        MasterKey.from_environment("HABEAS_TEST_MASTER")


def test_a_command_prints_it() -> None:
    assert MasterKey.from_command(printing(TEXT + "\n")).secret_bytes() == SECRET


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be run"):
        MasterKey.from_command([f"echo {TEXT}; touch {tmp_path / 'trace'}"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("argv", [[], [""], ["/no/such/program"], ["a\0b"]])
def test_a_command_that_cannot_be_run_is_refused(argv: list[str]) -> None:
    with pytest.raises(InputError, match="cannot be run"):
        MasterKey.from_command(argv)


def test_a_command_that_fails_is_refused_without_its_output() -> None:
    program = [sys.executable, "-c", f"import sys; print({TEXT!r}); print({TEXT!r}, file=sys.stderr); sys.exit(3)"]
    with pytest.raises(InputError, match="ended with status 3") as refused:
        MasterKey.from_command(program)
    assert TEXT not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_command_that_hangs_is_killed() -> None:
    with pytest.raises(InputError, match=r"did not end within 0\.2 s"):
        MasterKey.from_command([sys.executable, "-c", "import signal; signal.pause()"], timeout_s=0.2)


def test_it_stays_where_it_is() -> None:
    master = MasterKey(SECRET)
    assert repr(master) == str(master) == "MasterKey()"
    for action in (lambda: pickle.dumps(master), lambda: copy.copy(master), lambda: copy.deepcopy(master)):
        with pytest.raises(RuleError):
            action()


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_other_lengths_are_refused(length: int) -> None:
    with pytest.raises(HabeasError, match="32 bytes"):
        MasterKey(bytes(length))
