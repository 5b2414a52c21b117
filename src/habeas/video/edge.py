"""Where FFmpeg's errors become ours, and what FFmpeg may touch."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import av
import av.error
import av.logging

from habeas.errors import SourceError
from habeas.types import Origin, OriginKind, Seal, claim_seal

_SEAL: Final = claim_seal(Seal.SOURCE)
_MAX_FLAWS: Final = 1000
"""A camera that fails for months, or a file that is damaged throughout, must not fill memory with the story of it."""

FILE_OPTIONS: Final = {
    # A file comes in as bytes through Python: nothing that it names may be opened, here or on any network.
    "protocol_whitelist": "none",
    "format_whitelist": (
        "mov,matroska,webm,avi,mpegts,mpeg,h264,hevc,flv,ogg,asf,wav,ivf,mjpeg,m4v,mpegvideo,gif,yuv4mpegpipe"
    ),
}


def origin(kind: OriginKind, camera_id: str) -> Origin:
    """Return the origin of a source of this package; scenes are labelled by `measure.scene_source`."""
    return Origin(kind, camera_id, _SEAL)


def quiet() -> None:
    """Keep FFmpeg from writing to the terminal: what matters reaches us as errors."""
    av.logging.set_level(av.logging.PANIC)


class Flaws:
    """What a source survived, in order, at most `_MAX_FLAWS` of it. Written by the thread that reads the source."""

    def __init__(self) -> None:
        self._noted: list[str] = []

    def note(self, flaw: str) -> None:
        """Add one, unless it is the last one again; beyond the limit only that there were more."""
        if self._noted and self._noted[-1] == flaw:
            return
        if len(self._noted) < _MAX_FLAWS:
            self._noted.append(flaw)
        elif len(self._noted) == _MAX_FLAWS:
            self._noted.append("and more")

    def noted(self) -> tuple[str, ...]:
        """Return them, oldest first."""
        return tuple(self._noted)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn FFmpeg's errors into `SourceError`.

    Args:
        name: the source as people may see it, without credentials.
    """
    try:
        yield
    except FileNotFoundError:
        raise SourceError(f"{name}: no such file", remedy="check the path") from None
    except PermissionError:
        raise SourceError(f"{name}: may not be read", remedy="check its permissions") from None
    except IsADirectoryError:
        raise SourceError(f"{name}: is a folder", remedy="give a file, or a folder of images") from None
    except av.error.ProtocolNotFoundError:
        raise SourceError(f"{name}: refers to other files or addresses", remedy="give a plain video file") from None
    except av.error.FFmpegError as error:
        reason = error.strerror or type(error).__name__
        # Not chained: FFmpeg's error carries the address with its password, and a chain is printed.
        raise SourceError(f"{name}: cannot be read as video ({reason})", remedy="check it in a player") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SourceError(f"{name}: cannot be read ({reason})", remedy="check the path") from None
