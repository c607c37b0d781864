"""A sweep as a command: its table, halves, going on, and runs it refuses."""

from __future__ import annotations

import json
import shutil

import pytest
from helpers.small_runs import error_line, tada
from helpers.swept import swept

from evaluation import detection_map
from pipeline.results.tables import read_detections
from pipeline.runs.run import run_of
from pipeline.tools.sweep import running
from pipeline.tools.sweep.figures import halves_of

WORDS = ("proposals.alpha=0.1,0.9", "proposals.boundary_power=0,1")


def files(run) -> dict[str, bytes]:
    """What is in a run, but for kept maps and figures."""
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in run.rglob("*")
        if path.is_file()
        and "maps" not in path.parts
        and path.name not in {".lock", "figures.json"}
    }


def test_the_table_is_sorted_and_the_run_left_as_it_is(run, sweep):
    before = files(run)
    done = sweep(*WORDS)
    assert done.exit_code == 0 and files(run) == before, done.output
    lines = done.stdout.splitlines()
    assert lines[0].split() == [
        "proposals.alpha", "proposals.boundary_power", "average", "@0.5",
    ]  # fmt: skip
    rows = [line.split() for line in lines[1:6]]
    assert [row[0].rstrip("*") for row in rows] == ["1", "2", "3", "4", "5"]
    averages = [float(row[3]) for row in rows]
    assert averages == sorted(averages, reverse=True)
    (own,) = (row for row in rows if row[0].endswith("*"))
    assert own[1:3] == ["0.4", "0.0"]
    assert (
        f"best: proposals.alpha={rows[0][1]} proposals.boundary_power=1.0: {rows[0][3]}"
        in done.stdout
    )
    assert f"{averages[0] - float(own[3]):+.2f}"[:-1] in done.stdout
    assert "--honest" in lines[-1]


def test_a_setting_that_is_no_better_is_not_applied(run, sweep):
    before = files(run)
    done = sweep("proposals.alpha=0.4", "classify.top=2", "--apply")
    assert done.exit_code == 0 and files(run) == before
    assert "none is better than the run's setting" in done.stdout
    assert "is unchanged: its setting is the best" in done.stderr


def test_halves_are_by_the_seed_and_share_no_video(run):
    made = run_of(run)
    halves = [halves_of(made, seed) for seed in range(8)]
    for one in halves:
        assert not one.chosen_on & one.held_out
        assert one.chosen_on | one.held_out == {"v0", "v1", "v2"}
        assert len(one.chosen_on) == 2
    assert halves_of(made, 1) == halves[1] and len({one.chosen_on for one in halves}) > 1


def test_honest_figures_are_of_the_half_that_did_not_choose(run, sweep):
    found = swept(run, *WORDS, "--honest", "--seed", "5")
    honest = found["honest"]
    halves = halves_of(run_of(run), 5)
    assert honest == {
        "seed": 5,
        "chosen_on": sorted(halves.chosen_on),
        "held_out": sorted(halves.held_out),
    }
    chosen = [row["chosen_on"]["average"] for row in found["settings"]]
    assert chosen == sorted(chosen, reverse=True)
    (own,) = (row for row in found["settings"] if row["present"])
    made = run_of(run)
    truth = made.dataset.rows("validation")
    detections = read_detections(made.path("classify"), made.dataset, "validation")
    for name in ("chosen_on", "held_out"):
        part = [rows[rows["video"].isin(honest[name])] for rows in (truth, detections)]
        by_hand = detection_map(*part, [0.3, 0.5, 0.7, 0.9])
        assert own[name]["average"] == pytest.approx(100 * by_hand.average)
    line = sweep(*WORDS, "--honest", "--seed", "5").stdout.splitlines()[-1]
    best = found["settings"][0]["held_out"]["average"]
    assert line.startswith("honest: chosen on 2 videos (seed 5), it has")
    assert f"{best:.2f} on the 1 others" in line


def test_one_annotated_video_has_no_halves(run, monkeypatch):
    made = run_of(run)
    one = made.dataset.rows("validation").query("video == 'v0'")
    monkeypatch.setattr("pipeline.results.scoring.truth_rows", lambda *_: one)
    with pytest.raises(
        Exception, match="--honest: only one evaluation video has segments, but two"
    ):
        halves_of(made, 0)


def counted(monkeypatch) -> list:
    """The jobs that are worked on from here on."""
    real, jobs = running.outcomes, []

    def outcomes(setup, arguments, given, **more):
        jobs.extend(given)
        return real(setup, arguments, given, **more)

    monkeypatch.setattr(running, "outcomes", outcomes)
    return jobs


def test_what_was_tried_is_not_tried_again(run, sweep, monkeypatch):
    jobs = counted(monkeypatch)
    first = sweep(*WORDS)
    assert len(jobs) == 5
    assert sweep(*WORDS).stdout == first.stdout and len(jobs) == 5
    sweep("proposals.alpha=0.1,0.7", "proposals.boundary_power=0,1")
    assert len(jobs) == 7
    assert sweep(*WORDS, "--honest").exit_code == 0 and len(jobs) == 12
    (run / "sweep/figures.json").write_text("{")
    assert sweep(*WORDS).stdout == first.stdout and len(jobs) == 17
    damaged = json.loads((run / "sweep/figures.json").read_text())
    damaged["figures"] = {key: {"map": None} for key in damaged["figures"]}
    (run / "sweep/figures.json").write_text(json.dumps(damaged))
    assert sweep(*WORDS).stdout == first.stdout and len(jobs) == 22


def test_figures_of_another_network_or_of_other_segments_are_not_shown(
    run, sweep, monkeypatch, tmp_path
):
    jobs = counted(monkeypatch)
    assert sweep(*WORDS).exit_code == 0
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("- 0.9\n", "- 0.95\n"))
    assert sweep(*WORDS).exit_code == 0 and len(jobs) == 10
    file = tmp_path / "annotations.json"
    source = run_of(run).config.dataset.annotations
    content = json.loads(source.read_text())
    content["database"]["v0"]["annotations"][0]["segment"] = [3.0, 7.0]
    file.write_text(json.dumps(content))
    (run / "config.yaml").write_text(text.replace(str(source), str(file)))
    assert sweep(*WORDS).exit_code == 0 and len(jobs) == 15


def test_stopped_it_shows_what_is_done_and_goes_on(run, sweep, monkeypatch):
    whole = sweep(*WORDS).stdout
    shutil.rmtree(run / "sweep")
    real = running.outcomes

    def stopped(*arguments, **more):
        for number, outcome in enumerate(real(*arguments, **more)):
            if number == 2:
                raise KeyboardInterrupt
            yield outcome

    with monkeypatch.context() as patch:
        patch.setattr(running, "outcomes", stopped)
        done = sweep(*WORDS)
    assert done.exit_code == 130 and "2 of 5 settings" in done.stdout
    assert "run the same command again to resume" in done.stderr
    jobs = counted(monkeypatch)
    assert sweep(*WORDS).stdout == whole and len(jobs) == 3


def test_many_settings_show_the_first_and_the_run_s_own(sweep):
    done = sweep("proposals.boundary_power=" + ",".join(f"{1 + n / 40:g}" for n in range(36)))
    lines = done.stdout.splitlines()
    assert len(lines) == 1 + 30 + 1 + 4 and "and 6 more; --json FILE has all" in lines
    assert lines[31].split()[0].endswith("*")


@pytest.mark.parametrize("stage", ["finetune", "bmn"])
def test_a_run_that_is_not_trained_is_refused(run, sweep, stage):
    shutil.rmtree(run / stage)
    line = error_line(sweep(*WORDS))
    assert f"stage {stage} is missing" in line and f"tada-loc {stage} --run-dir {run}" in line


def test_a_run_whose_network_is_of_other_settings_is_refused(run, sweep):
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("hidden_3d: 8", "hidden_3d: 16"))
    line = error_line(sweep(*WORDS))
    assert "stage bmn is stale (bmn.hidden_3d: 8 -> 16)" in line and "tada-loc bmn" in line


def test_what_is_no_run_is_refused(tmp_path):
    line = error_line(tada("sweep", "--run-dir", str(tmp_path), *WORDS))
    assert "no config.yaml" in line
    assert tada("sweep", "--run-dir", str(tmp_path)).exit_code == 2


def test_a_run_needs_no_proposals_of_its_own(run, sweep):
    expected = sweep(*WORDS).stdout
    for name in ("bmn/proposals", "classify", "eval", "sweep"):
        shutil.rmtree(run / name)
    assert sweep(*WORDS).stdout == expected


def test_clips_that_would_be_decoded_are_refused(run, sweep):
    line = error_line(sweep("classify.source=video", "proposals.alpha=0.1,0.2"))
    assert "classify.source=video" in line and "classify.source=features" in line
    assert sweep("classify.source=features", "proposals.alpha=0.1,0.2").exit_code == 0


def test_a_folder_that_may_not_be_written_is_only_read(run, sweep, monkeypatch):
    expected = sweep(*WORDS).stdout
    for name in ("bmn/proposals/maps", "sweep"):
        shutil.rmtree(run / name)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    monkeypatch.setattr(running, "_may_write", lambda _: False)
    assert sweep(*WORDS).stdout == expected
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_tables_of_no_detections_count_nothing(run, sweep):
    """A score power that leaves nothing: no crash, a figure of 0 or more."""
    found = swept(run, "proposals.boundary_power=0,1000", "proposals.per_second=0,0.0001")
    assert found["tried"] == 4
    assert all(0 <= row["average"] <= 100 for row in found["settings"])
