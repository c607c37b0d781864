"""Addresses in a configuration: kept as they are written, and never with a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.configuration.reading import dump_config, find_config, load_config, read_config
from pipeline.configuration.sections.urls import Url, is_url, masked, place_of
from pipeline.errors import UsageError

SECRETS = [
    "s3://KEY:SECRET@bucket/videos",
    "https://KEY:SEC/RET@host/videos",
    "https://host/a.csv?token=SECRET",
    "https://host/a.csv#SECRET",
    "s3://KEY@bucket/videos",
]
REFUSED = {
    "ssh://host/a": "addresses begin with s3://",
    "zip://a.csv::s3://bucket/a.zip": "chain",
    "simplecache::s3://bucket/a": "chain",
    "s3://bucket/../other": "step up",
    "https://host/%2E%2e/etc": "step up",
    "s3:/bucket/a": "://",
    "s3://": "no address",
    "memory://a\\b": "no address",
}


def read(place: object) -> object:
    overrides = {"dataset.videos": place, "dataset.annotations": [place, "own.csv"]}
    return load_config(find_config("small"), overrides)


@pytest.mark.parametrize(
    "text",
    [
        "s3://b/in here/v",
        "hf://datasets/o/n",
        "file:///d/v",
        "abfs://c@a.dfs.core/x",
        "http://h:8000/v",
    ],
)
def test_an_address_comes_back_as_it_was(text):
    config = read(f"{text}/")
    assert config.dataset.videos == Url(text) and isinstance(config.dataset.videos, Url)
    assert config.dataset.annotations == (Url(text), Path("own.csv"))
    again = read_config(dump_config(config), Path("config.yaml"))
    assert again == config and isinstance(again.dataset.videos, Url)
    assert f"videos: {text}\n" in dump_config(config)


@pytest.mark.parametrize("text", ["C:/videos", "/data/videos", "a:b", "videos"])
def test_a_path_stays_one(text):
    assert not is_url(text) and place_of(text) == Path(text)
    assert read(text).dataset.videos == Path(text)


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_refused_and_not_repeated(text):
    with pytest.raises(UsageError, match="written down") as caught:
        read(text)
    assert "SECRET" not in caught.value.message
    assert "KEY:" not in caught.value.message


@pytest.mark.parametrize(("text", "said"), REFUSED.items())
def test_what_is_not_taken_is_refused_with_the_key(text, said):
    with pytest.raises(UsageError, match=f"^dataset.annotations = .*{said}"):
        read(text)


def test_the_cache_is_a_folder_of_this_machine():
    with pytest.raises(UsageError, match="a folder of this machine"):
        load_config(find_config("small"), {"dataset.cache": "s3://bucket/cache"})
    with pytest.raises(UsageError, match="dataset.cache_size"):
        load_config(find_config("small"), {"dataset.cache_size": 0})


def test_masked_leaves_what_is_no_secret():
    assert (
        masked("see https://u:p@host/a?b=c, or s3://x/y")
        == "see https://...@host/a?... or s3://x/y"
    )
