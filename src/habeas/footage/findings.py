"""What the search of an access request finds: tracks that may be of whoever asks, each judged by somebody who looked.

Of what is said to be them the footage is copied at once, under the request's key: an export needs it after its deadline
has come. Of the rest nothing is kept but that it was judged.
"""

import json
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import rfc8785

from habeas.accounts.credentials import new_id
from habeas.accounts.roles import Actor, Role
from habeas.authority.suspensions import suspended
from habeas.errors import InputError, RuleError
from habeas.footage.access import State, open_now
from habeas.geometry import iou
from habeas.keys import KeyStore
from habeas.store import Tx
from habeas.store.footage_records import AccessRequest, Finding
from habeas.store.records import Camera, Suspension
from habeas.types import NS_PER_S, utc

OPEN: Final = "open"
SAME: Final = "same"
DIFFERENT: Final = "different"
DROPPED: Final = "dropped"
"""A suspension binds it that reaches back."""
MOST: Final = 500
"""Findings of one request."""
AROUND_NS: Final = 5 * NS_PER_S
"""Copied before and after a track."""
_NEAR_NS: Final = NS_PER_S // 2
_SAME_PLACE: Final = 0.5
"""How much two boxes of one face overlap at least (intersection over union)."""


@dataclass(frozen=True)
class Found:
    """A track that may be of whoever asks.

    Args:
        camera_id: where.
        captured_at_ns: of the picture that matched, Unix ns.
        from_ns: first instant of the track.
        until_ns: last instant of the track.
        box_xyxy_px: the face in that picture.
        similarity: of the match.
        threshold: what it crossed.
    """

    camera_id: str
    captured_at_ns: int
    from_ns: int
    until_ns: int
    box_xyxy_px: tuple[float, float, float, float]
    similarity: float
    threshold: float

    def shows(self, other: "Found") -> bool:
        """Tell whether this is the same face in the same picture of a camera, found again."""
        boxes = np.array([self.box_xyxy_px, other.box_xyxy_px], np.float32)
        near = abs(self.captured_at_ns - other.captured_at_ns) < _NEAR_NS
        return near and float(iou(boxes[:1], boxes[1:])[0, 0]) >= _SAME_PLACE

    def dump(self) -> bytes:
        """Return it as canonical JSON; times as text, which has no such numbers."""
        times = {name: str(getattr(self, name)) for name in _TIMES}
        return rfc8785.dumps({**self.__dict__, **times, "box_xyxy_px": list(self.box_xyxy_px)})

    @classmethod
    def load(cls, data: bytes) -> "Found":
        """Return what `dump` wrote."""
        said = json.loads(data)
        box = cast("tuple[float, float, float, float]", tuple(said["box_xyxy_px"]))
        return cls(**{**said, **{name: int(said[name]) for name in _TIMES}, "box_xyxy_px": box})


_TIMES: Final = ("captured_at_ns", "from_ns", "until_ns")


def _context(what: str, finding_id: str) -> bytes:
    return f"finding {what} {finding_id}".encode()


def add(tx: Tx, keys: KeyStore, row: AccessRequest, found: Found, image: bytes) -> Finding | None:
    """Write down a finding; None: it was written before, is suspended, or there are too many.

    Args:
        tx: the transaction.
        keys: the key store.
        row: the request.
        found: the track.
        image: of the face, JPEG, others in it painted over.

    Raises:
        KeyDestroyed: the request was closed.
    """
    others = tx.find(Finding, access_id=row.access_id)
    if len(others) >= MOST or is_bound(tx, found):
        return None
    before = [found_of(keys, row, one) for one in others]
    near = (one for one in before if one is not None and one.camera_id == found.camera_id)
    if any(one.shows(found) for one in near):
        return None
    finding_id = new_id("fnd")
    finding = Finding(
        finding_id=finding_id,
        access_id=row.access_id,
        state=OPEN,
        found_sealed=keys.encrypt(row.key_id, found.dump(), _context("found", finding_id)),
        image_sealed=keys.encrypt(row.key_id, image, _context("image", finding_id)),
    )
    tx.add(finding)
    return finding


def is_bound(tx: Tx, found: Found) -> bool:
    """Tell whether a suspension binds what a finding was captured of: then nobody looks at it, and it is dropped."""
    camera = tx.get(Camera, found.camera_id)
    return suspended(tx.find(Suspension), camera, found.captured_at_ns)


def drop_bound(tx: Tx, keys: KeyStore, row: AccessRequest) -> int:
    """Empty the findings that a suspension binds which was imposed after they were found; return how many.

    Raises:
        KeyDestroyed: the request was closed.
    """
    dropped = 0
    for finding in tx.find(Finding, access_id=row.access_id):
        found = found_of(keys, row, finding)
        if found is not None and is_bound(tx, found):
            tx.change(finding, state=DROPPED, found_sealed=None, image_sealed=None)
            dropped += 1
    if dropped:
        tx.entry("access.dropped", "clock", {"access": row.access_id, "findings": dropped})
    return dropped


def found_of(keys: KeyStore, row: AccessRequest, finding: Finding) -> Found | None:
    """Return what was found; None: it was judged not to be them, and is gone.

    Raises:
        KeyDestroyed: the request was closed.
    """
    if finding.found_sealed is None:
        return None
    return Found.load(keys.decrypt(row.key_id, finding.found_sealed, _context("found", finding.finding_id)))


def listed(tx: Tx, keys: KeyStore, actor: Actor, access_id: str) -> list[tuple[Finding, Found | None]]:
    """Return the findings of an open request, in order of time.

    Raises:
        RuleError: no privacy officer, a token, or it is not open.
    """
    actor.require(Role.PRIVACY)
    actor.require_login()
    row = open_now(tx, access_id, State.APPROVED)
    found = [(one, found_of(keys, row, one)) for one in tx.find(Finding, access_id=access_id)]
    return sorted(found, key=lambda pair: (pair[1].captured_at_ns if pair[1] else 0, pair[0].finding_id))


def look(tx: Tx, keys: KeyStore, actor: Actor, access_id: str, finding_id: str) -> bytes:
    """Return the picture of a finding, JPEG, and write who looked. Commit before it leaves.

    Raises:
        RuleError: no privacy officer, a token, or it is not open.
        InputError: no such finding, or its picture is gone.
    """
    actor.require(Role.PRIVACY)
    actor.require_login()
    row, finding = open_now(tx, access_id, State.APPROVED), _finding(tx, access_id, finding_id)
    found = found_of(keys, row, finding)
    if finding.image_sealed is None or found is None or is_bound(tx, found):
        raise InputError("the picture of this finding is gone", remedy="see `habeas access findings`")
    tx.change(finding, looked=tuple(sorted({*finding.looked, actor.account_id})))
    tx.entry("view.finding", actor.account_id, {"access": access_id, "finding": finding_id})
    return keys.decrypt(row.key_id, finding.image_sealed, _context("image", finding_id))


def _finding(tx: Tx, access_id: str, finding_id: str) -> Finding:
    finding = tx.get(Finding, finding_id)
    if finding.access_id != access_id:
        raise InputError("this finding is of another request", remedy="see `habeas access findings`")
    return finding


def judge(tx: Tx, actor: Actor, access_id: str, finding_id: str, *, same: bool) -> Finding:
    """Say whether a finding shows whoever asks; once. What does not is emptied.

    Raises:
        RuleError: no privacy officer, a token, not open, judged before, or whoever judges did not look.
        InputError: no such finding.
    """
    actor.require(Role.PRIVACY)
    actor.require_login()
    open_now(tx, access_id, State.APPROVED)
    finding = _finding(tx, access_id, finding_id)
    if finding.state != OPEN:
        raise RuleError("this finding was judged", rule="once-each", remedy="see `habeas access findings`")
    if actor.account_id not in finding.looked:
        raise RuleError(
            "whoever judges has looked", rule="look-first", remedy=f"habeas access look {access_id} {finding_id}"
        )
    changes = {} if same else {"found_sealed": None, "image_sealed": None}
    state = SAME if same else DIFFERENT
    finding = tx.change(finding, state=state, decided_by=actor.account_id, decided_at_ns=tx.now_ns, **changes)
    tx.entry("access.judged", actor.account_id, {"access": access_id, "finding": finding_id, "same": same})
    return finding


def as_json(finding: Finding, found: Found | None) -> dict[str, object]:
    """Return a finding without its picture, JSON values."""
    kept = finding.kept_at_ns is not None
    told: dict[str, object] = {"finding": finding.finding_id, "state": finding.state, "kept": kept}
    if found is None:
        return told
    return {
        **told,
        "camera": found.camera_id,
        "captured": utc(found.captured_at_ns),
        "from": utc(found.from_ns),
        "until": utc(found.until_ns),
        "similarity": round(found.similarity, 3),
        "threshold": round(found.threshold, 3),
    }
