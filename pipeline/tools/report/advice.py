"""A sentence a person can act on: what the costliest kind of error says to try."""

from __future__ import annotations

from pipeline.pages.report_values import Analysis

_LEAST = 0.05  # points that are worth a word
_TRY = {
    "wrong label": "the classifier. The places are right, the class is not: train it longer (finetune.epochs), show it more frames "
    "(finetune.frames, extract.frames), or give a proposal more clips (classify.positions).",
    "boundaries off": "the boundaries. The class is right, the ends are not: a finer grid (extract.stride), proposals.voting, or what "
    "docs/boundaries.md says.",
    "both": "the proposals. They lie beside the actions, and so the classifier sees others: train BMN longer (bmn.epochs), or take a "
    "finer grid (extract.stride).",
    "nothing there": "the scores. Detections of nothing score too high: train BMN longer (bmn.epochs), weigh its scores more "
    "(proposals.cls_power, proposals.reg_power), or give each proposal fewer classes (classify.top).",
    "twice": "the non-maximum suppression. The same action is found several times: a smaller proposals.alpha suppresses more.",
    "missed": "the proposals. Nothing lies where these are: more of them (proposals.count), longer ones (bmn.duration_scale) or shorter "
    "ones (extract.stride).",
}  # fmt: skip


def advice_of(found: Analysis) -> list[str]:
    """What to try next, by the kind of error that costs the most points; empty where none costs any."""
    known = [bar for bar in found.errors if bar.name in _TRY]
    worst = max(known, key=lambda bar: bar.points, default=None)
    if worst is None or worst.points < _LEAST:
        return []
    cost = f"{worst.name!r} costs {worst.points:.1f} mAP points at tIoU {found.tiou:g}"
    return [f"{_TRY[worst.name]} ({cost})"]
