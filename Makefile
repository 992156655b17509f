# make venv   what is needed, in .venv and in the user's cache folder
# make demo   a made-up sample and the whole run on it, in demo/
# make test   style, types, import contracts and the tests (those marked slow: make test-slow)
.PHONY: venv demo test test-slow lint

BIN := .venv/bin
# A screen in memory, with OpenGL in software: the windows are really drawn, on any machine.
SCREEN := xvfb-run -a -s "-screen 0 1400x1000x24"
# Three test processes at once: threads of their libraries would only wait for each other.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1
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
	$(ONE_THREAD) $(SCREEN) $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 -m "not slow"

test-slow: venv
	$(SCREEN) $(BIN)/python -m pytest -m slow
