"""The browser of the tests of pages."""

from helpers.browser import browser, open_page  # noqa: F401
