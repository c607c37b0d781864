"""Features to detections: equal to the reference, fused as `classify` fuses, the same on any number of threads."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.actionformer import public_config, public_model

from actionformer import Level
from evaluation.tables import check_detections, check_proposals
from feature_extraction.sampling import ClipGrid
from pipeline.configuration.reading import find_config, load_config
from pipeline.configuration.sections.actionformer import (
    ActionFormerSettings,
    DetectionsSettings,
)
from pipeline.configuration.settings import DetectorSettings
from pipeline.data.features.timed import Features
from pipeline.errors import UserError
from pipeline.results.detecting import candidates_of, detect_video, found_in, video_levels
from pipeline.training.networks.actionformer import Networks, build_network

CPU = torch.device("cpu")
HEADS = (("run", "jump", "swim"),)
PAIRS = (("take", "put"), ("tap", "spoon", "plate"))
SMALL = {"width": 16, "heads": 2, "levels": 3, "max_length": 32, "window": 5}


def config_of(detections=None, **keys):
    config = load_config(find_config("hacs")).detection()
    return config.model_copy(
        update={
            "detector": DetectorSettings(name="actionformer"),
            "actionformer": ActionFormerSettings(**{**SMALL, **keys}),
            "detections": DetectionsSettings(**(detections or {})),
        }
    )


def network(config, sizes, lift=3.0, seed=0):
    """A random network whose classes are likely enough to be found."""
    torch.manual_seed(seed)
    model = build_network(config.actionformer, 6, sizes).eval()
    with torch.no_grad():
        for one in model.networks:
            one.cls_head.cls_head.conv.bias += lift
            one.reg_head.offset_head.conv.bias += 2
    return model


def features(clips=30, seconds=None, seed=0):
    grid = ClipGrid(10.0, 8, 1, 10)
    array = np.random.default_rng(seed).normal(size=(clips, 6)).astype(np.float32)
    return Features(array, grid, seconds or float(clips))


@pytest.mark.parametrize("name", ["local", "full"])
@pytest.mark.parametrize("video", range(3))
def test_the_public_networks_find_what_was_published(reference, name, video):
    vectors = reference("actionformer.npz")
    public = public_config(vectors, name)
    test, model = public["test_cfg"], Networks([public_model(vectors, name)], 1.0).eval()
    time = public["time"]
    snippets = time["feat_num_frames"] / time["feat_stride"]
    config = config_of(
        {
            "score_threshold": test["pre_nms_thresh"], "top": test["pre_nms_topk"],
            "min_duration": test["duration_thresh"], "sigma": test["nms_sigma"],
            "min_score": test["min_score"], "count": test["max_seg_num"],
            "per_class": bool(test["multiclass_nms"]),
            "voting": None if test["multiclass_nms"] else test["voting_thresh"],
        },
        levels=len(model.first.strides), max_length=model.first.max_length,
    )  # fmt: skip
    rows = vectors[f"{name}/input{video}"].T
    grid = ClipGrid(time["fps"] / time["feat_stride"], 1, 1, 1, shift=(snippets - 1) / 2)
    shown = Features(np.ascontiguousarray(rows), grid, time["duration"][video])
    heads = [[str(k) for k in range(public["num_classes"])]]
    found = found_in(model, shown, "v", config, heads, CPU)
    seconds = vectors[f"{name}/{video}/seconds"]
    long = seconds[:, 1] > seconds[:, 0]
    assert found.beyond == (~long).sum()
    expected = pd.DataFrame({
        "start": seconds[long, 0], "end": seconds[long, 1],
        "label": vectors[f"{name}/{video}/nms_labels"][long].astype(str),
        "score": vectors[f"{name}/{video}/nms_scores"][long],
    })  # fmt: skip
    order = np.argsort(-expected["score"], kind="stable")
    expected = expected.iloc[order].reset_index(drop=True)
    assert found.table["label"].tolist() == expected["label"].tolist()
    np.testing.assert_allclose(found.table["score"], expected["score"], rtol=5e-5)
    for side in ("start", "end"):  # milliseconds are kept
        np.testing.assert_allclose(found.table[side], expected[side], atol=1.1e-3)


@pytest.mark.parametrize("keys", [
    {}, {"mode": "rescale"}, {"position_code": True}, {"feature_step": 2, "positions": "average"},
    {"window": 0}, {"precision": "bfloat16"}, {"max_length": 8},
])  # fmt: skip
def test_a_video_gives_a_table_best_first_inside_the_video(keys):
    config = config_of(**keys)
    table = detect_video(network(config, (3,)), features(), "v", config, HEADS, CPU)
    assert list(table.columns) == ["video", "start", "end", "label", "score"]
    check_detections(table)
    assert 0 < len(table) <= 200 and set(table["label"]) <= set(HEADS[0])
    assert (table["start"] >= 0).all() and (table["end"] <= 30).all()
    assert (table["end"] > table["start"]).all() and table["score"].is_monotonic_decreasing


def test_without_classes_segments_are_found():
    config = config_of(classes="none")
    table = detect_video(network(config, ()), features(), "v", config, HEADS, CPU)
    assert list(table.columns) == ["video", "start", "end", "score"] and len(table)
    check_proposals(table)


@pytest.mark.parametrize("trunk", ["shared", "separate"])
def test_verbs_and_nouns_are_pairs(trunk):
    config = config_of(trunk=trunk)
    table = detect_video(network(config, (2, 3)), features(), "v", config, PAIRS, CPU)
    assert list(table.columns) == ["video", "start", "end", "label", "score", "verb", "noun"]
    check_detections(table)
    assert (table["label"] == table["verb"].astype(str) + "," + table["noun"].astype(str)).all()
    assert set(table["verb"]) <= {0, 1} and set(table["noun"]) <= {0, 1, 2} and len(table) > 20


def plain_pairs(levels, strides, sizes, settings):
    """Every pair of every point, by hand: (score, verb, noun, start, end), level by level, best first."""
    result = []
    for parts, stride in zip(zip(*levels, strict=True), strides, strict=True):
        logits = torch.cat([part.logits[0] for part in parts], -1).sigmoid().numpy()
        offsets = np.mean([part.offsets[0].numpy() for part in parts], axis=0)
        rows = []
        for point in np.flatnonzero(parts[0].mask[0].numpy()):
            verbs, nouns = np.split(logits[point], [sizes[0]])
            top = [np.argsort(-verbs, kind="stable")[: settings.top_verbs],
                   np.argsort(-nouns, kind="stable")[: settings.top_nouns]]  # fmt: skip
            pairs = sorted((-verbs[v] * nouns[n], v, n) for v in top[0] for n in top[1])
            for score, v, n in pairs[: settings.pairs]:
                ends = point * stride + offsets[point] * stride * np.array([-1, 1], np.float32)
                rows.append((-score, v, n, *ends))
        rows = [row for row in rows if row[0] > settings.score_threshold]
        rows = sorted(rows, key=lambda row: -row[0])[: settings.top]
        result += [row for row in rows if row[4] - row[3] > settings.min_duration]
    return np.array(result)


@pytest.mark.parametrize("trunk", ["shared", "separate"])
@pytest.mark.parametrize("keys", [{}, {"top_verbs": 1, "top_nouns": 2, "pairs": 2}, {"top": 7}])
def test_pairs_are_the_best_products_of_each_point(trunk, keys):
    config = config_of({"score_threshold": 0.02} | keys, trunk=trunk)
    model = network(config, (2, 3))
    levels = video_levels(model, features().array, config, CPU)
    found = candidates_of(levels, model.first.strides, (2, 3), config.detections)
    expected = plain_pairs(levels, model.first.strides, (2, 3), config.detections)
    assert len(expected) > 10
    np.testing.assert_allclose(found.scores, expected[:, 0], rtol=1e-6)
    np.testing.assert_array_equal(found.labels, expected[:, 1] * 3 + expected[:, 2])
    np.testing.assert_allclose(found.segments, expected[:, 3:], rtol=1e-5, atol=1e-5)


def test_how_many_threads_there_are_changes_no_digit():
    config = config_of(width=64)
    model = network(config, (3,))
    before = torch.get_num_threads()
    tables = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            tables.append(detect_video(model, features(90), "v", config, HEADS, CPU))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_what_lies_behind_the_end_is_left_out_and_counted():
    config = config_of()
    model = network(config, (3,))
    whole = found_in(model, features(), "v", config, HEADS, CPU)
    cut = found_in(model, features(seconds=20.0), "v", config, HEADS, CPU)
    assert whole.beyond == 0 and cut.beyond > 0
    assert len(cut.table) + cut.beyond == len(whole.table)
    assert cut.table["end"].max() <= 20


@pytest.mark.parametrize("sizes", [(3,), (2, 3), ()])
def test_nothing_found_is_a_table_without_rows(sizes):
    config = config_of(classes="own" if sizes else "none")
    heads = PAIRS if len(sizes) == 2 else HEADS
    table = detect_video(network(config, sizes, lift=-30), features(), "v", config, heads, CPU)
    assert table.empty and {"video", "start", "end", "score"} <= set(table.columns)
    (check_detections if sizes else check_proposals)(table)


@pytest.mark.parametrize("sizes", [(3,), (2, 3)])
def test_a_network_without_numbers_is_refused_with_the_video(sizes):
    config = config_of()
    model = network(config, sizes)
    with torch.no_grad():
        model.first.cls_head.cls_head.conv.bias.fill_(float("nan"))
    heads = PAIRS if len(sizes) == 2 else HEADS
    with pytest.raises(UserError, match=r"actionformer: video v: outputs .* train again"):
        detect_video(model, features(), "v", config, heads, CPU)


def test_one_clip_is_a_video():
    config = config_of()
    table = detect_video(network(config, (3,)), features(1), "v", config, HEADS, CPU)
    check_detections(table)


def test_levels_are_plain_numbers_whatever_the_precision():
    config = config_of(precision="bfloat16")
    (levels,) = video_levels(network(config, (3,)), features().array, config, CPU)
    assert all(isinstance(level, Level) and level.logits.dtype == torch.float32 for level in levels)
