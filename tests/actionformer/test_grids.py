"""Seconds, resized features and training windows against the public implementation's."""

from __future__ import annotations

import pytest
import torch

from actionformer.grids import draw_window, resize, to_grid, to_seconds, truncate


def named(vectors, name):
    return {
        key.removeprefix(f"{name}/"): torch.from_numpy(value)
        for key, value in vectors.items()
        if key.startswith(f"{name}/")
    }


@pytest.mark.parametrize("name", ["grid", "grid_downsampled", "resized", "resized_down"])
def test_annotations_on_the_grid_are_the_public_ones(reference, name):
    given = named(reference("actionformer_ops.npz"), name)
    stride, frames, fps = (given[key].item() for key in ("feat_stride", "feat_num_frames", "fps"))
    length = given["feature"].shape[1]
    grid = to_grid(given["seconds"], fps=fps, stride=stride, frames=frames)
    # What a video's features end before is learnt where half of it, or more, lies within.
    window = truncate(grid, 0, length, threshold=0.5, offset=0.5 * frames / stride)
    assert torch.allclose(window.segments.float(), given["segments"], rtol=1e-6, atol=1e-6)
    assert torch.equal(given["labels_in"][window.kept], given["labels"])
    back = to_seconds(grid, fps=fps, stride=stride, frames=frames, duration=99.0)
    assert torch.allclose(back, given["seconds"], rtol=1e-12)


@pytest.mark.parametrize("name", ["resized", "resized_down"])
def test_resized_features_are_the_public_ones(reference, name):
    given = named(reference("actionformer_ops.npz"), name)
    made, stride = resize(given["feature_in"].T, 32, stride=16, frames=16)
    assert torch.allclose(made, given["feature"], rtol=1e-6, atol=1e-7)
    assert stride == given["feat_stride"]


def test_seconds_are_cut_to_the_video():
    grid = torch.tensor([[-5.0, 2.0], [3.0, 99.0], [70.0, 80.0]])
    made = to_seconds(grid, fps=10.0, stride=5, frames=10, duration=20.0)
    assert made.tolist() == [[0, 1.5], [2, 20], [20, 20]]


@pytest.mark.parametrize("row", range(3))
def test_windows_are_the_public_ones(reference, row):
    given = named(reference("actionformer_ops.npz"), f"truncate/{row}")
    window = truncate(
        given["segments_in"],
        int(given["start"]),
        int(given["length"]),
        threshold=given["threshold"].item(),
        offset=given["offset"].item(),
    )
    assert torch.equal(window.kept, given["kept"])
    assert torch.allclose(window.segments, given["segments"], rtol=1e-6)


def drawn(segments, length, seed=0, **options):
    options = {"threshold": 0.5, "offset": 0.5} | options
    generator = torch.Generator().manual_seed(seed)
    table = torch.tensor(segments).reshape(-1, 2)
    return draw_window(table, length, 64, generator=generator, **options)


def test_a_long_video_gives_windows_that_keep_a_segment():
    for seed in range(50):
        window = drawn([[700.0, 710.0]], 1000, seed, draws=2000)
        assert window.length == 64 and 0 <= window.start <= 936
        assert window.kept.tolist() == [0]
        assert (window.segments >= -0.5).all() and (window.segments <= 64.5).all()
    starts = {drawn([], 1000, seed).start for seed in range(50)}
    assert len(starts) > 40  # without segments any window will do


def test_after_all_draws_a_window_without_segments_is_taken():
    window = drawn([[5000.0, 5001.0]], 1000, draws=7)
    assert window.length == 64 and window.segments.shape == (0, 2)


def test_a_short_video_gives_a_crop_or_all_of_itself():
    lengths = [drawn([[4.0, 30.0]], 40, seed).length for seed in range(200)]
    assert set(lengths) == set(range(36, 41))
    whole = drawn([[4.0, 80.0], [60.0, 70.0]], 40, crop=(1.0, 1.0))
    assert (whole.start, whole.length) == (0, 40)
    assert whole.segments.tolist() == [[4, 80], [60, 70]] and whole.kept.tolist() == [0, 1]
    assert drawn([[0.0, 1.0]], 1).length == 1
    assert drawn([[0.0, 1.0]], 64, crop=(1.0, 1.5)).length == 64


def test_a_seed_gives_a_window():
    def numbers(seed):
        window = drawn([[10.0, 20.0], [500.0, 600.0]], 1000, seed)
        return window.start, window.segments.tolist()

    assert numbers(3) == numbers(3) != numbers(4)


def test_a_segment_without_length_is_not_kept():
    window = truncate(torch.tensor([[3.0, 3.0]]), 0, 10, threshold=0.5, offset=0.0)
    assert len(window.kept) == 0 and window.segments.shape == (0, 2)
