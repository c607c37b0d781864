"""Training clips from readers that stay open against a reader opened for each clip.

python -m benchmarks.kept_readers [VIDEO...] [--clips 24]
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import click
import numpy as np
import torch

from benchmarks.machine import describe, this_machine
from benchmarks.proxies import clip_times
from benchmarks.videos import FPS, SMALL_FRAME, encode_video
from feature_extraction.video.opening import open_video, probe
from feature_extraction.video.reader import Picture, Reader
from pipeline.data.kept_readers import KeptReaders

HOUR = 3600.0
COLUMNS = ("video", "opened", "kept", "times", "open alone")


def repeated(path: Path, target: Path, times: int) -> Path:
    """A file with the packets of another so many times over: as long as a long recording, and its index too."""
    with av.open(str(path)) as source, av.open(str(target), "w") as out:
        stream = source.streams.video[0]
        written = out.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.dts is not None]
        length = sum(packet.duration or 0 for packet in packets)
        for turn in range(times):
            source.seek(0)
            for packet in source.demux(stream):
                if packet.dts is None or packet.pts is None:
                    continue
                packet.pts, packet.dts = packet.pts + turn * length, packet.dts + turn * length
                packet.stream = written
                out.mux(packet)
    return target


def row(path: Path, count: int) -> tuple[str, ...]:
    """What is printed of a video: medians of CPU milliseconds per clip."""
    info = probe(path)
    readers = KeptReaders()
    spent = np.zeros((count, 3))
    clips = clip_times(info.duration or 1.0, info.fps, count).tolist()
    readers.read(path, lambda reader: reader.clip(clips[0]))
    for number, times in enumerate(clips):

        def clip(reader: Reader, times: list[float] = times) -> Picture:
            return reader.clip(times)

        began = time.process_time()
        with open_video(path, allow_partial=True) as reader:
            one = clip(reader)
        opened = time.process_time()
        two = readers.read(path, clip)
        kept = time.process_time()
        with open_video(path, allow_partial=True):
            pass
        spent[number] = opened - began, kept - opened, time.process_time() - kept
        assert np.array_equal(one, two)
    readers.close()
    fresh, held, alone = 1000 * np.median(spent, axis=0)
    name = f"{path.stem[:20]} {info.width}x{info.height}@{info.fps:.0f}, {info.duration:.0f} s"
    return name, f"{fresh:.1f}", f"{held:.1f}", f"{fresh / held:.2f}", f"{alone:.1f}"


@click.command()
@click.argument("videos", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--clips", default=24, show_default=True)
def main(videos: tuple[Path, ...], clips: int) -> None:
    """Print a row per video; without any, of a drawn one of 456 x 256 at 60 per second: 10 seconds, and an hour of it."""
    torch.set_num_threads(1)
    click.echo(describe(this_machine()))
    with TemporaryDirectory() as folder:
        if not videos:
            short = encode_video(Path(folder) / "drawn.mp4", SMALL_FRAME, 10 * FPS)
            videos = short, repeated(short, Path(folder) / "hour.mp4", round(HOUR / 10))
        rows = [row(video, clips) for video in videos]
    for cells in (COLUMNS, *rows):
        click.echo(cells[0].ljust(48) + "".join(cell.rjust(12) for cell in cells[1:]))


if __name__ == "__main__":
    main()
