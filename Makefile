# make venv   what is needed, in .venv and in the user's cache folder
# make demo   a made-up sample and the whole run on it, in demo/
# make test   style, types, import contracts and all tests
.PHONY: venv demo test lint

BIN := .venv/bin
export PYTHON

venv:
	@scripts/setup.sh

demo: venv
	$(BIN)/napari-vhd demo --headless --dir demo

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest
