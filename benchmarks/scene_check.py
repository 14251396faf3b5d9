"""Reads recordings through before anything is measured, and says what a user should know of them.

A recording that was cut off or is damaged is measured as far as it can be read. A lossy one is a legal scene, too, but
what its codec has smoothed, and the grain that it has left, are not what a screen shows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
from rich.console import Console
from rich.markup import escape
from scenes import Scene

_X264_QUALITY = re.compile(rb"x264 - core .* rc=\S+ .*?\b((?:crf|qp|bitrate)=[\d.]+)")
"""What x264 says of its settings in the first packet."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was found in a recording; `promised` is how many frames it should have, None if it has all of them."""

    frames: int
    promised: int | None
    lossy_codec: str | None


def check_scenes(scenes: Sequence[Scene], limit: int | None, console: Console) -> list[Scene]:
    """The same scenes, each with the `length` that can be read, at most `limit`; tells what is wrong with them."""
    checked = []
    for scene in scenes:
        name = escape(scene.name)
        with console.status(f"reading {name}"):
            reading = _read(scene, limit)
        if reading.promised is not None:
            of_all = f"{reading.frames} of about {reading.promised} frames can be read"
            console.print(f"[yellow]{name} was cut off or is damaged: {of_all}, and are measured")
        if reading.lossy_codec is not None:
            consequence = "what that has smoothed or added to the screen makes all figures differ"
            console.print(f"[yellow]{name} is a lossy recording, {reading.lossy_codec}: {consequence}")
        checked.append(replace(scene, length=reading.frames))
    return checked


def _read(scene: Scene, limit: int | None) -> _Reading:
    frames, end = 0, Fraction(0)
    first_packet = b""
    lossy_codec = None
    is_whole = True
    with av.open(scene.path) as container:
        stream: Any = container.streams.video[0]
        promised = _promised_seconds(container, stream)
        stream.codec_context.thread_count = 1
        # Otherwise what is damaged is filled with a guess.
        stream.codec_context.options = {"err_detect": "explode"}
        try:
            for packet in container.demux(stream):
                first_packet = first_packet or bytes(packet)
                if packet.pts is not None:
                    end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
                for picture in packet.decode():
                    if not frames:
                        lossy_codec = _lossy_codec(stream.codec_context.name, picture.format, first_packet)
                    frames += 1
                    if frames == limit:
                        return _Reading(frames, None, lossy_codec)
        except av.FFmpegError:
            is_whole = False
    # How long the last frame lasts is told inexactly, or not at all.
    if promised is not None and promised - end > Fraction(2, scene.frame_rate):
        is_whole = False
    expected = frames if promised is None else round(promised * scene.frame_rate)
    return _Reading(frames, None if is_whole else max(expected, frames + 1), lossy_codec)


def _promised_seconds(container: Any, stream: Any) -> Fraction | None:
    """When the pictures end by what the file says of itself; None where it does not.

    Those of a file that does not begin with zero may end later; this would not be noticed.
    """
    if stream.duration is not None:
        return Fraction(stream.duration * stream.time_base)
    # Sound may last longer.
    if container.duration is not None and len(container.streams) == 1:
        return Fraction(container.duration, av.time_base)
    return None


def _lossy_codec(codec: str, pixels: av.VideoFormat, first_packet: bytes) -> str | None:
    """The codec and how it was used, if that cannot have kept every pixel of a screen."""
    if not (pixels.is_rgb or pixels.has_palette or pixels.name.startswith("gray")):
        return f"{codec} in {pixels.name}"
    told = _X264_QUALITY.search(first_packet)
    if told and told[1] != b"qp=0":
        return f"{codec} with {told[1].decode()}"
    return None
