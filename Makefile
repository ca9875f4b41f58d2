# Two commands set everything up: `make quickstart` and `make test`.
PYTHON ?= python3.11
VENV   ?= .venv
BIN     = $(VENV)/bin
PIP     = $(BIN)/pip --disable-pip-version-check --quiet
# one thread each: tiny models are slower with two, and results do not depend on the machine's cores
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: quickstart test test-all check format schemas bench clean

quickstart: $(VENV)/installed      ## data in; dataset, card, trained adapter and page out
	rm -rf runs/quickstart
	$(BIN)/medprefkit run recipes/quickstart.yaml --run-dir runs/quickstart

test: check                        ## lint, types and the default tests
	$(BIN)/python -m pytest -q -n auto

test-all: check                    ## also the slow tests
	$(BIN)/python -m pytest -q -n auto -m "not gpu and not network"

check: $(VENV)/installed           ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: $(VENV)/installed         ## write schemas/ from the code
	$(BIN)/python -m medprefkit.schemas

bench: $(VENV)/installed           ## every benchmark; DATA=FOLDER, with text/ and images/, for those on real input
	$(BIN)/python benchmarks/trainer.py
	$(BIN)/python benchmarks/generate.py
	$(BIN)/python benchmarks/detect.py $(addsuffix /text,$(DATA))
	$(BIN)/python benchmarks/corrupt.py $(addsuffix /images,$(DATA))

# torch first and alone: the CPU build, where one is offered. Then everything in one resolve under the same constraints.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt torch
	$(PIP) install -c constraints.txt -e '.[scispacy,train,dev]'
	touch $@

clean:
	rm -rf $(VENV) runs build dist
