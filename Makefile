# make bench: the main job. make test: the tests. Both set up .venv first; nothing else is needed but Python 3.11 or 3.12, a C++ compiler and make.
SHELL := /bin/bash
BASE_PYTHON ?= $(shell for p in python3.12 python3.11 python3; do \
	$$p -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# Where the interpreter at hand already has a CUDA torch, the environment borrows it and no other torch is installed.
CUDA_TORCH := $(shell $(BASE_PYTHON) -c 'import torch; print(torch.version.cuda or "")' 2>/dev/null)
JOBS ?= 2

.PHONY: bench test speed check lint types layers venv clean

bench: venv
	$(BIN)/asrbench run quick
	$(BIN)/asrbench report latest -o asrbench-runs/quick.html

test: venv
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

speed: venv
	$(BIN)/python -m pytest tests/test_speed.py --benchmark-only --benchmark-columns=median,min,max,rounds

check: venv lint types layers test

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv
	$(BIN)/mypy

layers: venv
	$(BIN)/lint-imports

venv: .venv/.installed

.venv/.installed: pyproject.toml constraints-cpu.txt
	@test -n "$(BASE_PYTHON)" || { echo "asrbench needs Python 3.11 or 3.12; none was found (set BASE_PYTHON=...)"; exit 2; }
	$(BASE_PYTHON) -m venv $(if $(CUDA_TORCH),--system-site-packages) .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(CUDA_TORCH),,-c constraints-cpu.txt) -e '.[dev,peers]'
	@touch $@

clean:
	rm -rf .venv build dist
