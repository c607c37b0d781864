"""Where the features that classify a proposal lie."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from feature_extraction.sampling import ClipGrid
from pipeline.configuration.reading import find_config, load_config
from pipeline.data.features.made import extracted_by, imported_on, with_grid
from pipeline.data.features.store import FeatureStore
from pipeline.results.classification import classifying
from pipeline.stages import classify

SLOW, FAST = ClipGrid(10.0, 9, 1, 1), ClipGrid(40.0, 9, 1, 1)  # clips of 0.8 s and of 0.2 s


@pytest.fixture
def store(tmp_path):
    """Imported features whose value is their number, of two videos of 3 s with a rate each."""
    config = load_config(find_config("demo"), {})
    made = imported_on(extracted_by(config.detection().extract, "any"))
    store = FeatureStore(tmp_path, with_grid(made, FAST), own_rates=True)
    (tmp_path / "features").mkdir()
    for video, grid in {"slow": SLOW, "fast": FAST}.items():
        meta = replace(with_grid(made, grid), video=video, source_duration=3.0)
        numbers = np.arange(round(3 * grid.fps), dtype=np.float32)[:, None]
        store.save(numbers, meta)
    return store


def test_clips_inside_a_proposal_have_the_length_of_their_own_video(store, monkeypatch):
    overrides = {
        "classify.positions": 2,
        "classify.spread": "inside",
        "classify.mode": "proposal",
    }
    config = load_config(find_config("demo"), {**overrides, "finetune.source": "features"})
    dataset = SimpleNamespace(num_classes=1)
    run = SimpleNamespace(
        config=config, detection=config.detection(), dataset=dataset, features=store,
        folder=store.folder, device=None,
    )  # fmt: skip
    monkeypatch.setattr(classify, "load_feature_classifier", lambda *_: None)
    monkeypatch.setattr(classify, "_check_channels", lambda *_: None)
    monkeypatch.setattr(classifying, "class_probabilities", lambda model, means, device: means)
    proposals = pd.DataFrame({"start": [0.02, 0.02], "end": [2.02, 2.02]})
    groups = {"slow": np.array([0]), "fast": np.array([1])}
    parts = SimpleNamespace(write=lambda video, scores: float(scores[0, 0]))
    claims = [SimpleNamespace(name=video, holds=lambda: True) for video in groups]
    todo = SimpleNamespace(each=lambda: claims)
    made = classify._of_features(run, todo, parts, proposals, groups)
    found = {claim.name: value for claim, value in made}
    # At 0.42 and 1.62 s, features 4 and 16; at 0.12 and 1.92 s, features 4 and 76.
    assert found == {"slow": 10.0, "fast": 40.0}


def test_lengths_may_be_short_by_a_clip_of_the_video_itself(store):
    lengths = store.lengths(["slow", "fast"])
    assert lengths["slow"].slack == pytest.approx(1.0)  # 9 frames and a stride at 10 per second
    assert lengths["fast"].slack == pytest.approx(0.25)
