"""How detections show themselves: strips of text, SVG in a notebook, matplotlib; over the ground truth."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
import pytest
from helpers.hand_made import HOSTILE, found, many

from pipeline.colours import looks_of
from pipeline.errors import UserError
from pipeline.notebook.detections import Detections
from pipeline.notebook.lanes import clock, end_of, lanes_of, left_out, ticks
from pipeline.notebook.svg import timeline_svg
from pipeline.notebook.text import found_table, strips

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def _no_window():
    matplotlib.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def truth_of(*rows: tuple[float, float, str], video: str = "a") -> pd.DataFrame:
    table = pd.DataFrame(list(rows), columns=["start", "end", "label"])
    return table.assign(video=video, subset="validation")


def test_lanes_are_classes_the_most_certain_first_and_its_best_bar_on_top():
    lanes, more = lanes_of(found(), 2, 10)
    assert [lane.name for lane in lanes] == ["right", "up"] and more == 1
    assert lanes[0].found.tolist() == [[7.0, 8.0, 0.3 / 0.9], [1.5, 3.5, 1.0]]
    assert lanes[0].colour == looks_of(["right"])["right"].fill
    assert left_out(lanes, more, 10) == "and 1 more class" and left_out(lanes, 0, 10) == ""
    few, _ = lanes_of(found(), 2, 1)
    assert left_out(few, 2, 1) == "and 2 more classes; the best 1 of a class are drawn"
    assert few[0].found.tolist() == [[1.5, 3.5, 1.0]]


def test_classes_that_were_not_found_have_a_lane_where_they_are_true():
    seen = replace(found(), truth=truth_of((0.0, 1.0, "up"), (1.0, 20.0, "never")))
    lanes, _ = lanes_of(seen, 9, 10)
    assert {lane.name: len(lane.truth) for lane in lanes} == {
        "right": 0,
        "up": 1,
        "down": 0,
        "never": 1,
    }
    assert end_of(seen) == 20.0


@pytest.mark.parametrize("scores", [0.0, 1e-300, 1.0])
def test_scores_of_any_size_are_drawn(scores):
    rows = [(0.0, 1.0, "x", scores), (1.0, 2.0, "y", scores)]
    lanes, _ = lanes_of(found(rows), 9, 9)
    assert all(0 <= lane.found[0, 2] <= 1 for lane in lanes)
    assert timeline_svg(found(rows)) and strips(found(rows))


@pytest.mark.parametrize("end", [0.01, 0.9, 1.0, 7.5, 59.0, 60.0, 3600.0, 10800.0, 4e6, 1e12])
def test_ticks_lie_within_the_video_and_are_few(end):
    moments = ticks(end)
    assert moments[0] == 0 and all(0 <= moment < end or moment == 0 for moment in moments)
    assert len(moments) <= 9 and np.isfinite(moments).all()


def test_moments_are_said_as_people_say_them():
    assert [clock(12.5, 60), clock(65, 600), clock(7209, 9000)] == ["12.5 s", "1:05", "2:00:09"]


def test_strips_show_where_in_time():
    lines = strips(found([(0.0, 4.5, "left half", 0.9), (8.9, 9.0, "end", 0.3)])).splitlines()
    assert lines[0] == "v06  9 s"
    half, end = (line.partition("|")[2].rstrip("|") for line in lines[1:])
    assert len(half) == len(end)
    middle = len(half) // 2
    assert set(half[: middle - 1]) == {"█"} and set(half[middle + 1 :]) == {" "}
    assert end.strip(" ") == "▒" and end[-1] == "▒"


def test_strips_of_nothing_and_of_what_lies_outside():
    assert "no detection" in strips(found(()))
    outside = found([(20.0, 30.0, "late", 1.0)], duration=0.0)
    assert "late" in strips(outside)
    assert len(strips(many(3000)).splitlines()) == 1 + 5 + 1


def test_a_command_shows_the_best_below_the_strips():
    lines = found_table(found(), rows=2).splitlines()
    assert lines[:-3] == strips(found()).splitlines()
    assert lines[-3:] == [
        "  1.5 s   3.5 s  0.900  right",
        "    2 s  6.25 s  0.800  up",
        "  and 2 more",
    ]


def test_strips_keep_to_what_a_terminal_can_write(monkeypatch):
    class Old:
        encoding = "ascii"

    monkeypatch.setattr(sys, "stdout", Old())
    assert strips(found()).isascii()


def test_strips_are_straight_whatever_the_labels_are():
    labels = [
        "a" * 100,
        "動作の名前がとても長いクラス名です",
        "é́́",
        "\x1b[31mred",
        "line\nend",
        "\u202egnp",
    ]
    rows = [(0.0, 9.0, label, 0.5) for label in labels]
    lines = strips(found(rows, video="a\x1b[2Jb")).splitlines()
    assert len(lines) == 1 + 5 + 1 and all(line.isprintable() for line in lines)


@pytest.mark.parametrize("labels", [HOSTILE, ["\x00\x1b\ufffe", "line\nend", "a" * 5000]])
def test_the_timeline_is_sound_xml_with_labels_as_text(labels):
    rows = [(float(i), i + 1.0, label, 0.9 - i / 100) for i, label in enumerate(labels)]
    seen = found(rows, video="<script>alert(1)</script>")
    drawn = ET.fromstring(timeline_svg(seen))
    assert {one.tag.removeprefix(SVG) for one in drawn.iter()} <= {
        "svg",
        "text",
        "path",
        "g",
        "rect",
        "title",
    }
    assert not any(
        name.startswith("on") or "href" in name for one in drawn.iter() for name in one.attrib
    )
    texts = [one.text for one in drawn.iter(f"{SVG}text")]
    assert texts[0].startswith("<script>alert(1)</script>")


def test_bars_of_the_timeline_lie_at_their_times():
    seen = replace(found([(0.0, 4.5, "x", 1.0)]), truth=truth_of((4.5, 9.0, "x")))
    bar, true = ET.fromstring(timeline_svg(seen)).iter(f"{SVG}rect")
    place = {name: float(bar.get(name)) for name in ("x", "width")}
    assert float(true.get("x")) == pytest.approx(place["x"] + place["width"], abs=0.11)
    assert float(true.get("width")) == pytest.approx(place["width"], abs=0.11)
    assert "0 s to 4.5 s, 100% of the best score" in bar[0].text


def test_a_notebook_shows_few_timelines_and_few_rows():
    videos = [
        replace(many(400), video=f"v{i}", detections=many(400).detections.assign(video=f"v{i}"))
        for i in range(9)
    ]
    shown = Detections.of_predictions(videos)._repr_html_()
    assert shown.count("<svg") == 3 and "and 6 more videos" in shown
    assert shown.count("<tr") == 21 and "the first 20 of 3,600 rows" in shown
    assert len(shown) < 400_000 and "http" not in shown.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in shown


def test_labels_of_the_table_are_text_too():
    rows = [(0.0, 1.0, label, 0.9) for label in (*HOSTILE, "<img src=x onerror=alert(1)>")]
    shown = Detections.of_predictions([found(rows, video="<b>a")])._repr_html_()
    tags = set(re.findall(r"<(/?[a-z]+)", shown))
    assert not tags & {"script", "img", "b"} and "\u202e" not in shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_and_runs_nothing(scheme, open_page, tmp_path):
    rows = [(0.0, 1.0, label, 0.9) for label in (*HOSTILE, "<img src=x onerror=alert(1)>")]
    shown = Detections.of_predictions(
        [found(rows, video="<script>alert(1)</script>")]
    )._repr_html_()
    path = tmp_path / "cell.html"
    head = '<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
    path.write_text(head + shown, encoding="utf-8")
    opened = open_page(path, color_scheme=scheme, viewport={"width": 360, "height": 600})
    assert opened.complaints == [] and opened.requests == [path.as_uri()]
    assert opened.page.locator("svg rect").count() == 8
    name = opened.page.locator("svg text").first
    assert name.text_content().startswith("<script>alert(1)</script>, 9 s")
    ink = name.evaluate("one => getComputedStyle(one).fill")
    assert ink == {"light": "rgb(0, 0, 0)", "dark": "rgb(255, 255, 255)"}[scheme]
    assert opened.page.locator("svg").evaluate("one => one.getBoundingClientRect().width") <= 360


def test_plot_gives_axes_with_a_bar_a_detection_and_a_line_a_segment():
    table = Detections.of_predictions([found(video="a"), found(video="b")])
    axes = table.plot(truth=truth_of((0.0, 2.0, "up"), (2.0, 3.0, "never")))
    assert len(axes) == 2
    assert len(axes[0].patches) == 4 and len(axes[0].lines) == 2 and not axes[1].lines
    names = [label.get_text() for label in axes[0].get_yticklabels()]
    assert names == ["right", "up", "down", "never"]
    alone = table.of("a").plot()
    assert len(alone.patches) == 4 and alone.get_xlim() == (0, 9)


def test_plot_draws_on_given_axes():
    from matplotlib.figure import Figure

    figure = Figure()
    axis = figure.add_subplot()
    table = Detections.of_predictions([found(video="a"), found(video="b")])
    assert table.of("a").plot(ax=axis) is axis and axis.patches
    with pytest.raises(UserError, match="2 videos and 1 axes"):
        table.plot(ax=axis)


def test_plot_reads_files_of_annotations_and_says_which_videos_they_do_not_name(tmp_path, capsys):
    path = tmp_path / "truth.csv"
    path.write_text("video,start,end,label\na.mp4,1,2,up\na.mp4,3,4,right\nc.mp4,0,1,up\n")
    table = Detections.of_predictions([found(video="a"), found(video="b")])
    axes = table.plot(truth=path)
    assert len(axes[0].lines) == 2 and not axes[1].lines
    assert capsys.readouterr().err == "plot: the ground truth names no segment of b\n"
    assert len(table.of("a").plot(truth=[str(path)]).lines) == 2


@pytest.mark.parametrize("truth", [pd.DataFrame({"video": ["a"], "start": [0.0]}), "no/such.csv"])
def test_ground_truth_that_is_none_is_refused(truth):
    with pytest.raises(UserError) as refused:
        Detections.of_predictions([found(video="a")]).plot(truth=truth)
    assert "\n" not in str(refused.value)


def test_the_other_plots_are_those_of_pandas():
    table = Detections.of_predictions([found(video="a")])
    assert table.plot.scatter(x="start", y="score").collections
    assert table.plot(kind="scatter", x="start", y="score").collections
    assert len(table["score"].plot().lines) == 1
    with pytest.raises(AttributeError):
        _ = table.plot.nothing_of_the_kind


def test_many_videos_are_said_not_drawn(capsys):
    videos = [found(video=f"v{i}") for i in range(10)]
    assert len(Detections.of_predictions(videos).plot()) == 8
    assert "the first 8 of 10 videos" in capsys.readouterr().err


@pytest.mark.parametrize("label", ["$\\frac$", "$a", "\x1b[31m", "a\nb", "x" * 500])
def test_any_label_is_drawn(label, tmp_path):
    axis = Detections.of_predictions([found([(0.0, 1.0, label, 0.5)], video=label)]).plot()
    axis.figure.savefig(tmp_path / "x.png")
