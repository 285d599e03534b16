# Everything one does with this project. `make demo` and `make test` need python3, make and git, and nothing else; tests of
# real services need what builds them as well (`make engines` says what), and are skipped, loudly, without it.

ARGS ?=
BIN := .venv/bin
RUN := $(BIN)/python
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
ifndef PYTHON
PYTHON := $(shell for p in python3 python3.11 python3.12 python3.13; do \
	if $$p -c '$(SUPPORTED)' 2>/dev/null; then echo $$p; break; fi; done)
endif
MAKEFLAGS += --no-print-directory
COVERAGE_GATE := 90

##@ Use

.PHONY: help
help: ## Show what there is
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo

.PHONY: setup
setup: ## Make or update the environment in .venv (quick when nothing changed)
	@test -n "$(PYTHON)" || { echo "gridproof needs Python 3.11 to 3.13; install one, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m tools.environment --quiet

.PHONY: demo
demo: setup ## See a community's day; pass options as ARGS="--households 20"; on validators: NET=4
ifdef NET
	@$(RUN) -m tools.engines cometbft > /dev/null
endif
	@$(BIN)/gridproof demo $(if $(NET),--net $(NET)) $(ARGS)

##@ Work

.PHONY: check
check: gates unit ## Quick gates and unit tests

.PHONY: test
test: gates docs versions engines ## All gates, all tests on all Pythons here, coverage
	@echo "== all tests, with branch coverage (gate $(COVERAGE_GATE) %)"
	@mkdir -p build && data=$$(mktemp -d "$(CURDIR)/build/coverage.XXXXXX") && trap 'rm -rf "$$data"' EXIT && mkdir "$$data/whole" && \
	COVERAGE_FILE="$$data/.coverage" $(RUN) -m coverage run -m pytest -q -n auto --maxprocesses=8 --dist=loadscope tests && \
	mv "$$data"/.coverage.*.H*h "$$data/whole" && \
	COVERAGE_FILE="$$data/whole/.coverage" $(RUN) -m coverage report --fail-under=$(COVERAGE_GATE)
# A data file that was written to its end has a hash in its name; what tests kill leaves others behind, torn ones too.

.PHONY: engines
engines: setup ## Have the real services ready that tests talk to (some minutes, once)
	@echo "== engines"
	@$(RUN) -m tools.engines --for-tests

.PHONY: gates
gates: format-check lint layers determinism docstrings hygiene licences schemas-check protos-check types ## All gates without tests

.PHONY: format
format: setup ## Format the code
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix .

.PHONY: format-check
format-check: setup
	@echo "== format"
	@$(BIN)/ruff format --check -q .

.PHONY: lint
lint: setup ## Lint
	@echo "== lint"
	@$(BIN)/ruff check -q .

.PHONY: types
types: setup ## Check types, strictly
	@echo "== types"
	@$(BIN)/mypy

.PHONY: layers
layers: setup ## Check that layers import downwards only
	@echo "== layers"
	@$(BIN)/lint-imports --no-logo

.PHONY: determinism
determinism: setup ## Check that nothing below the drivers can differ between machines
	@echo "== determinism"
	@$(RUN) -m tools.determinism

.PHONY: docstrings
docstrings: setup ## Check that public code says what it does and raises
	@echo "== docstrings"
	@$(RUN) -m tools.docstrings

.PHONY: hygiene
hygiene: setup
	@echo "== hygiene"
	@$(RUN) -m tools.hygiene

.PHONY: licences
licences: setup
	@echo "== licences"
	@$(RUN) -m tools.licences

.PHONY: schemas
schemas: setup ## Write the schemas of published documents anew
	@$(RUN) -m tools.schemas

.PHONY: schemas-check
schemas-check: setup
	@echo "== schemas"
	@$(RUN) -m tools.schemas --check

.PHONY: protos
protos: setup ## Compile the .proto files anew
	@$(RUN) -m tools.protos

.PHONY: protos-check
protos-check: setup
	@$(RUN) -m tools.protos --check

.PHONY: unit
unit: setup ## Unit tests
	@echo "== unit tests"
	@$(RUN) -m pytest -q -n auto --maxprocesses=8 tests/unit

.PHONY: versions
versions: setup ## Unit tests on each other Python 3.11 to 3.13 of this machine
	@$(RUN) -m tools.versions

.PHONY: bench
bench: setup ## Measure, and write docs/benchmarks.md anew (a quarter of an hour)
	@$(RUN) -m tests.bench --write-docs $(ARGS)

.PHONY: faults
faults: setup engines ## Break networks of real nodes and write a report (hours; ARGS="--row chaos --times 5")
	@$(RUN) -m tests.faults $(ARGS)

.PHONY: docs
docs: setup ## Build the documentation, warnings are errors
	@echo "== docs"
	@$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "docs: docs/_build/html/index.html"

.PHONY: lock
lock: setup ## Resolve the dependencies anew into requirements/
	@$(RUN) -m tools.lock $(ARGS)

.PHONY: clean
clean: ## Remove what make wrote, the environment too
	@rm -rf .venv .venv.lock build dist demo docs/_build htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
