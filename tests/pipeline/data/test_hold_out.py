"""Which training videos choose the epoch: by id and seed alone, never none nor all of several."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest
from helpers.small_runs import error_line, options, tada, without_stages
from hypothesis import given
from hypothesis import strategies as st

from pipeline.configuration.reading import find_config, load_config
from pipeline.data.hold_out import chosen_by, held_out_line, hold_out_videos, require_use
from pipeline.errors import UsageError, UserError
from pipeline.stages import finetune
from pipeline.stages.heads import bmn, training
from pipeline.training.checkpoints import training_identity

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
    line = chosen_by(held.dataset, 3, held_out=True)
    assert line.endswith("by 3 training videos held out (dataset.hold_out)")
    line = chosen_by(load_config(find_config("demo"), {}).dataset, 7, held_out=False)
    assert "by the 7 videos of validation, which flatters" in line and "hold_out=0.2" in line
    # What is reported is what happened, not what was asked for: of a single video none is held out.
    line = chosen_by(held.dataset, 7, held_out=False)
    assert "by the 7 videos of validation, which flatters" in line and "two training videos" in line


def test_how_much_is_held_out_is_said():
    line = held_out_line(["a", "b", "a", "c"], ["a"])
    assert "1 of 3 training videos are held out" in line and "2 of 4 segments" in line


@pytest.mark.parametrize("stage", ["finetune", "bmn"])
def test_videos_held_out_for_nothing_are_refused(whole, data, tmp_path, stage):
    run = tmp_path / "run"
    if stage == "bmn":  # where no classifier was trained, which would have been refused before
        imported(whole, data, run, tmp_path / "features")
    refused = tada(
        stage, *options(data, run, "dataset.hold_out=0.3", "finetune.keep=last", "bmn.keep=last")
    )
    line = error_line(refused)
    assert refused.exit_code == 2 and "dataset.hold_out=0.3" in line
    assert "finetune.keep=best or finetune.patience or bmn.keep=best or bmn.patience" in line
    for more in ({"finetune.keep": "best"}, {"bmn.patience": 2}, {"dataset.hold_out": 0}):
        require_use(load_config(find_config("demo"), {"dataset.hold_out": 0.3} | more))
    alone = load_config(find_config("k400"), {"dataset.hold_out": 0.3, "finetune.keep": "last"})
    with pytest.raises(UsageError, match="finetune.patience, or dataset.hold_out=0"):
        require_use(alone)


def imported(whole, data, run, features):
    """A run on features that were taken from elsewhere."""
    assert tada("export-features", *options(data, whole), "--to", str(features)).exit_code == 0
    (features / "grid.json").unlink()
    line = ["import-features", *options(data, run), "--from", str(features)]
    done = tada(*line, "--fps", "15", "--stride", "4", "--frames", "8", "--interval", "4")
    assert done.exit_code == 0, done.output


def test_bmn_holds_out_what_fine_tuning_does_and_counts_what_trains(data, tmp_path):
    """Whatever the seed of its own training."""
    run = tmp_path / "run"
    more = (
        "dataset.hold_out=0.3",
        "finetune.epochs=1",
        "finetune.warmup_epochs=0",
        "bmn.keep=best",
        "bmn.seed=7",
        "bmn.epochs=1",
        "bmn.warmup_epochs=0",
    )
    for command in ("finetune", "extract", "bmn"):
        done = tada(command, *options(data, run, *more))
        assert done.exit_code == 0, done.output
    _, held = hold_out_videos([f"training_{n:03d}" for n in range(4)], 0.3, 0)
    assert (
        f"bmn: {len(held)} of 4 training videos are held out (dataset.hold_out), with"
        in done.output
    )
    assert f"windows of {4 - len(held)} videos on" in done.output


@pytest.mark.parametrize("stage", ["finetune", "bmn"])
def test_nothing_to_choose_the_epoch_by_is_one_line_before_training(whole, data, tmp_path, stage):
    """The evaluation subset has videos, and no segment that can be used."""
    run = tmp_path / "run"
    if stage == "bmn":
        without_stages(whole, run, "bmn")
    table = pd.read_csv(data / "annotations.csv")
    judging = table["subset"] == "validation"
    table.loc[judging, "end"] = table.loc[judging, "start"]
    table.to_csv(tmp_path / "empty.csv", index=False)
    more = ("--set", f"dataset.annotations={tmp_path / 'empty.csv'}")
    setting = (f"{stage}.keep=best", "bmn.mode=windows")
    refused = tada(stage, *options(data, run, *setting), *more)
    line = error_line(refused)
    assert "dataset.eval_subset 'validation' has no segment to choose the epoch by" in line
    assert "set dataset.hold_out, or keep: last" in line
    assert not (run / stage / "checkpoint.pt").exists()


def test_a_checkpoint_judged_by_other_segments_is_of_another_training(whole, data, tmp_path):
    prints = []

    def noted(model, task, settings, stage, device, log):
        prints.append(training_identity(stage.fingerprint, task.samples))
        raise UserError("noted")

    for stage, name in ((bmn, "training_and_judging"), (finetune, "training_segments")):
        prints.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training if stage is bmn else stage, "fit", noted)
            real = getattr(stage, name)
            for number in range(2):

                def fewer(*arguments, real=real, number=number, stage=stage):
                    train, other, *rest = real(*arguments)
                    keep = [index != number for index in range(len(other))]
                    if stage is bmn:
                        return (
                            train,
                            [w for w, kept in zip(other, keep, strict=True) if kept],
                            *rest,
                        )
                    return train, other.only(np.array(keep)), *rest

                patch.setattr(stage, name, fewer)
                run = tmp_path / f"{stage.__name__}.{number}"
                if stage is bmn:
                    without_stages(whole, run, "bmn")
                key = stage.__name__.rpartition(".")[2]
                for keep in ("best", "last"):
                    error_line(tada(key, *options(data, run, f"{key}.keep={keep}"), "--force"))
        assert prints[0] != prints[2] and prints[1] == prints[3]


def test_both_trainings_go_without_the_videos_that_judge_them(data, tmp_path, monkeypatch):
    run = tmp_path / "run"
    held = ("dataset.hold_out=0.3", "finetune.keep=best", "bmn.keep=best")
    seen = {}
    for stage in (finetune, bmn):
        monkeypatch.setattr(stage, "_task", noting(stage._task, stage, seen))
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
        train, judging = arguments[2:4]
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
