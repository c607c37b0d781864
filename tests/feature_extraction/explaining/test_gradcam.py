"""Grad-CAM against its definition, and where it must be what by hand one can tell."""

from __future__ import annotations

import pytest
import torch
from helpers.small_networks import small, trained
from torch import nn

from feature_extraction.backbones import BACKBONES, FeatureClassifier, fold_for_inference
from feature_extraction.backbones.slowfast import SlowFast
from feature_extraction.explaining import (
    NoFeatureMapsError,
    class_maps,
    grad_cam,
    last_maps,
    recorded_calibration,
)

CLIPS = (2, 3, 8, 64, 48)


def clips(seed: int = 1) -> torch.Tensor:
    return torch.randn(CLIPS, generator=torch.Generator().manual_seed(seed))


def biases(network, head: int, number: int) -> torch.Tensor:
    return network.head.classifiers[head].bias[number]


def naive(network, video, head: int, number: int) -> torch.Tensor:
    """Selvaraju's formula with autograd through the whole network, a clip at a time."""
    stages = (
        {"slow": network.slow.stages[-1], "fast": network.fast.stages[-1]}
        if isinstance(network, SlowFast)
        else {"all": network.stages[-1]}
    )
    results = []
    for clip in video:
        kept: dict[str, torch.Tensor] = {}

        def keep(name, kept=kept):
            def hook(module, inputs, output):
                output.retain_grad()
                kept[name] = output

            return hook

        handles = [stage.register_forward_hook(keep(name)) for name, stage in stages.items()]
        logits = network(clip[None])
        logits = logits if isinstance(logits, tuple) else (logits,)
        network.zero_grad()
        logits[head][0, number].backward()
        for handle in handles:
            handle.remove()
        total = 0.0
        for maps in kept.values():
            frames, _, height, width = maps.shape
            alphas = maps.grad.mean((2, 3)) * height * width * frames
            one = torch.stack(
                [
                    sum(a * m for a, m in zip(alpha, frame, strict=True))
                    for alpha, frame in zip(alphas, maps, strict=True)
                ]
            )
            total = total + one.repeat_interleave(clip.shape[1] // frames, 0)
        results.append(total.detach())
    return torch.stack(results)


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_it_is_the_definition_by_hand_for_every_network(name):
    network, video = trained(name), clips()
    maps = class_maps(network, video, [(0, 2), (0, 0)]).maps
    for place, number in enumerate((2, 0)):
        expected = naive(network, video, 0, number)
        torch.testing.assert_close(maps[place], expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(grad_cam(network, video, [(0, 2)])[0], maps[0].clamp(min=0))


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_maps_average_to_the_logit_less_its_bias(name):
    network, video = trained(name), clips()
    for head in network.head.classifiers:
        nn.init.normal_(head.bias)
    found = class_maps(network, video, [(0, 0), (0, 1), (0, 2)])
    with torch.no_grad():
        logits = network(video)
    torch.testing.assert_close(found.logits[0], logits)
    means = found.maps.mean((2, 3, 4)).T
    torch.testing.assert_close(
        means, logits - network.head.classifiers[0].bias, rtol=1e-4, atol=1e-5
    )


def test_verbs_and_nouns_have_maps_of_their_own():
    network, video = trained("tada2d", num_classes=(3, 4)), clips()
    found = class_maps(network, video, [(0, 1), (1, 3)])
    with torch.no_grad():
        verbs, nouns = network(video)
    assert [head.shape[1] for head in found.logits] == [3, 4]
    expected = torch.stack(
        [verbs[:, 1] - biases(network, 0, 1), nouns[:, 3] - biases(network, 1, 3)]
    )
    torch.testing.assert_close(found.maps.mean((2, 3, 4)), expected, rtol=1e-4, atol=1e-5)


def test_classes_add_up_where_their_weights_do():
    """The map is linear in the class's weights: of weights that are the sum of all, it is the sum of maps."""
    network, video = trained("tada2d"), clips()
    maps = class_maps(network, video, [(0, 0), (0, 1), (0, 2)]).maps
    with torch.no_grad():
        network.head.classifiers[0].weight[0] = network.head.classifiers[0].weight.sum(0)
    whole = class_maps(network, video, [(0, 0)]).maps[0]
    torch.testing.assert_close(whole, maps.sum(0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["tada2d", "slowfast_8x8_tada"])
def test_it_is_what_finite_differences_give(name):
    """Of a head on means the map at a place is what the logit loses without that place's features."""
    network, video = trained(name).double(), clips().double()
    last = last_maps(network, video)
    found = class_maps(network, video, [(0, 1)]).maps[0]
    maps = [one.detach() for one in last.maps]
    assert all(one.is_leaf and one.requires_grad for one in last.maps)

    def logit(parts) -> torch.Tensor:
        means = [one.mean((2, 3)).unflatten(0, (2, -1)).mean(1) for one in parts]
        return network.classify(torch.cat(means, 1))[0, 1]

    places = found[0, 0].numel() * 8
    without = [one.clone() for one in maps]
    for one, every in zip(without, last.every, strict=True):
        one[5 // every, :, 1, 0] = 0  # of the first clip
    drop = (logit(maps) - logit(without)).item()
    alpha = max(last.every)
    group = [frame for frame in range(8) if frame // alpha == 5 // alpha]
    slow_and_fast = found[0, group, 1, 0].sum().item() / places
    if len(maps) == 1:
        assert drop == pytest.approx(slow_and_fast, rel=1e-3)
        return
    others = [one.clone() for one in maps]
    for frame in group:  # all fast frames that the slow one stands for
        others[1][frame, :, 1, 0] = 0
    others[0][5 // alpha, :, 1, 0] = 0
    assert (logit(maps) - logit(others)).item() == pytest.approx(slow_and_fast, rel=1e-3)


@pytest.mark.parametrize(("down", "across"), [(0, 0), (1, 1), (0, 1)])
def test_a_network_that_looks_at_one_corner_lights_that_corner(down, across):
    """A stage that keeps one quarter of the frame alone: the logit hangs on nothing else."""
    network, video = trained("tsn"), clips()
    kept = network.stages[-1]

    class Corner(nn.Module):
        def forward(self, frames, length):
            output = kept(frames, length)
            mask = torch.zeros_like(output)
            height, width = output.shape[2:]
            mask[:, :, down * height // 2 :, across * width // 2 :] = 1
            if not down:
                mask[:, :, height // 2 :] = 0
            if not across:
                mask[:, :, :, width // 2 :] = 0
            return output * mask

    network.stages[-1] = Corner()
    heat = class_maps(network, video, [(0, 0)]).maps[0].abs()
    height, width = heat.shape[2:]
    rows = slice(height // 2, None) if down else slice(0, height // 2)
    columns = slice(width // 2, None) if across else slice(0, width // 2)
    lit = heat[:, :, rows, columns].sum()
    assert lit > 0 and heat.sum() == pytest.approx(lit.item())


def test_frames_of_a_2d_network_without_time_do_not_see_one_another():
    network, video = trained("tsn"), clips()
    before = class_maps(network, video, [(0, 0)]).maps[0]
    other = video.clone()
    other[:, :, 3] = clips(2)[:, :, 3]
    after = class_maps(network, other, [(0, 0)]).maps[0]
    changed = (before - after).abs().amax((2, 3)) > 1e-5
    assert changed[:, 3].all() and not changed[:, [0, 1, 2, 4, 5, 6, 7]].any()


def test_batches_equal_single_clips_and_folding_changes_nothing():
    network, video = trained("tada2d"), clips()
    maps = class_maps(network, video, [(0, 1)]).maps
    single = [class_maps(network, clip[None], [(0, 1)]).maps for clip in video]
    torch.testing.assert_close(maps, torch.cat(single, 1), rtol=1e-4, atol=1e-5)
    folded = class_maps(fold_for_inference(network), video, [(0, 1)]).maps
    torch.testing.assert_close(folded, maps, rtol=1e-3, atol=1e-4)


def test_nothing_is_left_behind_and_no_gradient_reaches_the_weights():
    network, video = trained("tada2d"), clips()
    assert torch.is_grad_enabled()
    with torch.no_grad():
        class_maps(network, video, [(0, 1)])
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())
    with recorded_calibration(network) as weights:
        class_maps(network, video, [(0, 1)])
    assert weights and not any(module._forward_hooks for module in network.modules())


def test_what_has_no_maps_is_refused():
    with pytest.raises(NoFeatureMapsError, match="FeatureClassifier has no feature maps"):
        grad_cam(FeatureClassifier(8, 3).eval(), torch.randn(2, 8))
    with pytest.raises(NoFeatureMapsError, match="eval"):
        grad_cam(small("tsn").train(), clips())
    network = trained("tsn")
    for wrong in [(0, 3), (1, 0), (0, -1)]:
        with pytest.raises(ValueError, match="the network has 3 classes"):
            grad_cam(network, clips(), [wrong])
