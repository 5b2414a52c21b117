"""What replaying a log comes to: the state of an installation, as far as entries make it.

Names of people, references, images and similarities are in no entry, and so in no state. Times are Unix nanoseconds;
None: not yet. Each record has what the database's row of the same name has, under the names that entries use.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Account:
    """Somebody who may log in.

    Args:
        account: id.
        person: the first account of the same person.
        opened: its holder has set a password, and not lost it since.
        disabled: it is closed.
    """

    account: str
    person: str
    opened: bool = False
    disabled: bool = False


@dataclass(frozen=True)
class Role:
    """A role of an account, proposed or granted."""

    grant: str
    account: str
    role: str
    zones: tuple[str, ...]
    proposed_by: str
    usable_from_ns: int | None = None
    revoked: bool = False


@dataclass(frozen=True)
class Token:
    """A token of a program."""

    token: str
    account: str
    scopes: tuple[str, ...]
    until_ns: int
    revoked: bool = False


@dataclass(frozen=True)
class Policy:
    """A version of the ceilings. `state`: proposed, active (in force, or from `effective_from_ns` on), void.

    `ceilings` are pairs of name and value in the order of names, lists as tuples.
    """

    policy: str
    number: int
    based_on: int
    ceilings: tuple[tuple[str, object], ...]
    state: str
    proposed_by: str
    effective_from_ns: int | None = None


@dataclass(frozen=True)
class Camera:
    """A camera. `source` is the digest of its address; `masks` are relative boxes; `reencode`: its footage has them."""

    camera: str
    zone: str
    purpose: str
    source: str
    min_face_px: int
    masks: tuple[tuple[float, ...], ...]
    added_ns: int
    removed_ns: int | None = None
    reencode: bool = False


@dataclass(frozen=True)
class Authorisation:
    """What is asked for and what became of it. `sha256` is what an approval binds; `cameras` pairs of id and digest."""

    authorisation: str
    state: str
    kind: str
    purpose: str
    authority: str
    decision: str | None
    decision_status: str
    requester: str
    cameras: tuple[tuple[str, str], ...]
    from_ns: int
    until_ns: int
    urgent: bool
    minor: bool
    revision: int
    renews: str | None
    subjects: int
    sha256: str
    created_ns: int
    submitted_ns: int | None = None
    started_ns: int | None = None
    confirmed_ns: int | None = None
    ends_ns: int | None = None
    ended_ns: int | None = None
    discarded_ns: int | None = None
    notify_due_ns: int | None = None
    notified_ns: int | None = None


@dataclass(frozen=True)
class Approval:
    """One person's yes."""

    approval: str
    object: str
    action: str
    sha256: str
    account: str
    at_ns: int


@dataclass(frozen=True)
class Suspension:
    """A suspension. `sources` are digests of the cameras it binds wherever they are added anew."""

    suspension: str
    zones: tuple[str, ...]
    cameras: tuple[str, ...]
    sources: tuple[str, ...]
    from_ns: int
    until_ns: int
    why: str
    imposed_by: str
    imposed_ns: int
    lift_proposed_ns: int | None = None
    lift_proposed_by: str | None = None
    lifted_from_ns: int | None = None


@dataclass(frozen=True)
class Alert:
    """An alert. `camera` and `authorisation` are known only where what its entry hides was opened, and it is kept."""

    alert: str
    zone: str
    model: str
    gallery_size: int
    threshold: float
    expected_fpir: float
    extrapolated: bool
    false_a_day: float
    raised_ns: int
    state: str
    camera: str | None = None
    authorisation: str | None = None
    called_ns: int | None = None
    decided_ns: int | None = None
    destroyed_ns: int | None = None
    sealed_until_ns: int | None = None
    unsealed: bool = False


@dataclass(frozen=True)
class Hold:
    """A hold of footage. `sha256` is what an approval binds; `segments` how many were copied."""

    hold: str
    state: str
    requester: str
    cameras: tuple[str, ...]
    from_ns: int
    until_ns: int
    ends_ns: int
    decision: str | None
    authorisation: str | None
    request: str | None
    sha256: str
    proposed_ns: int
    since_ns: int | None = None
    approved_ns: int | None = None
    kept_ns: int | None = None
    segments: int = 0
    over_ns: int | None = None


@dataclass(frozen=True)
class AccessRequest:
    """Somebody asks for the footage of themself. `due_ns` is by when it is answered."""

    access: str
    state: str
    opened_by: str
    cameras: tuple[str, ...]
    from_ns: int
    until_ns: int
    document: str
    opened_ns: int
    due_ns: int
    approved_ns: int | None = None
    closed_ns: int | None = None
    destroyed_ns: int | None = None


@dataclass(frozen=True)
class Evidence:
    """A video file that was handed in. `authorisation` names it, `why` says why its key is gone."""

    evidence: str
    uploader: str
    from_ns: int
    until_ns: int
    sha256: str
    size_bytes: int
    deadline_ns: int
    uploaded_ns: int
    authorisation: str | None = None
    why: str = ""
    destroyed_ns: int | None = None


@dataclass(frozen=True)
class PublicRequest:
    """A request of the public. `segments` is how many last a day longer for it."""

    request: str
    state: str
    received_by: str
    cameras: tuple[str, ...]
    from_ns: int
    until_ns: int
    received_ns: int
    verified_ns: int | None = None
    segments: int = 0
    over_ns: int | None = None


@dataclass(frozen=True)
class Epoch:
    """A tree of the log."""

    number: int
    origin: str
    vkey: str
    first_seq: int
    prior: str


@dataclass(frozen=True)
class Count:
    """What a camera came to on a UTC day (`YYYY-MM-DD`)."""

    camera: str
    day: str
    zone: str
    analysed_ns: int
    faces: int
    tracks: int
    searches: int
    alerts: int


@dataclass
class State:
    """All of it, by id. Owned by whoever replays: `replay.take` changes it in place.

    Args:
        taken: entries that were replayed, padding too: the number of the next one.
        kinds: how many entries of each type came, those that change nothing here too.
        verdicts: commitments of the verdicts given.
        running: the node runs, as far as entries say.
    """

    taken: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    cameras: dict[str, Camera] = field(default_factory=dict)
    authorisations: dict[str, Authorisation] = field(default_factory=dict)
    approvals: dict[str, Approval] = field(default_factory=dict)
    suspensions: dict[str, Suspension] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    requests: dict[str, PublicRequest] = field(default_factory=dict)
    access: dict[str, AccessRequest] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    verdicts: set[str] = field(default_factory=set)
    epochs: dict[int, Epoch] = field(default_factory=dict)
    counts: dict[tuple[str, str], Count] = field(default_factory=dict)
    running: bool = False
