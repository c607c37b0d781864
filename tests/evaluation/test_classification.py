"""Top-k accuracy and the product rule."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation import (
    TableError,
    action_accuracy,
    action_probabilities,
    classification,
    per_class_accuracy,
    topk_accuracy,
)
from evaluation.classification import accuracies, ranks_of


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True)).astype(np.float32)


def test_by_hand():
    scores = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])
    target = np.array([1, 1, 0])
    assert topk_accuracy(scores, target, 1) == pytest.approx(1 / 3)
    assert topk_accuracy(scores, target, 2) == pytest.approx(2 / 3)
    assert topk_accuracy(scores, target, 3) == 1.0
    np.testing.assert_array_equal(per_class_accuracy(scores, target, 1), [0.0, 0.5, np.nan])


def test_equal_scores_rank_by_class():
    scores = np.zeros((3, 3))
    assert topk_accuracy(scores, np.array([0, 1, 2]), 1) == pytest.approx(1 / 3)
    assert topk_accuracy(scores, np.array([0, 1, 2]), 2) == pytest.approx(2 / 3)


@pytest.mark.parametrize("k", [1, 2, 5, 9])
def test_equals_a_stable_sort(k):
    rng = np.random.default_rng(k)
    scores, target = rng.integers(0, 5, (200, 9)), rng.integers(0, 9, 200)
    top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert topk_accuracy(scores, target, k) == (top == target[:, None]).any(1).mean()


def test_the_product_comes_before_the_mean_over_views():
    rng = np.random.default_rng(0)
    verb, noun = softmax(rng.normal(size=(4, 3, 5))), softmax(rng.normal(size=(4, 3, 7)))
    joint = action_probabilities(verb, noun)
    views = np.stack([verb[:, i, :, None] * noun[:, i, None, :] for i in range(3)])
    np.testing.assert_allclose(joint, views.mean(0), rtol=1e-5)
    np.testing.assert_allclose(joint.sum((1, 2)), 1, rtol=1e-5)
    assert joint.dtype == np.float32
    one = action_probabilities(verb[:, 0], noun[:, 0])
    np.testing.assert_array_equal(one, views[0])


def test_action_accuracy_equals_the_joint_classes(monkeypatch):
    rng = np.random.default_rng(1)
    verb, noun = softmax(rng.normal(size=(50, 2, 4))), softmax(rng.normal(size=(50, 2, 6)))
    v, n = rng.integers(0, 4, 50), rng.integers(0, 6, 50)
    joint = action_probabilities(verb, noun).reshape(50, -1)
    wanted = topk_accuracy(joint, v * 6 + n, 3)
    assert action_accuracy(verb, noun, v, n, 3) == wanted
    monkeypatch.setattr(classification, "_SCORES_AT_ONCE", 60)
    assert action_accuracy(verb, noun, v, n, 3) == wanted


@pytest.mark.parametrize(
    ("scores", "target", "k", "message"),
    [
        (np.zeros(3), [0], 1, "shape"),
        (np.zeros((2, 3)), [0], 1, "target"),
        (np.zeros((2, 3)), [0, 3], 1, "row 1 is class 3"),
        (np.zeros((2, 3)), [0.0, 1.0], 1, "integers"),
        (np.array([[0.0, np.nan]]), [0], 1, "row 0 holds NaN"),
        (np.zeros((1, 3)), [0], 4, "k is 4"),
        (np.zeros((0, 3)), np.zeros(0, int), 1, "no row"),
    ],
)
def test_bad_scores_are_refused(scores, target, k, message):
    with pytest.raises(TableError, match=message):
        topk_accuracy(scores, np.asarray(target), k)


def test_heads_must_agree():
    with pytest.raises(TableError, match="same rows and views"):
        action_probabilities(np.ones((2, 3)), np.ones((3, 3)))


def test_ranks_are_those_of_the_accuracies():
    rng = np.random.default_rng(0)
    verb, noun = rng.dirichlet(np.ones(7), (40, 6)), rng.dirichlet(np.ones(11), (40, 6))
    target = np.stack([rng.integers(0, 7, 40), rng.integers(0, 11, 40)], 1)
    rows = [ranks_of([v, n], t) for v, n, t in zip(verb, noun, target, strict=True)]
    for k in (1, 5):
        share = {name: np.mean([row[name] < k for row in rows]) for name in rows[0]}
        assert share["verb"] == pytest.approx(topk_accuracy(verb.mean(1), target[:, 0], k))
        assert share["noun"] == pytest.approx(topk_accuracy(noun.mean(1), target[:, 1], k))
        assert share["action"] == pytest.approx(action_accuracy(verb, noun, *target.T, k))
    single = [ranks_of([v], t[:1])["class"] for v, t in zip(verb, target, strict=True)]
    assert np.mean(np.array(single) == 0) == topk_accuracy(verb.mean(1), target[:, 0], 1)


def test_accuracies_are_percent_of_one_head_or_of_verb_noun_and_action():
    rng = np.random.default_rng(2)
    scores, target = rng.random((30, 9)), rng.integers(0, 9, (30, 1))
    found = accuracies([scores], target)
    assert found == {
        "top1": 100 * topk_accuracy(scores, target[:, 0], 1),
        "top5": 100 * topk_accuracy(scores, target[:, 0], 5),
    }
    assert accuracies([scores[:, :3]], target % 3)["top3"] == 100.0  # fewer than five classes
    verb, noun = softmax(rng.normal(size=(30, 4))), softmax(rng.normal(size=(30, 6)))
    both = np.stack([rng.integers(0, 4, 30), rng.integers(0, 6, 30)], axis=1)
    assert accuracies([verb, noun], both) == {
        "verb": 100 * topk_accuracy(verb, both[:, 0], 1),
        "noun": 100 * topk_accuracy(noun, both[:, 1], 1),
        "action": 100 * action_accuracy(verb, noun, both[:, 0], both[:, 1]),
    }
