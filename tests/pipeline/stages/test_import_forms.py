"""Every form that packs of features have goes in as it is; what is done to it is reported."""

from __future__ import annotations

import json
import pickle
from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from helpers.imported import VIDEOS, make, options, tada, take
from helpers.numbered_videos import encode
from scipy.io import savemat

from feature_extraction.store import read_features, read_meta


@pytest.fixture
def data(tmp_path: Path):
    return make(tmp_path)


@pytest.fixture
def arrays(data):
    """The features by video; their files are gone."""
    found = {}
    for path in sorted((data / "features").iterdir()):
        found[path.stem] = np.load(path)
        path.unlink()
    return found


def taken(data, arrays, result, *, rtol=1e-3):
    """The import went well, and the features are these."""
    assert result.exit_code == 0, result.output
    for video, array in arrays.items():
        features, _ = read_features(data / f"run/extract/features/{video}.h5")
        np.testing.assert_allclose(features, array, rtol=rtol, atol=1e-6)


def text(path, array, mark=",", heading=None, numbers=False):
    rows = [] if heading is None else [heading]
    rows += [[repr(float(x)) for x in row] for row in array]
    if numbers:
        rows = [["" if n == 0 else str(n - 1), *row] for n, row in enumerate(rows)]
    path.write_text("\n".join(mark.join(row) for row in rows) + "\n")


COUNTED = [str(n) for n in range(12)]


@pytest.mark.parametrize(
    ("ending", "mark", "heading", "numbers"),
    [
        (".csv", ",", None, False),
        (".csv", ",", [f"f{n}" for n in range(12)], False),
        (".csv", ",", COUNTED, False),
        (".csv", ",", COUNTED, True),
        (".csv", "\t", None, False),
        (".tsv", "\t", COUNTED, False),
        (".csv", ";", None, False),
        (".txt", " ", None, False),
    ],
)
def test_tables(data, arrays, ending, mark, heading, numbers):
    for video, array in arrays.items():
        text(data / f"features/{video}{ending}", array, mark, heading, numbers)
    taken(data, arrays, take(data))


def test_matlab_variables(data, arrays):
    for video, array in arrays.items():
        savemat(data / f"features/{video}.mat", {"feats": array, "times": np.arange(3.0)})
    taken(data, arrays, take(data))


def test_matlab_7_3_has_its_columns_first(data, arrays):
    for video, array in arrays.items():
        with h5py.File(data / f"features/{video}.mat", "w", userblock_size=512) as file:
            file["x"] = array.T
            file["x"].attrs["MATLAB_class"] = np.bytes_("double")
            file.create_group("#refs#")
    taken(data, arrays, take(data))


@pytest.mark.parametrize("inside", ["", "/c3d_features", "/features", "/only/one"])
@pytest.mark.parametrize("above", ["", "training/"])
def test_one_hdf5_of_all(data, arrays, inside, above):
    pack = data / "pack.hdf5"
    with h5py.File(pack, "w") as file:
        for video, array in arrays.items():
            file[f"{above}v_{video}{inside}"] = array
        file[f"{above}v_stranger{inside}"] = array
    result = take(data, source=pack)
    taken(data, arrays, result)
    assert "1 of no video of the annotations" in result.output
    assert "nothing to do" in take(data, source=pack).output
    # other features of one video cost that video
    with h5py.File(pack, "a") as file:
        file[f"{above}v_b{inside}"][3, 3] = 5.0
    before = (data / "run/extract/features/a.h5").stat().st_mtime_ns
    arrays["b"][3, 3] = 5.0
    taken(data, arrays, take(data, source=pack))
    assert (data / "run/extract/features/a.h5").stat().st_mtime_ns == before


def test_a_pack_in_a_folder_and_an_npz_of_all(data, arrays):
    with h5py.File(data / "features/sub_activitynet.hdf5", "w") as file:
        for video in ("a", "b"):
            file[f"{video}/c3d_features"] = arrays[video]
    np.savez(data / "features/rest.npz", **{f"v_{v}": arrays[v] for v in "cd"})
    taken(data, arrays, take(data))
    np.savez(data / "all.npz", **arrays)
    result = take(data, source=data / "all.npz")
    taken(data, arrays, result)
    assert "nothing to do" in result.output  # it holds the same


def test_an_hdf5_a_video_and_half_precision(data, arrays):
    for video, array in arrays.items():
        with h5py.File(data / f"features/{video}.h5", "w") as file:
            file["anything"] = array.astype(np.float16)
    taken(data, arrays, take(data))


def test_integers_are_numbers(data, arrays):
    whole = {video: np.arange(240).reshape(20, 12) for video in arrays}
    for video, array in whole.items():
        np.save(data / f"features/{video}.npy", array.astype(np.uint8))
    taken(data, whole, take(data))


@pytest.mark.parametrize(
    "name", ["training/{}.npy", "x/y/v_{}.npy", "{}_features.npy", "{}.mp4.npy", "{}-rgb.NPY"]
)
def test_names_and_sub_folders(data, arrays, name):
    for video, array in arrays.items():
        path = data / "features" / name.format(video)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.save(file, array)
    (data / "features/README.txt").write_text("of these features")
    result = take(data)
    taken(data, arrays, result)
    assert "README" not in result.output


def test_two_files_of_a_video_in_sub_folders_are_to_be_joined_or_one_kept(data, arrays):
    for video, array in arrays.items():
        for part in ("rgb", "flow"):
            (data / "features" / part).mkdir(exist_ok=True)
            np.save(data / f"features/{part}/{video}.npy", array)
    result = take(data)
    assert result.exit_code == 1 and "give each folder of them a --from of its own" in result.output
    more = ("--from", data / "features/flow")
    both = {video: np.concatenate([array, array], 1) for video, array in arrays.items()}
    taken(data, both, take(data, *more, source=data / "features/rgb"))


def test_parts_are_joined_in_order_and_clipped_by_one(data, arrays):
    for part, factor in (("rgb", 1), ("flow", 2)):
        (data / part).mkdir()
        for video, array in arrays.items():
            rows = array[:19] if (part, video) == ("flow", "b") else array
            np.save(data / f"{part}/{video}.npy", factor * rows)
    result = take(data, "--from", data / "flow", source=data / "rgb")
    joined = {v: np.concatenate([a, 2 * a], 1) for v, a in arrays.items()}
    joined["b"] = joined["b"][:19]
    taken(data, joined, result)
    assert "the parts of 1 videos differ by one feature, clipped" in result.output
    # The other way round they are other features.
    turned = take(data, "--from", data / "rgb", source=data / "flow")
    taken(data, {"a": np.concatenate([2 * arrays["a"], arrays["a"]], 1)}, turned)
    np.save(data / "flow/b.npy", arrays["b"][:15])
    result = take(data, "--from", data / "flow", source=data / "rgb")
    assert result.exit_code == 1 and "differ by more than one feature" in result.output
    (data / "flow/b.npy").unlink()
    result = take(data, "--from", data / "flow", source=data / "rgb")
    assert result.exit_code == 1 and f"1 missing in {data / 'flow'} (b)" in result.output


@pytest.mark.parametrize("shape", [(1, 20, 12), (20, 12, 1, 1), (20, 1, 12), (1, 20, 12, 1, 1)])
def test_axes_of_length_one_are_left_out_and_said(data, arrays, shape):
    for video, array in arrays.items():
        np.save(data / f"features/{video}.npy", array.reshape(shape))
    result = take(data)
    taken(data, arrays, result)
    assert "4 arrays [" in result.output and "without their axes of length 1" in result.output


def test_maps_over_space_are_refused(data, arrays):
    for video, array in arrays.items():
        np.save(
            data / f"features/{video}.npy", np.broadcast_to(array[..., None, None], (20, 12, 7, 7))
        )
    result = take(data)
    assert result.exit_code == 1 and "but of 4 axes; take the mean" in result.output


class _Code:
    def __reduce__(self):
        return (Path.touch, (Path("ran"),))


@pytest.mark.parametrize("kind", ["pkl", "pth", "npy", "npz"])
def test_pickles_are_refused_with_the_lines_that_turn_them_into_npz(
    data, arrays, kind, monkeypatch
):
    monkeypatch.chdir(data)
    folder = data / "features"
    for video, array in arrays.items():
        if kind == "pkl":
            (folder / f"{video}.pkl").write_bytes(pickle.dumps([array, _Code()]))
        elif kind == "pth":
            torch.save({"features": array, "x": _Code()}, folder / f"{video}.pth")
        elif kind == "npy":
            np.save(folder / f"{video}.npy", np.array([array, _Code()], object), allow_pickle=True)
        else:
            np.savez(folder / f"{video}.npz", features=np.array([_Code()], object))
    result = take(data)
    assert result.exit_code == 1 and "a pickle, which can run code as it is read" in result.output
    assert "numpy.savez('VIDEO.npz', features=" in result.output
    assert len(result.output.strip().splitlines()) == 1 and not (data / "ran").exists()


@pytest.mark.parametrize("name", ["all.pkl", "all.pt", "all.zip", "a.npy"])
def test_files_that_are_no_pack(data, name):
    (data / name).write_bytes(b"x")
    result = take(data, source=data / name)
    assert result.exit_code == 1 and name in result.output
    assert len(result.output.strip().splitlines()) == 1 and "Traceback" not in result.output


@pytest.mark.parametrize("link", ["external", "soft", "virtual"])
def test_hdf5_that_points_elsewhere_is_not_followed(data, arrays, link):
    with h5py.File(data / "other.h5", "w") as file:
        file["x"] = arrays["a"]
    with h5py.File(data / "pack.h5", "w") as file:
        for video, array in arrays.items():
            file[f"{video}/features"] = array
        del file["a/features"]
        if link == "external":
            file["a/features"] = h5py.ExternalLink(data / "other.h5", "x")
        elif link == "soft":
            file["a/features"] = h5py.SoftLink("/b/features")
        else:
            layout = h5py.VirtualLayout((20, 12), np.float32)
            layout[:] = h5py.VirtualSource(data / "other.h5", "x", (20, 12))
            file.create_virtual_dataset("a/features", layout)
    result = take(data, source=data / "pack.h5")
    assert result.exit_code == 1 and "(a)" in result.output and "1 with" in result.output


def test_hdf5_that_claims_more_than_it_holds(data, arrays):
    with h5py.File(data / "pack.h5", "w") as file:
        for video, array in arrays.items():
            file[video] = array
        del file["a"]
        file.create_dataset("a", (1 << 28, 4096), np.float32, chunks=(64, 64))
    result = take(data, source=data / "pack.h5")
    assert result.exit_code == 1 and "it claims 4398.05 GB" in result.output


def test_where_no_name_fits_both_kinds_are_shown(data, arrays):
    for video, array in arrays.items():
        np.save(data / f"features/other_{video}.npy", array)
    result = take(data)
    assert result.exit_code == 1 and "4 missing (a, b, c, ...)" in result.output
    assert "4 of no video of the annotations (other_a.npy, " in result.output


def test_offset_frames_is_recorded_and_goes_out_again(data):
    assert take(data, "--offset-frames", 7.5).exit_code == 0
    meta = read_meta(data / "run/extract/features/a.h5")
    assert (meta.clip_stride, meta.clip_shift) == (10, 2.5)
    assert tada("bmn", *options(data)).exit_code == 0
    result = tada("export-features", *options(data), "--to", data / "out")
    assert result.exit_code == 0, result.output
    said = result.output
    grid = json.loads((data / "out/grid.json").read_text())
    times = 0.75 + np.arange(20)
    i = np.arange(20)
    told = grid["actionformer"]
    np.testing.assert_allclose(
        (i * told["feat_stride"] + told["num_frames"] / 2) / told["default_fps"], times
    )
    told = grid["opentad"]
    np.testing.assert_allclose(
        (i * told["feature_stride"] + told["offset_frames"]) / told["fps"], times
    )
    # its BMN predicts cells [i, i + 1] of stride frames from the offset: their middles are our times
    cells = (np.stack([i, i + 1]) * told["feature_stride"] + told["offset_frames_bmn"]) / told[
        "fps"
    ]
    np.testing.assert_allclose(cells.mean(0), times)
    assert "OpenTAD cuts offset_frames 7.5 to 7: its times are 0.5 frames earlier" in said
    assert grid["centre_of_feature_0"] == 0.75
    assert grid["centre_of_feature_i"] == "(i * stride + 7.5) / fps seconds"
    # the same but for the option: other features, of the same bytes
    assert take(data).exit_code == 0
    assert read_meta(data / "run/extract/features/a.h5").clip_shift == 0.0
    assert tada("bmn", *options(data)).exit_code == 1


def test_rescaled_features_keep_their_number_and_share_their_video(data):
    database = json.loads((data / "annotations.json").read_text())
    database["database"]["b"]["duration"] = 50.0
    (data / "annotations.json").write_text(json.dumps(database))
    result = take(data)
    assert result.exit_code == 1 and "1 with another length" in result.output
    assert take(data, stated=("--rescaled", 20)).exit_code == 0
    metas = [read_meta(data / f"run/extract/features/{video}.h5") for video in "ab"]
    assert [(m.fps, m.clip_stride, m.source_duration) for m in metas] == [(1, 1, 20), (0.4, 1, 50)]
    rescale = ("bmn.mode=rescale", "bmn.temporal_scale=20")
    result = tada("bmn", *options(data, *rescale))
    assert result.exit_code == 0, result.output
    assert "nothing to do" in take(data, stated=("--rescaled", 20)).output
    assert tada("export-features", *options(data), "--to", data / "out").exit_code == 0
    grid = json.loads((data / "out/grid.json").read_text())
    assert grid["fps"] is None and grid["videos"]["b"]["fps"] == 0.4
    # another length of a video is another time of its features
    database["database"]["b"]["duration"] = 40.0
    (data / "annotations.json").write_text(json.dumps(database))
    assert "nothing to do" not in take(data, stated=("--rescaled", 20)).output
    assert read_meta(data / "run/extract/features/b.h5").fps == 0.5
    result = take(data, stated=("--rescaled", 100))
    assert "4 with another number of features than --rescaled 100" in result.output


def test_a_number_of_frames_is_a_rate_where_none_is_told(data):
    """OpenTAD's annotations have `frame` and `duration`, and no `fps`."""
    database = json.loads((data / "annotations.json").read_text())
    counts = {"a": 200, "b": 160, "c": 240, "d": 200}
    for video, count in counts.items():
        database["database"][video]["frame"] = count
    database["database"]["d"]["fps"] = 12.0  # what is stated comes first
    (data / "annotations.json").write_text(json.dumps(database))
    for video, count in {**counts, "d": 240}.items():
        np.save(data / f"features/{video}.npy", np.ones((count // 10, 12), np.float32))
    result = take(data, stated=("--fps", "video", "--stride", 10))
    assert result.exit_code == 0, result.output
    assert "3 videos without fps, whose frame rate is their number of frames" in result.output
    rates = {v: read_meta(data / f"run/extract/features/{v}.h5").fps for v in counts}
    assert rates == {"a": 10.0, "b": 8.0, "c": 12.0, "d": 12.0}
    # 20 s with 40 frames is no video: something else was counted
    database["database"]["a"]["frame"] = 40
    (data / "annotations.json").write_text(json.dumps(database))
    result = take(data, stated=("--fps", "video", "--stride", 10))
    assert result.exit_code == 1 and "1 of a video whose rate is not known" in result.output


def test_another_annotated_length_is_taken_over(data):
    assert take(data).exit_code == 0
    database = json.loads((data / "annotations.json").read_text())
    database["database"]["b"]["duration"] = 20.5
    (data / "annotations.json").write_text(json.dumps(database))
    assert take(data).exit_code == 0
    assert read_meta(data / "run/extract/features/b.h5").source_duration == 20.5


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (("--fps", 10), "Missing option '--stride'"),
        (("--stride", 10), "Missing option '--fps'"),
        (
            ("--fps", "fast", "--stride", 10),
            "--fps fast: a number of frames per second, or `video`",
        ),
        (("--rescaled", 20, "--fps", 10), "leave --fps out"),
        (("--rescaled", 20, "--offset-frames", 1), "leave --offset-frames out"),
        (
            ("--fps", 10, "--stride", 10, "--channels-first", "--layout", "nc"),
            "contradict each other",
        ),
    ],
)
def test_options_that_do_not_go_together(data, stated, said):
    result = take(data, stated=stated)
    assert result.exit_code == 2 and said in result.output


def test_channels_that_groups_do_not_divide_are_said_with_what_would(data):
    more = ("--set", "bmn.groups=8")
    result = take(data, *more)
    line = (
        "bmn.groups = 8: the 12 channels of the features are not a multiple of it; set bmn.groups=4"
    )
    assert result.exit_code == 0 and line in result.output
    result = tada("bmn", *options(data), *more)
    assert result.exit_code == 2 and line in result.output
    assert line in tada("doctor", *options(data), *more).output


def test_what_was_exported_comes_back_byte_for_byte(data):
    assert take(data).exit_code == 0
    before = {p.name: p.read_bytes() for p in (data / "run/extract/features").iterdir()}
    assert tada("export-features", *options(data), "--to", data / "out").exit_code == 0
    (data / "run").rename(data / "former")
    assert take(data, source=data / "out").exit_code == 0
    assert {p.name: p.read_bytes() for p in (data / "run/extract/features").iterdir()} == before


@pytest.fixture
def footage(data):
    """A table without lengths, of videos of 6 s at rates of their own."""
    rows = ["video,start,end,label,subset"]
    for number, (video, subset) in enumerate(VIDEOS.items()):
        fps = (10, 15, 20, 30)[number]
        (data / "videos").mkdir(exist_ok=True)
        encode(data / f"videos/{video}.mp4", range(6 * fps), tick=Fraction(1, fps))
        rows.append(f"{video},1.0,3.0,x,{subset}")
    (data / "table.csv").write_text("\n".join(rows) + "\n")
    return data


def take_footage(data, *more, stated):
    own = ("--set", "dataset.format=table", "--annotations", data / "table.csv")
    return take(data, *own, "--videos", data / "videos", *more, stated=stated)


def test_lengths_that_the_table_does_not_have_are_those_of_the_videos(footage):
    result = take_footage(footage, stated=("--fps", 10, "--stride", 10, "--interval", 1))
    assert result.exit_code == 1, result.output  # 20 features of 1 s
    assert "the features fit --stride 3, not 10" in result.output
    result = take_footage(footage, stated=("--fps", 10, "--stride", 3, "--interval", 1))
    assert result.exit_code == 0, result.output
    assert read_meta(footage / "run/extract/features/a.h5").source_duration == pytest.approx(
        6, rel=0.02
    )


def test_turned_features_are_seen_by_the_lengths_of_videos(footage):
    for video in VIDEOS:
        path = footage / f"features/{video}.npy"
        np.save(path, np.load(path)[:, :12].T)
    stated = ("--fps", 10, "--stride", 3, "--interval", 1)
    result = take_footage(footage, stated=stated)
    assert result.exit_code == 1 and "4 with its axes the other way round" in result.output
    assert take_footage(footage, "--channels-first", stated=stated).exit_code == 0


def test_each_video_at_its_own_rate(footage):
    for number, video in enumerate(VIDEOS):
        frames = 6 * (10, 15, 20, 30)[number]
        np.save(footage / f"features/{video}.npy", np.ones((frames // 2, 12), np.float32))
    stated = ("--fps", "video", "--stride", 2, "--interval", 1)
    assert take_footage(footage, stated=("--fps", 10, *stated[2:])).exit_code == 1
    result = take_footage(footage, stated=stated)
    assert result.exit_code == 0, result.output
    metas = [read_meta(footage / f"run/extract/features/{video}.h5") for video in VIDEOS]
    assert [meta.fps for meta in metas] == pytest.approx([10, 15, 20, 30], rel=0.02)
    assert "nothing to do" in take_footage(footage, stated=stated).output
    own = [*options(footage), "--annotations", footage / "table.csv", "dataset.format=table"]
    result = tada("bmn", *own)
    assert result.exit_code == 0, result.output
    (footage / "videos/a.mp4").unlink()
    result = take_footage(footage, stated=stated)
    assert result.exit_code == 1 and "1 of a video whose rate is not known" in result.output
