"""From a template and values to one HTML file: style and script inside, and a policy that allows nothing else to run."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from jinja2 import Environment

# No host anywhere. `file:` beside 'self': a page from disk has no origin that 'self' could mean. `blob:` for a video
# that its reader chooses, `data:` for the icon, which a browser would otherwise ask the server for.
_POLICY = (
    "default-src 'none'; script-src '{script}'{more}; style-src '{style}'; img-src data:; "
    "media-src 'self' file: blob:; base-uri 'none'; form-action 'none'"
)


def render(
    template: str,
    *,
    scripts: Sequence[str],
    data: Any,
    embedded: Mapping[str, str] | None = None,
    loads: bool = False,
    **values: Any,
) -> str:
    """A page as text: `template` and `scripts` are names of files in templates/, `data` is what the scripts draw.

    `embedded`: more JSON as `embedded_json` makes it, by the id of its element. `loads`: the scripts load others
    from beside the page; no element of the page itself can. Values are escaped where the template sets
    them; a name that a template uses and that is not given is an error.
    """
    from markupsafe import Markup

    style = _source("style.css")
    script = "".join(_source(name) for name in scripts)
    # 'strict-dynamic': what our own script asks for may run, and nothing that is in the page.
    more = " 'strict-dynamic'" if loads else ""
    policy = _POLICY.format(script=_digest(script), style=_digest(style), more=more)
    return _environment().get_template(template).render(
        **values,
        policy=policy,
        style=Markup(style),
        script=Markup(script),
        embedded={"data": Markup(embedded_json(data)), **{key: Markup(text) for key, text in (embedded or {}).items()}},
    )  # fmt: skip


def embedded_json(value: Any) -> str:
    """JSON that is safe in a script element whatever its strings contain. Raises ValueError for NaN and infinity."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))  # ASCII: U+2028 is escaped
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def address(path: str) -> str:
    """A path as a relative address: no part of a name is read as a scheme, query, fragment or host."""
    quoted = quote(os.fsencode(path))
    return "/" + quoted.lstrip("/") if quoted.startswith("/") else quoted


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("pipeline.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _source(name: str) -> str:
    """A file of templates/ that goes into pages as it is."""
    return files("pipeline.pages").joinpath("templates", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """The hash by which a policy names an inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
