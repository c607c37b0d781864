"""Training clips: each by its key alone, batches in an unbroken order, unreadable ones left out."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from helpers.seen_videos import draw

from feature_extraction.video.opening import open_video
from pipeline.configuration.reading import find_config, load_config
from pipeline.data import kept_readers
from pipeline.data.clips import training
from pipeline.data.clips.segments import Segments, span_of
from pipeline.data.clips.training import Clips, clip_batches, epoch_clips, load_clips
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError
from pipeline.processes import distributed


def settings(**more):
    fields = {"crop": 24, "short_side": [32, 36], "eval_short_side": 32, "fps": 10, "frames": 4}
    fields |= {"interval": 2, "batch_size": 4, "epochs": 3, "warmup_epochs": 0, "flip": 0.5} | more
    fields = {f"finetune.{key}": value for key, value in fields.items()}
    return load_config(find_config("demo"), fields).finetune


@pytest.fixture(scope="module")
def segments(tmp_path_factory):
    """Two segments of each of four videos of other shapes, one of them a folder of frames."""
    paths = draw(tmp_path_factory.mktemp("videos"))
    starts = np.linspace(0.2, 4.0, 8)
    return Segments([*paths] * 2, starts, starts + 1.5, np.arange(8)[:, None] % 3, paths)


def same(one, two):
    return torch.equal(one["clip"], two["clip"]) and np.array_equal(one["target"], two["target"])


def test_a_clip_is_of_its_key_whatever_was_read_before(segments):
    one, two = Clips(segments, settings()), Clips(segments, settings())
    keys = [(epoch, number, None) for epoch in (0, 1) for number in (0, 3, 9)]
    first = {key: one[key] for key in keys}
    assert all(same(first[key], two[key]) for key in reversed(keys))
    for sample in first.values():
        assert sample["clip"].dtype == torch.uint8 and sample["clip"].shape == (4, 3, 24, 24)
    assert not torch.equal(first[0, 3, None]["clip"], first[1, 3, None]["clip"])
    assert not same(Clips(segments, settings(seed=1))[keys[0]], first[keys[0]])


def test_a_whole_file_read_from_a_proxy_is_as_long_as_its_video_says(segments):
    whole = replace(segments, ends=np.full(8, np.inf))
    told = replace(whole, lengths={segments.videos[0]: 2.25})
    with open_video(segments.paths[segments.videos[0]]) as reader:
        assert span_of(whole, 0, reader) == (segments.starts[0], reader.measure())
        assert span_of(told, 0, reader) == (segments.starts[0], 2.25)


def test_numbers_beyond_the_segments_are_further_clips_of_them(segments):
    clips = Clips(segments, settings())
    assert clips.video((0, 9, None)) == clips.video((0, 1, None)) == segments.videos[1]
    one, two = clips[0, 1, None], clips[0, 9, None]
    assert one["name"] == two["name"] and np.array_equal(one["target"], two["target"])
    assert not torch.equal(one["clip"], two["clip"])


def test_whole_frames_have_the_short_side_of_their_batch(segments):
    clips = Clips(segments, settings(crop="whole"))
    shapes = [tuple(clips[0, number, 34]["clip"].shape[-2:]) for number in range(4)]
    assert all(min(shape) == 34 for shape in shapes) and len(set(shapes)) == 4


def test_a_mirrored_clip_has_the_class_of_the_mirror(segments):
    mirrored = np.array([1, 0, 2])
    for flip, expected in ((1.0, mirrored), (0.0, np.arange(3))):
        own = Segments(**vars(segments) | {"mirrored": mirrored})
        clips = Clips(own, settings(flip=flip))
        for number in range(3):
            assert clips[0, number, None]["target"] == expected[segments.targets[number]]
    clips = Clips(own, settings(flip=0.5))
    plain, turned = Clips(own, settings(flip=0.0)), Clips(own, settings(flip=1.0))
    kinds = set()
    for epoch in range(12):
        key = (epoch, 0, None)
        is_turned = int(clips[key]["target"][0] == 1)
        kinds.add(is_turned)
        assert same(clips[key], (turned if is_turned else plain)[key])
    assert kinds == {0, 1}


def test_a_video_that_cannot_be_read_is_an_error_that_travels(segments, tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    own = Segments(**vars(segments) | {"paths": {**segments.paths, "wide": bad}})
    sample = Clips(own, settings())[0, 0, None]
    assert sample["name"] == "wide" and "bad.mp4" in sample["error"] and "clip" not in sample


def test_a_video_that_was_given_up_is_not_opened(segments, monkeypatch):
    opened = []

    def noted(path, *rest, **options):
        opened.append(path)
        return open_video(path, *rest, **options)

    monkeypatch.setattr(kept_readers, "open_video", noted)
    given_up = {}
    clips = Clips(segments, settings(), given_up)
    given_up["wide"] = "hangs"  # while it is being read from
    assert clips[0, 0, None] == {"name": "wide", "error": "hangs"} and opened == []
    assert "clip" in clips[0, 1, None] and opened == [segments.paths["tall"]]


def test_every_clip_comes_once_an_epoch_and_no_batch_is_of_one(segments):
    for size, sizes in ((4, [4, 4]), (7, [8]), (3, [3, 3, 2]), (99, [8])):
        batches = epoch_clips(segments, settings(batch_size=size), 0)
        assert [len(batch) for batch in batches] == sizes
        assert sorted(chain(*batches)) == list(range(8))
    three = epoch_clips(segments, settings(clips_per_segment=3), 1)
    assert sorted(chain(*three)) == list(range(24))


def test_a_training_goes_on_in_the_middle_of_an_epoch(segments):
    def read(epoch, step, workers=0):
        batches = clip_batches(
            segments, settings(), LeftOut("test"), workers=workers, epoch=epoch, step=step
        )
        return list(batches)

    whole = read(0, 0)
    assert len(whole) == 6
    for epoch, step, skipped in ((0, 1, 1), (1, 0, 2), (2, 1, 5)):
        rest = read(epoch, step)
        assert len(rest) == 6 - skipped
        for one, two in zip(rest, whole[skipped:], strict=True):
            assert one["names"] == two["names"] and torch.equal(one["clip"], two["clip"])


def test_processes_read_shares_of_the_batches_one_reads(segments, monkeypatch):
    def read():
        return list(clip_batches(segments, settings(), LeftOut("test"), workers=0, epoch=2, step=0))

    whole = read()
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setattr(distributed, "any_rank", lambda flag: flag)
    shares = []
    for rank in range(3):
        monkeypatch.setenv("RANK", str(rank))
        shares.append(read())
    for number, batch in enumerate(whole):
        parts = [share[number] for share in shares]
        assert [len(part["names"]) for part in parts] == [2, 1, 1]
        assert torch.equal(torch.cat([part["clip"] for part in parts]), batch["clip"])
        assert torch.equal(torch.cat([part["target"] for part in parts]), batch["target"])


class Samples:
    """Numbers as clips; those of `bad` videos cannot be read."""

    def __init__(self, bad):
        self.bad = bad

    def video(self, key):
        return f"v{key}"

    def __getitem__(self, key):
        if key in self.bad:
            return {"name": self.video(key), "error": "no frames"}
        clip = torch.full((1, 3, 2, 2), key, dtype=torch.uint8)
        return {"clip": clip, "target": np.array([key]), "name": self.video(key)}


def test_unreadable_clips_are_counted_and_left_out_of_their_batch(capsys):
    left_out = LeftOut("test", allowed=1, at_once=True)
    plan = [[0, 1, 2], [1, 3], [3, 0]]
    batches = list(load_clips(Samples({1}), training._collate, plan, left_out, 0))
    assert [batch["names"] for batch in batches] == [["v0", "v2"], ["v3"], ["v3", "v0"]]
    assert [batch["target"].ravel().tolist() for batch in batches] == [[0, 2], [3], [3, 0]]
    assert left_out.reasons == {"v1": "no frames"}
    assert capsys.readouterr().err == "test: video v1 is left out: no frames\n"


def test_one_too_many_ends_the_reading():
    left_out = LeftOut("test", allowed=1, at_once=True)
    with pytest.raises(UserError, match="video v2: no frames"):
        list(load_clips(Samples({1, 2}), training._collate, [[0, 1], [2, 3]], left_out, 0))


def test_a_batch_of_which_nothing_can_be_read_is_empty():
    left_out = LeftOut("test", allowed=9, at_once=True)
    (batch,) = load_clips(Samples({0, 1}), training._collate, [[0, 1]], left_out, 0)
    assert batch == {"names": [], "places": []}
