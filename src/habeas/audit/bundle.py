"""A bundle: what the log says of one alert, or of all searches under one authorisation, in one file that stands alone.

::

    README.txt            what this is, in plain words
    bundle.json           schema 1: what it is about, the entries opened, what they come to, hashes of the proofs
    proofs/7.tlog-proof   of entry 7 (`audit.proof`), with its leaf as the extra data

It is a ZIP archive without pictures. Checking it takes the log's public keys, and nothing else:

1. *Archive.* It holds the files that `bundle.json` names and no others, each with the SHA-256 that is said there.
2. *Proofs.* Each leads from its leaf to a checkpoint that the log's key signed, and a quorum of the known witnesses.
3. *Openings.* Each leaf commits to the opening, with its number, type and hour; the opening to what it hides.
4. *Verdicts.* What a decision says of each verdict is what the entry committed to that was made when it was given.
5. *Abstract.* What the entries come to is what `abstract_of` makes of them.

What was appended after the last checkpoint has no proof yet: it is counted, and nothing vouches for it. What is *not*
in a bundle, no bundle can show: whether entries were left out, an auditor's export tells (`audit.verify`).
"""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from habeas.audit.abstract import Evidence, abstract_of, check_verdicts
from habeas.audit.entry import Leaf
from habeas.audit.history import open_entry
from habeas.audit.note import VerifierKey
from habeas.audit.policy import WitnessPolicy
from habeas.audit.proof import InclusionProof, parse_proof, verify_proof
from habeas.errors import FormatError, ProofError

KIND: Final = "habeas bundle"
VERSION: Final = 1
MAX_BYTES: Final = 256 << 20
"""Of the archive, and of all that is in it."""
MAX_ENTRIES: Final = 20_000
_README: Final = "README.txt"
_JSON: Final = "bundle.json"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The time of every file in it: the same content makes the same bytes."""
UNREADABLE: Final = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError, OSError)
"""What `zipfile` raises at what is no archive, is damaged, or of a kind that it does not know."""
_COPY: Final = "ask for the bundle again; keep this one, it is evidence"


@dataclass(frozen=True, repr=False)
class Exhibit:
    """One entry of a bundle.

    Args:
        seq: its number.
        opening: canonical JSON.
        hidden: canonical JSON; None: nothing is hidden, or it is destroyed.
        proof: None: it is not in a checkpoint yet.
    """

    seq: int
    opening: bytes
    hidden: bytes | None
    proof: InclusionProof | None


@dataclass(frozen=True)
class About:
    """What a bundle is about, and how it was made.

    Args:
        alert: by id; empty: it is about an authorisation.
        authorisation: by id; empty: it is about an alert.
        made_at: when.
        made_entry: number of the entry that says so, which is not in it.
        build: digest of the program that made it.
        epochs: of the log: number of the first entry, by origin.
    """

    alert: str
    authorisation: str
    made_at: str
    made_entry: int
    build: str
    epochs: Mapping[str, int]


@dataclass(frozen=True)
class Checked:
    """A bundle that holds.

    Args:
        told: what `bundle.json` says.
        proven: entries that a believed checkpoint vouches for.
        unproven: numbers of the entries that were in none yet.
        witnesses: how many cosigned the least witnessed checkpoint; 0 where nothing is proven.
    """

    told: Mapping[str, Any]
    proven: int
    unproven: tuple[int, ...]
    witnesses: int


def pack(about: About, exhibits: Sequence[Exhibit]) -> bytes:
    """Return the bytes of a bundle: the same for the same content.

    Args:
        about: what it is about.
        exhibits: in ascending order of `seq`.
    """
    proofs = {f"proofs/{one.seq}.tlog-proof": one.proof.encode() for one in exhibits if one.proof is not None}
    entries = [_entry(one) for one in exhibits]
    told = {
        "kind": KIND,
        "v": VERSION,
        "of": {"alert": about.alert} if about.alert else {"authorisation": about.authorisation},
        "made_at": about.made_at,
        "made_entry": about.made_entry,
        "build": about.build,
        "epochs": dict(about.epochs),
        "abstract": abstract_of([Evidence.of(one["opening"], one["hidden"]) for one in entries]),
        "entries": entries,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in proofs.items()},
        "images": "none: faces are in no bundle; what is sealed of an alert only oversight opens",
    }
    text = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False)
    return _zipped({_README: README.encode(), _JSON: text.encode(), **proofs})


def _entry(one: Exhibit) -> dict[str, Any]:
    return {
        "seq": one.seq,
        "opening": json.loads(one.opening),
        "hidden": None if one.hidden is None else json.loads(one.hidden),
        "proof": None if one.proof is None else f"proofs/{one.seq}.tlog-proof",
    }


def _zipped(files: Mapping[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return data.getvalue()


# --- checking ---------------------------------------------------------------------------------------------------------


def check(data: bytes, keys: Sequence[VerifierKey], policy: WitnessPolicy) -> Checked:
    """Check a bundle by itself, without a network; the steps are numbered above.

    Args:
        data: the archive.
        keys: of the log, one an epoch, from a place that is not the bundle.
        policy: the witnesses that are known, and how many must have signed.

    Raises:
        ProofError: it does not hold.
        FormatError: it is no bundle, or of another version.
    """
    files = _unzipped(data)
    told = _parsed(files)
    entries = told["entries"]
    opened: list[Evidence] = []
    seen: list[int] = []
    for one in entries:
        if one["proof"] is not None:
            proof = parse_proof(files[one["proof"]])
            seen.append(prove_entry(proof, one, told["epochs"], keys, policy))  # 2, 3
        opened.append(Evidence.of(one["opening"], one["hidden"]))
    try:
        check_verdicts(opened)  # 4
        same = abstract_of(opened) == told.get("abstract")  # 5
    except (TypeError, ValueError, AttributeError, RecursionError):
        raise _no_bundle("its entries say what none says") from None
    if not same:
        raise ProofError("the abstract is not what the entries say", remedy=_COPY)
    unproven = tuple(one["seq"] for one in entries if one["proof"] is None)
    return Checked(told, len(seen), unproven, min(seen, default=0))


def prove_entry(
    proof: InclusionProof,
    one: Mapping[str, Any],
    epochs: Mapping[str, int],
    keys: Sequence[VerifierKey],
    policy: WitnessPolicy,
) -> int:
    """Check an entry against its proof; return how many witnesses cosigned the checkpoint.

    Args:
        proof: with its leaf as the extra data.
        one: `seq`, `opening`, `hidden` of the entry, JSON values.
        epochs: of the log: number of the first entry, by origin.
        keys: of the log, one an epoch.
        policy: the witnesses that are known, and how many must have signed.

    Raises:
        ProofError: it does not hold.
    """
    origin, seq = proof.signed.checkpoint.origin, one["seq"]
    key = next((key for key in keys if key.name == origin), None)
    if proof.extra is None or key is None:
        raise ProofError(f"entry {seq}: its proof is of another log, or without its leaf", remedy="give its key: --key")
    believed = verify_proof(proof, proof.extra, key, policy)
    if proof.index + epochs.get(origin, 0) != seq:
        raise ProofError(f"entry {seq}: its proof is of another entry", remedy=_COPY, index=proof.index)
    line = json.dumps({"opening": one["opening"], "hidden": one["hidden"]}).encode()
    open_entry(line, seq, proof.index, Leaf.parse(proof.extra))
    return len(believed.cosignatures)


def _unzipped(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            too_much = sum(one.file_size for one in infos) > MAX_BYTES or len(infos) > MAX_ENTRIES + 2
            if too_much or len({one.filename for one in infos}) != len(infos):
                raise _no_bundle("it holds too much, or a name twice")
            return {one.filename: archive.read(one) for one in infos}
    except UNREADABLE as error:
        raise _no_bundle(f"no archive that can be read ({type(error).__name__})") from None


def _parsed(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Read `bundle.json`, check its form, and that the archive holds what it says (1)."""
    try:
        told = json.loads(files[_JSON])
        known = told["kind"] == KIND and told["v"] == VERSION
    except (KeyError, TypeError, ValueError, RecursionError):
        raise _no_bundle(f"it has no {_JSON}") from None
    if not known:
        raise _no_bundle("of another kind or version")
    if not _well_formed(told):
        raise _no_bundle("its entries are not of the form that they should be")
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name not in {_JSON, _README}}
    named = {one["proof"] for one in told["entries"] if one["proof"] is not None}
    if hashes != told["files"] or named != hashes.keys() or files.get(_README) != README.encode():
        raise ProofError("the files are not those that bundle.json names", remedy=_COPY)
    return dict(told)


def _well_formed(told: Mapping[str, Any]) -> bool:
    entries, epochs = told.get("entries"), told.get("epochs")
    if not isinstance(entries, list) or not isinstance(told.get("files"), dict) or not isinstance(epochs, dict):
        return False
    if len(entries) > MAX_ENTRIES or not all(type(first) is int for first in epochs.values()):
        return False
    fields = {"seq", "opening", "hidden", "proof"}
    if not all(isinstance(one, dict) and one.keys() == fields and type(one["seq"]) is int for one in entries):
        return False
    numbers = [one["seq"] for one in entries]
    return numbers == sorted(set(numbers)) and all(_entry_fits(one) for one in entries)


def _entry_fits(one: Mapping[str, Any]) -> bool:
    opening = one["opening"]
    return (
        isinstance(opening, dict)
        and opening.get("seq") == one["seq"]
        and all(isinstance(opening.get(name), str) for name in ("actor", "at", "type"))
        and isinstance(opening.get("body"), dict)
        and isinstance(one["hidden"], (dict, type(None)))
        and isinstance(one["proof"], (str, type(None)))
    )


def _no_bundle(what: str) -> FormatError:
    return FormatError(f"no bundle of version {VERSION}: {what}", remedy="use the version of habeas that made it")


README: Final = """\
What this is

This archive says what the audit log of a Habeas installation holds about one alert, or about all searches made under
one authorisation, also those that found nothing. It was made by an auditor or an approver; the log says who and when
(see "made_entry" in bundle.json).

  bundle.json   what was asked for and approved, the hash of the decision, the settings of the search (model,
                calibration, threshold, gallery size, build of the program), alerts and verdicts ("abstract");
                and below that every entry of the log that says so, word for word ("entries").
  proofs/       for each entry a proof that the log held it when a checkpoint was signed, and by whom.

How to check it

  habeas audit open-bundle FILE --key 'KEY OF THE LOG' --witness 'KEY OF A WITNESS'

needs no network and no trust in whoever gave you this file. Take the keys from another place: the installation's
public register, the witnesses themselves.

What it shows, and what it does not

If it holds, these entries were in the log, unchanged, when the witnesses signed. Entries made after the last
checkpoint have no proof yet; the check counts them. It does not show that what an entry says is true, nor that no entry
was left out of this archive: an auditor's export of the whole log shows the latter.

There is no face and no name in it; who acted appears under pseudonyms. It does hold listing tags of the people searched
for ("tags" in the entries): numbers that are the same in every request of a day that names the same person. Whoever has
several of these archives learns from equal tags that two requests were about one person, and is to be trusted with
that; who it is takes a key of the installation, destroyed after twelve months.

Where something reads null that once said more, its key was destroyed when the law of the installation asked for it. Of
alerts that were confirmed or disputed a record with the picture is sealed to an outside body, oversight, who alone can
open it.
"""
