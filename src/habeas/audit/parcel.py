"""A parcel: what an export of footage gives to its recipient, inside what is encrypted to them.

::

    README.txt          what this is, in plain words
    manifest.json       canonical JSON: what it is of, films with hashes, cameras and times, reports, the entry
    films/NAME.mp4      the films
    entry.tlog-proof    proof of the log's entry that approved exactly this

It is a ZIP archive. Checking it takes no network:

1. *Archive.* It holds the files that the manifest names and no others, each with the SHA-256 that is said there.
2. *Approval.* The entry says that two approved an export whose content has the hash of what the manifest says.
3. *Proof.* It leads from that entry to a checkpoint that the log's key signed, and a quorum of the known witnesses.

Without keys of the log the third step is left out, and said to be. Who made the archive is not trusted: whatever it is
made of, it holds, or a `ProofError` says why not.
"""

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, cast

import rfc8785
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from habeas.audit.bundle import UNREADABLE, Exhibit, prove_entry
from habeas.audit.note import VerifierKey
from habeas.audit.policy import WitnessPolicy
from habeas.audit.proof import parse_proof
from habeas.clock import ns_of_utc
from habeas.errors import FormatError, InputError, ProofError

KIND: Final = "habeas export"
VERSION: Final = 1
MAX_BYTES: Final = 512 << 20
"""Of all that is in it."""
MAX_FILMS: Final = 500
_README: Final = "README.txt"
_JSON: Final = "manifest.json"
_PROOF: Final = "entry.tlog-proof"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_BROKEN: Final = (*UNREADABLE, OverflowError, struct.error)
"""What reading an archive raises, where its offsets are made up, too."""
_MAX_SEQ: Final = 2**53 - 1
_COPY: Final = "ask for the export again; keep this one, it is evidence"


def content_of(content: Mapping[str, object]) -> str:
    """Return the hash of what was approved: SHA-256 of its canonical JSON, hexadecimal."""
    return hashlib.sha256(rfc8785.dumps(cast("Any", dict(content)))).hexdigest()


def pack(
    content: Mapping[str, object],
    reports: Mapping[str, object],
    films: Mapping[str, bytes],
    exhibit: Exhibit,
    epochs: Mapping[str, int],
) -> bytes:
    """Return the bytes of a parcel.

    Args:
        content: what was approved; its `films` say name and SHA-256 of each.
        reports: of redactions, by name of film; what `content` says their hashes are.
        films: MP4 by name.
        exhibit: the entry that approved it, with its proof.
        epochs: of the log: number of the first entry, by origin.

    Raises:
        InputError: it is too large, or its entry has no proof yet.
    """
    if exhibit.proof is None:
        raise InputError("the log has not published this approval yet", remedy="fetch it again in some minutes")
    if sum(map(len, films.values())) > MAX_BYTES or len(films) > MAX_FILMS:
        raise InputError("an export of more than 512 MB", remedy="export less at once")
    manifest = {
        "kind": KIND,
        "v": VERSION,
        "content": dict(content),
        "reports": dict(reports),
        "entry": {"seq": exhibit.seq, "opening": json.loads(exhibit.opening), "hidden": None},
        "epochs": dict(epochs),
    }
    files = {f"films/{name}": data for name, data in films.items()}
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        for name, body in {
            _README: README.encode(),
            _JSON: json.dumps(manifest, indent=1, sort_keys=True).encode(),
            _PROOF: exhibit.proof.encode(),
            **files,
        }.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), body)
    return data.getvalue()


@dataclass(frozen=True, repr=False)
class Parcel:
    """A parcel that holds.

    Args:
        content: what was approved.
        reports: of redactions, by name of film.
        films: MP4 by name.
        proven: its entry's proof was checked against keys of the log.
        witnesses: who cosigned the checkpoint, as far as known.
    """

    content: Any
    reports: Any
    films: dict[str, bytes]
    proven: bool
    witnesses: int


def check(data: bytes, keys: Sequence[VerifierKey], policy: WitnessPolicy) -> Parcel:
    """Check a parcel by itself, without a network; the steps are numbered above.

    Args:
        data: the archive.
        keys: of the log, one an epoch, from a place that is not the parcel; none: its proof is not checked.
        policy: the witnesses that are known, and how many must have signed.

    Raises:
        ProofError: it does not hold.
        FormatError: it is no parcel, or of another version.
    """
    files = _unzipped(data)
    told = _manifest(files)
    content, reports, entry = told["content"], told["reports"], told["entry"]
    films = {name.removeprefix("films/"): body for name, body in files.items() if name.startswith("films/")}
    named = {one["name"]: one["sha256"] for one in content["films"]}
    if files.keys() != {_README, _JSON, _PROOF, *(f"films/{name}" for name in named)}:
        raise ProofError("the archive holds other files than its manifest names", remedy=_COPY)  # 1
    for name, sha256 in named.items():
        if hashlib.sha256(films[name]).hexdigest() != sha256:
            raise ProofError(f"{name} was changed", remedy=_COPY)  # 1
    if content["reports_sha256"] != _hash(reports):
        raise ProofError("the reports were changed", remedy=_COPY)  # 1
    _check_approval(entry["opening"], content)  # 2
    seen = _prove(files[_PROOF], entry, told["epochs"], keys, policy) if keys else 0  # 3
    return Parcel(content, reports, films, bool(keys), seen)


def _hash(value: Mapping[str, object]) -> str:
    """Return the hash of what somebody sent.

    Raises:
        FormatError: it has no canonical form: numbers too large or not finite, half a character, too deep.
    """
    try:
        return content_of(value)
    except (ValueError, RecursionError):
        raise _no_parcel("its manifest holds what canonical JSON does not") from None


def _check_approval(opening: Any, content: Any) -> None:
    body = opening["body"]
    fits = opening["type"] == "export.approved" and body.get("export") == content["export"]
    if not fits or body.get("sha256") != _hash(content):
        raise ProofError("its entry approved something else", remedy=_COPY)


def _prove(
    proof: bytes,
    entry: Mapping[str, object],
    epochs: Mapping[str, int],
    keys: Sequence[VerifierKey],
    policy: WitnessPolicy,
) -> int:
    """Return how many witnesses cosigned the checkpoint that holds its entry.

    Raises:
        ProofError: none that is believed holds it.
    """
    try:
        return prove_entry(parse_proof(proof), entry, epochs, keys, policy)
    except (InputError, RecursionError):
        raise _no_parcel("its proof or its entry is not of the form that it should be") from None


def _unzipped(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            if any(one.compress_type != zipfile.ZIP_STORED for one in infos):
                raise _no_parcel("it is compressed")
            too_much = sum(one.file_size for one in infos) > 2 * MAX_BYTES or len(infos) > MAX_FILMS + 3
            if too_much or len({one.filename for one in infos}) != len(infos):
                raise _no_parcel("it holds too much, or a name twice")
            return {one.filename: archive.read(one) for one in infos}
    except _BROKEN as error:
        raise _no_parcel(f"no archive that can be read ({type(error).__name__})") from None


# --- the manifest's form ----------------------------------------------------------------------------------------------


def _film_name(name: str) -> str:
    """Let the name of a file in one folder pass, and nothing else."""
    stem = name.removesuffix(".mp4")
    if stem == name or not (name.isascii() and stem.replace("-", "").replace("_", "").isalnum()):
        raise ValueError("no name of a film")
    return name


def _time(text: str) -> str:
    try:
        ns_of_utc(text)
    except InputError as error:
        raise ValueError(error.message) from None
    return text


class _Told(BaseModel):
    """Keys that a later version adds are hashed, and not understood."""

    model_config = ConfigDict(strict=True, extra="ignore")


_Sha256 = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
_Time = Annotated[str, AfterValidator(_time)]


class _Film(_Told):
    name: Annotated[str, Field(max_length=200), AfterValidator(_film_name)]
    camera: str
    from_time: Annotated[_Time, Field(alias="from")]
    until: _Time
    sha256: _Sha256


class _Content(_Told):
    about: str
    damaged: list[str]
    decision: _Sha256 | None
    export: str
    films: Annotated[list[_Film], Field(max_length=MAX_FILMS)]
    recipient: str
    reports_sha256: _Sha256
    unredacted: bool


class _Opening(_Told):
    type: str
    body: dict[str, object]


class _Entry(_Told):
    seq: Annotated[int, Field(ge=0, le=_MAX_SEQ)]
    opening: _Opening
    hidden: None


class _Manifest(_Told):
    content: _Content
    reports: dict[str, dict[str, object]]
    entry: _Entry
    epochs: dict[str, Annotated[int, Field(ge=0, le=_MAX_SEQ)]]


def _manifest(files: Mapping[str, bytes]) -> Any:
    """Return the manifest as it was sent, which is what was hashed; it has the form of `_Manifest`.

    Raises:
        FormatError: it has not, or is of another kind or version.
    """
    try:
        told = json.loads(files[_JSON])
        known = told["kind"] == KIND and told["v"] == VERSION
    except (KeyError, TypeError, ValueError, RecursionError):
        raise _no_parcel(f"it has no {_JSON} that can be read") from None
    if not known:
        raise _no_parcel("of another kind or version")
    try:
        films = _Manifest.model_validate(told).content.films
    except (ValidationError, RecursionError):
        raise _no_parcel("its manifest is not of the form that it should be") from None
    if len({film.name.lower() for film in films}) != len(films):
        raise _no_parcel("it names a film twice")
    return dict(told)


def _no_parcel(what: str) -> FormatError:
    return FormatError(f"no export of version {VERSION}: {what}", remedy="use the version of habeas that made it")


README: Final = """\
What this is

Footage of a Habeas installation, given to you because two people there approved exactly this. Unless "unredacted" is
true in manifest.json, everybody but the person concerned was made unrecognisable in the pictures, sound and metadata
were removed, and it was encoded anew. What the machine was unsure of is listed in "reports".

  manifest.json      what it is of: cameras, times, the SHA-256 of each film, reports of the redaction, and the entry of
                     the audit log that approved it
  films/             the films
  entry.tlog-proof   a proof that this entry is in the log

How to check it

  habeas footage open FILE --key 'KEY OF THE LOG' --witness 'KEY OF A WITNESS'

needs no network and no trust in whoever gave you this file. Take the keys from another place: the installation's
public register, the witnesses themselves.

If it holds, these are the films that were approved, unchanged. It does not show that what they show is true, nor that
nobody can be recognised in them by anything but a face.
"""
