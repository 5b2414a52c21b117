"""The node's thread that turns entries into a log which others can check: one beat after the other, whatever happens.

A beat::

    1. After a start, or in doubt, what was signed last is shown to the witnesses; nothing new is signed until a
       quorum has cosigned that. A machine that was set back finds here that they know more than it does.
    2. Padding fills what waits up to a whole batch, so that every beat adds equally much.
    3. The entries are integrated; the tree is signed and remembered.
    4. The witnesses are asked; what came is published, with or without a quorum.

A beat that fails is told and tried again; nothing else of the node waits for it. Without a quorum for 15 minutes, an
alarm; for 24 hours, once witnesses are named, nothing is started, lifted or exported (`require_witnessed`).
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from habeas.audit.asking import Answer, Witnesses, cosigned, doubted, has_quorum, median_time_s
from habeas.audit.checkpoint import SignedCheckpoint, parse_checkpoint
from habeas.audit.entry import PADDING, leaf_of
from habeas.audit.merkle import consistency_proof
from habeas.audit.note import Note
from habeas.audit.policy import WitnessPolicy
from habeas.audit.tiles import tile_reader
from habeas.authority.epochs import Ended, current_epoch, first_epoch
from habeas.authority.policy import ceilings_now
from habeas.errors import DiskError, HabeasError, ProofError, RuleError
from habeas.keys import KeyStore
from habeas.node.quorums import last_quorum_ns, note_named, note_quorum, unwitnessed_since_ns
from habeas.node.trees import Tree, ended_epoch, open_tree
from habeas.ports import Clock
from habeas.settings import LogSettings
from habeas.store import Store, queries
from habeas.store.records import Epoch
from habeas.types import DAY_NS, NS_PER_S, utc

ACTOR: Final = "log"
"""Who acts, in entries of the log about itself."""
ALARM_NS: Final = 15 * 60 * NS_PER_S
BOUND_NS: Final = DAY_NS
_FAREWELL_S: Final = 3.0
_CHUNK: Final = 8192
"""Entries integrated at a time, where many wait."""
Step = Callable[[], None]


@dataclass(frozen=True)
class LogState:
    """How the log stands.

    Args:
        origin: names it; empty: it has not begun.
        vkey: its public key.
        integrated: entries in its tiles.
        signed: entries of the last signed tree.
        doubt: why nothing more is signed; empty: it is.
        witnessed_at_ns: when a quorum last cosigned; None: none ever did.
        needed: how many witnesses make a quorum; 0: none are named.
        answers: of the witnesses, last time.
    """

    origin: str = ""
    vkey: str = ""
    integrated: int = 0
    signed: int = 0
    doubt: str = ""
    witnessed_at_ns: int | None = None
    needed: int = 0
    answers: tuple[Answer, ...] = ()


class Publishing:
    """Grows and publishes the log. A context manager; owns its thread, which `start` begins.

    Args:
        store: the database.
        keys: have the log's key and its memory.
        clock: tells when.
        folder: for the log's files, one folder an epoch.
        settings: of the log.
        origin: of the installation's log.
        witnesses: where they answer; closed with this.
        guarded: runs a step, and tells of its failure.
        on_time: hears what time it is by the witnesses that made a quorum, their median, Unix ns.
        on_closed: hears after each beat from when on nothing may start, Unix ns; None: everything may.
        after_beat: what follows each beat, whether it failed or not: the public register.
    """

    def __init__(
        self,
        store: Store,
        keys: KeyStore,
        clock: Clock,
        folder: Path,
        settings: LogSettings,
        origin: str,
        witnesses: Witnesses,
        guarded: Callable[[Step], None],
        on_time: Callable[[int], None] = lambda _now_ns: None,
        on_closed: Callable[[int | None], None] = lambda _closed_ns: None,
        after_beat: Step = lambda: None,
    ) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._folder = folder
        self._settings = settings
        self.origin: Final = origin
        self._guarded = guarded
        self._on_time = on_time
        self._on_closed = on_closed
        self._checked = False
        """The log was opened since this start, and is what was signed."""
        self._doubted_ns: int | None = None
        self._after_beat = after_beat
        self._witnesses = witnesses
        self._beating = threading.Lock()
        self._tree: Tree | None = None
        self._heard = False
        """A quorum of the witnesses has cosigned what was published before this start, or doubt."""
        self._alarmed = False
        self._state = LogState()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def _run(self) -> None:
        beat_ns = round(self._settings.beat_s * NS_PER_S)
        next_ns = self._clock.monotonic_ns()
        while not self._ending.is_set():
            self._guarded(self.beat)
            self._guarded(self._after_beat)
            next_ns = max(next_ns + beat_ns, self._clock.monotonic_ns())
            self._ending.wait((next_ns - self._clock.monotonic_ns()) / NS_PER_S)

    @property
    def state(self) -> LogState:
        """How the log stands."""
        return self._state

    def beat(self) -> None:
        """Publish what happened since the last beat.

        Raises:
            ProofError: the log is in doubt: nothing more is signed until the reason is gone, or another epoch begins.
            HabeasError: something failed; the next beat tries again.
        """
        with self._beating:
            try:
                self._beat()
            except HabeasError as error:
                if self._tree is None or not isinstance(error, DiskError):  # what cannot be opened, cannot be trusted
                    self._heard = False
                    self._state = replace(self._state, doubt=error.message)
                raise
            finally:
                self._on_closed(self._closed_ns())

    def _beat(self) -> None:
        with self._store.read() as tx:
            policy = ceilings_now(tx).witness_policy()
        tree = self._opened()
        last = tree.signed_last()
        if policy.witnesses and not self._heard and last is not None:
            self._heard = self._show(tree, last, policy)
            if not self._heard:
                return
        self._grow(tree)
        self._show(tree, tree.log.sign(), policy)

    def _opened(self) -> Tree:
        epoch = self._epoch()
        if self._tree is None or self._tree.epoch != epoch:
            self._tree, self._heard = None, False
            self._tree = tree = open_tree(self._folder, epoch, self._keys, self._store)
            self._checked = True
            self._state = LogState(epoch.origin, epoch.vkey, tree.log.size, tree.log.signed.size)
        return self._tree

    def _epoch(self) -> Epoch:
        with self._store.read() as tx:
            epoch = current_epoch(tx)
        if epoch is not None:
            return epoch
        with self._store.write() as tx:
            return first_epoch(tx, self._keys, self.origin)

    # --- growing ------------------------------------------------------------------------------------------------------

    def _grow(self, tree: Tree) -> None:
        first = tree.next_seq
        with self._store.write() as tx:
            waiting = tx.next_seq() - first
            end = first + self._step(waiting)
            for _ in range(end - first - waiting):
                tx.entry(PADDING, ACTOR, {})
        for start in range(first, end, _CHUNK):
            with self._store.read() as tx:
                rows = queries.entries_from(tx, start, min(_CHUNK, end - start))
            tree.log.integrate([leaf_of(row) for row in rows])

    def _step(self, waiting: int) -> int:
        """Return how many entries this beat adds: one batch, and more only where some would wait for a third beat."""
        batch = self._settings.batch
        return batch * max(1, -(-waiting // batch) - 1)

    # --- showing ------------------------------------------------------------------------------------------------------

    def _show(self, tree: Tree, note: Note, policy: WitnessPolicy) -> bool:
        """Ask the witnesses to cosign, and publish what came; return whether a quorum did.

        Raises:
            ProofError: they know another history.
        """
        bare = _bare(note, tree.epoch.origin)
        reader = tile_reader(tree.log.size, tree.files.read)
        answers = self._witnesses.ask(bare, policy, lambda old, size: consistency_proof(reader, old, size))
        doubt, quorum = doubted(answers, policy), has_quorum(answers, policy)
        self._note(tree, policy, answers, quorum=quorum)
        if doubt:
            raise ProofError(
                f"witnesses know another history of this log: {doubt}",
                remedy="is this a copy, or an older state, of another machine? If it is not: habeas audit epoch",
            )
        tree.log.publish(cosigned(bare.note, answers), witnessed=quorum)
        told_s = median_time_s(answers) if quorum else None
        if told_s is not None:
            self._on_time(told_s * NS_PER_S)
        return quorum

    def _note(self, tree: Tree, policy: WitnessPolicy, answers: tuple[Answer, ...], *, quorum: bool) -> None:
        with self._store.write() as tx:
            if quorum:
                note_quorum(tx)
            elif policy.witnesses:
                note_named(tx)
            witnessed_at_ns = last_quorum_ns(tx)
        self._state = replace(
            self._state,
            integrated=tree.log.size,
            signed=tree.log.signed.size,
            doubt="",
            answers=answers,
            witnessed_at_ns=witnessed_at_ns,
            needed=policy.quorum,
        )
        self._alarm()

    def _alarm(self) -> None:
        with self._store.read() as tx:
            since_ns = unwitnessed_since_ns(tx)
            unwitnessed = since_ns is not None and tx.now_ns - since_ns >= ALARM_NS
        if unwitnessed is not self._alarmed:
            self._alarmed = unwitnessed
            kind = "log.unwitnessed" if unwitnessed else "log.witnessed"
            with self._store.write() as tx:
                tx.entry(kind, ACTOR, {"since": utc(since_ns or tx.now_ns)})
            if unwitnessed:
                self._guarded(self._raise_alarm)

    def _raise_alarm(self) -> None:
        problems = "; ".join(f"{one.witness}: {one.problem}" for one in self._state.answers if one.problem)
        raise HabeasError(f"no quorum of witnesses for 15 minutes ({problems})", remedy="ask their operators")

    # --- what depends on it -------------------------------------------------------------------------------------------

    def require_witnessed(self) -> None:
        """Check that others still see what is done here; asked before anything is started, lifted or exported.

        Raises:
            RuleError: the log is in doubt, or no quorum of the named witnesses has cosigned it for 24 hours.
        """
        unchecked = "" if self._checked else "it was not checked yet since this start"
        if self._state.doubt or unchecked:
            raise RuleError(
                f"the audit log is in doubt: {self._state.doubt or unchecked}",
                rule="log-in-doubt",
                remedy="see `habeas audit status`",
            )
        with self._store.read() as tx:
            since_ns = unwitnessed_since_ns(tx)
            over = since_ns is not None and tx.now_ns - since_ns >= BOUND_NS
        if over:
            raise RuleError(
                f"no quorum of witnesses has seen the log since {utc(since_ns or 0)}",
                rule="unwitnessed",
                remedy="ask the witnesses, or change the witness set by policy",
            )

    def _closed_ns(self) -> int | None:
        """Return from when on nothing may start: since the log is in doubt, or a day without a quorum is over."""
        now_ns = self._clock.now_ns()
        self._doubted_ns = (self._doubted_ns or now_ns) if self._state.doubt else None
        with suppress(HabeasError), self._store.read() as tx:
            since_ns = unwitnessed_since_ns(tx)
            if since_ns is not None and now_ns - since_ns >= BOUND_NS:
                return min(since_ns + BOUND_NS, self._doubted_ns or now_ns)
        return self._doubted_ns

    def ended(self) -> Ended:
        """Return how far the epoch in force was seen: what two approvers name to begin another.

        Raises:
            RuleError: nothing is in doubt: the log goes on.
        """
        if not self._state.doubt:
            raise RuleError("the log goes on: it needs no new epoch", rule="state", remedy="see `habeas audit status`")
        with self._store.read() as tx:
            epoch = current_epoch(tx)
        if epoch is None:
            raise RuleError("the log has not begun", rule="state", remedy="see `habeas audit status`")
        return ended_epoch(self._folder, epoch, self._keys, self._store)

    def close(self) -> None:
        """Stop beating. What is not published yet is durable, and is published after the next start."""
        self._ending.set()
        self._witnesses.close()
        if self._thread.ident is not None:
            self._thread.join(_FAREWELL_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Publishing({self._state.origin!r}, signed={self._state.signed})"


def _bare(note: Note, origin: str) -> SignedCheckpoint:
    """Return a checkpoint with the log's own signature only: what a witness is shown."""
    own = Note(note.text, tuple(one for one in note.signatures if one.name == origin))
    return parse_checkpoint(own.encode())
