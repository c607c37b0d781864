"""Which videos train, which of their segments are learnt, and what is reported about the others."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.sequences.holding import samples_digest, training_videos, videos_holding
from pipeline.errors import UserError


def test_segments_are_cut_where_their_video_ends_and_counted(store, settings, dataset, rows):
    table = rows(("short", 2, 7, "jump"), ("short", 15, 30, "swim"), ("short", 19.7, 22, "run"))
    (sample,), counts = training_videos(store, settings(), dataset, table, ["short"])
    assert (sample.video, sample.length) == ("short", 20)
    np.testing.assert_allclose(sample.segments, [[1.5, 6.5], [14.5, 19.0]])  # 19.5 s is the end
    assert sample.classes.tolist() == [[1], [2]]
    assert counts == {
        "end after the decoded video's end, cut there": 2,
        "begin after the decoded video's end, left out": 1,
    }


def test_a_segment_without_a_position_is_counted_and_its_video_trains(
    store, settings, dataset, rows
):
    table = rows(("short", 2, 7, "jump"), ("short", 9.6, 10.4, "run"), ("long", 1, 9, "run"))
    samples, counts = training_videos(store, settings(), dataset, table, ["short", "long"])
    assert [len(sample.segments) for sample in samples] == [2, 1]
    assert counts == {"contain no position that learns them": 1}, "between the middles of two cells"


def test_where_no_segment_is_learnt_nothing_is_trained(store, settings, dataset, rows):
    table = rows(("short", 9.6, 10.4, "run"))
    with pytest.raises(UserError, match="no position learns any of the 1 training segments; set"):
        training_videos(store, settings(), dataset, table, ["short"])
    far = settings(ranges=((50, 60), (60, 70), (70, 80)))
    with pytest.raises(UserError, match=r"set actionformer\.ranges"):
        training_videos(store, far, dataset, rows(("short", 2, 7, "run")), ["short"])


def test_a_segment_is_of_no_class_where_there_are_none(store, settings, dataset, rows):
    table = rows(("short", 2, 7, "jump"))
    (sample,), _ = training_videos(store, settings(classes="none"), dataset, table, ["short"])
    assert sample.classes.shape == (1, 0)


def test_what_is_judged_may_hold_nothing(store, settings, dataset, rows):
    found, _, learning = videos_holding(
        store, settings(), dataset, rows(("short", 9.6, 10.4, "run")), ["short"]
    )
    assert len(found) == 1 and learning == 0


@pytest.mark.parametrize("change", [
    lambda table: table.assign(end=table["end"] + 0.01), lambda table: table.assign(label="swim"),
    lambda table: table.iloc[:1], lambda table: table.assign(video="long"),
])  # fmt: skip
def test_other_samples_have_another_digest(store, settings, dataset, rows, change):
    table = rows(("short", 2, 7, "jump"), ("short", 9, 14, "run"))

    def digest(table, **keys):
        videos = list(table["video"].unique())
        return samples_digest(training_videos(store, settings(**keys), dataset, table, videos)[0])

    assert digest(table) == digest(table) != digest(change(table))
    assert digest(table) != digest(table, feature_step=2)
