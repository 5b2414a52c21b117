"""What an installation remembers, on SQLite or PostgreSQL, each effect in one transaction with its entry.

`records` are the rows, `schema` the tables made of them, `transaction` what may be done with them, `database` how that
becomes durable, `migrate` how an older installation comes along, `archive` the one file that a backup is. SQLAlchemy
appears here only.
"""

from habeas.store.database import Store, open_store
from habeas.store.transaction import Tx

__all__ = ["Store", "Tx", "open_store"]
