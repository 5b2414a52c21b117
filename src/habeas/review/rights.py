"""Who may do what with alerts: one table, and its enforcement. Whatever is not in it is refused."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from habeas.accounts.roles import Actor, Role
from habeas.errors import RuleError


class Act(enum.Enum):
    """What somebody wants to do with alerts."""

    JUDGE = "give a verdict"
    SEE_FACE = "see the faces of an alert"
    QUEUE = "see which alerts wait"
    SEARCH = "search past alerts"
    RECEIPT = "make a receipt"
    CORRECT = "see and correct disputes"


MAY: Final[Mapping[Act, tuple[Role, ...]]] = MappingProxyType(
    {
        Act.JUDGE: (Role.OPERATOR,),
        Act.SEE_FACE: (Role.OPERATOR,),
        Act.QUEUE: (Role.OPERATOR,),
        Act.SEARCH: (Role.OPERATOR, Role.AUDITOR, Role.PRIVACY),
        Act.RECEIPT: (Role.OPERATOR,),
        Act.CORRECT: (Role.APPROVER, Role.PRIVACY),
    }
)
"""Each in the zones of that role. No answer but `SEE_FACE` carries a face."""
BY_TOKEN: Final[Mapping[Act, str]] = MappingProxyType({Act.QUEUE: "read", Act.SEARCH: "read"})
"""What an API token may do, and the scope that it takes; everything else takes a login."""


def zones_for(actor: Actor, act: Act) -> frozenset[str] | None:
    """Return the zones in which somebody may do this; None: all of them.

    Raises:
        RuleError: nowhere, or not with this API token.
    """
    if act not in BY_TOKEN and actor.by_token:
        raise RuleError(f"an API token cannot {act.value}", rule="login-needed", remedy="log in: habeas login NAME")
    actor.require_scope(BY_TOKEN.get(act, ""))
    actor.require(*MAY[act])
    held = [actor.roles[role] for role in MAY[act] if actor.has(role)]
    return None if not all(held) else frozenset(zone for zones in held for zone in zones)


def check_act(actor: Actor, act: Act, zone: str) -> None:
    """Check that somebody may do this in a zone.

    Raises:
        RuleError: they may not.
    """
    zones = zones_for(actor, act)
    if zones is not None and zone not in zones:
        raise RuleError(
            f"the zone {zone} is not one of yours: you cannot {act.value} there",
            rule="zone",
            remedy="ask somebody of that zone",
        )
