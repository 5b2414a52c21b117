"""Exact comparison, and what a similarity means."""

from habeas.search.calibration import Calibration, load_calibration
from habeas.search.exact import search

__all__ = ["Calibration", "load_calibration", "search"]
