"""The loss, its gradients and twelve steps of the recipe through the network, as published."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from helpers.actionformer import public_model

from actionformer import Targets, actionformer_loss, assign, pad_batch
from actionformer.layers import DropPath
from actionformer.points import points
from actionformer.recipe import decays, learning_rate, update_average

NETWORKS = ["local", "full"]
DTYPES = {"float32": torch.float32, "float64": torch.float64}
SMALL = 1e-9  # gradients that are 0 in theory


class Training:
    """One of the two networks with its initial weights, and batches of its three videos."""

    def __init__(self, reference, name, dtype):
        weights, self.vectors = reference("actionformer.npz"), reference("actionformer_train.npz")
        self.train = json.loads(str(self.vectors[f"{name}/config"]))["train_cfg"]
        self.model = public_model(weights, name).to(dtype).train()
        self.name, self.classes = name, self.model.classes
        for module in self.model.modules():  # no part is dropped; the learnt scale stays
            if isinstance(module, DropPath):
                module.rate = 0.0
        self.points = points(self.model.strides, self.model.ranges, self.model.max_length).to(dtype)

    def expected(self, key):
        return self.vectors[f"{self.name}/{key}"]

    def loss(self, videos=(0, 1, 2), normalizer=None, segments=True):
        features = [torch.from_numpy(self.expected(f"{row}/input")) for row in videos]
        batch, mask = pad_batch(self.model, features)
        targets = []
        for row in videos:
            given = [self.expected(f"{row}/{part}") for part in ("segments", "labels")]
            given = given if segments else [one[:0] for one in given]
            targets.append(assign(self.points, *given, self.classes))
        return actionformer_loss(
            self.model(batch.to(self.points.dtype), mask),
            Targets(*map(torch.stack, zip(*targets, strict=True))),
            self.train["init_loss_norm"] if normalizer is None else normalizer,
            regression_weight=self.train["loss_weight"],
            smoothing=self.train["label_smoothing"],
        )

    def norms(self, prefix, values, limit):
        checked = 0
        for key, value in values:
            expected = float(self.expected(f"{prefix}/{key}"))
            if expected > SMALL:
                assert value.double().norm().item() == pytest.approx(expected, rel=limit), key
                checked += 1
        return checked


@pytest.fixture(params=[(name, dtype) for name in NETWORKS for dtype in DTYPES], ids="-".join)
def training(request, reference):
    name, dtype = request.param
    return Training(reference, name, DTYPES[dtype])


def limits(training, single, double):
    return double if training.points.dtype == torch.float64 else single


def test_losses_and_gradients_are_the_public_ones(training):
    loss = training.loss()
    close = limits(training, 1e-6, 1e-9)
    for part, key in (("classification", "cls"), ("regression", "reg"), ("total", "final")):
        expected = float(training.expected(f"{key}_loss"))
        assert getattr(loss, part).item() == pytest.approx(expected, rel=close)
    assert loss.normalizer.item() == pytest.approx(float(training.expected("loss_normalizer")))
    second = training.loss(normalizer=loss.normalizer).normalizer
    assert second.item() == pytest.approx(float(training.expected("loss_normalizer_second")))
    loss.total.backward()
    gradients = [(key, value.grad) for key, value in training.model.named_parameters()]
    count = training.norms("gradnorm", gradients, limits(training, 1e-5, 1e-8))
    assert count > 0.9 * len(gradients)


def test_a_batch_without_segments_is_the_public_one(training):
    loss = training.loss(segments=False)
    close = limits(training, 1e-6, 1e-9)
    for part, key in (("classification", "cls_loss"), ("total", "final_loss")):
        expected = float(training.expected(f"no_segments/{key}"))
        assert getattr(loss, part).item() == pytest.approx(expected, rel=close)
    assert loss.regression.item() == 0
    expected = float(training.expected("no_segments/loss_normalizer"))
    assert loss.normalizer.item() == pytest.approx(expected)
    loss.total.backward()
    assert all(value.grad.isfinite().all() for value in training.model.parameters())


def test_twelve_steps_of_the_public_recipe(training):
    config = json.loads(str(training.expected("steps/config")))
    each = config["iterations_per_epoch"]
    warmup, steps = (
        each * config["warmup_epochs"],
        each * (config["warmup_epochs"] + config["epochs"]),
    )
    named = list(training.model.named_parameters())
    groups = [
        {
            "params": [value for key, value in named if decays(key)],
            "weight_decay": config["weight_decay"],
        },
        {"params": [value for key, value in named if not decays(key)], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, betas=tuple(config["betas"]), eps=config["eps"])
    average = copy.deepcopy(training.model)
    normalizer, seen = training.train["init_loss_norm"], []
    for step in range(steps):
        rate = learning_rate(step, config["learning_rate"], warmup=warmup, iterations=steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss = training.loss((0, 1, 2) if step % 2 == 0 else (1, 2), normalizer)
        normalizer = loss.normalizer
        loss.total.backward()
        norm = torch.nn.utils.clip_grad_norm_(training.model.parameters(), config["clip"])
        optimizer.step()
        update_average(average, training.model, config["ema"])
        seen.append((loss.total.item(), rate, norm.item(), normalizer.item()))
    close = limits(training, 1e-5, 1e-8)
    for row, key in enumerate(("final_loss", "lr", "gradnorm", "loss_normalizer")):
        limit = limits(training, 1e-4, 1e-8) if key == "gradnorm" else close
        assert np.allclose(
            [one[row] for one in seen], training.expected(f"steps/{key}"), rtol=limit, atol=0
        ), key
    averages = average.named_parameters()
    training.norms("steps/emanorm", ((k, v) for k, v in averages if "key.bias" not in k), close)
    now = training.model.named_parameters()
    drifting = ("key.bias", "key_norm.bias") if training.points.dtype == torch.float32 else ()
    kept = ((key, value) for key, value in now if not key.endswith(drifting or ("-",)))
    training.norms("steps/paramnorm", kept, limits(training, 1e-3, 1e-8))
