"""A Slurm of shell scripts: `sbatch` keeps what it is given, and a test runs it as the job that it is."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from helpers.paths import ROOT, code_paths

TASKS = 2  # of an array that share a run folder
SBATCH = """#!/bin/sh
number=$(( $(ls "$FAKE_SLURM"/*.sh 2>/dev/null | wc -l) + 101 ))
[ -f "$FAKE_SLURM/full" ] && [ $number -gt 102 ] && { echo "sbatch: error: Batch job submission failed: QOSMaxSubmit" >&2; exit 1; }
cp "$1" "$FAKE_SLURM/$number.sh"
echo "Submitted batch job $number"
"""
# Runs the command behind its own options.
SRUN = '#!/bin/bash\nwhile [[ $1 == -* ]]; do [[ $1 == --unbuffered ]] && shift || shift 2; done\nexec "$@"\n'
NOTING = '#!/bin/sh\necho "$0" "$@" >> "$FAKE_SLURM/said"\n'


class FakeSlurm:
    """Its programs come first on the PATH; what they were given is in `folder`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir()
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("FAKE_SLURM", str(folder))
        for name, text in {"sbatch": SBATCH, "srun": SRUN, "scontrol": NOTING}.items():
            self.program(name, text)
        self.says("squeue", "")
        self.says("sacct", "")

    def program(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)

    def says(self, name: str, *lines: str) -> None:
        """What a program answers."""
        self.program(name, "\n".join(["#!/bin/sh", "cat <<END", *lines, "END", ""]))

    def said(self) -> str:
        path = self.folder / "said"
        return path.read_text() if path.exists() else ""

    def jobs(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("*.sh"))

    def directives(self, number: int) -> dict[str, str]:
        """The options in a job's script; of a flag `""`."""
        text = (self.folder / f"{number}.sh").read_text()
        found = re.findall(r"^#SBATCH --([a-z-]+)=?(.*)$", text, re.MULTILINE)
        return dict(found)

    def start(self, number: int, task: int | None = None, tasks: int = 1) -> subprocess.Popen:
        """A task as Slurm starts it, its output in the job's files."""
        given = {"SLURM_JOB_ID": str(number)}
        if task is not None:
            given |= {"SLURM_ARRAY_JOB_ID": str(number), "SLURM_ARRAY_TASK_ID": str(task)}
            given |= {"SLURM_ARRAY_TASK_COUNT": str(tasks), "SLURM_ARRAY_TASK_MIN": "0"}
            given |= {"SLURM_ARRAY_TASK_MAX": str(tasks - 1), "SLURM_ARRAY_TASK_STEP": "1"}
        name = self.directives(number)["error"].replace("%j", str(number))
        name = name.replace("%A", str(number)).replace("%a", str(task))
        with open(name, "ab") as log:
            return subprocess.Popen(
                ["bash", str(self.folder / f"{number}.sh")],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**code_paths(), "OMP_NUM_THREADS": "1", **given},
            )
