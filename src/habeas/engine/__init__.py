"""How lines run."""

from habeas.engine.local import Run, SourceReport

__all__ = ["Run", "SourceReport"]
