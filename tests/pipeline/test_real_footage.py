"""Real footage through the command line, as someone with their own videos would run it."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path

import av
import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.cli.commands import main

ACTIONS = {
    "flipping_a_pancake.mkv": 10.0,
    "making_cake.mp4": 10.0,
    "playing_guitar.mp4": 10.0,
    "R6llTwEh07w.mp4": 10.0,
    "v_GGSY1Qvo990.mp4": 16.0,
    "v_SoccerJuggling_g23_c01.avi": 8.0,
}
BETWEEN = {"demo.mp4": 10.0, "test.avi": 6.5}
FPS, WIDTH, HEIGHT = 15, 128, 96
CONFIG = """
dataset: {name: own, format: table, annotations: own.csv, videos: videos}
backbone: {name: tada2d, depth: [1, 1, 1, 1], width: 16, dropout: 0.0}
finetune: {fps: 15, frames: 8, interval: 2, short_side: [64, 76], crop: 64, eval_short_side: 64,
  optimizer: adamw, base_lr: 2.0e-3, batch_size: 8, epochs: 12, warmup_epochs: 1}
extract: {fps: 15, frames: 8, interval: 2, stride: 4, short_side: 64}
bmn: {mode: windows, temporal_scale: 100, duration_scale: 40, window_step: 50, hidden_1d: 64,
  hidden_2d: 32, hidden_3d: 64, num_samples: 16, optimizer: adamw, base_lr: 2.0e-3, batch_size: 4,
  epochs: 25, warmup_epochs: 1}
proposals: {count: 100}
classify: {mode: proposal, top: 2}
eval: {iou: "0.5:0.05:0.95"}
"""


def frames_of(path: Path) -> np.ndarray:
    """All frames of a clip at FPS, small, by nearest presentation time."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        times, images = [], []
        for frame in container.decode(stream):
            times.append(frame.time)
            images.append(frame.to_ndarray(format="rgb24", width=WIDTH, height=HEIGHT))
    times = np.array(times) - times[0]
    asked = np.arange(0, times[-1], 1 / FPS)
    return np.stack([images[np.abs(times - t).argmin()] for t in asked])


def write_video(path: Path, frames: np.ndarray) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def make_videos(folder: Path, clips: dict[str, np.ndarray], seed: int = 0) -> None:
    """Untrimmed videos: seconds of the action clips with seconds of other clips between them.

    Training takes its seconds from the first half of each clip, validation from the second.
    """
    rng = np.random.default_rng(seed)
    (folder / "videos").mkdir(parents=True)
    rows = [["video", "start", "end", "label", "subset"]]
    for subset, count in (("training", 12), ("validation", 4)):
        for number in range(count):
            name, parts, at = f"{subset}_{number}", [], 0
            for action in rng.permutation(list(ACTIONS))[:4]:
                parts.append(piece(rng, clips[rng.choice(list(BETWEEN))], subset))
                at += len(parts[-1])
                parts.append(piece(rng, clips[action], subset))
                label = action.split(".")[0]
                rows.append([name, at / FPS, (at + len(parts[-1])) / FPS, label, subset])
                at += len(parts[-1])
            write_video(folder / "videos" / f"{name}.mp4", np.concatenate(parts))
    with (folder / "own.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def piece(rng: np.random.Generator, frames: np.ndarray, subset: str) -> np.ndarray:
    half = len(frames) // 2
    part = frames[:half] if subset == "training" else frames[half:]
    length = min(len(part), int(rng.uniform(2.0, 4.5) * FPS))
    start = rng.integers(len(part) - length + 1)
    return part[start : start + length]


@pytest.mark.slow
def test_own_videos_through_all_stages(real_data, tmp_path, monkeypatch):
    clips = {name: frames_of(real_data("videos", name)) for name in [*ACTIONS, *BETWEEN]}
    make_videos(tmp_path, clips)
    monkeypatch.chdir(tmp_path)
    Path("tada-loc.yaml").write_text(CONFIG)
    for command in (
        ["finetune"],
        ["extract"],
        ["bmn"],
        ["classify"],
        ["eval", "--iou", "0.5:0.05:0.95"],
    ):
        result = CliRunner().invoke(main, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    results = json.loads(Path("runs/tada-loc/eval/results.json").read_text())["tasks"]["mAP"]
    print(f"real footage: mAP@0.5 {results['map'][0]:.2f}, average {results['average']:.2f}")
    # A network that had learnt nothing would find almost nothing at 0.5 among six classes.
    assert results["map"][0] > 30


def test_extract_takes_every_real_file(real_data, tmp_path, monkeypatch):
    """Every file of the folder, odd ones included, gives features of the length its duration says."""
    folder = real_data("videos")
    files = sorted(path for path in folder.iterdir() if path.is_file())
    monkeypatch.chdir(tmp_path)
    Path("tada-loc.yaml").write_text(
        CONFIG.replace("videos: videos", f"videos: {folder}").replace(
            "epochs: 12, warmup_epochs: 1", "epochs: 1"
        )
    )
    rows = [["video", "start", "end", "label", "subset"]]
    rows += [[path.stem, 0.0, 0.9, "a", "training"] for path in files[:1]]
    rows += [[path.stem, 0.0, 0.09, "a", "validation"] for path in files[1:]]
    with Path("own.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    short = ["--workers", "2", "--set", "backbone.width=4", "--set", "extract.stride=30"]
    result = CliRunner().invoke(main, ["finetune", *short], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(main, ["extract", *short], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    features = Path("runs/tada-loc/extract/features")
    assert {path.stem for path in features.iterdir()} == {path.stem for path in files}
    for path in features.iterdir():
        with h5py.File(path) as file:
            clips = int(np.ceil(file.attrs["source_duration"] * 15 / 30 - 1e-6))
            assert file["features"].shape == (max(1, clips), 128)
            assert np.isfinite(file["features"][:]).all()
