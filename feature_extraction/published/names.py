"""Names of networks that others publish: `hf:ORG/MODEL`, `hf:FOLDER`, `torchvision:NAME`, `timm:NAME`."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple, get_args

Source = Literal["hf", "torchvision", "timm"]
SOURCES: tuple[Source, ...] = get_args(Source)
_ON_THE_HUB = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


class PublishedError(ValueError):
    """A network of others that cannot be had, or be used; the text names it and what to do."""


class Published(NamedTuple):
    """A name in its parts: where the network is from, and what it is called there."""

    source: Source
    name: str

    def __str__(self) -> str:
        return f"{self.source}:{self.name}"

    @property
    def folder(self) -> Path | None:
        """The local folder that is named, None for another name. It may not be there."""
        if self.source != "hf":
            return None
        path = Path(self.name).expanduser()
        is_path = path.is_dir() or not _ON_THE_HUB.fullmatch(self.name)
        return path if is_path else None


def parse_name(name: str) -> Published | None:
    """The parts of a name, None for a network of our own. Raises PublishedError if nothing is named."""
    source, colon, rest = name.partition(":")
    if not colon:
        return None
    if source not in SOURCES:
        raise PublishedError(
            f"{name!r}: networks of other publishers are hf:ORG/MODEL, hf:FOLDER, torchvision:NAME and timm:NAME"
        )
    if not rest.strip() or (source != "hf" and not re.fullmatch(r"[\w.-]+", rest)):
        raise PublishedError(f"{name!r}: give a name of {source} after the colon")
    return Published(source, rest)


def without_path(name: str) -> str:
    """A name without where its folder is: of `hf:/data/models/tiny` it is `hf:tiny`."""
    source, colon, rest = name.partition(":")
    if source != "hf" or not colon or _ON_THE_HUB.fullmatch(rest):
        return name
    last = rest.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return f"hf:{last.replace(':', '_') or 'model'}"


def by_content(name: str) -> str:
    """What a name says beside the content of what it names: of a model of Hugging Face's, its location alone."""
    return "hf" if name.partition(":")[0] == "hf" else name


def with_whole_path(published: Published) -> str:
    """The name, of a folder with its whole path: it stays the same from another working folder."""
    folder = published.folder
    return str(published) if folder is None else f"hf:{os.path.abspath(folder)}"


def unknown_name(published: Published, known: Iterable[str]) -> PublishedError:
    """What to say of a name that its source does not have: the nearest ones, or all of a few."""
    names = sorted(known)
    near = difflib.get_close_matches(published.name, names, n=3, cutoff=0.5)
    if near:
        said = f"did you mean {' or '.join(near)}?"
    else:
        said = f"choose one of {', '.join(names)}" if len(names) < 20 else "see timm.list_models()"
    return PublishedError(f"{str(published)!r}: {published.source} has no such network; {said}")


def needs_extra(published: Published | str, extra: str, library: str) -> PublishedError:
    """What to say where the library of a source is not installed."""
    return PublishedError(f"{published} needs {library}: pip install {library} (the extra {extra})")
