"""The files of evidence: encrypted piece by piece as they come, and read back so into memory without a name.

They have the form of segments (`footage.form`), whose parts are pieces of the file that was handed in:
`evidence/ID/ID/HOUR/BEGAN-SEGMENT.habf`. Nothing of what is in them is looked at here.
"""

import hashlib
import os
from pathlib import Path
from typing import IO, Final

from habeas.errors import InputError
from habeas.footage.files import SUFFIX, FootageFolder, SegmentFile, new_segment_id, stream_parts
from habeas.footage.form import Header
from habeas.keys import KeyStore
from habeas.types import HOUR_NS

PIECE_BYTES: Final = 1 << 20
"""At most, in one part."""


class EvidenceFiles:
    """Where evidence lies.

    Args:
        path: of the folder; made when something is written.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    def folder(self, evidence_id: str) -> FootageFolder:
        """Return where the file of one piece of evidence is."""
        return FootageFolder(self.path / evidence_id)

    def begin(self, keys: KeyStore, evidence_id: str, key_id: str, deadline_ns: int, from_ns: int) -> SegmentFile:
        """Begin the file of new evidence.

        Raises:
            DiskError: that cannot be done.
        """
        header = Header(
            camera=evidence_id,
            hour_ns=from_ns - from_ns % HOUR_NS,
            deadline_ns=deadline_ns,
            key=key_id,
            segment=new_segment_id(),
            codec="",
            size_wh=(0, 0),
            began_ns=from_ns,
        )
        return self.folder(evidence_id).begin(keys, header)

    def in_memory(self, keys: KeyStore, evidence_id: str, sha256: str, now_ns: int) -> int:
        """Return a descriptor of memory without a name that holds the file, at its beginning; the caller closes it.

        Args:
            keys: the key store.
            evidence_id: which.
            sha256: that it has, hexadecimal.
            now_ns: Unix ns, of a clock that cannot be set back.

        Raises:
            KeyDestroyed: its deadline has passed.
            InputError: it is missing, or was changed.
            DiskError: it cannot be read.
        """
        descriptor = os.memfd_create(evidence_id, os.MFD_CLOEXEC)
        try:
            with os.fdopen(os.dup(descriptor), "wb") as memory:
                self._fill(memory, keys, evidence_id, sha256, now_ns)
            os.lseek(descriptor, 0, os.SEEK_SET)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _fill(self, memory: IO[bytes], keys: KeyStore, evidence_id: str, sha256: str, now_ns: int) -> None:
        digest = hashlib.sha256()
        for part in stream_parts(self._path(evidence_id), keys, now_ns):
            digest.update(part.data)
            memory.write(part.data)
        if digest.hexdigest() != sha256:
            raise InputError(f"{evidence_id} is not what was handed in", remedy="look who else writes there")

    def _path(self, evidence_id: str) -> Path:
        found = sorted(self.folder(evidence_id).path.glob(f"{evidence_id}/*/*{SUFFIX}"))
        if len(found) != 1:
            raise InputError(f"{evidence_id} is missing", remedy="look who else writes there")
        return found[0]

    def there(self) -> list[str]:
        """Return the ids of which there are files."""
        return sorted(path.name for path in self.path.glob("*"))

    def remove(self, evidence_id: str) -> None:
        """Remove the files of one piece of evidence, if they are there.

        Raises:
            DiskError: that cannot be done: try again.
        """
        FootageFolder.remove(self.path / evidence_id)
