"""What the demo says of its figure, when, and that the documents promise the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers.paths import ROOT
from helpers.small_runs import SMALL, tada

from pipeline.configuration.reading import find_config, load_config, parse_overrides
from pipeline.demo import running
from pipeline.demo.promise import EXPECTED, Expected, is_shipped, verdict
from pipeline.run_folder.files import write_json
from pipeline.runs.ways import in_order

README = ROOT / "README.md"
PAGE = ROOT / "docs" / "start" / "demo.md"
DATA = Path("drawn")


def demo_config(*assignments, backbone="tada2d"):
    fields = {
        "backbone.name": backbone,
        "dataset.videos": str(DATA / "videos"),
        "dataset.annotations": str(DATA / "annotations.csv"),
    }
    return load_config(find_config("demo"), fields | parse_overrides(assignments))


def test_both_ends_are_inside_as_they_are_shown():
    expected = Expected(69.5, 2.0)
    assert str(expected) == "69.5 +- 2.0"
    for average in (67.5, 67.4951, 69.5, 71.5, 71.504):
        assert expected.holds(average), average
    for average in (67.494, 71.506, 43.86):
        assert not expected.holds(average), average


@pytest.mark.parametrize("backbone", EXPECTED)
def test_what_is_said(backbone):
    expected = EXPECTED[backbone]
    config = demo_config(backbone=backbone)
    inside = verdict(config, DATA, expected.mean)
    assert inside == f"demo: average mAP {expected.mean:.2f}, inside the expected {expected}"
    outside = verdict(config, DATA, expected.mean + expected.half_width + 1)
    assert f"outside the expected {expected}: please report it" in outside
    assert "CPU and torch version" in outside


@pytest.mark.parametrize(
    "assignment",
    [
        "finetune.seed=1", "bmn.seed=1", "bmn.epochs=3", "extract.stride=8", "proposals.voting=null",
        "classify.top=1", "eval.iou=0.5", "backbone.width=16", "backbone.pretrained=imagenet",
        "runtime.skip=ids.txt", "dataset.videos=mine", "dataset.annotations=mine.csv",
        "dataset.hold_out=0.1",
    ],
)  # fmt: skip
def test_nothing_is_promised_of_other_settings(assignment):
    assert verdict(demo_config(assignment), DATA, 69.5) is None


def test_nothing_is_promised_of_other_networks():
    assert verdict(demo_config(backbone="r3d"), DATA, 69.5) is None


@pytest.mark.parametrize(
    "assignment",
    ["runtime.workers=0", "runtime.device=cpu", "extract.batch_size=1", "finetune.seed=0"],
)
def test_where_and_how_it_runs_is_free(assignment):
    assert is_shipped(demo_config(assignment))


def test_the_demo_ends_with_it(tmp_path, monkeypatch):
    def stages(run, rows):
        assert rows == in_order()
        write_json(
            run.folder / "eval" / "results.json",
            {"iou": [], "tasks": {"mAP": {"map": [], "average": 52.344}}},
        )

    monkeypatch.setattr(running, "make_dataset", lambda data: None)
    monkeypatch.setattr(running, "run_stages", stages)
    run, said = running.run_demo(tmp_path, "tsn", {})
    assert said.startswith("demo: average mAP 52.34, outside the expected")
    assert run.folder == tmp_path
    assert running.run_demo(tmp_path, "tsn", parse_overrides(SMALL))[1] is None


def test_the_command_says_it_last(tmp_path, monkeypatch):
    def made(verdict):
        return lambda *_, **__: (None, verdict)

    monkeypatch.setattr("pipeline.stages.evaluate.results_table", lambda run: "the table")
    monkeypatch.setattr("pipeline.tools.plots.plot_run", lambda run: "a.png")
    monkeypatch.setattr("pipeline.tools.report.making.make_small_report", lambda run: "a.html")
    monkeypatch.setattr(running, "run_demo", made("demo: as expected"))
    done = tada("demo", "--run-dir", str(tmp_path))
    assert done.exit_code == 0 and done.stdout == "the table\n"
    assert done.stderr.splitlines() == [
        "demo: picture in a.png",
        "report: a.html",
        "demo: as expected",
    ]
    monkeypatch.setattr(running, "run_demo", made(None))
    assert (
        tada("demo", "--run-dir", str(tmp_path)).stderr
        == "demo: picture in a.png\nreport: a.html\n"
    )


def test_the_page_of_the_demo_promises_the_same():
    text = PAGE.read_text()
    spans = re.findall(r"(\d+\.\d) \+- (\d+\.\d)", text)
    wanted = [str(EXPECTED[name]) for name in ("tada2d", "tsn")]
    assert [f"{mean} +- {half}" for mean, half in spans] == wanted
    tables = re.findall(
        r"^mAP +.* (\d+\.\d\d)$\nproposals: .*\nAR@AN: .*\n(.*)$", text, re.MULTILINE
    )
    assert len(tables) == 2
    for (average, line), name in zip(tables, ("tada2d", "tsn"), strict=True):
        assert line == f"demo: average mAP {average}, inside the expected {EXPECTED[name]}"
        assert EXPECTED[name].holds(float(average)), f"the table of {name} breaks the promise"
    tada = EXPECTED["tada2d"]
    ends = f"{tada.mean - tada.half_width:.1f} to {tada.mean + tada.half_width:.1f}"
    assert ends in text


def test_the_readme_shows_the_figures_of_the_page():
    said = re.findall(r"^demo: average mAP .*$", README.read_text(), re.MULTILINE)
    assert len(said) == 2
    assert all(f"\n{line}\n" in PAGE.read_text() for line in said)
