"""The rows of footage: recorded, searched, held, asked for. As in `store.records`."""

from dataclasses import dataclass, field

from habeas.store.records import INDEX, KEY


@dataclass(frozen=True)
class Footage:
    """What is recorded of a camera in an hour (UTC). Its segments are files, which say the same (`footage.form`).

    `until_ns` is when the last part ended that was written. Nothing of it can be read from `deadline_ns` on.
    """

    footage_id: str = field(metadata=KEY)
    camera_id: str = field(metadata=INDEX)
    hour_ns: int
    key_id: str
    deadline_ns: int
    until_ns: int
    lasts_ns: int = 0
    bytes_stored: int = 0
    segments: int = 0


@dataclass(frozen=True)
class FootageSearch:
    """How far footage was searched, once: under an authorisation of the retrospective kind, or for an access request.

    `done` are pairs of a camera and the instant until which its footage was searched. What of it was captured in a
    suspension was not searched (`suspended_ns`), what was not recorded could not be (`missing_ns`).
    """

    about_id: str = field(metadata=KEY)
    state: str = field(metadata=INDEX)
    started_by: str
    started_at_ns: int
    done: tuple[tuple[str, int], ...] = ()
    watched_ns: int = 0
    suspended_ns: int = 0
    missing_ns: int = 0
    damaged: int = 0
    frames: int = 0
    tracks: int = 0
    found: int = 0
    ended_at_ns: int | None = None


@dataclass(frozen=True)
class Hold:
    """Footage that is preserved beyond its deadline: of some cameras and an interval, until `ends_at_ns`.

    Who asks, their reference and why lie in `asked_sealed`, committed to by `commitment`; they and the copies are
    under `key_id`, and go with it. `since_ns` is when preserving of any of this footage began. `lasts_ns` is the time
    of its cameras that was found, `missing_ns` what was not; `destroyed_at_ns` when the key was gone for sure.
    """

    hold_id: str = field(metadata=KEY)
    state: str = field(metadata=INDEX)
    requester: str
    cameras: tuple[str, ...]
    from_ns: int
    until_ns: int
    ends_at_ns: int
    proposed_at_ns: int
    key_id: str
    asked_sealed: bytes | None
    commitment: str
    decision_sha256: str | None = None
    authorisation_id: str | None = None
    alert_id: str | None = None
    request_id: str | None = None
    since_ns: int | None = None
    approved_at_ns: int | None = None
    kept_at_ns: int | None = None
    lasts_ns: int = 0
    missing_ns: int = 0
    segments: int = 0
    damaged: int = 0
    over_at_ns: int | None = None
    destroyed_at_ns: int | None = None


@dataclass(frozen=True)
class PublicRequest:
    """Somebody outside asks that footage be preserved. It preserves nothing, but for a day once they are known.

    Who asks, how they are reached and why lie in `asked_sealed` under `key_id`, which ends with it. `segments` are
    those that it gives a day more, `graces` the keys of their copies with the hour of each (Unix ns).
    """

    request_id: str = field(metadata=KEY)
    state: str = field(metadata=INDEX)
    received_by: str
    received_at_ns: int
    cameras: tuple[str, ...]
    from_ns: int
    until_ns: int
    due_ns: int
    key_id: str
    asked_sealed: bytes | None
    verified_by: str | None = None
    verified_at_ns: int | None = None
    segments: tuple[str, ...] = ()
    graces: tuple[tuple[int, str], ...] = ()
    over_at_ns: int | None = None
    destroyed_at_ns: int | None = None


@dataclass(frozen=True)
class AccessRequest:
    """Somebody asks for the footage of themself. All that names or shows them is under `key_id`, and goes with it.

    `due_ns` is by when they are answered. `document` says what their identity was checked by.
    """

    access_id: str = field(metadata=KEY)
    state: str = field(metadata=INDEX)
    opened_by: str
    opened_at_ns: int
    due_ns: int
    cameras: tuple[str, ...]
    from_ns: int
    until_ns: int
    document: str
    key_id: str
    asked_sealed: bytes | None
    commitment: str
    approved_at_ns: int | None = None
    closed_at_ns: int | None = None
    destroyed_at_ns: int | None = None


@dataclass(frozen=True)
class AccessPhoto:
    """A photograph that was taken of somebody who asks, in presence; and its template, which no authorisation sees."""

    photo_id: str = field(metadata=KEY)
    access_id: str = field(metadata=INDEX)
    model_id: str
    commitment: str
    image_sealed: bytes | None
    template_sealed: bytes | None


@dataclass(frozen=True)
class Finding:
    """A track in footage that may be of somebody who asks; where, when and how alike lie in `found_sealed`.

    `looked` are the accounts that were shown its picture; `kept_at_ns` is when its footage was copied.
    """

    finding_id: str = field(metadata=KEY)
    access_id: str = field(metadata=INDEX)
    state: str
    found_sealed: bytes | None
    image_sealed: bytes | None
    looked: tuple[str, ...] = ()
    decided_by: str | None = None
    decided_at_ns: int | None = None
    kept_at_ns: int | None = None


@dataclass(frozen=True)
class Playback:
    """The film of an alert that is undecided: the seconds around it, a mosaic but for one head. It goes with the row.

    `films` are first and last instant and SHA-256 of each, under `key_id`; `sources` are the keys of the footage that
    they are made of: without one of them nothing of it is played. `found` says whether the alert's face was found.
    """

    alert_id: str = field(metadata=KEY)
    state: str = field(metadata=INDEX)
    from_ns: int
    until_ns: int
    asked_at_ns: int
    key_id: str = ""
    ends_at_ns: int = 0
    films: tuple[tuple[int, int, str], ...] = ()
    sources: tuple[str, ...] = ()
    found: bool = False
    shown_ns: int = 0
    damaged: int = 0
    failure: str = ""


@dataclass(frozen=True)
class Export:
    """Footage of a hold or of an access request that is to be given to somebody, redacted.

    `films` are name, camera, first and last instant, and SHA-256 of each; `wish_sealed` is what a person added by hand,
    `reports_sealed` what came of the redaction, `damaged` the segments that could not be read. All that shows somebody
    is under `key_id`.
    """

    export_id: str = field(metadata=KEY)
    state: str = field(metadata=INDEX)
    about: str = field(metadata=INDEX)
    made_by: str
    made_at_ns: int
    cameras: tuple[str, ...]
    from_ns: int
    until_ns: int
    unredacted: bool
    decision_sha256: str | None
    key_id: str
    ends_at_ns: int
    wish_sealed: bytes | None
    reports_sealed: bytes | None = None
    films: tuple[tuple[str, str, int, int, str], ...] = ()
    damaged: tuple[str, ...] = ()
    failure: str = ""
    recipient: str = ""
    requester: str = ""
    approved_seq: int | None = None
    fetched_at_ns: int | None = None
    destroyed_at_ns: int | None = None


@dataclass(frozen=True)
class Evidence:
    """A video file that a requester handed in, to be searched once, under one authorisation of theirs.

    When its first picture was taken (`from_ns`) is what they say; `until_ns` follows from its length, as a sealed
    worker read it. Where it comes from lies in `note_sealed`, committed to by `commitment`; it and the file are under
    `key_id`. Nothing of it can be read from `deadline_ns` on. `why` is why it is over, `destroyed_at_ns` when the key
    was gone for sure.
    """

    evidence_id: str = field(metadata=KEY)
    state: str = field(metadata=INDEX)
    uploader: str
    uploaded_at_ns: int
    from_ns: int
    until_ns: int
    sha256: str
    size_bytes: int
    key_id: str
    deadline_ns: int
    note_sealed: bytes | None
    commitment: str
    authorisation_id: str | None = field(default=None, metadata=INDEX)
    why: str = ""
    destroyed_at_ns: int | None = None
