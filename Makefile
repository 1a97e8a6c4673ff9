# `make ask Q="..."`, `make test`, `make test-long`, which kills and damages more often, and `make bench`, which
# measures speed. Each makes what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What is imported is compiled then; to compile all of it beforehand takes longer than to download it.
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check --quiet install --no-compile --constraint constraints.txt
Q ?= What was Scale AI's last valuation?
export Q

.PHONY: ask test test-long bench install clean

ask: $(VENV)/installed .whosays/index.sqlite
	@$(BIN)/whosays ask "$$Q"

test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-long: export LONG_TESTS := yes
test-long: test

bench: $(VENV)/installed-dev
	$(BIN)/python tests/benchmarks/bench.py --write

install: $(VENV)/installed

.whosays/index.sqlite: $(VENV)/installed $(wildcard seeds/*)
	$(BIN)/whosays index seeds

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing Whosays into $(VENV) (once, a few minutes)"
	$(PIP_INSTALL) --editable ".[documents]"
	@touch $@

$(VENV)/installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing Whosays and what its tests need into $(VENV) (once, a few minutes)"
	$(PIP_INSTALL) --editable ".[documents,dev]"
	@touch $(VENV)/installed $@

clean:
	rm -rf $(VENV) .whosays
