"""The browser of the tests of pictures."""

from helpers.browser import browser, open_page  # noqa: F401
