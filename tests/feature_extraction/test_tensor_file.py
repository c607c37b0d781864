"""Files of tensors: read as the library of the form reads them, and refused wherever they are not what they say."""

from __future__ import annotations

import json
import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from feature_extraction.tensor_file import (
    LARGEST_HEADER,
    TensorFileError,
    is_tensor_file,
    opened,
    read_block,
    stated_digests,
    strict_json,
)
from feature_extraction.weights import CheckpointError, read_checkpoint
from feature_extraction.weights.tensors import KINDS

TENSORS = {
    "double": torch.arange(3, dtype=torch.float64),
    "float": torch.randn(2, 3, 4),
    "half": torch.randn(5).half(),
    "brain": torch.randn(3, 3).bfloat16(),
    "count": torch.tensor(7),
    "int": torch.arange(4, dtype=torch.int32),
    "short": torch.arange(4, dtype=torch.int16),
    "tiny": torch.arange(4, dtype=torch.int8),
    "byte": torch.arange(4, dtype=torch.uint8),
    "truth": torch.tensor([True, False]),
    "none": torch.zeros(0, 3),
}


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth", "a"])
def test_what_the_library_writes_is_read_whatever_its_name(tmp_path, name):
    save_file(TENSORS, tmp_path / name, {"format": "pt"})
    assert is_tensor_file(tmp_path / name)
    found = read_checkpoint(tmp_path / name)
    assert found.keys() == TENSORS.keys() and set(KINDS.values()) == {
        t.dtype for t in TENSORS.values()
    }
    for key, tensor in TENSORS.items():
        assert found[key].dtype == tensor.dtype and torch.equal(found[key], tensor), key


def test_a_file_of_torch_stays_one(tmp_path):
    for name in ("a.pth", "a"):
        torch.save({"a": torch.ones(3)}, tmp_path / name)
        assert not is_tensor_file(tmp_path / name)
        assert torch.equal(read_checkpoint(tmp_path / name)["a"], torch.ones(3))
    torch.save({"a": torch.ones(3)}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="a zip archive, as torch.save writes"):
        read_checkpoint(tmp_path / "a.safetensors")


def test_what_is_not_there_or_no_file(tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint file"):
        read_checkpoint(tmp_path / "a.safetensors")
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(CheckpointError, match="it is a named pipe"):
        read_checkpoint(tmp_path / "pipe.safetensors")
    assert not is_tensor_file(tmp_path / "pipe.safetensors") and not is_tensor_file(tmp_path / "no")
    (tmp_path / "text.yaml").write_text("dataset:{name: x}")
    assert not is_tensor_file(tmp_path / "text.yaml")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_numbers_that_are_none_are_refused(tmp_path, value, kind):
    save_file({"a": torch.tensor([1.0, value], dtype=kind)}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="the tensor a has a value that is not finite"):
        read_checkpoint(tmp_path / "a.safetensors")


def test_a_file_that_becomes_shorter_while_it_is_read(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.ones(1 << 20)}, path)
    with opened(path) as (stream, header):
        os.truncate(path, 1 << 20)
        with pytest.raises(TensorFileError, match="is truncated in the tensor a"):
            read_block(stream, header.blocks[0])


@given(st.data())
def test_no_damage_is_anything_but_an_error_or_what_was_there(data):
    image = bytearray(save({"a": torch.ones(4), "b": torch.arange(3)}))
    for _ in range(data.draw(st.integers(1, 4))):
        image[data.draw(st.integers(0, len(image) - 1))] = data.draw(st.integers(0, 255))
    image = image[: data.draw(st.integers(0, len(image)))]
    import io

    from feature_extraction.tensor_file import read_header

    try:
        header = read_header(io.BytesIO(bytes(image)), len(image))
    except TensorFileError as error:
        assert "\n" not in str(error)
        return
    assert sum(block.size for block in header.blocks) + header.blocks[0].begin == len(image)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}', "appears twice"),
        ("[NaN]", "is not a number"),
        ("[-Infinity]", "is not a number"),
        ("[1e999]", "too large"),
        ("[1,]", "Illegal|Expecting"),
    ],
)
def test_json_is_taken_strictly(text, said):
    with pytest.raises(ValueError, match=said):
        strict_json(text)
    assert strict_json('{"a": [1, 2.5, "x", null]}') == {"a": [1, 2.5, "x", None]}


def test_a_header_is_no_longer_than_it_may_be(tmp_path):
    path = tmp_path / "a.safetensors"
    header = json.dumps({"__metadata__": {"a": "x" * LARGEST_HEADER}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(TensorFileError, match="claims a header"), opened(path):
        pass


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"sha256": {}}', '{"sha256": {"a": "12"}}', '{"sha256": {"a": 3}}', "{"]
)
def test_digests_of_ours_are_of_every_tensor(tmp_path, text):
    save_file({"a": torch.ones(1)}, tmp_path / "a", {"tada_loc": text})
    with opened(tmp_path / "a") as (_, header), pytest.raises(TensorFileError, match="tada_loc"):
        stated_digests(header)
    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path / "a")
