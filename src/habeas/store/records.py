"""The rows of the database, one frozen record a table. What a person must not read lies in `*_sealed` fields.

Times are Unix nanoseconds; None: not yet. Identifiers are random and say nothing. Names of people listed, references,
templates and images are only ever in sealed fields, encrypted by `keys` under a key named in the same row.
"""

from dataclasses import dataclass, field
from typing import Final

KEY: Final = {"key": True}
"""Marks the fields of a table's primary key."""
INDEX: Final = {"index": True}
"""Marks fields that are searched by."""
UNIQUE: Final = {"unique": True}


@dataclass(frozen=True)
class Entry:
    """What happened, once, in the transaction of its effect. `audit.entry` makes the leaf of the log from it.

    `body` is canonical JSON (RFC 8785) and holds no name, image or template. What links a person listed to a place or
    a time is in `hidden_sealed`, encrypted under `hidden_key`, and committed to by `hidden_sha256`: it goes with that
    key.
    """

    seq: int = field(metadata=KEY)
    at_ns: int
    kind: str = field(metadata=INDEX)
    actor: str
    body: str
    salt: bytes
    hidden_sha256: str | None = None
    hidden_key: str | None = None
    hidden_sealed: bytes | None = None


@dataclass(frozen=True)
class LostEntry:
    """An entry that is in the log of an epoch and no longer among the entries: an older database was restored.

    `epoch` is the number of that epoch; all else is as in `Entry`. Auditors get it beside the log that it is in.
    """

    epoch: int = field(metadata=KEY)
    seq: int = field(metadata=KEY)
    at_ns: int
    kind: str
    actor: str
    body: str
    salt: bytes
    hidden_sha256: str | None = None
    hidden_key: str | None = None
    hidden_sealed: bytes | None = None


@dataclass(frozen=True)
class Epoch:
    """One tree of the log: the entries from `first_seq` on, until the next epoch begins.

    A second one begins only where the first cannot go on: the database is an older one than what was signed of it.
    `vkey` is its public key, `seed_sealed` the secret one under `key_id`; `prior` is the last checkpoint that witnesses
    saw of the epoch before, or empty.
    """

    number: int = field(metadata=KEY)
    origin: str
    first_seq: int
    opened_at_ns: int
    vkey: str
    key_id: str
    seed_sealed: bytes
    prior: str = ""


@dataclass(frozen=True)
class Meta:
    """One fact of the installation: its id, its oversight key."""

    name: str = field(metadata=KEY)
    value: str


@dataclass(frozen=True)
class Heartbeat:
    """When this installation last knew the time, by three clocks."""

    name: str = field(metadata=KEY)
    wall_ns: int
    boot_ns: int
    boot_id: str
    steady_ns: int
    jumped: bool


@dataclass(frozen=True)
class Account:
    """Somebody who may log in. Who that is lies under a key of its own (`accounts.staff`)."""

    account_id: str = field(metadata=KEY)
    name_key: str = field(metadata=UNIQUE)
    created_at_ns: int
    created_by: str
    name_sealed: bytes | None = None
    password_hash: str | None = None
    credential_at_ns: int | None = None
    setup_hash: str | None = None
    setup_until_ns: int | None = None
    disabled_at_ns: int | None = None


@dataclass(frozen=True)
class Grant:
    """A role of an account. Proposed by one holder, approved by another, usable a day later."""

    grant_id: str = field(metadata=KEY)
    account_id: str = field(metadata=INDEX)
    role: str
    zones: tuple[str, ...]
    proposed_by: str
    proposed_at_ns: int
    approved_by: str | None = None
    usable_from_ns: int | None = None
    revoked_at_ns: int | None = None


@dataclass(frozen=True)
class Session:
    """One login. Only the hash of what the client holds is kept."""

    session_hash: str = field(metadata=KEY)
    account_id: str = field(metadata=INDEX)
    created_at_ns: int
    used_at_ns: int
    ends_at_ns: int


@dataclass(frozen=True)
class Token:
    """An API token: hashed, scoped, expiring."""

    token_id: str = field(metadata=KEY)
    token_hash: str = field(metadata=UNIQUE)
    account_id: str = field(metadata=INDEX)
    scopes: tuple[str, ...]
    created_at_ns: int
    ends_at_ns: int
    revoked_at_ns: int | None = None


@dataclass(frozen=True)
class Approval:
    """One person's yes or no to one object with exactly this content."""

    approval_id: str = field(metadata=KEY)
    object_id: str = field(metadata=INDEX)
    action: str
    content_hash: str
    account_id: str
    at_ns: int


@dataclass(frozen=True)
class Camera:
    """A camera of the installation. Its addresses are sealed: they carry passwords."""

    camera_id: str = field(metadata=KEY)
    zone: str = field(metadata=INDEX)
    purpose: str
    public_url: str
    detect_sealed: bytes
    record_sealed: bytes | None
    key_id: str
    source_digest: str
    masks: tuple[tuple[float, float, float, float], ...]
    min_face_px: int
    added_at_ns: int
    added_by: str
    removed_at_ns: int | None = None
    delivered_at_ns: int | None = None
    record_digest: str | None = None
    reencode: bool = False


@dataclass(frozen=True)
class Policy:
    """One version of the ceilings. `body` is their canonical JSON."""

    policy_id: str = field(metadata=KEY)
    number: int = field(metadata=UNIQUE)
    based_on: int
    body: str
    state: str = field(metadata=INDEX)
    proposed_by: str
    proposed_at_ns: int
    effective_from_ns: int | None = None
    replaced_at_ns: int | None = None


@dataclass(frozen=True)
class Authorisation:
    """The object that gates the search. `cameras` are pairs of id and source digest.

    A retrospective one names an interval of footage; `from_ns` and `until_ns` are that interval.
    """

    authorisation_id: str = field(metadata=KEY)
    state: str = field(metadata=INDEX)
    kind: str
    purpose: str
    authority: str
    reference: str
    decision_sha256: str | None
    decision_status: str
    requester: str = field(metadata=INDEX)
    cameras: tuple[tuple[str, str], ...]
    from_ns: int
    until_ns: int
    urgent: bool
    minor: bool
    created_at_ns: int
    content_hash: str = ""
    renews: str | None = None
    submitted_at_ns: int | None = None
    started_at_ns: int | None = None
    ends_at_ns: int | None = None
    ended_at_ns: int | None = None
    ended_why: str | None = None
    consent_code_hash: str | None = None
    discarded_at_ns: int | None = None
    confirmed_at_ns: int | None = None
    notify_due_ns: int | None = None
    notified_at_ns: int | None = None
    revision: int = 0


@dataclass(frozen=True)
class Subject:
    """A person named by exactly one authorisation. Name and birth date are sealed under the subject's key."""

    subject_id: str = field(metadata=KEY)
    authorisation_id: str = field(metadata=INDEX)
    key_id: str
    identity_sealed: bytes | None
    commitment: str
    tag: str = field(metadata=INDEX)
    tag_key_id: str
    minor: bool
    raised_to: float | None = None
    discarded_at_ns: int | None = None


@dataclass(frozen=True)
class Reference:
    """An enrolled image and its template, both sealed under the subject's key.

    `commitment` is a keyed hash of the image; `report` says what the quality gate saw.
    """

    reference_id: str = field(metadata=KEY)
    subject_id: str = field(metadata=INDEX)
    model_id: str
    commitment: str
    image_sealed: bytes | None
    template_sealed: bytes | None
    report: str


@dataclass(frozen=True)
class Suspension:
    """Recognition is off on these cameras for this window of capture time; `sources` are their digests then."""

    suspension_id: str = field(metadata=KEY)
    zones: tuple[str, ...]
    cameras: tuple[str, ...]
    sources: tuple[str, ...]
    from_ns: int
    until_ns: int
    why: str
    imposed_by: str
    imposed_at_ns: int
    lift_proposed_at_ns: int | None = None
    lift_proposed_by: str | None = None
    lifted_from_ns: int | None = None


@dataclass(frozen=True)
class Alert:
    """A track whose best shots matched. Its image is sealed under the alert's own key.

    Once it is destroyed without having been confirmed, it names nobody: `review.forgetting`.
    """

    alert_id: str = field(metadata=KEY)
    camera_id: str
    zone: str
    authorisation_id: str | None = field(metadata=INDEX)
    subject_id: str | None
    captured_at_ns: int = field(metadata=INDEX)
    raised_at_ns: int
    track_id: int | None
    similarity: float | None
    threshold: float
    expected_fpir: float
    extrapolated: bool
    false_a_day: float
    gallery_size: int
    view_id: str | None
    model_id: str
    key_id: str
    image_sealed: bytes | None
    expires_at_ns: int
    state: str
    place_sealed: bytes | None = None
    """Where in the picture the face was, while its footage may be played."""
    from_footage: bool = False
    sightings: int = 1
    last_seen_ns: int = 0
    called_at_ns: int | None = None
    decided_at_ns: int | None = None
    destroyed_at_ns: int | None = None
    oversight_sealed: bytes | None = None
    oversight_key_id: str | None = None
    oversight_until_ns: int | None = None
    frozen_at_ns: int | None = None


@dataclass(frozen=True)
class Look:
    """An account was shown the pictures of an alert that is undecided; when last. In no answer."""

    alert_id: str = field(metadata=KEY)
    account_id: str = field(metadata=KEY)
    at_ns: int


@dataclass(frozen=True)
class Verdict:
    """What one person said of an alert."""

    verdict_id: str = field(metadata=KEY)
    alert_id: str = field(metadata=INDEX)
    account_id: str
    verdict: str
    lookalike: bool
    at_ns: int


@dataclass(frozen=True)
class Receipt:
    """A code that somebody holds who was stopped after an alert; only its hash is kept."""

    receipt_id: str = field(metadata=KEY)
    alert_id: str = field(metadata=INDEX)
    code_hash: str = field(metadata=UNIQUE)
    made_by: str
    made_at_ns: int


@dataclass(frozen=True)
class Dispute:
    """What the holder of a receipt says against an alert, once; open until the recipients have a correction.

    `key_id` lasts until `until_ns`.
    """

    alert_id: str = field(metadata=KEY)
    receipt_id: str
    at_ns: int
    key_id: str
    until_ns: int
    why_sealed: bytes | None
    corrected_at_ns: int | None = None


@dataclass(frozen=True)
class Count:
    """What a camera came to on a day (UTC). Counters only: nobody can be found in them."""

    camera_id: str = field(metadata=KEY)
    day: str = field(metadata=KEY)
    analysed_ns: int = 0
    frames_decoded: int = 0
    frames_analysed: int = 0
    frames_gated: int = 0
    frames_dropped: int = 0
    faces: int = 0
    tracks: int = 0
    searches: int = 0
    alerts: int = 0
    logged: bool = False


@dataclass(frozen=True)
class Search:
    """Searches with one gallery view on one camera in one hour, until that hour is an entry."""

    camera_id: str = field(metadata=KEY)
    view_id: str = field(metadata=KEY)
    hour_ns: int = field(metadata=KEY)
    searches: int
    authorisations: tuple[str, ...]
    subjects: int
    gallery_size: int
    model_id: str
    calibration: str
    expected_fpir: float
    threshold: float
    build: str


@dataclass(frozen=True)
class Drift:
    """How far the bets of a monitor have come (`review.drift`). A few numbers; nobody can be found in them.

    `log_bets` are its bets, and `steps` how often they were placed; `expected` and `false_alerts` what came since it
    began; `through` the last day (UTC) that it has taken.
    """

    monitor: str = field(metadata=KEY)
    began_at_ns: int
    steps: int
    log_bets: tuple[float, ...]
    expected: float = 0.0
    false_alerts: int = 0
    through: str = ""
    alarmed_at_ns: int | None = None


@dataclass(frozen=True)
class Canary:
    """What became of the canaries of a camera (`node.canaries`). No face of anybody is in it.

    `missed` is how many were missed since the last one that was seen; `leaked_at_ns` when one was answered though
    nothing might be compared.
    """

    camera_id: str = field(metadata=KEY)
    seen_at_ns: int | None = None
    similarity: float | None = None
    missed: int = 0
    missed_at_ns: int | None = None
    leaked_at_ns: int | None = None
