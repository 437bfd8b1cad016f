# One place for the commands that everybody runs. Everything is installed into .venv, nothing outside this folder.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup test lint demo clean

setup: .venv/installed

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt ruff
	touch $@

test: setup
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

demo: setup
	$(BIN)/python train.py --out runs/demo
	$(BIN)/python evaluate.py --checkpoint runs/demo/best.pt --out runs/demo/test
	$(BIN)/python analyze.py --run runs/demo/test --out runs/demo/cohort
	@echo
	@echo "Open these in a browser:"
	@echo "  runs/demo/test/report.html      how well the masks agree, film by film"
	@echo "  runs/demo/cohort/report.html    who is in the data"

clean:
	rm -rf .venv runs datasets .pytest_cache .hypothesis .ruff_cache
