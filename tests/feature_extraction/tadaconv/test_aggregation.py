"""Temporal aggregation (Eq. 7, Table 3b), against pooling frame by frame."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from feature_extraction.tadaconv.aggregation import (
    FrameNorm,
    TemporalAggregation,
    aggregation_of,
    average_over_time,
    maximum_over_time,
)
from feature_extraction.tadaconv.layout import to_frames


def pooled(frames, kind, length, kernel):
    """Pooling over time, frame by frame."""
    clips = frames.unflatten(0, (-1, length))
    outputs = []
    for t in range(length):
        near = clips[:, max(0, t - kernel // 2) : t + kernel // 2 + 1]
        average, largest = near.sum(1) / kernel, near.amax(1)
        outputs.append({"average": average, "maximum": largest, "mixed": average + largest}[kind])
    return torch.stack(outputs, 1).flatten(0, 1)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("length", [1, 2, 6])
def test_temporal_average_counts_the_padding(kernel, length):
    clips = torch.randn(2, 4, length, 3, 5)
    padded = F.pad(clips, (0, 0, 0, 0, kernel // 2, kernel // 2))
    expected = F.avg_pool3d(padded, (kernel, 1, 1), stride=1)
    torch.testing.assert_close(
        average_over_time(to_frames(clips), length, kernel), to_frames(expected)
    )


@pytest.mark.parametrize("kind", ["average", "maximum", "mixed"])
@pytest.mark.parametrize(
    ("shortcut", "separate"), [(False, True), (False, False), (True, False), (True, True)]
)
@pytest.mark.parametrize(("kernel", "length"), [(3, 1), (3, 6), (5, 3), (1, 2)])
def test_aggregations_are_those_of_table_3b(kind, shortcut, separate, kernel, length):
    torch.manual_seed(0)
    options = {"kernel": kernel, "shortcut": shortcut, "separate_norms": separate}
    module = aggregation_of(kind, **options)(4)
    frames = torch.randn(2 * length, 4, 3, 5)
    plain = FrameNorm(4)(frames.clone(), length)
    if shortcut and separate:  # starts as without aggregation
        torch.testing.assert_close(module(frames.clone(), length), plain)
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 1 + (shortcut and separate)
    for norm in norms:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.running_mean)
    module.eval()
    aside = pooled(frames, kind, length, kernel)
    if shortcut and separate:
        expected = module.norm(frames) + module.pooled_norm(aside)
    else:
        expected = module.norm(frames + aside if shortcut else aside)
    torch.testing.assert_close(module(frames.clone(), length), F.relu(expected))


def test_aggregation_by_name():
    assert isinstance(aggregation_of("none")(4), FrameNorm)
    assert isinstance(aggregation_of("average")(4), TemporalAggregation)  # the folded, fast one
    for options in ({"shortcut": False}, {"separate_norms": False}):
        with pytest.raises(ValueError, match="have no effect"):
            aggregation_of("none", **options)
    with pytest.raises(ValueError, match="none, average, maximum, mixed, not 'max'"):
        aggregation_of("max")
    with pytest.raises(ValueError, match="pool_kernel"):
        aggregation_of("maximum", kernel=2)(4)
    half = torch.randn(6, 2, 3, 3).bfloat16()
    assert maximum_over_time(half, 3, 3).dtype == torch.bfloat16
