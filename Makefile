# Everything runs in .venv; the first target that needs it makes it.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: install demo test test-slow bench clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[test]"
	touch $@

demo: install
	$(BIN)/tada-loc demo

test: install
	$(BIN)/python -m pytest -m "not slow"

test-slow: install
	$(BIN)/python -m pytest -m slow

bench: install
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv runs build *.egg-info
