"""Capture of X11 screens through libxcb, which is loaded when a source is opened: importing this needs no X11."""

from fastframe.capture.x11.source import X11Source

__all__ = ["X11Source"]
