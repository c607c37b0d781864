"""Runs the blocks of a page in its folder, and says of what fails where it stands and what it printed.

`tada-loc` runs in this process; what needs a shell, and other programs, in one of their own, where
`tada-loc` is this code too.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import signal
import subprocess
import sys
import traceback
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from click.testing import CliRunner

from helpers.documents import world
from helpers.documents.guard import refusal
from helpers.documents.lines import Line, lines_of
from helpers.documents.reading import Block
from helpers.paths import code_paths
from pipeline.cli.commands import main

SHELL = re.compile(r"[|;&<>$`~*?{]|^\w+=")  # outside quotes: a shell's work
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
ONE_CORE = {"WORKERS": "0", "DEVICE": "cpu"}  # of every command, unless the line says otherwise
FEW_STEPS = re.compile(r"^(\w+\.(?:epochs|min_steps))=\d+$")
LIMIT = 120  # seconds of a process


class BlockError(Exception):
    """A block that fails; the text begins with page:line."""


class Page:
    """A page being followed: its folder, and the names its Python blocks have made."""

    def __init__(self, folder: Path, shims: Path) -> None:
        self.folder, self.names = folder, {"__name__": "__main__"}
        self.brought = {path.name for path in folder.iterdir()}  # what the page has not made
        paths = os.pathsep.join([str(shims), str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = {**code_paths(), "PATH": paths, **command_defaults()}

    def follow(self, block: Block) -> None:
        """Run a block, or write it where it is a file. Raises BlockError."""
        if block.file is not None and not block.needs:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        elif block.runs and block.language == "python":
            self._python(block)
        elif block.runs and block.language == "sh":
            lines = lines_of(block)
            for line in lines:
                self.run(line, block.exits if line is lines[-1] else 0)

    def _python(self, block: Block) -> None:
        said = io.StringIO()
        torch.manual_seed(0)
        try:
            code = compile("\n" * (block.line - 1) + block.text, block.page, "exec")
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                exec(code, self.names)
        except (Exception, SystemExit) as error:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [frame.lineno for frame in frames if frame.filename == block.page]
            line = lines[-1] if lines else getattr(error, "lineno", block.line)
            text = block.text.splitlines()[line - block.line].strip()
            whole = "".join(traceback.format_exception(error))
            raise BlockError(f"{block.page}:{line}: {text}\n{said.getvalue()}{whole}") from error
        finally:
            plt.close("all")

    def run(self, line: Line, exits: int = 0) -> str:
        """Run a command; what it printed. Raises BlockError where it does not end with the code `exits`."""
        if (refused := refusal(line.text)) is not None:
            raise BlockError(f"{line.place}: {line.text}\n{refused}")
        words = None if SHELL.search(QUOTED.sub("", line.text)) else shlex.split(line.text)
        if words and words[0] == "tada-loc":
            self._make_room(words)
            code, output = self._tada(words[1:])
        else:
            code, output = self._process(line.text)
        if code != exits:
            raise BlockError(f"{line.place}: {line.text}\nended with {code}, not {exits}\n{output}")
        if words and words[:2] == ["tada-loc", "init"]:
            world.shrink(self.folder / target_of(words))
        return output

    def _make_room(self, words: list[str]) -> None:
        """What a page shows how to make is not there before it does."""
        if (
            words[1] in {"init", "convert", "export"}
            and (target := target_of(words)) in self.brought
        ):
            (self.folder / target).unlink()
            self.brought.remove(target)

    def _tada(self, words: list[str]) -> tuple[int, str]:
        runner = CliRunner()
        result = runner.invoke(main, small(words), env=command_defaults(), catch_exceptions=True)
        if result.exception is None or isinstance(result.exception, SystemExit):
            return result.exit_code, result.output
        failed = "".join(traceback.format_exception(result.exception))
        return result.exit_code, result.output + failed

    def _process(self, text: str) -> tuple[int, str]:
        with subprocess.Popen(
            ["bash", "-c", text],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # its children too
                return -1, f"not done after {LIMIT} s"
        return process.returncode, output


def small(words: list[str]) -> list[str]:
    """The words of a command, made quick: `--config small` and `demo` get the tiny settings, before their own.

    A training takes few steps whatever the line says, and this process reads the videos. A tiny network is
    sure of nothing: a threshold on its scores is lowered, so that something is found.
    """
    settings = [word for text in [*world.SMALL, *world.HERE] for word in ("--set", text)]
    names = [after for word, after in pairwise(words) if word == "--config"]
    more = settings if words[0] == "demo" or names in (["small"], ["demo"]) else []
    cut = [FEW_STEPS.sub(r"\1=2", word) for word in words]
    for place, word in enumerate(words[:-1]):
        if word == "--threshold":
            cut[place + 1] = str(float(words[place + 1]) / 100)
        elif word in {"--epochs", "--workers"}:
            cut[place + 1] = "1" if word == "--epochs" else "0"
    return [cut[0], *more, *cut[1:]]


def target_of(words: list[str]) -> str:
    """The file that init, convert and export write."""
    return words[words.index("--to") + 1] if "--to" in words[:-1] else world.CONFIG


def command_defaults() -> dict[str, str]:
    """Environment variables by which every command works on one core, and `init` as on a machine without a GPU."""
    found = {
        "TADA_LOC_INIT_KIND": "cpu",
        "MPLBACKEND": "Agg",
        "HF_HUB_OFFLINE": "1",
        "PIP_NO_INDEX": "1",
    }
    for name, command in main.commands.items():
        for option in {option.name for option in command.params}:
            if (value := ONE_CORE.get(str(option).upper())) is not None:
                found[f"TADA_LOC_{name.upper().replace('-', '_')}_{str(option).upper()}"] = value
    return found


def write_shim(folder: Path) -> None:
    """A `tada-loc` for shells: this code, whatever is installed."""
    shim: Any = folder / "tada-loc"
    shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pipeline "$@"\n')
    shim.chmod(0o755)
