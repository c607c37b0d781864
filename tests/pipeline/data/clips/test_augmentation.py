"""Augmented training clips: by their key alone, on the very clip that is read without."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from feature_extraction.augmentation import augment
from pipeline.configuration.reading import find_config, load_config
from pipeline.data.clips.segments import Segments
from pipeline.data.clips.training import Clips, clip_batches
from pipeline.data.videos.left_out import LeftOut
from pipeline.demo.dataset import make_dataset
from pipeline.seeds import step_seed

ON = {"color_jitter": 1.0, "rand_augment": [2, 9], "erasing": 1.0}


def settings(crop=32, **augmentation):
    fields = {"crop": crop, "short_side": [32, 36], "eval_short_side": 32, "epochs": 2}
    fields |= {"batch_size": 2, "warmup_epochs": 0, "frames": 4, "interval": 2}
    fields |= {f"augment.{key}": value for key, value in augmentation.items()}
    fields = {f"finetune.{key}": value for key, value in fields.items()}
    return load_config(find_config("demo"), fields).finetune


@pytest.fixture(scope="module")
def segments(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_dataset(folder, train_videos=2, val_videos=1, seconds=8.0)
    paths = {path.stem: path for path in sorted((folder / "videos").iterdir())}
    starts = np.array([0.5, 2.0, 4.0])
    return Segments(list(paths), starts, starts + 1.5, np.arange(3)[:, None], paths)


def test_a_clip_is_the_one_read_without_then_augmented(segments):
    plain, augmented = (Clips(segments, settings(**keys)) for keys in ({}, ON))
    for key in ((0, 0, None), (0, 2, None), (1, 4, 34)):
        generator = torch.Generator().manual_seed(step_seed(settings().seed, 11, *key[:2]))
        expected = augment(
            plain[key]["clip"],
            color_jitter=1.0,
            rand_augment=(2, 9),
            erasing=1.0,
            generator=generator,
        )
        torch.manual_seed(key[1])
        clip = augmented[key]["clip"]
        assert torch.equal(clip, expected) and not torch.equal(clip, plain[key]["clip"])


def test_whole_frames_are_augmented_too(segments):
    plain, augmented = (Clips(segments, settings("whole", **keys)) for keys in ({}, ON))
    clips = [samples[0, 1, 34]["clip"] for samples in (plain, augmented)]
    assert clips[0].shape == clips[1].shape and not torch.equal(*clips)


def test_worker_processes_and_a_resumed_training_read_the_same(segments):
    def read(workers, epoch=0, step=0):
        batches = clip_batches(
            segments, settings(**ON), LeftOut("test"), workers=workers, epoch=epoch, step=step
        )
        return [batch["clip"] for batch in batches]

    whole = read(0)
    for other in (read(2), [*whole[:1], *read(0, 1, 0)]):
        assert len(other) == len(whole) == 2
        assert all(torch.equal(a, b) for a, b in zip(whole, other, strict=True))
