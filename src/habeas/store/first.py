"""The first transaction of an installation: its tables and what is in them, together or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager

from habeas.errors import InputError
from habeas.ports import Clock
from habeas.store.connection import connect, make_file, writing
from habeas.store.migrate import schema_version, upgrade_schema
from habeas.store.transaction import Tx


@contextmanager
def first_transaction(url: str, clock: Clock) -> Iterator[Tx]:
    """Make the tables, hand out the transaction in which they were made, commit; on any error there are none.

    Args:
        url: of an empty database; a file that is not there is made, readable by its owner only, and stays.
        clock: tells the transaction its time.

    Raises:
        InputError: the database has tables of Habeas, of whatever version.
        DiskError: it could not be made durable.
    """
    make_file(url)
    engine = connect(url)
    try:
        with writing(engine) as connection:
            if schema_version(connection) is not None:
                raise InputError("this database belongs to an installation", remedy="name an empty one")
            upgrade_schema(connection)
            tx = Tx(connection, clock.now_ns(), writes=True)
            yield tx
            tx.check()
        tx.tell()
    finally:
        engine.dispose()
