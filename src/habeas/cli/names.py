"""Names of people who work here, beside the pseudonyms that entries and answers carry."""

from collections.abc import Mapping

from habeas.cli.client import Client, Json


def names_by_account(client: Client) -> dict[str, str]:
    """Return the names to log in with, by account, as far as they can still be read."""
    users: list[Json] = client.get("users")
    return {user["account"]: user["name"] for user in users if user["name"] is not None}


def named(value: object, names: Mapping[str, str]) -> object:
    """Return an account with its name before it; anything else as it is."""
    name = names.get(value) if isinstance(value, str) else None
    return value if name is None else f"{name} ({value})"
