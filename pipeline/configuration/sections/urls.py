"""Addresses of files that lie in a cloud store or on a web server: `s3://bucket/folder/file.csv`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import core_schema

# Plain stores of files. Left out is what chains others (zip::, simplecache::), runs programs or asks for a shell
# (ssh, git, dask), or holds what it names (data, reference).
PROTOCOLS = ("s3", "gs", "az", "abfs", "hf", "http", "https", "file", "memory")
_BEGIN = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)(::|:/)")
_STEP_UP = re.compile(r"(\.|%2e){1,2}", re.IGNORECASE)


class Url(str):
    """The address of a file, or of a folder of files, without anything secret; `Url(text)` checks it.

    Raises ValueError that says what is wrong without the text: it may hold a password.
    """

    def __new__(cls, text: str) -> Url:
        """Take `protocol://place/path` without slashes at its end."""
        return super().__new__(cls, _checked(str(text)).rstrip("/"))

    @property
    def protocol(self) -> str:
        """What stands before `://`."""
        return self.partition("://")[0]

    @property
    def parts(self) -> tuple[str, ...]:
        """The names in it, from the protocol on."""
        return (self.protocol, *filter(None, self.partition("://")[2].split("/")))

    @property
    def name(self) -> str:
        """The last name of its path."""
        return self.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The ending of its name, "" where it has none."""
        return Path(self.name).suffix

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """One that was made already (`Place` makes it of text); text in JSON."""
        return core_schema.is_instance_schema(
            cls, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )


def is_url(text: str) -> bool:
    """Whether a text is meant as an address, and not as a path; one that is refused is, too."""
    found = _BEGIN.match(text)
    return found is not None and (len(found[1]) > 1 or "://" in text)  # C:/videos is a path


def place_of(text: str) -> Path | Url:
    """A path, or an address. Raises ValueError where it is one that is not taken."""
    return Url(text) if is_url(text) else Path(text)


def masked(text: str) -> str:
    """A text in which no address tells a password or a token."""
    text = re.sub(r"(\w:/{1,2})[^/\s'\"@]*:(?!\d+/)[^\s'\"]*@", r"\1...@", text)
    return re.sub(r"(\w:/[^\s'\"?#]*)([?#])[^\s'\"]*", r"\1\2...", text)


def _read(value: Any) -> Any:
    return Url(value) if isinstance(value, str) and is_url(value) else value


def _checked(text: str) -> str:
    protocol, found, rest = text.partition("://")
    names = rest.split("/")
    if "::" in text:
        raise ValueError("a chain of addresses (::) is not taken; name the file itself")
    if not found:
        raise ValueError("an address has :// behind its protocol: s3://bucket/folder")
    if protocol not in PROTOCOLS:
        raise ValueError(f"addresses begin with {', '.join(f'{one}://' for one in PROTOCOLS)}")
    account = "" if protocol in ("memory", "file") else names[0]
    # A port; otherwise the beginning of a password that has a slash in it.
    port = "" if account.startswith("[") else account.partition(":")[2]
    if ("@" in account and protocol not in ("az", "abfs")) or (port and not port.isdecimal()):
        raise ValueError(
            "no user and password stand in an address: it is written down; see docs/how-to/cloud.md for where they go"
        )
    if "?" in text or "#" in text:
        raise ValueError(
            "? and # are not taken: a query may hold a token, and addresses are written down; see docs/how-to/cloud.md"
        )
    if any(_STEP_UP.fullmatch(name) for name in names):
        raise ValueError("a step up or nowhere (.., .) is not taken; write the whole address")
    if not text.isprintable() or "\\" in text or not any(names):
        raise ValueError("no address of a file or of a folder")
    return text


def _no_address(value: Any) -> Any:
    if isinstance(value, str) and is_url(value):
        raise ValueError("an address, and this is a folder of this machine")
    return value


# In a configuration; in its JSON Schema both are text.
_PATH = WithJsonSchema({"type": "string", "format": "path"})
Place = Annotated[
    Url | Path, BeforeValidator(_read), WithJsonSchema({"type": "string", "format": "place"})
]
LocalFolder = Annotated[Path, BeforeValidator(_no_address), _PATH]
