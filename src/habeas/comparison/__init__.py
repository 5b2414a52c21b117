"""Exact comparison, and what a similarity means."""

from habeas.comparison.calibration import Calibration, load_calibration
from habeas.comparison.exact import search

__all__ = ["Calibration", "load_calibration", "search"]
