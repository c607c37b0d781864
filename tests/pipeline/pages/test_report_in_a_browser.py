"""The report in a real browser: sort, search, slide, click and keys do what they say, and nothing complains."""

from __future__ import annotations

import pytest
from helpers.timelines import small_video

from checks.made_up import made_up_report
from pipeline.pages import paging
from pipeline.pages.report import FOLDER, write_report_page

VIDEOS = [f"kitchen {number:02d}" for number in range(12)]
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "</script><script>alert(3)</script>",
    "{{ 7 * 7 }}",
    "two\nlines",
    "\u202eright to left",
    "🍳 フライパン",
    "=cmd",
    "a" * 600,
)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    place = tmp_path_factory.mktemp("a report #1 ü")
    video = small_video(place / "played #1.webm")
    return write_report_page(made_up_report(VIDEOS, place, files={VIDEOS[0]: video}), place)


@pytest.fixture
def report(open_page, page_file):
    opened = open_page(page_file)
    opened.page.wait_for_function("() => document.getElementById('video-numbers').textContent")
    yield opened
    assert opened.complaints == []
    assert all(url.startswith(("file:", "data:")) for url in opened.requests)


def name(opened):
    return opened.page.locator("#video-name").inner_text()


def bars(opened, track="found"):
    return opened.page.locator(f"#{track} .bar").count()


def column(opened, table, number):
    return opened.page.locator(f"#{table} tbody td:nth-child({number})").all_inner_texts()


def test_it_opens_with_an_answer_a_reason_and_a_next_step(report):
    page = report.page
    assert page.title() == "kitchen"
    assert [page.locator(f"#number-{place}").inner_text() for place in range(3)][2] == "83.0"
    assert page.locator("#errors tbody tr").count() == 8
    points = [float(text) for text in column(report, "errors", 3)[:6]]
    assert points == sorted(points, reverse=True) and points[0] > 0
    assert page.locator(".advice").first.inner_text().startswith("Next step:")
    assert page.locator("#map svg.chart").get_attribute("role") == "img"
    assert "mAP, the paper" in page.locator("#map").inner_text()
    order = page.locator("main h2").all_inner_texts()
    wanted = [
        "Where the points go",
        "mAP over tIoU",
        "Video",
        "Mistakes to look at",
        "Classes",
        "Curves",
    ]
    assert [text.split(" kitchen")[0] for text in order][:6] == wanted


def test_every_chart_has_a_title_and_says_what_it_shows(report):
    charts = report.page.locator("svg.chart, svg.matrix")
    assert charts.count() >= 9
    for place in range(charts.count()):
        assert charts.nth(place).locator("title").first.text_content()
        assert charts.nth(place).locator("desc").first.text_content()


def test_the_table_of_classes_sorts(report):
    page = report.page
    found = [float(text) for text in column(report, "class-table", 2)]
    assert found == sorted(found) and len(found) == 9
    page.locator("#class-table").get_by_role("button", name="AP@0.5").click()
    assert [float(text) for text in column(report, "class-table", 2)] == found[::-1]
    page.locator("#class-table").get_by_role("button", name="truths").click()
    truths = [int(text) for text in column(report, "class-table", 4)]
    assert truths == sorted(truths, reverse=True)
    page.locator("#class-table").get_by_role("button", name="class", exact=True).click()
    assert page.locator("#class-table th[aria-sort=ascending]").inner_text().startswith("class")


def test_a_class_shows_its_curve(report):
    row = report.page.locator("#class-table tbody tr").nth(4)
    row.locator("td").nth(1).click()
    assert report.page.locator("#class-name").inner_text() == row.locator("bdi").first.inner_text()
    assert "picked" in row.get_attribute("class")
    assert (
        report.page.locator("#class-curve svg.chart path.line").get_attribute("d").startswith("M")
    )


def test_a_video_is_searched_and_opened(report):
    page = report.page
    page.keyboard.press("/")
    page.keyboard.type("07")
    assert page.locator("#hits li").all_inner_texts()[0].startswith("kitchen 07")
    page.keyboard.press("Enter")
    assert name(report) == "kitchen 07" and page.locator("#hits").is_hidden()
    assert page.evaluate("() => document.activeElement.id") != "search"
    page.locator("#search").fill("kitchen 1")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert name(report) == "kitchen 11"
    page.locator("#search").fill("no such video")
    assert "no video" in page.locator("#hits").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#hits").is_hidden()


def test_worst_median_and_best_are_in_order(report):
    found = []
    for which in ("worst", "median", "best"):
        report.page.locator(f"#{which}").click()
        assert report.page.locator(f"#{which}").get_attribute("aria-pressed") == "true"
        found.append(
            float(report.page.locator("#video-numbers").inner_text().rstrip(".").split("AP ")[1])
        )
    assert found == sorted(found) and found[0] < found[2]
    precision = sorted(float(text) for text in column(report, "video-table", 2))
    assert precision[0] == found[0]


def test_brackets_and_the_table_go_to_other_videos(report):
    page = report.page
    page.locator("#search").fill("00")
    page.keyboard.press("Enter")
    page.keyboard.press("]")
    assert name(report) == VIDEOS[1]
    page.keyboard.press("[")
    page.keyboard.press("[")
    assert name(report) == VIDEOS[-1]
    row = page.locator("#video-table tbody tr").nth(3)
    row.locator("td").nth(2).click()
    assert name(report) == row.locator("bdi").inner_text()
    assert "picked" in row.get_attribute("class")
    assert page.locator("#watch-title").is_visible()


def test_the_slider_decides_what_is_shown(report):
    page = report.page
    before = bars(report)
    page.locator("#threshold-number").fill("0")
    report.frame()
    assert bars(report) > before
    page.locator("#threshold").press("End")
    report.frame()
    assert bars(report) <= 1
    page.locator("#threshold").press("Home")
    report.frame()
    shown, _, all_ = page.locator("#shown").inner_text().partition(" of ")
    assert shown == all_ == str(bars(report))


def test_the_counts_are_those_of_the_bars(report):
    page = report.page
    page.locator("#threshold-number").fill("0.3")
    report.frame()
    said = page.locator("#video-numbers").inner_text()
    right = page.locator("#found .bar.right").count()
    missed = page.locator("#truth .bar.missed").count()
    assert f"{missed} missed" in said and f"{right} right" in said
    assert f"{bars(report)} detections shown" in said and right > 0


def test_a_mistake_opens_its_video_at_its_bar(report):
    page = report.page
    card = page.locator("#false-positives button").first
    said = card.inner_text()
    card.click()
    assert name(report) in said
    picked = page.locator("#found .bar.picked")
    assert picked.count() == 1
    assert page.evaluate("() => document.activeElement.classList.contains('picked')")
    misses = page.locator("#misses button")
    misses.first.click()
    assert page.locator("#truth .bar.missed.picked").count() == 1


def test_frames_are_small_pictures_inside_the_page(report):
    frames = report.page.locator(".cards img")
    assert frames.count() % 3 == 0
    for place in range(frames.count()):
        assert frames.nth(place).get_attribute("src").startswith("data:image/jpeg;base64,")


def test_a_video_that_lies_there_plays_and_another_does_not(report):
    page = report.page
    page.locator("#search").fill("kitchen 00")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.getElementById('video').readyState >= 1")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.getElementById('video').currentTime > 0.2")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.getElementById('video').currentTime > 0.5")
    page.keyboard.press("]")
    assert page.locator("#video").is_hidden() and page.locator("#no-video").is_visible()
    page.keyboard.press("ArrowRight")
    assert page.locator("#now").inner_text().startswith("0:00.27")


def test_a_video_that_was_moved_beside_the_report_is_found_and_another_is_said_to_be_gone(
    open_page, tmp_path
):
    video = small_video(tmp_path / "a #1.webm")
    files = {VIDEOS[0]: video, VIDEOS[1]: small_video(tmp_path / "gone.webm")}
    (tmp_path / "page").mkdir()
    page_file = write_report_page(
        made_up_report(VIDEOS, tmp_path / "page", files=files), tmp_path / "page"
    )
    video.rename(tmp_path / "page" / video.name)
    (tmp_path / "gone.webm").unlink()
    page = open_page(page_file).page
    page.locator("#search").fill("kitchen 00")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.getElementById('video').readyState >= 1")
    assert page.locator("#video").is_visible() and page.locator("#no-video").is_hidden()
    page.keyboard.press("]")
    page.wait_for_function("() => document.getElementById('video').hidden")
    assert page.locator("#no-video").inner_text().startswith("The video is missing")
    page.keyboard.press("[")
    page.wait_for_function("() => document.getElementById('video').readyState >= 1")
    assert page.locator("#video").is_visible() and page.locator("#no-video").is_hidden()


def test_n_and_p_go_through_the_errors(report):
    page = report.page
    page.locator("#threshold-number").fill("0.2")
    page.keyboard.press("Escape")
    report.frame()
    seen = []
    for _ in range(4):
        page.keyboard.press("n")
        seen.append(page.evaluate("() => document.activeElement.getAttribute('aria-label')"))
    assert len(set(seen)) == 4 and not any(", right" in label for label in seen)
    page.keyboard.press("p")
    assert page.evaluate("() => document.activeElement.getAttribute('aria-label')") == seen[2]


def test_values_are_read_at_the_pointer(report):
    chart = report.page.locator("#operating svg.chart")
    chart.scroll_into_view_if_needed()
    before = report.page.locator("#operating output").first.inner_text()
    box = chart.bounding_box()
    report.page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2)
    after = report.page.locator("#operating output").first.inner_text()
    assert before != after and " at " in after
    report.page.mouse.move(0, 0)
    assert report.page.locator("#operating output").first.inner_text() == before


def test_hostile_labels_and_ids_are_text(open_page, tmp_path):
    report = made_up_report(list(HOSTILE), tmp_path, classes=HOSTILE, rows=10)
    opened = open_page(write_report_page(report, tmp_path))
    page = opened.page
    shown = {text.strip() for text in page.locator("#class-table tbody bdi").all_text_contents()}
    assert shown == set(HOSTILE)
    assert set(page.locator("#video-table tbody bdi").all_text_contents()) == set(HOSTILE)
    page.locator("#search").fill("onerror")
    page.keyboard.press("Enter")
    assert page.locator("#video-name").text_content() == HOSTILE[1]
    assert page.locator("main img[src=x], main script").count() == 0
    assert opened.complaints == []


def test_many_videos_are_loaded_from_files_and_a_missing_file_is_said(
    open_page, tmp_path, monkeypatch
):
    monkeypatch.setattr(paging, "MOST_EMBEDDED", 1000)
    monkeypatch.setattr(paging, "FILE_BYTES", 1)
    page_file = write_report_page(made_up_report(VIDEOS, tmp_path, rows=20), tmp_path)
    opened = open_page(page_file)
    page = opened.page
    page.wait_for_function("() => document.getElementById('video-numbers').textContent")
    first = name(opened)
    loaded = [url for url in opened.requests if f"/{FOLDER}/" in url]
    assert len(loaded) == 1
    for video in ("kitchen 00", "kitchen 11"):
        page.locator("#search").fill(video)
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.querySelectorAll('#truth .bar').length > 0")
        assert name(opened) == video
    assert opened.complaints == []
    for path in (tmp_path / FOLDER).iterdir():
        path.unlink()
    page.locator("#search").fill("kitchen 05" if first != "kitchen 05" else "kitchen 06")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "() => document.getElementById('video-numbers').textContent.includes('not in the folder')"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(open_page, page_file, scheme):
    opened = open_page(page_file, viewport={"width": 360, "height": 780}, color_scheme=scheme)
    opened.page.wait_for_function("() => document.getElementById('video-numbers').textContent")
    assert opened.page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_light_and_dark_are_switched(report):
    page = report.page
    page.locator("[data-theme=dark]").click()
    assert (
        page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 27)"
    )
    page.locator("[data-theme=light]").click()
    assert (
        page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        == "rgb(255, 255, 255)"
    )


def test_it_prints_in_one_column(report):
    page = report.page
    page.emulate_media(media="print")
    report.frame()
    assert page.locator("#search").is_hidden() and page.locator("#errors").is_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
