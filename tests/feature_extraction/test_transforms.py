"""Pixels to network input: one resizer, draws once per clip."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from feature_extraction import transforms
from feature_extraction.transforms import (
    TransformError,
    center_crop,
    eval_transform,
    normalize,
    resize_short_side,
    to_tensor,
    train_transform,
)


def pixels(frames, height, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(240, 426), (426, 240), (65, 97), (224, 224)])
@pytest.mark.parametrize("short_side", [40, 112, 224])
def test_a_clip_resized_at_once_equals_its_frames_resized_alone(size, short_side):
    """Training resizes clips, extraction frames; the memory layout must not matter either."""
    clip = to_tensor(pixels(3, *size))
    together = resize_short_side(clip, short_side)
    alone = torch.cat([resize_short_side(frame[None], short_side) for frame in clip])
    assert torch.equal(together, alone)
    assert torch.equal(together, resize_short_side(clip.contiguous(), short_side))
    assert min(together.shape[-2:]) == short_side and together.dtype == torch.uint8
    ratio = max(size) / min(size)
    assert abs(max(together.shape[-2:]) - short_side * ratio) <= 1


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("size", [(31, 57), (64, 40), (33, 33)])
@pytest.mark.parametrize("frames", [1, 3])
def test_what_they_give_is_torchvisions_to_the_bit(size, frames, fast, monkeypatch):
    """Whether the processor resizes bytes or not; of any layout, the one in memory included."""
    from torchvision.transforms.v2 import functional as F
    from torchvision.transforms.v2.functional import _geometry

    decide = "_do_native_uint8_resize_on_cpu"
    if not hasattr(_geometry, decide):
        pytest.skip("this torchvision decides elsewhere")
    monkeypatch.setattr(_geometry, decide, lambda interpolation: fast)
    monkeypatch.setattr(transforms, "_is_fast_on_bytes", lambda: fast)
    decoded = pixels(frames, *size)
    single = to_tensor(decoded[0][None])  # whose first stride is 0, as one frame of a decoder's
    for video in (to_tensor(decoded), to_tensor(decoded).contiguous(), single):
        for short_side in (7, 20, 33, 50):
            wanted = F.resize(video, [short_side], antialias=True)
            resized = resize_short_side(video, short_side)
            assert torch.equal(resized, wanted) and resized.stride() == wanted.stride()
            for height, width in ((7, 7), (7, 6), (1, 5)):
                cut = center_crop(resized, height, width)
                assert torch.equal(cut, F.center_crop(wanted, [height, width]))
            scaled = F.to_dtype(wanted, torch.float32, scale=True)
            mean, std = list(transforms.IMAGENET_MEAN), list(transforms.IMAGENET_STD)
            assert torch.equal(normalize(resized), F.normalize(scaled, mean, std))


def test_resizing_keeps_flat_colours_and_fitting_frames():
    flat = torch.full((2, 3, 60, 80), 77, dtype=torch.uint8)
    assert resize_short_side(flat, 31).eq(77).all()
    assert torch.equal(resize_short_side(flat, 60), flat)


def test_antialiasing_averages_a_fine_pattern():
    stripes = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    stripes[..., ::2] = 255
    small = resize_short_side(stripes, 8).float()
    assert (small - 127.5).abs().max() < 5  # without it, stripes come and go


def test_normalize():
    frames = to_tensor(pixels(2, 4, 5))
    expected = (frames.double() / 255 - 0.45) / 0.225
    found = normalize(frames, (0.45, 0.45, 0.45), (0.225, 0.225, 0.225))
    assert found.dtype == torch.float32
    assert torch.allclose(found.double(), expected, atol=1e-5)
    batch = torch.stack([frames, frames.flip(0)])
    assert torch.equal(normalize(batch)[1], normalize(frames.flip(0)))


def test_training_clips_depend_on_the_generator_alone():
    clip = to_tensor(pixels(4, 90, 120))
    options = {"short_side_range": (64, 80), "crop": 56}

    def draw(seed):
        return train_transform(clip, generator=torch.Generator().manual_seed(seed), **options)

    assert draw(1).shape == (4, 3, 56, 56) and draw(1).dtype == torch.uint8
    assert torch.equal(draw(1), draw(1))
    assert len({draw(seed).sum().item() for seed in range(8)}) > 4


def test_training_draws_once_a_clip_and_mirrors_half():
    """Equal frames stay equal; a left-right ramp tells mirrored clips."""
    ramp = torch.arange(96, dtype=torch.uint8).expand(3, 3, 72, 96).contiguous()
    generator = torch.Generator().manual_seed(0)
    mirrored, sides = 0, set()
    for _ in range(60):
        clip = train_transform(
            ramp, short_side_range=(60, 64), crop=60, flip=0.5, generator=generator
        )
        assert torch.equal(clip[0], clip[2])
        mirrored += int(clip[0, 0, 0, 0] > clip[0, 0, 0, -1])
        sides.add(int(clip[0, 0, 0].float().diff().abs().sum()))
    assert 15 < mirrored < 45 and len(sides) > 2
    never = train_transform(ramp, short_side_range=(60, 64), crop=60, flip=0.0, generator=generator)
    assert never[0, 0, 0, 0] < never[0, 0, 0, -1]


def test_evaluation_cuts_the_centre():
    clip = to_tensor(pixels(2, 60, 100))
    cut = eval_transform(clip, short_side=30, crop=20)
    assert torch.equal(cut, resize_short_side(clip, 30)[..., 5:25, 15:35])


def test_wrong_input_is_refused():
    clip = to_tensor(pixels(1, 40, 50))
    with pytest.raises(TransformError, match="uint8"):
        resize_short_side(clip.float(), 20)
    with pytest.raises(TransformError, match="uint8"):
        normalize(clip.permute(0, 2, 3, 1))
    with pytest.raises(TransformError, match="at least 1"):
        resize_short_side(clip, 0)
    with pytest.raises(TransformError, match="crop"):
        train_transform(clip, short_side_range=(30, 40), crop=32)
    with pytest.raises(TransformError, match="does not fit"):
        eval_transform(clip, short_side=20, crop=24)
