# One place for the commands that everybody runs. Everything is installed into .venv, nothing outside this folder.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup test lint demo fuzz torture clean

setup: .venv/installed

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt ruff
	touch $@

test: setup
	$(BIN)/python -m pytest

# Ten minutes of changed bytes in each test; twenty kills of each command and ten million rows
fuzz: setup
	FUZZ_SECONDS=600 FUZZ_SEED=$$(date +%s) $(BIN)/python -m pytest tests/test_fuzz.py

torture: setup
	KILLS=20 ROWS=10000000 $(BIN)/python -m pytest tests/commands/test_kill.py tests/db/test_many_rows.py -rP

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
