"""NumPy's files that claim more than they hold are refused before memory is taken."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from pipeline import array_files as arrays
from pipeline.array_files import load_npy, open_npz

ARRAY = np.arange(12, dtype=np.float32).reshape(4, 3)


def stored(array: np.ndarray, shape: tuple[int, ...] | None = None) -> bytes:
    """An .npy file; with a `shape`, one whose header claims that."""
    stream = io.BytesIO()
    if shape is None:
        np.save(stream, array)
        return stream.getvalue()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + array.tobytes()


@pytest.mark.parametrize("shape", [(1 << 40, 4), (4, 100), (1 << 62, 1 << 62), (-1, 3)])
def test_a_header_that_claims_more_than_there_is(tmp_path, shape, monkeypatch):
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("was loaded"))
    (tmp_path / "a.npy").write_bytes(stored(ARRAY, shape))
    with pytest.raises(OSError, match="header claims"):
        load_npy(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("features.npy", stored(ARRAY, shape))
    with pytest.raises(OSError, match="header claims"), open_npz(tmp_path / "a.npz"):
        pass


def test_an_archive_that_unpacks_to_too_much(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", features=np.zeros((4096, 2304), np.float32))
    assert (tmp_path / "a.npz").stat().st_size < 100_000
    with open_npz(tmp_path / "a.npz") as archive:  # as much is always taken
        assert archive["features"].shape == (4096, 2304)
    monkeypatch.setattr(arrays, "ANY_PACKED", 1 << 20)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("was loaded"))
    found = pytest.raises(OSError, match=r"unpack to 37\.75 MB, and at most")
    with found, open_npz(tmp_path / "a.npz"):
        pass


def test_zeros_pack_to_a_thousandth_and_are_not_unpacked(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("features.npy", "w") as stream,
    ):
        header = {"descr": "<f4", "fortran_order": False, "shape": (40 << 10, 2048)}
        np.lib.format.write_array_header_1_0(stream, header)
        for _ in range(20):
            stream.write(bytes(16 << 20))
    with (
        pytest.raises(OSError, match=r"1\.46 MB that unpack to 335\.54 MB, and at most 268\.44 MB"),
        open_npz(tmp_path / "a.npz"),
    ):
        pass


def test_arrays_come_back(tmp_path):
    for array in (ARRAY, ARRAY.astype(np.float64), np.zeros((0, 3)), np.float32(2.0), ARRAY.T):
        np.save(tmp_path / "a.npy", array)
        np.testing.assert_array_equal(load_npy(tmp_path / "a.npy"), array)
        np.savez(tmp_path / "a.npz", one=array, two=ARRAY)
        with open_npz(tmp_path / "a.npz") as archive:
            np.testing.assert_array_equal(archive["one"], array)
            assert archive.files == ["one", "two"]
