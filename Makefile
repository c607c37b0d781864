# Everything runs in .venv; the first target that needs it makes it.
PYTHON ?= python3
BIN = .venv/bin
PACKAGES = tada_loc pipeline feature_extraction bmn actionformer evaluation benchmarks checks

.PHONY: install demo check test test-slow test-newest test-oldest bench docs links pictures clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[test,dev,docs]"
	touch $@

demo: install
	$(BIN)/tada-loc demo

check: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python -m checks.duplicates $(PACKAGES) tests
	$(BIN)/python -m checks.words $(PACKAGES) tests deploy docs Makefile README.md CHANGELOG.md CONTRIBUTING.md
	$(BIN)/mypy

# Two processes side by side, of about the same length: most folders of the pipeline's tests and the benchmarks', and all else.
FOLDERS := tests/pipeline tests/benchmarks --ignore=tests/pipeline/processes --ignore-glob="tests/pipeline/test_*.py"
OTHERS := tests --ignore=tests/benchmarks --ignore=tests/pipeline/pages --ignore=tests/pipeline/prediction --ignore-glob="tests/pipeline/[!p]*/*"
test: install
	@$(BIN)/python -m pytest -m "not slow" $(FOLDERS) & folders=$$!; \
	trap "kill $$folders" INT; \
	$(BIN)/python -m pytest -m "not slow" $(OTHERS); others=$$?; \
	wait $$folders && exit $$others

test-slow: install
	$(BIN)/python -m pytest -m slow

# A quick part of the tests with the newest versions of everything, and with the oldest allowed.
test-newest:
	$(PYTHON) -m checks.versions newest

test-oldest:
	$(PYTHON) -m checks.versions oldest

# The site, into site/, from nothing: what was built before hides a missing page. A warning is an error: a broken link, a docstring that does not parse, a page that no other names.
docs: install
	rm -rf site build/doctrees
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --jobs auto --doctree-dir build/doctrees docs site

# Whether every address in the site answers. Needs a network.
links: install
	$(BIN)/sphinx-build --quiet -b linkcheck --doctree-dir build/doctrees docs build/links

bench: install
	$(BIN)/python -m benchmarks

# All of docs/pictures: those of pages need chromium, the others a finished demo (`make demo`). Look at them before a change of the look lands.
pictures: install
	$(BIN)/python -m checks.pictures

clean:
	rm -rf .venv .venv-newest .venv-oldest runs build site *.egg-info
