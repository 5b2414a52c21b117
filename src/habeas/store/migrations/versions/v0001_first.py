"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:  # noqa: PLR0915 - a table and its indexes after the other
    """Apply."""
    op.create_table(
        "accessphotos",
        sa.Column("photo_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("access_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("model_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("commitment", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("image_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.Column("template_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("photo_id"),
    )
    with op.batch_alter_table("accessphotos", schema=None) as batch_op:
        batch_op.create_index("ix_accessphotos_access_id", ["access_id"], unique=False)

    op.create_table(
        "accessrequests",
        sa.Column("access_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("opened_by", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("opened_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("due_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cameras", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("from_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("commitment", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("approved_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("closed_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("destroyed_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("asked_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("access_id"),
    )
    with op.batch_alter_table("accessrequests", schema=None) as batch_op:
        batch_op.create_index("ix_accessrequests_state", ["state"], unique=False)

    op.create_table(
        "accounts",
        sa.Column("account_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("name_key", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("created_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_by", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.Column("password_hash", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("credential_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("setup_hash", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("setup_until_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("disabled_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("account_id"),
        sa.UniqueConstraint("name_key", name="uq_accounts_name_key"),
    )

    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("camera_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("zone", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("authorisation_id", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("subject_id", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("captured_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("raised_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("track_id", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("similarity", sa.Float(), autoincrement=False, nullable=True),
        sa.Column("threshold", sa.Float(), autoincrement=False, nullable=False),
        sa.Column("expected_fpir", sa.Float(), autoincrement=False, nullable=False),
        sa.Column("extrapolated", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("false_a_day", sa.Float(), autoincrement=False, nullable=False),
        sa.Column("gallery_size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("view_id", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("model_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("expires_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("from_footage", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("sightings", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_seen_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("called_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("decided_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("destroyed_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("oversight_key_id", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("oversight_until_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("frozen_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("image_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.Column("place_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.Column("oversight_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("alert_id"),
    )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index("ix_alerts_authorisation_id", ["authorisation_id"], unique=False)
        batch_op.create_index("ix_alerts_camera_id", ["camera_id", "captured_at_ns"], unique=False)
        batch_op.create_index("ix_alerts_captured_at_ns", ["captured_at_ns"], unique=False)
        batch_op.create_index("ix_alerts_destroyed_at_ns", ["destroyed_at_ns", "expires_at_ns", "key_id"], unique=False)
        batch_op.create_index("ix_alerts_oversight_until_ns", ["oversight_until_ns", "oversight_key_id"], unique=False)
        batch_op.create_index(
            "ix_alerts_state", ["state", "destroyed_at_ns", "called_at_ns", "raised_at_ns"], unique=False
        )
        batch_op.create_index("ix_alerts_subject_id", ["subject_id", "camera_id", "last_seen_ns"], unique=False)

    op.create_table(
        "approvals",
        sa.Column("approval_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("object_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("action", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("content_hash", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("approval_id"),
    )
    with op.batch_alter_table("approvals", schema=None) as batch_op:
        batch_op.create_index("ix_approvals_object_id", ["object_id"], unique=False)

    op.create_table(
        "authorisations",
        sa.Column("authorisation_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("purpose", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("authority", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("decision_sha256", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("decision_status", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("requester", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("cameras", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("from_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("urgent", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("minor", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("created_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content_hash", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("renews", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("submitted_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("started_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("ends_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("ended_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("ended_why", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("consent_code_hash", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("discarded_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("confirmed_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("notify_due_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("notified_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("authorisation_id"),
    )
    with op.batch_alter_table("authorisations", schema=None) as batch_op:
        batch_op.create_index("ix_authorisations_requester", ["requester"], unique=False)
        batch_op.create_index("ix_authorisations_state", ["state"], unique=False)

    op.create_table(
        "cameras",
        sa.Column("camera_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("zone", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("purpose", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("public_url", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("source_digest", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("masks", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("min_face_px", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("added_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("added_by", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("removed_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("delivered_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("record_digest", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("reencode", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("detect_sealed", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("record_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("camera_id"),
    )
    with op.batch_alter_table("cameras", schema=None) as batch_op:
        batch_op.create_index("ix_cameras_zone", ["zone"], unique=False)

    op.create_table(
        "canaries",
        sa.Column("camera_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("seen_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("similarity", sa.Float(), autoincrement=False, nullable=True),
        sa.Column("missed", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("missed_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("leaked_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("camera_id"),
    )
    op.create_table(
        "counts",
        sa.Column("camera_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("analysed_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("frames_decoded", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("frames_analysed", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("frames_gated", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("frames_dropped", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("faces", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tracks", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("searches", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("alerts", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("logged", sa.Boolean(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("camera_id", "day"),
    )
    op.create_table(
        "disputes",
        sa.Column("alert_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("receipt_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("until_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("corrected_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("why_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("alert_id"),
    )
    op.create_table(
        "drifts",
        sa.Column("monitor", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("began_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("steps", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_bets", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("expected", sa.Float(), autoincrement=False, nullable=False),
        sa.Column("false_alerts", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("through", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("alarmed_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("monitor"),
    )
    op.create_table(
        "entries",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("actor", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("hidden_sha256", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("hidden_key", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("salt", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("hidden_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("seq"),
    )
    with op.batch_alter_table("entries", schema=None) as batch_op:
        batch_op.create_index("ix_entries_kind", ["kind"], unique=False)

    op.create_table(
        "lostentries",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("actor", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("hidden_sha256", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("hidden_key", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("salt", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("hidden_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("epoch", "seq"),
    )
    op.create_table(
        "epochs",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("first_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("opened_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("vkey", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("prior", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("seed_sealed", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "evidences",
        sa.Column("evidence_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("uploader", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("uploaded_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("from_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("deadline_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("commitment", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("authorisation_id", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("why", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("destroyed_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("note_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("evidence_id"),
    )
    with op.batch_alter_table("evidences", schema=None) as batch_op:
        batch_op.create_index("ix_evidences_authorisation_id", ["authorisation_id"], unique=False)
        batch_op.create_index("ix_evidences_state", ["state"], unique=False)

    op.create_table(
        "exports",
        sa.Column("export_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("about", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("made_by", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("made_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cameras", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("from_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("unredacted", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("decision_sha256", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("key_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("ends_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("films", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("damaged", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("failure", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("recipient", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("requester", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("approved_seq", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("fetched_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("destroyed_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("wish_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.Column("reports_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("export_id"),
    )
    with op.batch_alter_table("exports", schema=None) as batch_op:
        batch_op.create_index("ix_exports_about", ["about"], unique=False)
        batch_op.create_index("ix_exports_state", ["state"], unique=False)

    op.create_table(
        "playbacks",
        sa.Column("alert_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("from_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("asked_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("ends_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("films", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("sources", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("found", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("shown_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("damaged", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("failure", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("alert_id"),
    )
    with op.batch_alter_table("playbacks", schema=None) as batch_op:
        batch_op.create_index("ix_playbacks_state", ["state"], unique=False)

    op.create_table(
        "findings",
        sa.Column("finding_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("access_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("looked", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("decided_by", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("decided_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("kept_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("found_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.Column("image_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("finding_id"),
    )
    with op.batch_alter_table("findings", schema=None) as batch_op:
        batch_op.create_index("ix_findings_access_id", ["access_id"], unique=False)

    op.create_table(
        "footages",
        sa.Column("footage_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("camera_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("hour_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("deadline_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lasts_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bytes_stored", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("segments", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("footage_id"),
    )
    with op.batch_alter_table("footages", schema=None) as batch_op:
        batch_op.create_index("ix_footages_camera_id", ["camera_id"], unique=False)

    op.create_table(
        "footagesearches",
        sa.Column("about_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("started_by", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("started_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("done", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("watched_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("suspended_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("missing_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("damaged", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("frames", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tracks", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("found", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ended_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("about_id"),
    )
    with op.batch_alter_table("footagesearches", schema=None) as batch_op:
        batch_op.create_index("ix_footagesearches_state", ["state"], unique=False)

    op.create_table(
        "grants",
        sa.Column("grant_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("zones", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("proposed_by", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("proposed_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("approved_by", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("usable_from_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("revoked_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("grant_id"),
    )
    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.create_index("ix_grants_account_id", ["account_id"], unique=False)

    op.create_table(
        "heartbeats",
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("wall_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("boot_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("boot_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("steady_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("jumped", sa.Boolean(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "looks",
        sa.Column("alert_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "account_id"),
    )
    op.create_table(
        "metas",
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "policies",
        sa.Column("policy_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("based_on", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("proposed_by", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("proposed_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("effective_from_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("replaced_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("policy_id"),
        sa.UniqueConstraint("number", name="uq_policies_number"),
    )
    with op.batch_alter_table("policies", schema=None) as batch_op:
        batch_op.create_index("ix_policies_state", ["state"], unique=False)

    op.create_table(
        "receipts",
        sa.Column("receipt_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("alert_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("code_hash", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("made_by", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("made_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("receipt_id"),
        sa.UniqueConstraint("code_hash", name="uq_receipts_code_hash"),
    )
    with op.batch_alter_table("receipts", schema=None) as batch_op:
        batch_op.create_index("ix_receipts_alert_id", ["alert_id"], unique=False)

    op.create_table(
        "references",
        sa.Column("reference_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("subject_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("model_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("commitment", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("report", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("image_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.Column("template_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("reference_id"),
    )
    with op.batch_alter_table("references", schema=None) as batch_op:
        batch_op.create_index("ix_references_subject_id", ["subject_id"], unique=False)

    op.create_table(
        "searches",
        sa.Column("camera_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("view_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("hour_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("searches", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("authorisations", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("subjects", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("gallery_size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("calibration", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("expected_fpir", sa.Float(), autoincrement=False, nullable=False),
        sa.Column("threshold", sa.Float(), autoincrement=False, nullable=False),
        sa.Column("build", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("camera_id", "view_id", "hour_ns"),
    )
    op.create_table(
        "sessions",
        sa.Column("session_hash", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("created_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("used_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ends_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("session_hash"),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index("ix_sessions_account_id", ["account_id"], unique=False)

    op.create_table(
        "subjects",
        sa.Column("subject_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("authorisation_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("commitment", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("tag", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("tag_key_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("minor", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("raised_to", sa.Float(), autoincrement=False, nullable=True),
        sa.Column("discarded_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("identity_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("subject_id"),
    )
    with op.batch_alter_table("subjects", schema=None) as batch_op:
        batch_op.create_index("ix_subjects_authorisation_id", ["authorisation_id"], unique=False)
        batch_op.create_index("ix_subjects_tag", ["tag"], unique=False)

    op.create_table(
        "suspensions",
        sa.Column("suspension_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("zones", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("cameras", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("sources", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("from_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("why", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("imposed_by", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("imposed_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lift_proposed_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("lift_proposed_by", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("lifted_from_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("suspension_id"),
    )
    op.create_table(
        "tokens",
        sa.Column("token_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("token_hash", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("scopes", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("created_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ends_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revoked_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("token_id"),
        sa.UniqueConstraint("token_hash", name="uq_tokens_token_hash"),
    )
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.create_index("ix_tokens_account_id", ["account_id"], unique=False)

    op.create_table(
        "verdicts",
        sa.Column("verdict_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("alert_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("verdict", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("lookalike", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("verdict_id"),
    )
    with op.batch_alter_table("verdicts", schema=None) as batch_op:
        batch_op.create_index("ix_verdicts_alert_id", ["alert_id"], unique=False)

    op.create_table(
        "holds",
        sa.Column("hold_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("requester", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("cameras", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("from_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ends_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("proposed_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("commitment", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("decision_sha256", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("authorisation_id", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("alert_id", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("request_id", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("since_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("approved_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("kept_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("lasts_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("missing_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("segments", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("damaged", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("over_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("destroyed_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("asked_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("hold_id"),
    )
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.create_index("ix_holds_state", ["state"], unique=False)

    op.create_table(
        "publicrequests",
        sa.Column("request_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("received_by", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("received_at_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cameras", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("from_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("due_ns", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("verified_by", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("verified_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("segments", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("graces", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("over_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("destroyed_at_ns", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("asked_sealed", sa.LargeBinary(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("request_id"),
    )
    with op.batch_alter_table("publicrequests", schema=None) as batch_op:
        batch_op.create_index("ix_publicrequests_state", ["state"], unique=False)
