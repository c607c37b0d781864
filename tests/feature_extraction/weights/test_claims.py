"""Files of tensors that claim more than they hold are refused before any memory is taken."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from helpers.special_files import KINDS, SAID, put
from torch import nn

from feature_extraction.weights import claims
from feature_extraction.weights.claims import ClaimError, load_tensors
from feature_extraction.weights.files import CheckpointError, read_checkpoint

TERABYTES = 4 << 40


def saved(content: object, **options: object) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def rewritten(content: bytes, change) -> bytes:
    """An archive with `change(name, bytes)` made of its records."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
        for record in old.infolist():
            new.writestr(record.filename, change(record.filename, old.read(record)))
    return stream.getvalue()


def with_pickle(content: bytes, old: bytes, new: bytes) -> bytes:
    """An archive with some bytes of its pickle exchanged."""

    def change(name: str, record: bytes) -> bytes:
        if not name.endswith("data.pkl"):
            return record
        assert record.count(old) == 1
        return record.replace(old, new)

    return rewritten(content, change)


def long(number: int) -> bytes:
    """A number as a pickle has it, whatever its size."""
    return b"\x8a\x08" + number.to_bytes(8, "little")


ONE = {"weight": torch.arange(12.0)}


def stated(count: int) -> bytes:
    return with_pickle(saved(ONE), b"cpuq\x06K\x0ct", b"cpuq\x06" + long(count) + b"t")


def called(module: str, name: str, count: int) -> bytes:
    """An archive whose pickle calls a class with a size."""
    code = b"\x80\x02c" + f"{module}\n{name}\n".encode() + long(count) + b"\x85R."
    return rewritten(saved(ONE), lambda name, old: code if name.endswith("data.pkl") else old)


def states_a_record(content: bytes, size: int) -> bytes:
    """An archive whose list says that a record unpacks to `size` bytes."""
    name = b"archive/data/0"
    at = content.rindex(name) - 46  # of the entry in the list: its size is 24 bytes in
    assert content[at : at + 4] == b"PK\x01\x02"
    return content[: at + 24] + size.to_bytes(4, "little") + content[at + 28 :]


def packed(content: bytes) -> bytes:
    """A small archive whose tensors unpack to many times its size."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for record in old.infolist():
            new.writestr(record.filename, old.read(record))
    return stream.getvalue()


def legacy(count: int) -> bytes:
    """What torch wrote before 1.6, with another number of elements stated."""
    content = saved(ONE, _use_new_zipfile_serialization=False)
    old = b"cpuq\x06K\x0c"
    assert content.count(old) == 1
    return content.replace(old, b"cpuq\x06" + long(count))


CLAIMS = {
    "a storage of 4 TiB": lambda: stated(TERABYTES // 4),
    "a storage of one more element": lambda: stated(13),
    "a storage below nothing": lambda: stated(2**63),
    "an old storage of 4 TiB": lambda: legacy(TERABYTES // 4),
    "a record of 4 GiB": lambda: states_a_record(saved(ONE), 2**32 - 2),
    "zeros that are packed": lambda: packed(saved({"weight": torch.zeros(1 << 20)})),
    "a bytearray": lambda: called("__builtin__", "bytearray", TERABYTES),
    "a tensor": lambda: called("torch", "Tensor", TERABYTES),
    "a storage by its class": lambda: called("torch", "FloatStorage", TERABYTES),
    "a tensor wider than its storage": lambda: saved({"a": torch.zeros(1).expand(1 << 20, 1 << 20)}),
    "many names": lambda: rewritten(
        saved(ONE), lambda name, old: b"".join(b"ca\nb%d\n" % n for n in range(2000)) + b"."
        if name.endswith("data.pkl") else old
    ),
}  # fmt: skip


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_claims_are_refused_in_one_line(tmp_path, claim, monkeypatch):
    path = tmp_path / "weights.pt"
    path.write_bytes(CLAIMS[claim]())
    if "wider" not in claim:  # which only shows once it is loaded, and takes no memory then
        monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("was loaded"))
    with pytest.raises(ClaimError) as caught:
        load_tensors(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200
    with pytest.raises(CheckpointError, match=r"weights\.pt: ") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_record_that_stands_twice_is_refused(tmp_path):
    """torch finds records whatever the case of their names, and takes the first."""
    path = tmp_path / "weights.pt"
    path.write_bytes(saved(ONE))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/DATA/0", b"")
    with pytest.raises(ClaimError, match="twice"):
        load_tensors(path)


@pytest.mark.parametrize("limit", ["LARGEST", "LARGEST_PICKLE"])
def test_limits_are_said(tmp_path, monkeypatch, limit):
    path = tmp_path / "weights.pt"
    path.write_bytes(saved(ONE))
    monkeypatch.setattr(claims, limit, 100)
    with pytest.raises(ClaimError, match=r"0\.000 MB"):
        load_tensors(path)


def test_a_sparse_file_of_terabytes_is_not_read(tmp_path):
    path = tmp_path / "weights.pt"
    with path.open("wb") as file:
        file.truncate(TERABYTES)
    with pytest.raises(CheckpointError, match=r"weights\.pt.* has 4398\.05 GB, and at most 34\.36"):
        read_checkpoint(path)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_plain_file_is_refused(tmp_path, kind):
    path = put(tmp_path / "weights.pt", kind)
    with pytest.raises(CheckpointError, match=SAID[kind]) as caught:
        read_checkpoint(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


class Shared(nn.Module):
    """Everything that a checkpoint can hold of ours and of others."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.norm = nn.BatchNorm1d(4)


@pytest.mark.parametrize("zipped", [True, False])
def test_what_is_usual_is_read_as_torch_reads_it(tmp_path, zipped):
    network = Shared()
    optimizer = torch.optim.AdamW(network.parameters())
    network.norm(network.second(torch.rand(3, 4))).sum().backward()
    optimizer.step()
    kinds = [torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.int64, torch.bool, torch.complex64,
             torch.uint8, torch.int16, torch.int32, torch.complex128]  # fmt: skip
    content = {
        "model": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "kinds": [torch.ones(3).to(kind) for kind in kinds],
        "view": torch.arange(100.0)[10:20],
        "empty": torch.zeros(0),
        "parameter": nn.Parameter(torch.ones(2)),
        "ordered": OrderedDict(a=1, b=(2.5, None, True, "text", {"x": []})),
        "size": torch.zeros(3, 2).shape,
        "spread": torch.zeros(1).expand(50),
    }
    path = tmp_path / "weights.pt"
    path.write_bytes(saved(content, _use_new_zipfile_serialization=zipped))
    assert repr(load_tensors(path)) == repr(torch.load(path, weights_only=True))


def test_what_is_no_file_of_tensors_is_left_to_say_so(tmp_path):
    path = tmp_path / "weights.pt"
    for content in (b"", b"text", b"PK\x03\x04 broken", pickle.dumps(3), saved(ONE)[:-40]):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"weights\.pt: (not a file|damaged)"):
            read_checkpoint(path)


def test_bits_flipped_anywhere_end_in_one_error(tmp_path):
    path = Path(tmp_path / "weights.pt")
    good = saved({"a": torch.rand(8), "b": [1, 2]})
    for at in range(0, len(good), 7):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x41]) + good[at + 1 :])
        try:
            load_tensors(path)
        except Exception as error:
            assert str(error), at
