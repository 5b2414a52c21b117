"""A folder of still images as a source, in order of name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from habeas.errors import ImageError, SourceError
from habeas.ports import Clock
from habeas.types import NS_PER_S, Frame, Origin, OriginKind
from habeas.video.edge import Flaws, origin
from habeas.video.image import ArrayPicture, is_image_name, load_image

_RATE_HZ: Final = 1.0


class StillFolder:
    """Still images, one a second of stream time. An unreadable one is skipped and noted.

    Args:
        path: a folder, or one image.
        clock: tells when each was read.

    Raises:
        SourceError: no image is there.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._paths = sorted(p for p in path.iterdir() if is_image_name(p)) if path.is_dir() else [path]
        if not self._paths:
            raise SourceError(
                f"{path}: no image in this folder", remedy="give a folder of JPEG or PNG files, or a video"
            )
        self._path = path
        self._clock = clock
        self._origin = origin(OriginKind.STILLS, str(path))
        self._flaws = Flaws()
        self._closed = False

    @property
    def origin(self) -> Origin:
        """The folder."""
        return self._origin

    @property
    def rate_hz(self) -> float:
        """One a second."""
        return _RATE_HZ

    @property
    def duration_ns(self) -> int | None:
        """One second an image."""
        return len(self._paths) * NS_PER_S

    @property
    def flaws(self) -> tuple[str, ...]:
        """Images that could not be read."""
        return self._flaws.noted()

    def frames(self) -> Iterator[Frame]:
        """Yield every readable image.

        Raises:
            SourceError: not one could be read.
        """
        count = 0
        for index, path in enumerate(self._paths):
            if self._closed:
                return
            try:
                picture = ArrayPicture(load_image(path))
            except ImageError as error:
                self._flaws.note(error.message)
                continue
            count += 1
            yield Frame(self._origin, index, self._clock.now_ns(), index * NS_PER_S, picture)
        if not count:
            raise SourceError(f"{self._path}: {'; '.join(self.flaws[:3])}", remedy="give readable images")

    def close(self) -> None:
        """Read no further image."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
