"""What clients send: strict records, unknown keys refused; and what they are told of an error."""

import base64
import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from habeas.errors import InputError
from habeas.wording import refusal

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
Text = Annotated[str, Field(max_length=2000)]
Secret = Annotated[str, Field(max_length=1024, repr=False)]
Plain = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Mask = Annotated[tuple[float, float, float, float], Field(strict=False)]  # JSON has lists only
Moment = Annotated[int, Field(ge=0, lt=2**62, description="Unix nanoseconds")]
MAX_IMAGE_TEXT = 28 << 20
_UNSEEN: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
"""Unicode categories of control, format and private characters, half ones, and separators of lines."""


def decoded(text: str) -> bytes:
    """Return the bytes of base64 text.

    Raises:
        InputError: it is none.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:  # `binascii.Error`, or letters beyond ASCII
        raise InputError("a file was not sent as base64", remedy="send its bytes in base64") from error


Data = Annotated[str, Field(max_length=MAX_IMAGE_TEXT, repr=False)]


class Body(BaseModel):
    """Base: strict."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LoginBody(Body):
    """A name and a password; with `setup_code`, the password to set."""

    name: Name
    password: Secret
    setup_code: Secret = ""


class AccountBody(Body):
    """A new account."""

    name: Name
    person: Name | None = None


class GrantBody(Body):
    """A role for an account."""

    role: Name
    zones: list[Name] = Field(default_factory=list, max_length=1000)


class TokenBody(Body):
    """An API token."""

    scopes: list[Name] = Field(max_length=10)
    days: int = Field(ge=1, le=365)


class CameraBody(Body):
    """A camera."""

    name: Name
    url: Annotated[str, Field(max_length=4096, repr=False)]
    record_url: Annotated[str | None, Field(max_length=4096, repr=False)] = None
    purpose: Text
    zone: Name = "default"
    masks: list[Mask] = Field(default_factory=list, max_length=64)
    min_face_px: int = Field(default=32, ge=16, le=512)
    reencode: bool = False


class PolicyBody(Body):
    """Changes of the policy in force, by name."""

    changes: dict[Name, int | float | Plain | list[Plain]]


class ApproveBody(Body):
    """The SHA-256 of what the approver was shown."""

    content_hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ImageBody(Body):
    """An image file."""

    name: Annotated[str, Field(max_length=300)]
    data: Data


def _visible(name: str) -> str:
    if any(unicodedata.category(char) in _UNSEEN for char in name):
        raise refusal("has characters that cannot be seen", "write it in letters")
    return name


class SubjectBody(Body):
    """Somebody to be looked for."""

    name: Annotated[str, Field(min_length=1, max_length=200, repr=False), AfterValidator(_visible)]
    born: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    images: list[ImageBody] = Field(min_length=1, max_length=20)


class DraftBody(Body):
    """An authorisation to be drafted: cameras and an interval, or evidence, which has its own."""

    kind: Annotated[str, Field(pattern="^(live|retrospective)$")] = "live"
    purpose: Name
    authority: Text
    reference: Text
    decision: Annotated[str | None, Field(max_length=MAX_IMAGE_TEXT, repr=False)] = None
    subjects: list[SubjectBody] = Field(min_length=1, max_length=100)
    zones: list[Name] = Field(default_factory=list, max_length=1000)
    cameras: list[Name] = Field(default_factory=list, max_length=1000)
    evidence: Name | None = None
    from_ns: Moment | None = None
    until_ns: Moment | None = None
    urgent: bool = False
    minor: bool = False
    skip_refused: bool = False


class ScopeBody(Body):
    """Another end or other cameras for an open request; also the scope of a renewal."""

    until_ns: Moment
    zones: list[Name] = Field(default_factory=list, max_length=1000)
    cameras: list[Name] = Field(default_factory=list, max_length=1000)


class WhyBody(Body):
    """A reason."""

    why: Text = ""


class DeferBody(Body):
    """A notice that waits."""

    days: int = Field(ge=1, le=365)
    why: Text


class CodeBody(Body):
    """A code that somebody holds: the subject of a consent, or whoever was given a receipt."""

    code: Secret


class DisputeBody(Body):
    """What the holder of a receipt says against an alert."""

    code: Secret
    why: Text


class CorrectBody(Body):
    """Who was told that an alert is disputed."""

    recipients: list[Text] = Field(min_length=1, max_length=50)


class SuspendBody(Body):
    """A suspension."""

    zones: list[Name] = Field(default_factory=list, max_length=1000)
    cameras: list[Name] = Field(default_factory=list, max_length=1000)
    from_ns: Moment
    until_ns: Moment
    why: Text


class VerdictBody(Body):
    """What a reviewer says of an alert."""

    verdict: Annotated[str, Field(pattern="^(same|different|cannot-tell)$")]
    lookalike: bool = False


class HoldBody(Body):
    """Footage that is to be held; without cameras or interval, those of the alert."""

    asked_by: Text
    reference: Text
    why: Text
    cameras: list[Name] = Field(default_factory=list, max_length=100)
    from_ns: Moment | None = None
    until_ns: Moment | None = None
    ends_ns: Moment
    decision: Annotated[str | None, Field(max_length=MAX_IMAGE_TEXT, repr=False)] = None
    authorisation: Name | None = None
    alert: Name | None = None
    request: Name | None = None


class RequestBody(Body):
    """What somebody outside asks to be preserved, and how they are reached."""

    contact: Annotated[str, Field(max_length=2000, repr=False)]
    why: Text
    cameras: list[Name] = Field(min_length=1, max_length=100)
    from_ns: Moment
    until_ns: Moment


class Told(Body):
    """An error: `rule` where a rule refuses, `images` where images do."""

    kind: str
    message: str
    remedy: str
    rule: str | None = None
    images: list[dict[str, object]] | None = None


class Problem(Body):
    """What every answer is that refuses."""

    error: Told


class AccessBody(Body):
    """Somebody who asks for the footage of themself."""

    name: Annotated[str, Field(min_length=1, max_length=200, repr=False), AfterValidator(_visible)]
    born: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    contact: Text
    document: Annotated[str, Field(pattern="^(passport|identity-card|residence-permit|driving-licence)$")]
    photos: list[ImageBody] = Field(min_length=1, max_length=5)
    cameras: list[Name] = Field(min_length=1, max_length=100)
    from_ns: Moment
    until_ns: Moment


class JudgeBody(Body):
    """Whether a finding shows whoever asks."""

    same: bool


class BoxBody(Body):
    """A box that a person adds to the pictures of a camera: painted over, or faces in it spared."""

    camera: Name
    from_ns: Moment
    until_ns: Moment
    box: list[float] = Field(min_length=4, max_length=4)
    spare: bool = False


class ExportBody(Body):
    """Footage of a hold or of an access request that is to be given to somebody."""

    about: Name
    cameras: list[Name] = Field(default_factory=list, max_length=100)
    from_ns: Moment | None = None
    until_ns: Moment | None = None
    boxes: list[BoxBody] = Field(default_factory=list, max_length=300)
    decision: Annotated[str | None, Field(max_length=MAX_IMAGE_TEXT, repr=False)] = None


class BoxesBody(Body):
    """Boxes to add."""

    boxes: list[BoxBody] = Field(min_length=1, max_length=300)


class RecipientBody(Body):
    """To whom: an age key, or `passphrase`."""

    recipient: Text


class FetchBody(Body):
    """The passphrase, where the export was approved for one."""

    passphrase: Annotated[str, Field(max_length=1000, repr=False)] = ""
