# `make demo` and `make test` need python3 (3.11 or later) and make; they set everything else up in .venv.
PYTHON ?= python3
BIN := .venv/bin
DEMO_READY := .venv/.demo-ready
READY := .venv/.ready
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable
DEMO := runs/demo
# Two processes of one thread each: on two cores faster than one process of two. Whoever is done first takes over from the other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist worksteal

.PHONY: help demo test test-all fuzz lint docs docs-serve dist clean
help:
	@echo "make demo      classify with a network that comes along; train one on handwritten digits"
	@echo "make test      lint, types, tests"
	@echo "make test-all  the same, with the slow tests"
	@echo "make fuzz      files and requests that hypothesis makes up, for an hour; GODEEPER_FUZZ_SECONDS=60 make fuzz: for a minute"
	@echo "make lint      lint and types only"
	@echo "make docs      build the guide, in both languages, into site/"
	@echo "make docs-serve  show it at http://127.0.0.1:8000, kept up with the files"
	@echo "make dist      build wheel and source distribution into dist/"
	@echo "make clean     remove .venv and what tools left"

# What `make demo` uses, and no more; everything else needs the rest.
$(DEMO_READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "godeeper needs Python 3.11 or later: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/pip || { rm -rf .venv; $(PYTHON) -m venv .venv; } || { rm -rf .venv; echo "venv failed: on Debian and Ubuntu, apt install python3-venv"; exit 1; }
	$(INSTALL) '.[demo,explain]'
	touch $@

$(READY): $(DEMO_READY)
	$(INSTALL) '.[demo,keras,data,detect,deploy,phone,serve,explain,app,docs,dev]'
	touch $@

demo: $(DEMO_READY)
	rm -rf $(DEMO)
	$(BIN)/python examples/photographs.py godeeper/cifar10 $(DEMO)/photographs.png
	$(BIN)/python examples/save_digits.py $(DEMO)/images
	$(BIN)/godeeper train --model googlenet_bn --small --width 0.25 --data digits --out $(DEMO)
	$(BIN)/godeeper evaluate $(DEMO) --data digits
	$(BIN)/godeeper evaluate $(DEMO) --data digits --crops 144
	$(BIN)/godeeper predict $(DEMO) $(DEMO)/images --top 3 --plot $(DEMO)/predictions.png
	@echo
	@echo "A photograph:     $(DEMO)/photographs.png, by a network that comes along: godeeper/cifar10"
	@echo "The run:          $(DEMO)  (recipe.json, metrics.jsonl, log.txt, curves.png, checkpoints/)"
	@echo "The network:      $(DEMO)/model.safetensors"
	@echo "The curves:       $(DEMO)/curves.png"
	@echo "The predictions:  $(DEMO)/predictions.png, of the images in $(DEMO)/images"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(PYTEST) -m "not slow"

test-all: lint
	$(PYTEST)

fuzz: export GODEEPER_FUZZ_SECONDS ?= 3600
fuzz: $(READY)
	$(BIN)/pytest -s --timeout 0 tests/fuzz tests/serve/test_fuzzed_requests.py

# The notice that mkdocs-material prints of its own end, in 2027, is not a warning about these pages.
docs: $(READY)
	$(BIN)/python docs/drawings.py
	$(BIN)/python docs/notebooks.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The guide:  site/index.html"

docs-serve: $(READY)
	$(BIN)/python docs/drawings.py
	$(BIN)/python docs/notebooks.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --quiet

dist: $(READY)
	rm -rf dist
	$(BIN)/python -m hatchling build

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache build dist site
