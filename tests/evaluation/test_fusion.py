"""Proposal score x class score: by hand, against loops, and against the reference pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation import TableError, fusion


def proposed(*rows):
    return pd.DataFrame(rows, columns=["video", "start", "end", "score"])


def random_proposals(rng, n):
    start = rng.random(n) * 10
    video, score = rng.choice(["a", "b"], n), rng.random(n)
    return pd.DataFrame({"video": video, "start": start, "end": start + 1, "score": score})


def test_video_level_by_hand():
    proposals = proposed(("a", 0, 1, 0.5), ("b", 2, 3, 0.25), ("a", 4, 6, 1.0))
    scores = {"a": np.array([0.1, 0.6, 0.3]), "b": np.array([0.5, 0.25, 0.25]), "unused": None}
    result = fusion.video_level(proposals, scores, ("run", "hop", "sit"), top=2)
    assert list(result.columns) == ["video", "start", "end", "label", "score"]
    assert result["video"].tolist() == ["a", "a", "b", "b", "a", "a"]
    # Equal class scores: the earlier class.
    assert result["label"].tolist() == ["hop", "sit", "run", "hop", "hop", "sit"]
    np.testing.assert_allclose(result["score"], [0.3, 0.15, 0.125, 0.0625, 0.6, 0.3])
    assert result["end"].tolist() == [1, 1, 3, 3, 6, 6]


def test_per_proposal_by_hand():
    proposals = proposed(("a", 0, 1, 0.5), ("a", 2, 3, 0.2))
    result = fusion.per_proposal(proposals, np.array([[0.1, 0.9], [1.0, 0.0]]), (10, 11), top=5)
    assert result["label"].tolist() == [11, 10, 10, 11]
    np.testing.assert_allclose(result["score"], [0.45, 0.05, 0.2, 0.0])


def test_no_proposal_gives_no_detection():
    empty = proposed().astype({"start": float, "end": float, "score": float})
    assert fusion.video_level(empty, {}, ("x",), 1).empty
    assert fusion.per_proposal(empty, np.zeros((0, 2)), ("x", "y"), 1).empty
    result = fusion.verb_noun(empty, np.zeros((0, 4)), np.zeros((0, 3)))
    assert result.empty and {"verb", "noun", "label"} <= set(result.columns)


def test_verb_noun_equals_a_loop(monkeypatch):
    rng = np.random.default_rng(3)
    proposals = random_proposals(rng, 40)
    verb, noun = rng.random((40, 6)), rng.random((40, 9))
    monkeypatch.setattr(fusion, "_ROWS_AT_ONCE", 16)
    result = fusion.verb_noun(proposals, verb, noun, top_verbs=3, top_nouns=4, pairs=5)
    rows = []
    for i in range(40):
        verbs = np.argsort(-verb[i])[:3]
        nouns = np.argsort(-noun[i])[:4]
        pairs = [(verb[i, v] * noun[i, n], v, n) for v in verbs for n in nouns]
        pairs.sort(reverse=True)
        rows += [(f"{v},{n}", v, n, proposals["score"][i] * p) for p, v, n in pairs[:5]]
    wanted = pd.DataFrame(rows, columns=["label", "verb", "noun", "score"])
    assert result["label"].tolist() == wanted["label"].tolist()
    assert result["verb"].tolist() == wanted["verb"].tolist()
    assert result["noun"].tolist() == wanted["noun"].tolist()
    np.testing.assert_allclose(result["score"], wanted["score"], rtol=1e-12)
    assert result["start"].tolist() == np.repeat(proposals["start"], 5).tolist()


def test_reference_pairs(reference):
    data = reference("proposals.npz")
    positions = data["verb_map"].shape[2]
    start, end = (np.rint(data["proposals"][:, i] * positions).astype(int) for i in range(2))
    # A proposal's cell: its start, and the row of its duration (the first row is duration one).
    verb, noun = (data[name][:, end - start - 1, start].T for name in ("verb_map", "noun_map"))
    verbs, nouns, product = fusion.best_pairs(verb, noun, pairs=20)
    np.testing.assert_array_equal(np.stack([verbs, nouns], axis=2), data["verb_noun"])
    np.testing.assert_array_equal(product, data["verb_noun_score"][..., 2])
    frame = proposed(*(("v", s, e, 0.5) for s, e in zip(start, end, strict=True)))
    result = fusion.verb_noun(frame, verb, noun, pairs=20)
    assert (result["verb"].to_numpy().reshape(-1, 20) == data["verb_noun"][..., 0]).all()


@pytest.mark.parametrize("k", [1, 3, 8])
def test_top_k_equals_a_stable_sort(k):
    values = np.random.default_rng(k).integers(0, 4, (100, 8)).astype(np.float32)
    np.testing.assert_array_equal(
        fusion.top_k(values, k), np.argsort(-values, axis=1, kind="stable")[:, :k]
    )


def test_bad_scores_are_refused():
    proposals = proposed(("a", 0, 1, 0.5))
    good = np.full((1, 3), 1 / 3)
    with pytest.raises(TableError, match="none for video a"):
        fusion.video_level(proposals, {"b": good[0]}, "xyz", 1)
    with pytest.raises(TableError, match="there are 2 classes"):
        fusion.video_level(proposals, {"a": good[0]}, "xy", 1)
    with pytest.raises(TableError, match="row 0 holds NaN"):
        fusion.per_proposal(proposals, good * np.nan, "xyz", 1)
    with pytest.raises(TableError, match="a row per proposal"):
        fusion.verb_noun(proposals, good, np.ones((2, 3)))
    with pytest.raises(TableError, match="probabilities"):
        fusion.verb_noun(proposals, good, -good)
    with pytest.raises(TableError, match="top is 0"):
        fusion.per_proposal(proposals, good, "xyz", 0)
