"""ActionFormer trained by the loop: the public recipe, batches in pieces, verbs and nouns apart, and its classes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from helpers.actionformer import public_config, public_model
from helpers.tiny_training import Killed, TinyStage

from actionformer import assign, pad_batch
from actionformer.layers import DropPath
from actionformer.points import points
from pipeline.configuration.sections.actionformer import ActionFormerSettings
from pipeline.training.checkpoints import load_state
from pipeline.training.loop import fit
from pipeline.training.networks.actionformer import (
    Networks,
    build_network,
    detection_loss,
    recipe_of,
    sizes_of,
    start_classes,
)
from pipeline.training.task import Task

CPU = torch.device("cpu")
SMALL = {"width": 16, "heads": 2, "levels": 3, "max_length": 16, "window": 3, "drop_path": 0.0}


def settings_of(**keys):
    return ActionFormerSettings(**{**SMALL, "loss_normalizer": 10, "seed": 1} | keys)


def told(samples, positives=None, pieces=()):
    """Samples as a batch, and what each gets of the whole batch."""
    batch = {key: torch.stack([one[key] for one in samples]) for key in samples[0]}
    count = len(samples)
    positives = int(batch["positive"].sum()) if positives is None else positives
    places = list(pieces) or [0] * count
    return batch | {
        "names": ["v"] * count, "pieces": places, "samples": [count] * count,
        "positives": [positives] * count, "last": [place == places[-1] for place in places],
    }  # fmt: skip


class Reference:
    """The batches of the twelve steps, and what they lead to."""

    def __init__(self, reference, name):
        self.vectors, self.name = reference("actionformer_train.npz"), name
        self.model = public_model(reference("actionformer.npz"), name).double()
        for module in self.model.modules():
            if isinstance(module, DropPath):
                module.rate = 0.0
        self.config = json.loads(str(self.of("steps/config")))
        self.public = public_config(self.vectors, name)["train_cfg"]
        self.grid = points(self.model.strides, self.model.ranges, self.model.max_length)
        self.videos = [self.sample(number) for number in range(3)]

    def of(self, key):
        return self.vectors[f"{self.name}/{key}"]

    def sample(self, number):
        features = torch.from_numpy(self.of(f"{number}/input")).double()
        batch, mask = pad_batch(self.model, [features])
        valid = torch.cat([mask[0, ::stride] for stride in self.model.strides])
        targets = assign(
            self.grid.double(), self.of(f"{number}/segments"), self.of(f"{number}/labels"),
            self.model.classes,
        )  # fmt: skip
        return {
            "features": batch[0], "mask": mask[0], "classes": targets.classes,
            "offsets": targets.offsets, "positive": targets.positive & valid,
        }  # fmt: skip

    def batches(self, epoch, step):
        each = self.config["iterations_per_epoch"]
        for number in range(epoch * each + step, self.epochs * each):
            yield told([self.videos[k] for k in ((0, 1, 2), (1, 2))[number % 2]])

    @property
    def epochs(self):
        return self.config["warmup_epochs"] + self.config["epochs"]

    def train(self, folder, kill_at=None):
        config, each, count = self.config, self.config["iterations_per_epoch"], iter(range(99))
        settings = ActionFormerSettings(
            base_lr=config["learning_rate"], weight_decay=config["weight_decay"],
            warmup_epochs=config["warmup_epochs"], epochs=self.epochs, grad_clip=config["clip"],
            ema_decay=config["ema"], regression_weight=self.public["loss_weight"],
            label_smoothing=self.public["label_smoothing"], checkpoint_seconds=1e-9,
        )  # fmt: skip
        model = Networks([self.model], self.public["init_loss_norm"]).double()
        loss, seen = detection_loss(model, settings, [self.model.classes]), []

        def noted(spread, batch, generator):
            if next(count) == kill_at:
                raise Killed
            terms = loss(spread, batch, generator)
            seen.append((float(terms["total"].detach()), float(model.normalizer)))
            return terms

        recipe = recipe_of(settings, each)
        task = Task("actionformer", self.batches, noted, each, {"samples": "s"}, recipe=recipe)
        fit(model, task, settings, TinyStage(folder), CPU)
        return model, seen, recipe


@pytest.mark.parametrize("name", ["local", "full"])
def test_twelve_steps_of_the_loop_are_the_public_ones(reference, tmp_path, name):
    public = Reference(reference, name)
    model, seen, recipe = public.train(tmp_path)
    for row, key in enumerate(("final_loss", "loss_normalizer")):
        np.testing.assert_allclose([one[row] for one in seen], public.of(f"steps/{key}"), rtol=1e-8)
    rates = [recipe.rate(number) for number in range(12)]
    np.testing.assert_allclose(rates, public.of("steps/lr"), rtol=1e-8)
    for key, value in model.first.named_parameters():  # the moving average is what is kept
        expected = float(public.of(f"steps/emanorm/{key}"))
        if expected > 1e-9:
            assert float(value.norm()) == pytest.approx(expected, rel=1e-8), key


def test_a_training_broken_off_goes_on_with_its_normalizer(reference, tmp_path):
    whole, seen, _ = Reference(reference, "local").train(tmp_path / "whole")
    with pytest.raises(Killed):
        Reference(reference, "local").train(tmp_path / "broken", kill_at=6)
    kept = load_state(tmp_path / "broken/checkpoint.pt")
    assert float(kept["model"]["normalizer"]) == seen[5][1]
    resumed, later, _ = Reference(reference, "local").train(tmp_path / "broken")
    assert later == seen[6:]
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", ["a", "b"])
def test_the_rate_of_every_step_is_the_published_one(reference, name):
    vectors = reference("actionformer_train.npz")
    rate, warmup, epochs, each = vectors[f"lr/{name}/config"].tolist()
    keys = {"warmup_epochs": int(warmup), "epochs": int(warmup + epochs)}
    made = recipe_of(settings_of(base_lr=rate, **keys), int(each)).rate
    expected = vectors[f"lr/{name}/values"]
    np.testing.assert_allclose([made(k) for k in range(len(expected))], expected, rtol=1e-12)


def test_a_warm_up_may_begin_above_nothing_and_scales_with_the_batch():
    settings = settings_of(base_lr=0.1, warmup_lr=0.01, warmup_epochs=1, epochs=3, base_batch=4)
    rate = recipe_of(settings, 5).rate
    assert settings.batch_ratio == 0.5
    assert rate(0) == pytest.approx(0.005) and rate(4) == pytest.approx(0.05) == rate(5)
    assert all(rate(k) > rate(k + 1) for k in range(5, 14))


def samples_of(settings, sizes, count, channels=6, segments=2, classes=None):
    """Random videos of every length, with segments of every class."""
    generator = torch.Generator().manual_seed(5)
    grid = points([2**k for k in range(settings.levels)], settings.regression_ranges, 16)
    result = []
    for number in range(count):
        length = 16 - number
        starts = torch.rand(segments, 1, generator=generator) * length / 2
        spans = torch.cat(
            [starts, starts + 2 + 3 * torch.rand(segments, 1, generator=generator)], 1
        )
        hot = torch.zeros(segments, sum(sizes))
        offset = 0
        for size in sizes:
            for row in range(segments):
                hot[row, offset + int(torch.randint(size, (), generator=generator))] = 1
            offset += size
        targets = assign(grid, spans, hot, sum(sizes))
        mask = torch.arange(16) < length
        valid = torch.cat([mask[:: 2**k] for k in range(settings.levels)])
        features = torch.randn(channels, 16, generator=generator) * mask
        result.append({
            "features": features, "mask": mask, "classes": targets.classes.to(torch.uint8),
            "offsets": targets.offsets, "positive": targets.positive & valid,
        })  # fmt: skip
    return result


def trained(folder, settings, sizes, samples, pieces=(), columns=slice(None), state=None):
    """Four steps on one batch."""
    torch.manual_seed(0)
    model = build_network(settings, 6, sizes).double()
    if state is not None:
        model.networks.load_state_dict(state)
    chosen = [one | {"classes": one["classes"][:, columns]} for one in samples]
    doubled = [
        {k: v.double() if v.is_floating_point() else v for k, v in one.items()} for one in chosen
    ]

    def batches(epoch, step):
        for _ in range(epoch * 4 + step, 4):
            yield told(doubled, pieces=pieces)

    loss, seen = detection_loss(model, settings, sizes), []

    def noted(*arguments):
        terms = loss(*arguments)
        seen.append({name: float(term.detach()) for name, term in terms.items()})
        return terms

    recipe = recipe_of(settings, 4)
    task = Task("actionformer", batches, noted, 4, {"samples": "s"}, recipe=recipe)
    start = {key: value.clone() for key, value in model.networks.state_dict().items()}
    fit(model, task, settings, TinyStage(folder), CPU)
    return model, seen, start


def test_a_batch_in_pieces_gives_the_steps_it_gives_whole(tmp_path):
    whole = settings_of(batch_size=3, epochs=1, warmup_epochs=0, base_lr=0.01, grad_clip=0.1)
    pieces = whole.model_copy(update={"gradient_accumulation": 2})
    samples = samples_of(whole, (4,), 3)
    one, seen, _ = trained(tmp_path / "1", whole, (4,), samples)
    two, parts, _ = trained(tmp_path / "2", pieces, (4,), samples, pieces=(0, 1, 1))
    assert len(parts) == 2 * len(seen)
    torch.testing.assert_close(one.state_dict(), two.state_dict(), rtol=1e-9, atol=1e-12)
    # pieces of one and of two of three samples
    sums = [(a["total"] + 2 * b["total"]) / 3 for a, b in zip(parts[::2], parts[1::2], strict=True)]
    assert sums == pytest.approx([step["total"] for step in seen], rel=1e-9)


def test_two_networks_side_by_side_are_two_trainings(tmp_path):
    apart = settings_of(trunk="separate", epochs=1, warmup_epochs=0, base_lr=0.01, grad_clip=0.05)
    samples = samples_of(apart, (3, 5), 2)
    both, seen, start = trained(tmp_path / "both", apart, (3, 5), samples)
    assert len(both.networks) == 2
    totals = []
    for number, (size, columns) in enumerate(((3, slice(0, 3)), (5, slice(3, 8)))):
        prefix = f"{number}."
        state = {"0." + k.removeprefix(prefix): v for k, v in start.items() if k.startswith(prefix)}
        alone, own, _ = trained(
            tmp_path / str(number), apart, (size,), samples, columns=columns, state=state
        )
        torch.testing.assert_close(
            alone.networks[0].state_dict(), both.networks[number].state_dict(), rtol=1e-9, atol=1e-12
        )  # fmt: skip
        assert torch.allclose(alone.normalizer, both.normalizer)
        totals.append([step["total"] for step in own])
    assert [step["total"] for step in seen] == pytest.approx(np.sum(totals, 0).tolist())
    names = {"verb_classification", "verb_regression", "noun_classification", "noun_regression"}
    assert seen[0].keys() == names | {"total"}


def test_a_shared_trunk_has_verbs_and_nouns_beside_one_another():
    model = build_network(settings_of(), 6, (3, 5))
    (levels,) = model(torch.zeros(1, 6, 16), torch.ones(1, 16, dtype=torch.bool))
    assert [level.logits.shape for level in levels] == [(1, 16, 8), (1, 8, 8), (1, 4, 8)]
    (levels,) = build_network(settings_of(), 6, ())(
        torch.zeros(1, 6, 16), torch.ones(1, 16, dtype=torch.bool)
    )
    assert levels[0].logits.shape == (1, 16, 1), "without classes: an action or none"


def test_classes_are_those_of_the_data_or_none():
    heads = (("take", "put"), ("a", "b", "c"))
    assert sizes_of(settings_of(), heads) == (2, 3)
    assert sizes_of(settings_of(classes="none"), heads) == ()


@pytest.mark.parametrize("trunk", ["shared", "separate"])
def test_classes_without_a_segment_begin_next_to_impossible(trunk):
    model = build_network(settings_of(trunk=trunk), 6, (3, 4))
    start_classes(model, (3, 4), np.array([[0, 1], [2, 1], [2, 3]]))
    biases = torch.cat([network.cls_head.cls_head.conv.bias for network in model.networks])
    assert (biases < -13).tolist() == [False, True, False, True, False, True, False]
    assert torch.allclose(biases.sigmoid()[biases > -13], torch.tensor(0.01))


def test_levels_have_the_ranges_published_for_them_unless_others_are_set():
    edges = [edge for edge, _ in ActionFormerSettings().regression_ranges]
    assert edges == [0, 4, 8, 16, 32, 64]
    assert settings_of().regression_ranges == ((0, 4), (4, 8), (8, 10000))
    own = settings_of(ranges=((0, 2), (1, 4), (3, 99)))
    assert build_network(own, 6, (2,)).first.ranges == ((0, 2), (1, 4), (3, 99))
