"""How Sphinx builds the site: `make docs` writes it to site/."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "tada-loc"
author = "The tada-loc authors"
copyright = "The tada-loc authors, Apache-2.0"
release = installed_version("tada-loc")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_design",
    # docs/_ext: the pages of keys and of commands, and how docstrings are read
    "configuration_keys",
    "commands",
    "docstrings",
]

# Text is as it was written: --config is no dash, "stable" no typographic quotes.
smartquotes = False

# Markdown
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4  # links to headings, as GitHub has them
suppress_warnings = ["misc.highlighting_failure"]  # Pygments does not know csv

# Docstrings: `code` in single backticks, types once, in the signature
default_role = "code"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80
autodoc_default_options = {"members": True}

html_theme = "pydata_sphinx_theme"
html_title = "tada-loc"
html_static_path = ["_static"]
html_css_files = ["tada-loc.css"]
html_show_sourcelink = False
html_show_search_summary = False  # a page from disk cannot fetch the pages that it finds
html_context = {"default_mode": "auto"}  # light or dark as the system
html_theme_options = {
    "show_nav_level": 1,
    "navigation_with_keys": True,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
