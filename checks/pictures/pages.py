"""Pictures of our pages, taken by Chromium.

The videos are drawn and what is found in them is made up, the same at each run: nothing is trained.
"""

import tempfile
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import pandas as pd

from checks.browser import chromium
from checks.made_up import made_up_report
from pipeline.demo.drawing import draw_frames, random_look
from pipeline.pages.report import write_report_page
from pipeline.pages.timeline import write_timeline
from pipeline.prediction.found import Curves, Prediction

SECONDS, RATE, SIZE = 60, 10, (320, 180)
# start, end, label: what happens in the drawn video.
TRUTH = (
    (2.0, 9.5, "pour"), (11.0, 17.5, "stir"), (19.0, 23.0, "cut"), (24.5, 33.0, "wash hands"),
    (35.0, 38.5, "open drawer"), (40.0, 47.5, "pour"), (49.0, 52.0, "cut"), (53.5, 58.0, "stir"),
)  # fmt: skip
# start, end, label, score: what is found, with one of each kind of mistake.
FOUND = (
    (2.2, 9.3, "pour", 0.94), (11.3, 17.1, "stir", 0.91), (24.2, 32.4, "wash hands", 0.88),
    (40.4, 47.9, "pour", 0.83), (19.2, 23.3, "stir", 0.64), (53.0, 55.4, "stir", 0.58),
    (41.0, 48.2, "pour", 0.47), (28.6, 36.9, "open drawer", 0.41), (33.2, 34.8, "cut", 0.36),
)  # fmt: skip
# ending of the picture's name, colour scheme, width and height of the window
SIZES: tuple[tuple[str, Literal["light", "dark"], int, int], ...] = (
    ("light", "light", 1280, 900),
    ("dark", "dark", 1280, 900),
    ("phone", "light", 360, 800),
)
_SEEKED = (
    "() => { const v = document.querySelector('video'); return v.readyState > 1 && !v.seeking }"
)


def drawn_video(path: Path, seed: int = 7) -> None:
    """An H.264 video of an object that moves about."""
    rng = np.random.default_rng(seed)
    look = random_look(rng, *SIZE)
    time = np.arange(SECONDS * RATE) / RATE
    waves = [0.5 + 0.45 * np.sin(time * speed + phase) for speed, phase in ((0.7, 0), (0.9, 1), (0.5, 2), (0.4, 3))]  # fmt: skip
    poses = np.stack(waves, axis=1)
    spots = np.broadcast_to(rng.uniform(0, SIZE[1], (len(look.spot_radius), 2)), (len(time), len(look.spot_radius), 2))  # fmt: skip
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for begin in range(0, len(time), 50):
            part = slice(begin, begin + 50)
            shake = np.zeros((len(time[part]), 2))
            for frame in draw_frames(look, poses[part], spots[part], shake):
                file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode(None))


def made_up(video: Path) -> Prediction:
    """What could be found in the drawn video, by a model that makes some mistakes."""
    rng = np.random.default_rng(11)
    truth = pd.DataFrame(TRUTH, columns=["start", "end", "label"])
    weak = truth.sample(60, replace=True, random_state=3)
    begin = (weak["start"] + rng.normal(0, 2.5, len(weak))).clip(0, SECONDS - 2)
    weak = weak.assign(start=begin, end=(begin + rng.uniform(1, 9, len(weak))).clip(upper=SECONDS))
    weak = weak.assign(score=rng.uniform(0.01, 0.3, len(weak)))
    detections = pd.concat([pd.DataFrame(FOUND, columns=["start", "end", "label", "score"]), weak])
    times = (np.arange(SECONDS * 5) + 0.5) / 5
    curves = [
        _hills(times, truth[side].to_numpy()) + rng.uniform(0, 0.06, len(times))
        for side in ("start", "end")
    ]
    return Prediction(
        video="kitchen 12",
        source=video,
        duration=float(SECONDS),
        detections=detections.sort_values("score", ascending=False, ignore_index=True),
        proposals=detections.drop(columns="label").reset_index(drop=True),
        curves=Curves(times, *curves),
        model="own",
        digest="3f1c9ad2770b51e4",
        truth=truth,
        classes=tuple(sorted(set(truth["label"]))),
    )


def _hills(times: np.ndarray, middles: np.ndarray) -> np.ndarray:
    hills: np.ndarray = np.exp(-((times[:, None] - middles) ** 2) / 0.5).max(axis=1)
    return 0.85 * hills


def take_pictures(folder: Path, executable: str) -> None:
    """Write `timeline-` and `report-{light,dark,phone}.png` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, chromium(executable) as browser:
        video, timeline = Path(place) / "kitchen 12.mp4", Path(place) / "timeline.html"
        drawn_video(video)
        write_timeline(made_up(video), timeline)
        report = _report(Path(place))
        for name, scheme, width, height in SIZES:
            size: Any = {"width": width, "height": height}
            page = browser.new_page(viewport=size, color_scheme=scheme)
            page.goto(timeline.as_uri())
            page.locator("#found .bar").nth(2).focus()
            page.keyboard.press("ArrowDown")
            page.evaluate("document.activeElement.blur()")
            page.locator("#tracks").click(position={"x": 200, "y": 8})
            page.wait_for_function(_SEEKED)
            page.screenshot(path=folder / f"timeline-{name}.png", full_page=width < 500)
            page.goto(report.as_uri())
            for _ in range(7):
                page.keyboard.press("Shift+ArrowRight")
            page.wait_for_function(_SEEKED)
            page.screenshot(path=folder / f"report-{name}.png")
            page.close()


def _report(place: Path) -> Path:
    """The page of a made-up report on four drawn videos, under many names."""
    files = {}
    for number in range(24):
        path = place / f"drawn {number % 4}.mp4"
        if not path.exists():
            drawn_video(path, seed=number)
        files[f"kitchen {number:02d}"] = path
    return write_report_page(made_up_report(list(files), place, files=files), place)
