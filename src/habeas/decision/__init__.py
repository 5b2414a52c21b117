"""What is an alert."""

from habeas.decision.above import Decision, decide

__all__ = ["Decision", "decide"]
