"""Memory over many videos: what the two hundredth takes is what the tenth took."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.processes import session
from helpers.small_runs import kill, options, start

VIDEOS, KINDS = 200, 10


def make_videos(folder: Path) -> None:
    """Two hundred files of ten kinds in turn: other codecs, containers, sizes and rates."""
    folder.mkdir()
    codecs = [("libx264", ".mp4"), ("mpeg4", ".avi"), ("libx264", ".mkv"), ("libvpx-vp9", ".webm"),
              ("libx264", ".mp4")]  # fmt: skip
    for number in range(VIDEOS):
        codec, suffix = codecs[number % len(codecs)]
        path = folder / f"v{number:03d}{suffix}"
        if number < KINDS:
            side = 96 + 32 * number
            _encode(path, codec, (side * 4 // 3 // 2 * 2, side), 15 + 5 * (number % 4))
        else:
            path.symlink_to(next(folder.glob(f"v{number % KINDS:03d}.*")))


def _encode(path: Path, codec: str, size: tuple[int, int], rate: int) -> None:
    rng = np.random.default_rng(size[0])
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"deadline": "realtime"} if "vp9" in codec else {}
        picture = rng.integers(0, 255, (size[1] // 8, size[0] // 8, 3), np.uint8)
        picture = np.kron(picture, np.ones((8, 8, 1), np.uint8))
        picture = np.resize(picture, (size[1], size[0], 3))
        for shift in range(2 * rate):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, shift, 1).copy(), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def measure(process: subprocess.Popen, features: Path, worker: bool) -> dict[int, int]:
    """The most memory the process that decodes had resident while it was at each video, in bytes."""
    most: dict[int, int] = {}
    while process.poll() is None:
        done = len(list(features.glob("[!.]*.h5")))
        own = [pid for pid in session(process.pid) if (pid != process.pid) == worker]
        resident = max((_resident(pid) for pid in own), default=0)
        most[done] = max(most.get(done, 0), resident)
        time.sleep(0.005)
    return most


def _resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmRSS")))
    except (OSError, StopIteration):
        return 0  # ended meanwhile


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_two_hundred_videos_take_the_memory_of_ten(data, tmp_path, workers):
    videos, rows, run = tmp_path / "videos", tmp_path / "rows.csv", tmp_path / "run"
    make_videos(videos)
    lines = [f"v{n:03d},0.2,1.0,grow,training" for n in range(VIDEOS - 1)]
    lines.append(f"v{VIDEOS - 1:03d},0.2,1.0,grow,validation")
    rows.write_text("\n".join(["video,start,end,label,subset", *lines]) + "\n")
    own = (f"dataset.annotations={rows}", f"dataset.videos={videos}")
    small = ("finetune.epochs=1", "finetune.warmup_epochs=0", "finetune.batch_size=64")
    line = options(data, run, *own, *small, workers=workers)
    trained = start(["finetune", *line])
    assert trained.wait() == 0
    process = start(["extract", *line])
    try:
        most = measure(process, run / "extract/features", worker=bool(workers))
    finally:
        if process.poll() is None:
            kill(process)
    assert process.returncode == 0
    assert len(list((run / "extract/features").glob("*.h5"))) == VIDEOS
    early = max(value for done, value in most.items() if KINDS <= done < 2 * KINDS)
    late = max(value for done, value in most.items() if VIDEOS - KINDS <= done < VIDEOS)
    print(
        f"workers {workers}: {early / 1e6:.1f} MB after the tenth, {late / 1e6:.1f} MB at the end"
    )
    assert early > 0 and late < 1.05 * early
