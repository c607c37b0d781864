"""What single commands show after a change, settings given once, and a run folder that is read only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import contextmanager

import pytest
import yaml
from helpers.small_runs import start, tada

from truth import changes_files, changes_keys, changes_left_out, changes_table, changes_videos
from truth.looking import TRAINED, differences, error_of, files_of, status
from truth.world import T0, V0, copy, make_base

CHANGES = {
    change.name: change
    for part in (changes_videos, changes_table, changes_keys, changes_files, changes_left_out)
    for change in part.CHANGES
}
# What a command shows, and what shows it.
SHOWN = {
    "eval": "eval/results.json",
    "classify": "classify/detections.csv",
    "bmn": "bmn/proposals/proposals.csv",
    "extract": f"extract/features/{V0}.h5",
}
NOBODY = 65534


@pytest.fixture
def world(machine):
    for base in ("plain", "other"):
        make_base(machine.world, base)
    machine.world.reset("plain")
    return machine.world


def _results(run):
    return json.loads((run / "eval/results.json").read_text())


def _single(names):
    return [(name, command) for name in names for command in SHOWN]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "command"),
    [
        *_single(["validation video replaced", "proposals.alpha by --set"]),
        *_single([f"extract/features/{V0}.h5 cut to half", f"extract/features/{T0}.h5 deleted"]),
        *_single(["bmn/proposals/proposals.csv emptied", "a validation video skipped"]),
        *_single([f"classify/videos/{V0}.npz of another run", "new validation video"]),
    ],
)
def test_a_single_command_brings_up_to_date_what_it_reads(machine, world, name, command):
    change = CHANGES[name]
    change.apply(world)
    result = world.do(command)
    assert result.exit_code == 0, result.output
    assert not TRAINED.search(result.output), result.output
    truth = world.template("plain") / "run" if change.on_run else machine.scratch()[0]
    shown = SHOWN[command]
    if not (truth / shown).exists():  # of a video that is left out
        return
    assert (world.run / shown).read_bytes() == (truth / shown).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["finetune", "extract", "bmn", "classify", "eval", "run"])
@pytest.mark.parametrize("name", ["training video replaced", "table: a training time moved"])
def test_every_command_that_needs_a_training_stops(world, name, command):
    CHANGES[name].apply(world)
    before = files_of(world.run)
    line = error_of(world.do(command))
    assert "--force" in line and CHANGES[name].says[0] in line, line
    assert files_of(world.run) == before


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["finetune", "extract", "bmn", "bmn/proposals", "classify"])
@pytest.mark.parametrize("command", ["extract", "bmn", "classify", "eval"])
def test_a_stage_that_is_missing_is_asked_for_or_made(machine, world, folder, command):
    """Either way no circle: what the error advises leads to what the command shows."""
    changes_files.shutil.rmtree(world.run / folder)
    result = world.do(command)
    for _ in range(4):
        if result.exit_code == 0:
            break
        line = error_of(result)
        assert "`tada-loc " in line, line
        advised = line.split("`tada-loc ")[1].split("`")[0]
        assert world.do(*advised.split()).exit_code == 0, line
        result = world.do(command)
        assert result.exit_code == 0 or error_of(result) != line, line
    assert result.exit_code == 0
    shown = SHOWN[command]
    made = world.template("plain") / "run" / shown
    assert (world.run / shown).read_bytes() == made.read_bytes()


def test_thresholds_given_once_do_not_stay(world):
    made = _results(world.run)
    once = world.do("eval", "--iou", "0.1,0.2")
    assert once.exit_code == 0 and "@0.2" in once.output and "@0.5" not in once.output, once.output
    again = tada("eval", "--run-dir", str(world.run))
    assert again.exit_code == 0 and "@0.95" in again.output and "@0.2" not in again.output
    assert _results(world.run) == made


def test_a_setting_given_once_shows_the_truth_before_and_after(machine, world):
    world.settings["proposals.alpha"] = "0.9"
    with_it, _ = machine.scratch()
    assert world.do("eval").exit_code == 0
    assert _results(world.run) == _results(with_it) and not differences(world.run, with_it)
    world.settings.clear()
    assert world.do("eval").exit_code == 0
    assert not differences(world.run, world.template("plain") / "run")


def test_without_a_configuration_the_settings_kept_in_the_folder_hold(machine, world):
    world.settings["proposals.alpha"] = "0.9"
    assert world.do("eval").exit_code == 0
    result = tada("eval", "--run-dir", str(world.run))
    assert result.exit_code == 0, result.output
    kept = yaml.safe_load((world.run / "config.yaml").read_text())
    world.settings["proposals.alpha"] = str(kept["proposals"]["alpha"])
    assert not differences(world.run, machine.scratch()[0])


def test_verify_names_what_is_not_what_was_written(world):
    fine = tada("verify", "--run-dir", str(world.run))
    assert fine.exit_code == 0, fine.output
    changes_files.footage.flip_bit(world.run / f"extract/features/{V0}.h5", keep_time=True)
    found = tada("verify", "--run-dir", str(world.run))
    assert found.exit_code == 1 and V0 in found.output, found.output


@pytest.mark.slow
@pytest.mark.parametrize("where", [f"validation/{V0}", f"training/{T0}"])
def test_a_pipe_in_place_of_a_video_is_no_video(world, where):
    path = world.video(where.split("/")[1])
    path.unlink()
    os.mkfifo(path)
    for command in ("status", "run"):
        process = start([command, *world.options()], stderr=subprocess.PIPE)
        try:
            said = process.communicate(timeout=120)[1].decode()
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            pytest.fail(f"{command} waits for ever for a pipe")
        assert "unexpected" not in said and "Traceback" not in said, said


@contextmanager
def _as_nobody(folder):
    """As a user who may only read; root may do everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        if not os.access(folder, os.R_OK, effective_ids=True):
            pytest.skip(f"{folder} may not be read by others")
        yield
    finally:
        os.seteuid(0)


def test_a_folder_that_may_only_be_read_still_shows_its_results(world):
    made = _results(world.run)
    open_to_all = world.root / "open"
    open_to_all.mkdir(exist_ok=True)
    open_to_all.chmod(0o777)
    numbers = open_to_all / "numbers.json"
    subprocess.run(["chmod", "-R", "a-w,a+rX", str(world.root / "world")], check=True)
    try:
        with _as_nobody(world.run):
            said = status(world, open_to_all / "status.json")
            result = world.do("eval", "--json", str(numbers))
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(world.root / "world")], check=True)
    assert {was.state for was in said.values()} == {"complete"}, said
    assert result.exit_code == 0, result.output
    assert json.loads(numbers.read_text())["tasks"] == made["tasks"]


UNREADABLE = [*changes_files.RESULTS, *changes_files.MODELS, *changes_files.OF_TRAINING]
UNREADABLE += [*changes_files.RECORDS, "config.yaml"]


@pytest.mark.slow
@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_may_not_be_read_is_said_and_not_thrown_away(world, name):
    path = world.run / name
    if not path.exists():
        pytest.skip(f"no {name} in a run folder")
    subprocess.run(["chown", "-R", str(NOBODY), str(world.root / "world")], check=False)
    path.chmod(0)
    kept = path.stat().st_ino
    with _as_nobody(world.run):
        results = [world.do(command) for command in ("status", "run")]
    for result in results:
        assert "unexpected" not in result.output and "Traceback" not in result.output
        assert "delete" not in result.output and "--force" not in result.output, result.output
    if results[1].exit_code:
        assert path.name in error_of(results[1]), results[1].output
    assert path.stat().st_ino == kept or not results[1].exit_code
    path.chmod(0o644)
    result = world.do("run")
    assert result.exit_code == 0 and not TRAINED.search(result.output), result.output
    assert not differences(world.run, world.template("plain") / "run")


@pytest.mark.slow
def test_allowed_failures_that_are_repaired_are_taken_in(machine, world):
    broken = CHANGES["a new validation video that is broken, allowed"]
    broken.apply(world)
    assert world.do("run").exit_code == 0
    copy(world.spare, world.data / "new.mp4")
    os.replace(world.data / "new.mp4", world.video("validation_009"))
    result = world.do("run")
    assert result.exit_code == 0 and not TRAINED.search(result.output), result.output
    assert not differences(world.run, machine.scratch()[0])
