"""How lines run."""

from habeas.engine.run import Found, Run, SourceReport, TrackEnd

__all__ = ["Found", "Run", "SourceReport", "TrackEnd"]
