"""What is compared: the efforts of fastframe and its peers, by the names that options take."""

from __future__ import annotations

from box_peers import box_jpegxl, box_lz4, box_webp, box_zstd, box_zstd_stream
from codec import CodecFactory, Fastframe
from video_peers import X264, Video
from zstd_peers import ChangedTiles, XorZstd

EFFORTS: dict[str, CodecFactory] = {
    effort: lambda scene, effort=effort: Fastframe(effort)  # type: ignore[misc]
    for effort in ("fast", "balanced", "tight")
}

PEERS: dict[str, CodecFactory] = {
    "xor-zstd": lambda scene: XorZstd(scene, 3),
    "box-lz4": box_lz4,
    "box-zstd": box_zstd,
    "box-zstd-stream": box_zstd_stream,
    "tiles-zstd-stream": ChangedTiles,
    "box-webp": box_webp,
    "box-jxl": box_jpegxl,
    "x264-ultrafast": lambda scene: X264(scene, "ultrafast"),
    "x264-medium": lambda scene: X264(scene, "medium"),
    "zmbv": lambda scene: Video(scene, "zmbv", "zmbv", "zmbv"),
}
"""Peers that run in this process; AV1 runs in a program of its own (see av1.py)."""
