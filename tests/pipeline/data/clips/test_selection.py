"""Fine-tuning's segments: whole frames share batches by shape, held-out videos validate and never train."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from helpers.seen_videos import SIZES, encode, pictures
from helpers.small_runs import SMALL, error_line, tada
from torchvision.transforms.v2 import functional as F

from pipeline.configuration.reading import find_config, load_config
from pipeline.data import annotations
from pipeline.data.clips import selection as training_segments_module
from pipeline.data.clips.selection import aspect_shapes, shapes_of, training_segments
from pipeline.data.clips.training import Clips, clip_batches, epoch_clips
from pipeline.data.hold_out import hold_out_videos
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError
from pipeline.training.networks import classifier

NEARLY_WIDE = (62, 32)  # shares batches with 64 x 32
SHAPES = dict(SIZES) | {"nearly": NEARLY_WIDE}
WHOLE = ("finetune.crop=whole", "finetune.flip=0.5", "finetune.checkpoint_seconds=0.0001")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Two training videos and a validation video of each shape; three segments each."""
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "videos").mkdir()
    rows = []
    for name, size in SHAPES.items():
        for number, subset in enumerate(("training", "training", "validation")):
            video = f"{name}_{number}"
            frames = pictures(size, len(rows), count=40)
            encode(folder / "videos" / f"{video}.mp4", frames)
            rows += [(video, s, s + 1.3, "ab"[(s + number) % 2], subset) for s in range(3)]
    table = pd.DataFrame(rows, columns=["video", "start", "end", "label", "subset"])
    table.to_csv(folder / "annotations.csv", index=False)
    return folder


def fields(data, *more):
    pairs = [assignment.split("=", 1) for assignment in [*SMALL, *WHOLE, *more]]
    values = dict(pairs) | {"runtime.workers": "0", "dataset.videos": str(data / "videos")}
    return values | {"dataset.annotations": str(data / "annotations.csv")}


def config(data, *more):
    values = {key: yaml.safe_load(text) for key, text in fields(data, *more).items()}
    return load_config(find_config("demo"), values)


def options(data, run, *more):
    line = ["--config", "demo", "--run-dir", str(run), "--device", "cpu"]
    return line + [
        part for pair in fields(data, *more).items() for part in ("--set", "=".join(pair))
    ]


def segments_of(data, *more):
    chosen = config(data, *more)
    dataset = annotations.load_annotations(chosen.dataset)
    return chosen, *training_segments(chosen, dataset, LeftOut("test"))


def test_nearly_equal_aspects_have_one_number_and_others_their_own():
    sizes = {
        "a": (64, 32),
        "b": (62, 32),
        "c": (128, 64),
        "d": (32, 64),
        "e": (53, 37),
        "f": (8, 8),
    }
    infos = {name: SimpleNamespace(width=w, height=h) for name, (w, h) in sizes.items()}
    number = dict(zip(sizes, shapes_of(list(sizes), infos).tolist(), strict=True))
    assert number["a"] == number["b"] == number["c"] == -number["d"] and number["f"] == 0
    assert len(set(number.values())) == 4
    # A video that cannot be looked at is taken to be like most.
    assert shapes_of(["d", "x", "d", "f"], infos).tolist() == [number["d"]] * 3 + [0]
    assert shapes_of(["x", "y"], {}).tolist() == [0, 0]


def test_shapes_are_those_of_the_files(mixed):
    _, train, validation = segments_of(mixed)
    assert validation.shapes is None  # stacked by what they are
    assert train.shapes.tolist() == aspect_shapes(train, 0).tolist()
    of_video = {video.split("_")[0]: s for video, s in zip(train.videos, train.shapes, strict=True)}
    assert of_video["wide"] == of_video["nearly"] and len(set(of_video.values())) == 4
    _, square, _ = segments_of(mixed, "finetune.crop=32")
    assert square.shapes is None


def test_the_main_process_looks_at_the_videos_for_all(mixed, monkeypatch):
    _, train, _ = segments_of(mixed)
    told = list(range(len(train)))
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(training_segments_module, "look_at_ends", None)  # looks at nothing itself
    monkeypatch.setattr(
        training_segments_module.distributed, "from_main_process", lambda make: told
    )
    assert aspect_shapes(train, 0).tolist() == told


def test_batches_are_of_one_shape_and_an_epoch_has_every_clip(mixed):
    chosen, train, _ = segments_of(mixed, "finetune.clips_per_segment=2")
    counts = set()
    for epoch in range(5):
        batches = epoch_clips(train, chosen.finetune, epoch)
        counts.add(len(batches))
        assert sorted(chain(*batches)) == list(range(60))
        for batch in batches:
            assert len(set(train.shapes[np.array(batch) % 30])) == 1
            assert 2 <= len(batch) <= chosen.finetune.batch_size + 1
    assert len(counts) == 1
    assert epoch_clips(train, chosen.finetune, 0) != epoch_clips(train, chosen.finetune, 1)


def test_clips_are_whole_and_nearly_equal_ones_trimmed_to_the_narrowest(mixed):
    chosen, train, _ = segments_of(mixed)
    settings = chosen.finetune
    seen, trimmed = Counter(), 0
    batches = clip_batches(train, settings, LeftOut("test"), workers=0, epoch=0, step=0)
    plan = [
        batch for epoch in range(settings.epochs) for batch in epoch_clips(train, settings, epoch)
    ]
    epochs = [e for e in range(settings.epochs) for _ in epoch_clips(train, settings, e)]
    samples = Clips(train, settings)
    for numbers, epoch, batch in zip(plan, epochs, batches, strict=True):
        side = min(batch["clip"].shape[-2:])
        assert 32 <= side <= 36
        clips = [samples[epoch, number, side]["clip"] for number in numbers]
        for name, clip, given in zip(batch["names"], clips, batch["clip"], strict=True):
            width, height = SHAPES[name.split("_")[0]]
            wanted = [int(side * length / min(width, height)) for length in (height, width)]
            assert clip.shape[-2:] == tuple(wanted)  # whole
            assert torch.equal(given, F.center_crop(clip, given.shape[-2:]))
            trimmed += given.shape != clip.shape
            seen[given.shape[-2:]] += 1
        assert batch["clip"].shape[-1] == min(clip.shape[-1] for clip in clips)
    assert trimmed and len({w > h for h, w in seen}) == 2


def test_mixed_shapes_train_and_a_killed_training_goes_on(mixed, tmp_path, monkeypatch):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    done = tada("finetune", *options(mixed, whole))
    assert done.exit_code == 0 and "extract_top1" in done.output, done.output
    taken, loss = [], classifier.classification_loss

    class Killed(BaseException):
        pass

    def killed(*arguments):
        taken.append(1)
        if len(taken) == 11:  # of 9 or so an epoch
            raise Killed
        return loss(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(classifier, "classification_loss", killed)
        with pytest.raises(Killed):
            tada("finetune", *options(mixed, resumed))
    done = tada("finetune", *options(mixed, resumed))
    assert done.exit_code == 0 and "resuming from epoch 2" in done.output, done.output
    one, two = (
        torch.load(run / "finetune/model.pt", weights_only=True)["model"]
        for run in (whole, resumed)
    )
    assert all(torch.equal(one[key], two[key]) for key in one)
    histories = [(run / "finetune/history.json").read_text() for run in (whole, resumed)]
    assert histories[0] == histories[1]


def test_one_unreadable_video_makes_no_batches_of_its_own(mixed, tmp_path):
    data = tmp_path / "data"
    (data / "videos").mkdir(parents=True)
    for path in (mixed / "videos").iterdir():
        (data / "videos" / path.name).symlink_to(path)
    (data / "annotations.csv").write_text((mixed / "annotations.csv").read_text())
    (data / "videos/odd_1.mp4").unlink()
    (data / "videos/odd_1.mp4").write_bytes(b"no video")
    refused = tada("finetune", *options(data, tmp_path / "refused"))
    assert "video odd_1" in error_line(refused)
    done = tada("finetune", *options(data, tmp_path / "run", "runtime.allow_failures=1"))
    assert done.exit_code == 0 and "video odd_1 is left out" in done.output, done.output


def test_held_out_videos_validate_and_never_train(mixed):
    _, train, validation = segments_of(mixed)
    assert {video[-1] for video in train.videos} == {"0", "1"}
    assert {video[-1] for video in validation.videos} == {"2"}
    videos = list(dict.fromkeys(train.videos))
    for seed in range(3):
        held = ("dataset.hold_out=0.4", f"finetune.seed={seed}")
        _, some, judging = segments_of(mixed, *held)
        expected = hold_out_videos(videos, 0.4, seed)
        assert (list(dict.fromkeys(some.videos)), list(dict.fromkeys(judging.videos))) == expected
        assert len(some) + len(judging) == len(train) and len(some.shapes) == len(some)


@pytest.mark.parametrize("more", [("finetune.keep=best",), ("finetune.patience=2",)])
def test_the_log_says_which_videos_choose(mixed, more, capsys):
    _, _, judging = segments_of(mixed, "dataset.hold_out=0.4", *more)
    count = len(set(judging.videos))
    said = capsys.readouterr().err
    assert f"chosen by {count} training videos held out (dataset.hold_out)" in said
    segments_of(mixed, *more)
    said = capsys.readouterr().err
    assert "chosen by the 5 videos of validation, which flatters the figures" in said
    segments_of(mixed, "dataset.hold_out=0.4")
    assert "chosen" not in capsys.readouterr().err


def test_nothing_to_train_on_is_one_line(mixed):
    with pytest.raises(UserError, match="no segment to train on"):
        segments_of(mixed, "dataset.train_subset=none", "dataset.eval_subset=training")
