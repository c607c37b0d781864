"""The timeline page in a real browser: what is pressed, moved and clicked does what it says."""

from __future__ import annotations

import time

import numpy as np
import pytest
from helpers.timelines import FOUND, many, prediction, segments, small_video, with_truth

from pipeline.pages.timeline import write_timeline
from pipeline.prediction.found import Curves

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "</script><script>alert(3)</script>",
    "<!--",
    "{{ 7 * 7 }}",
    "=cmd",
    "two\nlines",
    "\u202eright to left",
    "🍳 フライパン",
    "'; --",
    "a" * 3000,
    "&lt;b&gt;",
]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A video, and pages beside it."""
    place = tmp_path_factory.mktemp("a page #1 ü")
    video = small_video(place / "kitchen #1 50%.webm")
    write_timeline(prediction(video), place / "plain.html")
    write_timeline(with_truth(video), place / "truth.html")
    return place


@pytest.fixture
def plain(open_page, folder):
    opened = open_page(folder / "plain.html")
    opened.page.wait_for_function("() => document.querySelector('video').readyState >= 1")
    yield opened
    assert opened.complaints == []
    assert all(url.startswith(("file:", "data:")) for url in opened.requests)


@pytest.fixture
def truth(open_page, folder):
    opened = open_page(folder / "truth.html")
    opened.page.wait_for_function("() => document.querySelector('video').readyState >= 1")
    yield opened
    assert opened.complaints == []


def bars(opened, track="found"):
    return opened.page.locator(f"#{track} .bar").count()


def set_threshold(opened, value):
    opened.page.locator("#threshold-number").fill(str(value))
    opened.frame()


def video_time(opened):
    return opened.page.evaluate("() => document.querySelector('video').currentTime")


def paused(opened):
    return opened.page.evaluate("() => document.querySelector('video').paused")


def seeked(opened, seconds, within=0.02):
    opened.page.wait_for_function(
        "([to, by]) => Math.abs(document.querySelector('video').currentTime - to) < by",
        arg=[seconds, within],
    )


def test_it_opens_from_disk_with_the_video_and_without_a_complaint(plain):
    page = plain.page
    assert page.title() == "kitchen"
    assert page.evaluate("() => document.querySelector('video').duration") == pytest.approx(
        8, abs=0.2
    )
    assert page.locator("#no-video").is_hidden()
    assert bars(plain) == 3 and bars(plain, "proposals") == len(FOUND)
    assert page.locator(".curve").count() == 2 and page.locator("#truth").count() == 0
    assert "3 of 6 detections shown" in page.locator("#shown").inner_text()


@pytest.mark.parametrize("threshold", [0, 0.02, 0.3, 0.5, 0.500001, 0.75, 0.9])
def test_the_threshold_decides_which_bars_are_there(plain, threshold):
    set_threshold(plain, threshold)
    expected = sum(row[3] >= threshold for row in FOUND)
    assert bars(plain) == expected
    assert plain.page.locator("#table tbody tr").count() == expected
    assert plain.page.locator("#n-shown").inner_text() == str(expected)


def test_the_slider_moves_by_hand_and_by_keys(plain):
    slider = plain.page.locator("#threshold")
    assert float(slider.get_attribute("max")) == 0.9
    box = slider.bounding_box()
    plain.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    plain.frame()
    assert bars(plain) == 1
    slider.press("Home")
    plain.frame()
    assert bars(plain) == len(FOUND)
    slider.press("ArrowRight")
    plain.frame()
    assert 0 < float(plain.page.locator("#threshold-number").input_value()) < 0.1
    assert video_time(plain) == 0  # the arrow was the slider's


def test_an_empty_number_changes_nothing(plain):
    plain.page.locator("#threshold-number").fill("")
    plain.frame()
    assert bars(plain) == 3


def test_classes_are_chosen_and_searched(plain):
    page = plain.page
    set_threshold(plain, 0)
    page.get_by_role("checkbox", name="pour").uncheck()
    plain.frame()
    assert bars(plain) == 4
    page.locator("#none").click()
    plain.frame()
    assert bars(plain) == 0
    page.keyboard.press("/")
    page.keyboard.type("St")
    assert page.locator("#class-list li:visible").count() == 1
    page.locator("#all").click()  # those that were searched
    plain.frame()
    assert bars(plain) == 2
    page.locator("#search").fill("no such class")
    assert page.locator("#no-class").is_visible()
    page.locator("#search").fill("")
    page.locator("#all").click()
    plain.frame()
    assert bars(plain) == len(FOUND)


def test_a_click_on_a_bar_plays_that_part_and_stops_at_its_end(plain):
    bar = plain.page.locator("#found .bar[aria-label^='stir']").first
    bar.click(position={"x": 3, "y": 5})
    seeked(plain, 3.0, within=0.6)
    plain.page.wait_for_function("() => !document.querySelector('video').paused")
    plain.page.wait_for_function("() => document.querySelector('video').paused")
    assert 4.5 <= video_time(plain) < 4.9
    head = float(plain.page.locator("#head").get_attribute("x1"))
    span = float(plain.page.locator("#tracks").get_attribute("width")) - 16
    assert head == pytest.approx(8 + video_time(plain) / 8 * span, abs=2)


def test_a_part_that_someone_leaves_does_not_stop_the_video(plain):
    plain.page.locator("#found .bar").first.click(position={"x": 3, "y": 5})
    plain.page.wait_for_function("() => !document.querySelector('video').paused")
    plain.page.evaluate("() => { document.querySelector('video').currentTime = 5 }")
    plain.page.wait_for_function("() => document.querySelector('video').currentTime > 5.3")
    assert not paused(plain)


def test_a_click_beside_the_bars_moves_the_time(plain):
    box = plain.page.locator("#tracks").bounding_box()
    plain.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 10)
    seeked(plain, 4.0, within=0.1)
    assert paused(plain)


def test_space_plays_and_pauses_and_arrows_step(plain):
    page = plain.page
    page.keyboard.press("ArrowRight")
    seeked(plain, 0.2)
    page.keyboard.press("Shift+ArrowRight")
    seeked(plain, 2.2)
    page.keyboard.press("ArrowLeft")
    seeked(plain, 2.0)
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('video').currentTime > 2.1")
    page.keyboard.press("Space")
    assert paused(plain)
    page.locator("video").focus()  # its own keys do not act a second time
    page.keyboard.press("Space")
    assert not paused(plain)
    page.keyboard.press("Space")
    assert paused(plain)
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    seeked(plain, 0.0)


def test_n_and_p_go_through_the_detections_shown(plain):
    set_threshold(plain, 0.5)
    plain.page.keyboard.press("Escape")  # out of the field
    starts = []
    for key in "nnnnnpp":
        plain.page.keyboard.press(key)
        starts.append(video_time(plain))
    assert starts == pytest.approx([1.0, 3.0, 3.5, 6.0, 6.0, 3.5, 3.0], abs=0.01)
    assert plain.page.evaluate("() => document.activeElement.getAttribute('aria-label')") == (
        "stir, 0:03.00 to 0:04.50, score 0.8"
    )
    assert paused(plain)


def test_every_bar_is_reached_by_keys_and_played_by_enter(plain):
    page = plain.page
    set_threshold(plain, 0.5)
    page.locator("#none").focus()
    labels = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        labels.add(page.evaluate("() => document.activeElement.getAttribute('aria-label')"))
    for _, _, label, score in FOUND[:4]:
        assert any(one and one.startswith(label) and f"score {score}" in one for one in labels)
    page.locator("#proposals .bar[tabindex='0']").focus()
    for _ in range(len(FOUND)):
        page.keyboard.press("ArrowUp")
    reached = []
    for _ in range(len(FOUND)):
        reached.append(page.evaluate("() => document.activeElement.getAttribute('aria-label')"))
        page.keyboard.press("ArrowDown")
    assert len(set(reached)) == len(FOUND) and all(one.startswith("proposal") for one in reached)
    page.keyboard.press("Enter")
    page.wait_for_function("() => !document.querySelector('video').paused")


def test_rows_seek_and_headings_sort(plain):
    page = plain.page
    row = page.locator("#table tbody tr").nth(2)
    assert row.inner_text().split() == ["0.700", "0:06.00", "0:07.00", "1.00", "pour"]
    row.click()
    seeked(plain, 6.0)
    assert paused(plain) and "picked" in row.get_attribute("class")

    def column(number):
        return page.locator(f"#table tbody td:nth-child({number})").all_inner_texts()

    page.get_by_role("button", name="class", exact=True).click()
    assert column(5) == sorted(column(5))
    page.get_by_role("button", name="start", exact=True).click()
    assert column(2) == sorted(column(2), reverse=True)
    page.get_by_role("button", name="start", exact=True).click()
    assert column(2) == sorted(column(2))
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("start")


def test_overlapping_bars_stand_in_rows_and_a_lower_threshold_moves_none(plain):
    def places():
        return plain.page.evaluate("""() => Object.fromEntries([...document.querySelectorAll('#found .bar')]
            .map((bar) => [bar.getAttribute('aria-label'), bar.querySelector('.box').getBoundingClientRect().toJSON()]))""")

    before = places()
    set_threshold(plain, 0)
    after = places()
    assert set(before) < set(after)
    assert all(after[name]["y"] == before[name]["y"] for name in before)
    boxes = list(after.values())
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            apart = one["right"] <= other["left"] + 0.1 or other["right"] <= one["left"] + 0.1
            assert apart or one["bottom"] <= other["top"] or other["bottom"] <= one["top"]


def test_against_the_truth(truth):
    page = truth.page
    set_threshold(truth, 0.6)
    kinds = page.locator("#found .bar").evaluate_all("(bars) => bars.map((b) => b.classList[2])")
    assert kinds == ["right", "wrong", "off"]
    assert page.locator("#truth .bar").count() == 4
    assert page.locator("#truth .missed").count() == 3
    numbers = [page.locator(f"#n-{name}").inner_text() for name in ("right", "wrong", "missed")]
    assert numbers == ["1", "2", "3"]
    set_threshold(truth, 0.5)  # "cut" is found at 0.5
    assert page.locator("#truth .missed").count() == 2
    assert page.locator("#n-right").inner_text() == "2"
    stroke = "(bar) => getComputedStyle(bar.querySelector('.box')).stroke"
    colours = [
        page.locator(f"#found .{kind}").first.evaluate(stroke) for kind in ("right", "wrong")
    ]
    assert colours == ["rgb(0, 121, 90)", "rgb(185, 61, 0)"]


def test_n_goes_from_error_to_error(truth):
    set_threshold(truth, 0.6)
    truth.page.evaluate("() => document.activeElement.blur()")
    labels = []
    for _ in range(6):
        truth.page.keyboard.press("n")
        labels.append(
            truth.page.evaluate("() => document.activeElement.getAttribute('aria-label')")
        )
    assert [label.split(",")[-1].strip() for label in labels] == [
        "missed", "wrong label", "missed", "boundaries off", "missed", "missed",
    ]  # fmt: skip


def test_what_labels_and_ids_hold_shows_as_text(open_page, tmp_path):
    rows = [(i, i + 0.9, label, 0.5) for i, label in enumerate(HOSTILE)]
    found = segments(rows, "label", "score")
    hostile = prediction(
        tmp_path / 'v"onerror=alert(4) x=".webm',
        video="</title><script>alert(5)</script>",
        model="<img src=x onerror=alert(6)>",
        detections=found,
        duration=20.0,
        truth=found[["start", "end", "label"]],
        names={"=cmd": "<b>bold</b>"},
    )
    write_timeline(hostile, tmp_path / "t.html")
    opened = open_page(tmp_path / "t.html")
    page = opened.page
    set_threshold(opened, 0)
    page.wait_for_function("() => document.querySelector('video').hidden")
    assert page.title() == hostile.video
    texts = page.locator("#class-list bdi").evaluate_all(
        "(nodes) => nodes.map((n) => n.textContent)"
    )
    assert sorted(texts) == sorted(hostile.name_of(label) for label in HOSTILE)
    assert page.locator("img, iframe, object, embed, b").count() == 0
    assert page.locator("script").count() == 2
    assert bars(opened) == len(HOSTILE)
    assert [c for c in opened.complaints if "ERR_FILE_NOT_FOUND" not in c and "failed: file:" not in c] == []  # fmt: skip
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("name", ["plain", "truth"])
@pytest.mark.parametrize("width", [320, 360, 700, 1000])
def test_it_fits_a_phone_and_the_timeline_scrolls(open_page, folder, name, width):
    opened = open_page(folder / f"{name}.html", viewport={"width": width, "height": 700})
    page = opened.page
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    if width <= 360:
        scrolls = "() => { const s = document.querySelector('#scroll'); return s.scrollWidth > s.clientWidth }"
        assert page.evaluate(scrolls)
        page.locator("#found .bar").last.focus()
        page.keyboard.press("Enter")
        assert page.evaluate("() => document.querySelector('#scroll').scrollLeft") > 0


def background(page):
    return page.evaluate("() => getComputedStyle(document.body).backgroundColor")


LIGHT, DARK = "rgb(255, 255, 255)", "rgb(21, 23, 27)"


def test_light_and_dark_follow_the_system_until_the_switch_is_pressed(open_page, folder):
    page = open_page(folder / "plain.html", color_scheme="dark").page
    assert background(page) == DARK
    page.emulate_media(color_scheme="light")
    assert background(page) == LIGHT
    assert page.locator(".theme [aria-pressed=true]").inner_text() == "light"
    page.locator(".theme").get_by_text("dark").click()
    assert background(page) == DARK
    page.reload()
    assert background(page) == DARK
    page.locator(".theme").get_by_text("light").click()
    page.emulate_media(color_scheme="dark")
    assert background(page) == LIGHT


def test_it_works_where_nothing_may_be_kept(open_page, folder, tmp_path):
    outer = tmp_path / "outer.html"
    outer.write_text(f'<iframe sandbox="allow-scripts" src="{(folder / "plain.html").as_uri()}">')
    opened = open_page(outer)
    frame = opened.page.frames[1]
    frame.locator(".theme").get_by_text("dark").click()
    assert frame.evaluate("() => getComputedStyle(document.body).backgroundColor") == DARK
    assert not [one for one in opened.complaints if one.startswith("script")]


def test_print_is_one_column_without_controls(open_page, folder):
    page = open_page(folder / "truth.html", color_scheme="dark").page
    page.locator("#zoom-in").click()
    page.emulate_media(media="print")
    assert background(page) == LIGHT
    for hidden in ("video", "#search", ".theme", "#threshold", ".keys"):
        assert page.locator(hidden).is_hidden()
    lefts = page.evaluate("""() => ['.classes', '.tracks', '.rows']
        .map((name) => document.querySelector(name).getBoundingClientRect().left)""")
    assert len(set(lefts)) == 1
    tops = page.evaluate("""() => ['.controls', '.tracks', '.classes', '.rows']
        .map((name) => document.querySelector(name).getBoundingClientRect().top)""")
    assert tops == sorted(tops)  # what was found first
    assert page.locator("#class-list li:visible").count() == 3  # one of the truth alone, too
    width = "Number(document.querySelector('#tracks').getAttribute('width'))"
    page.wait_for_function(f"() => {width} <= 600")
    page.emulate_media(media="screen")
    page.wait_for_function(f"() => {width} > 600")


def test_without_its_video_the_page_works_and_says_so_once(open_page, tmp_path):
    write_timeline(prediction(tmp_path / "gone.webm"), tmp_path / "t.html")
    opened = open_page(tmp_path / "t.html")
    page = opened.page
    page.wait_for_function("() => document.querySelector('video').hidden")
    assert page.get_by_text("The video is missing").count() == 1
    assert "gone.webm" in page.locator("#no-video").inner_text()
    page.locator("#found .bar").first.click(position={"x": 3, "y": 5})
    assert page.locator("#now").inner_text() == "0:01.00 of 0:08"
    page.keyboard.press("ArrowRight")
    assert page.locator("#now").inner_text() == "0:01.20 of 0:08"
    page.keyboard.press("Space")
    assert not [one for one in opened.complaints if one.startswith(("script", "dialog"))]


def plays(opened):
    opened.page.wait_for_function(
        "() => document.querySelector('video').readyState >= 2 && !document.querySelector('video').hidden"
    )


def test_bars_go_with_pictures_that_begin_late(open_page, tmp_path):
    """A browser's time begins with the file's clock, or its sound; the model's with the pictures."""
    film = small_video(tmp_path / "late.webm", late=1.0)
    write_timeline(prediction(film), tmp_path / "t.html")
    opened = open_page(tmp_path / "t.html")
    plays(opened)
    bar = opened.page.locator("#found .bar[aria-label^='pour']").first
    bar.focus()
    opened.page.keyboard.press("n")
    seeked(opened, 1.0 + 1.0)
    assert opened.page.locator("#now").inner_text() == "0:01.00 of 0:08"
    assert bar.evaluate("(bar) => bar.classList.contains('picked')")
    opened.page.keyboard.press("Enter")
    opened.page.wait_for_function("() => !document.querySelector('video').paused")
    opened.page.wait_for_function("() => document.querySelector('video').paused")
    assert 3.0 <= video_time(opened) < 3.4  # its end is at 2.0
    opened.page.evaluate("() => { document.querySelector('video').currentTime = 0.2 }")
    opened.page.wait_for_function("() => document.querySelector('#now').innerText.startsWith('0:00.00')")  # fmt: skip


def test_a_video_that_was_moved_beside_its_page_is_found(open_page, tmp_path):
    (tmp_path / "page").mkdir()
    write_timeline(prediction(tmp_path / "videos" / "a #1.webm"), tmp_path / "page" / "t.html")
    small_video(tmp_path / "page" / "a #1.webm")
    opened = open_page(tmp_path / "page" / "t.html")
    plays(opened)
    assert opened.page.locator("#no-video").is_hidden()


def test_the_reader_chooses_a_copy_where_there_is_no_video(open_page, tmp_path):
    copy, broken = small_video(tmp_path / "copy.webm"), tmp_path / "broken.webm"
    broken.write_bytes(b"no video")
    write_timeline(prediction(tmp_path / "gone.avi"), tmp_path / "t.html")
    opened = open_page(tmp_path / "t.html")
    page = opened.page
    page.wait_for_function("() => document.querySelector('video').hidden")
    page.locator("#found .bar").nth(1).click(position={"x": 3, "y": 5})
    assert page.locator("#no-video").is_visible()
    page.get_by_label("Show the video from").set_input_files(broken)
    page.wait_for_function("() => document.querySelector('video').hidden")
    page.get_by_label("Show the video from").set_input_files(copy)
    plays(opened)
    seeked(opened, 3.0)
    assert page.locator("#no-video").is_hidden()
    assert not [one for one in opened.complaints if one.startswith("script") or "Policy" in one]


def test_a_video_of_one_position(open_page, tmp_path):
    (tmp_path / "frames").mkdir()
    one = segments([(0, 0.3, "jump", 0.05418), (0, 0.3, "run", 0.05403)], "label", "score")
    curves = Curves(np.array([0.05]), np.array([0.7]), np.array([0.2]))
    fields = {"detections": one, "proposals": one.drop(columns="label"), "curves": curves}
    write_timeline(prediction(tmp_path / "frames", duration=0.1, **fields), tmp_path / "t.html")
    opened = open_page(tmp_path / "t.html")
    page = opened.page
    assert page.locator("#length").inner_text() == "0:00.10"
    assert page.locator(".curve.start").bounding_box()["width"] > 500
    set_threshold(opened, 0)
    cells = page.locator("#table tbody td:first-child").all_inner_texts()
    assert cells == ["0.0542", "0.0540"]


def test_classes_with_nothing_shown_are_quiet(plain):
    quiet = plain.page.locator("#class-list li.nothing")
    assert quiet.locator("bdi").all_inner_texts() == ["cut"]
    plain.page.emulate_media(media="print")
    assert quiet.is_hidden()
    set_threshold(plain, 0)
    assert quiet.count() == 0


def test_a_folder_of_frames_opens_without_a_complaint(open_page, tmp_path):
    (tmp_path / "frames").mkdir()
    write_timeline(prediction(tmp_path / "frames"), tmp_path / "t.html")
    opened = open_page(tmp_path / "t.html")
    opened.page.locator("#found .bar").nth(1).click()
    opened.page.keyboard.press("Space")
    assert opened.page.locator("#now").inner_text() == "0:03.00 of 0:08"
    assert opened.complaints == []


def test_parts_that_did_not_decode_are_crossed_out(open_page, tmp_path):
    (tmp_path / "frames").mkdir()
    hurt = prediction(tmp_path / "frames", damaged=((1.0, 2.5), (4.0, 4.25)))
    write_timeline(hurt, tmp_path / "t.html")
    opened = open_page(tmp_path / "t.html")
    assert "2 parts of the video did not decode (1.8 s" in " ".join(
        opened.page.locator("#damaged").inner_text().split()
    )
    span = float(opened.page.locator("#tracks").get_attribute("width")) - 16
    wide = opened.page.locator("rect.damaged").first.get_attribute("width")
    assert float(wide) == pytest.approx(1.5 / 8 * span)
    assert opened.complaints == []


def test_nothing_found_opens_without_a_complaint(open_page, tmp_path):
    (tmp_path / "frames").mkdir()
    none = {"detections": segments([], "label", "score"), "proposals": segments([], "score")}
    write_timeline(prediction(tmp_path / "frames", **none), tmp_path / "t.html")
    opened = open_page(tmp_path / "t.html")
    opened.page.keyboard.press("n")
    assert bars(opened) == 0 and opened.page.locator("#threshold").is_disabled()
    assert opened.complaints == []


def test_ten_thousand_detections_stay_quick(open_page, tmp_path):
    (tmp_path / "frames").mkdir()
    fields = many(10000, seconds=10800, classes=200, positions=100000)
    write_timeline(prediction(tmp_path / "frames", **fields), tmp_path / "t.html")
    begun = time.monotonic()
    opened = open_page(tmp_path / "t.html")
    opened.frame()
    opened_in = time.monotonic() - begun
    begun = time.monotonic()
    set_threshold(opened, 0)
    assert bars(opened) == 2000
    changed_in = time.monotonic() - begun
    assert opened_in < 8 and changed_in < 5  # on a busy machine; alone 1 s and 0.3 s
    before = float(opened.page.locator("#tracks").get_attribute("width"))
    opened.page.keyboard.press("Escape")  # out of the field
    for _ in range(3):
        opened.page.keyboard.press("+")
    assert float(opened.page.locator("#tracks").get_attribute("width")) == 8 * before
    assert opened.page.locator("#table tbody tr").count() == 100
    opened.page.locator("#more").click()
    assert opened.page.locator("#table tbody tr").count() == 2000
    assert opened.complaints == []


def test_another_s_script_does_not_run_in_the_page(open_page, folder, tmp_path):
    """What a label cannot do, someone who edits the file cannot do in passing either: the policy stands."""
    text = (folder / "plain.html").read_text()
    (tmp_path / "t.html").write_text(
        text.replace("<main>", "<script>window.ran = 1</script><main>")
    )
    opened = open_page(tmp_path / "t.html")
    assert opened.page.evaluate("() => window.ran") is None
    assert any("Content Security Policy" in one for one in opened.complaints)
