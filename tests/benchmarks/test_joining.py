"""Footage joined from clips: its segments lie where its pieces do, in each manner."""

from __future__ import annotations

import av
import numpy as np
import pandas as pd
import pytest

from benchmarks import joining

FPS = 15.0


def flat_clip(path, fps, size):
    """Twelve seconds of one grey level a clip, another in its second half."""
    level = 10 * (sorted((*joining.ACTIONS, *joining.BETWEEN)).index(path.name) + 1)
    frames = np.full((180, size[1], size[0], 3), level, np.uint8)
    frames[90:] += 100
    return frames


@pytest.mark.parametrize("manner", sorted(joining.MANNERS))
def test_segments_are_where_their_pieces_are(tmp_path, monkeypatch, manner):
    monkeypatch.setattr(joining, "read_clip", flat_clip)
    monkeypatch.setattr(joining, "VIDEOS", {"training": 3, "validation": 2})
    joining.make_footage(tmp_path, tmp_path / "made", manner, size=(32, 24))
    rows = pd.read_csv(tmp_path / "made" / "own.csv")
    how = joining.MANNERS[manner]
    lengths = rows["end"] - rows["start"]
    assert lengths.between(how.seconds[0] - 0.1, how.seconds[1]).all()
    assert rows.groupby("video").size().eq(how.actions).all() and rows["video"].nunique() == 5
    following = rows["start"].shift(-1)[rows["video"] == rows["video"].shift(-1)]
    overlaps = following < rows["end"][following.index]
    assert overlaps.any() == (how.overlap > 0)
    if how.rough:
        return
    for row in rows.itertuples():
        with av.open(str(tmp_path / "made" / "videos" / f"{row.video}.mp4")) as container:
            frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
        clip = next(name for name in joining.ACTIONS if name.startswith(row.label))
        level = flat_clip(tmp_path / clip, FPS, (2, 2))[0 if row.subset == "training" else -1]
        # Its last frame: the one behind it is blended in from its own start on, at the most.
        shown = frames[round(row.end * FPS) - 1].mean()
        if not any(overlaps):
            assert shown == pytest.approx(float(level.mean()), abs=6)


def test_the_same_seed_gives_the_same_table(tmp_path, monkeypatch):
    monkeypatch.setattr(joining, "read_clip", flat_clip)
    monkeypatch.setattr(joining, "VIDEOS", {"training": 2, "validation": 1})
    tables = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        joining.make_footage(tmp_path, tmp_path / name, "hard", seed=seed, size=(16, 16))
        tables.append((tmp_path / name / "own.csv").read_text())
    assert tables[0] == tables[1] != tables[2]
