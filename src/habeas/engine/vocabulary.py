"""All that a worker may be told, and all that it may say."""

from typing import Final

from habeas.engine.film_messages import FilmMeasured, FilmTurned, MeasureFilm, SearchFilm
from habeas.engine.messages import (
    CameraEnded,
    CameraFlaw,
    CanaryDone,
    Configure,
    Counters,
    EnrolImage,
    Enrolled,
    Failed,
    Heartbeat,
    Hello,
    InspectCamera,
    Inspected,
    Listening,
    Message,
    PartMade,
    ProbeMade,
    ShowCanary,
    Shutdown,
    StartCamera,
    StopCamera,
    TrackEnded,
)
from habeas.engine.play_messages import FilmPlayed, PlayFilm
from habeas.engine.redact_messages import (
    DoubtFound,
    ExamineFilm,
    FilmBytes,
    FilmDone,
    FilmExamined,
    PaintFilm,
    TrackFollowed,
)


def _by_type(*messages: type[Message]) -> dict[int, type[Message]]:
    """Return them by type.

    Raises:
        ValueError: two have one type.
    """
    named = {message.TYPE: message for message in messages}
    if len(named) != len(messages):
        raise ValueError("two messages have one type")
    return named


TO_WORKER: Final = _by_type(
    *(Configure, StartCamera, StopCamera, EnrolImage, Shutdown, InspectCamera, ShowCanary),
    *(SearchFilm, ExamineFilm, PaintFilm, PlayFilm, MeasureFilm),
)
TO_NODE: Final = _by_type(
    *(
        Hello,
        Listening,
        ProbeMade,
        TrackEnded,
        Counters,
        CameraFlaw,
        CameraEnded,
        Enrolled,
        Heartbeat,
        Failed,
        Inspected,
        CanaryDone,
        PartMade,
        TrackFollowed,
        DoubtFound,
        FilmExamined,
        FilmBytes,
        FilmDone,
        FilmMeasured,
        FilmTurned,
        FilmPlayed,
    )
)
