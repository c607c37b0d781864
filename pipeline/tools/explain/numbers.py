"""The numbers behind the pictures, as JSON values, and the table that a user is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.prediction.model import Model
from pipeline.tools.explain.looking import Explained
from pipeline.tools.explain.sheet import headline, row_title

_DIGITS = 6


def as_json(video: str, model: Model, explained: Sequence[Explained]) -> dict[str, Any]:
    """What was found of a video's moments.

    Of each class its logit and probability by clip, and by frame the evidence and where in the frame it is strongest
    (x, y from the top left, in shares of the frame); of each stage the calibration weights by frame.
    """
    return {
        "video": video,
        "model": model.name,
        "digest": model.digest,
        "backbone": model.config.backbone.title,
        "moments": [_moment(one) for one in explained],
    }


def table(explained: Sequence[Explained]) -> str:
    """A line per moment, and below it a line per class: mean probability and evidence, and when it is strongest."""
    lines = []
    for number, one in enumerate(explained, start=1):
        lines.append(headline(number, one))
        width = max(len(row_title(target)) for target in one.moment.targets)
        for place, target in enumerate(one.moment.targets):
            values = one.evidence[place]
            peak = one.times[int(values.argmax())]
            lines.append(
                f"   {row_title(target):{width}}  probability {one.probability[place]:.3f}  "
                f"evidence {values.mean():+.2f}, most at {peak:.2f} s ({values.max():+.2f})"
            )
    return "\n".join(lines)


def _moment(one: Explained) -> dict[str, Any]:
    moment = one.moment
    return {
        "start": moment.start,
        "end": moment.end,
        "score": moment.score,
        "label": moment.name,
        "clips": _plain(one.centres),
        "frames": _plain(one.times),
        "classes": [
            {
                "name": target.name,
                "head": target.head,
                "number": target.number,
                "against": target.against,
                "logit": _plain(one.logits[place]),
                "probability": _plain(one.probabilities[place]),
                "evidence": _plain(one.evidence[place]),
                "strongest": _strongest(one.maps[place]),
            }
            for place, target in enumerate(moment.targets)
        ],
        "calibration": {
            name: {
                "layers": stage.layers,
                "frames": _plain(stage.times),
                "mean": _plain(stage.mean),
                "std": _plain(stage.std),
            }
            for name, stage in one.stages.items()
        },
    }


def _strongest(maps: np.ndarray) -> list[list[float]]:
    """Where maps [F, h, w] are largest: the middle of that place, x and y in shares of the frame."""
    height, width = maps.shape[1:]
    down, across = np.divmod(maps.reshape(len(maps), -1).argmax(1), width)
    places = np.stack([(across + 0.5) / width, (down + 0.5) / height], 1)
    found: list[list[float]] = places.round(4).tolist()
    return found


def _plain(values: np.ndarray) -> list[float]:
    found: list[float] = np.asarray(values, dtype=np.float64).round(_DIGITS).tolist()
    return found
