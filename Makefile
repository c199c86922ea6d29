# make run   set up and watch the bot trade February to April 2020
# make test  set up and run everything CI runs
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := -m pip --disable-pip-version-check install --quiet
PIP := $(BIN)/python $(INSTALL)
CLIENTS := .clients
UV_COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --upgrade --quiet

.DEFAULT_GOAL := help
.PHONY: help run test lint types imports tests test-ib-async clients clients-heavy coverage soak evidence bench cases lock fix clean

help:               ## list targets
	@grep -hE '^[a-z-]+:.*##' Makefile

run: $(VENV)/run.stamp        ## set up, replay the shipped configuration, print a summary
	$(BIN)/alvh run --config paper_config.yaml

test: lint types imports tests test-ib-async  ## set up, then style, types, floors and tests: what CI runs

lint: $(VENV)/dev.stamp       ## style
	$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: $(VENV)/dev.stamp      ## mypy strict
	$(BIN)/mypy

imports: $(VENV)/dev.stamp    ## floors and homes of libraries
	$(BIN)/lint-imports

tests: $(VENV)/dev.stamp clients  ## all tests but the slow ones
	ALVH_CLIENTS=required $(BIN)/pytest -n auto -m "not slow"

test-ib-async: $(CLIENTS)/ib_async.stamp  ## the tests that use the client library, with ib_async in its place
	$(CLIENTS)/ib_async/bin/python -m pytest -n auto -m "not slow" tests/bot/brokers \
	  tests/bot/gateway/test_*.py tests/bot/gateway/feed tests/bot/gateway/*/test_over_the_wire.py \
	  tests/bot/gateway/protocol/test_client_libraries.py \
	  tests/bot/app/test_wire_equals_in_process.py::test_the_first_days_of_the_crash

clients: $(addprefix $(CLIENTS)/,ib_async.stamp ibapi.stamp nautilus_ibapi.stamp node.stamp)  ## set up other IB clients

clients-heavy: $(CLIENTS)/thetagang.stamp  ## set up a whole bot of somebody else's

coverage: $(VENV)/dev.stamp   ## every branch of strategies/ is taken by its own tests, or it fails
	$(BIN)/pytest tests/strategies tests/golden tests/test_rules_page.py -n auto -m "not slow" \
	  --cov=strategies --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100

soak: $(VENV)/dev.stamp clients-heavy  ## hours: the slow tests, then the whole campaign of reliability
	ALVH_CLIENTS=required $(BIN)/pytest -m slow
	$(BIN)/python -m benchmarks.evidence

evidence: $(VENV)/dev.stamp   ## every figure of docs/reliability.md, some two hours on two cores
	$(BIN)/python -m benchmarks.evidence
	$(BIN)/python -m benchmarks.reliability --write

CAMPAIGNS := benchmarks/evidence.py benchmarks/mutants.py benchmarks/reliability.py
bench: $(VENV)/dev.stamp      ## benchmarks, one JSON document each
	@for script in $(filter-out $(CAMPAIGNS),$(wildcard benchmarks/*.py)); do $(BIN)/python $$script || exit 1; done

cases: $(VENV)/dev.stamp      ## run the cases of docs/cases.md again, some five minutes
	$(BIN)/python -m tests.golden.cases

fix: $(VENV)/dev.stamp        ## format and repair what can be repaired
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

lock:               ## pin every dependency by hash again
	$(UV_COMPILE) pyproject.toml --group build -o requirements.lock
	$(UV_COMPILE) pyproject.toml --group dev -o requirements-dev.lock
	$(BIN)/python tests/clients/requirements/of_ib_async.py | $(UV_COMPILE) - -o tests/clients/requirements/ib_async.lock
	echo "ibapi==9.81.1.post1" | $(UV_COMPILE) - -o tests/clients/requirements/ibapi.lock
	printf "thetagang==2.1.1\ntime-machine==3.6.0\n" | $(UV_COMPILE) - -o tests/clients/requirements/thetagang.lock
	printf "nautilus-ibapi==10.37.2\nprotobuf>=5.29,<6\n" | $(UV_COMPILE) - -o tests/clients/requirements/nautilus_ibapi.lock

clean:              ## remove the environment and every run-time file
	rm -rf $(VENV) $(CLIENTS) var

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else \
	  "alvh needs Python 3.11, 3.12 or 3.13; say which with: make PYTHON=python3.11 run")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes --only-binary :all: -r requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes --only-binary :all: -r requirements-dev.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(CLIENTS)/%.stamp: tests/clients/requirements/%.lock | $(BIN)/python
	rm -rf $(CLIENTS)/$*
	$(BIN)/python -m venv $(CLIENTS)/$*
	$(CLIENTS)/$*/bin/python $(INSTALL) --require-hashes -r $<
	$(if $(filter ib_async,$*),$(CLIENTS)/$*/bin/python $(INSTALL) --no-deps --no-build-isolation --editable .)
	@touch $@

$(CLIENTS)/node.stamp: tests/clients/package.json
	mkdir -p $(CLIENTS)/node && cp $< $(CLIENTS)/node/
	@if command -v npm >/dev/null; \
	  then cd $(CLIENTS)/node && npm install --no-package-lock --no-audit --no-fund --silent; \
	  else echo "npm is not installed: the test of @stoqey/ib will be skipped"; fi
	@touch $@
