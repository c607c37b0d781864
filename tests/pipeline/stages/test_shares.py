"""Shares of the videos: together they are all, of about equal length, the same whenever they are asked for."""

from __future__ import annotations

from itertools import chain

import pandas as pd
import pytest

from pipeline.data.annotations import Dataset
from pipeline.data.videos.failures import Failure, write_failures
from pipeline.run_folder.joined.sharing import at_work
from pipeline.shards import Shard
from pipeline.stages.shares import Shares, failed_elsewhere, lengths_of


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("annotated", [True, False])
def test_shares_are_all_videos_by_their_length(tmp_path, size, annotated):
    """By the seconds the annotations tell, else by the bytes of the files."""
    lengths = (900, 100, 300, 300, 200)
    paths = {str(number): tmp_path / f"{number}.mp4" for number in range(len(lengths))}
    for path, length in zip(paths.values(), lengths, strict=True):
        path.write_bytes(bytes(7 if annotated else length))
    seconds = [float(length) if annotated else float("nan") for length in lengths]
    table = pd.DataFrame({"video": list(paths), "duration": seconds})
    weights = lengths_of(list(paths), paths, Dataset(pd.DataFrame(), table, (("a",),)))
    shares = [Shares(list(paths), weights).of(Shard(place, size)) for place in range(size)]
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
    orders = [Shares(videos, [1.0] * 8).of(Shard(place, 0)) for place in range(4)]
    assert all(sorted(order) == videos for order in orders)
    assert len({order[0] for order in orders}) == 4
    assert Shares(videos, range(8)).of(None) == videos[::-1]


def test_what_failed_before_waits_for_who_has_it_in_its_share_and_is_at_work(tmp_path):
    shares = Shares(["a", "b", "c", "d"], [4, 3, 2, 1])
    assert [shares.of(Shard(place, 2)) for place in (0, 1)] == [["a", "d"], ["b", "c"]]
    write_failures(tmp_path, "extract", {video: Failure("bad", 1) for video in "abcd"})
    with at_work(tmp_path) as work, at_work(tmp_path) as other:
        work.fail("a", {"reason": "bad"})

        def known(**said: str) -> str:
            other.member.sign(by="x", **said)
            return "".join(failed_elsewhere(tmp_path, "abcd", shares, Shard(0, 2), work))

        assert "".join(failed_elsewhere(tmp_path, "abcd", shares, Shard(0, 2), work)) == "bc"
        assert known(shard="0/2") == "bc"
        assert known(shard="1/2") == "", "it is at work, and tries them again"
        assert known(shard="2/4") == "b"
        assert known(shard="") == "", "it takes part in all"
        other.member.leave()
        assert "".join(failed_elsewhere(tmp_path, "abcd", shares, Shard(0, 2), work)) == "bc"
