"""The built site: nothing public is missing, and a browser shows it from disk, without a network."""

from __future__ import annotations

import html
import importlib
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from helpers.paths import ROOT, code_paths

from pipeline.cli import commands
from pipeline.cli.commands import main

PACKAGES = ("tada_loc", "feature_extraction", "bmn", "actionformer", "evaluation")
COMMANDS = ROOT / "docs" / "reference" / "commands"
# A heading, and what sphinx-click shows under it: the command, and its name there.
SHOWN = re.compile(
    r"^## tada-loc (.*)\n\n```\{eval-rst\}\n\.\. click:: pipeline\.cli\.commands:(.*)\n   :prog: tada-loc (.*)\n```$",
    re.MULTILINE,
)
FACTS = ("default", "range")
# A page of each kind: cards, prose, tables, long code, commands, Python, another folder's file.
PAGES = (
    "index.html",
    "how-to/index.html",
    "how-to/own-data.html",
    "reference/annotations.html",
    "reference/commands/index.html",
    "reference/commands/stages.html",
    "reference/configuration/index.html",
    "reference/api/bmn.html",
    "explanation/performance.html",
    "help/contributing.html",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built as `make docs` builds it: a warning is an error."""
    pytest.importorskip("sphinx", reason="sphinx is not installed (the extra `docs`)")
    folder = tmp_path_factory.mktemp("site")
    line = [
        sys.executable,
        "-m",
        "sphinx",
        "--quiet",
        "--fail-on-warning",
        "--keep-going",
        "--jobs",
        "2",
    ]
    line += ["--doctree-dir", str(folder / "doctrees"), str(ROOT / "docs"), str(folder / "site")]
    done = subprocess.run(line, cwd=ROOT, env=code_paths(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def names(site) -> dict[str, set[str]]:
    """What the site describes, by kind (`py:function`, `std:cmdoption`, ...), as other sites link to it."""
    from sphinx.util.inventory import InventoryFile

    found = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    return {kind: set(items) for kind, items in found.data.items()}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_described(names, package):
    described = set().union(*(items for kind, items in names.items() if kind.startswith("py:")))
    public = {f"{package}.{name}" for name in importlib.import_module(package).__all__}
    assert not public - described


def test_every_option_of_every_command_is_described(names):
    for name, command in main.commands.items():
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                for word in option.opts:
                    assert f"tada-loc-{name}.{word}" in names["std:cmdoption"]


def test_an_option_says_what_it_takes_and_its_default(site):
    text = "".join(path.read_text() for path in (site / "reference/commands").glob("*.html"))
    described = re.findall(
        r'<dt class="[^"]*" id="cmdoption-([^"]*)">(.*?)</dt>\s*<dd>(.*?)</dd>', text, re.DOTALL
    )
    seen = {name: (_words(_read(head)), _words(_read(body))) for name, head, body in described}
    for name, command in main.commands.items():
        context = click.Context(command)
        for option in command.params:
            if not isinstance(option, click.Option) or option.hidden:
                continue
            head, body = seen[f"tada-loc-{name}-{option.opts[0].lstrip('-')}"]
            takes = "" if option.is_flag else option.make_metavar(context)
            facts = option.get_help_extra(context)
            said = [
                option.help,
                *(f"{fact.title()}: {facts[fact]}" for fact in FACTS if fact in facts),
            ]
            assert head.endswith(_words(takes)), (name, option.name)
            assert body.startswith(_words(". ".join(said))), (name, option.name)
            assert ("Required" in body.split()) == option.required, (name, option.name)
            assert ("epeatable" in body) == option.multiple, (name, option.name)


def _read(page: str) -> str:
    """HTML as it is read."""
    return html.unescape(re.sub(r"<[^>]*>", "", page))


def _words(text: str) -> str:
    """Without signs, which typography changes; those of ranges stay."""
    return " ".join(re.findall(r"[\w<>=]+", text))


def _attribute(name: str) -> str:
    """What pipeline.cli.commands calls a command."""
    found = [key for key, value in vars(commands).items() if value is main.commands[name]]
    return found[0]


def test_every_command_has_a_heading_on_the_page_of_its_section():
    pages = {
        path.read_text().split("\n")[0].removeprefix("# "): path for path in COMMANDS.glob("*.md")
    }
    assert set(main.sections) == set(pages) - {"Commands"}
    index = (COMMANDS / "index.md").read_text()
    for title, names in main.sections.items():
        assert SHOWN.findall(pages[title].read_text()) == [
            (name, _attribute(name), name) for name in names
        ]
        for name in names:
            assert f"[`{name}`]({pages[title].name}#tada-loc-{name})" in index
    assert sum(main.sections.values(), []) == list(main.commands)


def test_an_example_is_a_block_that_can_be_copied(site):
    text = "".join(path.read_text() for path in (site / "reference/commands").glob("*.html"))
    blocks = re.findall(r'<div class="highlight-sh .*?<pre>(.*?)</pre>', text, re.DOTALL)
    lines = {line for block in blocks for line in _read(block).splitlines()}
    for command in main.commands.values():
        examples = re.findall(r"Example: (.*)", command.help or "")
        assert examples and set(examples) <= lines


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_from_disk_without_a_complaint(site, open_page, page):
    opened = open_page(site / page)
    opened.page.wait_for_load_state("networkidle")
    assert not opened.complaints
    assert all(request.startswith(site.as_uri()) for request in opened.requests)
    blocks = opened.page.locator("article div.highlight").count()
    assert opened.page.locator("article div.highlight button.copybtn").count() == blocks


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_light_or_dark_as_the_system_and_fits_a_phone(site, open_page, scheme):
    viewport = {"width": 360, "height": 700}
    opened = open_page(site / PAGES[0], color_scheme=scheme, viewport=viewport)
    for page in PAGES:
        opened.page.goto((site / page).as_uri())
        assert opened.page.evaluate("document.documentElement.dataset.theme") == scheme
        red = opened.page.evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0]"
        )
        assert (int(red) > 128) == (scheme == "light"), page
        width = opened.page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"], f"{page} scrolls sideways: {width} pixels"
    assert not opened.complaints


def test_a_search_finds_the_page(site, open_page):
    opened = open_page(site / "index.html")
    for words, page in [
        ("finetune.proxies", "reference/commands/stages.html"),
        ("soft_nms", "reference/api/bmn.html"),
        ("bmn.window_step", "reference/configuration/bmn.html"),
        ("export-features", "reference/commands/data.html"),
    ]:
        opened.page.goto(f"{(site / 'search.html').as_uri()}?q={words}")
        # results come one after another: this one has to be among them
        opened.page.wait_for_selector(f'#search-results li a[href*="{page}"]', timeout=60_000)
    assert not opened.complaints
    assert all(request.startswith(site.as_uri()) for request in opened.requests)


def test_the_copy_button_copies_the_commands(site, open_page):
    opened = open_page(site / "reference/commands/machines.html")
    block = opened.page.locator("div.highlight-sh").first
    block.hover()
    block.locator("button.copybtn").click()
    opened.page.keyboard.press("Control+k")
    opened.page.locator("dialog input[type=search]").focus()
    opened.page.keyboard.press("Control+v")
    copied = opened.page.locator("dialog input[type=search]").input_value()
    assert copied == "tada-loc status --run-dir runs/hacs"
