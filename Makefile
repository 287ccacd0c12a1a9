# The commands of this project. Needed: Python >= 3.11, make, and a package registry.
#
#   make run [PHOTOS=folder]   index photos (the sample album by default) and write a report
#   make test                  lint, types, layers, then all tests
#   make docs                  the documentation, into docs/_build/html
#   make bench                 measure every method again, into evidence/

PYTHON ?= python3
VENV ?= .venv
PHOTOS ?= examples/album
BIN := $(VENV)/bin

.PHONY: help install run test lint format pages docs bench clean

help:
	@sed -n 's/^#  *make/make/p' Makefile

install: $(VENV)/.installed

# The gallery takes the folder's name, so that two folders never end up in one gallery.
run: $(VENV)/.installed
	@mkdir -p out
	@gallery="out/$$(basename "$(PHOTOS)").lineament"; \
	$(BIN)/lineament index "$(PHOTOS)" --gallery "$$gallery" && \
	$(BIN)/lineament report --gallery "$$gallery" --out out/report.html && \
	echo "Open $(CURDIR)/out/report.html"

test: lint
	$(BIN)/pytest -n 2 --durations=15

lint: $(VENV)/.developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: $(VENV)/.developed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Pages that are made from code; the tests hold the committed ones to it.
pages: $(VENV)/.developed
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/methods_page.py
	$(BIN)/python docs/leaderboard_page.py
	$(BIN)/python docs/weights_page.py
	$(BIN)/python docs/cli_page.py

docs: pages
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "Open $(CURDIR)/docs/_build/html/index.html"

bench: $(VENV)/.developed
	$(BIN)/lineament bench --all
	$(BIN)/python docs/methods_page.py

clean:
	rm -rf $(VENV) out build dist docs/_build .pytest_cache .ruff_cache .hypothesis

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "No $(PYTHON) found; install Python 3.11 or newer, or say: make PYTHON=/path/to/python3"; \
	  exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
	    "Say: make PYTHON=/path/to/python3"; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.developed: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(VENV)/.installed $@
