"""Figures of whole scenes: time and bytes beside libc and other codecs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import geometric_mean
from typing import TypeAlias

from av1 import measure_av1
from codec import CodecFactory
from figure import Figure
from libc import Libc
from lineup import AV1
from measure import Measurement, measure
from peers import EFFORTS, PEERS
from report import SceneResult
from scenes import Scene

LIBC = "libc"
X264 = "x264-ultrafast"
XOR_ZSTD = "xor-zstd"
HD_PIXELS = 1920 * 1080

TIMED: Mapping[str, CodecFactory] = {
    **EFFORTS,
    X264: PEERS[X264],
    XOR_ZSTD: PEERS[XOR_ZSTD],
    LIBC: Libc,
}
"""What takes turns on each scene, as often as times are to be repeated."""

SceneMeasurements: TypeAlias = Mapping[str, Measurement]


def measure_scene(scene: Scene, peers: Sequence[str], limit: int | None, repeat: int) -> SceneMeasurements:
    """Measure what times are compared with `repeat` times, then the other peers once, since only their bytes count."""
    found = dict(zip(TIMED, measure(list(TIMED.values()), scene, limit=limit, repeat=repeat), strict=True))
    others = [name for name in peers if name not in TIMED and name != AV1]
    if others:
        found |= zip(others, measure([PEERS[name] for name in others], scene, limit=limit), strict=True)
    for m in found.values():
        if m.first_difference is not None:
            raise AssertionError(f"{m.codec} is not exact: {scene.name}, frame {m.first_difference}")
    if AV1 in peers:
        found[AV1] = measure_av1(scene, limit)
    return found


def time_figures(effort: str, results: Mapping[Scene, SceneMeasurements]) -> Iterable[Figure]:
    """Encode and decode times beside those of x264 and libc."""
    every = list(results.values())
    quiet = [measured for scene, measured in results.items() if not scene.is_video]
    if quiet:
        x264 = _mean(quiet, X264, "encode_ms")
        for prefix, codec, bound in (("", effort, 0.35), ("fast: ", "fast", 0.2)):
            name = f"{prefix}mean encode, scenes without video ÷ x264rgb ultrafast"
            yield _time_ratio(name, _mean(quiet, codec, "encode_ms"), x264, bound)
    for measured, scenes in ((every, "all scenes"), (quiet, "scenes without video")):
        if measured is every or 0 < len(quiet) < len(every):
            ours, copy = (_mean(measured, codec, "decode_ms") for codec in (effort, LIBC))
            yield _time_ratio(f"mean decode, {scenes} ÷ memcpy of a frame", ours, copy, 1.0)
    for scene, codecs in results.items():
        slow, compare = codecs[effort].encode_p99_ms, codecs[LIBC].encode_ms
        name = f"99th percentile of encode ÷ memcmp of two frames: {scene.name}"
        detail = f"{slow:.2f} ms against {compare:.2f} ms, {codecs[effort].frames} frames"
        yield Figure(name, slow / compare, 14, detail=detail)
    yield from _new_screen({scene: codecs["tight"] for scene, codecs in results.items()})


def size_figures(effort: str, results: Mapping[Scene, SceneMeasurements], peers: Sequence[str]) -> Iterable[Figure]:
    """Bytes of the efforts beside each other, and beside those of `peers`."""
    sizes = [(codecs["fast"].bytes / codecs["balanced"].bytes, scene.name) for scene, codecs in results.items()]
    worst, scene_name = max(sizes)
    yield Figure("fast: bytes ÷ those of balanced, worst scene", worst, 1.25, detail=scene_name)
    for scene, codecs in results.items():
        yield _size_ratio(f"bytes ÷ numpy XOR + zstd-3: {scene.name}", codecs[effort], codecs[XOR_ZSTD], 1.0)
    if not peers:
        return
    compared = [SceneResult(scene, [codecs[name] for name in (effort, *peers)]) for scene, codecs in results.items()]
    ratios = [result.ratio(result.ours[0]) for result in compared]
    detail = f"{len(ratios)} scenes, {len(peers)} peers"
    yield Figure("bytes ÷ smallest peer, geometric mean", geometric_mean(ratios), 0.46, detail=detail)
    for is_video, scenes, bound in ((False, "worst scene without video", 0.95), (True, "video", 1.1)):
        if chosen := [result for result in compared if result.scene.is_video is is_video]:
            result = max(chosen, key=lambda result: result.ratio(result.ours[0]))
            name = f"bytes ÷ smallest peer, {scenes}: {result.scene.name}"
            yield _size_ratio(name, result.ours[0], result.smallest_peer, bound)


def _mean(scenes: Sequence[SceneMeasurements], codec: str, figure: str) -> float:
    """Mean a frame over all frames of several scenes."""
    measurements = [codecs[codec] for codecs in scenes]
    total = sum(getattr(m, figure) * m.frames for m in measurements)
    return float(total / sum(m.frames for m in measurements))


def _new_screen(results: Mapping[Scene, Measurement]) -> Iterable[Figure]:
    """The time of a first frame, by its pixels as if it had 1920x1080.

    Not of smaller ones, whose fixed costs would be multiplied.
    """
    milliseconds = {
        scene: found.encode_each_ms[0] * HD_PIXELS / (scene.width * scene.height)
        for scene, found in results.items()
        if scene.width * scene.height >= HD_PIXELS
    }
    if milliseconds:
        worst = max(milliseconds, key=milliseconds.__getitem__)
        detail = f"{worst.name}, its first frame"
        if worst.width * worst.height != HD_PIXELS:
            taken = results[worst].encode_each_ms[0]
            detail += f": {taken:.1f} ms for {worst.width}x{worst.height}, here in proportion to the pixels"
        yield Figure("tight: encode of a new screen of 1920x1080, worst scene", milliseconds[worst], 100, "ms", detail)


def _time_ratio(name: str, ours_ms: float, other_ms: float, bound: float) -> Figure:
    return Figure(name, ours_ms / other_ms, bound, detail=f"{ours_ms:.2f} ms against {other_ms:.2f} ms")


def _size_ratio(name: str, ours: Measurement, other: Measurement, bound: float) -> Figure:
    detail = f"{ours.bytes:,} bytes against {other.bytes:,} of {other.codec}"
    return Figure(name, ours.bytes / other.bytes, bound, detail=detail)
