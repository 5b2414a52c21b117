"""What the database says of comparing, at one moment: who is listed where, which cameras there are, what is suspended.

Each commit may change it, and few do. Rows that no commit can have changed are not read again, and a reference is
decrypted once: its template is kept while it is listed, and forgotten with the reading that lists it no more.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from habeas.authority.evidence import State as EvidenceState
from habeas.authority.evidence import is_evidence, stand_in
from habeas.authority.opened import open_template
from habeas.authority.policy import Ceilings, ceilings_now
from habeas.authority.requests import State
from habeas.errors import InputError, KeyDestroyed
from habeas.keys import KeyStore
from habeas.store import Store, Tx
from habeas.store.footage_records import Evidence
from habeas.store.records import Authorisation, Camera, Policy, Reference, Subject, Suspension
from habeas.types import F32, HOUR_NS, Str

NEVER_NS: Final = 2**62
Source = tuple[str, str]
"""A camera's id and the digest of its source: what an authorisation names."""


@dataclass(frozen=True, repr=False, eq=False)
class Listing:
    """The references of one authorisation that may be compared, and the limits of when and where. Equal: the same one.

    Args:
        authorisation_id: which.
        live: cameras are watched for them; else their footage may be searched.
        cameras: that it names.
        from_ns: first instant at which they may be compared, Unix ns.
        until_ns: first instant after.
        key_ids: of its subjects.
        reference_ids: (m,) of the rows.
        subject_ids: (m,)
        commitments: (m,) keyed hashes of the references.
        vectors: (m, d) float32, unit length.
    """

    authorisation_id: str
    live: bool
    cameras: frozenset[Source]
    from_ns: int
    until_ns: int
    key_ids: frozenset[str]
    reference_ids: tuple[str, ...]
    subject_ids: Str
    commitments: Str
    vectors: F32

    def says(self, other: "Listing") -> bool:
        """Tell whether this is word for word the other. The id of a reference stands for its template: none changes."""
        return self.words() == other.words()

    def words(self) -> tuple[object, ...]:
        """Return all that it says but the templates."""
        limits = self.authorisation_id, self.live, self.cameras, self.from_ns, self.until_ns, self.key_ids
        return *limits, self.reference_ids, self.subject_ids.tolist(), self.commitments.tolist()

    def __len__(self) -> int:
        return len(self.reference_ids)


class Suspensions:
    """Suspensions by what they name, since over the years they become many.

    Args:
        rows: all of them.
    """

    def __init__(self, rows: Sequence[Suspension] = ()) -> None:
        self._rows = tuple(rows)
        self._by: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for number, row in enumerate(self._rows):
            named = (("zone", row.zones), ("camera", row.cameras), ("source", row.sources))
            for key in ((what, name) for what, names in named for name in names):
                self._by[key].append(number)

    def of(self, camera: Camera) -> tuple[Suspension, ...]:
        """Return those that are about a camera, or about evidence in its place (`suspensions.covers`)."""
        if is_evidence(camera.camera_id):
            return self._rows
        keys = [("zone", camera.zone), ("camera", camera.camera_id), ("source", camera.source_digest)]
        keys += [("source", camera.record_digest)] if camera.record_digest else []
        return tuple(self._rows[number] for number in sorted({n for key in keys for n in self._by.get(key, ())}))


@dataclass(frozen=True, repr=False, eq=False)
class Known:
    """One moment's state of the database, as far as comparing is concerned.

    Args:
        listings: of authorisations that run.
        floors: by subject, the similarity that reviewers raised its alerts to.
        cameras: that there are, by id.
        suspensions: all of them.
        ceilings: of the policy in force.
        policy_until_ns: when another policy is.
        evidence: that is kept, by id, as the cameras in whose places it stands.
    """

    listings: tuple[Listing, ...] = ()
    floors: Mapping[str, float] = field(default_factory=dict)
    cameras: Mapping[str, Camera] = field(default_factory=dict)
    suspensions: Suspensions = field(default_factory=Suspensions)
    ceilings: Ceilings = field(default_factory=Ceilings)
    policy_until_ns: int = NEVER_NS
    evidence: Mapping[str, Camera] = field(default_factory=dict)

    def place(self, camera_id: str) -> Camera | None:
        """Return a camera, or evidence in its place; None: it is neither."""
        return self.evidence.get(camera_id) if is_evidence(camera_id) else self.cameras.get(camera_id)

    @cached_property
    def covered(self) -> Mapping[str, tuple[Listing, ...]]:
        """The live listings that name each camera with the source that it has; cameras without one are left out."""
        found: defaultdict[str, list[Listing]] = defaultdict(list)
        for listing in self.listings:
            for camera_id in self.named_by(listing) if listing.live else ():
                found[camera_id].append(listing)
        return {camera_id: tuple(listings) for camera_id, listings in found.items()}

    def named_by(self, listing: Listing) -> tuple[str, ...]:
        """Return the cameras, or evidence, that a listing names with the source that they have."""
        there = ((camera_id, digest, self.place(camera_id)) for camera_id, digest in sorted(listing.cameras))
        return tuple(name for name, digest, one in there if one is not None and one.source_digest == digest)

    def searching(self, camera_id: str, authorisation_id: str) -> Listing | None:
        """Return under what the footage of a camera may be searched for those whom an authorisation names."""
        for listing in self.listings:
            if listing.authorisation_id == authorisation_id and not listing.live:
                return listing if camera_id in self.named_by(listing) else None
        return None

    def decides(self, camera_id: str, authorisation_id: str) -> tuple[object, ...]:
        """Return all that a view is made of: equal before and after a commit, the view stays.

        Args:
            camera_id: its camera.
            authorisation_id: under which footage is searched; empty: the camera is watched.
        """
        camera = self.place(camera_id)
        if camera is None:
            return ()
        if authorisation_id:
            return self.searching(camera_id, authorisation_id), self.policy_until_ns
        return self.covered.get(camera_id, ()), self.suspensions.of(camera), self.policy_until_ns

    def without_anybody(self) -> "Known":
        """Return the same with nobody listed."""
        return Known((), {}, self.cameras, self.suspensions, self.ceilings, self.policy_until_ns, self.evidence)


class Reading:
    """Reads what is known, and not again what no commit can have changed. Used by one thread at a time.

    Args:
        store: the database.
        keys: opens references.
        model_id: of the pack in use; references of another are left out, and counted.
    """

    def __init__(self, store: Store, keys: KeyStore, model_id: str) -> None:
        self._store = store
        self._keys = keys
        self._model_id = model_id
        self._commits: dict[type, int] = {}
        self._known = Known()
        self._vectors: dict[str, F32] = {}
        self.other_model = 0
        self.unreadable = 0

    def read(self) -> Known:
        """Return what is known now.

        Raises:
            DiskError: the database failed; what was known before is kept for the next attempt only.
        """
        commits = dict(zip(_KINDS, self._store.commits(*_KINDS), strict=True))  # asked before anything is read
        same = {kind for kind in _KINDS if self._commits.get(kind) == commits[kind]}
        old = self._known
        with self._store.read() as tx:
            ceilings, policy_until_ns = ceilings_now(tx), _next_policy_ns(tx)  # what is in force changes by itself
            listed = same.issuperset(_LISTED) and ceilings == old.ceilings and self._keys_are_there()
            self._known = Known(
                *((old.listings, old.floors) if listed else self._listed(tx, ceilings)),
                old.cameras if Camera in same else {one.camera_id: one for one in tx.find(Camera, removed_at_ns=None)},
                old.suspensions if Suspension in same else Suspensions(tx.find(Suspension)),
                ceilings,
                policy_until_ns,
                old.evidence if Evidence in same else _evidence(tx),
            )
        self._commits = commits
        return self._known

    def _keys_are_there(self) -> bool:
        return all(self._keys.has(key_id) for listing in self._known.listings for key_id in listing.key_ids)

    def _listed(self, tx: Tx, ceilings: Ceilings) -> tuple[tuple[Listing, ...], Mapping[str, float]]:
        """Return the listings, those that say the same as before unchanged, and the floors of subjects."""
        running = tx.find(Authorisation, state=State.ACTIVE.value)
        rows = [row for row in running if row.purpose in ceilings.purposes]
        subjects = tx.find(Subject, authorisation_id={row.authorisation_id for row in rows}) if rows else []
        named = {subject.subject_id for subject in subjects}
        references = tx.find(Reference, without=("image_sealed",), subject_id=named) if named else []
        self.other_model = self.unreadable = 0
        opened = {
            reference.reference_id: vector
            for subject, reference in _paired(subjects, references)
            if (vector := self._vector(subject, reference)) is not None
        }
        self._vectors = opened  # what is not listed any more is forgotten
        before = {listing.authorisation_id: listing for listing in self._known.listings}
        listings = []
        for row in rows:
            own = {one.subject_id: one for one in subjects if one.authorisation_id == row.authorisation_id}
            mine = [one for one in references if one.subject_id in own and one.reference_id in opened]
            if mine:
                made = _listing(row, ceilings, [own[one.subject_id] for one in mine], mine, opened)
                old = before.get(row.authorisation_id)
                listings.append(old if old is not None and old.says(made) else made)
        return tuple(listings), {one.subject_id: one.raised_to for one in subjects if one.raised_to is not None}

    def _vector(self, subject: Subject, reference: Reference) -> F32 | None:
        if reference.model_id != self._model_id:
            self.other_model += 1
            return None
        try:
            self._keys.expires_at_ns(subject.key_id)
            opened = self._vectors.get(reference.reference_id)
            return open_template(self._keys, subject, reference) if opened is None else opened
        except KeyDestroyed:  # an old database with the current keys: nobody is brought back
            return None
        except InputError:  # damaged: no reason to go on comparing, or to stop comparing, others
            self.unreadable += 1
            return None


_LISTED: Final = (Authorisation, Subject, Reference)
_KINDS: Final = (*_LISTED, Camera, Suspension, Evidence)


def _evidence(tx: Tx) -> dict[str, Camera]:
    rows = tx.find(Evidence, without=("note_sealed",), state=EvidenceState.KEPT.value)
    return {row.evidence_id: stand_in(row) for row in rows}


def _next_policy_ns(tx: Tx) -> int:
    changes = (row.effective_from_ns or 0 for row in tx.find(Policy, state="active"))
    return min((from_ns for from_ns in changes if from_ns > tx.now_ns), default=NEVER_NS)


def _paired(subjects: Iterable[Subject], references: Iterable[Reference]) -> list[tuple[Subject, Reference]]:
    by_id = {subject.subject_id: subject for subject in subjects}
    return [(by_id[reference.subject_id], reference) for reference in references]


def _listing(
    row: Authorisation,
    ceilings: Ceilings,
    subjects: Sequence[Subject],
    references: Sequence[Reference],
    opened: Mapping[str, F32],
) -> Listing:
    """Return what may be compared of an authorisation.

    Args:
        row: it runs.
        ceilings: of the policy in force.
        subjects: one for each reference.
        references: that could be opened, at least one.
        opened: template of each reference, by id.
    """
    live, from_ns, until_ns = row.kind == "live", row.started_at_ns or NEVER_NS, row.ends_at_ns or 0
    if live:
        from_ns = max(row.from_ns, from_ns)
        until_ns = min(row.until_ns, until_ns, from_ns + ceilings.authorisation_h * HOUR_NS)
    return Listing(
        authorisation_id=row.authorisation_id,
        live=live,
        cameras=frozenset(row.cameras),
        from_ns=from_ns,
        until_ns=until_ns,
        key_ids=frozenset(subject.key_id for subject in subjects),
        reference_ids=tuple(reference.reference_id for reference in references),
        subject_ids=np.array([reference.subject_id for reference in references]),
        commitments=np.array([reference.commitment for reference in references]),
        vectors=np.stack([opened[reference.reference_id] for reference in references]),
    )
