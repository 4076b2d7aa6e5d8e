# Two commands do all set-up on a machine with Python 3.11+ and make:
#   make demo    create the environment, train DEMO, compare, say where the charts are
#   make test    create the environment, run the whole suite
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   := demo

.PHONY: demo test docs lock clean

# pip compiles what it installs; our own modules are compiled too, since every start reads them.
$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	$(BIN)/python -m compileall -q forecast
	touch $@

demo: $(VENV)/installed
	$(BIN)/forecast train DEMO --workspace $(DEMO)
	$(BIN)/forecast compare --workspace $(DEMO)
	@echo "The charts are in $(DEMO)/models/DEMO/ (start with loss.png and predictions.png)."

test: $(VENV)/installed
	$(BIN)/python -m pytest -n auto --dist loadfile

# Draws the pictures of the docs again, from Yahoo or from PRICES=TSLA.csv, and lists the licences.
docs: $(VENV)/installed
	$(BIN)/python docs/make_pictures.py $(PRICES)
	$(BIN)/python docs/make_licences.py

# Pins every dependency with its hashes; needs uv.
lock:
	uv pip compile pyproject.toml --extra test --extra dask --extra report --universal --python-version 3.11 \
	    --generate-hashes --no-header --upgrade --quiet --output-file requirements.lock

clean:
	rm -rf $(VENV) $(DEMO)
