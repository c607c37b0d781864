"""Suppression and voting against the public implementation's, and against a scalar form."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from actionformer import ActionFormerError, suppress, suppression
from actionformer.suppression import vote

CONFIGURATIONS = [
    "soft_multiclass",
    "soft_agnostic_voting",
    "soft_agnostic_voting_high",
    "soft_agnostic_no_voting",
    "hard_multiclass",
    "hard_agnostic_voting",
]


def close(ours, theirs):
    return ours.shape == theirs.shape and np.abs(np.asarray(ours) - theirs).max() <= 1e-6 * max(
        np.abs(theirs).max(), 1e-30
    )


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_public_rows_in_the_public_order(reference, name):
    vectors = reference("actionformer_ops.npz")
    config = json.loads(str(vectors[f"nms/{name}/config"]))
    made = suppress(
        *(vectors[f"nms/{part}"] for part in ("segments", "scores", "labels")),
        method="soft" if config["use_soft_nms"] else "hard",
        iou_threshold=config["iou_threshold"],
        sigma=config["sigma"],
        min_score=config["min_score"],
        count=config["max_seg_num"],
        per_class=config["multiclass"],
        voting=config["voting_thresh"],
    )
    assert close(made.segments, vectors[f"nms/{name}/segments"])
    assert close(made.scores, vectors[f"nms/{name}/scores"])
    assert np.array_equal(made.labels, vectors[f"nms/{name}/labels"])


def test_what_is_best_at_first_is_never_tested(reference):
    vectors = {
        key.rpartition("/")[2]: value
        for key, value in reference("actionformer_ops.npz").items()
        if key.startswith("nms/first_below_min")
    }
    labels = np.zeros(2, int)
    made = suppress(vectors["segments"], vectors["scores"], labels, min_score=0.05)
    assert np.array_equal(made.segments, vectors["kept_segments"])
    assert np.array_equal(made.scores, vectors["kept_scores"])
    each = suppress(vectors["segments"], vectors["scores"], np.array([3, -1]), min_score=0.05)
    assert each.labels.tolist() == [3, -1]
    hard = suppress(vectors["segments"], vectors["scores"], labels, method="hard", min_score=0.05)
    assert len(hard.scores) == 0


def test_voting_is_the_public_one(reference):
    vectors = reference("actionformer_ops.npz")
    given = [vectors[key] for key in ("voting/kept", "nms/segments", "nms/scores")]
    made = vote(*(torch.from_numpy(one) for one in given), float(vectors["voting/threshold"]))
    assert close(made, vectors["voting/output"])


def test_voting_leaves_what_has_no_length_or_no_voter():
    chosen = torch.tensor([[3.0, 3.0], [10.0, 20.0], [0.0, 4.0]])
    every = torch.tensor([[3.0, 3.0], [10.0, 20.0], [0.0, 4.0], [0.5, 4.0]])
    made = vote(chosen, every, torch.tensor([0.9, 0.0, 0.5, 0.5]), 0.7)
    assert torch.equal(made[:2], chosen[:2])
    assert 0 < made[2, 0] < 0.5 and made[2, 1].item() == pytest.approx(4)
    many = vote(chosen.repeat(200, 1), every, torch.tensor([0.9, 0.0, 0.5, 0.5]), 0.7)
    assert torch.allclose(many, made.repeat(200, 1))


def scalar(segments, scores, labels, count, min_score, *, sigma=None, threshold=None):
    """A class at a time, a pair at a time, in doubles; merged by score and cut at the end."""
    kept = []
    for label in sorted(set(labels.tolist())):
        rows = [int(row) for row in np.flatnonzero(labels == label)]
        current = {row: float(scores[row]) for row in rows}
        if threshold is not None:
            current = {row: score for row, score in current.items() if score > min_score}
        picks = 0
        while current and picks < count:
            best = max(current, key=lambda row: (current[row], -row))
            kept.append((current.pop(best), best))
            picks += 1
            for row in list(current):
                (a, b), (c, d) = segments[best].tolist(), segments[row].tolist()
                shared = max(0.0, min(b, d) - max(a, c))
                iou = shared / ((b - a + 1e-6) + (d - c + 1e-6) - shared)
                if sigma is None:
                    if iou >= threshold:
                        del current[row]
                    continue
                current[row] *= math.exp(-iou * iou / sigma)
                if current[row] < min_score:
                    del current[row]
    kept.sort(key=lambda one: -one[0])
    return [row for _, row in kept[:count]], [score for score, _ in kept[:count]]


@pytest.mark.parametrize("count", [1, 25, 1000])
@pytest.mark.parametrize("per_class", [True, False])
@pytest.mark.parametrize("settings", [{"sigma": 0.4}, {"threshold": 0.35}])
def test_equal_to_one_class_and_one_pair_at_a_time(settings, per_class, count):
    rng = np.random.default_rng(count)
    middle, half = 200 * rng.random(400), rng.lognormal(1, 1, 400)
    segments = np.stack([middle - half, middle + half], axis=1).astype(np.float32)
    scores = rng.random(400).astype(np.float32) ** 3
    labels = rng.choice(9, 400, p=[0.6] + [0.05] * 8)
    groups = labels if per_class else np.zeros_like(labels)
    rows, values = scalar(segments, scores, groups, count, 0.01, **settings)
    made = suppress(
        segments,
        scores,
        labels,
        method="soft" if "sigma" in settings else "hard",
        sigma=settings.get("sigma", 0.5),
        iou_threshold=settings.get("threshold", 0.1),
        min_score=0.01,
        count=count,
        per_class=per_class,
    )
    assert np.array_equal(made.segments, segments[rows])
    assert np.array_equal(made.labels, labels[rows])
    assert np.allclose(made.scores, values, rtol=1e-5)


def test_voting_plays_no_part_where_classes_are_apart():
    rng = np.random.default_rng(1)
    segments = np.sort(rng.random((50, 2)), axis=1)
    given = (segments, rng.random(50), rng.integers(0, 3, 50))
    assert torch.equal(suppress(*given, voting=0.5).segments, suppress(*given).segments)
    votes = suppress(*given, voting=0.5, per_class=False).segments
    assert not torch.equal(votes, suppress(*given, per_class=False).segments)


@pytest.mark.parametrize("method", ["soft", "hard"])
def test_none_one_and_equal_candidates(method):
    empty = suppress(np.zeros((0, 2)), np.zeros(0), np.zeros(0, int), method=method, voting=0.5)
    assert empty.segments.shape == (0, 2) and empty.labels.dtype == torch.int64
    assert suppress(
        torch.zeros(0, 2), torch.zeros(0), [], per_class=False, voting=0.5
    ).scores.shape == (0,)
    one = suppress([[1.0, 2.0]], [0.5], [4], method=method, voting=0.7, per_class=False)
    assert one.segments.tolist() == [[1, 2]] and one.scores.tolist() == [0.5]
    assert one.labels.tolist() == [4]
    same = suppress([[1.0, 2.0]] * 3, [0.5] * 3, [2, 0, 1], method=method)
    assert same.scores.tolist() == [0.5] * 3 and same.labels.tolist() == [0, 1, 2]
    assert len(suppress([[1.0, 2.0]] * 3, [0.5] * 3, [2, 0, 1], count=0).scores) == 0


def test_total_decay_brings_nothing_back():
    given = ([[0.0, 1.0]] * 4, [1.0] * 4, [0] * 4)
    assert suppress(*given, sigma=1e-4, min_score=0.0).scores.tolist() == [1, 0, 0, 0]
    assert suppress(*given, sigma=1e-4).scores.tolist() == [1]


def test_the_given_arrays_are_not_changed():
    segments, scores = np.array([[0, 2], [1, 2]], "f4"), np.array([0.9, 0.8], "f4")
    for method in ("soft", "hard"):
        for per_class in (True, False):
            given = (segments, scores, np.zeros(2, int))
            suppress(*given, method=method, per_class=per_class, iou_threshold=0.1, min_score=0.85)
    assert scores.tolist() == np.array([0.9, 0.8], "f4").tolist()


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"segments": [[0.0, 1.0, 2.0]]}, r"shape \(1, 3\)"),
        ({"segments": [[1.0, 0.0]]}, "segment 0 .* ends before it starts"),
        ({"segments": [[0.0, np.nan]]}, "not finite"),
        ({"scores": [np.nan]}, "finite scores"),
        ({"scores": [0.5, 0.5]}, "1 segments need"),
        ({"labels": [[0]]}, "1 segments need"),
        ({"method": "linear"}, "linear"),
        ({"sigma": 0.0}, "sigma 0.0"),
    ],
)
def test_what_makes_no_sense_is_refused(changed, word):
    given = {"segments": [[0.0, 1.0]], "scores": [0.5], "labels": [0]} | changed
    with pytest.raises(ActionFormerError, match=word):
        suppress(**given)


def test_arrays_may_be_read_only_and_run_backwards(recwarn):
    segments = np.array([[5.0, 6.0], [0.0, 2.0], [0.0, 1.5]])
    scores, labels = np.array([0.3, 0.9, 0.6]), np.array([1, 0, 0], np.int32)
    for array in (segments, scores, labels):
        array.setflags(write=False)
    made = suppress(segments[::-1], scores[::-1], labels[::-1])
    wanted = suppress(segments[::-1].tolist(), scores[::-1].tolist(), labels[::-1].tolist())
    assert all(torch.equal(one, two) for one, two in zip(made, wanted, strict=True))
    assert not recwarn.list


@pytest.mark.parametrize("method", ["soft", "hard"])
@pytest.mark.parametrize("per_class", [True, False])
def test_how_many_picks_are_worked_out_at_once_changes_nothing(monkeypatch, method, per_class):
    rng = np.random.default_rng(3)
    segments = np.sort(np.round(40 * rng.random((200, 2))), axis=1).astype(np.float32)
    for scores in (rng.random(200) ** 3, np.round(rng.random(200), 1), rng.random(200) - 0.4):
        given = (segments, scores, rng.integers(0, 9, 200))
        options = {"method": method, "per_class": per_class, "iou_threshold": 0.3}
        whole = suppress(*given, **options)
        for together, many in ((3, 1024), (3, 5), (1000, 5)):
            with monkeypatch.context() as patch:
                patch.setattr(suppression, "TOGETHER", together)
                patch.setattr(suppression, "MANY", many)
                made = suppress(*given, **options)
            assert all(torch.equal(one, two) for one, two in zip(made, whole, strict=True))
