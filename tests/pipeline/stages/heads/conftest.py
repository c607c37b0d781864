"""Features in which classes are easy to tell apart, and a finished run of ActionFormer on them."""

from __future__ import annotations

import pytest
from helpers import separable
from helpers.separable import ACTIONFORMER, take
from helpers.small_runs import tada


@pytest.fixture(scope="session")
def separate(tmp_path_factory):
    """The features and their annotations."""
    return separable.make_data(tmp_path_factory.mktemp("separable"))


@pytest.fixture(scope="session")
def former(separate, tmp_path_factory):
    """A run with imported features and ActionFormer, done whole; tests copy it."""
    run = tmp_path_factory.mktemp("runs") / "former"
    assert take(separate, run, *ACTIONFORMER).exit_code == 0
    result = tada("run", *separable.options(separate, run, *ACTIONFORMER))
    assert result.exit_code == 0, result.output
    return run
