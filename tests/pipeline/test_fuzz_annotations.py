"""Annotations of other programs, on input nobody meant: only a UserError may come out, and nothing half right."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from helpers.annotation_files import SAMPLES, Sample
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.data.annotations.dataset import Inputs
from pipeline.data.annotations.formats import format_of, read_format
from pipeline.errors import UserError

fuzz = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SHORT = st.text(st.characters(), max_size=12)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    SHORT,
    st.sampled_from(
        ["", " ", "../x", "\0", "nan", "v06.mp4", "[", "1e999", "http://[x", "training"]
    ),
)
TREE = st.recursive(
    PLAIN,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(SHORT, inner, max_size=3)),
    max_leaves=6,
)
CELLS = st.one_of(
    st.sampled_from(["1", "2.5", "-1", "nan", "1e999", "00:00:01.5", "9:99", '"', "a\0b", "", "[{", "v06.mp4"]),
    SHORT,
)  # fmt: skip


def check(path: Path, sample: Sample, content: bytes) -> None:
    path.write_bytes(content)
    for name in (sample.kind, None):
        try:
            found = name or format_of([path])
            if found in {"something", "kinetics", "epic_kitchens"}:
                continue
            dataset = read_format(found, Inputs([path], fps=sample.fps))
        except UserError as error:
            assert error.exit_code in {1, 2}
            assert "\n" not in error.message and 0 < len(error.message) < 2000
            continue
        rows = dataset.annotations
        assert np.isfinite(rows[["start", "end"]].to_numpy(float)).all()
        assert (rows["start"] >= 0).all() and (rows["end"] >= 0).all()
        assert set(rows["video"]) <= set(dataset.videos["video"])
        assert not any("/" in video or "\0" in video for video in dataset.videos["video"])
        assert set(rows["label"]) <= set(dataset.heads[0])
        dataset.videos["subset"].str.encode("utf-8", "replace")


@st.composite
def overwritten(draw: st.DrawFn, content: bytes) -> bytes:
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        at, size = draw(st.integers(0, len(data))), draw(st.integers(0, 12))
        data[at : at + size] = draw(st.binary(max_size=12))
    return bytes(data)


def _places(tree: object, path: tuple = ()):
    yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items if isinstance(tree, (dict, list)) else ():
        if isinstance(value, (dict, list)):
            yield from _places(value, (*path, key))
        else:
            yield (*path, key)


def _set(tree: object, path: tuple, value: object) -> object:
    if not path:
        return value
    if isinstance(tree, dict):
        return {**tree, path[0]: _set(tree[path[0]], path[1:], value)}
    return [_set(v, path[1:], value) if i == path[0] else v for i, v in enumerate(tree)]


@pytest.mark.parametrize("name", SAMPLES)
@fuzz
@given(edit=st.data())
def test_bytes_with_a_mistake(tmp_path, name, edit):
    check(
        tmp_path / SAMPLES[name].name, SAMPLES[name], edit.draw(overwritten(SAMPLES[name].content))
    )


@pytest.mark.parametrize("name", [n for n, s in SAMPLES.items() if s.name.endswith(".json")])
@fuzz
@given(edit=st.data())
def test_trees_with_a_mistake(tmp_path, name, edit):
    tree = json.loads(SAMPLES[name].content)
    place = edit.draw(st.sampled_from(list(_places(tree))))
    content = json.dumps(_set(tree, place, edit.draw(TREE))).encode("utf-8", "replace")
    check(tmp_path / "a.json", SAMPLES[name], content)


@pytest.mark.parametrize("name", [n for n, s in SAMPLES.items() if not s.name.endswith(".json")])
@fuzz
@given(edit=st.data())
def test_rows_of_anything(tmp_path, name, edit):
    sample = SAMPLES[name]
    head = sample.content.split(b"\n")[0].decode()
    separator = "\t" if "\t" in head else ","
    rows = edit.draw(st.lists(st.lists(CELLS, min_size=1, max_size=9), min_size=1, max_size=3))
    text = "\n".join([head, *(separator.join(row) for row in rows)])
    check(tmp_path / sample.name, sample, text.encode("utf-8", "replace"))


@fuzz
@given(content=st.binary(max_size=100), packed=st.booleans())
def test_anything(tmp_path, content, packed):
    path = tmp_path / ("a.gz" if packed else "a")
    check(path, SAMPLES["table"], gzip.compress(content) if packed else content)
