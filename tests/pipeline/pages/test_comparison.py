"""The page of a comparison: what it says, and that it draws, in a real browser."""

from __future__ import annotations

import math

import pytest

from pipeline.pages.comparison import comparison_page, write_comparison

HOSTILE = '<img src=x onerror="alert(1)"></script>'


def by(difference, low=None, high=None):
    return {"difference": difference, "low": low, "high": high}


def comparison(names=("tsn", "tada2d"), **changes):
    """What `comparison` gives of two runs, made up."""
    curve = [
        {"epoch": n, "lr": 0.1, "total": 2 / n, "top1": 10.0 * n, "extract_top1": 9.0}
        for n in range(1, 6)
    ]
    values = {
        "runs": [{"name": name, "path": f"runs/{name}", "history": {"finetune": curve, "bmn": []}} for name in names],
        "videos": 24,
        "segments": 154,
        "notes": ["2 videos are annotated differently; left out"],
        "iou": [0.5, 0.7],
        "resamples": 1000,
        "level": 0.95,
        "tasks": {
            "mAP": {
                "runs": [{"map": [50.0, 30.0], "average": 40.0, "low": 35.0, "high": 45.0}, {"map": [60.0, 29.0], "average": 44.5, "low": 40.0, "high": 50.0}],
                "differences": [{"map": [by(10.0, 5.0, 15.0), by(-1.0, -3.0, 1.0)], "average": by(4.5, 1.0, 8.0), "better": 0.99}],
            }
        },
        "classes": [
            {"name": "pour", "segments": 30, "runs": [50.0, 49.0], "differences": [by(-1.0, -2.0, 0.5)]},
            {"name": HOSTILE, "segments": 12, "runs": [10.0, 40.0], "differences": [by(30.0, 20.0, 40.0)]},
            {"name": "rare", "segments": 1, "runs": [0.0, 0.0], "differences": [by(0.0)]},
        ],
        "errors": {"at": 0.5, "kinds": [{"kind": "wrong label", "counts": [9, 5], "runs": [8.0, 3.0], "differences": [by(-5.0, -7.0, -3.0)]}]},
        "recall": {"counts": [1, 100], "runs": [[10.0, 80.0], [12.0, 80.0]], "differences": [[by(2.0, -1.0, 5.0), by(0.0, 0.0, 0.0)]]},
        "settings": [{"key": "backbone.name", "values": ["tsn", "tada2d"]}, {"key": "bmn.epochs", "values": [None, 20]}],
        "changed": [[{"video": HOSTILE, "difference": 40.0, "first": {"f1": 20.0, "right": 1, "wrong": 4, "missed": 4}, "second": {"f1": 60.0, "right": 3, "wrong": 2, "missed": 2}}]],
    }  # fmt: skip
    return values | changes


def test_it_says_which_is_better():
    page = comparison_page(comparison())
    assert "tada2d is better than tsn: +4.5 points of mAP (95 % interval +1.0 to +8.0)." in page
    values = comparison()
    task = values["tasks"]["mAP"]["differences"][0]
    task["average"] = by(0.5, -1.0, 2.0)
    assert "tada2d and tsn cannot be distinguished" in comparison_page(values)
    task["average"] = by(-2.0, -3.0, -1.0)
    assert "tada2d is worse than tsn" in comparison_page(values)


def test_numbers_that_are_none_are_no_json_error():
    values = comparison()
    values["runs"][0]["history"]["finetune"][0]["total"] = math.nan
    assert "NaN" not in comparison_page(values)


@pytest.fixture
def opened(open_page, tmp_path):
    write_comparison(comparison(), tmp_path / "compared.html")
    page = open_page(tmp_path / "compared.html")
    yield page
    assert page.complaints == []
    assert all(url.startswith(("file:", "data:")) for url in page.requests)


def test_every_part_is_drawn(opened):
    page = opened.page
    assert page.locator("#map svg.chart path.line").count() == 2
    assert page.locator("#task-0 tbody tr").count() == 3
    assert page.locator("#task-0 .whisker.better").count() == 2  # @0.5 and the average
    assert page.locator("#errors .whisker.better").count() == 1  # fewer points lost
    assert page.locator("#recall tbody tr").count() == 2
    assert page.locator("#trainings figure").count() == 2  # total and top1
    assert page.locator("#trainings svg.chart path.line").count() == 4
    assert "backbone.name" in page.locator("#settings-title ~ div").inner_text()
    assert "not set" in page.locator("#settings-title ~ div").inner_text()


def test_classes_begin_with_the_largest_difference_and_sort(opened):
    page = opened.page
    names = page.locator("#classes tbody td:first-child").all_text_contents
    assert names() == [HOSTILE, "pour", "rare"]
    page.locator("#classes").get_by_role("button", name="segments").click()
    assert names() == ["pour", HOSTILE, "rare"]
    page.locator("#classes").get_by_role("button", name="difference").click()
    assert names() == [HOSTILE, "rare", "pour"]


def test_names_are_text(open_page, tmp_path):
    write_comparison(comparison(names=(HOSTILE, "b")), tmp_path / "compared.html")
    opened = open_page(tmp_path / "compared.html", viewport={"width": 360, "height": 700})
    assert opened.page.locator("main img").count() == 0
    assert HOSTILE in opened.page.locator("h1").text_content()
    assert opened.page.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert opened.complaints == []


def test_files_have_no_recall_and_no_training(open_page, tmp_path):
    values = comparison(recall=None, settings=[], changed=[[]])
    for run in values["runs"]:
        run["history"] = {}
    write_comparison(values, tmp_path / "compared.html")
    opened = open_page(tmp_path / "compared.html")
    assert opened.page.locator("#recall, #trainings").count() == 0
    assert "None changed." in opened.page.locator("#changed").inner_text()
    assert opened.complaints == []
