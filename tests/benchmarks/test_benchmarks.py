"""The baselines give what ours give, on small work; and the benchmark runs."""

from __future__ import annotations

import builtins
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks import __main__ as bench
from benchmarks import (
    actionformer,
    backbone_training,
    bmn_forward,
    bmn_training,
    decode,
    drawn,
    mean_precision,
    networks,
    peaks,
    proposals,
    table,
)
from benchmarks.baselines.bmn import baseline_bmn
from benchmarks.baselines.loops import baseline_soft_nms, baseline_targets
from benchmarks.baselines.tada2d import baseline_tada2d
from benchmarks.baselines.video import baseline_clips, open_baseline
from benchmarks.costs import bmn_cost, inference_cost
from benchmarks.measure import Cost, Row, absolute_difference
from benchmarks.videos import encode_video
from bmn import soft_nms
from bmn.boundary_matching import sampling_rows, valid_cells
from bmn.targets import window_targets


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return encode_video(tmp_path_factory.mktemp("bench") / "video.mp4", (96, 64), 60)


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    ours = networks.draw_tada2d(networks.SMALL)
    return ours, baseline_tada2d(ours), networks.draw_clips(2, 32)


def test_backbone_features_are_equal(models):
    ours, baseline, clips = models
    with torch.no_grad():
        expected = baseline.features(clips)
        assert torch.allclose(ours.features(clips), expected, rtol=1e-4, atol=1e-5)
    network = networks.inference_network(ours, "float32")
    assert torch.allclose(network.features(clips), expected, rtol=1e-4, atol=1e-5)
    rough = networks.inference_network(ours, "bfloat16").features(clips)
    assert (rough - expected).abs().max() < 0.05 * expected.abs().max()


def test_drawn_weights_calibrate_and_pool(models):
    ours, _, clips = models
    block = ours.stages[0][0]
    assert block.conv.route.b.weight.abs().max() > 0
    assert block.aggregate.pooled_norm.weight.abs().min() > 0
    with torch.no_grad():  # order matters: a reversed clip is another clip
        forward, backward = ours.features(clips), ours.features(clips.flip(2))
    assert (forward - backward).abs().max() > 0.01 * forward.abs().max()


def test_backbone_gradients_are_equal():
    ours = networks.training_network(networks.draw_tada2d(networks.SMALL)).double()
    ours.head.dropout.p = 0.0
    baseline = baseline_tada2d(ours).double()
    clips, target = networks.draw_clips(2, 32).double(), torch.tensor([1, 2])
    expected = backbone_training.backbone_step(baseline, clips, target)
    found = backbone_training.backbone_step(ours, clips, target)
    assert len(found) == sum(parameter.numel() for parameter in ours.parameters())
    assert backbone_training.gradient_difference(expected, found) < 1e-5  # the loss is in float32


def test_bmn_outputs_and_gradients_are_equal():
    ours = networks.draw_bmn(networks.SMALL)
    baseline = baseline_bmn(ours)
    features = torch.randn(2, networks.SMALL.channels, networks.SMALL.positions)
    outputs = zip(
        bmn_forward.probabilities(ours, features),
        bmn_forward.probabilities(baseline, features),
        strict=True,
    )
    for mine, theirs in outputs:
        assert torch.allclose(mine, theirs, atol=1e-6)
    features = torch.randn(4, networks.SMALL.channels, networks.SMALL.positions)
    targets = bmn_training.draw_targets(networks.SMALL.positions)
    steps = zip(
        bmn_training.bmn_step(ours, features, targets),
        bmn_training.bmn_step(baseline, features, targets),
        strict=True,
    )
    for mine, theirs in steps:
        assert (mine - theirs).abs().max() < 1e-4 * theirs.abs().max()


def test_dense_mask_holds_the_sparse_rows():
    baseline = baseline_bmn(networks.draw_bmn(networks.SMALL))
    size, samples = networks.SMALL.positions, networks.SMALL.samples
    rows = sampling_rows(size, size, samples, 3, 0.5)
    assert baseline.mask.shape == (size, samples * size * size)
    assert float(baseline.mask.sum()) == pytest.approx(float(rows.weights.sum()), rel=1e-5)
    assert len(valid_cells(size, size)) == size * (size + 1) // 2


def test_targets_are_equal():
    segments = drawn.draw_segments(7, 30.0)
    theirs = baseline_targets(segments, (2.0, 30.0), 20, 9)
    for mine, table_ in zip(window_targets(segments, (2.0, 30.0), 20, 9), theirs, strict=True):
        assert np.abs(mine.numpy() - table_).max() < 1e-6


def test_proposals_and_picks_are_equal():
    maps = drawn.draw_maps(150, 12)
    mine, theirs = proposals.our_proposals(maps, 30), proposals.baseline_proposals(maps, 30)
    assert len(mine[1]) == 30
    assert absolute_difference(theirs, mine) < 1e-6


def test_soft_nms_is_equal_to_the_last_proposal():
    rng = np.random.default_rng(0)
    start = rng.random(60)
    segments = np.stack([start, start + 0.2 * rng.random(60)], axis=1)
    settings = {"alpha": 0.3, "low": 0.1, "high": 0.5, "count": 99}
    mine = soft_nms(segments, rng.random(60), **settings)
    theirs = baseline_soft_nms(segments, np.random.default_rng(0).random(0), **settings)
    assert len(theirs[0]) == 0
    scores = np.linspace(0.9, 0.1, 60)
    mine, theirs = (
        soft_nms(segments, scores, **settings),
        baseline_soft_nms(segments, scores, **settings),
    )
    assert np.array_equal(mine[0], theirs[0]) and np.allclose(mine[1], theirs[1], rtol=1e-12)


def test_mean_precision_is_equal():
    truth, kind = drawn.read_or_draw_truth(quick=True)
    found = drawn.draw_submission(truth, 400)
    assert kind == "drawn ground truth" and len(found) == 400
    tables = {
        task: (drawn.with_label(truth, task), drawn.with_label(found, task))
        for task in mean_precision.TASKS
    }
    mine, theirs = mean_precision.our_points(tables), mean_precision.baseline_points(tables)
    assert absolute_difference(theirs, mine) < 1e-9
    assert all(0 < points.mean() < 100 for points in mine)


def test_submission_is_of_the_stated_size():
    truth, _ = drawn._draw_truth(drawn.VIDEOS, drawn.SEGMENTS), None
    assert truth["video"].nunique() == 138 and len(truth) == 9668
    assert (truth["end"] > truth["start"]).all()
    found = drawn.draw_submission(truth, 1000)
    assert len(found) == 1000 and (found["end"] > found["start"]).all()
    assert found["verb"].between(0, 96).all() and found["noun"].between(0, 299).all()


@pytest.mark.parametrize("installed", [True, False])
def test_clips_are_equal(video, installed, monkeypatch):
    if installed:
        pytest.importorskip("decord")
    else:
        _without_decord(monkeypatch)
    assert open_baseline(video)[1:] == (60, "decord get_batch" if installed else "PyAV seek")
    total = decode.GRID.num_clips(1.0)
    ours = list(decode.our_clips(video))
    baseline = list(baseline_clips(video, decode.GRID, range(total), decode.SHORT_SIDE))
    assert len(ours) == len(baseline) == total
    assert (
        absolute_difference([clip.int() for clip in baseline], [clip.int() for clip in ours]) <= 1
    )  # level: of two conversions to RGB


def _without_decord(monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest, **options):
        if name == "decord":
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)


def test_costs_are_those_of_the_layers():
    model = networks.draw_tada2d(networks.FULL)
    cost = inference_cost(model, (2, 3, 8, 224, 224))
    assert 60e9 < cost.operations < 70e9  # Table 4: 33 G multiplications and additions
    whole = bmn_cost(networks.draw_bmn(networks.FULL), 4, backward=False)
    step = bmn_cost(networks.draw_bmn(networks.FULL), 4, backward=True)
    assert 25e9 < whole.operations < 40e9 and step.operations == 3 * whole.operations


def test_lower_bound_is_the_larger_of_operations_and_bytes():
    rates = {"float32": 10.0, "bfloat16": 20.0, "bytes": 4.0}
    row = Row("s", "w", "baseline", "ours", our_seconds=10.0, cost=Cost(40.0, 8.0))
    assert peaks.lower_bound_seconds(row, rates) == 4.0
    row = Row("s", "w", "baseline", "ours", our_seconds=10.0, cost=Cost(40.0, 8.0, "bfloat16", 3.0))
    assert peaks.lower_bound_seconds(row, rates) == 3.0
    assert "30 %" in table.lower_bound_table([row], rates)


def test_quick_runs_every_stage(tmp_path):
    threads = torch.get_num_threads()
    try:
        output = tmp_path / "bench.json"
        result = CliRunner().invoke(bench.main, ["--quick", "--json", str(output)])
    finally:
        torch.set_num_threads(threads)
    assert result.exit_code == 0, result.output
    kept = json.loads(output.read_text())
    assert {row["stage"] for row in kept["rows"]} == {
        "backbone inference",
        "backbone training step",
        "decode for extraction",
        "extraction, video to HDF5",
        "BMN forward",
        "result file",
        "soft-NMS of few",
        "BMN training step",
        "BMN targets",
        "ActionFormer forward",
        "ActionFormer training step",
        "proposals + soft-NMS",
        "mAP",
        "tada-loc --help",
    }
    for row in kept["rows"]:
        assert (row["ratio"] is None) == row["note"].startswith("skipped: ")
        assert row["stage"] in result.output
    assert "1 thread" in result.output and kept["peaks"]["float32"] > 0


def test_both_forms_of_actionformer_give_the_same():
    for row in (*actionformer.run(True), *actionformer.run_training(True)):
        assert row.difference < 2e-5, row.work
    ours, baseline, batch, mask = actionformer.draw(actionformer.SMALL)
    for one, other in zip(ours(batch, mask), baseline(batch, mask), strict=True):
        assert torch.equal(one.mask, other.mask)
