"""Shares of the videos: together they are all, of about equal length, the same whenever they are asked for."""

from __future__ import annotations

from itertools import chain

import pandas as pd
import pytest

from pipeline.data.annotations import Dataset
from pipeline.shards import Shard
from pipeline.stages.shares import lengths_of, share_of


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("told", [True, False])
def test_shares_are_all_videos_by_their_length(tmp_path, size, told):
    """By the seconds the annotations tell, else by the bytes of the files."""
    lengths = (900, 100, 300, 300, 200)
    paths = {str(number): tmp_path / f"{number}.mp4" for number in range(len(lengths))}
    for path, length in zip(paths.values(), lengths, strict=True):
        path.write_bytes(bytes(7 if told else length))
    seconds = [float(length) if told else float("nan") for length in lengths]
    table = pd.DataFrame({"video": list(paths), "duration": seconds})
    weights = lengths_of(list(paths), paths, Dataset(pd.DataFrame(), table, (("a",),)))
    shares = [share_of(Shard(place, size), list(paths), weights) for place in range(size)]
    assert sorted(chain(*shares)) == list(paths)
    if size == 2:  # one has the long one, the other all the rest
        assert sorted(map(len, shares)) == [1, 4]


def test_a_link_to_nowhere_weighs_nothing_until_it_is_read(tmp_path):
    (tmp_path / "a.mp4").symlink_to(tmp_path / "nowhere.mp4")
    table = pd.DataFrame({"video": ["a"], "duration": [float("nan")]})
    dataset = Dataset(pd.DataFrame(), table, (("a",),))
    assert lengths_of(["a", "b"], {"a": tmp_path / "a.mp4"}, dataset) == [0.0, 0.0]


def test_without_a_count_all_are_taken_each_process_beginning_elsewhere():
    videos = list("abcdefgh")
    orders = [share_of(Shard(place, 0), videos, [1.0] * 8) for place in range(4)]
    assert all(sorted(order) == videos for order in orders)
    assert len({order[0] for order in orders}) == 4
    assert share_of(None, videos, range(8)) == videos[::-1]
