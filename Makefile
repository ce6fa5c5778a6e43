# `make run` makes the tables and the report, `make test` passes the tests. Both set up all they need in .venv.
PYTHON ?= python3
BIN := .venv/bin
# Stages call `python`; quiet and offline.
export PATH := $(abspath $(BIN)):$(PATH)
export DVC_NO_ANALYTICS := 1
export DO_NOT_TRACK := 1

.PHONY: run test check lock

run: .venv/installed
	@python -m flows.pipeline
	@python -m multiresunet.report.page

test: .venv/installed
	@python -m pytest

check: .venv/installed
	ruff check .
	ruff format --check .
	mypy

.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "error: Python 3.11 to 3.13 is needed, $(PYTHON) is another; set PYTHON=python3.11, say" >&2; exit 1; }
	@echo "Installing into .venv (once, some minutes) …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@touch $@

# CUDA packages stay out of the lock: PyTorch's own build brings those that it needs.
lock: .venv/installed
	uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-header --no-annotate pyproject.toml \
	  | grep -vE '^(nvidia-|cuda-|triton)' \
	  > requirements.lock
