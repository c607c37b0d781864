"""The order of samples: another one each epoch, and complete; each process has its share."""

from __future__ import annotations

from itertools import chain, pairwise

import numpy as np
import pytest

from pipeline.data.order import (
    TrainingPlan,
    deal,
    epoch_order,
    grouped_order,
    numbered,
    own_pieces,
    own_shard,
)
from pipeline.seeds import step_seed


def test_epochs_are_shuffled_differently_and_completely():
    first, second = (epoch_order(10, 4, 0, epoch) for epoch in (0, 1))
    assert [len(batch) for batch in first] == [4, 4, 2]
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(10))
    assert first != second and first == epoch_order(10, 4, 0, 0)
    assert epoch_order(10, 4, 1, 0) != first
    assert len({step_seed(s, e, i) for s in range(5) for e in range(5) for i in range(40)}) == 1000


def test_batches_of_groups_are_of_one_group_each_and_complete():
    groups = np.array([0, 1, 0, 0, 2, 1, 0, 0, 1, 0, 0, 0, 0])  # 9 of 0, 3 of 1, 1 of 2
    orders = [grouped_order(groups, 4, 0, epoch) for epoch in range(5)]
    for order in orders:
        assert sorted(chain(*order)) == list(range(13))
        assert all(len(set(groups[batch].tolist())) == 1 for batch in order)
        # The ninth of group 0 joins its others; group 2 has no others.
        assert sorted(map(len, order)) == [1, 3, 4, 5]
    assert orders[0] == grouped_order(groups, 4, 0, 0) != orders[1]
    assert any(order != sorted(order, key=lambda batch: groups[batch[0]]) for order in orders)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_shares_of_a_batch_are_the_batch(monkeypatch, size):
    batch = list("abcdefghij")
    monkeypatch.setenv("WORLD_SIZE", str(size))
    shares = []
    for rank in range(size):
        monkeypatch.setenv("RANK", str(rank))
        shares.append(own_shard(batch))
    assert list(chain(*shares)) == batch
    lengths = list(map(len, shares))
    assert max(lengths) - min(lengths) <= 1 and lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_pieces_of_a_batch_are_the_same_in_any_number_of_processes(monkeypatch, size, pieces):
    batch = list("abcdefghij")
    monkeypatch.setenv("WORLD_SIZE", str(size))
    found = [[] for _ in range(pieces)]
    for rank in range(size):
        monkeypatch.setenv("RANK", str(rank))
        items, numbers = own_pieces(batch, pieces)
        assert numbers == sorted(numbers) and set(numbers) == set(range(pieces))
        for item, number in zip(items, numbers, strict=True):
            found[number].append(item)
    bounds = [len(batch) * place // pieces for place in range(pieces + 1)]
    assert found == [batch[first:stop] for first, stop in pairwise(bounds)]


def test_no_piece_is_without_an_item_for_each_process(monkeypatch):
    assert own_pieces("abcde", 9) == (list("abcde"), [0, 1, 2, 3, 4])
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert own_pieces("abcde", 9) == (list("acd"), [0, 1, 1])
    monkeypatch.setenv("RANK", "1")
    assert own_pieces("abcde", 9) == (list("be"), [0, 1])


def test_what_is_dealt_weighs_about_the_same():
    weights = [5.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    dealt = deal(weights, 2)
    assert dealt == [[0], [1, 2, 3, 4, 5]]
    assert sorted(chain(*deal([3.0, 3.0, 2.0, 2.0, 2.0], 2))) == list(range(5))
    assert deal([], 3) == [[], [], []] and deal([1.0, 1.0], 3) == [[0], [1], []]


def test_a_plan_lists_an_epoch_when_it_comes_and_goes_on_where_it_was():
    listed = []

    def batches(epoch):
        listed.append(epoch)
        return epoch_order(10, 4, 0, epoch)

    def plan(epoch=0, step=0):
        return TrainingPlan(batches, numbered, epochs=4, pieces=2, epoch=epoch, step=step)

    whole = plan()
    keys = iter(whole)
    first = next(keys)
    assert listed == [0] and whole.places() == [0, 0, 1, 1]
    unbroken = [first, *keys]
    assert [key for keys in unbroken[:3] for key in keys] == [
        (0, number) for batch in epoch_order(10, 4, 0, 0) for number in batch
    ]
    assert list(plan(2, 1)) == unbroken[7:]
