"""What `tada-loc init` chooses, whatever the footage."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bmn.upper_bound import best_tious
from pipeline.configuration.reading import load_config
from pipeline.data.windows.cells import video_cells
from pipeline.tools.init.advice import (
    CPU,
    GPU,
    MACHINES,
    advice,
    choose_grid,
    configuration_text,
)
from pipeline.tools.init.footage import Footage
from pipeline.tools.init.heads import CHOSEN, actionformer
from pipeline.tools.init.heads import CPU as SMALL_FORMER

FOOTAGE = Footage(
    videos=20, segments=100, training_segments=70, classes=6, rarest=10, commonest=15, fps=25.0,
    short_side=480, seconds=700.0, shortest=2.0, quarter=2.6, longest=4.5, sided=(), paired=False,
)  # fmt: skip  # fmt: skip


def changed(**values) -> Footage:
    return Footage(**(FOOTAGE.__dict__ | values))


@pytest.mark.parametrize("kind", sorted(MACHINES))
@pytest.mark.parametrize(
    "footage",
    [
        FOOTAGE,
        changed(shortest=0.1, quarter=0.5, longest=300.0),  # a thousand times apart
        changed(fps=0.5, shortest=60.0, quarter=120.0, longest=600.0),
        changed(seconds=4e6),
        changed(training_segments=1, rarest=1, commonest=1, classes=1),
        changed(sided=("turn\nleft: #1",), rarest=1, commonest=500),
        changed(sided=("turn left", "turn right"), paired=True),
    ],
)
def test_whatever_the_footage_a_valid_configuration_comes_out(tmp_path, footage, kind):
    dataset = [
        ("name", "own", ""),
        ("format", "table", ""),
        ("annotations", "own: #.csv", ""),
        ("videos", "v", ""),
    ]
    path = tmp_path / "own.yaml"
    path.write_text(configuration_text("two\nlines", {"dataset": dataset, **advice(footage, kind)}))
    config = load_config(path)
    assert str(config.dataset.annotations) == "own: #.csv"
    assert config.finetune.fps == config.extract.fps <= max(1, round(footage.fps))
    assert config.bmn.window_step + config.bmn.duration_scale <= config.bmn.temporal_scale
    position = config.extract.stride / config.extract.fps
    assert config.bmn.duration_scale * position >= footage.longest
    former = config.actionformer
    assert (
        former.max_length * position >= footage.longest
        and former.max_length % 2 ** (former.levels - 1) == 0
    )
    assert config.detector.name == CHOSEN
    assert (config.finetune.flip == 0) == (bool(footage.sided) and not footage.paired)
    assert config.finetune.flip_swaps_sides == footage.paired


def test_usual_actions_are_cells():
    """Segments as long as the shortest and the longest usual ones, anywhere, are found to tIoU 0.8 and more."""
    grid = choose_grid(FOOTAGE, CPU)
    assert 0.5 * FOOTAGE.shortest / 8 < grid.position < 1.5 * FOOTAGE.shortest / 8
    config = load_config(Path("pipeline/configs/demo.yaml").resolve(), {
        "extract.fps": grid.fps, "extract.stride": grid.stride, "extract.interval": grid.interval,
        "bmn.duration_scale": grid.durations, "bmn.temporal_scale": 4 * grid.durations,
    })  # fmt: skip
    cells = video_cells(config.extract, config.bmn, 60.0)
    for length in (FOOTAGE.shortest, FOOTAGE.longest):
        starts = pd.Series(range(300)).to_numpy() * 0.137 % (60 - length)
        tious = best_tious(pd.DataFrame({"a": starts, "b": starts + length}).to_numpy(), cells)
        assert tious.min() > 0.8


def test_much_footage_is_looked_at_less_closely():
    long = changed(seconds=1e5)
    assert choose_grid(long, CPU).position >= 1e5 / CPU.clips
    assert choose_grid(long, GPU).position == choose_grid(FOOTAGE, GPU).position


@pytest.mark.parametrize(
    ("footage", "said"),
    [
        (FOOTAGE, "a feature every 0.27 s: 1/8 of an action of 2 s; 95 of 100 are longer"),
        (changed(longest=45.0), "a feature every 1.2 s: else actions of 45 s need more than 48 positions"),
        (changed(seconds=1e5), "a feature every 1.7 s: else there are more than 60000 of them"),
        (changed(shortest=0.2, longest=1.0), "a feature every 0.067 s: every frame"),
    ],
)  # fmt: skip
def test_the_stride_says_what_decided_it(footage, said):
    (reason,) = [why for key, _, why in advice(footage, "cpu")["extract"] if key == "stride"]
    assert said in reason


@pytest.mark.parametrize(("durations", "window"), [(10, 64), (25, 100), (48, 128), (90, 180)])
def test_windows_are_as_the_document_says(durations, window):
    footage = changed(shortest=8.0, longest=durations / 1.25 - 0.1, fps=1.0)  # a position a second
    written = {key: value for key, value, _ in advice(footage, "gpu")["bmn"]}
    assert (written["duration_scale"], written["temporal_scale"]) == (durations, window)


def test_a_sample_of_actionformer_holds_the_longest_video_where_it_can():
    def entries(**values):
        return {key: value for key, value, _ in actionformer(changed(**values), SMALL_FORMER, 0.25)}

    short = entries(longest_video=60.0)
    assert 240 <= short["max_length"] < 240 + 2 ** (short["levels"] - 1)
    assert entries(longest_video=3600.0)["max_length"] == SMALL_FORMER.longest
    assert entries()["max_length"] == entries(longest_video=35.0)["max_length"]  # as their mean
    assert entries(longest=300.0)["levels"] > entries(longest=3.0)["levels"] >= 3
    assert entries(longest=300.0)["max_length"] >= 1200
    assert entries(training_segments=50_000)["width"] > entries()["width"]
    assert "trunk" not in short and entries(verbs_and_nouns=True)["trunk"] == "shared"
