# `make demo` trains and reports, `make test` tests; both install what they need into .venv.
PYTHON ?= python3
OUTPUT ?= runs

BIN := .venv/bin
PLUGINS := object-extraction digit-reading event-detection saliency-baselines
OBSERVERS := tensorboard-observer mlflow-observer
PINS := pyproject.toml $(PLUGINS:%=plugins/%/pyproject.toml) constraints.txt

.PHONY: demo docs lint test

demo: .venv/installed
	$(BIN)/jointtask run examples/object_extraction.toml --output $(OUTPUT)

test: .venv/installed-dev
	$(BIN)/pytest -n auto --dist loadfile

lint: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open build/site/index.html"

.venv/installed: $(PINS)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt -e . $(PLUGINS:%=-e plugins/%)
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]' $(PLUGINS:%=-e 'plugins/%[test]') $(OBSERVERS:%=-e 'plugins/%[test]')
	touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/pip install -q -c constraints.txt -e '.[docs]'
	touch $@
