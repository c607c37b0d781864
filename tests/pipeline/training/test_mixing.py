"""Mixup and CutMix: the loss of soft labels, the same from the same draw, over processes."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.paths import ROOT

from pipeline.configuration.reading import find_config, load_config
from pipeline.configuration.sections.training import FinetuneSettings
from pipeline.training.mixing import Mix, draw_mix, mixed, mixed_loss
from pipeline.training.networks.classifier import classification_loss


def settings(**keys) -> FinetuneSettings:
    fields = {f"finetune.augment.{key}": value for key, value in keys.items()}
    return load_config(find_config("hacs"), fields).finetune.augment


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def video(count=5, seed=0):
    return torch.randn(count, 3, 4, 12, 16, generator=seeded(seed))


def soft(target, mix, classes, smoothing):
    """Labels [b, classes] mixed with the next clip's and smoothed, spelled out."""
    one = F.one_hot(target, classes).float()
    rows = mix.own * one + (1 - mix.own) * one.roll(-1, 0)
    return rows * (1 - smoothing) + smoothing / classes


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("keys", [{"mixup": 0.8}, {"cutmix": 1.0}])
def test_the_loss_is_that_of_soft_labels_in_one_and_two_heads(smoothing, keys):
    mix = draw_mix(video(), settings(**keys), seeded(1))
    target = torch.tensor([[0, 3], [1, 2], [2, 1], [0, 0], [1, 3]])
    verb, noun = torch.randn(5, 3, generator=seeded(2)), torch.randn(5, 4, generator=seeded(3))
    losses = [
        -(soft(target[:, i], mix, head.shape[1], smoothing) * head.log_softmax(1)).sum(1).mean()
        for i, head in enumerate((verb, noun))
    ]
    torch.testing.assert_close(mixed_loss((verb, noun), target, mix, smoothing), sum(losses))
    torch.testing.assert_close(mixed_loss(verb, target[:, :1], mix, smoothing), losses[0])


def test_mixup_blends_and_cutmix_pastes_the_same_in_every_frame():
    clips = video()
    blend = draw_mix(clips, settings(mixup=0.8), seeded(4))
    partners = torch.stack([*clips[1:], clips[0]])
    expected = blend.own * clips + (1 - blend.own) * partners
    torch.testing.assert_close(mixed(clips, blend), expected)
    cut = draw_mix(clips, settings(cutmix=1.0), seeded(5))
    made = mixed(clips, cut)
    theirs = made != clips
    assert torch.equal(made[theirs], partners[theirs])
    assert (theirs == theirs[:1, :1, :1]).all()
    assert theirs[0, 0, 0].float().mean().item() == pytest.approx(1 - cut.own)
    assert torch.equal(clips, video())
    still = video()[:, :, :1].expand(-1, -1, 4, -1, -1)
    for mix in (blend, cut):
        assert (mixed(still, mix) == mixed(still, mix)[:, :, :1]).all()


def test_shares_and_boxes_are_as_drawn():
    blends, cuts = [], []
    clips, both = video(2), settings(mixup=0.2, cutmix=1.0)
    for seed in range(600):
        mix = draw_mix(clips, both, seeded(seed))
        (blends if mix.box is None else cuts).append(mix.own)
        assert 0 <= mix.own <= 1
    assert 240 < len(blends) < 360
    assert np.mean(blends) == pytest.approx(0.5, abs=0.08)
    # Beta(0.2, 0.2) is mostly near 0 or 1; a uniform share of a box loses some at the edges.
    assert np.std(blends) > 0.35
    assert 0.5 < np.mean(cuts) < 0.75


def test_a_batch_of_one_is_left_alone_and_draws_as_much():
    one, two = seeded(7), seeded(7)
    clips = video(1)
    mix = draw_mix(clips, settings(mixup=0.8), one)
    assert draw_mix(video(4), settings(mixup=0.8), two) == mix and mix.own < 1
    assert torch.equal(one.get_state(), two.get_state())
    assert torch.equal(mixed(clips, mix), clips)
    logits, target = torch.randn(1, 6, generator=seeded(8)), torch.tensor([[4]])
    torch.testing.assert_close(
        mixed_loss(logits, target, mix, 0.1), classification_loss(logits, target, 0.1)
    )


def test_off_nothing_is_drawn():
    generator = seeded(9)
    before = generator.get_state()
    assert draw_mix(video(), settings(), generator) is None
    assert torch.equal(generator.get_state(), before)
    clips = video()
    assert mixed(clips, None) is clips


def test_the_same_draw_gives_the_same_mixture():
    both = settings(mixup=0.8, cutmix=1.0)
    first, again, other = (draw_mix(video(), both, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(mixed(video(), first), mixed(video(), again))
    assert not torch.equal(mixed(video(), first), mixed(video(), other))
    assert isinstance(first, Mix)


SHARED = """
import torch
import torch.nn.functional as F
from torch import nn
from pipeline.data.order import own_shard
from pipeline.processes import distributed
from pipeline.training.mixing import draw_mix, mixed, mixed_loss
from pipeline.training.networks.classifier import SharedClassifier
from pipeline.ranks import ranks
from pipeline.configuration.sections.training import AugmentSettings

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(3, 6), nn.Linear(6, 4)
    def features(self, video):
        return self.body(video.square().mean((2, 3, 4)))
    def classify(self, features):
        return self.head(features)

def check(count, step, keys):
    torch.manual_seed(0)
    network, video = Net(), torch.randn(count, 3, 2, 8, 8)
    target = torch.arange(count)[:, None] % 4
    model = distributed.spread(SharedClassifier(network), torch.device("cpu"))
    own = own_shard(range(count))
    mix = draw_mix(video[own], AugmentSettings(**keys), torch.Generator().manual_seed(step))
    clips = mixed(video[own], mix)
    loss = mixed_loss(model(clips), target[own], mix, 0.1)
    loss.backward()
    ours = [p.grad.clone() for p in network.parameters()]
    # The whole batch at once, its clips and labels mixed as one process mixes them.
    partners, one = video.roll(-1, 0), F.one_hot(target[:, 0], 4).float()
    if mix.box is None:
        whole_clips = mix.own * video + (1 - mix.own) * partners
    else:
        top, bottom, left, right = mix.box
        whole_clips = video.clone()
        whole_clips[..., top:bottom, left:right] = partners[..., top:bottom, left:right]
    torch.testing.assert_close(distributed.gather(clips), whole_clips)
    soft = 0.9 * (mix.own * one + (1 - mix.own) * one.roll(-1, 0)) + 0.1 / 4
    network.zero_grad()
    logits = network.classify(network.features(whole_clips))
    whole = -(soft * logits.log_softmax(1)).sum(1).mean()
    whole.backward()
    torch.testing.assert_close(loss, whole)
    for gradient, parameter in zip(ours, network.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad)
    assert len(set(distributed.gather_values(loss.item()))) == 1

with distributed.process_group():
    for step, keys in enumerate(({"mixup": 0.8}, {"cutmix": 1.0})):
        for count in (5, 3, 2):
            check(count, step, keys)
    # One string, so that the two processes' lines cannot mix.
    print(f"rank {ranks().rank} done\\n", end="", flush=True)
"""


def test_two_processes_step_on_the_batch_that_one_mixes(tmp_path):
    """Of three clips a process has one alone, of two each has one."""
    script = tmp_path / "shared.py"
    script.write_text(SHARED)
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*line, str(script)], capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "rank 0 done" in done.stdout and "rank 1 done" in done.stdout
