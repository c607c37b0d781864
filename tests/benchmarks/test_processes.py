"""In float64 several processes take the very steps of one, whatever is trained, to the last few digits."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import processes
from benchmarks.processes import Apart, Figure, compare, distance_table, figure_table, train
from benchmarks.processes_cases import UNREADABLE, prepare

DIGITS = 1e-11  # float64 has 16 digits, and ten steps cost two of them; a fault costs all but two or three
# One of each kind here; the others take longer.
QUICK = ("whole", "pieces", "verb and noun", "windows", "window pieces", "moving windows")


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("steps")
    return folder, prepare(folder)


@pytest.fixture(scope="module")
def quick(cases):
    """What one and two processes did in the quick cases."""
    folder, listed = cases
    chosen = [case for case in listed if case["name"] in QUICK]
    return [train(folder, chosen, "float64", count) for count in (1, 2)]


def same(one, several, case, count):
    far = compare(one, several, case, count)
    assert max(far.weights) < DIGITS and max(far.losses) < DIGITS and far.kept < DIGITS, far
    assert far.figures < 1e-9, far  # accuracies are in percent
    rows = np.load(one / case["name"] / "weights.npy")
    assert (rows != rows.astype(np.float32)).any()  # nobody rounds on the way
    assert len(rows) >= 4 and np.linalg.norm(rows[-1] - rows[0]) > 1e-3 * np.linalg.norm(rows[0])


@pytest.mark.parametrize("name", QUICK)
def test_two_processes_take_the_steps_of_one(cases, quick, name):
    case = next(case for case in cases[1] if case["name"] == name)
    same(*quick, case, 2)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_several_processes_take_the_steps_of_one_with_every_option(cases, count):
    folder, listed = cases
    one, several = (train(folder, listed, "float64", number) for number in (1, count))
    for case in listed:
        same(one, several, case, count)
    said = json.loads((several / "unreadable/finetune/manifest.json").read_text())
    assert UNREADABLE in json.dumps(said)


def test_what_differs_is_found(tmp_path):
    case = {"name": "case", "stage": "bmn"}
    for number, name in enumerate(("one", "two")):
        folder = tmp_path / name / "case"
        (folder / "bmn").mkdir(parents=True)
        np.save(folder / "weights.npy", np.array([[3.0, 4.0], [3.0, 4.0 + number]]))
        np.save(folder / "kept.npy", np.array([0.0, 2.0 + number]))
        (folder / "terms.json").write_text(json.dumps([{"total": 2.0}, {"total": 2.0 - number}]))
        (folder / "bmn/history.json").write_text(
            json.dumps([{"epoch": 1, "total": 5 + 3 * number}])
        )
    found = compare(tmp_path / "one", tmp_path / "two", case, 2)
    assert found == Apart("case", 2, (0.0, 0.2), (0.0, 0.5), 0.5, 3)


def test_tables_have_a_line_each():
    row = Apart("whole", 2, (0.0, 1e-15, 2e-15, 3e-15, 4e-15), (1e-16, 0.0), 5e-15, 0.0)
    lines = distance_table({"float64": [row], "float32": [row]}).splitlines()
    assert lines[1].split() == ["whole", "float64", "2", "0", "3e-15", "4e-15", "1e-16", "5e-15"]
    figures = [Figure(seed, count, 50.0 + seed, 20.0) for seed in range(3) for count in (1, 2)]
    lines = figure_table(figures).splitlines()
    assert lines[1].split() == ["@0.5", "1", "51.00", "1.00", "2.00", "50.00", "51.00", "52.00"]
    assert len(lines) == 5


def test_the_command_prints_both_parts(tmp_path, monkeypatch):
    row = Apart("whole", 2, (0.0,) * 4, (0.0,), 0.0, 0.0)
    monkeypatch.setattr(processes, "study_steps", lambda *_: {"float64": [row]})
    monkeypatch.setattr(processes, "study_seeds", lambda *_: [Figure(0, 1, 50.0, 20.0)])
    words = ["--to", str(tmp_path / "to"), "--json", str(tmp_path / "n.json")]
    done = CliRunner().invoke(processes.main, words, catch_exceptions=False)
    assert done.exit_code == 0 and "whole" in done.output and "50.00" in done.output
    assert set(json.loads((tmp_path / "n.json").read_text())) == {"steps", "seeds"}
