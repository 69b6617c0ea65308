# The commands of the project; `make help` lists them. `make run`, `make demo` and `make test` are all that a fresh
# machine needs, and no command asks a question. ARGS= is passed to the program: `make test ARGS="-k signature"`,
# `make bench ARGS=--help`. PORT= sets the port of `make run` and `make demo`. `make test SEARCH=long` takes all examples,
# as `make check` does, and `make test SHOTS=1` saves screenshots of the pages in test-results.

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.NOTPARALLEL:

ARGS ?=
PORT ?= 8000
# Processes that run tests: twice as many as CI has cores, as tests wait as much as they work. With ARGS= there is only
# one, which starts sooner: `make test ARGS="-k signature"`.
WORKERS ?= $(if $(ARGS),0,4)
PYTHON := .venv/bin/python
# pip prints only errors, and asks no questions
PIP := $(PYTHON) -m pip --quiet --disable-pip-version-check --no-input
PACKAGES := callsite calls webhooks realtime upstream simulator lab
# File by file in the order of pytest.ini, not those with the most tests first: the longest have few.
PARALLEL = --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
NODE_TESTS = $(shell find realtime -name node_modules -prune -o -name '*.test.js' -print -o -name '*.test.mjs' -print 2>/dev/null)

# Settings for commands that need neither `.env` nor a database of their own.
OFFLINE := DJANGO_DEBUG=true DJANGO_SECRET_KEY=not-a-secret DATABASE_URL=sqlite://:memory: REDIS_URL=
PRODUCTION := DJANGO_DEBUG=false DJANGO_ALLOWED_HOSTS=callsite.example \
	CSRF_TRUSTED_ORIGINS=https://callsite.example \
	DJANGO_SECRET_KEY=only-for-this-check-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOP \
	ELEVENLABS_WEBHOOK_SECRET=wsec_0123456789abcdef0123456789abcdef \
	ELEVENLABS_TOOL_SECRET=0123456789abcdef0123456789abcdef \
	DATABASE_URL=postgres://callsite:secret@127.0.0.1:5432/callsite REDIS_URL=redis://127.0.0.1:6379/0

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: .venv/.runtime .env ## callsite on http://127.0.0.1:8000 (PORT=8000), with SQLite and a staff login
	@$(PYTHON) -m lab.stack.ports $(PORT)
	@$(PYTHON) manage.py migrate --verbosity 0
	@$(PYTHON) manage.py ensure_login --url http://127.0.0.1:$(PORT)
	@$(PYTHON) manage.py end_silent_calls --every 300 --parent $$$$ & \
		exec $(PYTHON) manage.py runserver 127.0.0.1:$(PORT) $(ARGS)

.PHONY: demo
demo: .venv/.runtime .env ## the same, and it dials calls at a stub of ElevenLabs while it runs
	@exec $(PYTHON) manage.py demo --port $(PORT) $(ARGS)

.PHONY: quick
quick: .venv/.dev ## the tests that need no server, in half a minute, on SQLite in memory
	@DATABASE_URL= REDIS_URL= $(PYTHON) -m pytest -m quick --numprocesses $(if $(ARGS),0,2) $(ARGS)

.PHONY: fmt
fmt: .venv/.dev ## put the code in order: ruff's fixes, then its format
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

# Where Python may write no bytecode, each program that a test starts compiles callsite anew.
quick test: export PYTHONDONTWRITEBYTECODE :=

.PHONY: test
test: .venv/.dev client-tests ## all tests, on a real PostgreSQL and Redis (those of DATABASE_URL and REDIS_URL, if set)
	@$(PYTHON) -m lab.stack -- $(PYTHON) $(COVERED) -m pytest $(PARALLEL) $(ARGS)

.PHONY: coverage
coverage: .venv/.dev ## the same, and which lines and branches they miss; there is a floor
	@$(PYTHON) -m coverage erase
	@$(MAKE) test COVERED="-m coverage run"
	@$(PYTHON) -m coverage combine --quiet
	@$(PYTHON) -m coverage report $(if $(ARGS),--fail-under=0)

# The browser client's tests, run by node. They are skipped with ARGS=, which is for pytest.
.PHONY: client-tests
client-tests:
	@if [ -n "$$ARGS" ]; then :; \
	elif command -v node >/dev/null; then \
		echo "node: the browser client's tests"; node --test --test-reporter=spec $(NODE_TESTS); \
	else echo "node: the browser client's tests are skipped, node is not here"; fi

.PHONY: browser
browser: .venv/.dev ## install Chromium for the browser tests, unless there is one; without it they are skipped
	@$(PYTHON) -m lab.stack.browser

.PHONY: check
check: export SEARCH := long
check: .venv/.dev ## what CI runs: lint, format, types, imports, migrations, deployment, tests, promises
	@echo "check: ruff";        $(PYTHON) -m ruff check --quiet .
	@echo "check: format";      $(PYTHON) -m ruff format --quiet --check . || { \
		echo "these are not formatted; run make fmt"; \
		$(PYTHON) -m ruff format --check .; exit 1; }
	@echo "check: types";       $(OFFLINE) $(PYTHON) -m mypy --no-error-summary $(PACKAGES)
	@echo "check: imports";     said=$$(.venv/bin/lint-imports --no-cache 2>&1) || { echo "$$said"; exit 1; }
	@echo "check: migrations";  $(OFFLINE) $(PYTHON) manage.py makemigrations --check --dry-run --verbosity 1
	@echo "check: deployment";  $(PRODUCTION) $(PYTHON) manage.py check --deploy --fail-level WARNING
	@if docker compose version >/dev/null 2>&1; then \
		echo "check: compose"; $(PRODUCTION) docker compose config --quiet; \
	else echo "check: compose file not checked, docker compose is not here"; fi
	@if command -v npm >/dev/null; then \
		echo "check: types of the browser client"; \
		npm --prefix realtime/tests/js ci --silent --no-audit --no-fund && npm --prefix realtime/tests/js run --silent check; \
	else echo "check: types of the browser client not checked, npm is not here"; fi
	@echo "check: tests";       $(MAKE) coverage
	@echo "check: promises";    $(PYTHON) -m lab.faults --short

.PHONY: faults
faults: .venv/.dev ## break real servers under load and count what is lost; minutes
	@$(PYTHON) -m lab.faults $(ARGS)

.PHONY: bench
bench: .venv/.dev .venv/.bench ## callsite beside its rivals and its limits; minutes (ARGS=--quick, ARGS=flat)
	@$(PYTHON) -m lab.bench $(ARGS)

.PHONY: clean
clean: ## remove what can be made again; .env, the database and recordings stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* \
		staticfiles build test-results
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what the commands need --------------------------------------------------------------------------------

# Both stamp files lie in .venv, so that they are deleted with it.
.venv/.runtime: requirements.txt | .venv/bin/python
	@echo "installing what callsite needs"
	@$(PIP) install -r requirements.txt
	@touch $@

.venv/.dev: requirements.txt requirements-dev.txt | .venv/bin/python
	@echo "installing what callsite and its tests need"
	@$(PIP) install -r requirements-dev.txt
	@touch .venv/.runtime $@

# The rivals have an environment of their own, so that callsite is measured with production's packages only.
.venv/.bench: requirements-bench.txt | .venv/bin/python
	@echo "installing what the benchmark's rivals need"
	@$(PYTHON) -m venv .venv/bench
	@.venv/bench/bin/python -m pip --quiet --disable-pip-version-check --no-input install -r requirements-bench.txt
	@touch $@

# Take the first Python that is new enough and can make virtual environments. 3.13 comes first: CI runs it, and every
# requirement has a wheel for it. Debian has virtual environments in a package of their own (python3-venv); without it,
# ensurepip is missing. If pyenv lacks the version that `.python-version` names, its commands on PATH refuse to start.
# So pyenv's own folders are searched too, after PATH.
.venv/bin/python:
	@pyenv=$$(pyenv root 2>/dev/null); \
	for python in python3.13 python3.12 python3 python3.14 python \
			"$$pyenv"/versions/3.13*/bin/python "$$pyenv"/versions/3.*/bin/python; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1 || continue; \
		if "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
			echo "making .venv with $$("$$python" --version)"; \
			"$$python" -m venv --clear .venv && exit 0; \
			rm -rf .venv; exit 1; \
		fi; \
		bare="$$python"; \
	done; \
	if [ -n "$$bare" ]; then \
		version=$$("$$bare" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		echo "$$bare ($$version) cannot make virtual environments." >&2; \
		echo "On Debian and Ubuntu: apt-get install python$$version-venv" >&2; \
	else \
		echo "callsite needs Python 3.12 or newer; none is on PATH, nor in pyenv." >&2; \
		echo "  Debian 13, Ubuntu 24.04 and newer: apt-get install python3 python3-venv" >&2; \
		echo "  Fedora: dnf install python3    macOS: brew install python@3.13" >&2; \
		echo "  elsewhere: https://www.python.org/downloads/ or pyenv install 3.13" >&2; \
	fi; \
	exit 1

.env: | .venv/bin/python
	@$(PYTHON) -m lab.stack.dotenv
