# Everything runs in .venv; the first target that needs it makes it.
PYTHON ?= python3
BIN = .venv/bin
PACKAGES = tada_loc pipeline feature_extraction bmn actionformer evaluation benchmarks checks

.PHONY: install demo check test test-slow test-newest test-oldest bench pictures clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[test,dev]"
	touch $@

demo: install
	$(BIN)/tada-loc demo

check: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python -m checks.duplicates $(PACKAGES) tests
	$(BIN)/mypy

# Two processes side by side: the pipeline's tests are half of the work.
test: install
	@$(BIN)/python -m pytest -m "not slow" tests/pipeline & pipeline=$$!; trap "kill $$pipeline" INT; \
	$(BIN)/python -m pytest -m "not slow" tests --ignore=tests/pipeline; others=$$?; \
	wait $$pipeline && exit $$others

test-slow: install
	$(BIN)/python -m pytest -m slow

# A quick part of the tests with the newest versions of everything, and with the oldest allowed.
test-newest:
	$(PYTHON) -m checks.versions newest

test-oldest:
	$(PYTHON) -m checks.versions oldest

bench: install
	$(BIN)/python -m benchmarks

# Pictures of the pages in docs/pictures, which need chromium, and of `explain`, which needs a finished demo. Look at them before a change of the look lands.
pictures: install
	$(BIN)/python -m checks.pictures
	$(BIN)/python -m checks.explained

clean:
	rm -rf .venv .venv-newest .venv-oldest runs build *.egg-info
