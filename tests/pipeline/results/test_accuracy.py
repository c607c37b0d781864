"""Accuracy in validation: of any batches, of mixed sizes, and the same that extraction's features give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.seen_videos import SECONDS, SMALL, draw, encode, segments_of
from helpers.small_runs import options, tada
from torch import nn

from feature_extraction import build_backbone, extract_features, features_at
from pipeline.configuration.reading import find_config, load_config
from pipeline.data.clips.geometry import agree, clip_grid, extraction_view
from pipeline.data.clips.segments import Segments
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError
from pipeline.results import accuracy as validation
from pipeline.results.accuracy import geometry_warning, judged, main_accuracy, validate

CLASSES = 4
CPU = torch.device("cpu")
WHOLE = {"finetune_crop": "whole"}


def config(**more):
    fields = {key.replace("_", ".", 1): value for key, value in more.items()}
    return load_config(find_config("demo"), SMALL | fields)


@pytest.fixture(scope="module")
def segments(tmp_path_factory):
    """Segments at the middles of cells of 0.4 s, up to both ends of the videos."""
    paths = draw(tmp_path_factory.mktemp("seen"))
    cells = np.arange(int(SECONDS / 0.4))
    centers = np.tile((cells + 0.5) * 0.4, 2)
    lengths = np.random.default_rng(1).uniform(0.1, 2.0, len(centers))
    # All stay in their videos: a centre near an end has a short segment around it.
    lengths = np.minimum(lengths, 2 * np.minimum(centers, SECONDS - centers))
    return segments_of(paths, centers, lengths, CLASSES)


@pytest.fixture(scope="module")
def model(segments):
    """A network at random, whose head spreads what it sees here over all classes."""
    torch.manual_seed(0)
    network = build_backbone("tada2d", depth=(1, 1, 1, 1), width=4, num_classes=CLASSES).eval()
    seen = _features(network, segments, config())
    with torch.no_grad():
        head = next(
            m for m in network.modules() if isinstance(m, nn.Linear) and m.out_features == CLASSES
        )
        spread = torch.linalg.svd(seen - seen.mean(0)).Vh[:CLASSES]
        head.weight.copy_(spread / (seen @ spread.T).std(0)[:, None])
        head.bias.copy_(-(seen @ head.weight.T).mean(0))
    return network


def _features(network, segments, chosen):
    """Of each segment's middle, by `features_at`."""
    view, backbone = extraction_view(chosen.extract), chosen.backbone
    rows = []
    for number, video in enumerate(segments.videos):
        middle = np.array([(segments.starts[number] + segments.ends[number]) / 2])
        rows.append(
            features_at(
                network, segments.paths[video], middle, clip_grid(chosen.extract),
                short_side=view.short_side, crop=view.crop, mean=backbone.mean, std=backbone.std,
            )
        )  # fmt: skip
    return torch.from_numpy(np.concatenate(rows))


def figures(model, segments, chosen):
    return validate(model, segments, chosen, LeftOut("test"), CPU)


@torch.no_grad()
def top1(model, features, segments):
    found = model.classify(features).argmax(1).numpy()
    assert len(np.unique(found)) > 2  # else any view would give the same
    return 100 * float((found == segments.targets[:, 0]).mean())


def test_figures_do_not_depend_on_the_batch(model, segments):
    found = [figures(model, segments, config(finetune_batch_size=size)) for size in (1, 4, 7, 99)]
    assert all(other == found[0] for other in found[1:])
    assert set(found[0]) == {"top1", "top4", "extract_top1", "extract_top4"}
    assert found[0]["top4"] == 100


def test_figures_are_those_of_each_size_alone(model, segments):
    together = figures(model, segments, config())
    right = 0.0
    for name in segments.paths:
        alone = segments.only(np.array([video == name for video in segments.videos]))
        right += figures(model, alone, config())["extract_top1"] * len(alone)
    assert together["extract_top1"] == pytest.approx(right / len(segments))


def test_a_batch_of_which_nothing_can_be_read_counts_for_nothing(model, segments, tmp_path):
    """One process of several may have no other."""
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    bad = segments.videos[0]
    broken = replace(segments, paths={**segments.paths, bad: tmp_path / "bad.mp4"})
    chosen, left_out = config(finetune_batch_size=1), LeftOut("test", allowed=1)
    rest = segments.only(np.array([video != bad for video in segments.videos]))
    assert 0 < len(rest) < len(segments)
    assert validate(model, broken, chosen, left_out, CPU) == figures(model, rest, chosen)
    assert list(left_out.reasons) == [bad]
    with pytest.raises(
        UserError,
        match=r"no validation clip could be read; check the videos \(tada-loc doctor\)",
    ):
        figures(model, broken.only(np.array([video == bad for video in broken.videos])), chosen)


@pytest.mark.parametrize("crop", ["whole", "center"])
@pytest.mark.parametrize("stride", [4, 6, 5])
def test_extract_top1_is_the_accuracy_of_features_asked_for(model, segments, crop, stride):
    chosen = config(extract_crop=crop, extract_stride=stride)
    assert not agree(chosen.finetune, chosen.extract)
    expected = top1(model, _features(model, segments, chosen), segments)
    assert figures(model, segments, chosen)["extract_top1"] == pytest.approx(expected)


@pytest.mark.parametrize("crop", ["whole", "center"])
def test_extract_top1_is_the_accuracy_of_extracted_features(model, segments, crop):
    """A stride of 4 frames puts a cell's middle at each segment's."""
    chosen = config(extract_crop=crop)
    grid, view, backbone = (
        clip_grid(chosen.extract),
        extraction_view(chosen.extract),
        chosen.backbone,
    )
    stored = {
        video: extract_features(
            model, path, grid, short_side=view.short_side, crop=view.crop, mean=backbone.mean,
            std=backbone.std,
        )[0]
        for video, path in segments.paths.items()
    }  # fmt: skip
    rows = []
    for video, start, end in zip(segments.videos, segments.starts, segments.ends, strict=True):
        (cell,) = grid.clips_at(np.array([(start + end) / 2]), len(stored[video]))
        rows.append(stored[video][cell])
    expected = top1(model, torch.from_numpy(np.stack(rows)), segments)
    assert figures(model, segments, chosen)["extract_top1"] == pytest.approx(expected)


@pytest.mark.parametrize("more", [WHOLE, {"finetune_crop": 32, "extract_crop": "center"}])
def test_where_both_agree_one_look_gives_both(model, segments, more, monkeypatch):
    chosen = config(**more)
    assert agree(chosen.finetune, chosen.extract)
    looks = []
    scores = validation._stack_scores
    monkeypatch.setattr(validation, "_stack_scores", lambda *a: looks.append(1) or scores(*a))
    found = figures(model, segments, chosen)
    assert found["extract_top1"] == found["top1"] and found["extract_top4"] == found["top4"]
    once = len(looks)
    assert once == -(-len(segments) // 4)
    expected = top1(model, _features(model, segments, chosen), segments)
    assert found["extract_top1"] == pytest.approx(expected)
    # Looked at twice all the same, it is the same.
    for place in ("pipeline.data.clips.geometry.agree", "pipeline.results.accuracy.agree"):
        monkeypatch.setattr(place, lambda *settings: False)
    assert figures(model, segments, chosen) == found and len(looks) == 3 * once


@pytest.mark.parametrize("count", [30, 2])  # of segments: two are one batch, which one process has
def test_two_processes_give_what_one_gives(model, segments, count, monkeypatch):
    part = segments.only(np.arange(len(segments)) < count)
    alone = figures(model, part, config())
    parts = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(
        "pipeline.results.accuracy.distributed.gather_values",
        lambda own: parts.append(own) or parts,
    )
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        both = figures(model, part, config())
    assert both == alone


class Borders(nn.Module):
    """Class 1 where the left edge is bright, for sure or by a hair (two heads: of the noun too)."""

    def __init__(self, heads):
        super().__init__()
        self.heads = heads

    def forward(self, video):
        bright = video[..., :2].mean((1, 2, 3, 4))
        logits = torch.stack([torch.zeros_like(bright), bright], dim=1)
        return logits if self.heads == 1 else (logits, torch.zeros_like(logits))


@pytest.mark.parametrize("heads", [1, 2])
def test_a_network_that_looks_at_borders_is_found_out(tmp_path, heads):
    """Right on whole frames, it sees no border in a central square; extraction shows the other."""
    frames = np.zeros((20, 32, 96, 3), np.uint8)
    frames[:, :, :8] = 255
    path = encode(tmp_path / "bright.mp4", frames)
    ones = np.ones(3)
    targets = np.array([[1] * heads, [1] * heads, [0] * heads])
    if heads == 2:
        targets[:, 1] = [0, 1, 0]
    segments = Segments(["bright"] * 3, 0.2 * ones, 1.4 * ones, targets, {"bright": path})
    square = config(finetune_crop=32)
    found = figures(Borders(heads), segments, square)
    whole = (
        {"top1": 200 / 3} if heads == 1 else {"verb": 200 / 3, "noun": 200 / 3, "action": 100 / 3}
    )
    cut = {"top1": 100 / 3} if heads == 1 else {"verb": 100 / 3, "noun": 200 / 3, "action": 100 / 3}
    expected = cut | {f"extract_{name}": value for name, value in whole.items()}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    swapped = figures(
        Borders(heads), segments, config(finetune_crop="whole", extract_crop="center")
    )
    assert swapped["top1" if heads == 1 else "verb"] == pytest.approx(200 / 3)
    assert judged(found) == main_accuracy(found, "extract_")
    if heads == 1:
        assert "is 33.3 on finetune.crop and 66.7 on what extraction" in geometry_warning(found)
        assert "is 66.7 on finetune.crop and 33.3 on what extraction" in geometry_warning(swapped)
    assert geometry_warning(figures(Borders(heads), segments, config(**WHOLE))) is None


def test_the_warning_is_for_more_than_three_points():
    for seen, warns in ((50.0, False), (47.0, False), (46.9, True), (53.1, True)):
        warning = geometry_warning({"top1": 50.0, "extract_top1": seen})
        assert (warning is not None) == warns
        if warns:
            assert "set finetune.crop=whole, or extract.crop=center" in warning
    assert geometry_warning({}) is None and geometry_warning({"action": 1.0}) is None
    assert judged({"top1": 3.0}) == 3.0 and judged({"action": 3.0, "extract_action": 2.0}) == 2.0
    assert judged({"total": 1.0}) is None


def test_finetune_says_the_warning_of_the_epoch_it_keeps(data, tmp_path, monkeypatch):
    told = [{"top1": 60.0, "extract_top1": 50.0}, {"top1": 40.0, "extract_top1": 40.0}]
    figures = iter(told * 2)
    monkeypatch.setattr("pipeline.stages.finetune.validate", lambda *a: next(figures))
    best = tada("finetune", *options(data, tmp_path / "best", "finetune.keep=best"))
    assert "warning: accuracy is 60.0 on finetune.crop and 50.0 on what" in best.output, best.output
    last = tada("finetune", *options(data, tmp_path / "last"))
    assert last.exit_code == 0 and "warning: accuracy" not in last.output
