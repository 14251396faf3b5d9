# Every target does its own set-up: a virtual environment in .venv with the package built into it, made anew only
# when the sources of the build change. `make` alone lists the targets.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
SCENES ?= benchmarks/fixtures

# Modules of the package with a .pxd beside them are compiled.
TYPED        := $(wildcard src/fastframe/stream/*.pxd)
BUILD_INPUTS := pyproject.toml setup.py $(wildcard cython_ext/*.pyx cython_ext/*.pxd cython_ext/kernels/*.[ch]) \
	$(TYPED) $(TYPED:.pxd=.py)

# The build for the sanitizers works on a copy and installs beside the normal one, so that neither can get into
# the other's objects.
SANITIZED := build/sanitized
# PYTHONMALLOC=malloc: Python's own allocator would hide what lies just past the end of a bytes object.
WITH_SANITIZERS = LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc \
	PYTHONPATH=$(CURDIR)/$(SANITIZED)/site

# A process for each processor, up to four: tests/conftest.py keeps a third of the work in one of them. Benchmarks have no
# place beside other work.
# A process that dies ends the run: xdist would wait for ever for the rest of its group.
PYTEST = $(BIN)/python -m pytest -n auto --maxprocesses 4 --max-worker-restart 0 -p no:benchmark

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test bench compare lint sanitize dist clean

help: ## List the targets
	@echo "usage: make TARGET [ARGS='...']"
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r target text; \
		do printf '  %-10s %s\n' "$$target" "$$text"; done

demo: $(VENV)/.installed-cli ## Capture the screen (or replay a recording), encode, decode, compare every frame
	@$(BIN)/fastframe demo $(ARGS)

test: $(VENV)/.installed-dev ## Run the tests (ARGS go to pytest)
	@$(PYTEST) $(ARGS)

bench: $(VENV)/.installed-bench ## Run the benchmarks, then print the figures (ARGS go to pytest)
	@$(BIN)/python -m pytest benchmarks $(ARGS)
	@$(BIN)/python benchmarks/figures.py

compare: $(VENV)/.installed-bench ## Compare with other codecs on the recordings in SCENES=DIR: a table and plots in build/
	@mkdir -p build
	@$(BIN)/python benchmarks/compare.py $(SCENES) --out build/comparison.md --plot build/comparison.png \
		--planes-plot build/planes.png $(ARGS)

lint: $(VENV)/.installed-dev ## Check style and types: ruff and mypy --strict
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy --strict

# --capture=sys: a finding ends the process, and its report must not end in a file that pytest holds.
# Left out is what measures or bounds the memory of the process, since the sanitizers use many times as much, and what keeps
# the slow second decoder busy with modelled pixels; test_modelled.py has the same for the first one.
sanitize: $(SANITIZED)/.installed ## Run the codec's tests under the address and undefined-behaviour sanitizers
	@$(WITH_SANITIZERS) $(BIN)/python -c 'import fastframe._core as c; assert "$(SANITIZED)" in c.__file__, c'
	@$(WITH_SANITIZERS) $(PYTEST) tests/codec tests/kernels -m "not slow" -p no:cacheprovider --capture=sys \
		--ignore tests/codec/test_memory.py \
		-k "not running_out_of_memory and not specification_gives and not through_the_model" $(ARGS)

dist: $(VENV)/.installed-dev ## Build the source distribution and the wheel into dist/
	@$(BIN)/python -m build --outdir dist

clean: ## Remove everything that was built, the virtual environment too
	rm -rf $(VENV) build dist src/*.egg-info src/fastframe/*.so src/fastframe/stream/*.so
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fastframe needs Python 3.11 or newer")'
	@missing=; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	$(PYTHON) -c 'import os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")' 2>/dev/null \
		|| missing="$$missing python3-dev"; \
	command -v "$${CC:-gcc}" >/dev/null || missing="$$missing gcc"; \
	if [ -n "$$missing" ]; then echo "fastframe needs to be built; first run: apt-get install$$missing" >&2; exit 1; fi
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-%: $(BUILD_INPUTS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

$(SANITIZED)/.installed: $(BUILD_INPUTS) $(shell find src -name '*.py') $(VENV)/.installed-dev
	@rm -rf $(SANITIZED) && mkdir -p $(SANITIZED)/source
	@cp -R pyproject.toml setup.py MANIFEST.in README.md LICENSE src cython_ext $(SANITIZED)/source
	FASTFRAME_SANITIZE=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--target $(SANITIZED)/site $(SANITIZED)/source
	@touch $@
