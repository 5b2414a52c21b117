"""The ceilings of an installation: an object that two people change, a day ahead, below maxima that nobody changes.

Neither a file nor the environment can set it. A change that only tightens takes effect with the second approval.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Final, Self

import rfc8785

from habeas.accounts.credentials import new_id
from habeas.accounts.roles import Actor, Role
from habeas.audit.note import parse_key
from habeas.audit.policy import WitnessPolicy
from habeas.authority.approvals import approvals_of, approve_object
from habeas.authority.purposes import Purpose
from habeas.comparison.calibration import DEFAULT_FPIR, MAX_FPIR
from habeas.errors import InputError, RuleError
from habeas.store import Tx
from habeas.store.records import Policy
from habeas.types import DAY_NS, utc

MAX_AUTHORISATION_H: Final = 30 * 24
MAX_FOOTAGE_H: Final = 120
MAX_CAMERAS_ONE: Final = 5
MAX_SHARE_ONE: Final = 0.10
MAX_CAMERAS_ALL: Final = 5
MAX_SHARE_ALL: Final = 0.25
MAX_SUBJECTS: Final = 100

WAIT_NS: Final = DAY_NS
"""From the second approval until a change that loosens takes effect."""
PROPOSAL_NS: Final = 7 * DAY_NS
_APPROVERS: Final = 2


@dataclass(frozen=True)
class Ceilings:
    """What this installation may do at most.

    Args:
        authorisation_h: longest window of an authorisation, hours.
        footage_h: longest retention of footage, hours.
        fpir: promised share of non-mated tracks that alert.
        cameras_one: cameras of one live authorisation, or `share_one` of those that deliver, whichever is more.
        share_one: see there.
        cameras_all: cameras of all live authorisations together, or `share_all`, whichever is more.
        share_all: see there.
        subjects: live subjects at once.
        purposes: permitted, by name.
        model_id: the model pack that compares.
        calibration: SHA-256 of the table that says what a similarity means.
        witnesses: verifier keys of those who must see the log.
        quorum: how many of them must have cosigned a checkpoint; 0: more than half.
    """

    authorisation_h: int = MAX_AUTHORISATION_H
    footage_h: int = MAX_FOOTAGE_H
    fpir: float = DEFAULT_FPIR
    cameras_one: int = MAX_CAMERAS_ONE
    share_one: float = MAX_SHARE_ONE
    cameras_all: int = MAX_CAMERAS_ALL
    share_all: float = MAX_SHARE_ALL
    subjects: int = MAX_SUBJECTS
    purposes: tuple[str, ...] = tuple(purpose.value for purpose in Purpose)
    model_id: str = ""
    calibration: str = ""
    witnesses: tuple[str, ...] = ()
    quorum: int = 0

    def __post_init__(self) -> None:
        self.witness_policy()
        for name, most in _MAXIMA.items():
            if not 0 <= getattr(self, name) <= most:
                raise RuleError(
                    f"{name} {getattr(self, name)} is outside 0 to {most}",
                    rule="compiled-maximum",
                    remedy=f"no policy passes {most}; choose less",
                )
        unknown = set(self.purposes) - {purpose.value for purpose in Purpose}
        if unknown:
            raise RuleError(
                f"no such purpose: {min(unknown)}", rule="closed-purposes", remedy="a policy may only shorten it"
            )

    @classmethod
    def load(cls, body: str) -> Self:
        """Read what `dump` wrote."""
        values = json.loads(body)
        return cls(**{**values, "purposes": tuple(values["purposes"]), "witnesses": tuple(values["witnesses"])})

    def dump(self) -> str:
        """Return canonical JSON (RFC 8785)."""
        return rfc8785.dumps(asdict(self)).decode()

    def tightens(self, old: "Ceilings") -> bool:
        """Tell whether nothing is allowed that `old` did not allow."""
        return (
            all(getattr(self, name) <= getattr(old, name) for name in _MAXIMA)
            and set(self.purposes) <= set(old.purposes)
            and (self.model_id, self.calibration) == (old.model_id, old.calibration)
            and self._witnessed_as_well_as(old)
        )

    def _witnessed_as_well_as(self, old: "Ceilings") -> bool:
        """Tell whether every quorum holds a quorum of the old set: whoever adds own witnesses outvotes nobody."""
        added = set(self.witnesses) - set(old.witnesses)
        quorum = self.witness_policy().quorum - len(added)
        return set(self.witnesses) >= set(old.witnesses) and quorum >= old.witness_policy().quorum

    def witness_policy(self) -> WitnessPolicy:
        """Return whose cosignatures a checkpoint needs.

        Raises:
            InputError: these are no keys of witnesses, or fewer than the quorum.
        """
        keys = tuple(parse_key(one) for one in self.witnesses)
        return WitnessPolicy(keys, self.quorum or (len(keys) // 2 + 1 if keys else 0))


_MAXIMA: Final[dict[str, float]] = {
    "authorisation_h": MAX_AUTHORISATION_H,
    "footage_h": MAX_FOOTAGE_H,
    "fpir": MAX_FPIR,
    "cameras_one": MAX_CAMERAS_ONE,
    "share_one": MAX_SHARE_ONE,
    "cameras_all": MAX_CAMERAS_ALL,
    "share_all": MAX_SHARE_ALL,
    "subjects": MAX_SUBJECTS,
}


def first_policy(tx: Tx, ceilings: Ceilings) -> None:
    """Write the policy that `init` begins with."""
    policy = Policy(new_id("pol"), 1, 0, ceilings.dump(), "active", "init", tx.now_ns, tx.now_ns)
    tx.add(policy)
    tx.entry("policy.first", "init", _facts(policy))


def carry_policy(tx: Tx, then: Policy, since: Ceilings, number: int) -> bool:
    """Put in force what both a restored policy and the one in force before allow; return whether that is another.

    Args:
        tx: the transaction that restores.
        then: of the older database, in force in it.
        since: of the newer one. Its model pack, calibration, witnesses and quorum hold.
        number: of the policy to be made.
    """
    old = Ceilings.load(then.body)
    lower = {name: min(getattr(old, name), getattr(since, name)) for name in _MAXIMA}
    purposes = tuple(purpose for purpose in old.purposes if purpose in since.purposes)
    both = replace(since, purposes=purposes, **lower)
    if both == old:
        return False
    policy = Policy(new_id("pol"), number, then.number, both.dump(), "active", "restore", tx.now_ns, tx.now_ns)
    tx.add(policy)
    tx.entry("policy.carried", "restore", _facts(policy))
    return True


def policy_now(tx: Tx) -> Policy:
    """Return the policy in force at this moment.

    Raises:
        InputError: there is none.
    """
    due = [row for row in tx.find(Policy, state="active") if (row.effective_from_ns or 0) <= tx.now_ns]
    if not due:
        raise InputError("this installation has no policy", remedy="make it with `habeas init DIR`")
    return max(due, key=lambda row: (row.effective_from_ns or 0, row.number))


def ceilings_now(tx: Tx) -> Ceilings:
    """Return the ceilings in force at this moment."""
    return Ceilings.load(policy_now(tx).body)


def propose_policy(tx: Tx, actor: Actor, changes: dict[str, object]) -> Policy:
    """Propose the policy in force with some values changed.

    Args:
        tx: the transaction.
        actor: an approver, privacy officer or admin, logged in.
        changes: fields of `Ceilings`.

    Raises:
        RuleError: another role, or above a compiled maximum.
        InputError: an unknown field or a value of the wrong kind.
    """
    actor.require(Role.APPROVER, Role.PRIVACY, Role.ADMIN)
    actor.require_login()
    old = policy_now(tx)
    ceilings = _changed(Ceilings.load(old.body), changes)
    number = max(row.number for row in tx.find(Policy)) + 1
    policy = Policy(new_id("pol"), number, old.number, ceilings.dump(), "proposed", actor.account_id, tx.now_ns)
    tx.add(policy)
    tx.entry("policy.proposed", actor.account_id, _facts(policy))
    return policy


def _changed(old: Ceilings, changes: dict[str, object]) -> Ceilings:
    known = asdict(old)
    taken: dict[str, object] = {}
    for name, given in changes.items():
        if name not in known:
            raise InputError(f"no such ceiling: {name}", remedy=f"one of {', '.join(known)}")
        wanted = type(known[name])
        value = tuple(given) if isinstance(given, list) else given
        fits = isinstance(value, (int, float)) if wanted is float else isinstance(value, wanted)
        texts = not isinstance(value, tuple) or all(isinstance(one, str) for one in value)
        if not fits or not texts or isinstance(value, bool):
            raise InputError(f"{name} takes a {wanted.__name__}, not {value!r}", remedy="see `habeas policy show`")
        taken[name] = value
    return replace(old, **taken)  # type: ignore[arg-type]  # checked field by field above


def approve_policy(tx: Tx, actor: Actor, policy_id: str, content_hash: str) -> Policy:
    """Approve a proposal. With the second approver it is in force: at once if it only tightens, else after a day.

    Raises:
        RuleError: not an approver, the proposer, twice the same person, other content than was shown, too late.
        InputError: no such proposal.
    """
    policy = tx.get(Policy, policy_id)
    old = policy_now(tx)
    if policy.state != "proposed" or policy.based_on != old.number or tx.now_ns - policy.proposed_at_ns >= PROPOSAL_NS:
        raise RuleError(
            "this proposal is not open, or changes a policy that is not in force any more",
            rule="state",
            remedy="propose it again",
        )
    approve_object(
        tx,
        actor,
        object_id=policy_id,
        action="policy",
        content_hash=content_hash,
        expected_hash=policy_hash(policy),
        requester=policy.proposed_by,
    )
    if len(approvals_of(tx, policy_id, "policy", content_hash)) < _APPROVERS:
        return policy
    for waiting in tx.find(Policy, state="active"):
        if (waiting.effective_from_ns or 0) > tx.now_ns:
            tx.change(waiting, state="void")  # it was approved as a change of what is changed now
            tx.entry("policy.void", actor.account_id, {"policy": waiting.policy_id})
    wait_ns = 0 if Ceilings.load(policy.body).tightens(Ceilings.load(old.body)) else WAIT_NS
    from_ns = tx.now_ns + wait_ns
    policy = tx.change(policy, state="active", effective_from_ns=from_ns)
    tx.entry("policy.approved", actor.account_id, {"policy": policy_id, "effective_from": utc(from_ns)})
    return policy


def _facts(policy: Policy) -> dict[str, object]:
    return {
        "based_on": policy.based_on,
        "ceilings": as_values(policy),
        "number": policy.number,
        "policy": policy.policy_id,
        "sha256": policy_hash(policy),
    }


def as_values(policy: Policy) -> dict[str, object]:
    """Return the ceilings of a policy by name, JSON values."""
    values: dict[str, object] = json.loads(policy.body)
    return values


def policy_hash(policy: Policy) -> str:
    """Return what an approval of this policy binds: SHA-256, hexadecimal."""
    return hashlib.sha256(policy.body.encode()).hexdigest()
