"""Habeas finds the people it is authorised to look for in video, shows a human, and keeps nothing about anyone else."""

__version__ = "0.1.0"
