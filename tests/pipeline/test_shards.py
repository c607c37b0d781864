"""--shard, and the shares that job arrays tell of by themselves."""

from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.shards import Shard, shard_of

SLURM = "SLURM_ARRAY_TASK_"


def slurm(number, low, high, **more):
    values = {"ID": number, "MIN": low, "MAX": high, **more}
    return {f"{SLURM}{name}": str(value) for name, value in values.items()}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        (slurm(0, 0, 7), Shard(0, 8, f"{SLURM}ID")),
        (slurm(3, 1, 4, STEP=1, COUNT=4), Shard(2, 4, f"{SLURM}ID")),
        (slurm(8, 0, 12, STEP=4, COUNT=4), Shard(2, 4, f"{SLURM}ID")),
        (slurm(5, 1, 7, STEP=1, COUNT=3), Shard(5, 0, f"{SLURM}ID")),  # 1,5,7
        ({f"{SLURM}ID": "4"}, Shard(4, 0, f"{SLURM}ID")),
        ({f"{SLURM}ID": "4", f"{SLURM}COUNT": "4"}, Shard(0, 4, f"{SLURM}ID")),
        (slurm(3, 3, 3), None),  # an array of one
        ({"JOB_COMPLETION_INDEX": "2"}, Shard(2, 0, "JOB_COMPLETION_INDEX")),
        (
            {"JOB_COMPLETION_INDEX": "2", "JOB_COMPLETIONS": "3"},
            Shard(2, 3, "JOB_COMPLETION_INDEX"),
        ),
        (
            {"SKYPILOT_NODE_RANK": "1", "SKYPILOT_NUM_NODES": "4"},
            Shard(1, 4, "SKYPILOT_NODE_RANK"),
        ),
        ({"SKYPILOT_NODE_RANK": "0", "SKYPILOT_NUM_NODES": "1"}, None),
    ],
)
def test_a_job_array_tells_the_share(environ, expected):
    assert shard_of(None, environ) == expected
    assert shard_of("none", environ) is None
    assert shard_of("1/2", environ) == Shard(1, 2)


@pytest.mark.parametrize("text", ["", "1", "2/2", "a/b", "-1/2", "1/0", "1/2/3", "1 / 2", "٣/٤"])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(UsageError, match="--shard"):
        shard_of(text, {})


@pytest.mark.parametrize(
    "environ",
    [slurm("x", 0, 3), {"JOB_COMPLETION_INDEX": "3", "JOB_COMPLETIONS": "3"}],
)
def test_an_environment_that_makes_no_sense_is_named(environ):
    with pytest.raises(UsageError, match=r"SLURM_ARRAY_TASK_ID|JOB_COMPLETION_INDEX"):
        shard_of(None, environ)
