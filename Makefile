# Two commands do everything, set-up included: `make demo` and `make test`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
LOCKS := requirements.lock constraints-cuda.txt
STAMP := .venv/.parley-$(shell cat $(LOCKS) 2>/dev/null | sha256sum | cut -c1-16)
REPORT := results/playhouse/report/index.html

# One thread a job: the small models of the default experiment lose speed when threads share a core.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM := false
export HF_HUB_OFFLINE ?= 1
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup setup-slurm setup-vllm gpu-check status demo test check lint format types reference pocket clean distclean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile

setup: $(STAMP)  ## make .venv from requirements.lock (every target that needs it does)

$(STAMP): $(LOCKS)
	@echo "setting up .venv (once; a minute or two)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than 3.11; say which to use: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@if command -v uv >/dev/null; then \
	  UV_FIND_LINKS="$${PIP_FIND_LINKS:-}" uv pip install -q --python $(BIN)/python --compile-bytecode -r requirements.lock -c constraints-cuda.txt; \
	else \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --compile -r requirements.lock -c constraints-cuda.txt; \
	fi
	@echo "$$PWD" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/parley.pth"
	@rm -f .venv/.parley-*; touch $(STAMP)

setup-slurm: $(STAMP)  ## add to .venv what a run on a SLURM cluster needs (docs/cluster.md)
	@if command -v uv >/dev/null; then \
	  UV_FIND_LINKS="$${PIP_FIND_LINKS:-}" uv pip install -q --python $(BIN)/python -r requirements-slurm.lock -c requirements.lock; \
	else \
	  $(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-slurm.lock -c requirements.lock; \
	fi

setup-vllm:  ## make .venv-vllm for the models that a job serves on GPUs (vLLM wants other versions than training)
	@test -x .venv-vllm/bin/python || $(PYTHON) -m venv .venv-vllm
	@if command -v uv >/dev/null; then \
	  uv pip install -q --python .venv-vllm/bin/python --compile-bytecode -r requirements-vllm.lock; \
	else \
	  .venv-vllm/bin/python -m pip install -q --disable-pip-version-check --compile -r requirements-vllm.lock; \
	fi

gpu-check: $(STAMP)  ## on a machine with a GPU: can it serve? ARGS="--experiment CONFIG --model NAME" for one of yours
	@$(BIN)/python scripts/gpu_check.py $(ARGS)

status: $(STAMP)  ## how far an experiment is, also while it runs: ARGS="--experiment CONFIG", else the default one
	@$(BIN)/python -m parley.status $(ARGS)

demo: $(STAMP)  ## run the embedded default experiment and print where its report lies
	@$(BIN)/snakemake --cores $(CORES) --quiet rules
	@$(BIN)/python scripts/headline.py --experiment config.yaml

test: $(STAMP)  ## run the tests
	@$(BIN)/python -m pytest

check: lint types test  ## all that a change must pass

lint: $(STAMP)  ## ruff, snakefmt and Snakemake's own linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/snakefmt --check Snakefile rules
	@$(BIN)/snakemake --lint

format: $(STAMP)  ## format the code and the rules
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q . ; $(BIN)/snakefmt Snakefile rules

types: $(STAMP)  ## mypy, strict
	@$(BIN)/mypy

reference: $(STAMP)  ## write docs/configuration.md and the JSON schema from the config's classes
	@$(BIN)/python -m parley.reference

pocket: $(STAMP)  ## train the pocket model again from its seed (CPU, within 30 minutes)
	@$(BIN)/python -m parley.playhouse.pocket --out resources/pocket

clean:  ## remove results; the ledger stays, so that nothing is paid for again
	rm -rf results .snakemake

distclean: clean  ## remove the ledger and .venv too
	rm -rf ledger .venv
