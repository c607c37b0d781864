"""BMN's validation loss: the same in batches of any size and in every epoch, window by window."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

from bmn import bmn_loss
from bmn.targets import Targets, valid_mask
from feature_extraction import FeatureMeta, feature_path, write_features
from pipeline.configuration.reading import find_config, load_config
from pipeline.data.features.made import extracted_by
from pipeline.data.features.store import FeatureStore
from pipeline.data.windows import samples as windows
from pipeline.data.windows.holding import training_windows
from pipeline.errors import UserError
from pipeline.results.validation import bmn as bmn_validation
from pipeline.results.validation import means
from pipeline.training.networks.bmn import build_network

SMALL = {
    "bmn.temporal_scale": 20, "bmn.duration_scale": 10, "bmn.window_step": 10, "bmn.hidden_1d": 8,
    "bmn.hidden_2d": 8, "bmn.hidden_3d": 8, "bmn.num_samples": 4, "runtime.workers": 0,
}  # fmt: skip
CPU = torch.device("cpu")


def config(**more):
    return load_config(find_config("ek100"), SMALL | {f"bmn.{key}": more[key] for key in more})


@pytest.fixture
def run(tmp_path):
    for video, clips in (("a", 375), ("b", 111)):
        features = np.random.default_rng(clips).normal(size=(clips, 8)).astype(np.float32)
        meta = FeatureMeta(video, 60.0, 8, 8, 8, 224, clips * 8 / 60, "tada2d", "x", "float32")
        write_features(feature_path(tmp_path / "extract/features", video), features, meta)
    return FeatureStore(tmp_path / "extract", extracted_by(config().extract, "tada2d"))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_network(config().bmn, 8)


def validation_loss(settings, run, found, model, device):
    """That of these windows, read from the run's features."""

    def read(plan):
        workers = settings.runtime.workers
        return windows.regular_batches(run, settings.bmn, found, plan, workers=workers)

    return bmn_validation.validation_loss(model, len(found), read, settings.bmn, device)


def windows_of(settings, run):
    starts = [("a", start) for start in np.arange(0, 49, 0.7)] + [("b", 1.0), ("b", 8.0)]
    rows = pd.DataFrame(
        [(video, start, start + 0.6 + start % 2) for video, start in starts],
        columns=["video", "start", "end"],
    )
    return training_windows(run, settings.bmn, rows, ["a", "b"])[0]


def test_it_is_the_mean_of_the_windows_losses_whatever_the_batch(run, model):
    settings = config()
    found = windows_of(settings, run)
    figures = validation_loss(settings, run, found, model, CPU)
    assert list(figures) == ["val_total", "val_tem", "val_pem_reg", "val_pem_cls"]
    assert all(math.isfinite(value) for value in figures.values())
    for size in (1, 5, 7, 100):
        other = validation_loss(config(batch_size=size), run, found, model, CPU)
        assert other == pytest.approx(figures, rel=1e-5)
    sums = dict.fromkeys(figures, 0.0)
    mask = valid_mask(10, 20)
    for place, window in enumerate(found):
        sample = windows.window_sample(run, settings.bmn, window)
        targets = Targets(*(sample[key][None] for key in ("start", "end", "iou")))
        fields = bmn_validation._fields(targets.iou, settings.bmn.seed, place)
        with torch.no_grad():
            terms = bmn_loss(model(sample["features"][None]), targets, mask, uniforms=fields)
        for name, term in terms._asdict().items():
            sums[f"val_{name}"] += float(term) / len(found)
    assert figures == pytest.approx(sums, rel=1e-5)


def test_it_changes_neither_by_repetition_nor_by_windows_that_move_in_training(run, model):
    settings, moving = config(), config(random_windows=True)
    found = windows_of(settings, run)
    first = validation_loss(settings, run, found, model, CPU)
    torch.manual_seed(99)
    assert validation_loss(settings, run, found, model, CPU) == first
    assert validation_loss(moving, run, windows_of(moving, run), model, CPU) == first
    assert validation_loss(config(seed=1), run, found, model, CPU) != first
    state = torch.get_rng_state()
    validation_loss(settings, run, found, model, CPU)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_network_is_in_eval_mode_and_left_as_it_was(run):
    settings = config()
    found = windows_of(settings, run)
    torch.manual_seed(0)
    network = build_network(settings.bmn, 8)
    modes = []
    network.base.register_forward_hook(lambda module, *_: modes.append(module.training))
    network.train()
    validation_loss(settings, run, found, network, CPU)
    assert modes and not any(modes) and network.training
    assert all(parameter.grad is None for parameter in network.parameters())


def test_reading_processes_give_the_same(run, model):
    settings = config(batch_size=4)
    found = windows_of(settings, run)
    alone = validation_loss(settings, run, found, model, CPU)
    runtime = settings.runtime.model_copy(update={"workers": 2})
    shared = settings.model_copy(update={"runtime": runtime})
    assert validation_loss(shared, run, found, model, CPU) == alone


@pytest.mark.parametrize("size", [4, 100])  # of batches: the second leaves one process none
def test_two_processes_give_what_one_gives(run, model, monkeypatch, size):
    settings = config(batch_size=size)
    found = windows_of(settings, run)
    alone = validation_loss(settings, run, found, model, CPU)
    parts = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setattr(
            means.distributed, "gather_values", lambda part: parts.append(part) or parts
        )
        both = validation_loss(settings, run, found, model, CPU)
    assert both == alone


def test_no_window_is_refused(run, model):
    with pytest.raises(UserError, match="no window to validate on"):
        validation_loss(config(), run, [], model, CPU)
