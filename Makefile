# make venv   what is needed, in .venv and in the user's cache folder
# make demo   a made-up sample and the whole run on it, in demo/
# make test   style, types, import contracts and the tests (those marked slow: make test-slow)
.PHONY: venv demo test test-slow lint

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
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m "not slow"

test-slow: venv
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m slow
