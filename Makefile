# `make bench` and `make test` need Python 3.10 or newer and nothing else: they make .venv and install into it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: bench test test-slow test-cuda lint race race-accuracy race-noise race-memory race-report race-history nights variant-distances clean help

bench: $(INSTALLED) ## count, measure and judge every architecture of the seeds on this machine's processor
	$(BIN)/pytest --archbench --device=cpu

test: $(INSTALLED) ## the project's own tests
	$(BIN)/pytest -ra -n auto

test-slow: $(INSTALLED) ## the tests that take minutes: both whole registries, long runs
	$(BIN)/pytest -ra -m slow

test-cuda: $(INSTALLED) ## the tests that need an NVIDIA GPU
	$(BIN)/pytest -ra -m cuda

lint: $(INSTALLED) ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

race: $(INSTALLED) $(VENV)/.raced ## counting against fvcore, ptflops, thop, torchinfo, calflops, torchprofile and torch; accuracy
	$(BIN)/python tools/race_counting.py
	$(BIN)/python tools/race_accuracy.py

race-accuracy: $(INSTALLED) ## images evaluated a second, against the loop of timm's validation
	$(BIN)/python tools/race_accuracy.py

race-noise: $(INSTALLED) ## false alarms, detection and smallest detectable change of our verdicts and of others; 40 minutes
	$(BIN)/python tools/race_noise.py

race-memory: $(INSTALLED) ## peak host memory: how well it repeats, and against torch's profiler
	$(BIN)/python tools/race_memory.py

variant-distances: $(INSTALLED) ## how far float16, bfloat16 and channels-last are off float32, for every packaged network
	$(BIN)/python tools/variant_distances.py

race-history: $(INSTALLED) ## a year of 1,400 networks: the form it is kept in, judged and published; 10 minutes
	$(BIN)/python tools/race_store.py
	$(BIN)/python tools/race_history.py

nights: $(INSTALLED) ## planted steps and drift in thirty simulated nights: what is found when, and how often nothing was there; 20 minutes
	$(BIN)/python tools/simulate_nights.py

race-report: $(INSTALLED) ## how long the report of a large run takes, and how large its page is
	$(BIN)/python tools/race_report.py

$(INSTALLED): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

$(VENV)/.raced: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[race]'
	touch $@

clean: ## remove the environment and what runs leave behind
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
