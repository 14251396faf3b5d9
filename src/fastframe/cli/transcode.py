"""`fastframe encode` and `fastframe decode`: videos to recordings, and recordings to videos or pictures."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from fastframe._files import PendingFile, reason
from fastframe._names import shown
from fastframe.capture import CapturedFrame, VideoWriter, frames, png_bytes
from fastframe.cli.inputs import PacketSource, is_file, open_packets, open_replay
from fastframe.cli.meter import raw_size
from fastframe.cli.options import Effort, EffortOption, ForceOption, may_write, parse_pictures
from fastframe.cli.progress import Salvage, progress
from fastframe.cli.text import byte_count, ratio
from fastframe.codec import Encoder, EncoderConfig
from fastframe.errors import FastframeError, RecordingError
from fastframe.recording import PacketWriter


def encode(
    source: Annotated[str, typer.Argument(metavar="IN", help="A video, recording (.ffs; - is stdin) or bundled clip.")],
    output: Annotated[Path, typer.Argument(metavar="OUT.ffs", help="The recording to write.")],
    effort: EffortOption = Effort.balanced,
    force: ForceOption = False,
) -> None:
    """Encode a video into a recording.

    If OUT exists you are asked whether to overwrite it; without a terminal, or a yes, it is refused unless
    --force is given. OUT is replaced only when the new recording is complete.
    """
    if output.suffix != ".ffs":
        raise FastframeError(f"{shown(output)}: the name of a recording must end in .ffs")
    count = packet_bytes = raw_bytes = start = now = 0
    with open_replay(source) as clip:
        may_write(output, force=force)
        encoder = Encoder(EncoderConfig(effort=effort.value))
        with PacketWriter(output) as writer, progress("encoding") as show:
            for frame in frames(clip):
                if count == 0:
                    start = frame.timestamp
                now = max(now, frame.timestamp - start)
                packet = encoder.encode(frame.pixels)
                writer.write(now, packet)
                count += 1
                packet_bytes += len(packet)
                raw_bytes += raw_size(frame.pixels)
                show(count)
    smaller = f", {ratio(raw_bytes / packet_bytes)} to raw" if packet_bytes else ""
    typer.echo(f"{shown(output)}: {count} frames, {byte_count(packet_bytes)}{smaller}")


def decode(
    source: Annotated[str, typer.Argument(metavar="IN.ffs", help="The recording to read; - is stdin.")],
    output: Annotated[str, typer.Argument(metavar="OUT.mkv|DIR/", help="A lossless video, or a folder for PNG files.")],
    force: ForceOption = False,
) -> None:
    """Decode a recording into a lossless video or into pictures frame-000000.png, frame-000001.png and so on.

    If OUT exists (or the folder is not empty) you are asked whether to overwrite it; without a terminal, or a
    yes, it is refused unless --force is given. A video is replaced only when the new one is complete; in a
    folder, files of other names stay. Of a damaged recording you get the frames before the damage.
    """
    path, to_folder = parse_pictures(output)
    with PacketSource(source) as recording:
        may_write(path, force=force)
        kept = Salvage(frames(recording))
        count = _to_pictures(kept, path) if to_folder else _to_video(kept, path, _nominal_fps(source))
    kept.raise_failure(f"{shown(path)} holds the {count} frames before it" if count else "nothing was written")
    if count == 0:
        raise RecordingError(f"{shown(source)} holds no frames; nothing was written")
    typer.echo(f"{shown(path)}: {count} frames")


def _to_video(pictures: Salvage[CapturedFrame], path: Path, fps: float) -> int:
    count = start = 0
    with ExitStack() as stack, progress("decoding") as show:
        writer: VideoWriter | None = None
        for frame in pictures:
            if writer is None:
                height, width = frame.pixels.shape[:2]
                writer = stack.enter_context(VideoWriter(path, (width, height), fps))
                start = frame.timestamp
            writer.write(frame.pixels, frame.timestamp - start)
            count += 1
            show(count)
    return count


def _to_pictures(pictures: Salvage[CapturedFrame], folder: Path) -> int:
    count = 0
    with progress("decoding") as show:
        for frame in pictures:
            picture = png_bytes(frame.pixels)
            if count == 0:
                _make_folder(folder)
            with PendingFile(folder / f"frame-{count:06d}.png") as file:
                file.write(picture)
            count += 1
            show(count)
    return count


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise RecordingError(f"cannot make the folder {shown(folder)}: {reason(error)}") from error


def _nominal_fps(source: str) -> float:
    """Frames a second according to the times in a packet file, as far as it is whole; what can be read once has none.

    Players go by the times of the frames, whatever this is.
    """
    times: list[int] = []
    if is_file(source):
        with open_packets(source) as reader:
            times = [record.timestamp for record in Salvage(reader)]
    span = (times[-1] - times[0]) / 1e6 if times else 0.0
    # The video needs some number; 30 is what players assume.
    return max(round((len(times) - 1) / span, 3), 0.001) if span else 30.0
