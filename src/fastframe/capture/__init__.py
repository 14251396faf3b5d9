"""Where frames come from: a screen, or a video that is replayed; how fast they come; and the videos that keep frames
without loss.

Screens need nothing but fastframe itself. Videos need PyAV, which comes with the extra `cli`.
"""

from fastframe.capture.choose import open_source
from fastframe.capture.mss_source import MssSource
from fastframe.capture.pacer import Pacer, PacerStats, Tick
from fastframe.capture.replay import ReplaySource
from fastframe.capture.source import (
    CapturedFrame,
    Cursor,
    CursorShape,
    Display,
    Event,
    FrameSource,
    LiveSource,
    Mask,
    Share,
    WindowPattern,
    frames,
)
from fastframe.capture.video import VideoWriter, png_bytes
from fastframe.capture.x11 import X11Source

__all__ = [
    "CapturedFrame",
    "Cursor",
    "CursorShape",
    "Display",
    "Event",
    "FrameSource",
    "LiveSource",
    "Mask",
    "MssSource",
    "Pacer",
    "PacerStats",
    "ReplaySource",
    "Share",
    "Tick",
    "VideoWriter",
    "WindowPattern",
    "X11Source",
    "frames",
    "open_source",
    "png_bytes",
]
