# Pressroom, from a fresh clone to a running stack. `make` alone lists what there is.

VENV ?= .venv
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && exit; \
	done; echo python3)

BIN := $(VENV)/bin
PY := $(BIN)/python
RUNS := $(VENV)/.installed-local
DEVELOPS := $(VENV)/.installed-dev
# Files of tests that run at once, those with whole stacks first: what they leave idle at their end,
# the others use.
AT_ONCE := 5
ALONE := $(shell grep -rl --include='test_*.py' 'mark\.alone' tests)
TOGETHER := --dist loadfile --no-loadscope-reorder -m "not alone"
# What both `make check` and `make test` run. With ONCE=1, as in CI, the second leaves it to the
# first.
FAST_TESTS := tests/repository tests/unit
STEP_TESTS := tests/integration/shared tests/integration/worker tests/contract

# Where `make bench` installs what it measures Pressroom beside, and writes its results.
BENCH := .bench
QUEUES := $(BENCH)/venv/.installed
RESULTS ?= $(BENCH)/results
BENCHES ?= tests/bench

.DEFAULT_GOAL := help
.PHONY: help demo up down test types fast-tests test-unit test-integration coverage chaos bench fuzz mutate house check lock format secrets docs screenshots

help: ## List what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNS) ## Start everything, publish a bulk of real videos to a stand-in Postiz, and stop
	@$(PY) -m local demo

up: $(RUNS) ## Run the whole stack in the foreground (data in $PRESSROOM_HOME, else .pressroom)
	@$(PY) -m local up

down: $(RUNS) ## Stop the stack that `make up` runs
	@$(PY) -m local down

check: $(DEVELOPS) ## Lint, types, the repository's own rules and unit tests: before each commit
	@echo "lint"; $(BIN)/ruff check . && $(BIN)/ruff format --check .
	@echo "types, and beside them the repository's own rules and unit tests"
	@$(MAKE) --no-print-directory -j 2 types fast-tests

types: $(DEVELOPS)
	@$(BIN)/mypy

fast-tests: $(DEVELOPS)
	@$(PY) -m pytest -q -n 2 $(FAST_TESTS)

ifdef T
test: $(DEVELOPS)
	@$(PY) -m pytest $(T)
else
test: $(DEVELOPS) ## The whole test suite, with real Valkey and PostgreSQL (T=path: only these tests)
	@echo "all tests, with embedded servers: first what is judged to the millisecond, with nothing beside"
	@$(PY) -m pytest -m alone $(ALONE)
	@echo "then all others, $(AT_ONCE) files at a time; the slowest are listed at the end"
	@$(PY) -m pytest -n $(AT_ONCE) $(TOGETHER) --durations=15 \
		tests/chaos tests/stack tests/attacks tests/browser tests/model \
		tests/integration/cli tests/integration/local tests/integration/web \
		$(STEP_TESTS) $(if $(ONCE),,$(FAST_TESTS))
endif

coverage: $(DEVELOPS) ## Print which lines of the rules and the workers no test runs; fails below 90 %
	@$(PY) -m pytest -q -n $(AT_ONCE) $(TOGETHER) --cov tests/unit $(STEP_TESTS)

test-unit: $(DEVELOPS) ## Only the tests that open no socket
	@$(PY) -m pytest -q -n 2 tests/unit

test-integration: $(DEVELOPS) ## Only the tests of the API and of the worker's steps, with real servers
	@$(PY) -m pytest -q -n 2 --dist loadfile tests/integration

chaos: $(DEVELOPS) ## Break everything at once for long, audit it, print the table (CHAOS="--seed 7")
	@$(PY) -m tests.chaos $(CHAOS)

bench: $(DEVELOPS) $(QUEUES) ## Measure what is promised to be fast, some 20 minutes (RESULTS=folder)
	@mkdir -p $(RESULTS); PRESSROOM_BENCH_PYTHON=$$(test -e $(QUEUES) && echo $(BENCH)/venv/bin/python) \
		PRESSROOM_BENCH_RESULTS=$(RESULTS) $(PY) -m pytest -q -m "not long" $(BENCHES); ended=$$?; \
	$(PY) -m tests.bench.report $(RESULTS) > $(RESULTS)/results.md; cat $(RESULTS)/results.md; \
	exit $$ended

fuzz: $(DEVELOPS) ## Make thousands of requests from the description of the API, right and wrong ones (long)
	@PRESSROOM_FUZZ_CASES=60 $(PY) -m pytest -q -s --timeout 7200 tests/attacks/test_schema.py

mutate: $(DEVELOPS) ## Change the rules in small ways, and print how many changes the fast tests notice (long)
	@$(PY) -m tests.mutation

house: $(DEVELOPS) ## Measure the floor plan: names, sizes, cycles, complexity
	@$(PY) -m tests.house

LOCK := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --universal --python-version 3.11 \
	--generate-hashes --quiet

lock: $(DEVELOPS) ## Write deploy/*.lock: what the image is built of, with hashes for every platform
	@$(LOCK) requirements.txt --output-file deploy/requirements.lock
	@$(LOCK) local/docs_site/requirements.txt --output-file deploy/docs.lock

docs: $(DEVELOPS) ## Build the documentation as a site, which web then shows at /docs
	@$(PY) -m local.docs_site

screenshots: $(DEVELOPS) ## Take the pictures of docs/pictures anew, with Chromium
	@$(PY) -m tests.browser.screenshots docs/pictures

format: $(DEVELOPS) ## Put the code into its format
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

secrets: ## Make the passwords and keys for docker-compose.yml, once
	@$(PYTHON) -m local.compose_secrets

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Pressroom needs Python 3.11 or newer: apt-get install python3 python3-venv," \
			"or name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
		echo "this Python cannot make environments: apt-get install python3-venv" >&2; exit 1; }
	@echo "making the Python environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(RUNS): requirements.txt local/requirements.txt | $(PY)
	@echo "installing what Pressroom runs on (once; a minute or two)"
	@$(PY) -m pip install --quiet --quiet --disable-pip-version-check -r local/requirements.txt
	@touch $@

$(DEVELOPS): requirements-dev.txt local/docs_site/requirements.txt $(RUNS)
	@echo "installing what its developers use (once)"
	@$(PY) -m pip install --quiet --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(QUEUES): tests/bench/requirements.txt | $(PY)
	@echo "installing the queues to measure beside (once)"
	@$(PY) -m venv $(BENCH)/venv
	@$(BENCH)/venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check -r $< \
		&& touch $@ || echo "they could not be installed: of queues only Celery is measured"
