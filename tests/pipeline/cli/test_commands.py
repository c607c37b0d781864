"""The commands: which stages each does, what it prints where, and one line for every error."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from helpers.paths import ROOT, code_paths
from helpers.small_runs import error_line, options, tada

from pipeline.cli.commands import main
from pipeline.configuration.keys import known_keys
from pipeline.errors import UsageError, UserError

RUN = "pipeline.runs.work.run_stages"


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What the commands ask for, in place of doing it: names of stages, and of quiet ones."""
    monkeypatch.chdir(tmp_path)
    calls = []

    def note(run, stages, *, quiet=()):
        calls.append(([stage.name for stage in stages], tuple(quiet)))

    monkeypatch.setattr(RUN, note)
    monkeypatch.setattr("pipeline.stages.evaluate.results_table", lambda run: "the table")
    return calls


@pytest.mark.parametrize(
    ("command", "stages", "quiet", "prints"),
    [
        ("finetune", ["finetune"], (), ""),
        ("extract", ["extract"], (), ""),
        ("bmn", ["bmn", "proposals"], (), ""),
        ("classify", ["classify"], (), ""),
        ("eval", ["classify", "eval"], ("classify",), "the table\n"),
        (
            "run",
            ["finetune", "extract", "bmn", "proposals", "classify", "eval"],
            (),
            "the table\n",
        ),
    ],
)
def test_a_command_does_its_stages_and_prints_where_they_end_in_figures(
    asked, command, stages, quiet, prints
):
    done = tada(command, "--config", "demo")
    assert done.exit_code == 0, done.output
    assert asked == [(stages, quiet)] and done.stdout == prints


def test_of_several_processes_the_main_one_prints(asked, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, prints in (("0", "the table\n"), ("1", "")):
        monkeypatch.setenv("RANK", rank)
        assert tada("run", "--config", "demo").stdout == prints


def test_commands_are_listed_in_the_order_they_are_used():
    names = main.list_commands(click.Context(main))
    stages = ["finetune", "extract", "bmn", "detect", "classify", "eval", "eval-classifier", "run"]
    assert names[: len(stages)] == stages and set(names) == set(main.commands)


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_help_with_an_example(name):
    done = tada(name, "--help")
    assert done.exit_code == 0 and f"Example: tada-loc {name}" in done.output


@pytest.mark.parametrize("name", sorted(main.commands))
def test_the_examples_of_a_command_are_commands(name):
    for line in re.findall(r"Example: tada-loc (.*)", main.commands[name].help or ""):
        words = shlex.split(line)
        assert words[0] == name
        context = main.commands[name].make_context(name, words[1:])
        for assignment in (*context.params.get("assignments", ()), *context.params.get("keys", ())):
            assert assignment.partition("=")[0] in known_keys(), line


def test_the_list_of_commands_has_every_command_once_in_sections():
    shown = tada("--help").stdout
    for title, names in main.sections.items():
        listed = shown.partition(f"\n{title}:\n")[2].partition("\n\n")[0]
        assert re.findall(r"^  ([a-z-]+) ", listed, re.MULTILINE) == names
        assert "..." not in listed, "a sentence is cut"
    assert [name for names in main.sections.values() for name in names] == list(main.commands)


def test_help_and_status_load_no_torch(tmp_path):
    """Both are to answer at once."""
    code = (
        "import sys\n"
        "from pipeline.cli.commands import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules\n"
    )
    for line in (["bmn", "--help"], ["status", "--config", "demo", "--run-dir", str(tmp_path)]):
        done = subprocess.run(
            [sys.executable, "-c", code, *line],
            cwd=ROOT, env=code_paths(), capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def failing(error):
    def fail(*_, **__):
        raise error

    return fail


@pytest.mark.parametrize(("kind", "code"), [(UserError, 1), (UsageError, 2)])
def test_a_users_error_is_its_line_and_its_exit_code(tmp_path, monkeypatch, kind, code):
    monkeypatch.setattr(RUN, failing(kind("file.csv: line 3 is wrong; fix it")))
    done = tada("finetune", "--config", "demo", "--run-dir", str(tmp_path))
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr == "Error: file.csv: line 3 is wrong; fix it\n"


def test_what_nobody_foresaw_is_a_line_that_says_how_to_see_more(tmp_path, monkeypatch):
    monkeypatch.setattr(RUN, failing(KeyError("two\nlines")))
    line = ["finetune", "--config", "demo", "--run-dir", str(tmp_path)]
    done = tada(*line)
    assert done.exit_code == 1 and "Traceback" not in done.output
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: unexpected KeyError: ")
    assert done.stderr.endswith("(tada-loc --debug shows where)\n")
    with pytest.raises(KeyError):
        tada("--debug", *line)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_says_how_to_go_on(tmp_path, monkeypatch, number):
    stop = KeyboardInterrupt()
    stop.number = number
    monkeypatch.setattr(RUN, failing(stop))
    done = tada("finetune", "--config", "demo", "--run-dir", str(tmp_path))
    assert done.exit_code == 128 + number
    name = signal.Signals(number).name
    assert done.stderr == (
        f"Error: stopped by {name}; run the same command again to resume from what is on disk\n"
    )


def test_options_come_from_the_environment_too(tmp_path):
    line = ["status", "-v", "--config", "demo", "--run-dir", str(tmp_path)]
    env = {"TADA_LOC_STATUS_ANNOTATIONS": "mine.csv"}
    done = CliRunner().invoke(main, line, env=env)
    assert done.exit_code == 0 and "mine.csv" in done.output


def test_every_option_has_a_variable_of_its_own_name(monkeypatch):
    for name, command in main.commands.items():
        prefix = f"TADA_LOC_{name}".replace("-", "_").upper()
        context = click.Context(command, info_name=name, auto_envvar_prefix=prefix)
        for option in command.params:
            if isinstance(option, click.Option):
                word = max(option.opts, key=len)
                variable = f"{prefix}_{word[2:]}".replace("-", "_").upper()
                with monkeypatch.context() as patch:
                    patch.setenv(variable, "1")
                    assert option.resolve_envvar_value(context) is not None, variable


def test_figures_go_to_a_file_as_they_are_kept(whole, data, tmp_path):
    done = tada("eval", *options(data, whole), "--json", str(tmp_path / "numbers.json"))
    assert done.exit_code == 0, done.output
    kept = (whole / "eval/results.json").read_bytes()
    assert (tmp_path / "numbers.json").read_bytes() == kept
    assert f"{json.loads(kept)['tasks']['mAP']['average']:.2f}" in done.stdout


def test_a_file_that_is_not_there_is_named(data, tmp_path):
    own = f"dataset.annotations={data / 'annotations.csv'}"
    line = ["score", str(tmp_path / "found.json"), "--config", "demo", own]
    assert "found.json" in error_line(tada(*line))
