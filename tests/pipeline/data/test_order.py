"""The order of samples: another one each epoch, and complete."""

from __future__ import annotations

from pipeline.data.order import epoch_order
from pipeline.seeds import step_seed


def test_epochs_are_shuffled_differently_and_completely():
    first, second = (epoch_order(10, 4, 0, epoch) for epoch in (0, 1))
    assert [len(batch) for batch in first] == [4, 4, 2]
    assert sorted(sum(first, [])) == sorted(sum(second, [])) == list(range(10))
    assert first != second and first == epoch_order(10, 4, 0, 0)
    assert len({step_seed(s, e, i) for s in range(5) for e in range(5) for i in range(40)}) == 1000
