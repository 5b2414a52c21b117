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

FILE_OPTIONS: Final = {
    # A file comes in as bytes through Python: nothing that it names may be opened, here or on any network.
    "protocol_whitelist": "none",
    "format_whitelist": "mov,matroska,webm,avi,mpegts,mpeg,h264,hevc,flv,ogg,asf,wav,ivf,mjpeg,m4v,mpegvideo,gif,yuv4mpegpipe",
}


def origin(kind: OriginKind, camera_id: str) -> Origin:
    """Return the origin of a source of this package; scenes are labelled by `measure.scenes`."""
    return Origin(kind, camera_id, _SEAL)


def quiet() -> None:
    """Keep FFmpeg from writing to the terminal: what matters reaches us as errors."""
    av.logging.set_level(av.logging.PANIC)


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
        raise SourceError(f"{name}: cannot be read as video ({reason})", remedy="check it in a player") from error
    except OSError as error:
        raise SourceError(f"{name}: cannot be read ({error.strerror or error})", remedy="check the path") from error
