# Two commands set everything up: `make quickstart` and `make test`.
PYTHON ?= python3.11
VENV   ?= .venv
BIN     = $(VENV)/bin
PIP     = $(BIN)/pip --disable-pip-version-check --quiet
# one thread each: tiny models are slower with two, and results do not depend on the machine's cores
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: quickstart test test-all check format schemas bench quality clean

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

# Labelled answers beside baselines, every other line of one file also by itself (a part whose misses nobody reads), real reports
# against themselves and against themselves in other words, known errors by type.
REPORTS = $(DATA)/text/iu_xray_reports/indiana_reports.csv --id uid --text findings --text impression

quality: $(VENV)/installed         ## how right the text side is; DATA=FOLDER with gold/ and text/
	mkdir -p runs/quality
	awk 'NR % 2' $(DATA)/gold/gold_dev2.jsonl > runs/quality/odd_lines.jsonl
	$(BIN)/medprefkit evaluate detection --gold $(DATA)/gold/gold_dev.jsonl --gold $(DATA)/gold/gold_dev2.jsonl \
	  --gold runs/quality/odd_lines.jsonl
	$(BIN)/medprefkit evaluate self $(REPORTS)
	$(BIN)/medprefkit evaluate self $(REPORTS) --paraphrase 0
	$(BIN)/medprefkit evaluate injected $(REPORTS) --misses runs/quality/misses.jsonl

# torch first and alone: the CPU build, where one is offered. Then everything in one resolve under the same constraints.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt torch
	$(PIP) install -c constraints.txt -e '.[scispacy,train,dev]'
	touch $@

clean:
	rm -rf $(VENV) runs build dist
