"""`python -m benchmarks.scale`: measured rates, and what three sizes of data come to with them (docs/explanation/scale.md)."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import torch

from benchmarks import networks
from benchmarks.machine import describe, this_machine
from benchmarks.table import markdown
from benchmarks.videos import SMALL_FRAME, encode_video
from feature_extraction.clips import iter_clips
from feature_extraction.read_ahead import FrameThread
from feature_extraction.sampling import ClipGrid

# What `benchmarks.gpu` measured on one H100 on 2026-11-26 (docs/explanation/performance.md), clips of 8 x 224 x 224 per second.
GPU = 2226.0
# Clips per second from files of EPIC-KITCHENS-100's grid to features, 8 processes on that machine's 16 cores.
GPU_EXTRACTION, GPU_CORES = 551.6, 16
SQUARE = 224 * 224  # pixels per frame of the clips that were measured there
FRAMES, CHANNELS, BYTES = 8, 2048, 2  # frames of a clip; a feature's numbers, and bytes of each


@dataclass(frozen=True)
class Data:
    """A data set as it is extracted and trained on: hours of video, clip grid, size of a clip's frames (h, w).

    `trained` counts the clips of fine-tuning, 0 where none is planned; `megabits` per second of its files.
    """

    name: str
    hours: float
    grid: ClipGrid
    size: tuple[int, int]
    trained: int = 0
    megabits: float = 2.0

    @property
    def seconds(self) -> float:
        """Seconds of video."""
        return self.hours * 3600

    @property
    def clips(self) -> int:
        """Clips that extraction makes."""
        return round(self.seconds * self.grid.fps / self.grid.stride)

    @property
    def area(self) -> float:
        """Pixels of a clip's frame, beside those of the clips measured on a GPU."""
        return self.size[0] * self.size[1] / SQUARE


EK100, HACS = ClipGrid(60, 8, 8, 8), ClipGrid(30, 8, 8, 16)
SETS = (
    Data("EPIC-KITCHENS-100", 100, EK100, (224, 398), trained=67_217 * 50),
    Data("HACS", 1_650, HACS, (128, 228)),
    Data("50,000 hours, as HACS", 50_000, HACS, (128, 228)),
)


Network = dict[
    tuple[tuple[int, int], str], float
]  # seconds of a clip, by size of its frames and precision


def network_seconds(small: bool) -> Network:
    """CPU seconds of one core for a clip through TAda2D-50."""
    model = networks.draw_tada2d(networks.SMALL if small else networks.FULL)
    seconds: Network = {}
    for size in dict.fromkeys(data.size for data in SETS):
        video = torch.randn(1, 3, FRAMES, *((32, 48) if small else size))
        for name, compiled in (("float32", False), ("bfloat16", False), ("bfloat16", True)):
            if compiled and (small or networks.why_not_compiled()):
                continue
            network = networks.inference_network(model, name, compiled=compiled)
            with torch.no_grad():
                taken = cpu_seconds(partial(network.features, video))
            seconds[size, f"{name}, compiled" if compiled else name] = taken
    return seconds


def decode_seconds(data: Data, small: bool) -> float:
    """CPU seconds of one core for decoding and resizing a second of 456 x 256 video on the data's grid."""
    fps = round(data.grid.fps)
    frames, size = (3 * fps, (96, 64)) if small else (20 * fps, SMALL_FRAME)
    with tempfile.TemporaryDirectory() as folder:
        path = encode_video(Path(folder) / "video.mp4", size, frames, fps=fps)
        return cpu_seconds(partial(read_all, path, data)) / (frames / fps)


def read_all(path: Path, data: Data) -> int:
    """Read all clips of a file as extraction does; how many there were."""
    with FrameThread(path, data.grid, min(data.size)) as frames:
        return sum(1 for _ in iter_clips(frames, data.grid, lambda: frames.duration))


def cpu_seconds(run: Callable[[], object]) -> float:
    """CPU seconds of a run: the median of three after one to warm up."""
    run()
    taken = []
    for _ in range(3):
        begin = time.process_time()
        run()
        taken.append(time.process_time() - begin)
    return statistics.median(taken)


def costs(data: Data, clip: float, decode: float) -> dict[str, str]:
    """What a data set comes to: `clip` and `decode` are seconds of a core, a clip and a second of video."""
    clips_a_second = GPU / data.area
    decoders = (
        GPU_CORES / decode * data.clips / data.seconds
    )  # clips per second that the cores decode
    rows = {
        "hours of video": f"{data.hours:,.0f}",
        "clips": number(data.clips),
        "network, hours of one H100": hours(data.clips / clips_a_second),
        "decoding, hours of one core": hours(data.seconds * decode),
        f"decoding, hours of its {GPU_CORES} cores": hours(data.clips / decoders),
        "network without a GPU, hours of one core": hours(data.clips * clip),
        "features on disk": size(data.clips * CHANNELS * BYTES),
        f"video read, at {data.megabits:g} Mbit/s": size(data.seconds * data.megabits * 1e6 / 8),
        "fine-tuning, clips": number(data.trained) if data.trained else "-",
    }
    if data.grid == EK100:
        rows["all of extraction as measured, hours of one H100"] = hours(
            data.clips / GPU_EXTRACTION
        )
    return rows


def number(count: float) -> str:
    """A large number as people say it."""
    return f"{count / 1e6:,.3g} million"


def hours(seconds: float) -> str:
    """Hours, with as many digits as are known."""
    value = seconds / 3600
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def size(number_of_bytes: float) -> str:
    """Bytes in GB or TB."""
    unit, name = (1e12, "TB") if number_of_bytes >= 1e12 else (1e9, "GB")
    return f"{number_of_bytes / unit:.3g} {name}"


def tables(network: Network, decode: Sequence[float]) -> list[str]:
    """The measured rates, and what the data sets come to, in Markdown."""
    rates = [
        [f"a clip, {FRAMES} x {height} x {width}, {name}", f"{seconds:.3g}"]
        for ((height, width), name), seconds in network.items()
    ]
    rates += [
        [
            f"decoding a second at {data.grid.fps:g} fps, a clip every {data.grid.stride} frames",
            f"{seconds:.3g}",
        ]
        for data, seconds in zip(SETS[:2], decode, strict=True)
    ]
    columns = [
        costs(data, min(taken for (of, _), taken in network.items() if of == data.size), seconds)
        for data, seconds in zip(SETS, (*decode, decode[1]), strict=True)
    ]
    keys = dict.fromkeys(key for column in columns for key in column)
    lines = [[key, *(column.get(key, "-") for column in columns)] for key in keys]
    return [
        markdown(["piece of work", "seconds of one core"], rates),
        markdown(["", *(data.name for data in SETS)], lines),
    ]


@click.command()
@click.option("--small", is_flag=True, hidden=True, help="Tiny sizes, for the tests.")
def main(small: bool) -> None:
    """Measure a clip through the network and a second of decoding on one thread; print both tables."""
    torch.set_num_threads(1)
    click.echo(describe(this_machine()) + "\n")
    network = network_seconds(small)
    decode = [decode_seconds(data, small) for data in SETS[:2]]
    click.echo("\n\n".join(tables(network, decode)))


if __name__ == "__main__":
    main()
