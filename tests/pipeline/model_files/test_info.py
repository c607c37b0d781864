"""What is said about a model: to people in a table that nothing in it can control, to programs as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from helpers.model_files import RESULTS, small_model

from pipeline.errors import UserError
from pipeline.model_files.info import describe, info_table
from pipeline.model_files.opening import open_model
from pipeline.model_files.writing import write_model


def test_a_file_is_told_of(model, own):
    info = describe(own)
    assert json.loads(json.dumps(info, allow_nan=False)) == json.loads(json.dumps(info))
    assert info["digest"] == model.digest and info["classes"] == {"labels": ["dive", "jump", "run"]}
    assert info["bytes"] == own.stat().st_size and info["trained"] == "2026-11-26"
    assert info["clips"]["clip_seconds"] == pytest.approx(8 * 4 / 15)
    table = info_table(info)
    for said in (
        model.digest, "3: dive, jump, run", "tada2d, blocks 1, 1, 1, 1, width 4", "one clip every 0.267 s",
        "windows of 10.67 s in 40 positions", "trained until 2026-11-26", "37.50", "  for tests\n  alone",
        "random initial weights", "AR@1 10.00  AR@5 20.00  AR@100 90.00",
    ):  # fmt: skip
        assert said in table, table


def test_many_classes_are_counted_and_the_first_named(tmp_path):
    heads = (
        tuple(f"verb {place}" for place in range(97)),
        tuple("x" * place for place in range(1, 300)),
    )
    write_model(small_model("ek100", heads), tmp_path / "own.tada")
    info = describe(tmp_path / "own.tada")
    assert [len(names) for names in info["classes"].values()] == [97, 299]
    table = info_table(info)
    assert "97: verb 0, verb 1" in table and "and 85 more" in table and "nouns" in table
    assert "initial weights tada2d_8x8_k400.pyth" in table
    assert max(map(len, table.splitlines())) < 250


def test_nothing_in_a_file_steers_the_terminal(tmp_path):
    model = small_model(heads=(("\u202egnp", "<script>", "=1+1"),), dataset__name="x\x1b[2Jy")
    model = replace(model, note="one\r\ntwo\u202e\u2028three", results={})
    table = told_of(model, tmp_path)
    assert "no results" in table and "\\u202egnp" in table


def test_no_name_of_a_figure_steers_the_terminal(tmp_path):
    figures = RESULTS["tasks"]["mAP"]
    named = {**RESULTS, "tasks": {"a\nb\x1b[2J": figures}, "average_recall": {"1\n\x1b[2J2": 0.5}}
    assert "AR@1\\n\\x1b[2J2 0.50" in told_of(replace(small_model(), results=named), tmp_path)


def told_of(model, folder):
    """The table of a model's file, each line of which can be printed."""
    write_model(model, folder / "own.tada")
    table = info_table(describe(folder / "own.tada"))
    assert all(line.isprintable() for line in table.split("\n"))
    return table


def test_a_video_as_a_whole(tmp_path):
    model = small_model("demo", bmn__window_step=None, bmn__temporal_scale=40, bmn__mode="rescale")
    write_model(model, tmp_path / "own.tada")
    assert "the whole video in 40 positions, proposals of up to 20" in info_table(
        describe(tmp_path / "own.tada")
    )


def test_a_model_is_opened_by_its_path(model, own, tmp_path):
    assert open_model(own).digest == model.digest
    for path in (tmp_path / "no", tmp_path):
        with pytest.raises(UserError) as caught:
            open_model(path)
        assert str(path) in caught.value.message
