# Everything here starts from nothing but a Python >= 3.11: the first command builds .venv.
#
#   make demo      train a small team, watch it, plot it (a few minutes)
#   make test      the tests (ten minutes on two cores)
#   make test-deep what takes longer: learning, a thousand cases, bits of optimised programs
#   make check     formatting, lint, types and the tests
#   make format    put the code in shape
#   make bench     measure speed
#   make docs      build the documentation into site/
#   make clean     remove what was built (not your runs)

SHELL := /bin/bash
BIN := .venv/bin
# Compiled programs are kept here between runs.
export JAX_COMPILATION_CACHE_DIR ?= $(CURDIR)/.cache/jax
# So is the bytecode, for the tests start many programs.
export PYTHONDONTWRITEBYTECODE :=

# The first of these that runs, is new enough and can make environments; or set PYTHON=... yourself.
PYTHONS := python3.13 python3.12 python3.11 python3
PROBE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in $(PYTHONS); do "$$p" -c '$(PROBE)' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

.PHONY: help demo test test-deep check format bench docs clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^#   //p' Makefile

demo: .venv/.core
	$(BIN)/python examples/demo.py

PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadgroup

test: .venv/.ready
	$(PYTEST) $(ARGS)

# Bits with XLA's optimisations, as users run it; to compile the rest with them takes thrice as long.
test-deep: .venv/.ready
	JAX_DISABLE_MOST_OPTIMIZATIONS=0 $(PYTEST) -m bits $(ARGS)
	$(PYTEST) -m 'deep and not bits' $(ARGS)

check: .venv/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(PYTEST) $(ARGS)

format: .venv/.ready
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: .venv/.core
	$(BIN)/python -m benchmarks $(ARGS)

docs: .venv/.ready
	$(BIN)/mkdocs build --strict

clean:
	rm -rf .venv .cache build dist site .pytest_cache .ruff_cache .hypothesis *.egg-info

# What a user needs, and on top of it what a developer needs.
.venv/.core: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Coterie needs Python >= 3.11 with venv and pip: install one (Debian: apt install python3 python3-venv), or name it with make PYTHON=/path/to/python." >&2; exit 2; }
	@"$(PYTHON)" -c '$(PROBE)' || { echo "$(PYTHON) is not a Python >= 3.11 with venv and pip: name another one with make PYTHON=/path/to/python." >&2; exit 2; }
	"$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

.venv/.ready: .venv/.core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@
