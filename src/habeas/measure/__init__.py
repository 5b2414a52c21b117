"""Measurement: evaluation on still images, calibration, synthetic scenes. Nothing it makes of a face is stored."""
