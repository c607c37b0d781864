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
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
    "configuration_keys",  # docs/_ext
]
exclude_patterns: list[str] = []
nitpicky = False

# Markdown
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4  # links to headings, as GitHub has them
copybutton_prompt_text = "$ "
suppress_warnings = ["misc.highlighting_failure"]

# Docstrings: `code` in single backticks, types once, in the signature
default_role = "code"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": False}

html_theme = "pydata_sphinx_theme"
html_title = "tada-loc"
html_static_path = ["_static"]
html_show_sourcelink = False
html_theme_options = {
    "show_nav_level": 1,
    "navigation_with_keys": True,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
