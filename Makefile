# Everything below happens in a virtual environment of its own.
#   PYTHON      the Python (3.10 - 3.12) that makes it
#   VENV        where it goes
#   TORCH_ARGS  extra arguments of `pip install torch`, such as an index of CPU wheels
PYTHON ?= python3
VENV ?= .venv
TORCH_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
LOCK := requirements/lock.txt
READY := $(VENV)/.ready

.PHONY: env demo stream test lint format clean

env: $(READY)

# PyTorch comes first and by its exact pin, so that nothing below replaces it.
$(READY): setup.py $(LOCK)
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint $(LOCK) setuptools wheel
	$(PIP) install --constraint $(LOCK) $(TORCH_ARGS) torch
	$(PIP) install --constraint $(LOCK) --no-build-isolation --editable '.[tools,live,export,web,dev]'
	touch $@

demo: env
	$(BIN)/python tools/demo.py

# The model that ships, at work on a synthetic video.
stream: env
	$(BIN)/python tools/data/synthetic/render_stream.py --videos 1
	$(BIN)/python -m lcr_runtime stream \
		data/synthetic_streams/validation/videos/stream_00001.mp4 \
		--out data/synthetic_streams/seen.mp4 --events -

# A process per processor; the tests of a file share what they have built.
test: env
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 \
		--dist loadfile --max-worker-restart 0

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: env
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV)
