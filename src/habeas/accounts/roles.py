"""Roles, and what somebody who acts may do (product.md, "Roles"). Pure."""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from habeas.errors import RuleError


class Role(enum.Enum):
    """What a person may be here for."""

    OPERATOR = "operator"
    REQUESTER = "requester"
    APPROVER = "approver"
    PRIVACY = "privacy"
    AUDITOR = "auditor"
    ADMIN = "admin"


ALONE: Final = frozenset({Role.ADMIN, Role.PRIVACY})
"""Roles that combine with no other."""
ZONED: Final = frozenset({Role.OPERATOR})
"""Roles that may be for some zones only. Not `auditor`: who reads a part of the log cannot verify it."""
EVERYWHERE: Final[tuple[str, ...]] = ()
"""Zones of a role that is for all of them."""


def check_combination(roles: Iterable[Role]) -> None:
    """Check that one person may hold these together.

    Raises:
        RuleError: `admin` or `privacy` with another; `operator` with `auditor`, who sees in the log who has judged.
    """
    held = set(roles)
    if {Role.OPERATOR, Role.AUDITOR} <= held:
        raise RuleError(
            "whoever gives verdicts does not read the log",
            rule="role-combination",
            remedy="give one of the two roles to another person",
        )
    lonely = sorted(role.value for role in held & ALONE)
    if lonely and len(held) > 1:
        raise RuleError(
            f"the role {lonely[0]} combines with no other",
            rule="role-combination",
            remedy="give the other role to another person",
        )


@dataclass(frozen=True)
class Actor:
    """Somebody who acts, as known in this transaction.

    Args:
        account_id: the pseudonym that entries carry.
        accounts: all of the same person, this one too, as far as that can still be told.
        roles: usable now, with the zones of each (empty: all zones).
        by_token: an API token, not a login.
        scopes: what the token may do.
        unnamed: accounts whose names are gone: whose they were, nobody can tell.
        over: the roles of an account whose year is over: it only helps to make new accounts.
    """

    account_id: str
    accounts: frozenset[str]
    roles: Mapping[Role, tuple[str, ...]]
    by_token: bool = False
    scopes: frozenset[str] = frozenset()
    unnamed: frozenset[str] = frozenset()
    over: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)

    def owns(self, account_id: str) -> bool:
        """Tell whether an account is of the same person."""
        return account_id in self.accounts

    def may_be(self, account_id: str) -> bool:
        """Tell whether an account may be of the same person: what rules of two persons ask."""
        return account_id in self.accounts or account_id in self.unnamed

    def of_staff(self) -> frozenset[Role]:
        """Return the roles that count for making and granting accounts: those of an account whose year is over, too."""
        return frozenset(self.roles) | frozenset(self.over)

    def require(self, *roles: Role) -> None:
        """Check that one of these roles is held.

        Raises:
            RuleError: none is.
        """
        if not any(role in self.roles for role in roles):
            self._check_year(roles)
            names = " or ".join(role.value for role in roles)
            raise RuleError(
                f"this takes the role {names}", rule="role", remedy="ask a holder, or have the role granted by two"
            )

    def require_of_staff(self, role: Role) -> None:
        """Check that a role is held, also by an account whose year is over: for making accounts.

        Raises:
            RuleError: it is not.
        """
        if role not in self.over:
            self.require(role)

    def _check_year(self, roles: Iterable[Role]) -> None:
        if any(role in self.over for role in roles):
            raise RuleError(
                "the year of this account is over: it only helps to make and grant new ones",
                rule="account-over",
                remedy="ask an admin for a new one (habeas user add, the same name), then two people for its roles",
            )

    def require_login(self) -> None:
        """Check that a person is logged in.

        Raises:
            RuleError: an API token asks.
        """
        if self.by_token:
            raise RuleError(
                "an API token cannot approve, lift, or give verdicts",
                rule="login-needed",
                remedy="log in: habeas login NAME",
            )

    def require_scope(self, scope: str) -> None:
        """Check that a token, if one asks, is for this.

        Raises:
            RuleError: it is not.
        """
        if self.by_token and scope not in self.scopes:
            raise RuleError(
                f"this API token is not for {scope}", rule="token-scope", remedy="make one with that scope, or log in"
            )

    def has(self, role: Role) -> bool:
        """Tell whether a role is held."""
        return role in self.roles
