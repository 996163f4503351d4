# make help lists what there is. Set PYTHON to build with another Python, VENV to put the environment elsewhere.

PYTHON ?= python3
VENV ?= .venv
CC ?= cc

BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet
# LOCKED=1: the versions in requirements/ci.txt, held against their hashes, and nothing else, for building too.
LOCK = requirements/ci.txt
INSTALLED = $(VENV)/.installed$(if $(LOCKED),-locked)
ifdef LOCKED
install = $(PIP) --require-hashes --only-binary :all: --requirement $(LOCK) && $(PIP) --no-deps --no-build-isolation --editable .
BUILD_FLAGS = --no-isolation
else
install = $(PIP) --editable '.[$(1)]'
endif
# Setting up is done again only when what the installation is made from has changed.
SETUP_INPUTS = $(LOCK) pyproject.toml setup.py qac/_native/build.py native/qac.h $(wildcard native/src/*.[ch])
# setuptools maps these folders into the package (see pyproject.toml).
MAPPED = data_prep webdemo
PYTHON_FILES = setup.py qac tests benchmarks native/fuzz $(MAPPED)

C_FILES = $(wildcard native/src/*.c native/tests/*.c)
C_INPUTS = native/qac.h $(C_FILES) $(wildcard native/src/*.h native/tests/*.h)
C_FLAGS = -std=c11 -Wall -Wextra -Werror -Inative -Inative/src
C_LIBS = -lm -lpthread
SANITIZERS = -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
SANITIZE = $(SANITIZERS) -DQAC_TEST_ALLOC

CLANG ?= clang
# What is fuzzed, and for how long altogether.
FUZZ_TARGETS = model request
FUZZ_MINUTES ?= 10
FUZZ_SECONDS = 60 * $(FUZZ_MINUTES) / $(words $(FUZZ_TARGETS))
FUZZ_MODEL = native/fuzz/corpus/model/composing
FUZZ_FLAGS = -DQAC_FUZZ_MODEL='"$(FUZZ_MODEL)"'
FUZZ_INPUTS = $(wildcard native/fuzz/*.[ch])
CORE = $(wildcard native/src/*.c)

.PHONY: help demo test lint native-test native-test-threads fuzz bench quality instructions profiles wheel lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(INSTALLED) ## set up, train the sample model, show completions, serve the page (DEMO="--port 0")
	$(BIN)/qac demo $(DEMO)

test: $(INSTALLED)-test native/build/test ## run the tests, native ones first
	native/build/test
	$(BIN)/python -m pytest

lint: $(INSTALLED)-dev build/typed ## check style and types of the Python, warnings of the C
	$(BIN)/ruff check $(PYTHON_FILES)
	$(BIN)/ruff format --check $(PYTHON_FILES)
	MYPYPATH=build/typed $(BIN)/mypy -p qac
	$(CC) $(C_FLAGS) -O2 -fsyntax-only $(C_FILES)

native-test: native/build/test-sanitized native/build/replay-model ## run the native tests under the address and undefined-behaviour sanitizers
	native/build/test-sanitized
	native/build/replay-model native/fuzz/corpus/model/*

native-test-threads: native/build/test-threads ## run those that share models and trainings between threads under the thread sanitizer
	native/build/test-threads concurrency training

fuzz: $(FUZZ_TARGETS:%=native/build/fuzz-%) ## fuzz models and requests (needs clang; FUZZ_MINUTES=60)
	for target in $(FUZZ_TARGETS); do \
		mkdir -p native/build/corpus/$$target && \
		native/build/fuzz-$$target -max_total_time=$$(($(FUZZ_SECONDS))) -timeout=10 -rss_limit_mb=2048 -max_len=32768 \
			-verbosity=0 -print_final_stats=1 -artifact_prefix=native/build/$$target- \
			native/build/corpus/$$target native/fuzz/corpus/$$target || exit 1; \
	done

bench: $(INSTALLED) ## speed and size on the sample log (BENCH="LOG...", LIBPECOS=PYTHON to compare with)
	$(BIN)/python benchmarks/speed.py $(BENCH) $(if $(LIBPECOS),--libpecos $(LIBPECOS))

quality: $(INSTALLED) ## quality of the baselines and qac on the sample log (QUALITY="LOG...")
	$(BIN)/python benchmarks/quality.py --systems main $(QUALITY)

instructions: $(INSTALLED) ## hold the instructions of a request against their budget (RECORD=1 sets it anew)
	$(BIN)/python benchmarks/instructions.py $(if $(RECORD),--record)

profiles: $(INSTALLED) ## where a request's instructions and the time of training go (PROFILES="LOG...")
	$(BIN)/python benchmarks/profiles.py $(PROFILES)

wheel: $(INSTALLED)-dev ## build the sdist, and from it the wheel, into dist/
	rm -rf dist
	$(BIN)/python -m build $(BUILD_FLAGS) --outdir dist

lock: ## write anew which versions the checks use, with their hashes, for any platform and Python (needs uv)
	uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-annotate --no-header --python-version 3.11 --extra dev pyproject.toml --output-file $(LOCK)

clean: ## remove what was built; the virtual environment stays
	rm -rf build dist native/build *.egg-info qac/_native/_core.c qac/_native/_core*.so $(VENV)/.installed*
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): $(SETUP_INPUTS) | $(BIN)/python
	$(call install,serve)
	touch $@

$(INSTALLED)-test: $(SETUP_INPUTS) | $(BIN)/python
	$(call install,test)
	touch $@ $(INSTALLED)

$(INSTALLED)-dev: $(SETUP_INPUTS) | $(BIN)/python
	$(call install,dev)
	touch $@ $(INSTALLED)-test $(INSTALLED)

# The package as it is when installed, for mypy, which does not know of mapped folders.
build/typed: $(MAPPED) qac
	rm -rf $@
	mkdir -p $@/qac
	ln -s $(CURDIR)/qac/* $(addprefix $(CURDIR)/,$(MAPPED)) $@/qac/

native/build/test: $(C_INPUTS)
	mkdir -p $(@D)
	$(CC) $(C_FLAGS) -O2 $(C_FILES) -o $@ $(C_LIBS)

native/build/test-sanitized: $(C_INPUTS)
	mkdir -p $(@D)
	$(CC) $(C_FLAGS) $(SANITIZE) $(C_FILES) -o $@ $(C_LIBS)

native/build/test-threads: $(C_INPUTS)
	mkdir -p $(@D)
	$(CC) $(C_FLAGS) -g -O1 -fsanitize=thread $(C_FILES) -o $@ $(C_LIBS)

# A target of the fuzzer, and the same without it: tries the files that are named.
native/build/fuzz-%: native/fuzz/fuzz_%.c $(C_INPUTS) $(FUZZ_INPUTS)
	mkdir -p $(@D)
	$(CLANG) $(C_FLAGS) $(SANITIZERS) -fsanitize=fuzzer -DQAC_LIBFUZZER $(FUZZ_FLAGS) $(CORE) $< native/fuzz/input.c -o $@ $(C_LIBS)

native/build/replay-%: native/fuzz/fuzz_%.c $(C_INPUTS) $(FUZZ_INPUTS)
	mkdir -p $(@D)
	$(CC) $(C_FLAGS) $(SANITIZERS) $(FUZZ_FLAGS) $(CORE) $< native/fuzz/input.c native/fuzz/replay.c -o $@ $(C_LIBS)
