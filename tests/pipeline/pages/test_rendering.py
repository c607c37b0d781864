"""Pages hold all they need, and what data holds never runs."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from helpers.timelines import prediction, with_truth
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from pipeline.pages.rendering import embedded_json, render
from pipeline.pages.timeline import timeline_page

TEMPLATES = Path(__file__).resolve().parents[3] / "pipeline" / "pages" / "templates"


@given(st.recursive(st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_embedded_json_is_the_value_and_closes_no_element(value):
    text = embedded_json(value)
    assert json.loads(text) == value
    assert text.isascii() and not set(text) & set("<>&\n")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_json_is_refused(value):
    with pytest.raises(ValueError):
        embedded_json([value])


def test_a_name_that_nobody_gives_is_an_error():
    with pytest.raises(UndefinedError):
        render("timeline.html.j2", scripts=("common.js",), data={}, title="a")


def test_the_policy_names_the_style_and_the_script_by_content_and_no_host():
    page = timeline_page(prediction(Path("v.mp4")), video_path="v.mp4")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    assert "unsafe" not in policy and "//" not in policy and "*" not in policy
    for kind, opening in (("style", "<style>"), ("script", '<script type="module">')):
        text = page.split(opening)[1].split(f"</{kind}>")[0]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_a_page_needs_nothing_from_elsewhere():
    page = timeline_page(with_truth(Path("v.mp4")), video_path="v.mp4")
    without_names = page.replace("http://www.w3.org/2000/svg", "")  # the name of SVG, not a place
    assert not re.search(
        r"https?:|//[a-z]+\.|@import|<link rel=.stylesheet|import\(", without_names
    )


def test_scripts_never_write_markup():
    for path in TEMPLATES.glob("*.js"):
        text = path.read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|</|<!--",
            text,
        ), path
    for path in TEMPLATES.glob("*.j2"):
        text = path.read_text()
        assert not re.search(r"\|\s*safe|\son\w+=|\sstyle=|javascript:", text), path
