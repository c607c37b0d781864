"""Kept maps give the proposals of the maps they were made of, exactly, and nothing else is believed."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
import torch

from bmn import decode_proposals
from bmn.windows import TimeGrid
from pipeline.configuration.reading import find_config, load_config
from pipeline.results.kept_maps import AUTO, KeptMaps, Room, VideoMaps, room_of
from pipeline.results.proposing import decoded_video, suppressed

LENGTH, DURATIONS = 60, 24


def drawn(seed: int, channels: int = 2) -> VideoMaps:
    """Maps of a video, as tensors, as the network gives them."""
    generator = torch.Generator().manual_seed(seed)
    sizes = ((LENGTH,), (LENGTH,), (channels, DURATIONS, LENGTH))
    return VideoMaps(*(torch.rand(size, generator=generator) for size in sizes))


@pytest.fixture
def kept(tmp_path):
    """Kept maps of videos a and b in an empty folder."""

    def make(
        center: float = 0.5, *, by: str = "by", room: Room = AUTO, of=None, **more
    ) -> KeptMaps:
        made_of = {"a": "1", "CLASS/b": "2"} if of is None else of
        return KeptMaps(tmp_path / "maps", by, made_of, center, room, **more)

    return make


@pytest.mark.parametrize("center", [0, 0.5])
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("video", ["a", "CLASS/b"])
def test_proposals_of_kept_maps_are_those_of_the_maps(kept, center, channels, video):
    config = load_config(
        find_config("demo"), {"bmn.boundary_center": center, "bmn.regression": channels == 4}
    ).detection()
    maps, grid = drawn(3, channels), TimeGrid(0.5, 0.25)
    kept(center).write(video, maps)
    found = kept(center).read(video)
    assert found is not None and found.cells.shape == maps.cells.shape
    whole, again = (decoded_video(one, grid, config.bmn) for one in (maps, found))
    np.testing.assert_array_equal(again.table, whole.table)
    assert len(whole.table) > 50 and again[1:] == whole[1:]
    for powers in ({"cls_power": 0.3}, {"boundary_power": 2.0, "voting": 0.5}, {"count": 3}):
        settings = config.proposals.model_copy(update=powers)
        one, two = (suppressed(decoded, video, settings) for decoded in (whole, again))
        pd.testing.assert_frame_equal(one, two, check_exact=True)


@pytest.mark.parametrize("powers", [(1, 1, 0), (0.5, 2, 1), (0, 0, 0), (1.5, 0.3, 0.7)])
def test_scores_do_not_depend_on_when_the_powers_are_known(powers):
    config = load_config(find_config("demo")).detection()
    names = dict(zip(("cls_power", "reg_power", "boundary_power"), map(float, powers), strict=True))
    maps = drawn(1)
    at_once = decode_proposals(*maps, **names, seconds_per_position=0.5, boundary_center=0.5)
    decoded = decoded_video(maps, TimeGrid(0.5), config.bmn)
    settings = config.proposals.model_copy(update={**names, "voting": None, "count": None})
    best = suppressed(decoded, "a", settings)["score"].iloc[0]
    assert best == at_once[:, -1].max()


def test_only_what_is_of_the_same_network_and_features_is_read(kept):
    kept().write("a", drawn(0))
    assert kept().has("a") and kept().read("a") is not None
    assert kept(by="another").read("a") is None
    assert kept(of={"a": "another"}).read("a") is None
    assert kept().read("CLASS/b") is None
    assert kept(room=Room(0, 0)).read("a") is None
    kept(by="another").write("a", drawn(1))
    assert kept().read("a") is None and kept(by="another").read("a") is not None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY"])
def test_a_damaged_file_is_made_again(kept, tmp_path, content):
    maps = kept()
    maps.write("a", drawn(0))
    path = tmp_path / "maps/a.npz"
    path.write_bytes(content)
    assert not kept().has("a") and kept().read("a") is None
    path.unlink()
    assert kept().read("a") is None


def test_a_bit_that_changed_unseen_is_found_when_it_is_read(kept, tmp_path):
    kept().write("a", drawn(0))
    path = tmp_path / "maps/a.npz"
    content, found = bytearray(path.read_bytes()), path.stat()
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert kept().has("a") and kept().read("a") is None
    assert not kept(verify=True).has("a")


def test_a_file_of_another_form_is_made_again_even_where_it_is_recorded(kept, tmp_path):
    maps = kept()
    maps.write("a", drawn(0))
    for arrays in ({}, {"start": np.zeros(3)}, {"start": np.zeros(3), "end": np.zeros(3),
                   "cells": np.zeros((2, 9)), "durations": 4}):  # fmt: skip
        np.savez(tmp_path / "maps/a.npz", **arrays)
        from pipeline.run_folder.identity import record_of

        line = maps.ledger.lines["a"]
        maps.ledger.note(line.model_copy(update={"file": record_of(tmp_path / "maps/a.npz")}))
        assert kept().has("a") and kept().read("a") is None


def test_where_there_is_no_room_they_are_not_kept(kept, tmp_path):
    small = kept(room=Room(1000, 10**6))
    small.write("a", drawn(0))
    assert small.too_large == 1 and not (tmp_path / "maps").exists()
    size = 2 * LENGTH * 4 + 2 * 4 * len(decode_proposals(*drawn(0), boundary_center=0.5))
    both = kept(room=Room(10**6, size + 3000))
    both.write("a", drawn(0))
    both.write("CLASS/b", drawn(0))
    assert (both.has("a"), both.has("CLASS/b"), both.too_large) == (True, False, 1)
    both.write("a", drawn(0))  # in place of its own
    assert both.has("a") and both.too_large == 1


def test_the_room_of_each_value():
    assert room_of("auto") == AUTO == (64 << 20, 2 << 30)
    assert room_of(True).in_all == room_of(True).of_a_video == float("inf")
    assert room_of(False) == (0, 0) and room_of(0) == (0, 0)
    assert room_of(5000) == (5000, 5000) and room_of(5000, 2) == (5000, 2500)


@pytest.mark.parametrize("value", ["yes", "Auto", "-1", "1.5", "[]", "null", "'64 MiB'"])
def test_other_values_are_refused(value):
    from pipeline.configuration.reading import parse_overrides
    from pipeline.errors import UsageError

    with pytest.raises(
        UsageError, match=r"bmn.keep_maps = .*auto, true, false or a number of bytes"
    ):
        load_config(find_config("demo"), parse_overrides([f"bmn.keep_maps={value}"]))


def test_kept_maps_take_less_room_than_whole_ones_in_float16(kept, tmp_path):
    """Also of maps as restless as noise, which have more peaks than a network's."""
    kept().write("a", drawn(0))
    whole = 2 * (2 * LENGTH + 2 * DURATIONS * LENGTH)
    assert (tmp_path / "maps/a.npz").stat().st_size < whole + 1200
