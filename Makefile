# `make ask Q="..."`, `make test`, and `make bench`, which measures speed. Each makes what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
Q ?= What was Scale AI's last valuation?
export Q

.PHONY: ask test bench install clean

ask: $(VENV)/installed .whosays/index.sqlite
	@$(BIN)/whosays ask "$$Q"

test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

bench: $(VENV)/installed-dev
	$(BIN)/python tests/benchmarks/bench.py --write

install: $(VENV)/installed

.whosays/index.sqlite: $(VENV)/installed $(wildcard seeds/*)
	$(BIN)/whosays index seeds

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing Whosays into $(VENV) (once, a few minutes)"
	$(PIP) install --constraint constraints.txt --editable ".[documents]"
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) install --constraint constraints.txt --editable ".[documents,dev]"
	@touch $@

clean:
	rm -rf $(VENV) .whosays
