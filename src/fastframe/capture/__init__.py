"""Where frames come from: a screen, or a video that is replayed; and the videos that keep frames without
loss.

Screens need nothing but fastframe itself. Videos need PyAV, which comes with the extra `cli`.
"""

from fastframe.capture.replay import ReplaySource
from fastframe.capture.screen import ScreenSource
from fastframe.capture.source import CapturedFrame, FrameSource, Pacer
from fastframe.capture.video import VideoWriter, png_bytes

__all__ = [
    "CapturedFrame",
    "FrameSource",
    "Pacer",
    "ReplaySource",
    "ScreenSource",
    "VideoWriter",
    "png_bytes",
]
