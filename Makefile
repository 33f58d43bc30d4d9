# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
MODEL  ?= tiny
BIN    := .venv/bin

.PHONY: demo test test-browser lab kiosk lint bench checkpoints pictures clean

demo: .venv/installed
	$(BIN)/catviz demo --model $(MODEL)

test: .venv/installed-dev lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-browser: .venv/installed-browser  # needs Chromium: apt-get install chromium
	$(BIN)/python -m pytest -m browser

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lab: .venv/installed  # opens JupyterLab at the notebooks' table of contents
	$(BIN)/jupyter lab --LabApp.app_settings_dir=notebooks/.lab \
		--LabApp.default_url=/lab/tree/README.md notebooks

kiosk: .venv/installed-kiosk  # the workshop's panels as a page without code, on this machine
	$(BIN)/voila notebooks/08_workshop.ipynb --TagRemovePreprocessor.remove_cell_tags=exercise

bench: .venv/installed-browser
	$(BIN)/python benchmarks/step_cost.py --out outputs/step_cost.json
	$(BIN)/python benchmarks/viewer.py --out outputs/viewer.json
	$(BIN)/python benchmarks/density_cost.py --out outputs/density_cost.json
	$(BIN)/python -m benchmarks.panels --out outputs/panels.json
	$(BIN)/python -m benchmarks.annotation --out outputs/annotation.json

checkpoints: .venv/installed  # remakes the trained models that ship, and what they do with texts
	$(BIN)/python -m cat.tiny_checkpoints
	$(BIN)/python -m catviz.sweep.shipped

pictures: demo .venv/installed-browser  # remakes the pictures of the README
	mkdir -p docs
	cp outputs/demo/figures/map_ood*.svg outputs/demo/figures/accuracy_over_alpha*.svg docs/
	$(BIN)/python docs/pictures.py
	$(BIN)/python -m docs.panels

clean:
	rm -rf .venv outputs

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --constraint constraints.txt --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install --constraint constraints.txt --editable ".[dev]"
	touch $@

.venv/installed-browser: .venv/installed-dev
	$(BIN)/pip install --constraint constraints.txt --editable ".[browser]"
	touch $@

.venv/installed-kiosk: .venv/installed
	$(BIN)/pip install --constraint constraints.txt --editable ".[kiosk]"
	touch $@
