"""Exact comparison, and what a similarity means."""

from habeas.comparison.calibration import Calibration, check_fpir, load_calibration
from habeas.comparison.exact import search

__all__ = ["Calibration", "check_fpir", "load_calibration", "search"]
