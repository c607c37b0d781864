"""A run's features: rows that know their times, files that are refused where they are not the run's."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from helpers.leftovers import left_half_written

from feature_extraction.sampling import ClipGrid
from pipeline.configuration.reading import find_config, load_config
from pipeline.data.clips.geometry import clip_grid
from pipeline.data.features import FEATURES
from pipeline.data.features.made import content_of, extracted_by, grid_of, imported_on
from pipeline.data.features.store import FeatureStore
from pipeline.data.features.timed import Features
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError
from pipeline.run_folder.identity import record_of

GRID = ClipGrid(10.0, 8, 4, 10)  # a cell a second
SETTINGS = load_config(find_config("demo")).extract


@pytest.fixture
def features():
    return Features(np.arange(20, dtype=np.float32).reshape(10, 2), GRID, 9.7)


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "extract", extracted_by(SETTINGS, "tada2d"))


def keep(store, video, array, **changes):
    """A feature file of a store's own form, with some attributes changed."""
    meta = replace(
        replace(store.made, weights_digest="x"), video=video, source_duration=5.0, **changes
    )
    store.save(np.asarray(array, np.float32), meta)


def test_times_are_the_middles_of_the_cells(features):
    assert features.times.tolist() == [i + 0.5 for i in range(10)]
    pairs = list(features)
    assert [time for time, _ in pairs] == features.times.tolist() and len(features) == 10
    assert all(np.array_equal(row, features.array[i]) for i, (_, row) in enumerate(pairs))


def test_moments_are_in_the_row_of_their_cell_or_in_the_nearest(features):
    asked = np.array([[-3.0, 0.0, 0.999], [1.0, 9.99, 50.0]])
    assert features.at(asked).tolist() == [[0, 0, 0], [1, 9, 9]]
    assert features.at(features.times).tolist() == list(range(10))


@pytest.mark.parametrize(
    ("span", "cells"),
    [
        ((0.0, 1.0), [0]),  # the end belongs to the next cell
        ((2.0, 5.0), [2, 3, 4]),
        ((2.5, 5.1), [2, 3, 4, 5]),
        ((2.5, 2.5), [2]),
        ((-4.0, -2.0), [0]),
        ((50.0, 60.0), [9]),
        ((-1.0, 99.0), list(range(10))),
        ((8.0, math.inf), [8, 9]),
    ],
)
def test_a_span_is_the_cells_that_share_time_with_it(features, span, cells):
    part = features.between(*span)
    assert part.times.tolist() == [cell + 0.5 for cell in cells]
    assert np.array_equal(part.array, features.array[cells])


def test_cells_meet_where_seconds_are_no_round_numbers():
    grid = ClipGrid(30.0, 8, 4, 7)
    whole = Features(np.zeros((400, 1), np.float32), grid, 400 * grid.seconds_per_clip)
    for cell in range(400):
        start, end = cell * grid.seconds_per_clip, (cell + 1) * grid.seconds_per_clip
        part = whole.between(start, end)
        assert (part.first, len(part)) == (cell, 1)


def test_a_part_keeps_its_times_and_so_does_its_part(features):
    part = features.between(3.0, 8.0)
    assert part.duration == features.duration and part.first == 3
    assert part.at(np.array([0.0, 3.2, 7.9, 9.0])).tolist() == [0, 0, 4, 4]
    inner = part.between(4.0, 6.0)
    assert inner.times.tolist() == [4.5, 5.5]
    assert np.array_equal(inner.array, features.array[4:6])
    assert part.between(0.0, 1.0).times.tolist() == [3.5]
    assert part.between(9.0, 10.0).times.tolist() == [7.5]


def test_what_is_saved_is_read_whole_or_in_part(store):
    rows = np.arange(24).reshape(8, 3)
    keep(store, "a", rows)
    found = store("a")
    assert np.array_equal(found.array, rows) and found.array.dtype == np.float32
    assert (found.grid, found.duration, found.first) == (store.grid, 5.0, 0)
    assert store.shape("a") == (8, 3) and store.grid == clip_grid(SETTINGS)
    part = store("a", slice(2, 5))
    assert np.array_equal(part.array, rows[2:5])
    assert part.times.tolist() == found.times[2:5].tolist()
    assert grid_of(replace(store.made, weights_digest="x")) == store.grid


def test_a_missing_or_damaged_file_says_who_makes_it(store):
    with pytest.raises(UserError, match=r"a\.h5.*run `tada-loc extract`"):
        store("a")
    with pytest.raises(UserError, match=r"a\.h5"):
        store.shape("a")
    keep(store, "a", np.ones((4, 3)))
    path = store.path("a")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"a\.h5.*run `tada-loc extract`") as caught:
        store("a")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fps": 7.0}, "fps"),
        ({"clip_stride": 99}, "clip_stride"),
        ({"backbone": "tsn"}, "backbone"),
        ({"resize": 8}, "resize"),
        ({"crop": "center"}, "crop"),
        ({"precision": "bfloat16"}, "precision"),
    ],
)
def test_features_of_other_settings_are_refused(store, change, said):
    keep(store, "a", np.ones((4, 3)), **change)
    with pytest.raises(UserError, match=f"{said} is "):
        store("a")
    assert trained(store).written("a", None) is None


def trained(store, weights="x"):
    """The store of a run whose classifier is there."""
    return replace(store, made=replace(store.made, weights_digest=weights))


def test_a_file_that_nobody_recorded_is_taken_where_it_is_what_would_be_made(store):
    keep(store, "a", np.ones((4, 3)))
    found = trained(store).written("a", "digest")
    assert found.file == record_of(store.path("a"))
    assert found == trained(store).written(
        "a", None
    )  # of an older program: it does not say of which video
    assert trained(store).written("b", None) is None
    assert trained(store, "y").written("a", None) is None
    keep(store, "a", np.ones((4, 3)), source="digest")
    assert trained(store).written("a", "digest").content == found.content
    assert trained(store).written("a", "another") is None


def test_what_is_saved_is_what_is_found_again(store):
    meta = replace(trained(store).made, video="a", source_duration=5.0, source="digest")
    written = store.save(np.ones((4, 3), np.float32), meta)
    assert written == trained(store).written("a", "digest")


def test_a_damaged_one_that_nobody_recorded_is_said_and_made_again(store, capsys):
    keep(store, "a", np.ones((4, 3)))
    store.path("a").write_bytes(b"not HDF5")
    assert trained(store).written("a", None) is None
    said = capsys.readouterr().err
    assert "a.h5" in said and "made again" in said


def test_the_content_is_the_rows_as_they_are_stored_and_their_times(store):
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    meta = replace(store.made, video="a", source_duration=5.0)
    content = content_of(rows, meta)
    for other in ({"weights_digest": "y"}, {"resize": 8}, {"source": "s"}, {"video": "b"}):
        assert content_of(rows, replace(meta, **other)) == content, other
    assert content_of(rows.astype(np.float16), meta) == content
    assert content_of(rows * (1 + 1e-5), meta) == content, "less than is stored"
    for other in ({"fps": 7.0}, {"clip_stride": 9}, {"source_duration": 5.5}):
        assert content_of(rows, replace(meta, **other)) != content, other
    for changed in (rows[::-1], rows + 1, rows[:3], rows.reshape(3, 4)):
        assert content_of(changed, meta) != content


def test_one_is_removed_and_one_that_is_not_there_too(store):
    keep(store, "a", np.ones((4, 3)))
    for _ in range(2):
        store.remove("a")
        assert not store.path("a").exists()


def test_of_imported_ones_the_grid_alone_is_known(tmp_path):
    store = FeatureStore(tmp_path, imported_on(extracted_by(SETTINGS, "tada2d")))
    meta = replace(store.made, weights_digest="imported")
    assert (meta.backbone, meta.precision) == ("imported", "imported")
    keep(store, "a", np.ones((4, 3)), resize=0)
    assert len(store("a")) == 4
    keep(store, "a", np.ones((4, 3)), fps=7.0)
    with pytest.raises(UserError, match="run `tada-loc import-features`"):
        store("a")
    own = FeatureStore(tmp_path, extracted_by(SETTINGS, "tada2d"))
    keep(own, "b", np.ones((4, 3)))
    with pytest.raises(UserError, match="backbone is 'tada2d', expected 'imported'"):
        store("b")


def test_all_have_the_channels_of_the_first_or_are_named(store):
    assert store.common_channels([]) == 0
    for video, channels in (("a", 3), ("b", 3), ("c", 4)):
        keep(store, video, np.ones((2, channels)))
    assert store.common_channels(["a", "b"]) == 3
    with pytest.raises(UserError, match=r"c\.h5: has 4 channels, that of video a 3"):
        store.common_channels(["a", "b", "c"])


def test_available_ones_are_those_on_disk_and_not_skipped(store, tmp_path, capsys):
    for video in ("a", "b", "c"):
        keep(store, video, np.ones((2, 3)))
    (tmp_path / "skip.txt").write_text("b\n")
    left_out = LeftOut("bmn", skip=tmp_path / "skip.txt")
    assert store.available(["c", "b", "a"], left_out) == ["c", "a"]
    assert left_out.names == ["b"] and "1 videos of" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"no features of 1 videos \(d\); run `tada-loc extract`"):
        store.available(["a", "d"], LeftOut("bmn", allowed=5))  # no known failure of extraction


def test_those_whose_extraction_failed_are_done_without(store):
    keep(store, "a", np.ones((2, 3)))
    with pytest.raises(UserError, match="fix them and run"):
        failing = LeftOut("extract", store.folder)
        failing.failed("d", "no frames")
        failing.settle()
    left_out = LeftOut("bmn", allowed=1)
    assert store.available(["a", "d"], left_out) == ["a"] and left_out.names == ["d"]
    with pytest.raises(UserError, match="--allow-failures 1"):
        store.available(["a", "d"], LeftOut("bmn"))


def test_half_written_files_are_cleared_and_nothing_else(store):
    keep(store, "a", np.ones((2, 3)))
    left_half_written(store.path("b"))
    (store.folder / FEATURES / ".tmp-mine.h5").write_bytes(b"mine")
    store.clear_temporary()
    assert {path.name for path in (store.folder / FEATURES).iterdir()} == {"a.h5", ".tmp-mine.h5"}


def test_features_say_what_they_are():
    features = Features(np.zeros((10, 2), np.float32), GRID, 9.7)
    assert repr(features) == "<Features [10, 2], float32, of 9.7 s>"
    assert repr(features[3:5]) == "<Features [2, 2], float32, of 9.7 s>"
