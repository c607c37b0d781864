"""What differs between the trainings of the study of rounding: one unit in the last place."""

from __future__ import annotations

import pytest
import torch

from benchmarks.rounding_trainings import TYPES, move_one


@pytest.mark.parametrize("dtype", TYPES)
def test_one_weight_is_moved_by_one_unit_in_the_last_place(dtype):
    weight = torch.linspace(0.5, 0.9, 6, dtype=dtype).view(2, 3)
    before = weight.clone()
    move_one(weight, 4)
    moved = (weight - before).view(-1)
    assert moved[4] == torch.finfo(dtype).eps / 2  # of a number from 0.5 to 1
    assert moved.count_nonzero() == 1
