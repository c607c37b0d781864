"""A command as submitit runs it in a job: stopped in time, and started again when the job is requeued."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from pipeline.progress import say

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

_TICK = 0.2  # seconds
_STOPPING_SECONDS = 90.0  # for a checkpoint, after which the command is killed
_STAYING_SECONDS = 600.0


class CommandFailed(Exception):
    """The command ended with another exit code than 0; its reason is in the log above."""


class StageCommand:
    """A command line that resumes from what is on disk when it is run again, so that a job may be queued again.

    `words` run in `folder` with the variables of the job, but for `variables` (None: without it). The command is
    in a session of its own: what asks the job to stop comes to it once, from here, as SIGTERM.
    """

    def __init__(
        self, words: tuple[str, ...], folder: Path, variables: Mapping[str, str | None]
    ) -> None:
        self.words, self.folder, self.variables = words, folder, dict(variables)
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def __reduce__(self) -> tuple[type[StageCommand], tuple[object, ...]]:
        """As it travels to a job: what is to be run, not what is running."""
        return StageCommand, (self.words, self.folder, self.variables)

    def __call__(self) -> None:
        """Run the command to its end. Raises CommandFailed."""
        say(f"running {shlex.join(self.words)}", anyone=True)
        self._process = self._started()
        before = signal.signal(signal.SIGTERM, self._stop)
        try:
            while not self._has_ended():
                time.sleep(_TICK)
        finally:
            self._stop(signal.SIGTERM)
            code = self._process.wait()
            signal.signal(signal.SIGTERM, before)
        if code != 0 and self._stopped:
            _stay()
        if code != 0:
            raise CommandFailed(f"{shlex.join(self.words)}: exit code {code}")

    def checkpoint(self) -> DelayedSubmission:
        """Stop the command, which writes its checkpoint, and say what the job does when it is started again."""
        from submitit.helpers import DelayedSubmission

        self._stop(signal.SIGTERM)
        until = time.monotonic() + _STOPPING_SECONDS
        while not self._has_ended() and time.monotonic() < until:
            time.sleep(_TICK)
        if self._process is not None and not self._has_ended():
            os.killpg(self._process.pid, signal.SIGKILL)
        return DelayedSubmission(StageCommand(self.words, self.folder, self.variables))

    __submitit_checkpoint__ = checkpoint  # later versions ask for it by this name

    def _started(self) -> subprocess.Popen[bytes]:
        given = {key: value for key, value in self.variables.items() if value is not None}
        environment = {k: v for k, v in os.environ.items() if k not in self.variables} | given
        # Slurm sends SIGUSR2 to every process of a job, and it would end one that does not expect it.
        before = signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR2})
        try:
            return subprocess.Popen(
                self.words, cwd=self.folder, env=environment, start_new_session=True
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _has_ended(self) -> bool:
        """Whether it has; a signal's handler may ask in the middle of a wait, so the process is left to be waited for."""
        if self._process is None or self._process.returncode is not None:
            return True
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, how) is not None

    def _stop(self, number: int, frame: FrameType | None = None) -> None:
        """Ask the command to stop, once: a second signal would end it without a checkpoint."""
        if self._process is not None and not self._stopped and not self._has_ended():
            self._stopped = True
            self._process.send_signal(signal.SIGTERM)


def _stay() -> None:
    """A job of Slurm that was asked to stop waits until it is ended.

    One that is preempted is queued again then; had it ended by itself, it would have failed.
    """
    if os.environ.get("SUBMITIT_EXECUTOR") == "slurm":
        time.sleep(_STAYING_SECONDS)
