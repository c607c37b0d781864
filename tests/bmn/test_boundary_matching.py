"""The projected-then-sampled layer against the dense mask and Conv3d."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bmn.boundary_matching import (
    BoundaryMatching,
    sampling_rows,
    sparse_product,
    transpose_rows,
    valid_cells,
)
from bmn.errors import BMNError


def dense_mask(rows, temporal_scale, duration_scale, num_samples):
    """Our sparse rows as the dense mask [T, N * D * T]."""
    cells = valid_cells(temporal_scale, duration_scale)
    mask = np.zeros((duration_scale * temporal_scale, temporal_scale * num_samples), np.float32)
    cell = np.repeat(cells, np.diff(rows.offsets.numpy()))
    mask[cell, rows.indices.numpy()] = rows.weights.numpy()
    mask = mask.reshape(duration_scale, temporal_scale, temporal_scale, num_samples)
    return mask.transpose(2, 3, 0, 1).reshape(temporal_scale, -1)


def textbook_mask(temporal_scale, duration_scale, num_samples, per_bin, ratio):
    """The sampling rule, a point at a time."""
    mask = np.zeros((temporal_scale, num_samples, duration_scale, temporal_scale))
    points = num_samples * per_bin
    for d in range(duration_scale):
        for s in range(temporal_scale - d):
            low, high = s - (d + 1.0) * ratio, s + d + (d + 1.0) * ratio
            step = (high - low) / (points - 1.0)
            for k in range(points):
                share, whole = math.modf(low + step * k)
                for position, weight in (
                    (int(whole), 1 - share),
                    (math.ceil(low + step * k), share),
                ):
                    if 0 <= position < temporal_scale:
                        mask[position, k // per_bin, d, s] += weight / per_bin
    return mask.reshape(temporal_scale, -1)


def test_mask_equals_the_public_one_exactly(reference):
    mask = reference("bmn.npz")["state/head.sample_mask"]
    rows = sampling_rows(40, 20, 32, 3, 0.5)
    assert np.array_equal(dense_mask(rows, 40, 20, 32), mask)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(1, 5),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
def test_mask_equals_the_textbook(temporal, duration, samples, per_bin, ratio):
    duration = min(duration, temporal)
    if samples * per_bin < 2:
        samples = 2
    rows = sampling_rows(temporal, duration, samples, per_bin, ratio)
    ours = dense_mask(rows, temporal, duration, samples)
    assert np.abs(ours - textbook_mask(temporal, duration, samples, per_bin, ratio)).max() < 1e-6


def test_transposed_rows_are_the_transpose():
    rows = sampling_rows(9, 5, 4, 2, 0.5)
    back = transpose_rows(transpose_rows(rows, 36), len(rows.offsets) - 1)
    table = torch.randn(1, 36, 3, dtype=torch.float64)
    grad = torch.randn(1, len(rows.offsets) - 1, 3, dtype=torch.float64)
    forward = sparse_product(table, rows, transpose_rows(rows, 36))
    backward = sparse_product(grad, transpose_rows(rows, 36), rows)
    assert torch.allclose((forward * grad).sum(), (table * backward).sum())
    assert torch.equal(back.offsets, rows.offsets)


def dense_layer(layer, features, mask):
    """Sample everything with the dense mask, then Conv3d: [B, out, D, T]."""
    num_samples = layer.weight.shape[0]
    weight = layer.weight.permute(1, 2, 0)[..., None, None]
    sampled = (features @ mask).unflatten(2, (num_samples, layer.duration_scale, -1))
    return torch.nn.functional.conv3d(sampled, weight, layer.bias).squeeze(2)


@pytest.mark.parametrize("sizes", [(13, 13), (20, 7), (1, 1)])
def test_layer_equals_the_dense_form_with_gradients(sizes):
    temporal, duration = sizes
    torch.manual_seed(0)
    layer = BoundaryMatching(6, 5, temporal, duration, num_samples=8, samples_per_bin=3).double()
    mask = torch.from_numpy(textbook_mask(temporal, duration, 8, 3, 0.5))
    features = torch.randn(3, 6, temporal, dtype=torch.float64, requires_grad=True)
    inputs = (features, layer.weight, layer.bias)
    ours = layer.to_map(layer(features), layer.bias)
    dense = dense_layer(layer, features, mask)
    assert torch.allclose(ours, dense, atol=1e-6)
    weighting = torch.randn_like(dense)
    for mine, theirs in zip(
        torch.autograd.grad((ours * weighting).sum(), inputs),
        torch.autograd.grad((dense * weighting).sum(), inputs),
        strict=True,
    ):
        assert torch.allclose(mine, theirs, rtol=1e-5, atol=1e-5)


def test_gradients_of_first_and_second_order():
    layer = BoundaryMatching(2, 3, 5, 4, num_samples=2, samples_per_bin=2).double()
    features = torch.randn(2, 2, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, features)
    assert torch.autograd.gradgradcheck(layer, features)


def test_batched_equals_single():
    layer = BoundaryMatching(4, 6, 10, 8, num_samples=4)
    features = torch.randn(3, 4, 10)
    single = torch.cat([layer(row[None]) for row in features])
    assert torch.allclose(layer(features), single, atol=1e-6)


def test_runs_under_bf16_autocast():
    layer = BoundaryMatching(8, 6, 10, 8, num_samples=4)
    features = torch.randn(2, 8, 10, requires_grad=True)
    exact = layer(features)
    with torch.autocast("cpu", torch.bfloat16):
        rough = layer(features)
    rough.float().sum().backward()
    assert rough.dtype == torch.bfloat16
    assert (rough - exact).abs().max() < 0.03 * exact.abs().max()
    assert layer.weight.grad.isfinite().all()


def test_sampling_tables_are_not_in_the_state():
    assert set(BoundaryMatching(2, 3, 5, 4).state_dict()) == {"weight", "bias"}


@pytest.mark.parametrize(
    ("sizes", "options", "word"),
    [
        ((5, 6), {}, "longer"),
        ((0, 0), {}, "positive"),
        ((5, 5), {"num_samples": 1, "samples_per_bin": 1}, "2 or more"),
        ((5, 5), {"boundary_ratio": -1.0}, "negative"),
    ],
)
def test_bad_sizes_are_refused(sizes, options, word):
    with pytest.raises(BMNError, match=word):
        BoundaryMatching(2, 3, *sizes, **options)


def test_wrong_length_is_refused():
    with pytest.raises(BMNError, match="6 positions"):
        BoundaryMatching(2, 3, 5, 4)(torch.zeros(1, 2, 6))
