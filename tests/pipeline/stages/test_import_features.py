"""Features from elsewhere: what goes in comes out, what is wrong is counted, and BMN runs on them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.imported import VIDEOS, make, options, tada, take

from feature_extraction.store import read_features
from pipeline import array_files as arrays
from pipeline.data.foreign import reading


@pytest.fixture
def data(tmp_path: Path):
    return make(tmp_path)


def test_import_export_and_bmn(data):
    result = take(data)
    assert result.exit_code == 0, result.output
    features, meta = read_features(data / "run/extract/features/a.h5")
    original = np.load(data / "features/a.npy")
    np.testing.assert_array_equal(features, original.astype(np.float16).astype(np.float32))
    assert (meta.fps, meta.clip_stride, meta.clip_frames, meta.frame_interval) == (10, 10, 8, 8)
    assert (meta.backbone, meta.resize, meta.source_duration) == ("imported", 0, 20.0)

    assert "nothing to do" in take(data).output
    # The configuration's own grid (15 fps, stride 4) does not matter: the stated one holds.
    result = tada("bmn", *options(data))
    assert result.exit_code == 0, result.output
    assert (data / "run/bmn/proposals/proposals.csv").is_file()
    status = tada("status", "--run-dir", data / "run").output
    assert "stale" not in status and status.count("complete") == 3, status

    result = tada("export-features", *options(data), "--to", data / "out")
    assert result.exit_code == 0 and "OpenTAD" not in result.output, result.output
    exported = np.load(data / "out/a.npy")
    assert exported.dtype == np.float32
    np.testing.assert_array_equal(exported, features)
    grid = json.loads((data / "out/grid.json").read_text())
    assert grid["seconds_per_feature"] == 1.0 and grid["centre_of_feature_0"] == 0.5
    assert grid["channels"] == 12 and grid["videos"]["d"] == {
        "subset": "validation", "duration": 20.0, "features": 20,
    }  # fmt: skip
    # The times these detectors give to feature i, by their own rules.
    told = grid["actionformer"]
    i = np.arange(20)
    np.testing.assert_allclose(
        (i * told["feat_stride"] + told["num_frames"] / 2) / told["default_fps"], i + 0.5
    )
    told = grid["opentad"]
    np.testing.assert_allclose(
        (i * told["feature_stride"] + told["offset_frames"]) / told["fps"], i + 0.5
    )


def test_classes_need_a_head_and_extraction_does_not_run_over(data):
    assert take(data).exit_code == 0
    result = tada("bmn", *options(data))
    assert result.exit_code == 0 and result.output.count("nothing names classes") == 1
    assert "proposals: AR@1 " in result.output
    for command, lines in (("classify", 1), ("eval", 3), ("run", 5)):
        result = tada(command, *options(data))
        said = result.output.strip().splitlines()
        assert result.exit_code == 1 and len(said) == lines, result.output
        assert "nothing names classes" in said[-1] and "classify.scores=FILE" in said[-1]
        assert "finetune.source=features" in said[-1] and said[-1].startswith("Error: ")
        assert ("AR@100" in result.output) == (command != "classify")
    result = tada("extract", *options(data))
    assert result.exit_code == 1 and "holds imported features" in result.output


@pytest.mark.parametrize("kind", ["npz", "named npz", "pt", "pt dict", "cn", "float64", "bfloat16"])
def test_forms_that_are_read(data, kind):
    more = []
    for video in VIDEOS:
        path = data / "features" / f"{video}.npy"
        array = np.load(path)
        path.unlink()
        if kind == "npz":
            np.savez(path.with_suffix(".npz"), array)
        elif kind == "named npz":
            np.savez(path.with_suffix(".npz"), feats=array, times=np.arange(3.0))
        elif kind in ("pt", "pt dict"):
            tensor = torch.from_numpy(array)
            torch.save(tensor if kind == "pt" else {"features": tensor}, path.with_suffix(".pt"))
        elif kind == "bfloat16":
            torch.save(torch.from_numpy(array).bfloat16(), path.with_suffix(".pt"))
        elif kind == "cn":
            np.save(path, array.T)
            more = ["--layout", "cn"]
        else:
            np.save(path, array.astype(np.float64))
    result = take(data, *more)
    assert result.exit_code == 0, result.output
    features, _ = read_features(data / "run/extract/features/d.h5")
    np.testing.assert_allclose(
        features, array, rtol=0.01 if kind == "bfloat16" else 1e-3, atol=1e-6
    )


def spoil(folder: Path, kind: str) -> None:
    array = np.load(folder / "a.npy")
    if kind == "missing":
        (folder / "a.npy").unlink()
    elif kind == "NaN":
        array[3, 3] = np.nan
        np.save(folder / "a.npy", array)
    elif kind == "not a float array":
        np.save(folder / "a.npy", array[0])
    elif kind == "other than 12 channels":
        np.save(folder / "a.npy", array[:, :7])
    elif kind == "give --channels-first":
        np.save(folder / "a.npy", np.repeat(array, 4, axis=1).T)
    elif kind == "are --fps and --stride right?":
        np.save(folder / "a.npy", np.repeat(array, 30, axis=0))
    elif kind == "the most a feature file can hold":
        np.save(folder / "a.npy", array * 1e6)
    elif kind == "a pickle, which can run code":
        np.save(folder / "a.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    elif kind == "weights_only=False":
        (folder / "a.npy").unlink()
        torch.save(Path("/tmp"), folder / "a.pt")
    elif kind == "several arrays":
        (folder / "a.npy").unlink()
        np.savez(folder / "a.npz", one=array, two=array)
    elif kind == "more than one file":
        np.savez(folder / "a.npz", array)


KINDS = [
    "missing", "NaN", "not a float array", "other than 12 channels",
    "give --channels-first", "are --fps and --stride right?", "the most a feature file can hold",
    "a pickle, which can run code", "weights_only=False", "several arrays", "more than one file",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_wrong_is_counted_and_refused_in_one_line(data, kind):
    spoil(data / "features", kind)
    result = take(data)
    assert result.exit_code == 1, result.output
    assert kind in result.output and len(result.output.strip().splitlines()) == 1
    assert not (data / "run/extract").exists()
    if kind != "more than one file":
        assert "1 " in result.output and "--allow-failures 1" in result.output
        assert take(data, "--allow-failures", 1).exit_code == 0
        result = tada("bmn", *options(data), "--allow-failures", 1)
        assert result.exit_code == 0, result.output


def test_other_files_are_other_features(data):
    """A file that changed is taken again and no other; the network trained on it is not thrown away."""
    assert take(data).exit_code == 0
    assert tada("bmn", *options(data)).exit_code == 0
    folder = data / "run/extract/features"
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    former = np.load(data / "features/a.npy")
    array = former + 1
    np.save(data / "features/a.npy", array)
    assert take(data).exit_code == 0
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert [name for name in sorted(after) if after[name] != before[name]] == ["a.h5"]
    features, _ = read_features(folder / "a.h5")
    np.testing.assert_array_equal(features, array.astype(np.float16).astype(np.float32))
    model = (data / "run/bmn/model.pt").read_bytes()
    result = tada("bmn", *options(data))
    assert result.exit_code == 1 and "--force" in result.output
    assert "features of training videos changed: a" in result.output
    assert (data / "run/bmn/model.pt").read_bytes() == model
    # With the former file the network is that of now again.
    np.save(data / "features/a.npy", former)
    assert take(data).exit_code == 0
    result = tada("bmn", *options(data))
    assert result.exit_code == 0 and "bmn: complete, nothing to do" in result.output


@pytest.mark.parametrize("text", [b"", b"no HDF5"])
def test_a_damaged_copy_is_taken_again_from_its_source(data, text):
    assert take(data).exit_code == 0
    copy = data / "run/extract/features/b.h5"
    content = copy.read_bytes()
    copy.write_bytes(text)
    result = tada("bmn", *options(data))
    assert result.exit_code == 1 and "not what was written: b; " in result.output
    assert "run `tada-loc import-features`" in result.output and copy.read_bytes() == text
    assert "nothing to do" not in take(data).output
    assert copy.read_bytes() == content
    assert tada("bmn", *options(data)).exit_code == 0


def test_features_that_a_network_made_are_not_lost_for_imported_ones(data):
    made = data / "run/extract/features/a.h5"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"of days of work")
    manifest = {"state": "complete", "form": 2, "fields": {"extract.fps": 15.0}}
    (data / "run/extract/manifest.json").write_text(json.dumps(manifest))
    result = take(data)
    assert result.exit_code == 1 and "--force" in result.output
    assert made.read_bytes() == b"of days of work"
    assert take(data, "--force").exit_code == 0
    (aside,) = (data / "run").glob("extract.*")
    assert (aside / "features/a.h5").read_bytes() == b"of days of work"


def _npy_of_terabytes() -> bytes:
    stream = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 28, 4096)}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + bytes(64)


def _npz_of_zeros() -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, features=np.zeros((20, 12 << 10), np.float32))
    return stream.getvalue()


def _pt_of_terabytes() -> bytes:
    stream = io.BytesIO()
    torch.save(torch.zeros(1).expand(1 << 20, 1 << 20), stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("ending", "make", "said"),
    [
        (".npy", _npy_of_terabytes, "its header claims 4398.05 GB, and at most"),
        (".npz", _npz_of_zeros, "unpack to 0.98 MB, and at most"),
        (".pt", _pt_of_terabytes, "claims tensors of 4398.05 GB in"),
        (".npy", None, "1099.51 GB, and at most 17.18 GB are read"),
    ],
)
def test_files_that_claim_more_than_any_video_has(data, monkeypatch, ending, make, said):
    monkeypatch.setattr(arrays, "ANY_PACKED", 100_000)
    (data / "features/b.npy").unlink()
    with (data / f"features/b{ending}").open("wb") as file:
        file.write(make()) if make else file.truncate(1 << 40)
    monkeypatch.setattr(reading, "file_digest", lambda path: "" if make is None else "x")
    result = take(data)
    assert result.exit_code == 1 and said in result.output and "(b)" in result.output
    assert len(result.output.strip().splitlines()) == 1
