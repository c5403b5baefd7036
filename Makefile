# Two targets do everything: `make report` and `make test`. Both need Python 3.11 or newer and a package index, nothing else.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     ?= uv
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help report test images check bench lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

report: $(VENV)/report.installed ## Measure `before` and `after` of the reference backend, write the report
	$(BIN)/harness run --no-gate

test: $(VENV)/dev.installed ## Run the tests
	$(BIN)/python -m pytest

images: $(VENV)/dev.installed ## Build the reference system's images into the Docker engine that answers, without a registry
	$(BIN)/python fixtures/reference/docker/build.py

check: $(VENV)/dev.installed ## Style, types, import directions, declared dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry harness

lock: ## Pin the dependencies anew (needs uv)
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra embedded --extra history --extra reference --group build pyproject.toml -o requirements/report.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra embedded --extra history --extra reference --extra docker --extra load --group build --group dev -c requirements/report.lock pyproject.toml \
	  -o requirements/dev.lock

clean: ## Remove the environment, caches and results (not baselines)
	rm -rf $(VENV) reports/out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/report.installed: requirements/report.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing what the report needs into $(VENV) (once, about 1 GB)"
	$(PIP) install --require-hashes -r requirements/report.lock
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/dev.installed: requirements/dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing what the tests need into $(VENV) (once, about 1.5 GB)"
	$(PIP) install --require-hashes -r requirements/dev.lock
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@
