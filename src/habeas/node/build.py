"""Which program this is: a digest of its source and tables. A changed build says another, or lies."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

_KINDS: Final = frozenset({".py", ".json", ".mako", ".html", ".css"})


@cache
def build_digest() -> str:
    """Return the SHA-256 over names and contents of this program's files, in the order of their names; hexadecimal."""
    return digest_of(Path(__file__).resolve().parents[1])


def digest_of(folder: Path) -> str:
    """Return the digest of the files below a folder, wherever it lies."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in _KINDS and path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()
