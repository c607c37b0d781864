"""A page opened in the system's Chromium, which hears every error; tests are skipped where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from checks.browser import chromium, find_chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The browser of all tests of pages."""
    executable = find_chromium()
    if executable is None:
        pytest.skip("no chromium on this machine (as root: apt-get install chromium)")
    pytest.importorskip("playwright", reason="playwright is not installed (the extra `test`)")
    with chromium(executable) as started:
        yield started


@dataclass
class Opened:
    """A page, and what it complained of: console errors, errors of scripts, failed requests, dialogs."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def frame(self) -> None:
        """Wait until what was changed is drawn."""
        self.page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )


@pytest.fixture
def open_page(browser) -> Iterator[Any]:
    """Open a file of the disk: `open_page(path, **options of the browser's context)` gives `Opened`."""
    contexts = []

    def open_file(path: Path, **options: Any) -> Opened:
        options.setdefault("viewport", {"width": 1280, "height": 900})
        context = browser.new_context(**options)
        contexts.append(context)
        opened = Opened(context.new_page())
        said = opened.complaints.append
        opened.page.on(
            "console", lambda m: said(m.text) if m.type in ("error", "warning") else None
        )
        opened.page.on("pageerror", lambda error: said(f"script: {error}"))
        opened.page.on(
            "dialog", lambda dialog: (said(f"dialog: {dialog.message}"), dialog.dismiss())
        )
        opened.page.on("requestfailed", lambda request: said(f"failed: {request.url}"))
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.set_default_timeout(120_000)  # a busy machine is no fault of the page
        opened.page.goto(path.as_uri())
        return opened

    yield open_file
    for context in contexts:
        context.close()
