# Two commands do everything, set-up included: `make demo` and `make test`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
STAMP := .venv/.parley-$(shell cat requirements.lock constraints-cuda.txt pyproject.toml 2>/dev/null | sha256sum | cut -c1-16)
# One thread per job: the small models of the default experiment lose speed when threads share a core.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM := false
export HF_HUB_OFFLINE ?= 1
unexport PYTHONDONTWRITEBYTECODE

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: $(STAMP)  ## make .venv from requirements.lock (done by every target that needs it)

$(STAMP): requirements.lock constraints-cuda.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@if command -v uv >/dev/null; then \
	  UV_FIND_LINKS="$${PIP_FIND_LINKS:-}" uv pip install -q --python $(BIN)/python --compile-bytecode -r requirements.lock -c constraints-cuda.txt; \
	else \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --compile -r requirements.lock -c constraints-cuda.txt; \
	fi
	@echo "$$PWD" > $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/parley-checkout.pth
	@rm -f .venv/.parley-*; touch $(STAMP)
