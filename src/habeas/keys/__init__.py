"""Keys, apart from everything that they encrypt, and their destruction.

Every stored secret thing is AES-256-GCM under a key of its own scope: a subject's references and templates, an alert's
images, a camera's credentials. The keys lie in a folder of their own, outside database, workspace and backups, in one
file per expiry hour, each under a wrapping key, and those under the master key (`habeas.keys.buckets` has the files).
Destroying a key writes its bucket anew with the survivors under a new wrapping key, and destroys the old one. What was
encrypted under it stays where it is, in write-ahead logs, on flash, in backups, and is noise. A restore is an old
database with the *current* key store.

`cryptography` and `pyrage` appear only here.

What this does not prove:

- An earlier copy of the whole key store defeats every deletion since. Nothing here can tell that one was made; the
  folder must be in no backup and no snapshot.
- Overwriting in place is a best effort. Flash and copy-on-write file systems may keep the old block; what is left there
  is a wrapping key under the master key. With the master key in hardware or another service, it is of no use alone.
- An older bucket or wrapping key put back by whoever may write the folder is noticed only where it does not fit.
- Python does not wipe memory: a destroyed key is unusable at once, and stays in the process's memory for a while.
- A full disk delays destruction of a key that shares its hour with others until that hour is over or there is room;
  the key is unusable in this process at once.
"""

from habeas.keys.buckets import Scope
from habeas.keys.master import MasterKey
from habeas.keys.memory import MemoryDisk
from habeas.keys.oversight import (
    Identity,
    new_identity,
    seal,
    seal_with_passphrase,
    unseal,
    unseal_with_passphrase,
)
from habeas.keys.store import KeyStore

__all__ = [
    "Identity",
    "KeyStore",
    "MasterKey",
    "MemoryDisk",
    "Scope",
    "new_identity",
    "seal",
    "seal_with_passphrase",
    "unseal",
    "unseal_with_passphrase",
]
