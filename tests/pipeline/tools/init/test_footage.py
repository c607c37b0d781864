"""What `tada-loc init` makes of videos and tables that are not as they should be."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.cli.commands import main
from pipeline.configuration.reading import load_config
from pipeline.demo.dataset import make_dataset
from pipeline.tools.init import configuration as starting
from pipeline.tools.init.footage import look_at

SUBSETS = ["training", "validation"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """Two videos of 6 s, training_000 and validation_000."""
    folder = tmp_path_factory.mktemp("drawn")
    make_dataset(folder, train_videos=1, val_videos=1, seconds=6.0, workers=1)
    return folder / "videos"


def table(rows: list[tuple[str, float, float]], **columns) -> pd.DataFrame:
    """Rows (training or validation, start, end) with labels of two classes."""
    frame = pd.DataFrame(rows, columns=["subset", "start", "end"])
    frame["video"] = frame["subset"] + "_000"
    return frame.assign(label=["grow", "shrink", *["grow"] * len(rows)][: len(rows)], **columns)


def init(videos: Path, frame: pd.DataFrame, target: Path, *words: str):
    """`init` on a table; the result and, where it was written, the configuration."""
    path = target.with_suffix(".csv")
    frame.to_csv(path, index=False)
    words = ("init", str(videos), str(path), "--to", str(target), "--workers", "0", *words)
    result = CliRunner().invoke(main, list(words), catch_exceptions=False)
    assert "Traceback" not in result.output
    assert result.output.count("Error: ") == (result.exit_code != 0)
    return result, load_config(target) if result.exit_code == 0 else None


def proposal_seconds(config) -> float:
    return config.bmn.duration_scale * config.extract.stride / config.extract.fps


def test_segments_are_cut_at_their_videos_end(videos, tmp_path):
    rows = table([("training", 1.0, 3.0), ("training", 3.0, 1e9), ("validation", 7000.0, 9000.0),
                  ("validation", 2.0, 4.5)])  # fmt: skip
    refused, _ = init(videos, rows, tmp_path / "c.yaml")
    assert refused.exit_code == 1 and "1 of 2 training segments end after" in refused.output
    result, config = init(videos, rows, tmp_path / "c.yaml", "--allow-beyond", "0.5")
    assert result.exit_code == 0, result.output
    assert config.dataset.allow_beyond == 0.5
    assert "(training_000 of 6.00 s: 3 to 1000000000)" in result.output
    assert (
        "1 of 2 validation segments end after their video's end, 1 of them begin" in result.output
    )
    assert proposal_seconds(config) < 6
    footage = look_at(config.dataset, workers=0)
    assert footage.segments == 3 and footage.longest == pytest.approx(3.0, abs=0.1)


def test_the_rounding_of_the_last_frame_is_not_worth_a_word(videos, tmp_path):
    rows = table([("training", 1.0, 6.02), ("validation", 2.0, 4.0)])
    result, config = init(videos, rows, tmp_path / "c.yaml")
    assert result.exit_code == 0 and "cut there" not in result.output
    assert look_at(config.dataset, workers=0).longest <= 5


def test_videos_that_cannot_be_read_have_no_lengths(videos, tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    for path in videos.iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "damaged.mp4").write_bytes(b"no video")
    rows = table([("training", 1.0, 3.0), ("validation", 2.0, 4.0), ("training", 0.0, 900.0)])
    rows.loc[2, "video"] = "damaged"
    result, config = init(folder, rows, tmp_path / "c.yaml")
    assert result.exit_code == 0 and "video damaged cannot be read" in result.output
    footage = look_at(config.dataset, workers=0)
    assert (footage.videos, footage.segments, footage.training_segments) == (2, 2, 1)
    assert footage.longest == 2 and proposal_seconds(config) < 6


@pytest.mark.parametrize(
    ("rows", "columns", "said"),
    [
        ([("training", 1, 3)], ["subset"], "no subset column), and none is left to train on; cut"),
        ([("validation", 1, 3)], [], "its only video is for validation, and none is left"),
        ([("training", 1, 3), ("validation", 2, 2)], [], "no segment of subset 'validation' lasts"),
        ([("training", 2, 2), ("validation", 1, 3)], [], "no segment of subset 'training' lasts"),
        ([("training", 1e6, 2e6), ("validation", 1, 3)], [], "1 of 1 training segments end after"),
    ],
)  # fmt: skip
def test_a_split_that_leaves_nothing_is_refused(videos, tmp_path, rows, columns, said):
    result, _ = init(videos, table(rows).drop(columns=columns), tmp_path / "c.yaml")
    assert result.exit_code == 1 and said in result.output, result.output
    assert not (tmp_path / "c.yaml").exists()


def test_subsets_of_other_names(videos, tmp_path):
    rows = table([("training", 1, 3), ("validation", 2, 4)]).replace(
        {"subset": {"training": "train", "validation": "val"}}
    )
    target = tmp_path / "c.yaml"
    for words, name in (
        ((), "validation"),
        (("--eval-subset", "val"), "training"),
        (("--train-subset", "train"), "validation"),
    ):
        result, _ = init(videos, rows, target, *words)
        assert result.exit_code == 1 and f"no video of subset {name!r}" in result.output
        assert "it has train, val" in result.output
        assert "--train-subset NAME --eval-subset NAME" in result.output
    result, config = init(videos, rows, target, "--train-subset", "train", "--eval-subset", "val")
    assert result.exit_code == 0, result.output
    assert (config.dataset.train_subset, config.dataset.eval_subset) == ("train", "val")
    init(videos, table([("training", 1, 3), ("validation", 2, 4)]), target, "--force")
    assert "_subset: " not in target.read_text()


def test_folders_of_frames(tmp_path):
    for name in SUBSETS:
        folder = tmp_path / "frames" / f"{name}_000"
        folder.mkdir(parents=True)
        for number in range(1, 61):
            Image.new("RGB", (16, 16)).save(folder / f"frame_{number:010d}.jpg")
    rows = table([("training", 1, 3), ("validation", 2, 4)])
    target = tmp_path / "c.yaml"
    result, _ = init(tmp_path / "frames", rows, target)
    assert result.exit_code == 1 and "--frame-fps RATE" in result.output
    result, config = init(tmp_path / "frames", rows, target, "--frame-fps", "12")
    assert result.exit_code == 0, result.output
    assert config.dataset.frame_fps == 12 and config.extract.fps == 12
    for rate in ("0", "-1", "nan", "inf"):
        result, _ = init(tmp_path / "frames", rows, target, "--force", "--frame-fps", rate)
        assert result.exit_code == 2 and "--frame-fps" in result.output


def test_a_packed_json_file_is_refused(videos, tmp_path):
    packed = tmp_path / "own.json.gz"
    packed.write_bytes(b"\x1f\x8b")
    words = ["init", str(videos), str(packed), "--to", str(tmp_path / "c.yaml")]
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 1 and "own.json.gz" in result.output and "unpack" in result.output


def test_a_wrong_tables_columns_are_shown_in_short(videos, tmp_path):
    wide = pd.DataFrame([[1] * 500], columns=[f"column_{i}_" + "x" * 90 for i in range(500)])
    result, _ = init(videos, wide, tmp_path / "c.yaml")
    assert result.exit_code == 1 and "no column video, start, end, label" in result.output
    assert "column_9_" in result.output and "column_10_" not in result.output
    assert "and 490 more" in result.output and "x" * 40 not in result.output


def test_the_older_file_is_kept_until_the_new_one_is_valid(videos, tmp_path, monkeypatch):
    target = tmp_path / "c.yaml"
    target.write_text("mine")
    monkeypatch.setattr(starting, "configuration_text", lambda *_: "dataset: {nam: own}\n")
    rows = table([("training", 1, 3), ("validation", 2, 4)])
    result, _ = init(videos, rows, target, "--force")
    assert result.exit_code == 2 and "c.yaml: unknown key dataset.nam" in result.output
    assert target.read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"c.yaml", "c.csv"}
