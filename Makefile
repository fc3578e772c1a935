# `make demo` trains and reports, `make test` tests; both install what they need into .venv.
PYTHON ?= python3
OUTPUT ?= runs

BIN := .venv/bin
PAIRS := object-extraction digit-reading event-detection
PINS := pyproject.toml $(PAIRS:%=plugins/%/pyproject.toml) constraints.txt

.PHONY: demo test lint

demo: .venv/installed
	$(BIN)/jointtask run examples/object_extraction.toml --output $(OUTPUT)

test: .venv/installed-dev
	$(BIN)/pytest

lint: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

.venv/installed: $(PINS)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt -e . $(PAIRS:%=-e plugins/%)
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]' $(PAIRS:%=-e 'plugins/%[test]')
	touch $@
