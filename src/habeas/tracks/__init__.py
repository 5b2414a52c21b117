"""One face over consecutive frames of one shot, and the frames of it worth comparing."""

from habeas.tracks.tracker import Tracker

__all__ = ["Tracker"]
