"""Small tables of ground truth and of detections, right and wrong in every way."""

from __future__ import annotations

import numpy as np
import pandas as pd

TRUTH = ["video", "start", "end", "label"]
FOUND = [*TRUTH, "score"]


def tables(seed: int, videos: int = 6, classes: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)

    def rows(count, prefix="v"):
        start = rng.uniform(0, 30, count)
        names = [f"{prefix}{number}" for number in rng.integers(0, videos, count)]
        labels = [f"c{number}" for number in rng.integers(0, classes, count)]
        return pd.DataFrame(
            {
                "video": names,
                "start": start,
                "end": start + rng.uniform(1, 8, count),
                "label": labels,
            }
        )

    truth = rows(20)
    near = truth.sample(60, replace=True, random_state=seed)
    near = near.assign(
        start=near["start"] + rng.normal(0, 1, 60),
        label=np.where(rng.random(60) < 0.6, near["label"], "c0"),
    )
    near["end"] = np.maximum(near["end"] + rng.normal(0, 1, 60), near["start"] + 0.1)
    found = pd.concat([near, rows(40), rows(5).assign(label="other"), rows(5, "w")])
    return truth, found.assign(score=rng.permutation(len(found)) / len(found)).reset_index(
        drop=True
    )
