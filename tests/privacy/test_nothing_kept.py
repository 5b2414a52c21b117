"""Strangers pass the real line, in a program of its own, on a machine with fresh folders: nothing of them is left."""

import base64
import copy
import gzip
import io
import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.privacy.scan import Recognise, Scanner
from tests.privacy.stage import (
    SUBJECT,
    Machine,
    Seen,
    habeas_command,
    program_environment,
    recorded,
    shots,
)

from habeas.app import App
from habeas.faces import Templater
from habeas.measure.heads import Head
from habeas.types import U8, Faces, Frame, Templates
from habeas.video.encode import encode_h264
from habeas.watching import Watch

pytestmark = [pytest.mark.rule("N1"), pytest.mark.rule("W8")]

FRAMES_A_SHOT = 4
RATE_HZ = 8


@dataclass(frozen=True)
class Film:
    """A source, and what the line makes of the strangers in it.

    Args:
        path: a video, or a folder of images.
        subject_image: the reference.
        seen: the oracle.
        scanner: looks for them.
    """

    path: Path
    subject_image: Path
    seen: Seen
    scanner: Scanner

    def arguments(self, *options: str) -> list[str]:
        return ["watch", str(self.path), "--subject", f"{SUBJECT}={self.subject_image}", "--basis", "consent", *options]


@dataclass(frozen=True)
class Ran:
    """A program that ended."""

    status: int
    out: bytes
    err: bytes


def filmed(pictures: Sequence[U8], path: Path) -> Path:
    """Write each picture as a short shot of H.264."""
    encode_h264((picture for picture in pictures for _ in range(FRAMES_A_SHOT)), path, RATE_HZ)
    return path


def as_stills(pictures: Sequence[U8], folder: Path) -> Path:
    folder.mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number:04}.png")
    return folder


def watched(app: App, source: Path, subject_image: Path, recognise: Recognise) -> Film:
    seen = recorded(app, str(source), subject_image)
    assert seen.alerts
    return Film(source, subject_image, seen, Scanner(np.stack(seen.vectors), seen.crops, recognise))


@pytest.fixture(scope="session")
def subject_image(portraits_folder: Path) -> Path:
    return portraits_folder.resolve() / "astronaut.png"


@pytest.fixture(scope="session")
def film_pictures(crowd: Callable[[int], list[Head]], heads: dict[str, Head]) -> list[U8]:
    return shots(crowd(12), heads[SUBJECT])


@pytest.fixture(scope="session")
def film(
    app: App,
    film_pictures: list[U8],
    subject_image: Path,
    recognise: Recognise,
    tmp_path_factory: pytest.TempPathFactory,
) -> Film:
    """Twelve strangers and the subject."""
    path = filmed(film_pictures, tmp_path_factory.mktemp("film") / "film.mp4")
    return watched(app, path, subject_image, recognise)


def run(app: App, machine: Machine, arguments: Sequence[str]) -> Ran:
    done = subprocess.run(
        habeas_command(*arguments),
        cwd=machine.root / "cwd",
        env=program_environment(app, machine),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=250,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def assert_nothing_of_strangers(film: Film, machine: Machine, ran: Ran) -> None:
    traces = film.scanner.folders(machine.roots) + film.scanner.streams({"stdout": ran.out, "stderr": ran.err})
    traces += [trace for path in machine.shared_memory() for trace in film.scanner.blob(str(path), path.read_bytes())]
    assert traces == []


def summary_of(ran: Ran) -> dict[str, float]:
    last = json.loads(ran.out.splitlines()[-1])
    assert last["event"] == "summary"
    return last


# --- the scanner finds what is there: one of each kind, planted -----------------------------------------------------


def as_picture(crop: U8, kind: str, **options: int) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(crop).save(packed, kind, **options)
    return packed.getvalue()


def as_base64(phase: int) -> Callable[[bytes], bytes]:
    """Base64 begins every three bytes; a leak may begin anywhere in them."""
    return lambda raw: base64.b64encode(b"x" * phase + raw)


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "raw": lambda raw: raw,
    "at an odd place": lambda raw: b"abc" + raw,
    "base64": as_base64(0),
    "base64 + 1": as_base64(1),
    "base64 + 2": as_base64(2),
    "base64 in lines": base64.encodebytes,
    "base64 for addresses": base64.urlsafe_b64encode,
    "hex": lambda raw: raw.hex().encode(),
    "HEX": lambda raw: raw.hex().upper().encode(),
    "hex with spaces": lambda raw: raw.hex(" ").encode(),
    "gzip": gzip.compress,
    "repr": lambda raw: repr(raw).encode(),
    "json of base64 of gzip": lambda raw: json.dumps({"v": base64.b64encode(gzip.compress(raw)).decode()}).encode(),
}
NOISE = np.random.default_rng(1).bytes(997)


@pytest.mark.parametrize(
    ("packing", "dtype"),
    [*((packing, "<f4") for packing in PACKINGS)]
    + [(packing, dtype) for packing in ("raw", "base64", "hex") for dtype in ("<f8", "<f2", ">f4")],
)
def test_a_planted_template_is_found(film: Film, tmp_path: Path, packing: str, dtype: str) -> None:
    """Sixteen bytes of it are enough, whatever they are packed in."""
    raw = film.seen.vectors[3].astype(dtype).tobytes()
    whole = packing in ("gzip", "json of base64 of gzip")
    planted = PACKINGS[packing](raw if whole else raw[101:121])
    (tmp_path / "log").write_bytes(planted if whole else b"start;" + planted + b";end")
    assert "template bytes" in {trace.what for trace in film.scanner.folders([tmp_path]) if trace.whose == 3}


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda vector: json.dumps(vector.tolist()), id="json"),
        pytest.param(lambda vector: json.dumps(vector[300:310].tolist()), id="ten numbers of it"),
        pytest.param(lambda vector: " ".join(f"{value:.3f}" for value in vector), id="three decimals"),
        pytest.param(lambda vector: "\n".join(f"{value:e}" for value in vector), id="scientific"),
        pytest.param(lambda vector: repr(vector[:20]), id="repr"),
    ],
)
def test_a_template_written_as_numbers_is_found(film: Film, written: Callable[[U8], str]) -> None:
    traces = film.scanner.blob("log", written(film.seen.vectors[3]).encode())
    assert 3 in {trace.whose for trace in traces if trace.what == "numbers"}


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param(lambda vector, noise: vector + noise, id="with noise"),
        pytest.param(lambda vector, _noise: vector[:192] / np.linalg.norm(vector[:192]), id="first network alone"),
        pytest.param(lambda vector, _noise: vector[192:] / np.linalg.norm(vector[192:]), id="second network alone"),
    ],
)
@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<f2"])
def test_a_template_with_other_bytes_is_found_by_where_it_points(
    film: Film, altered: Callable[[U8, U8], U8], dtype: str
) -> None:
    noise = np.random.default_rng(2).normal(0, 0.01, len(film.seen.vectors[3]))
    raw = np.asarray(altered(film.seen.vectors[3], noise)).astype(dtype).tobytes()
    traces = film.scanner.blob("log", NOISE + raw + NOISE)
    assert {trace.whose for trace in traces if trace.what == "floats"} == {3}


def test_a_template_in_eight_bits_is_found(film: Film) -> None:
    raw = np.round(film.seen.vectors[3] * 700).clip(-127, 127).astype(np.int8).tobytes()
    assert 3 in {trace.whose for trace in film.scanner.blob("log", NOISE + raw) if trace.what == "floats"}


@pytest.mark.parametrize("order", [1, -1], ids=["rgb", "bgr"])
@pytest.mark.parametrize("packing", PACKINGS)
def test_a_planted_crop_is_found(film: Film, tmp_path: Path, packing: str, order: int) -> None:
    raw = film.seen.crops[2][50:52, :, ::order].tobytes()
    (tmp_path / "core").write_bytes(NOISE + PACKINGS[packing](raw) if packing == "raw" else PACKINGS[packing](raw))
    assert "crop bytes" in {trace.what for trace in film.scanner.folders([tmp_path]) if trace.whose == 2}


def test_a_crop_listed_as_integers_is_found(film: Film) -> None:
    listed = json.dumps(film.seen.crops[2][50:52].tolist()).encode()
    assert "crop bytes" in {trace.what for trace in film.scanner.blob("log", listed) if trace.whose == 2}


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(lambda crop: as_picture(crop, "PNG"), id="png"),
        pytest.param(lambda crop: as_picture(crop, "JPEG", quality=70), id="jpeg"),
        pytest.param(lambda crop: as_picture(crop[::2, ::2], "JPEG", quality=85), id="half size"),
        pytest.param(lambda crop: NOISE + as_picture(crop, "PNG"), id="inside another file"),
        pytest.param(lambda crop: base64.b64encode(as_picture(crop, "JPEG")), id="base64"),
        pytest.param(lambda crop: as_picture(np.pad(crop, ((90, 90), (300, 50), (0, 0))), "PNG"), id="in a scene"),
    ],
)
def test_a_planted_picture_is_found(film: Film, tmp_path: Path, picture: Callable[[U8], bytes]) -> None:
    (tmp_path / "thumb").write_bytes(picture(film.seen.crops[2]))
    assert "picture" in {trace.what for trace in film.scanner.folders([tmp_path]) if trace.whose == 2}


def test_a_template_in_a_file_name_is_found(film: Film, tmp_path: Path) -> None:
    (tmp_path / film.seen.vectors[3].tobytes()[:24].hex()).touch()
    assert [trace.what for trace in film.scanner.folders([tmp_path])] == ["template bytes"]


def test_the_scanner_finds_nothing_where_nothing_is(film: Film, portraits_folder: Path) -> None:
    assert film.scanner.blob("noise", np.random.default_rng(3).bytes(20_000)) == []
    with Image.open(portraits_folder / "astronaut.png") as portrait:
        smaller = np.asarray(portrait.convert("RGB").crop((150, 30, 310, 210)).resize((112, 126)))
    assert film.scanner.blob("portrait", as_picture(smaller, "PNG")) == []
    rng = np.random.default_rng(4)
    unknown = rng.normal(size=(4, len(film.seen.vectors[0]))).astype(np.float32)
    unknown /= np.linalg.norm(unknown, axis=1, keepdims=True)
    assert film.scanner.blob("others", unknown.tobytes() + json.dumps(unknown.tolist()).encode()) == []


# --- the line leaves nothing ----------------------------------------------------------------------------------------


def test_the_oracle_knows_what_the_line_made(film: Film) -> None:
    vectors = np.stack(film.seen.vectors)
    assert film.seen.made > len(vectors) >= 12
    assert len(film.seen.crops) >= 12 * (FRAMES_A_SHOT - 1)
    people = vectors[:1]
    for vector in vectors[1:]:
        people = people if (people @ vector).max() > 0.7 else np.vstack([people, vector])
    assert len(people) >= 10


def test_a_video_leaves_nothing(app: App, film: Film, machine: Machine) -> None:
    ran = run(app, machine, film.arguments("--json"))
    assert ran.status == 0
    assert machine.written() == []
    assert_nothing_of_strangers(film, machine, ran)
    summary = summary_of(ran)
    assert summary["templates_made"] == film.seen.made
    assert summary["templates_kept"] == 0
    assert summary["alerts"] == film.seen.alerts


def test_lines_for_people_leave_nothing(app: App, film: Film, machine: Machine) -> None:
    ran = run(app, machine, film.arguments("--debug"))
    assert (ran.status, machine.written()) == (0, [])
    assert b"ALERT" in ran.out
    assert_nothing_of_strangers(film, machine, ran)


def test_a_folder_of_images_leaves_nothing(
    app: App,
    film_pictures: list[U8],
    subject_image: Path,
    recognise: Recognise,
    machine: Machine,
    tmp_path: Path,
) -> None:
    folder = as_stills(film_pictures, tmp_path / "stills")
    (folder / "00015.jpg").write_bytes((folder / "0001.png").read_bytes()[:9000])
    names = sorted(path.name for path in folder.iterdir())
    stills = watched(app, folder, subject_image, recognise)
    ran = run(app, machine, stills.arguments("--json"))
    assert (ran.status, machine.written()) == (0, [])
    assert sorted(path.name for path in folder.iterdir()) == names
    assert summary_of(ran)["templates_made"] == stills.seen.made
    assert_nothing_of_strangers(stills, machine, ran)


def test_snapshots_show_the_subject_and_no_stranger(app: App, film: Film, machine: Machine) -> None:
    ran = run(app, machine, film.arguments("--json", "--snapshots", "crops"))
    assert ran.status == 0
    assert len(machine.written()) == film.seen.alerts
    assert all(name.startswith(f"cwd/crops/{SUBJECT}-") for name in machine.written())
    assert_nothing_of_strangers(film, machine, ran)


def test_a_stranger_in_the_snapshots_would_be_found(film: Film, machine: Machine) -> None:
    (machine.root / "cwd" / "crops").mkdir()
    Image.fromarray(film.seen.crops[0]).save(machine.root / "cwd" / "crops" / f"{SUBJECT}-track1-000000000ms.png")
    with pytest.raises(AssertionError, match="picture"):
        assert_nothing_of_strangers(film, machine, Ran(0, b"", b""))


def test_an_error_in_the_middle_leaves_nothing(app: App, film: Film, machine: Machine) -> None:
    """The disk refuses the alert's crop, with strangers behind and ahead; the traceback is asked for."""
    (machine.root / "cwd" / "file").touch()
    ran = run(app, machine, film.arguments("--debug", "--snapshots", "file/crops"))
    assert ran.status == 6
    assert b"Traceback" in ran.err
    assert machine.written() == ["cwd/file"]
    assert_nothing_of_strangers(film, machine, ran)


def test_a_source_cut_off_in_the_middle_leaves_nothing(app: App, film: Film, machine: Machine, tmp_path: Path) -> None:
    """A transport stream, so that what is there can be read."""
    import av  # noqa: PLC0415 - remuxing is the test's business

    whole, cut = tmp_path / "whole.ts", tmp_path / "cut.ts"
    with av.open(str(film.path)) as source, av.open(str(whole), "w", format="mpegts") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 7 // 10] + NOISE)
    arguments = film.arguments("--json", "--debug")
    arguments[1] = str(cut)
    ran = run(app, machine, arguments)
    assert (ran.status, machine.written()) == (0, [])
    assert summary_of(ran)["templates_made"] > 0
    assert_nothing_of_strangers(film, machine, ran)


def test_killed_at_the_alert_it_leaves_nothing(app: App, film: Film, machine: Machine) -> None:
    with subprocess.Popen(
        habeas_command(*film.arguments("--json")),
        cwd=machine.root / "cwd",
        env=program_environment(app, machine),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as program:
        assert program.stdout
        assert program.stderr
        first = program.stdout.readline()
        program.kill()
        out, err = first + program.stdout.read(), program.stderr.read()
    assert json.loads(first)["event"] == "alert"
    assert b"summary" not in out
    assert machine.written() == []
    assert_nothing_of_strangers(film, machine, Ran(program.returncode, out, err))


@pytest.mark.long
@pytest.mark.parametrize("point", range(20))
def test_killed_at_any_moment_it_leaves_nothing(app: App, film: Film, machine: Machine, point: int) -> None:
    moment_s = float(np.random.default_rng([7, point]).uniform(0.05, 2.5))
    with subprocess.Popen(
        habeas_command(*film.arguments("--snapshots", "crops")),
        cwd=machine.root / "cwd",
        env=program_environment(app, machine),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as program:
        try:
            out, err = program.communicate(timeout=moment_s)
        except subprocess.TimeoutExpired:
            program.kill()
            out, err = program.communicate()
    left = [name for name in machine.written() if not name.startswith("cwd/crops/")]
    # Killed while it loads, it leaves the published weights where they were unpacked for the engine; nobody's face.
    assert [name for name in left if "/habeas-model-" not in name] == []
    assert_nothing_of_strangers(film, machine, Ran(program.returncode, out, err))


# --- inside one process ---------------------------------------------------------------------------------------------


def test_the_api_leaves_nothing_in_its_folders(
    app: App, film: Film, machine: Machine, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for name, value in machine.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(machine.root / "cwd")
    with Watch(app, [str(film.path)], {SUBJECT: [film.subject_image]}, basis="consent") as watching:
        list(watching.events())
        assert watching.summary().templates_kept == 0
    assert machine.written() == []
    printed = capfdbinary.readouterr()
    assert_nothing_of_strangers(film, machine, Ran(0, printed.out, printed.err))


class Hoarder(Templater):
    """A leak: keeps every template it makes."""

    def __init__(self, app: App) -> None:
        super().__init__(app.pack.mobilefacenet, app.pack.fr_feature, app.pack.model_id)
        self.hoard: list[Templates] = []

    def template(self, frame: Frame, faces: Faces) -> Templates:
        made = super().template(frame, faces)
        self.hoard.append(made)
        return made


class ViewHoarder(Hoarder):
    """A leak that keeps one number of each template: a view holds all of its memory."""

    def template(self, frame: Frame, faces: Faces) -> Templates:
        made = super().template(frame, faces)
        self.hoard[-1:] = [made.vectors[:, :1]]
        return made


@pytest.mark.rule("F3")
@pytest.mark.parametrize("kind", [Hoarder, ViewHoarder])
def test_a_leak_is_counted(app: App, film: Film, kind: type[Hoarder]) -> None:
    leaky = copy.copy(app)
    hoarder = kind(app)
    leaky.templater = hoarder
    with Watch(leaky, [str(film.path)], {SUBJECT: [film.subject_image]}, basis="consent") as watching:
        list(watching.events())
        assert watching.summary().templates_made == film.seen.made
        assert watching.summary().templates_kept == len(hoarder.hoard) == film.seen.made
        hoarder.hoard.clear()
        assert watching.summary().templates_kept == 0


def test_without_a_leak_nothing_is_counted(app: App, film: Film) -> None:
    with Watch(app, [str(film.path)], {SUBJECT: [film.subject_image]}, basis="consent") as watching:
        list(watching.events())
        summary = watching.summary()
    assert (summary.templates_made, summary.templates_kept) == (film.seen.made, 0)


# --- two hundred ----------------------------------------------------------------------------------------------------


def run_both_ways(app: App, film: Film, machine: Machine) -> None:
    for options in (["--json"], ["--debug", "--snapshots", "crops"]):
        ran = run(app, machine, film.arguments(*options))
        assert ran.status == 0
        assert all(name.startswith(f"cwd/crops/{SUBJECT}-") for name in machine.written())
        assert_nothing_of_strangers(film, machine, ran)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_two_hundred_invented_strangers_leave_nothing(
    app: App,
    crowd: Callable[[int], list[Head]],
    heads: dict[str, Head],
    subject_image: Path,
    recognise: Recognise,
    machine: Machine,
    tmp_path: Path,
) -> None:
    path = filmed(shots(crowd(216), heads[SUBJECT]), tmp_path / "film.mp4")
    film = watched(app, path, subject_image, recognise)
    assert len(film.seen.vectors) >= 200
    run_both_ways(app, film, machine)


@pytest.mark.long
@pytest.mark.shared
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("source", ["folder", "video"])
def test_two_hundred_people_leave_nothing(
    app: App,
    shared_data: Path,
    heads: dict[str, Head],
    subject_image: Path,
    recognise: Recognise,
    machine: Machine,
    tmp_path: Path,
    source: str,
) -> None:
    people = sorted((shared_data / "lfw-dev").iterdir())[::13][:216]
    assert len(people) == 216
    pictures = [np.asarray(Image.open(min(person.iterdir())).convert("RGB")) for person in people]
    subject = shots([], heads[SUBJECT])[0][35:285, :250]
    pictures.insert(100, subject)
    path = as_stills(pictures, tmp_path / "p") if source == "folder" else filmed(pictures, tmp_path / "p.mp4")
    film = watched(app, path, subject_image, recognise)
    assert len(film.seen.vectors) >= 200
    run_both_ways(app, film, machine)
