"""Faces in a picture, aligned crops, quality, templates."""

from habeas.faces.detect import Detector, Look
from habeas.faces.template import Templater, fuse

__all__ = ["Detector", "Look", "Templater", "fuse"]
