# One-line targets; `make demo` and `make test` are all a newcomer needs.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE ?= 1

.PHONY: setup demo test test-all lint bench conformance fuzz differential wheel clean chaos

setup: $(VENV)/.ready
	@$(RUN)/python scripts/build_console.py

$(VENV)/.ready: requirements.lock pyproject.toml
	@test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup
	@$(RUN)/nearshift demo $(ARGS)

test: setup
	$(RUN)/python -m pytest $(ARGS)

lint: setup
	$(RUN)/ruff check src tests benchmarks scripts
	$(RUN)/mypy

bench: setup
	@$(RUN)/python benchmarks/run.py $(ARGS)

conformance: setup
	@$(RUN)/python scripts/conformance.py $(ARGS)

# Broken statements for a long time; ARGS="-x" stops at the first that is answered wrongly.
fuzz: setup
	NEARSHIFT_FUZZ_EXAMPLES=$${NEARSHIFT_FUZZ_EXAMPLES:-50000} $(RUN)/python -m pytest -q --timeout=0 tests/sql -k "fuzz" $(ARGS)

# The comparison with a PostgreSQL server for a long time, with new seeds.
differential: setup
	NEARSHIFT_DIFFERENTIAL_TIMES=$${NEARSHIFT_DIFFERENTIAL_TIMES:-25} $(RUN)/python -m pytest -q --timeout 3600 tests/differential $(ARGS)

chaos: setup
	@$(RUN)/python tests/chaos/campaign.py $(ARGS)

wheel: setup
	$(RUN)/python -m hatchling build -t wheel

lock:
	$(RUN)/python -m pip install --quiet uv
	$(RUN)/uv pip compile pyproject.toml --extra dev --extra kafka --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate -o requirements.lock

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache src/nearshift/console/static frontend/node_modules
