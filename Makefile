# make run    install, then run the default scenario (about a minute) and write its report
# make test   install, then pass the tests
# make lint   style, types
# make goldens   store anew what commands and reports say: look at the difference, then commit it
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test lint goldens clean

run: .venv/.installed
	$(BIN)/mcp-perf run

test: .venv/.installed-test
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

goldens: .venv/.installed-test
	RENEW_GOLDENS=1 $(BIN)/python -m pytest -q tests/goldens

clean:
	rm -rf .venv .cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mcp-perf needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv

# The stamps spare a second call the installation.
.venv/.installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/.installed-test: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch .venv/.installed $@
