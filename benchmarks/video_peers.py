"""Peers that are video codecs: what ffmpeg's libraries have of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from codec import Codec, Packet, PeerMissing
from scenes import Frame, Scene, copy_picture, plane


class Video(Codec):
    """A video codec of ffmpeg's libraries, driven in this process through PyAV.

    In the process, because its CPU time can then be read around the calls alone. Feeding the same frames to
    the `ffmpeg` program costs another 12 ms a frame in pipes, which would have to be measured and taken off.
    """

    def __init__(self, scene: Scene, name: str, encoder: str, decoder: str, **options: str) -> None:
        self.name = name
        self.settings = " ".join(f"{key}={value}" for key, value in options.items())
        try:
            context: Any = av.CodecContext.create(encoder, "w")
        except av.codec.codec.UnknownCodecError:
            raise PeerMissing(f"this PyAV has no {encoder}: pip install av (its wheels have it)") from None
        context.width, context.height = scene.width, scene.height
        context.pix_fmt = "bgr0"
        context.framerate = Fraction(scene.frame_rate)
        context.time_base = 1 / context.framerate
        context.gop_size = 1 << 20
        context.thread_count = 1
        context.options = options
        self._encoder: VideoCodecContext = context
        self._decoder = open_decoder(decoder, scene)
        self._input = av.VideoFrame(scene.width, scene.height, "bgr0")
        self._output: Frame = np.empty((scene.height, scene.width, 4), np.uint8)
        self._frames = 0
        self.version = f"libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}"

    def prepare(self, frame: Frame) -> av.VideoFrame:
        plane(self._input, 0, 4)[:] = frame.reshape(frame.shape[0], -1)
        self._input.pts = self._frames
        self._frames += 1
        return self._input

    def encode(self, prepared: av.VideoFrame) -> Sequence[Packet]:
        return self._encoder.encode(prepared)

    def finish(self) -> Sequence[Packet]:
        return self._encoder.encode(None)

    def decode(self, packet: Packet) -> Sequence[av.VideoFrame]:
        return self._decoder.decode(packet)

    def drain(self) -> Sequence[av.VideoFrame]:
        return self._decoder.decode(None)

    def picture(self, decoded: av.VideoFrame) -> Frame:
        copy_picture(decoded, self._output)
        return self._output


class X264(Video):
    """x264 in RGB with a quantiser of zero: the usual lossless choice of screen recorders."""

    def __init__(self, scene: Scene, preset: str) -> None:
        super().__init__(scene, f"x264rgb {preset}", "libx264rgb", "h264", preset=preset, qp="0")

    def decode(self, packet: Packet) -> Sequence[av.VideoFrame]:
        if signature := re.search(rb"x264 - core (\d+)", bytes(packet)[:1024]):
            self.version = f"x264 core {signature[1].decode()}"
        return super().decode(packet)


def open_decoder(name: str, scene: Scene) -> VideoCodecContext:
    decoder: Any = av.CodecContext.create(name, "r")
    decoder.width, decoder.height = scene.width, scene.height
    decoder.thread_count = 1
    context: VideoCodecContext = decoder
    return context
