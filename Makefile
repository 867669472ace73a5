# Everything that a new machine needs: Python 3.11 or later, make and a package registry.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test check format benchmark docs clean

help:            ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 18

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sarcube needs Python 3.11 or later; try: make PYTHON=python3.12")'
	@echo "Installing sarcube and all that its tests need into $(VENV): some minutes, 3 GB"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(STAMP)   ## simulate, produce and open a small cube; pictures land in ./demo
	$(BIN)/sarcube demo demo

test: $(STAMP)   ## run the test suite
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

images: $(STAMP) ## lint the container images and carry out their steps in an empty folder
	$(BIN)/python -m pytest -m images tests/docker

check: $(STAMP)  ## lint, format, types, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: $(STAMP) ## measure speed and memory; tables are in benchmarks/README.md
	$(BIN)/python benchmarks/rtc.py
	$(BIN)/python benchmarks/insar.py
	$(BIN)/python benchmarks/insar_pass.py
	$(BIN)/python benchmarks/production.py
	$(BIN)/python benchmarks/cube.py

docs: $(STAMP)   ## build the documentation into ./site
	$(BIN)/mkdocs build --strict

clean:           ## remove what the targets above made
	rm -rf $(VENV) demo site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
