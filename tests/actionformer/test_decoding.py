"""Candidates against the public implementation's, from its own outputs; and external class scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.actionformer import public_config, public_model

from actionformer import (
    ActionFormerError,
    Candidates,
    decode,
    fuse_class_scores,
    pad_batch,
    suppress,
)
from actionformer.grids import to_seconds
from actionformer.network import Level


def public_levels(vectors, video):
    return [
        Level(*(torch.from_numpy(vectors[f"{video}/{part}/{row}"])[None] for part in Level._fields))
        for row in range(4)
    ]


def decoded(levels, test, **options):
    return decode(
        levels,
        strides=[1, 2, 4, 8],
        score_threshold=test["pre_nms_thresh"],
        top_k=test["pre_nms_topk"],
        min_duration=test["duration_thresh"],
        **options,
    )


def assert_rows(made, vectors, name, limit):
    for part in Candidates._fields:
        expected = vectors[f"{name}_{part}"]
        assert getattr(made, part).shape == expected.shape
        assert np.abs(getattr(made, part).numpy() - expected).max() <= limit * expected.max()


def kept_and_seconds(made, config, row):
    test, time = config["test_cfg"], config["time"]
    kept = suppress(
        *made,
        sigma=test["nms_sigma"],
        min_score=test["min_score"],
        count=test["max_seg_num"],
        per_class=test["multiclass_nms"],
        voting=test["voting_thresh"],
    )
    seconds = to_seconds(
        kept.segments,
        fps=time["fps"],
        stride=time["feat_stride"],
        frames=time["feat_num_frames"],
        duration=time["duration"][row],
    )
    return kept, seconds.numpy()


@pytest.mark.parametrize("row", range(3))
@pytest.mark.parametrize("name", ["local", "full"])
def test_candidates_kept_ones_and_seconds_are_the_public_ones(reference, name, row):
    vectors = reference("actionformer.npz")
    config, video = public_config(vectors, name), f"{name}/{row}"
    made = decoded(public_levels(vectors, video), config["test_cfg"])
    assert_rows(made, vectors, f"{video}/decoded", 1e-6)
    kept, seconds = kept_and_seconds(made, config, row)
    assert_rows(kept, vectors, f"{video}/nms", 1e-6)
    assert np.allclose(seconds, vectors[f"{video}/seconds"], rtol=0, atol=1e-6 * seconds.max())


@pytest.mark.parametrize("name", ["local", "full"])
def test_from_features_to_seconds_as_published(reference, name):
    vectors = reference("actionformer.npz")
    config, model = public_config(vectors, name), public_model(vectors, name)
    inputs = [torch.from_numpy(vectors[f"{name}/input{row}"]) for row in range(3)]
    with torch.inference_mode():
        outputs = [model(*pad_batch(model, part)) for part in (inputs[:2], inputs[2:])]
    for row, (levels, item) in enumerate([(outputs[0], 0), (outputs[0], 1), (outputs[1], 0)]):
        made = decoded(levels, config["test_cfg"], item=item)
        assert_rows(made, vectors, f"{name}/{row}/decoded", 5e-5)
        kept, seconds = kept_and_seconds(made, config, row)
        assert_rows(kept, vectors, f"{name}/{row}/nms", 5e-5)
        expected = vectors[f"{name}/{row}/seconds"]
        assert np.allclose(seconds, expected, rtol=0, atol=5e-5 * expected.max())


def one_level(logits, offsets, mask=None):
    mask = torch.ones(1, len(logits), dtype=torch.bool) if mask is None else mask
    return [Level(torch.tensor(logits)[None], torch.tensor(offsets)[None], mask)]


def test_an_item_of_a_batch_is_what_it_is_alone(reference):
    vectors = reference("actionformer.npz")
    config = public_config(vectors, "local")
    videos = [public_levels(vectors, f"local/{row}") for row in range(2)]
    batch = [Level(*map(torch.cat, zip(*pair, strict=True))) for pair in zip(*videos, strict=True)]
    for row in range(2):
        assert_rows(
            decoded(batch, config["test_cfg"], item=row), vectors, f"local/{row}/decoded", 1e-6
        )


def test_thresholds_are_strict_and_the_count_is_a_level_s():
    half = one_level([[0.0, 1.0], [2.0, 3.0]], [[1.0, 0.0], [0.25, 0.25]])
    assert decode(half, strides=[2], score_threshold=0.5).labels.tolist() == [1, 0, 1]
    assert decode(half, strides=[2], min_duration=1.0).segments.tolist() == [[-2, 0], [-2, 0]]
    assert decode(half * 2, strides=[2, 4], top_k=1).segments.tolist() == [[1.5, 2.5], [3, 5]]
    assert len(decode(half, strides=[2], top_k=2, min_duration=1.0).scores) == 0  # as published


def test_equal_scores_stand_in_the_order_of_points_and_classes():
    levels = one_level([[0.0, 0.0]] * 30, [[1.0, 1.0]] * 30)
    made = decode(levels, strides=[1], top_k=40)
    assert made.labels.tolist() == [0, 1] * 20
    assert made.segments[:, 0].tolist() == [row // 2 - 1 for row in range(40)]


def test_an_empty_video_has_no_candidates():
    levels = one_level([[9.0]] * 4, [[1.0, 1.0]] * 4, torch.zeros(1, 4, dtype=torch.bool))
    made = decode(levels, strides=[1])
    assert made.segments.shape == (0, 2) and made.labels.dtype == torch.int64
    assert len(suppress(*made).scores) == 0


@pytest.mark.parametrize("part", ["logits", "offsets"])
def test_outputs_that_are_no_numbers_are_refused(part):
    level = one_level([[0.0], [0.0]], [[1.0, 1.0], [1.0, 1.0]])[0]
    getattr(level, part)[0, 1] = float("nan")
    with pytest.raises(ActionFormerError, match="stride 4"):
        decode([level], strides=[4])


def test_half_precision_outputs_give_float32():
    level = one_level([[0.3], [0.2]], [[1.0, 1.0], [1.0, 1.0]])[0]
    made = decode(
        [Level(level.logits.bfloat16(), level.offsets.bfloat16(), level.mask)], strides=[1]
    )
    assert made.scores.dtype == made.segments.dtype == torch.float32


def test_external_class_scores_are_fused_as_published(reference):
    vectors = reference("actionformer_ops.npz")
    segments, scores, classes = (
        torch.from_numpy(vectors[f"score_fusion/{part}"])
        for part in ("segments", "scores", "class_scores")
    )
    own = Candidates(segments, scores, torch.zeros(len(scores), dtype=torch.long))
    made = fuse_class_scores(own, classes, top=2, count=10)
    assert_rows(made, vectors, "score_fusion/out", 1e-6)
    assert len(fuse_class_scores(own, classes, top=99).scores) == 12 * 7


def test_strides_follow_from_the_levels(reference):
    vectors = reference("actionformer.npz")
    levels = public_levels(vectors, "local/0")
    usual, said = decode(levels), decode(levels, strides=[1, 2, 4, 8])
    assert all(torch.equal(one, two) for one, two in zip(usual, said, strict=True))
    for some, strides in ((levels, [1, 2]), ([], None)):
        with pytest.raises(ActionFormerError, match="levels and . strides do not fit"):
            decode(some, strides=strides)
