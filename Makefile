# Everything that a fresh clone can do. Needs Python 3.11+ with venv and pip, make and git.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= .troth
export PYTHONPATH := $(CURDIR)
# Without kept bytecode every process would compile our code anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo up test check bench chaos fmt docs golden lock clean

help:  ## what there is
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

$(VENV)/.uv: bootstrap.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r bootstrap.lock
	@touch $@

$(VENV)/.core: $(VENV)/.uv requirements.lock tools/troth.sh
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements.lock
	@install -m 0755 tools/troth.sh $(BIN)/troth
	@touch $@

$(VENV)/.dev: $(VENV)/.core requirements-dev.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(VENV)/.core  ## virtual environment with locked dependencies

demo: $(VENV)/.core  ## the main job on real parts, killed and resumed; prints what happened
	@$(BIN)/troth demo $(DEMO)

up: $(VENV)/.core  ## starts everything and stays; prints the address and how to sign in
	@$(BIN)/troth up --data $(DATA) $(UP)

check: $(VENV)/.dev  ## format, lint, types, import contracts, documents, unit tests
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/basedpyright --level error
	$(BIN)/lint-imports
	$(BIN)/python -m tools.docs --check
	$(BIN)/pytest -q -n 2 tests/unit tests/test_architecture.py

test: $(VENV)/.dev  ## all tests
	$(BIN)/pytest -q -n 4 --dist loadfile

bench: $(VENV)/.dev  ## the benchmarks; QUICK=1 for a run under a minute, TRAIL=1 for the trail's
	@$(BIN)/python -m benchmarks$(if $(TRAIL),.trail $(if $(ENTRIES),--entries $(ENTRIES)),$(if $(QUICK), --quick))

chaos: $(VENV)/.dev  ## kills processes under load and checks the guarantees; QUICK=1, SEED=n
	@$(BIN)/python -m tests.chaos $(if $(QUICK),--quick) $(if $(SEED),--seed $(SEED))

fmt: $(VENV)/.dev  ## formats and mends what can be mended
	$(BIN)/ruff check -q --fix .
	$(BIN)/ruff format -q .

docs: $(VENV)/.dev  ## writes the generated documents
	$(BIN)/python -m tools.docs

golden: $(VENV)/.dev  ## writes golden files of new events
	$(BIN)/python -m tools.golden

lock: $(VENV)/.uv  ## resolves the dependencies anew
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header -q -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --group deploy -c requirements.lock --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q -o requirements-dev.lock

clean:  ## removes the environment, never data
	rm -rf $(VENV) build
