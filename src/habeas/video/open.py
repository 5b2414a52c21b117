"""One name in, one source out."""

from pathlib import Path
from typing import Final

from habeas.clock import SystemClock
from habeas.errors import SourceError, UsageError
from habeas.ports import Clock, FrameSource
from habeas.settings import LiveSettings
from habeas.video.edge import translated
from habeas.video.file import VideoFile
from habeas.video.image import is_image_name
from habeas.video.live import LiveStream
from habeas.video.stills import StillFolder

_LIVE_SCHEMES: Final = frozenset({"rtsp", "rtsps"})


def is_live(uri: str) -> bool:
    """Tell whether a source is a live stream, by its scheme alone."""
    return uri.partition(":")[0].lower() in _LIVE_SCHEMES


def open_source(uri: str, *, live: LiveSettings | None = None, clock: Clock | None = None) -> FrameSource:
    """Open a source of pictures.

    Args:
        uri: `rtsp://...`, a video file, a folder of images, or one image.
        live: how live streams are kept alive.
        clock: tells when pictures were captured.

    Raises:
        SourceError: it is missing, unreadable, or holds no video.
        UsageError: another kind of address.
    """
    clock = clock or SystemClock()
    if is_live(uri):
        return LiveStream(uri, live or LiveSettings(), clock)
    if "://" in uri:
        raise UsageError(
            f"{uri.partition(':')[0]}: is not a source Habeas opens",
            remedy="give rtsp://, rtsps://, a file or a folder",
        )
    path = Path(uri)
    with translated(uri.rpartition("@")[2]):
        if not path.exists():
            name = uri.rpartition("@")[2]  # an address that lost its scheme may begin with a password
            raise SourceError(f"{name}: no such file or folder", remedy="check the path; cameras begin with rtsp://")
        if path.is_dir() or is_image_name(path):
            return StillFolder(path, clock)
        return VideoFile(path, clock)
