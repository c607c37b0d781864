"""What processes at work in one folder cost a video: claims and journals, and videos that fail.

python -m benchmarks.claims
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path

from pipeline.data.videos.left_out import LeftOut
from pipeline.run_folder.identity import FileRecord
from pipeline.run_folder.joined.sharing import at_work
from pipeline.run_folder.joined.todo import Todo
from pipeline.run_folder.ledger import Made, plain

VIDEOS = 2000


def _claims(folder: Path, others: int) -> float:
    """Seconds a video to claim, record and release it, beside others that have recorded one each."""
    file = FileRecord(1, 2, "f" * 64)
    lines = [
        plain(Made(video=f"v{n}", by="b" * 64, of="o" * 64, file=file, content="c" * 64))
        for n in range(VIDEOS)
    ]
    with at_work(folder) as work:
        for number in range(others):
            with at_work(folder) as other:
                other.note({"video": f"other{number}"})
        began = time.process_time()
        todo = Todo(work, [str(line["video"]) for line in lines])
        for claim, line in zip(todo.each(), lines, strict=True):
            work.note(line)
            work.claims.release(claim)
        return (time.process_time() - began) / VIDEOS


def _failures(folder: Path, count: int, *, listed: bool) -> float:
    """Seconds for this many failing videos: the list written for each, or a line for each."""
    left_out = LeftOut("extract", folder, allowed=count)
    with at_work(folder) as work, contextlib.redirect_stderr(io.StringIO()):
        left_out.record = None if listed else work.fail
        began = time.process_time()
        for number in range(count):
            left_out.failed(f"v{number}", "no frames")
        left_out.settle()
        return time.process_time() - began


def main() -> None:
    """Print the figures, CPU seconds."""
    for others in (0, 8, 64):
        with tempfile.TemporaryDirectory() as folder:
            each = _claims(Path(folder), others)
        said = f"a claim, its line and its release beside {others} journals: {1000 * each:.3f} ms"
        sys.stdout.write(said + "\n")
    for count in (250, 500, 1000):
        with tempfile.TemporaryDirectory() as folder:
            before = _failures(Path(folder), count, listed=True)
        with tempfile.TemporaryDirectory() as folder:
            after = _failures(Path(folder), count, listed=False)
        said = f"{count} failing videos: {before:.2f} s with the list for each, {after:.3f} s now"
        sys.stdout.write(said + "\n")


if __name__ == "__main__":
    main()
