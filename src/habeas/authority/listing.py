"""Listing tags: a keyed hash of name and birth date that links the listings of one person, and nothing else.

A new key each day; each is destroyed after 12 months, and with it every link older than that. A tag is made anew on
each day that its listing goes on, so that each listed day is linked for the 365 days that chains are counted over.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from habeas.accounts.naming import words_of
from habeas.authority.purposes import Purpose
from habeas.errors import InputError
from habeas.keys import KeyStore, Scope
from habeas.store import Tx
from habeas.store.records import Authorisation, Meta, Subject
from habeas.types import DAY_NS, HOUR_NS, NS_PER_S

TAG_LIFE_NS: Final = 365 * DAY_NS
ADULT_YEARS: Final = 18
_OLDEST: Final = date(1890, 1, 1)


def day_of(ns: int) -> date:
    """Return the UTC day of an instant."""
    return datetime.fromtimestamp(ns // NS_PER_S, tz=UTC).date()


def check_born(born: date, now_ns: int) -> None:
    """Check that somebody can have been born then.

    Raises:
        InputError: in the future, or before 1890.
    """
    if not _OLDEST <= born <= day_of(now_ns):
        raise InputError(f"nobody was born on {born}", remedy="write the birth date as YYYY-MM-DD")


def is_minor(born: date, at_ns: int) -> bool:
    """Tell whether a person is under 18 on the UTC day of `at_ns` (born on 29 February: of age on 1 March)."""
    today = day_of(at_ns)
    return (today.year - born.year - ((today.month, today.day) < (born.month, born.day))) < ADULT_YEARS


def _said(name: str, born: date) -> bytes:
    return f"{words_of(name)}|{born.isoformat()}".encode()


def current_key(tx: Tx, keys: KeyStore) -> str:
    """Return today's tag key, made where there is none yet, or none any more: an old database, the current keys."""
    name = f"tag-key-{day_of(tx.now_ns)}"
    known = tx.find(Meta, name=name)
    if known and keys.has(known[0].value):
        return known[0].value
    key_id = keys.new(Scope.TAG, tx.now_ns + TAG_LIFE_NS)
    for old in known:
        tx.remove(old)
    tx.add(Meta(name, key_id))
    return key_id


def tag_of(keys: KeyStore, key_id: str, name: str, born: date) -> str:
    """Return a person's tag under one key: HMAC-SHA-256, hexadecimal.

    Case, accents, the order of names, punctuation and invisible characters make no difference.
    """
    return keys.hmac(key_id, _said(name, born)).hex()


def all_tags(keys: KeyStore, name: str, born: date) -> frozenset[str]:
    """Return a person's tags under every key that still exists."""
    return frozenset(tag_of(keys, key_id, name, born) for key_id in keys.ids(Scope.TAG))


@dataclass(frozen=True)
class Listing:
    """One earlier or present authorisation that named a person, as far as chains are concerned.

    Args:
        authorisation_id: which.
        live: it watched cameras.
        urgent: it was started urgently.
        from_ns: first instant listed.
        until_ns: first instant not listed any more.
        camera_hours: of footage searched, for retrospective ones.
    """

    authorisation_id: str
    live: bool
    urgent: bool
    from_ns: int
    until_ns: int
    camera_hours: float


def listings(tx: Tx, tags: Iterable[str]) -> list[Listing]:
    """Return every started authorisation that named the person with these tags."""
    subjects = tx.find(Subject, tag=frozenset(tags))
    rows = tx.find(Authorisation, authorisation_id={subject.authorisation_id for subject in subjects})
    return [_listing(row) for row in rows if row.started_at_ns is not None]


def _listing(row: Authorisation) -> Listing:
    start_ns = row.started_at_ns or 0
    live = row.kind == "live"
    return Listing(
        authorisation_id=row.authorisation_id,
        live=live,
        urgent=row.urgent,
        from_ns=max(start_ns, row.from_ns) if live else start_ns,
        until_ns=min(row.ended_at_ns or row.until_ns, row.until_ns) if live else start_ns,
        camera_hours=0.0 if live else camera_hours(len(row.cameras), row.from_ns, row.until_ns),
    )


def consents(tx: Tx, tags: Iterable[str]) -> list[Authorisation]:
    """Return the consents of the person with these tags that are submitted, run, or began within 24 h."""
    subjects = tx.find(Subject, tag=frozenset(tags))
    named = {subject.authorisation_id for subject in subjects}
    rows = tx.find(Authorisation, authorisation_id=named, purpose=Purpose.CONSENT.value)
    return [row for row in rows if _is_open(row) or (row.started_at_ns or 0) > tx.now_ns - DAY_NS]


def _is_open(row: Authorisation) -> bool:
    return row.submitted_at_ns is not None and row.ended_at_ns is None


def consented_ns(row: Authorisation) -> int:
    """Return how long a consent lists its person, as far as it has not ended early."""
    return max(0, min(row.until_ns, row.ended_at_ns or row.until_ns) - max(row.from_ns, row.started_at_ns or 0))


def camera_hours(cameras: int, from_ns: int, until_ns: int) -> float:
    """Return how much footage an interval on so many cameras is."""
    return cameras * (until_ns - from_ns) / HOUR_NS


def listed_days(windows: Iterable[tuple[int, int]]) -> int:
    """Return on how many UTC days at least one of these windows [from, until) was open."""
    days: set[int] = set()
    for from_ns, until_ns in windows:
        if until_ns > from_ns:
            days.update(range(from_ns // DAY_NS, (until_ns - 1) // DAY_NS + 1))
    return len(days)
