"""metrics.csv: whole lines, each step and epoch once, whatever kills the training."""

from __future__ import annotations

import csv

import pandas as pd
import pytest

from pipeline.errors import UserError
from pipeline.training.logs.metrics import FIRST, METRICS, MetricsFile, read_metrics


def step(number: int, epoch: int = 1, **more: float) -> dict:
    base = {"row": "step", "epoch": epoch, "step": number, "learning_rate": 0.1 / number}
    return base | {"seconds": float(number), "samples_per_second": 8.0, "total": 1 / number} | more


def epoch(number: int, after: int, **more: float) -> dict:
    return {**step(after, number), "row": "epoch"} | more


def written(path, rows):
    file = MetricsFile(path)
    assert file.begin(0, 0) == []
    for row in rows:
        file.add(row)
    file.save()
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "stage" / METRICS


ROWS = [
    step(1), step(2), epoch(1, 2, val_top1=50.0), step(3, 2), step(4, 2), epoch(2, 4, val_top1=75.0),
]  # fmt: skip


def test_rows_come_back_to_the_last_digit(path):
    written(path, ROWS)
    assert read_metrics(path) == ROWS
    table = pd.read_csv(path)
    assert tuple(table.columns) == (*FIRST, "total", "val_top1")
    assert table["total"].tolist() == pytest.approx([row["total"] for row in ROWS])
    assert table["val_top1"].dropna().tolist() == [50.0, 75.0]


def test_every_line_has_every_column_whenever_one_came(path):
    written(path, [*ROWS, step(5, 3, reg=0.25)])
    lines = list(csv.reader(path.open()))
    assert {len(line) for line in lines} == {len(FIRST) + 3}
    assert read_metrics(path) == [*ROWS, step(5, 3, reg=0.25)]


@pytest.mark.parametrize("taken", range(5))
def test_what_is_after_the_checkpoint_is_forgotten_and_written_again(path, taken):
    written(path, ROWS)
    file = MetricsFile(path)
    ended = taken // 2
    kept = file.begin(taken, ended)
    assert [row["step"] for row in kept if row["row"] == "step"] == list(range(1, taken + 1))
    assert [row["epoch"] for row in kept if row["row"] == "epoch"] == list(range(1, ended + 1))
    for row in ROWS[len(kept) :]:
        file.add(row)
    file.save()
    assert read_metrics(path) == ROWS


def test_an_epoch_whose_validation_broke_off_is_told_again(path):
    written(path, ROWS[:3])
    assert MetricsFile(path).begin(2, 0) == ROWS[:2]


@pytest.mark.parametrize("cut", [1, 7, 30])
def test_a_line_that_was_cut_off_counts_for_nothing(path, cut):
    whole = written(path, ROWS).read_bytes()
    path.write_bytes(whole[:-cut])
    assert read_metrics(path) == ROWS[:5]
    file = MetricsFile(path)
    file.begin(4, 2)
    file.add(ROWS[5])
    file.save()
    assert read_metrics(path) == ROWS and path.read_bytes() == whole


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b"\n\n", b'"', b"row,epoch,step\nstep,1,1\n"]
)
def test_what_is_no_metrics_file_is_written_anew(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    assert read_metrics(path) == []
    file = MetricsFile(path)
    assert file.begin(3, 0) == []
    file.add(step(4))
    file.save()
    assert read_metrics(path) == [step(4)]


def test_a_damaged_row_ends_what_is_read(path):
    lines = written(path, ROWS).read_text().splitlines(keepends=True)
    lines[3] = lines[3].replace("epoch,1", "epoch,x")
    path.write_text("".join(lines))
    assert read_metrics(path) == ROWS[:2]


def test_rows_wait_and_a_step_costs_no_writing(path):
    file = MetricsFile(path)
    file.begin(0, 0)
    file.add(step(1))
    before = path.read_bytes()
    file.add(step(2))
    assert path.read_bytes() == before, "it waits for a checkpoint or two seconds"
    file.save()
    assert read_metrics(path) == [step(1), step(2)]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    file = MetricsFile(tmp_path / "file" / METRICS)
    with pytest.raises(UserError, match="cannot be written"):
        file.add(step(1))
