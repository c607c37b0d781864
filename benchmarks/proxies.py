"""What proxies give and cost: ms a training clip, bytes, seconds of encoding, and how near their pictures are.

python -m benchmarks.proxies [VIDEO...] [--side 320] [--clips 12] [--seconds 10]
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import torch

from benchmarks.machine import describe, this_machine
from benchmarks.videos import FPS, LARGE_FRAME, encode_video
from feature_extraction.transforms import to_tensor
from feature_extraction.video.opening import open_video, probe
from pipeline.tools.proxies.encoding import encode_proxy

FRAMES, INTERVAL = 8, 8  # of a clip, at the video's own rate
COLUMNS = ("video", "MB", "proxy", "bits/pixel", "s/min", "ms/clip", "proxy", "times", "PSNR")


def clip_times(seconds: float, fps: float, count: int) -> np.ndarray:
    """Seconds [count, FRAMES] of random training clips."""
    length = FRAMES * INTERVAL / fps
    starts = np.random.default_rng(0).uniform(0, max(0.0, seconds - length), count)
    return starts[:, None] + np.arange(FRAMES) * INTERVAL / fps


def milliseconds(paths: Sequence[Path], clips: np.ndarray) -> list[float]:
    """Median CPU ms of opening each file and reading a clip of it, side by side."""
    spent = np.zeros((len(clips), len(paths)))
    for row, times in enumerate(clips.tolist()):
        for column, path in enumerate(paths):
            began = time.process_time()
            with open_video(path) as reader:
                reader.clip(times)
            spent[row, column] = time.process_time() - began
    return (1000 * np.median(spent, axis=0)).tolist()


def psnr(source: Path, proxy: Path, clips: np.ndarray) -> float:
    """Decibels between the proxy's frames and the source's, resized (antialiased, bilinear) to their size."""
    errors = []
    for times in clips.tolist():
        with open_video(source) as reader:
            frames = to_tensor(reader.clip(times)).float()
        with open_video(proxy) as reader:
            small = to_tensor(reader.clip(times)).float()
        resized = torch.nn.functional.interpolate(
            frames, small.shape[-2:], mode="bilinear", antialias=True
        )
        errors.append(float((resized - small).square().mean()))
    return float(10 * np.log10(255**2 / max(1e-9, np.mean(errors))))


def row(source: Path, proxy: Path, side: int, count: int) -> tuple[str, ...]:
    """What is printed of a video."""
    began = time.process_time()
    made = encode_proxy(source, proxy, side)
    spent = time.process_time() - began
    info, small = probe(source), probe(proxy)
    clips = clip_times(made.seconds, info.fps, count)
    before, after = milliseconds((source, proxy), clips)
    bits = proxy.stat().st_size * 8 / (made.frames * small.width * small.height)
    return (
        f"{source.stem[:20]} {info.width}x{info.height}@{info.fps:.0f}",
        f"{source.stat().st_size / 1e6:.2f}",
        f"{proxy.stat().st_size / 1e6:.2f}",
        f"{bits:.3f}",
        f"{60 * spent / made.seconds:.1f}",
        f"{before:.1f}",
        f"{after:.1f}",
        f"{before / after:.1f}",
        f"{psnr(source, proxy, clips[:4]):.1f}",
    )


@click.command()
@click.argument("videos", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--side", default=320, show_default=True, help="finetune.proxies")
@click.option("--clips", default=12, show_default=True)
@click.option("--seconds", default=10.0, show_default=True, help="Of the drawn 1080p60 video.")
def main(videos: tuple[Path, ...], side: int, clips: int, seconds: float) -> None:
    """Print a row per video; without any, of one that is drawn: 1920 x 1080 at 60 per second, a key frame in 250."""
    torch.set_num_threads(1)
    click.echo(describe(this_machine()))
    with TemporaryDirectory() as folder:
        large = Path(folder) / "drawn.mp4"
        if not videos:
            encode_video(large, LARGE_FRAME, round(seconds * FPS))
        rows = [row(video, Path(folder) / "proxy.mp4", side, clips) for video in videos or (large,)]
    for cells in (COLUMNS, *rows):
        click.echo(cells[0].ljust(36) + "".join(cell.rjust(11) for cell in cells[1:]))


if __name__ == "__main__":
    main()
