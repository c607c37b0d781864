"""The embedded dataset: real files, the same for a seed, and nothing for a single frame to tell."""

from __future__ import annotations

import json
from itertools import pairwise

import av
import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from pipeline.demo.dataset import ACTIONS, Action, Scene, make_dataset, random_scene
from pipeline.demo.drawing import draw_frames

SMALL = {"train_videos": 2, "val_videos": 1, "seconds": 14.0, "size": (32, 32)}


def scene_of(seed: int, fps: float = 4.0, size: int = 32) -> Scene:
    rng = np.random.default_rng([99, seed])
    return random_scene(rng, seconds=40.0, fps=fps, width=size, height=size)


def decoded(path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


def moments(kind: str) -> dict[str, np.ndarray]:
    """Random moments of the actions of many videos, by label: their poses, or statistics of their frames."""
    values: dict[str, list[np.ndarray]] = {label: [] for label in ACTIONS}
    for seed in range(300 if kind == "pose" else 120):
        rng, scene = np.random.default_rng(seed), scene_of(seed)
        chosen = [int(rng.uniform(a.start, a.end) * 4.0) for a in scene.actions]
        found = scene.poses[chosen]
        if kind == "pixels":
            part = (scene.poses[chosen], scene.spots[chosen], scene.shake[chosen])
            frames = draw_frames(scene.look, *part, rng).astype(np.float32).mean(3)
            half = frames.shape[2] // 2
            sides = frames[:, :, :half].mean((1, 2)) - frames[:, :, half:].mean((1, 2))
            edges = np.abs(np.diff(frames, axis=2)).mean((1, 2))
            found = np.stack([frames.mean((1, 2)), frames.std((1, 2)), sides, edges], axis=1)
        for action, value in zip(scene.actions, found, strict=True):
            values[action.label].append(value)
    return {label: np.array(rows) for label, rows in values.items()}


@pytest.mark.parametrize("kind", ["pose", "pixels"])
def test_no_frame_tells_a_motion_from_its_reverse(kind):
    table = moments(kind)
    for label, (part, way) in ACTIONS.items():
        reverse = next(other for other, motion in ACTIONS.items() if motion == (part, -way))
        for column in range(4):
            found = ks_2samp(table[label][:, column], table[reverse][:, column]).pvalue
            # 12 comparisons a kind: a true difference gives values many orders below this.
            assert found > 5e-4, f"{label}, column {column}: p = {found:.2g}"


def test_every_class_has_its_reverse():
    motions = list(ACTIONS.values())
    assert len(set(motions)) == len(motions) >= 6
    assert all((part, -way) in motions for part, way in motions)


def test_a_motion_drawn_backwards_is_the_same_frames_in_reverse_order():
    scene = scene_of(0, fps=15.0, size=48)
    action = scene.actions[0]
    part = slice(int(action.start * 15), int(action.end * 15))
    forwards = draw_frames(scene.look, scene.poses[part], scene.spots[part], scene.shake[part])
    back = [array[part][::-1] for array in (scene.poses, scene.spots, scene.shake)]
    assert np.array_equal(draw_frames(scene.look, *back), forwards[::-1])
    assert not np.array_equal(forwards, forwards[::-1])


def test_an_action_moves_its_own_number_its_own_way_and_idle_time_moves_none():
    for seed in range(20):
        scene = scene_of(seed, fps=15.0)
        times = np.arange(len(scene.poses)) / 15.0
        for action in scene.actions:
            part, way = ACTIONS[action.label]
            first, last = np.searchsorted(times, (action.start, action.end))
            net = scene.poses[last] - scene.poses[first]
            assert way * net[part] > 0.15
            assert np.abs(np.delete(net, part)).max() < 0.15  # the wobble, which comes back
        for one, two in pairwise(scene.actions):
            rest = scene.poses[np.searchsorted(times, one.end) : np.searchsorted(times, two.start)]
            assert np.ptp(rest, axis=0).max() < 0.15


def test_nothing_jumps():
    for seed in range(20):
        scene = scene_of(seed, fps=15.0)
        assert np.abs(np.diff(scene.poses, axis=0)).max() < 0.1


def test_actions_keep_apart():
    for seed in range(20):
        actions: tuple[Action, ...] = scene_of(seed).actions
        assert len(actions) >= 4
        assert all(1.99 <= a.end - a.start <= 5.01 for a in actions)
        assert all(two.start - one.end >= 1.49 for one, two in pairwise(actions))
        assert actions[0].start >= 1.49 and actions[-1].end <= 38.51


def test_files_are_real_and_the_table_fits_them(tmp_path):
    make_dataset(tmp_path, seed=3, **SMALL)
    table = pd.read_csv(tmp_path / "annotations.csv")
    assert list(table.columns) == ["video", "start", "end", "label", "subset"]
    assert set(table["label"]) <= set(ACTIONS)
    assert (table["end"] > table["start"]).all() and table["end"].max() < SMALL["seconds"]
    assert table.groupby("subset")["video"].nunique().to_dict() == {"training": 2, "validation": 1}
    for name in table["video"].unique():
        with av.open(str(tmp_path / "videos" / f"{name}.mp4")) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name == "h264"
            assert (stream.width, stream.height, stream.average_rate) == (32, 32, 15)
            assert sum(1 for _ in container.decode(stream)) == 14 * 15


def test_a_seed_gives_the_same_videos_whatever_the_workers(tmp_path):
    for folder, seed, workers in (("a", 1, 1), ("b", 1, 2), ("c", 2, 2)):
        make_dataset(tmp_path / folder, seed=seed, workers=workers, **SMALL)
    one, same, other = (tmp_path / folder for folder in "abc")
    assert (one / "annotations.csv").read_bytes() == (same / "annotations.csv").read_bytes()
    assert (one / "annotations.csv").read_bytes() != (other / "annotations.csv").read_bytes()
    for path in sorted((one / "videos").iterdir()):
        assert np.array_equal(decoded(path), decoded(same / "videos" / path.name))


def test_a_complete_dataset_stays_and_a_broken_one_is_made_anew(tmp_path):
    make_dataset(tmp_path, **SMALL)
    video = tmp_path / "videos" / "training_000.mp4"
    whole, written = video.read_bytes(), video.stat().st_mtime_ns
    make_dataset(tmp_path, **SMALL)
    assert video.stat().st_mtime_ns == written
    (tmp_path / "dataset.json").unlink()  # written last: a killed run has none
    video.write_bytes(whole[:100])
    make_dataset(tmp_path, **SMALL)
    assert video.read_bytes() == whole
    assert not list(tmp_path.rglob("*.tmp"))


def test_other_arguments_make_another_dataset(tmp_path):
    make_dataset(tmp_path, **SMALL)
    before = (tmp_path / "annotations.csv").read_bytes()
    make_dataset(tmp_path, seed=5, **SMALL)
    assert (tmp_path / "annotations.csv").read_bytes() != before
    assert json.loads((tmp_path / "dataset.json").read_text())["seed"] == 5
