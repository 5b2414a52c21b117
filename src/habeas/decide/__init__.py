"""What is an alert."""

from habeas.decide.decision import Decision, decide

__all__ = ["Decision", "decide"]
