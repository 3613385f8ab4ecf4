# `make demo` and `make test` are all the set-up there is: both build .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

# benchmarks/colour_match.py compares qualities, not times: half an hour, run it by itself.
TIMINGS := benchmarks/face_tracking.py benchmarks/swap_training.py benchmarks/actors_speed.py benchmarks/watermark_speed.py

.PHONY: demo test test-slow lint format bench clean

demo: $(INSTALLED)
	$(BIN)/likeness demo -o demo

test: $(INSTALLED)
	$(BIN)/python -m pytest

test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -m slow

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)
	for script in $(TIMINGS); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) demo dist .pytest_cache .mypy_cache .ruff_cache
