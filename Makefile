# Riser's commands. `make help` lists them.
SHELL := /bin/sh
PY := .venv/bin/python
.DEFAULT_GOAL := help
# Tests start Riser's commands hundreds of times: compiled once, wherever the shell says otherwise.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup run test test-faults bench screenshots messages lint format lock

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## .venv, front-end packages, .env, database: what run and test begin with
	@sh scripts/setup.sh

run: setup ## Set everything up and run it with a demo building (PORT, MQTT_PORT, MQTT_BROKER)
	@echo "==> Loading the demo building (the first time takes about half a minute)"
	@$(PY) manage.py load_demo
	@echo "==> Starting"
	@exec $(PY) scripts/run.py

test: ## Set everything up and test it, on SQLite and on PostgreSQL
	@sh scripts/setup.sh dev
	@sh scripts/test_parts.sh
	@echo "==> Testing on SQLite"
	@$(PY) -m pytest
	@echo "==> Testing on PostgreSQL"
	@$(PY) -m tests.postgres $(PY) -m pytest

test-faults: ## The listener under real faults, on SQLite and on PostgreSQL: what was published, stored, lost
	@sh scripts/setup.sh dev
	@sh scripts/test_parts.sh
	@echo "==> Faults on SQLite"
	@$(PY) -m pytest tests/faults -m fault -n 6
	@echo "==> Faults on PostgreSQL"
	@$(PY) -m tests.postgres $(PY) -m pytest tests/faults -m fault -n 6

bench: ## Measure, against limits and peers: one table, in about half an hour
	@sh scripts/setup.sh dev
	@sh scripts/test_parts.sh
	@sh scripts/bench_peers.sh
	@for name in table drain steady growth housekeep admin_readings logins live first_visit years; do $(PY) -m benchmarks.$$name; done

screenshots: ## Render every page of the demo into screenshots/, to be looked at
	@sh scripts/setup.sh dev
	@sh scripts/test_parts.sh
	@$(PY) -m scripts.screenshots

messages: ## Bring the catalogues in locale/ up to what the code and templates say (needs gettext)
	@sh scripts/setup.sh dev
	@sh scripts/test_parts.sh
	@$(PY) -m scripts.messages

lint: ## Style, types and templates
	@sh scripts/setup.sh dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	.venv/bin/djade --target-version 5.2 --check $$(git ls-files 'templates/*.html')
	$(PY) -m mypy

format: ## Lay out Python and templates
	@sh scripts/setup.sh dev
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	.venv/bin/djade --target-version 5.2 $$(git ls-files 'templates/*.html')

lock: ## Pin the newest versions that requirements/*.in allow
	@sh scripts/setup.sh dev
	@for name in base demo production node dev peers; do \
	  .venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
	    --no-annotate --no-header --output-file requirements/$$name.txt requirements/$$name.in; done
