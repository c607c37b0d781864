"""Detections in a notebook: a small timeline per video, as SVG that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

import pandas as pd

from pipeline.notebook.lanes import Lane, clock, end_of, lanes_of, left_out, ticks
from pipeline.prediction.found import Prediction
from pipeline.printing import printable

_LANES, _BARS = 8, 100
_LEFT, _RIGHT, _LANE, _TOP, _FOOT = (
    150,
    16,
    18,
    24,
    20,
)  # units of the drawing, pixels at full width
_WIDTH = 820
_EDGE = 'rx="1.5" stroke="currentColor"'  # so that dark colours are seen on dark
_NAME = 22  # characters of a class before the lane


def page_part(
    videos: Sequence[Prediction], more: Iterable[str], table: pd.DataFrame, most: int
) -> str:
    """What a notebook shows: the timelines of some videos, a line on `more`, and the first `most` rows of the table."""
    first = table.head(most)
    for column in {"video", "label"} & set(first.columns):
        first = first.assign(**{column: [printable(str(name)) for name in first[column]]})
    lines = [timeline_svg(one) for one in videos] + [f"<p>{escape(line)}</p>" for line in more]
    lines.append(first.to_html(border=0))
    if len(table) > len(first):
        lines.append(f"<p>the first {len(first):,} of {len(table):,} rows</p>")
    return "<div>" + "".join(lines) + "</div>"


def timeline_svg(prediction: Prediction) -> str:
    """The timeline of a video: a lane for each of its most certain classes, thin lines for the ground truth.

    Names are data: escaped, and what is not printable as Python writes it. Text and axis have the colour of the
    text around, so that it reads on light and on dark.
    """
    end = end_of(prediction)
    lanes, more = lanes_of(prediction, _LANES, _BARS)
    bottom = _TOP + _LANE * max(len(lanes), 1)
    height = bottom + _FOOT
    title = f"{_shown(prediction.video)}, {clock(prediction.duration or end, end)}"
    note = left_out(lanes, more, _BARS) if lanes else "no detection"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="Detections of {title}" font-family="system-ui, sans-serif" font-size="12" '
        f'fill="currentColor" style="display:block;width:100%;max-width:{_WIDTH}px;height:auto">',
        f'<text x="0" y="14" font-weight="600">{title}</text>',
        f'<text x="{_WIDTH - _RIGHT}" y="14" text-anchor="end" opacity="0.7">{note}</text>',
        *_axis(end, bottom),
    ]
    for row, lane in enumerate(lanes):
        parts += _lane(lane, _TOP + row * _LANE, end)
    return "".join([*parts, "</svg>"])


def _axis(end: float, bottom: int) -> Iterator[str]:
    right = _WIDTH - _RIGHT
    yield (
        f'<path d="M{_LEFT} {bottom + 0.5}H{right}" stroke="currentColor" opacity="0.5" fill="none"/>'
    )
    for moment in ticks(end):
        x = _x(moment, end)
        yield (
            f'<path d="M{x:.1f} {_TOP}V{bottom + 4}" stroke="currentColor" opacity="0.15" fill="none"/>'
            f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle" font-size="10" opacity="0.7">'
            f"{clock(moment, end)}</text>"
        )


def _lane(lane: Lane, top: int, end: float) -> Iterator[str]:
    name = printable(lane.name)
    short = name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
    yield f'<text x="{_LEFT - 8}" y="{top + 13}" text-anchor="end">{_shown(short)}<title>{_shown(name)}</title></text>'
    yield f'<g fill="{lane.colour}" stroke-width="0.5" stroke-opacity="0.4">'
    for start, stop, share in lane.found:
        x, right = _x(start, end), _x(stop, end)
        said = f"{_shown(name)}, {clock(start, end)} to {clock(stop, end)}, {share:.0%} of the best score"
        yield (
            f'<rect x="{x:.1f}" y="{top + 3}" width="{max(right - x, 1.5):.1f}" height="11" '
            f'{_EDGE if right - x > 4 else ""} fill-opacity="{0.08 + 0.92 * share:.2f}"><title>{said}</title></rect>'
        )
    yield "</g>"
    for start, stop in lane.truth:
        x, right = _x(start, end), _x(stop, end)
        said = f"ground truth: {_shown(name)}, {clock(start, end)} to {clock(stop, end)}"
        yield f'<rect x="{x:.1f}" y="{top + 15}" width="{max(right - x, 1):.1f}" height="2"><title>{said}</title></rect>'


def _x(moment: float, end: float) -> float:
    share: float = min(max(moment / end, 0.0), 1.0)
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * share


def _shown(text: str) -> str:
    return escape(printable(text))
