"""Puts the register where others read it: pages, one file of JSON, and the public copy of the log.

Each file is replaced whole; `register.json` comes last, so that whoever sees a new one finds the pages of it.
"""

from pathlib import Path
from typing import Final

from habeas.audit.fetching import EPOCHS
from habeas.audit.mirror import put
from habeas.errors import DiskError
from habeas.register.document import NAME, Document, encode
from habeas.register.pages import render

LOG: Final = "log"


def publish(public: Path, document: Document) -> None:
    """Write the pages and the document.

    Args:
        public: the folder that is served; made here.
        document: from `document.as_json`.

    Raises:
        DiskError: it cannot be written.
    """
    files = {**render(document), NAME: encode(document)}
    try:
        for name, data in files.items():
            put(public / name, data)
    except OSError as error:
        raise DiskError(f"the register: {error.strerror}", remedy="see that its disk has room") from error


def publish_epochs(public: Path, data: bytes) -> None:
    """Write the list of the log's epochs beside their copies, where it changed.

    Raises:
        DiskError: it cannot be written.
    """
    path = public / LOG / EPOCHS
    try:
        if not path.is_file() or path.read_bytes() != data:
            put(path, data)
    except OSError as error:
        raise DiskError(f"the public log: {error.strerror}", remedy="see that its disk has room") from error
