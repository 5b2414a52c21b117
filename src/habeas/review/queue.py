"""What people see of alerts. Nothing here depends on verdicts of others that have not decided an alert yet."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from habeas.accounts.roles import Actor
from habeas.errors import InputError, UsageError
from habeas.keys import KeyStore
from habeas.review.alerts import may_be_shown, those_shown
from habeas.review.images import image_context, opened, reference_context
from habeas.review.looks import note_look
from habeas.review.rights import Act, check_act, zones_for
from habeas.review.table import UNDECIDED, State
from habeas.store import Tx, queries
from habeas.store.records import Alert, Reference, Subject

MOST_FOUND: Final = 500
"""Alerts that one search returns at most."""


@dataclass(frozen=True)
class Facts:
    """An alert without faces.

    Once its image is destroyed, only counts, times and outcome remain; times to the hour, if it was not confirmed.

    Args:
        alert_id: which.
        camera_id: where.
        zone: of the camera when it was raised.
        authorisation_id: what permitted the search; None: forgotten.
        subject_id: whom it matched; None: destroyed.
        captured_at_ns: when.
        from_footage: found in what was recorded, not live.
        raised_at_ns: when it was written.
        last_seen_ns: capture time of the last sighting.
        sightings: tracks so far.
        similarity: of the first crossing; None: destroyed.
        threshold: what it crossed.
        expected_fpir: promised share of non-mated tracks that alert.
        extrapolated: fewer than 30 errors stand behind that.
        false_a_day: false alerts to expect a day.
        gallery_size: references compared with.
        state: where it is.
        decided_at_ns: when.
    """

    alert_id: str
    camera_id: str
    zone: str
    authorisation_id: str | None
    subject_id: str | None
    captured_at_ns: int
    from_footage: bool
    raised_at_ns: int
    last_seen_ns: int
    sightings: int
    similarity: float | None
    threshold: float
    expected_fpir: float
    extrapolated: bool
    false_a_day: float
    gallery_size: int
    state: State
    decided_at_ns: int | None


def _facts(alert: Alert) -> Facts:
    destroyed = alert.destroyed_at_ns is not None
    return Facts(
        alert_id=alert.alert_id,
        camera_id=alert.camera_id,
        zone=alert.zone,
        authorisation_id=alert.authorisation_id,
        subject_id=None if destroyed else alert.subject_id,
        captured_at_ns=alert.captured_at_ns,
        from_footage=alert.from_footage,
        raised_at_ns=alert.raised_at_ns,
        last_seen_ns=alert.last_seen_ns,
        sightings=alert.sightings,
        similarity=None if destroyed else alert.similarity,
        threshold=alert.threshold,
        expected_fpir=alert.expected_fpir,
        extrapolated=alert.extrapolated,
        false_a_day=alert.false_a_day,
        gallery_size=alert.gallery_size,
        state=State(alert.state),
        decided_at_ns=alert.decided_at_ns,
    )


class Shown:
    """An alert with its faces, which come out only once the entry that says who looked is durable.

    Args:
        facts: what is written about it.
        image: the alert's face; None: gone.
        references: the subject's reference images; none: gone.
    """

    def __init__(self, facts: Facts, image: bytes | None, references: tuple[bytes, ...]) -> None:
        self.facts = facts
        self._image = image
        self._references = references
        self._logged = False

    @property
    def faces(self) -> int:
        """How many pictures there are."""
        return len(self._references) + (self._image is not None)

    @property
    def image(self) -> bytes | None:
        """The alert's face, as it was given; None: gone.

        Raises:
            UsageError: the transaction has not committed.
        """
        self._check()
        return self._image

    @property
    def references(self) -> tuple[bytes, ...]:
        """The subject's reference images; none once the authorisation has ended.

        Raises:
            UsageError: the transaction has not committed.
        """
        self._check()
        return self._references

    def _check(self) -> None:
        if not self._logged:
            raise UsageError("this view of a face is not in the log yet", remedy="commit before sending it")

    def logged(self) -> None:
        """Let the faces out; the transaction calls it once it has committed."""
        self._logged = True

    def __repr__(self) -> str:
        return f"Shown({self.facts.alert_id!r}, faces={self.faces})"


def queue(tx: Tx, actor: Actor) -> list[Facts]:
    """Return the alerts that wait for a verdict of this person: by urgency, and of the same the newest first.

    First those for which the reviewer on call was called, then the other open ones, then those whose half hour is over.
    No verdict has an influence on it.

    Args:
        tx: the transaction.
        actor: an operator; sees the zones that the role is for.

    Raises:
        RuleError: not an operator.
    """
    zones = zones_for(actor, Act.QUEUE)
    waiting = queries.alerts_waiting(tx, states=UNDECIDED, zones=zones, judges=actor.accounts)
    ordered = sorted(those_shown(tx, waiting), key=lambda one: (_urgency(one), -one.raised_at_ns, one.alert_id))
    return [_facts(alert) for alert in ordered]


def _urgency(alert: Alert) -> int:
    if alert.state == State.UNCONFIRMED.value:
        return 2
    return 0 if alert.called_at_ns is not None else 1


def show(tx: Tx, keys: KeyStore, actor: Actor, alert_id: str) -> Shown:
    """Open an alert with its reference, and write who looked; whoever was shown both may judge it.

    Args:
        tx: a writing transaction: before it has committed, the faces do not come out.
        keys: opens them.
        actor: an operator of the alert's zone, logged in.
        alert_id: which.

    Raises:
        RuleError: not an operator of that zone, or an API token.
        InputError: no such alert, or an image was changed.
    """
    alert = tx.get(Alert, alert_id)
    check_act(actor, Act.SEE_FACE, alert.zone)
    image, references = _faces(tx, keys, alert) if may_be_shown(tx, alert) else (None, ())
    shown = Shown(_facts(alert), image, references)
    if image is not None and references:
        note_look(tx, actor, alert)
    tx.entry("view.alert", actor.account_id, {"alert": alert_id, "faces": shown.faces})
    tx.after_commit(shown.logged)
    return shown


def _faces(tx: Tx, keys: KeyStore, alert: Alert) -> tuple[bytes | None, tuple[bytes, ...]]:
    subject = tx.get(Subject, alert.subject_id)
    references = [
        opened(keys, subject.key_id, reference.image_sealed, reference_context(reference.reference_id))
        for reference in tx.find(Reference, subject_id=subject.subject_id)
    ]
    image = opened(keys, alert.key_id, alert.image_sealed, image_context(alert.alert_id))
    return image, tuple(reference for reference in references if reference is not None)


def search(
    tx: Tx,
    actor: Actor,
    *,
    cameras: Collection[str],
    from_ns: int,
    until_ns: int,
    states: Collection[State] = frozenset(State),
    limit: int = MOST_FOUND,
) -> list[Facts]:
    """Return past alerts without faces, the latest captured first.

    Args:
        tx: the transaction.
        actor: an operator, auditor or privacy officer; sees the zones that the role is for.
        cameras: by id; none: every camera.
        from_ns: first instant of capture.
        until_ns: first instant after.
        states: which to return.
        limit: how many at most, up to 500.

    Raises:
        RuleError: another role.
        InputError: a limit outside 1 to 500.
    """
    zones = zones_for(actor, Act.SEARCH)
    if not 1 <= limit <= MOST_FOUND:
        raise InputError(f"a search returns 1 to {MOST_FOUND} alerts", remedy="narrow the window of time")
    found = queries.alerts_between(
        tx,
        cameras=cameras or None,
        zones=zones,
        from_ns=from_ns,
        until_ns=until_ns,
        states=[state.value for state in states],
        limit=limit,
    )
    return [_facts(alert) for alert in found]
