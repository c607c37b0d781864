"""The pages of the reference: every key has its place in one, and they say what the program says."""

from __future__ import annotations

import re

import pytest
from helpers.paths import ROOT

from pipeline.configuration.keys import known_keys
from pipeline.configuration.sections.base import PAPERS
from pipeline.configuration.settings import Config
from pipeline.tools.config.explaining import explain, first_sentence
from pipeline.tools.config.facts import facts_of
from pipeline.tools.config.pages import anchor, section_page, with_keys

FOLDER = ROOT / "docs/reference/configuration"
PAGES = {path.stem: with_keys(path.read_text()) for path in FOLDER.glob("*.md")}


def test_each_section_has_a_page_and_the_index_names_it():
    assert set(PAGES) == {"index", *Config.model_fields}
    index = (FOLDER / "index.md").read_text()
    listed = re.search(r"```{toctree}\n(?::.*\n)*\n(.*?)```", index, re.DOTALL)[1].split()
    assert listed == list(Config.model_fields)
    for name in Config.model_fields:
        assert f"[`{name}`]({name}.md)" in PAGES["index"]
    for paper in PAPERS.values():
        assert paper in PAGES["index"]


@pytest.mark.parametrize("name", Config.model_fields)
def test_a_page_says_first_what_it_is_for_and_where_else_the_keys_are(name):
    title, _, first, *_ = (FOLDER / f"{name}.md").read_text().splitlines()
    assert title.startswith(f"# {name}: ")
    assert first.startswith(f"This page explains every key of the section `{name}`: ")
    assert f"tada-loc config --explain {name}" in PAGES[name]


def test_every_key_has_one_place():
    anchors = [found for text in PAGES.values() for found in re.findall(r"^\((.*)\)=$", text, re.M)]
    assert sorted(anchors) == sorted(map(anchor, known_keys()))
    for key in known_keys():
        page = PAGES[key.split(".")[0]]
        assert f"({anchor(key)})=\n## `{key}`\n" in page
        facts = facts_of(key)
        for text in (facts.kind, facts.unit, facts.default):
            assert text in page


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_left_to_be_written_and_links_lead_somewhere(name):
    page = PAGES[name]
    assert "<!-- keys" not in page and "<!-- sections" not in page and "<!-- papers" not in page
    for target, place in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page):
        if target.startswith("http"):
            continue
        assert not target or (FOLDER / target).exists(), target
        assert target or f"({place})=" in page, place


def test_a_page_that_asks_for_nothing_stays_as_it_is():
    text = "# A page\n\nwith text, `<!-- keys: bmn -->` in a sentence.\n"
    assert with_keys(text) == text
    with pytest.raises(KeyError):
        with_keys("<!-- keys: nothing -->")


def test_stars_and_names_of_documents_are_written_for_markdown():
    assert "tIoU \\*\\* 2 / `sigma`" in section_page("detections")
    assert "[](../../how-to/boundaries.md)" in section_page("bmn")


@pytest.mark.parametrize("key", known_keys())
def test_the_terminal_and_the_page_say_the_same(key):
    facts, said = facts_of(key), " ".join(explain(key).split())
    for text in (facts.description, facts.why, facts.kind, facts.unit, facts.default, facts.former):
        assert " ".join(text.split()) in said
    assert all(len(line) <= 100 for line in explain(key).splitlines())


def test_a_section_lists_its_keys():
    said = explain("finetune.augment")
    assert "finetune.augment.mixup" in said and "finetune.epochs" not in said
    assert explain("finetune.recompute").startswith(
        "finetune.recompute is now finetune.activation_checkpointing."
    )
    assert first_sentence("One; two. Three.") == "One; two." and first_sentence("One.") == "One."
