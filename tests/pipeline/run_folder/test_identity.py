"""What a stage's results depend on: compared as it will be read back, named by what differs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.run_folder.identity import (
    field_differences,
    file_digest,
    fingerprint,
    plain_fields,
)


def test_fields_compare_as_they_are_read_back():
    assert plain_fields({"b": (1, 2), "a": Path("x/y")}) == {"a": "x/y", "b": [1, 2]}
    assert plain_fields(plain_fields({"a": (0.1, None)})) == {"a": [0.1, None]}


def test_each_difference_has_its_line_and_files_no_digests():
    old = {"a": 1, "same": 2, "input.finetune": "x", "file.rows.csv": "p", "gone": 3}
    new = {"a": 2, "same": 2, "input.finetune": "y", "file.rows.csv": "q", "new": 4}
    assert field_differences(old, new) == [
        "a: 1 -> 2",
        "rows.csv changed",
        "gone: 3 -> None",
        "finetune changed",
        "new: None -> 4",
    ]
    assert field_differences(new, new) == []


def test_numbers_are_shown_as_people_write_them_unless_that_hides_the_difference():
    old = {"iou": [0.1, 0.1 + 0.2], "rate": 1e-4, "way": [[0.1 + 0.2], None]}
    new = {"iou": [0.1, 0.5], "rate": 3e-4, "way": [[1.5], True]}
    assert field_differences(old, new) == [
        "iou: [0.1, 0.3] -> [0.1, 0.5]",
        "rate: 0.0001 -> 0.0003",
        "way: [[0.3], None] -> [[1.5], True]",
    ]
    assert field_differences({"x": 0.1 + 0.2}, {"x": 0.3}) == ["x: 0.30000000000000004 -> 0.3"]


def test_the_old_ones_are_restated_before_they_are_compared():
    asked = []

    def restate(old, today):
        asked.append(set(today))
        return {"name": old["former name"]}

    assert field_differences({"former name": 1}, {"name": 1}, restate) == []
    assert field_differences({"former name": 1}, {"name": 2}, restate) == ["name: 1 -> 2"]
    assert asked == [{"name"}] * 2


def test_the_fingerprint_is_of_keys_and_values_in_any_order():
    one = fingerprint({"a": 1, "b": [1, 2]})
    assert one == fingerprint({"b": (1, 2), "a": 1}) and len(one) == 64
    others = [{"a": 1}, {"a": 1, "b": [2, 1]}, {"a": 2, "b": [1, 2]}, {"a": 1, "c": [1, 2]}]
    assert len({one, *map(fingerprint, others)}) == 5
    with pytest.raises(ValueError, match="JSON"):
        fingerprint({"a": float("nan")})


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1])
def test_a_files_digest_is_the_sha256_of_its_bytes(tmp_path, size):
    path = tmp_path / "a"
    path.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    assert file_digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserError, match=r"rows\.csv: cannot be read"):
        file_digest(tmp_path / "rows.csv")
