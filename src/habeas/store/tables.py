"""Every record that is a table, and what is searched by several fields at once."""

from typing import Final

from habeas.store.footage_records import (
    AccessPhoto,
    AccessRequest,
    Evidence,
    Export,
    Finding,
    Footage,
    FootageSearch,
    Hold,
    Playback,
    PublicRequest,
)
from habeas.store.records import (
    Account,
    Alert,
    Approval,
    Authorisation,
    Camera,
    Canary,
    Count,
    Dispute,
    Drift,
    Entry,
    Epoch,
    Grant,
    Heartbeat,
    Look,
    LostEntry,
    Meta,
    Policy,
    Receipt,
    Reference,
    Search,
    Session,
    Subject,
    Suspension,
    Token,
    Verdict,
)

TABLES: Final[tuple[type, ...]] = (
    Entry,
    LostEntry,
    Epoch,
    Meta,
    Heartbeat,
    Account,
    Grant,
    Session,
    Token,
    Approval,
    Camera,
    Policy,
    Authorisation,
    Subject,
    Reference,
    Suspension,
    Alert,
    Look,
    Verdict,
    Receipt,
    Dispute,
    Count,
    Search,
    Drift,
    Canary,
    Footage,
    FootageSearch,
    Hold,
    PublicRequest,
    AccessRequest,
    AccessPhoto,
    Finding,
    Export,
    Evidence,
    Playback,
)
"""Every record that is a table."""
INDEXES: Final[dict[type, tuple[tuple[str, ...], ...]]] = {
    Alert: (
        ("camera_id", "captured_at_ns"),
        ("subject_id", "camera_id", "last_seen_ns"),
        ("state", "destroyed_at_ns", "called_at_ns", "raised_at_ns"),
        ("destroyed_at_ns", "expires_at_ns", "key_id"),
        ("oversight_until_ns", "oversight_key_id"),
    )
}
"""What is searched by several fields at once: an index over them, in this order. Alerts are looked through each second.
"""
