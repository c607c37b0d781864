"""The shipped benchmark configurations, whole, on small videos laid out as the datasets ship theirs.

Only the sizes are made small: rates, strides, windows, classes and readers are those of the file.
"""

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
from helpers.same_detections import predicts_the_same
from PIL import Image

from feature_extraction import open_video
from feature_extraction.sampling import ClipGrid
from pipeline.cli.commands import main
from pipeline.configuration.reading import find_config, load_config, parse_overrides
from pipeline.data.clips.training import Clips, Segments
from pipeline.results.scoring import published

SMALL = [
    "backbone.depth=[1,1,1,1]", "backbone.width=4", "backbone.pretrained=null", "finetune.epochs=1",
    "finetune.warmup_epochs=0", "finetune.batch_size=4", "finetune.crop=32",
    "finetune.short_side=[32,36]", "finetune.eval_short_side=32", "extract.short_side=32",
    "bmn.epochs=1", "bmn.warmup_epochs=0", "bmn.batch_size=2", "bmn.hidden_1d=8", "bmn.hidden_2d=8",
    "bmn.hidden_3d=8", "bmn.num_samples=4", "runtime.workers=0", "runtime.device=cpu",
    "extract.precision=float32", "bmn.precision=float32", "finetune.precision=float32",
]  # fmt: skip


def tada(command: str, config: str, *more: str):
    arguments = [command, "--config", config, *more]
    for assignment in SMALL:
        arguments += ["--set", assignment]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def pictures(count: int) -> list[np.ndarray]:
    """A grey level that says how far through the video a frame is."""
    return [np.full((36, 48, 3), 20 + 200 * k // count, np.uint8) for k in range(count)]


def write_video(path: Path, rate: Fraction, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 48, 36, "yuv420p"
        for picture in pictures(round(seconds * rate)):
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)


def write_frames(folder: Path, rate: int, seconds: float) -> None:
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures(round(seconds * rate)), start=1):
        Image.fromarray(picture).save(folder / f"frame_{number:010d}.jpg", quality=95)


def write_csv(path: Path, rows: list[list]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


EK_VIDEOS = {  # id: (rate of the video, what it is shipped as)
    "P01_01": (Fraction(60000, 1001), "video"),
    "P02_101": (Fraction(50), "video"),
    "P03_02": (Fraction(48000, 1001), "video"),
    "P04_03": (Fraction(30000, 1001), "video"),
    "P05_01": (Fraction(60000, 1001), "frames at 60"),
    "P06_102": (Fraction(50), "frames at 50"),
}
SECONDS = 8.0


@pytest.fixture(scope="module")
def epic(tmp_path_factory):
    """The EPIC-KITCHENS-100 files as downloaded; the last two videos are for validation."""
    data = tmp_path_factory.mktemp("epic") / "data" / "ek100"
    info = [["video_id", "duration", "fps", "resolution"]]
    for video, (rate, kind) in EK_VIDEOS.items():
        info.append([video, SECONDS, float(rate), "456x256"])
        if kind == "video":
            write_video(data / "videos" / video[:3] / "videos" / f"{video}.MP4", rate, SECONDS)
        else:
            folder = data / "videos" / video[:3] / "rgb_frames" / video
            write_frames(folder, int(kind.split()[-1]), SECONDS)
    write_csv(data / "EPIC_100_video_info.csv", info)
    for name, count in (("verb", 97), ("noun", 300)):
        rows = [["id", "key", "instances"]] + [[i, f"{name}{i}", "[]"] for i in range(count)]
        write_csv(data / f"EPIC_100_{name}_classes.csv", rows)
    head = "narration_id,video_id,start_timestamp,stop_timestamp,start_frame,stop_frame,verb_class,noun_class"
    files = {"train": list(EK_VIDEOS)[:4], "validation": list(EK_VIDEOS)[4:]}
    for name, videos in files.items():
        rows = [head.split(",")]
        for video in videos:
            for i, start in enumerate((0.4, 2.97, 5.25)):
                end = start + 2.0
                stamps = [f"00:00:{start:05.2f}", f"00:00:{end:05.2f}"]
                rows.append([f"{video}_{i}", video, *stamps, 1, 2, i, 2 * i])
        write_csv(data / f"EPIC_100_{name}.csv", rows)
    return data.parents[1]


@pytest.mark.parametrize(
    ("name", "figures"),
    [("ek100", ("15.15", "13.18")), ("ek100_slowfast_tada", ("14.90", "13.00", "17.13"))],
)
def test_epic_kitchens_config_runs_on_videos_and_frame_folders(name, figures, epic, monkeypatch):
    monkeypatch.chdir(epic)
    output = tada("run", name)
    lines = output.splitlines()
    for task in ("action", "verb", "noun"):
        assert any(line.strip().startswith(task) for line in lines), output
    assert all(figure in output for figure in figures)  # the paper's row under ours
    grid = ClipGrid(fps=60.0, frames=8, interval=8, stride=8)
    for video in EK_VIDEOS:
        with h5py.File(epic / f"runs/{name}/extract/features" / f"{video}.h5") as file:
            # Whatever its own rate: a clip every 8 / 60 s over the same seconds.
            assert abs(float(file.attrs["source_duration"]) - SECONDS) < 0.03
            assert abs(len(file["features"]) - grid.num_clips(SECONDS)) <= 1
            assert file.attrs["fps"] == 60.0
    predicts_the_same(Path(f"runs/{name}"))
    submission = json.loads((epic / f"runs/{name}/eval/submission.json").read_text())
    assert submission["version"] == "0.2" and set(submission["results"]) <= {"P05_01", "P06_102"}


def test_videos_of_every_rate_are_resampled_by_time(epic):
    """The clip at the same second shows the same moment, whatever the rate and the form."""
    from feature_extraction import FrameFolder

    root = epic / "data/ek100/videos"
    times = np.arange(0, (SECONDS - 0.5) * 60) / 60
    for video, (rate, kind) in EK_VIDEOS.items():
        if kind == "video":
            source, true = root / video[:3] / "videos" / f"{video}.MP4", float(rate)
        else:
            true = float(kind.split()[-1])
            source = FrameFolder(
                root / video[:3] / "rgb_frames" / video, (float(rate), 50.0, 60.0), SECONDS
            )
        with open_video(source) as reader:
            levels = [float(frame.mean()) for _, frame in reader.frames_at(times.tolist())]
        moments = (np.array(levels) - 20) / 200 * SECONDS
        # Half a frame by the nearest rule, and the grey level's own steps.
        assert np.abs(moments - times).max() < 0.5 / true + 2.5 * SECONDS / 200


@pytest.mark.parametrize(
    ("name", "figures"), [("hacs", ("48.7", "32.3")), ("hacs_slowfast", ("50.0", "33.7"))]
)
def test_hacs_config_runs_on_class_folders(name, figures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    database, names = {}, ["Archery", "Long jump"]
    for number in range(6):
        label, video = names[number % 2], f"vid-_{number:06d}"
        write_video(tmp_path / f"data/hacs/videos/{label}/v_{video}.mp4", Fraction(25), 16.0)
        segments = [[1.2, 4.5], [8.0, 13.0]]
        database[video if number % 3 else f"v_{video}"] = {
            "subset": "training" if number < 4 else "validation",
            "duration": "16.0",
            "annotations": [{"segment": segment, "label": label} for segment in segments],
        }
    (tmp_path / "data/hacs/HACS_segments_v1.1.1.json").write_text(
        json.dumps({"database": database})
    )
    output = tada("run", name)
    assert "published figures are not shown: HACS Segments has 200 classes" in output
    assert not any(figure in output for figure in figures)
    predicts_the_same(Path(f"runs/{name}"))
    whole = {"HACS Segments": (2, published.class_digest(names))}
    monkeypatch.setattr(published, "_CLASSES", whole)
    assert all(figure in tada("eval", name) for figure in figures)
    results = json.loads((tmp_path / f"runs/{name}/eval/submission.json").read_text())
    assert set(results["results"]) <= {key.removeprefix("v_") for key in database}


@pytest.mark.parametrize("name", ["k400", "ek100", "hacs"])
def test_interval_nine_samples_as_the_public_weights_were_trained(name, tmp_path):
    """There, the 8 frames of a clip are spread over 64 counted at the rate of the configuration."""
    overrides = ["finetune.interval=9", "finetune.short_side=[36,36]", "finetune.crop=32"]
    settings = load_config(find_config(name), parse_overrides(overrides)).finetune
    rate = int(settings.fps)
    write_video(tmp_path / "v.mp4", Fraction(rate), 100 / rate)
    with open_video(tmp_path / "v.mp4") as reader:
        shown = reader.clip(np.arange(100) / rate).mean((1, 2, 3))
    assert len(np.unique(shown)) == 100
    whole = np.array([0.0]), np.array([100 / rate]), np.zeros((1, 1), np.int64)
    clips = Clips(Segments(["v"], *whole, {"v": tmp_path / "v.mp4"}), settings)
    for epoch in range(5):
        levels = clips[(epoch, 0, None)]["clip"].float().mean((1, 2, 3)).numpy()
        frames = np.abs(levels[:, None] - shown).argmin(1)
        public = np.floor(np.linspace(frames[0], frames[0] + 63, 8) + 1e-9)
        np.testing.assert_array_equal(frames, public)
