"""Clip augmentation: one draw a clip, torchvision's operations, the size of what is erased."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms.v2 import InterpolationMode, RandAugment

from feature_extraction.augmentation import (
    OPERATIONS,
    apply_operation,
    augment,
    erase,
    jitter_colors,
)
from feature_extraction.transforms import TransformError

NAMES = {
    "identity": "Identity",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "color": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "autocontrast": "AutoContrast",
    "equalize": "Equalize",
}
ALL = {"color_jitter": 1.0, "rand_augment": (2, 9), "erasing": 1.0}


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def picture(seed=0, height=48, width=60):
    """A smooth frame without white, so that equalize and autocontrast have something to do."""
    coarse = torch.rand(1, 3, 6, 8, generator=seeded(seed)) * 190 + 20
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return smooth.round().to(torch.uint8)


def still(frames=4, **options):
    return picture(**options).repeat(frames, 1, 1, 1)


def all_frames_equal(clip):
    return bool((clip == clip[:1]).all())


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("strength", [-1.0, -0.3, 0.3, 1.0])
def test_an_operation_is_the_same_for_every_frame(name, strength):
    clip = still()
    changed = apply_operation(clip, name, strength)
    assert changed.shape == clip.shape and changed.dtype == torch.uint8
    assert all_frames_equal(changed)
    assert torch.equal(changed, clip) == (name == "identity")


@pytest.mark.parametrize("seed", range(6))
def test_jitter_and_erasing_are_the_same_for_every_frame(seed):
    clip = still()
    for changed in (jitter_colors(clip, seeded(seed)), erase(clip, seeded(seed))):
        assert changed.shape == clip.shape and changed.dtype == torch.uint8
        assert all_frames_equal(changed) and not torch.equal(changed, clip)
    assert torch.equal(clip, still())  # the clip given is left as it was
    assert all_frames_equal(augment(clip, **ALL, generator=seeded(seed)))


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("magnitude", [0, 1, 9, 15, 30])
def test_operations_and_ranges_are_torchvisions(name, magnitude):
    image = picture()
    mean = image.float().mean((0, 2, 3)).tolist()
    theirs = RandAugment(1, magnitude, interpolation=InterpolationMode.BILINEAR, fill=mean)
    theirs._AUGMENTATION_SPACE = {NAMES[name]: theirs._AUGMENTATION_SPACE[NAMES[name]]}
    assert set(NAMES.values()) == set(RandAugment._AUGMENTATION_SPACE)
    expected = theirs(image)
    signs = (1, -1)
    ours = [apply_operation(image, name, sign * magnitude / 30) for sign in signs]
    # Both signs are drawn there: one of ours must be it.
    difference = min((one.int() - expected.int()).abs().max() for one in ours)
    assert difference <= 1, difference


@pytest.mark.parametrize("name", ["contrast", "autocontrast", "equalize"])
def test_a_colour_goes_to_the_same_colour_in_every_frame(name):
    clip = torch.cat([picture(1), picture(2) // 2, picture(3)])
    changed = apply_operation(clip, name, 0.5)
    for channel in range(3):
        before, after = clip[:, channel].flatten(), changed[:, channel].flatten()
        for value in before.unique().tolist()[::7]:
            assert len(after[before == value].unique()) == 1


@pytest.mark.parametrize("size", [(48, 48), (30, 90), (3, 4), (1, 1)])
def test_what_is_erased_is_one_rectangle_of_the_mean_colour(size):
    clip = torch.full((3, 3, *size), 200, dtype=torch.uint8)
    clip[:, :, 0, 0] = 0
    shares = []
    for seed in range(60):
        erased = erase(clip.random_(0, 120, generator=seeded(seed)), seeded(seed))
        mean = clip.float().mean((0, 2, 3)).round().to(torch.uint8).view(3, 1, 1)
        box = (erased == mean).all(0).all(0)
        rows, columns = box.any(1).nonzero().flatten(), box.any(0).nonzero().flatten()
        assert len(rows) and len(columns)
        changed = (erased != clip).any(0).any(0)
        assert (box | ~changed).all()
        shares.append(float(changed.float().mean()))
    if min(size) > 20:
        assert 0.01 < min(shares) < 0.08 and 0.25 < max(shares) < 0.36


def test_a_clip_depends_on_its_generator_alone():
    clip = torch.cat([picture(seed) for seed in range(4)])
    state = torch.random.get_rng_state()
    first = augment(clip, **ALL, generator=seeded(3))
    assert torch.equal(state, torch.random.get_rng_state())
    torch.manual_seed(99)
    assert torch.equal(first, augment(clip, **ALL, generator=seeded(3)))
    assert not torch.equal(first, augment(clip, **ALL, generator=seeded(4)))


def test_with_all_off_the_clip_comes_back_and_nothing_is_drawn():
    clip, generator = still(), seeded(1)
    before = generator.get_state()
    assert augment(clip, generator=generator) is clip
    assert torch.equal(generator.get_state(), before)


def test_probabilities_are_met():
    clip = still(1, height=8, width=8)
    for name in ("color_jitter", "erasing"):
        changed = sum(
            augment(clip, **{name: 0.25}, generator=seeded(seed)) is not clip for seed in range(400)
        )
        assert 70 <= changed <= 130


def test_what_is_no_clip_or_no_operation_is_refused():
    with pytest.raises(TransformError, match="not uint8"):
        augment(still().float(), generator=seeded(0))
    with pytest.raises(TransformError, match="operation"):
        apply_operation(still(), "swirl", 0.5)
    with pytest.raises(TransformError, match="strength"):
        apply_operation(still(), "rotate", 1.5)
