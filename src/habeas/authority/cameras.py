"""The cameras of an installation: their zone, written purpose, masks, and addresses that nobody is shown again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from habeas.accounts.roles import Actor, Role
from habeas.authority.evidence import ZONE, is_evidence
from habeas.errors import InputError
from habeas.keys import KeyStore, Scope
from habeas.store import Tx, queries
from habeas.store.records import Camera, Suspension
from habeas.types import DAY_NS
from habeas.video.address import CameraAddress

ACTOR: Final = "cameras"
"""Who acts, in entries, where no person does."""
DELIVERED_NS: Final = DAY_NS
"""A camera that gave no frame for this long does not count in a share of cameras."""
_FOREVER_NS: Final = 200 * 365 * DAY_NS
_MAX_NAME: Final = 64
_MIN_PURPOSE: Final = 8
Box = tuple[float, float, float, float]


@dataclass(frozen=True, repr=False)
class NewCamera:
    """What an admin says of a camera.

    Args:
        name: unique, letters, digits, `-`, `_`.
        zone: the named set it belongs to.
        purpose: why it is there, for the register.
        detect: where pictures for recognition come from, and as which text.
        record: the same for recording, where it differs.
        masks: parts never looked at, relative x0, y0, x1, y1.
        min_face_px: smallest face looked for.
        reencode: what is recorded is encoded anew, with the masks in its pixels.
    """

    name: str
    zone: str
    purpose: str
    detect: tuple[str, CameraAddress]
    record: tuple[str, CameraAddress] | None
    masks: tuple[Box, ...]
    min_face_px: int
    reencode: bool = False


def add_camera(tx: Tx, keys: KeyStore, actor: Actor, new: NewCamera) -> Camera:
    """Add a camera; its addresses are sealed from here on.

    Raises:
        RuleError: not an admin.
        InputError: a bad or taken name, no purpose, a bad mask, nothing to encode anew or no mask to do it for.
    """
    actor.require(Role.ADMIN)
    actor.require_scope("cameras")
    _check(new)
    for old in tx.find(Camera, camera_id=new.name):
        if old.removed_at_ns is None:
            raise InputError(f"there is a camera {new.name}", remedy="choose another name, or remove that one")
        raise InputError(f"the name {new.name} was used before", remedy="choose another: the log names cameras")
    text, address = new.detect
    key_id = keys.new(Scope.CAMERA, tx.now_ns + _FOREVER_NS)
    camera = Camera(
        camera_id=new.name,
        zone=new.zone,
        purpose=new.purpose.strip(),
        public_url=address.public(),
        detect_sealed=keys.encrypt(key_id, text.encode(), _context(new.name, "detect")),
        record_sealed=keys.encrypt(key_id, new.record[0].encode(), _context(new.name, "record"))
        if new.record
        else None,
        key_id=key_id,
        source_digest=address.digest(),
        record_digest=new.record[1].digest() if new.record else None,
        masks=new.masks,
        min_face_px=new.min_face_px,
        added_at_ns=tx.now_ns,
        added_by=actor.account_id,
        reencode=new.reencode,
    )
    tx.add(camera)
    _bind(tx, camera)
    tx.entry("camera.added", actor.account_id, {**_body(camera), "masks": json.dumps(new.masks)})
    return camera


def _bind(tx: Tx, camera: Camera) -> None:
    """Bind the source to every suspension of its zone: added anew in another zone, it stays suspended."""
    for suspension in tx.find(Suspension):
        if camera.zone in suspension.zones and not sources_of(camera) <= set(suspension.sources):
            tx.change(suspension, sources=tuple(sorted({*suspension.sources, *sources_of(camera)})))


def _check(new: NewCamera) -> None:
    if new.record is not None and new.record[1].file is not None:
        raise InputError("a file is not recorded: it is there already", remedy="leave --record out, or give a stream")
    if new.reencode and new.record is None:
        raise InputError("what is not recorded is not encoded anew", remedy="give --record ADDRESS, or no --reencode")
    if new.reencode and not new.masks:
        raise InputError(
            "without masks it is recorded as it comes, at a fraction of the cost",
            remedy="leave --reencode out, or give what it is to cover: --mask x0,y0,x1,y1",
        )
    for what, name in (("camera", new.name), ("zone", new.zone)):
        plain = name.replace("-", "").replace("_", "")
        if not (plain.isascii() and plain.isalnum() and len(name) <= _MAX_NAME and name[0] != "-"):
            raise InputError(f"{name!r} is no {what} name", remedy="letters, digits, hyphens and underscores")
    if is_evidence(new.name) or new.zone == ZONE:
        raise InputError("a camera is not called like evidence", remedy="choose another name and zone")
    if len(new.purpose.strip()) < _MIN_PURPOSE:
        raise InputError(
            f"a camera has a written purpose of at least {_MIN_PURPOSE} characters",
            remedy="say in a sentence what it is there for: --purpose",
        )


def remove_camera(tx: Tx, keys: KeyStore, actor: Actor, camera_id: str) -> None:
    """Remove a camera: nothing is read from it any more, its addresses are forgotten.

    Raises:
        RuleError: not an admin.
        InputError: no such camera.
    """
    actor.require(Role.ADMIN)
    actor.require_scope("cameras")
    camera = camera_named(tx, camera_id)
    tx.change(camera, removed_at_ns=tx.now_ns, detect_sealed=b"", record_sealed=None)
    tx.entry("camera.removed", actor.account_id, {"camera": camera_id})
    tx.after_commit(lambda: keys.destroy([camera.key_id]))


def camera_named(tx: Tx, camera_id: str) -> Camera:
    """Return a camera that is there.

    Raises:
        InputError: there is none.
    """
    if is_evidence(camera_id):
        what = f"{camera_id} is evidence, no camera: what names it is neither amended nor renewed"
        raise InputError(what, remedy="draft another request: habeas authorise new --evidence ID")
    found = tx.find(Camera, camera_id=camera_id, removed_at_ns=None)
    if not found:
        raise InputError(f"no such camera: {camera_id}", remedy="see `habeas camera list`")
    return found[0]


def cameras_of(tx: Tx, zones: Sequence[str], cameras: Sequence[str]) -> list[Camera]:
    """Return the cameras of these zones and names, each once, by name.

    Raises:
        InputError: a zone without a camera, or no such camera.
    """
    there = {camera.camera_id: camera for camera in tx.find(Camera, removed_at_ns=None)}
    chosen = {name: camera_named(tx, name) for name in cameras}
    for zone in zones:
        inside = {name: camera for name, camera in there.items() if camera.zone == zone}
        if not inside:
            raise InputError(f"no camera in the zone {zone}", remedy="see `habeas camera list`")
        chosen |= inside
    return [chosen[name] for name in sorted(chosen)]


def delivering(tx: Tx) -> int:
    """Return how many distinct sources gave frames within a day: what shares are counted of."""
    since = tx.now_ns - DELIVERED_NS
    alive = [camera for camera in tx.find(Camera, removed_at_ns=None) if (camera.delivered_at_ns or 0) > since]
    return len({camera.source_digest for camera in alive if camera.public_url.startswith("rtsp")})


def note_delivery(tx: Tx, camera_id: str) -> None:
    """Note that a camera gives frames; an entry says so where it did not count as one that does."""
    for camera in tx.find(Camera, camera_id=camera_id, removed_at_ns=None):
        tx.change(camera, delivered_at_ns=tx.now_ns)
        if (camera.delivered_at_ns or 0) <= tx.now_ns - DELIVERED_NS:
            tx.entry("camera.delivers", ACTOR, {"camera": camera_id})


def note_silence(tx: Tx, since_ns: int) -> list[str]:
    """Write an entry for each camera that stopped to count as one that delivers, and return them.

    Args:
        tx: the transaction.
        since_ns: when this was last done.
    """
    after_ns, until_ns = since_ns - DELIVERED_NS, tx.now_ns - DELIVERED_NS
    silent = [camera.camera_id for camera in queries.cameras_last_heard(tx, after_ns=after_ns, until_ns=until_ns)]
    for camera_id in silent:
        tx.entry("camera.silent", ACTOR, {"camera": camera_id})
    return silent


def sources_of(camera: Camera) -> set[str]:
    """Return the digests of what a camera shows and records: a suspension of one of them binds it."""
    return {camera.source_digest} | ({camera.record_digest} if camera.record_digest else set())


def source_text(keys: KeyStore, camera: Camera, stream: str = "detect") -> str:
    """Return a camera's address with its secrets, for the reader alone."""
    sealed = camera.record_sealed if stream == "record" else camera.detect_sealed
    return keys.decrypt(camera.key_id, sealed or camera.detect_sealed, _context(camera.camera_id, stream)).decode()


def _context(camera_id: str, stream: str) -> bytes:
    return f"camera {camera_id} {stream}".encode()


def _body(camera: Camera) -> dict[str, object]:
    return {
        "camera": camera.camera_id,
        "min_face_px": camera.min_face_px,
        "purpose": camera.purpose,
        "record": camera.record_digest,
        "reencode": camera.reencode,
        "source": camera.source_digest,
        "zone": camera.zone,
    }
