"""Feature files: what is written is read back; anything else is refused in one line."""

from __future__ import annotations

from dataclasses import asdict, replace

import h5py
import numpy as np
import pytest
from helpers.special_files import KINDS, SAID, opened, put
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_extraction import half, store
from feature_extraction.feature_meta import description_of
from feature_extraction.store import (
    FeatureFileError,
    FeatureMeta,
    feature_path,
    read_features,
    read_meta,
    read_shape,
    write_features,
)

META = FeatureMeta(
    video="v_1",
    fps=29.97,
    clip_frames=8,
    frame_interval=8,
    clip_stride=16,
    resize=128,
    source_duration=12.5,
    backbone="tada2d",
    weights_digest="ab" * 32,
    precision="float32",
)


@pytest.fixture
def written(tmp_path):
    features = np.random.default_rng(0).normal(size=(24, 16)).astype(np.float32)
    path = tmp_path / "v_1.h5"
    write_features(path, features, META)
    return path, features


def test_round_trip(written):
    path, features = written
    found, meta = read_features(path, {"fps": 29.97, "clip_stride": 16, "backbone": "tada2d"})
    assert found.dtype == np.float32 and np.array_equal(found, features.astype(np.float16))
    assert meta == META == read_meta(path)
    with h5py.File(path) as file:
        dataset = file["features"]
        assert dataset.dtype == np.float16 and dataset.chunks is None
        assert dataset.compression is None and dict(file.attrs).keys() == asdict(META).keys() - {
            "crop",
            "source",
            "clip_shift",
        }


def test_a_shift_is_recorded_and_may_be_negative(tmp_path):
    for shift in (6.0, -2.5):
        meta = replace(META, clip_shift=shift)
        write_features(tmp_path / "v_1.h5", np.ones((3, 2), np.float32), meta)
        assert read_meta(tmp_path / "v_1.h5") == meta
    with pytest.raises(FeatureFileError, match="made with different settings: clip_shift is -2.5"):
        read_features(tmp_path / "v_1.h5", {"clip_shift": 0.0})
    with pytest.raises(FeatureFileError, match="'clip_shift' is nan"):
        write_features(tmp_path / "w.h5", np.ones((3, 2)), replace(META, clip_shift=np.nan))


def test_equal_features_make_equal_files(written, tmp_path):
    path, features = written
    other = tmp_path / "below" / "other.h5"
    write_features(other, features.astype(np.float64), META)  # the folder is made
    assert path.read_bytes() == other.read_bytes()
    write_features(path, features[:3], META)  # replaced
    assert len(read_features(path)[0]) == 3


def test_settings_that_disagree_are_named(written):
    path, _ = written
    with pytest.raises(FeatureFileError) as caught:
        read_features(path, {"fps": 60.0, "resize": 128, "precision": "bfloat16"})
    message = str(caught.value)
    assert "fps is 29.97, expected 60.0" in message and "precision is 'float32'" in message
    assert "resize" not in message and str(path) in message and "\n" not in message
    assert read_features(path, {"fps": 29.97 * (1 + 1e-9)})
    with pytest.raises(FeatureFileError, match="no such feature attribute: stride"):
        read_features(path, {"stride": 16})


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.array([[1.0, np.nan]]), "NaN"),
        (np.array([[np.inf, 1.0]]), "infinite"),
        (np.array([[1e5, 1.0]]), "does not fit in float16"),
        (np.zeros((0, 4)), "must be float"),
        (np.zeros(4), "must be float"),
        (np.zeros((2, 2), dtype=int), "must be float"),
    ],
)
def test_features_that_cannot_be_stored(features, message, tmp_path):
    with pytest.raises(FeatureFileError, match=message):
        write_features(tmp_path / "a.h5", features, META)
    assert list(tmp_path.iterdir()) == []


def test_meta_is_checked_when_written(tmp_path):
    features = np.zeros((2, 2), dtype=np.float32)
    for change in ({"fps": "30"}, {"clip_stride": 1.5}, {"source_duration": float("nan")}):
        with pytest.raises(FeatureFileError, match=next(iter(change))):
            write_features(tmp_path / "a.h5", features, replace(META, **change))
    numpy_values = replace(META, clip_stride=np.int64(16), fps=np.float32(30))
    write_features(tmp_path / "a.h5", features, numpy_values)
    assert read_meta(tmp_path / "a.h5") == replace(META, fps=30.0)


def test_a_killed_write_leaves_the_old_file(written, monkeypatch):
    path, features = written
    before = path.read_bytes()

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(store.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_features(path, features * 2, META)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_truncated_files_are_refused(written):
    path, _ = written
    content = path.read_bytes()
    for size in (0, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(FeatureFileError, match=r"v_1.h5: .*extract again"):
            read_features(path)
        with pytest.raises(FeatureFileError):
            read_meta(path)


def test_files_that_are_none_of_ours(tmp_path):
    with pytest.raises(FeatureFileError, match="no such feature file"):
        read_features(tmp_path / "missing.h5")
    path = tmp_path / "foreign.h5"
    path.write_text("not HDF5")
    with pytest.raises(FeatureFileError, match="not a readable feature file"):
        read_features(path)
    with h5py.File(path, "w") as file:
        file["features"] = np.zeros((2, 2), dtype=np.float16)
    with pytest.raises(FeatureFileError, match="no checksum"):
        read_features(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0), change=st.integers(1, 255))
def test_a_changed_byte_anywhere_is_found_before_the_library_looks(written, place, change):
    """A damaged HDF5 file can crash the library, or keep it busy for minutes."""
    path, features = written
    write_features(path, features, META)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= change
    path.write_bytes(content)
    opened = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store.h5py, "File", lambda *_, **__: opened.append(1))
        with pytest.raises(FeatureFileError, match="damaged.*extract again"):
            read_features(path)
    assert not opened


def test_a_span_is_read_without_looking_at_the_rest(written):
    path, features = written
    content = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        offset = file["features"].id.get_offset()
    content[offset] ^= 1  # in the first clip
    path.write_bytes(content)
    with pytest.raises(FeatureFileError, match="differ from what was written"):
        read_features(path)
    found, _ = read_features(path, span=slice(5, 9))
    np.testing.assert_allclose(found, features[5:9], rtol=1e-3, atol=1e-3)


def _replace(make):
    def edit(file):
        del file["features"]
        make(file)

    return edit


def _outside(file):
    file.create_dataset(
        "features", (24, 16), np.float16, external=[("outside.bin", 0, h5py.h5f.UNLIMITED)]
    )


def _virtual(file):
    layout = h5py.VirtualLayout((24, 16), np.float16)
    layout[:] = h5py.VirtualSource("secret.h5", "features", (24, 16))
    file.create_virtual_dataset("features", layout)


EDITS = {
    "external link": _replace(lambda f: f.__setitem__("features", h5py.ExternalLink("s.h5", "/a"))),
    "soft link": _replace(lambda f: f.__setitem__("features", h5py.SoftLink("/elsewhere"))),
    "outside storage": _replace(_outside),
    "virtual": _replace(_virtual),
    "group": _replace(lambda f: f.create_group("features")),
    "missing": _replace(lambda f: None),
    "float64": _replace(lambda f: f.create_dataset("features", data=np.zeros((24, 16)))),
    "one row of numbers": _replace(lambda f: f.create_dataset("features", data=np.zeros(4, "e"))),
    "chunked": _replace(
        lambda f: f.create_dataset("features", data=np.zeros((4, 4), "e"), chunks=(2, 2))
    ),
    "claims more than it holds": _replace(
        lambda f: f.create_dataset("features", (10**9, 2048), np.float16)
    ),
    "other schema": lambda f: f.attrs.__setitem__("schema_version", 2),
    "schema of another kind": lambda f: f.attrs.__setitem__("schema_version", [1, 2]),
    "attribute missing": lambda f: f.attrs.__delitem__("fps"),
    "attribute of another kind": lambda f: f.attrs.__setitem__("clip_stride", "16"),
    "attribute no number": lambda f: f.attrs.__setitem__("fps", float("nan")),
    "not finite": lambda f: f["features"].__setitem__((0, 0), np.nan),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_edited_files_are_refused(edit, written, tmp_path, monkeypatch, edit_sealed):
    monkeypatch.chdir(tmp_path)
    path, features = written
    write_features(tmp_path / "secret.h5", features, META)
    (tmp_path / "outside.bin").write_bytes(b"\0" * 768)
    edit_sealed(path, edit)
    with pytest.raises(FeatureFileError) as caught:
        read_features(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert "checksum at its end" not in str(caught.value) and "damaged" not in str(caught.value)


def test_feature_paths(tmp_path):
    assert feature_path(tmp_path, "v_1") == tmp_path / "v_1.h5"
    assert feature_path(tmp_path, "P01/P01_101") == tmp_path / "P01" / "P01_101.h5"
    assert feature_path(tmp_path, "a.b c-d") == tmp_path / "a.b c-d.h5"
    assert feature_path(tmp_path, "x" * 252).name == "x" * 252 + ".h5"


@pytest.mark.parametrize(
    "video",
    [
        *("", ".", "..", "../x", "a/../b", "a/./b", "a//b", "/etc/x", "a/", "a\\b", "a\0b", "a\nb"),
        *("x" * 253, "é" * 127, "y" * 256 + "/b", "\ud800"),
    ],
)
def test_ids_that_are_no_file_names(video, tmp_path):
    with pytest.raises(FeatureFileError, match="video id"):
        feature_path(tmp_path, video)


@given(st.text(max_size=40))
def test_no_id_leaves_the_folder(video):
    try:
        path = feature_path("/base/folder", video)
    except FeatureFileError:
        return
    assert str(path).startswith("/base/folder/") and ".." not in path.parts


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_plain_file_is_refused(tmp_path, kind):
    path = put(tmp_path / "v_1.h5", kind)
    with opened(tmp_path) as names, pytest.raises(FeatureFileError) as caught:
        read_features(path)
    assert str(caught.value).startswith(f"{path}: is ") and SAID[kind] in str(caught.value)
    assert not names


def test_a_sparse_file_of_gigabytes_is_not_read(written):
    path, _ = written
    with path.open("r+b") as file:
        file.truncate(7_700_000_000)
    with opened(path.parent) as names:
        for read in (read_features, read_shape, read_meta):
            with pytest.raises(
                FeatureFileError, match=r"v_1\.h5: has 7\.70 GB, more than 4\.29 GB"
            ):
                read(path)
    assert not names


def test_features_too_large_to_be_read_are_not_written(tmp_path, monkeypatch):
    """10 hours with 15 clips per second of 2,304 channels fit."""
    assert 2 * 10 * 3600 * 15 * 2304 < half.LARGEST - half.FRAMING
    monkeypatch.setattr(half, "LARGEST", half.FRAMING + 2 * 10 * 16)
    write_features(tmp_path / "v_1.h5", np.ones((10, 16), np.float32), META)
    assert (tmp_path / "v_1.h5").stat().st_size < half.LARGEST
    with pytest.raises(FeatureFileError, match="11 clips of 16 channels .* larger stride"):
        write_features(tmp_path / "v_2.h5", np.ones((11, 16), np.float32), META)
    assert not (tmp_path / "v_2.h5").exists()


def test_files_of_before_without_a_description_are_read_all_the_same(tmp_path, monkeypatch):
    """What a file says behind its HDF5 part is what its attributes say; without it these are read."""
    features = np.ones((10, 16), np.float32)
    write_features(tmp_path / "new.h5", features, META)
    monkeypatch.setattr(store, "described", lambda image, description: image)
    write_features(tmp_path / "old.h5", features, META)
    new, old = (read_features(tmp_path / name) for name in ("new.h5", "old.h5"))
    assert (tmp_path / "new.h5").read_bytes() != (tmp_path / "old.h5").read_bytes()
    assert new[1] == old[1] == META and (new[0] == old[0]).all()
    assert store.read_outline(tmp_path / "new.h5") == store.read_outline(tmp_path / "old.h5")


def test_an_outline_is_read_without_the_hdf5_library_and_must_fit_the_features(
    tmp_path, monkeypatch
):
    path = tmp_path / "v.h5"
    write_features(path, np.ones((10, 16), np.float32), META)
    with monkeypatch.context() as patch:
        patch.setattr(store.h5py, "File", None)
        assert store.read_outline(path) == (10, 16, META)
    wrong = store.Outline(11, 16, META)
    monkeypatch.setattr(store, "description_of", lambda outline: description_of(wrong))
    write_features(path, np.ones((10, 16), np.float32), META)
    for read in (store.read_outline, read_features):
        with pytest.raises(FeatureFileError, match="11 x 16 features"):
            read(path)
