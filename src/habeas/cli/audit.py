"""`habeas audit`: check a log from its files or address, without asking the node, and without trusting its operator."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from habeas.cli.options import AsJson, Debug
from habeas.cli.output import bar, check_writable, note, put, reporting, say
from habeas.errors import DiskError, InputError, UsageError

if TYPE_CHECKING:
    from habeas.audit.checkpoint import SignedCheckpoint
    from habeas.audit.fetching import Source
    from habeas.audit.inputs import EpochLog
    from habeas.audit.note import VerifierKey
    from habeas.audit.policy import WitnessPolicy
    from habeas.audit.verify import Step, Trust, Verified

app = typer.Typer(
    help="Check the audit log without trusting whoever keeps it, and prove what is in it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

_MAX_SINCE_BYTES: Final = 64 << 20
_ENDING: Final = ".tlog-proof"
_SETTINGS: Final = "habeas.yaml"
_A_LOG: Final = "epochs.json (of all epochs) nor checkpoint (of one)"

Keys = Annotated[
    list[str] | None,
    typer.Option("--key", help="Key of the log, NAME+ID+KEY, from a place that is not the log; repeat it for epochs."),
]
Known = Annotated[list[str] | None, typer.Option("--witness", help="Key of a witness, NAME+ID+KEY; repeat it.")]
Quorum = Annotated[
    int | None,
    typer.Option("--quorum", min=0, help="How many of the witnesses must have signed. Else: more than half."),
]


@app.command(epilog="Example: `habeas audit verify https://example.org/log --key 'example.org/log+...' --since seen`")
def verify(
    where: Annotated[
        str, typer.Argument(metavar="WHERE", help="Folder or web address of a log; or a .tlog-proof file.")
    ],
    keys: Keys = None,
    witnesses: Known = None,
    quorum: Quorum = None,
    since: Annotated[
        Path | None,
        typer.Option("--since", help="Remembers what was seen: read if it is there, written when all holds."),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", help="New folder for a copy of every file that was fetched: evidence, if it fails."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Check every tile, entry and signature of a log, and of an auditor's export also what the entries say.

    Exit status 7: it does not hold; the first entry or tile is named.
    """
    with reporting(as_json=as_json, debug=debug), ExitStack() as stack:
        pinned, policy = given_keys(keys), given_policy(witnesses, quorum)
        _check_places(where, since, keep)
        if where.endswith(_ENDING) and "://" not in where:
            _verify_proof(Path(where), pinned, policy, as_json=as_json)
            return
        from habeas.audit.verify import Trust  # noqa: PLC0415 - loads HTTP

        trust = Trust(pinned, policy, _seen(since))
        found = _verified(where, trust, stack, keep, quiet=as_json)
        if since is not None:
            _remember(since, found)
        if as_json:
            put(_as_json(where, found))
        else:
            pending = f", {found.pending} are not yet public" if found.pending else ""
            say(f"holds: {found.entries} entries{pending}")


@app.command(epilog="Example: `habeas audit prove 7345 --from https://example.org/log --out alert.tlog-proof`")
def prove(
    entry: Annotated[int, typer.Argument(metavar="ENTRY", min=0, help="Its number.")],
    where: Annotated[str, typer.Option("--from", help="Folder or web address of the log.")],
    out: Annotated[Path, typer.Option("--out", help="The proof file.")],
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Write a proof that an entry is in the log: one small file, checked without the log by `habeas audit verify`."""
    with reporting(as_json=as_json, debug=debug), ExitStack() as stack:
        from habeas.audit.proving import prove as make  # noqa: PLC0415 - loads HTTP

        if out.suffix != _ENDING:
            raise UsageError(f"{out} does not end in {_ENDING}", remedy=f"write --out NAME{_ENDING}")
        check_writable(out, "--out")
        proof = make(_logs(where, stack), entry)
        write_file(out, proof.encode())
        checkpoint = proof.signed.checkpoint
        if as_json:
            put({"proof": str(out), "entry": entry, "index": proof.index, "size": checkpoint.size})
        else:
            say(f"{out}: entry {entry} is in {checkpoint.origin} of {checkpoint.size} entries")


# --- what was given ---------------------------------------------------------------------------------------------------


def given_keys(keys: Sequence[str] | None) -> "tuple[VerifierKey, ...]":
    """Return the keys of a log that were given.

    Raises:
        UsageError: none was.
        InputError: one is no key.
    """
    from habeas.audit.note import parse_key  # noqa: PLC0415 - loads cryptography

    if not keys:
        raise UsageError(
            "no key was given: whoever made up a log could sign it too",
            remedy="give --key NAME+ID+KEY as the operator published it, from a place that is not this log",
        )
    return tuple(parse_key(key) for key in keys)


def given_policy(witnesses: Sequence[str] | None, quorum: int | None) -> "WitnessPolicy":
    """Return the witnesses that were given, and how many must have signed.

    Raises:
        UsageError: a number of them, and not who they are.
        InputError: one is no key.
    """
    if quorum and not witnesses:
        raise UsageError(
            f"--quorum {quorum}, and no witness was given",
            remedy="give the key of each as it published it: --witness NAME+ID+KEY",
        )
    from habeas.audit.note import parse_key  # noqa: PLC0415
    from habeas.audit.policy import WitnessPolicy  # noqa: PLC0415

    known = tuple(parse_key(one) for one in witnesses or ())
    needed = (len(known) // 2 + 1 if known else 0) if quorum is None else quorum
    return WitnessPolicy(known, needed)


def _check_places(where: str, since: Path | None, keep: Path | None) -> None:
    """Find out before minutes of work whether what is to be written can be.

    Raises:
        UsageError: a copy of what is no address, or into what has something in it.
        DiskError: no file can be made there.
    """
    if since is not None:
        check_writable(since, "--since")
    if keep is None:
        return
    if "://" not in where:
        raise UsageError(f"{where} is on this machine: nothing is fetched", remedy="leave --keep out, and keep it")
    if keep.exists() and not (keep.is_dir() and not any(keep.iterdir())):
        raise UsageError(f"{keep} has something in it", remedy="give --keep a new folder, one each time")
    check_writable(keep / "copy" if keep.is_dir() else keep, "--keep")


def _logs(where: str, stack: ExitStack, keep: Path | None = None) -> "tuple[EpochLog, ...]":
    from habeas.audit.fetching import EPOCHS, Fetcher, Keeping, source_at  # noqa: PLC0415
    from habeas.audit.inputs import logs_at  # noqa: PLC0415
    from habeas.audit.log import CHECKPOINT  # noqa: PLC0415
    from habeas.clock import SystemClock  # noqa: PLC0415

    fetcher = stack.enter_context(Fetcher(SystemClock()))

    def below(name: str) -> "Source":
        source = source_at(f"{where.rstrip('/')}/{name}" if name else where, fetcher)
        return source if keep is None else Keeping(source, keep / name)

    source = below("")
    if not source.has(EPOCHS) and not source.has(CHECKPOINT):
        raise _no_log(where)
    return logs_at(source, below)


def _no_log(where: str) -> InputError:
    """Return the error of a place that holds no log, with where it is meant to be."""
    workspace = next((path for path in (Path(where), Path(where).parent) if (path / _SETTINGS).is_file()), None)
    if "://" in where:
        remedy = "the log of a register is at ADDRESS/log"
    elif workspace is not None:
        remedy = f"of a node's own files, {workspace}/public/log is one; with openings: habeas audit export FOLDER"
    else:
        remedy = "give what `habeas audit export` wrote, a copy of a register's folder log, or its address"
    return InputError(f"{where}: no log is there, neither {_A_LOG}", remedy=remedy)


def _seen(since: Path | None) -> "tuple[SignedCheckpoint, ...] | None":
    """Return what was believed earlier; None: nothing is to be remembered."""
    from habeas.audit.inputs import parse_since  # noqa: PLC0415

    if since is None:
        return None
    if not since.exists():
        return ()
    return parse_since(read_file(since, _MAX_SINCE_BYTES))


def read_file(path: Path, most: int) -> bytes:
    """Return the bytes of a file.

    Raises:
        InputError: it cannot be read, or is longer than that.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})", remedy="check the name") from None
    if len(data) > most:
        raise InputError(f"{path} is longer than {most} bytes", remedy="give the right file")
    return data


# --- checking ---------------------------------------------------------------------------------------------------------


def _verified(where: str, trust: "Trust", stack: ExitStack, keep: Path | None, *, quiet: bool) -> "Verified":
    from habeas.audit.fetching import openings_at  # noqa: PLC0415
    from habeas.audit.verify import verify as check  # noqa: PLC0415

    logs = _logs(where, stack, keep)
    tell = (lambda _step: None) if quiet else _tell
    with bar("entries", None) as progress:
        task = progress.task_ids[0]
        return check(
            logs,
            trust,
            openings_at(where),
            tell,
            lambda done, total: progress.update(task, completed=done, total=total),
        )


def _tell(step: "Step") -> None:
    mark = "ok" if step.checked else "--"
    remark = f" ({step.note})" if step.note else ""
    say(f"{mark}  {step.number.ljust(3)} {step.what}: {step.count if step.checked else 'not checked'}{remark}")


def _as_json(where: str, found: "Verified") -> dict[str, object]:
    from habeas.types import utc  # noqa: PLC0415

    return {
        "event": "audit-verified",
        "where": where,
        "entries": found.entries,
        "pending": found.pending,
        "witnessed_at": None if found.witnessed_ns is None else utc(found.witnessed_ns),
        "checkpoints": [
            {"origin": one.checkpoint.origin, "size": one.checkpoint.size, "root": one.checkpoint.root.hex()}
            for one in found.checkpoints
        ],
        "steps": [
            {"step": one.number, "what": one.what, "checked": one.checked, "count": one.count, "note": one.note}
            for one in found.steps
        ],
    }


def _verify_proof(path: Path, keys: "Sequence[VerifierKey]", policy: "WitnessPolicy", *, as_json: bool) -> None:
    from habeas.audit.entry import Leaf  # noqa: PLC0415
    from habeas.audit.proof import MAX_PROOF_BYTES, parse_proof, verify_proof  # noqa: PLC0415

    proof = parse_proof(read_file(path, MAX_PROOF_BYTES))
    if proof.extra is None:
        raise InputError(f"{path} does not hold its entry", remedy="make it with `habeas audit prove`")
    key = next((key for key in keys if key.name == proof.signed.checkpoint.origin), keys[0])
    believed = verify_proof(proof, proof.extra, key, policy)
    leaf = Leaf.parse(proof.extra)
    if as_json:
        put(
            {
                "event": "audit-proven",
                "origin": believed.checkpoint.origin,
                "index": proof.index,
                "size": believed.checkpoint.size,
                "type": leaf.kind,
                "hour": leaf.hour,
                "commitment": leaf.commitment,
                "witnesses": [one.key.name for one in believed.cosignatures],
            }
        )
        return
    say(f"holds: entry {proof.index} of {believed.checkpoint.origin}, {leaf.kind}, in the hour from {leaf.hour}")
    say(f"  it commits to the opening with SHA-256 {leaf.commitment}")
    if not believed.cosignatures:
        note("no witness signed the checkpoint: nothing here shows that others see the same log")


# --- keeping ----------------------------------------------------------------------------------------------------------


def _remember(since: Path, found: "Verified") -> None:
    from habeas.audit.folder import LogFolder  # noqa: PLC0415
    from habeas.audit.inputs import encode_since  # noqa: PLC0415

    LogFolder(since.resolve().parent).write({since.name: encode_since(found.checkpoints)})


def write_file(path: Path, data: bytes) -> None:
    """Write a file.

    Raises:
        DiskError: it cannot be written.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror}", remedy="choose another place") from error
