"""Who may do what: accounts, roles granted by two, logins, API tokens.

`roles` is pure; `people`, `grants`, `sessions` and `tokens` are the commands, each inside a transaction of the store.
"""

from habeas.accounts.roles import Actor, Role

__all__ = ["Actor", "Role"]
