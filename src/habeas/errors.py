"""Every error Habeas raises on purpose, in one tree.

::

    HabeasError                 exit 70, 500   a fault of ours
    ├── UsageError              exit 2,  400   the command or call is wrong
    ├── RuleError               exit 3,  403   a rule of the product refuses; `.rule` names it
    ├── InputError              exit 4,  422   what was given cannot be used
    │   ├── SourceError                        a video, folder or stream
    │   ├── ImageError                         a still image
    │   ├── ReferenceRefused                   an image that may not become a reference
    │   │   └── EnrolmentRefused               some of a batch; `.images` says of each
    │   └── KeyDestroyed        exit 4,  410   what was encrypted under this key is gone
    ├── ModelError              exit 5,  503   weights are missing, wrong, or refused
    │   └── NetworkError                       they could not be fetched
    ├── DiskError               exit 6,  507   nowhere to write
    └── ProofError              exit 7,  422   a log, checkpoint or proof does not hold
        ├── FormatError                        it is not of the format that it should be
        └── StaleError                         it held once; more of it was seen since

Each carries `remedy`: what the reader can do about it. Errors of other libraries are translated where they enter
(`video.edge`, `video.image`, `models.pull`, `models.session`); nothing above those files catches them.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar


class HabeasError(Exception):
    """Base of the tree.

    Args:
        message: what went wrong, one line, with the name of the thing.
        remedy: what to do about it, one line.
    """

    exit_code: ClassVar[int] = 70
    http_status: ClassVar[int] = 500
    kind: ClassVar[str] = "bug"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def as_json(self) -> dict[str, object]:
        """Return the object that `--json` prints and the web answers with."""
        return {"kind": self.kind, "message": self.message, "remedy": self.remedy}


class UsageError(HabeasError):
    """The command line or the call is wrong."""

    exit_code = 2
    http_status = 400
    kind = "usage"


class RuleError(HabeasError):
    """A rule of the product refuses this.

    Args:
        message: what is refused.
        rule: the rule's name, stable, for programs (`subject-limit`, `gallery-view`, ...).
        remedy: what is allowed instead.
    """

    exit_code = 3
    http_status = 403
    kind = "rule"

    def __init__(self, message: str, *, rule: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.rule = rule

    def as_json(self) -> dict[str, object]:
        """Return the base object with the rule's name."""
        return {**super().as_json(), "rule": self.rule}


class InputError(HabeasError):
    """What was given cannot be used."""

    exit_code = 4
    http_status = 422
    kind = "input"


class SourceError(InputError):
    """A video, folder or stream cannot be read."""

    kind = "source"


class ImageError(InputError):
    """A still image cannot be read."""

    kind = "image"


class ReferenceRefused(InputError):
    """An image may not become a reference: no face, two, too small, too blurred."""

    kind = "reference"


class EnrolmentRefused(ReferenceRefused):
    """Some images of a batch may not become references.

    Args:
        message: the first of them, and how many.
        remedy: what to do about it.
        images: a report for each image of the batch.
    """

    kind = "enrolment"

    def __init__(self, message: str, *, remedy: str = "", images: Sequence[Mapping[str, object]] = ()) -> None:
        super().__init__(message, remedy=remedy)
        self.images = images

    def as_json(self) -> dict[str, object]:
        """Return the base object with the report."""
        return {**super().as_json(), "images": list(self.images)}


class KeyDestroyed(InputError):
    """The key is destroyed: what was encrypted under it can never be read again."""

    http_status = 410
    kind = "gone"


class ModelError(HabeasError):
    """Weights are missing, do not match their hash, or are of a kind that is never loaded."""

    exit_code = 5
    http_status = 503
    kind = "model"


class NetworkError(ModelError):
    """Weights could not be fetched."""

    kind = "network"


class DiskError(HabeasError):
    """There is nowhere to write, or no room."""

    exit_code = 6
    http_status = 507
    kind = "disk"


class ProofError(HabeasError):
    """A log, a checkpoint or a proof does not hold: it was changed, or is of something else.

    Args:
        message: what does not hold.
        remedy: what to do about it.
        index: of the first leaf, of the log's, that does not hold; None where it is none in particular.
        tile: path in the log of the first tile that does not hold, or empty.
    """

    exit_code = 7
    http_status = 422
    kind = "proof"

    def __init__(self, message: str, *, remedy: str = "", index: int | None = None, tile: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.index = index
        self.tile = tile

    def as_json(self) -> dict[str, object]:
        """Return the base object with the first place that does not hold."""
        return {**super().as_json(), "index": self.index, "tile": self.tile}


class FormatError(ProofError):
    """Bytes that should prove something are not of the format that they should be."""

    kind = "format"


class StaleError(ProofError):
    """A log is shorter than it was when it was seen before: an older copy, or its end was removed."""

    kind = "stale"


EXIT_INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells expect."""
