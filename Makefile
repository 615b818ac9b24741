# make install    install into .venv, with all bundled systems; the commands are in .venv/bin
# make run        install, then run the default scenario (about a minute) and write its report
# make test       install, then run the tests that need nothing else, and one load run: 5 minutes
# make test-all   run the other tests that a change must pass: real runs, browser, database, servers
# make test-long  run the soaks and very large runs
# make bench      measure what a call costs, compared with other clients, and show a table
# make lint       check style, types, spelling, English, and the links of the docs
# make docs       build the documentation into site/
# make lock       renew the pinned versions for development and CI, in constraints.txt
# make goldens    renew the stored texts of commands, reports and docs: look at the difference, then commit it
PYTHON ?= python3
BIN := .venv/bin
# Without bytecode files, three hundred processes compile the same modules, which takes a minute more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install run test test-all test-long bench core servers lint docs goldens lock clean

install: .venv/.installed

run: .venv/.installed
	$(BIN)/mcp-perf run

# By the markers in pyproject.toml; each test belongs to exactly one command.
FIRST := first or not (load or browser or database or network or simulated or long)
# Benchmarks are measured separately, by `pytest tests/benchmarks`.
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal --ignore tests/benchmarks --benchmark-disable

test: core
	$(PYTEST) $(addprefix --ignore=,$(shell cat tests/core.txt)) -m "$(FIRST)"

# Only the files with such tests are read: the others have ten thousand tests.
MARKED = $(shell grep -rlE "mark\.(load|browser|database|network|simulated)\b" --include="test_*.py" --exclude-dir=benchmarks tests | sort)

test-all: .venv/.installed-test servers
	$(PYTEST) $(MARKED) -m "not long and not ($(FIRST))"

test-long: .venv/.installed-test
	$(BIN)/python -m pytest -s -m long

# The pure core, with every branch.
core: .venv/.installed-test
	$(BIN)/python -m pytest -q -n 2 --hypothesis-profile core --cov --cov-report=term @tests/core.txt

bench: .venv/.installed-test
	$(BIN)/python -m tests.benchmarks.figures

servers: .cache/servers/.installed

lint: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/python .ci/english.py
	$(MAKE) --no-print-directory docs

docs: .venv/.installed-test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

goldens: .venv/.installed-test
	RENEW_GOLDENS=1 $(BIN)/python -m pytest -q tests/goldens tests/unit/scenario/test_documentation.py
	$(BIN)/mcp-perf schema > scenarios/mcp-perf.schema.json

# The exact versions that development and CI install: renewed from the registry.
lock:
	rm -rf .cache/lock && $(PYTHON) -m venv .cache/lock
	.cache/lock/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	{ echo '# Made by `make lock`: what `make test` and CI install.'; \
	  .cache/lock/bin/python -m pip freeze --exclude-editable; } > constraints.txt

clean:
	rm -rf .venv .cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mcp-perf needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv

# The stamps avoid a second installation.
.venv/.installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[systems]'
	touch $@

.venv/.installed-test: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt --editable '.[test]'
	touch .venv/.installed $@

# Third-party servers and suites for the tests, from npm and pip.
.cache/servers/.installed: .venv/.installed-test tests/support/foreign.py
	$(BIN)/python -m tests.support.foreign
	touch $@
