"""Which training videos choose the epoch: by id and seed alone, never none nor all of several."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_runs import options, tada, without_stages

from pipeline.config import find_config, load_config
from pipeline.hold_out import chosen_by, hold_out_videos
from pipeline.stages import bmn, finetune

VIDEOS = [f"P{person:02d}/P{person:02d}_{video}" for person in range(40) for video in range(25)]


def test_the_share_is_held_out_and_every_video_is_on_one_side():
    train, held = hold_out_videos(VIDEOS, 0.2, 0)
    assert sorted(train + held) == sorted(VIDEOS) and not set(train) & set(held)
    assert 160 < len(held) < 240
    assert hold_out_videos(VIDEOS, 0.2, 0) == (train, held)
    assert set(hold_out_videos(VIDEOS, 0.2, 1)[1]) != set(held)
    assert set(held) <= set(hold_out_videos(VIDEOS, 0.4, 0)[1])


def test_neither_order_nor_other_videos_change_a_videos_side():
    _, held = hold_out_videos(VIDEOS, 0.2, 3)
    shuffled = random.Random(0).sample(VIDEOS, len(VIDEOS))
    train, same = hold_out_videos(shuffled, 0.2, 3)
    assert set(same) == set(held)
    assert train == [video for video in shuffled if video not in set(held)]
    _, more = hold_out_videos([*VIDEOS, "another", "one more"], 0.2, 3)
    assert set(more) - {"another", "one more"} == set(held)
    _, fewer = hold_out_videos(VIDEOS[:500], 0.2, 3)
    assert set(fewer) == set(held) & set(VIDEOS[:500])


@given(st.integers(2, 6), st.floats(1e-6, 0.999), st.integers(0, 50))
def test_of_a_few_videos_some_train_and_some_are_held_out(count, share, seed):
    train, held = hold_out_videos([f"v{k}" for k in range(count)], share, seed)
    assert train and held and len(train) + len(held) == count


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_one_video_trains(share):
    assert hold_out_videos(["a"], share, 0) == (["a"], [])
    assert hold_out_videos([], share, 0) == ([], [])


def test_nothing_is_held_out_unless_asked():
    assert hold_out_videos(VIDEOS, 0.0, 0) == (VIDEOS, [])


def test_who_chooses_is_said():
    held = load_config(find_config("demo"), {"dataset.hold_out": 0.2})
    assert chosen_by(held, 3).endswith("by 3 training videos held out (dataset.hold_out)")
    line = chosen_by(load_config(find_config("demo"), {}), 7)
    assert "by the 7 videos of validation, which flatters" in line and "hold_out=0.2" in line


def test_both_trainings_go_without_the_videos_that_judge_them(data, tmp_path, monkeypatch):
    run = tmp_path / "run"
    held = ("dataset.hold_out=0.3", "finetune.keep=best", "bmn.keep=best")
    seen = {}
    for stage, name in ((finetune, "_train"), (bmn, "_fit")):
        monkeypatch.setattr(stage, name, noting(getattr(stage, name), stage, seen))
    done = tada("run", *options(data, run, *held))
    assert done.exit_code == 0, done.output
    for stage in (finetune, bmn):
        train, judging = seen[stage]
        assert (sorted(train), sorted(judging)) == tuple(
            map(sorted, hold_out_videos([f"training_{n:03d}" for n in range(4)], 0.3, 0))
        )
    for stage in ("finetune", "bmn"):
        count = len(judging)
        assert f"{stage}: the epoch is chosen by {count} training videos held out" in done.output
        assert f"{stage}: kept the weights of" in done.output and "val_total" in done.output
    assert f"windows of {4 - count} videos on" in done.output
    assert "flatters" not in done.output


def noting(work, stage, seen):
    """Work that notes the videos of its training and of its judging samples."""

    def noted(*arguments):
        train, judging = arguments[2:4] if stage is finetune else arguments[3:5]
        names = (
            set(s.videos) if stage is finetune else {w.video for w in s} for s in (train, judging)
        )
        seen[stage] = tuple(names)
        return work(*arguments)

    return noted


def test_chosen_by_the_evaluation_videos_it_is_said_to_flatter(whole, data, tmp_path):
    run = tmp_path / "run"
    without_stages(whole, run, "bmn")
    done = tada("bmn", *options(data, run, "bmn.keep=best", "bmn.patience=1"))
    assert done.exit_code == 0, done.output
    assert "bmn: the epoch is chosen by the 2 videos of validation, which flatters" in done.output
    plain = tmp_path / "plain"
    without_stages(whole, plain, "bmn")
    done = tada("bmn", *options(data, plain))
    assert "chosen" not in done.output and "val_total" not in done.output
