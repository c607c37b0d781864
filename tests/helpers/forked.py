"""Commands in processes of their own that load nothing: forked from one that has loaded all, once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from helpers.paths import ROOT, code_paths
from pipeline.run_folder.joined.seen import workers_in

SERVER = """
import importlib, json, os, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
from pipeline.cli.commands import main
for line in sys.stdin:
    asked = json.loads(line)
    if "wait" in asked:
        answer = os.waitstatus_to_exitcode(os.waitpid(asked["wait"], 0)[1])
    else:
        answer = os.fork()
        if not answer:
            os.setsid()
            for number in (1, 2):
                os.dup2(os.open(asked["said"], os.O_CREAT | os.O_WRONLY | os.O_APPEND), number)
            sys.argv = ["tada-loc", *asked["arguments"]]
            sys.exit(main())
    print(answer, flush=True)
"""


class Forked:
    """Starts commands; what they say goes to files in a folder."""

    def __init__(self, folder: Path, *loaded: str) -> None:
        self.folder = folder
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER, json.dumps(loaded)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**code_paths(), "OMP_NUM_THREADS": "1"},
        )
        self._count = 0

    def start(self, arguments: list[str]) -> int:
        """The process id of a command that was started."""
        self._count += 1
        said = str(self.folder / f"said.{self._count}")
        return self._ask({"arguments": arguments, "said": said})

    def wait(self, process: int) -> int:
        """Its exit code, once it has ended."""
        return self._ask({"wait": process})

    def kill(self, process: int) -> None:
        """Kill it with the processes it has started."""
        os.killpg(process, signal.SIGKILL)
        self.wait(process)

    def kill_some(
        self,
        line: list[str],
        folder: Path,
        kills: int,
        chance: random.Random,
        *,
        processes: int,
        within: float,
        is_done: Callable[[], bool],
    ) -> int:
        """Processes at work, of which one is killed again and again while it holds a video; how many were.

        Each is killed `within` so many seconds of being seen to hold one. The last ones end with 0.
        """
        at_work, killed = [self.start(line) for _ in range(processes)], 0
        until = time.monotonic() + 120
        while killed < kills and time.monotonic() < until and not is_done():
            busy = [one.note.pid for one in workers_in(folder) if one.holds and not one.gone]
            busy = [process for process in busy if process in at_work]
            if not busy:
                time.sleep(0.005)
                continue
            time.sleep(chance.uniform(0, within))
            process = chance.choice(busy)
            self.kill(process)
            killed += 1
            at_work.remove(process)
            at_work.append(self.start(line))
        codes = [self.wait(process) for process in at_work]
        assert codes == [0] * processes, self.said()
        return killed

    def said(self) -> str:
        """What all of them have said so far."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("said.*")))

    def close(self) -> None:
        """End the server; its children go on."""
        self._server.communicate()

    def _ask(self, what: dict) -> int:
        self._server.stdin.write(json.dumps(what) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())
