"""Habeas finds the people it is authorised to look for in video, shows a human, and keeps nothing about anyone else.

Importing this package starts nothing and loads no video or inference library; the names below do, when first used.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from habeas.api import (
        decide,
        detect,
        enrol,
        forget,
        open_source,
        search,
        template,
        track,
        watch,
    )
    from habeas.decision.above import Decision
    from habeas.errors import HabeasError, InputError, ModelError, RuleError
    from habeas.types import (
        Alert,
        AlertEnd,
        Candidates,
        Faces,
        Flaw,
        Frame,
        GalleryView,
        Templates,
        Tracks,
    )

__all__ = [
    "Alert",
    "AlertEnd",
    "Candidates",
    "Decision",
    "Faces",
    "Flaw",
    "Frame",
    "GalleryView",
    "HabeasError",
    "InputError",
    "ModelError",
    "RuleError",
    "Templates",
    "Tracks",
    "__version__",
    "decide",
    "detect",
    "enrol",
    "forget",
    "open_source",
    "search",
    "template",
    "track",
    "watch",
]

_HOMES = ("habeas.api", "habeas.decision.above", "habeas.types", "habeas.errors")


def __getattr__(name: str) -> object:
    """Load a public name from its home on first use."""
    if name in __all__:
        from importlib import import_module  # noqa: PLC0415 - importing habeas stays light

        for home in _HOMES:
            module = import_module(home)
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module 'habeas' has no attribute {name!r}")
