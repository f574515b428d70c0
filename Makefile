# Pocketfield: posed pictures in, a light field on a web page out.
#
#   make demo                                   everything, on the built-in scene, then serve the page
#   make page VIDEO=clip.mp4 (or PHOTOS=folder)  the same from a capture: docs/capture.md; OBJECT=1: the object alone
#   make teacher student export web SCENE=path  the stages one by one, on your own scene
#   make panel                                  truth, teacher, student and exports side by side
#   make test                                   lint, types, Python tests, viewer tests, a real browser
#
# Every stage is a file that depends on the files of the stage before it; a killed stage resumes.

# A phone video, or a folder of photographs: docs/capture.md.
VIDEO ?=
PHOTOS ?=
CAPTURE := $(patsubst %/,%,$(or $(VIDEO),$(PHOTOS)))
RUN := $(or $(RUN),runs/$(if $(CAPTURE),$(basename $(notdir $(CAPTURE))),$(if $(SCENE),$(notdir $(patsubst %/,%,$(SCENE))),demo)))
# A run that was made from a capture needs no VIDEO to go on: make figure RUN=runs/clip.
CAPTURED := $(or $(CAPTURE),$(wildcard $(RUN)/scene/process.json))
SCENE ?= $(if $(CAPTURED),$(RUN)/scene)
PRESET ?= $(if $(CAPTURED),unbounded,demo)
STUDENT ?= $(if $(CAPTURED),capture,$(if $(SCENE),pocket,tiny))
DOWNSCALE ?= 1
# Longest side of the pictures to train on, in pixels; in place of DOWNSCALE.
MAX_SIDE ?= $(if $(CAPTURED),256)
PORT ?= 8000
SERVE ?= 1
# The panel: where it looks for runs, and its port.
RUNS ?= runs
PANEL_PORT ?= 8501
# OBJECT=1: the page shows the object alone, on transparency (docs/object.md).
OBJECT ?=
CROP_ARGS ?= --auto
# Extra arguments of a stage, e.g. TEACHER_ARGS="--steps 500".
PROCESS_ARGS ?=
TEACHER_ARGS ?=
STUDENT_ARGS ?=

PYTHON ?= python3
# This version's CPU build is enough. On a machine with an NVIDIA GPU the same version's CUDA build brings NVRTC along.
TORCH ?= torch==2.13.0
BIN := .venv/bin
VIEWER := web/viewer
DATA := $(or $(SCENE),$(RUN)/still-life)
SHELL := bash
# On a busy machine, threads that spin while they wait made training 17 times slower than threads that sleep.
export OMP_WAIT_POLICY ?= passive
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: demo page scene teacher student export web publish serve summary report panel test lint types test-python test-viewer test-browser \
        test-cuda bench bench-student bench-cuda bench-viewer bench-panel browser figure clean help

help:
	@sed -n '/^#/!q;s/^# \{0,1\}//p' Makefile

# --- set-up: one stamp per environment ---

$(BIN)/activate:
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip

.venv/.installed: pyproject.toml | $(BIN)/activate
	$(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/pip install --quiet --editable .
	@touch $@

.venv/.installed-panel: .venv/.installed
	$(BIN)/pip install --quiet --editable ".[panel]"
	@touch $@

.venv/.installed-sfm: .venv/.installed
	$(BIN)/pip install --quiet --editable ".[sfm]"
	@touch $@

.venv/.installed-dev: .venv/.installed
	$(BIN)/pip install --quiet --editable ".[dev]"
	@touch $@

$(VIEWER)/node_modules/.installed: $(VIEWER)/package-lock.json
	cd $(VIEWER) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(VIEWER)/dist/index.html: $(VIEWER)/node_modules/.installed $(VIEWER)/index.html $(VIEWER)/package.json \
    $(wildcard $(VIEWER)/*.ts) $(shell find $(VIEWER)/src $(VIEWER)/public -type f 2>/dev/null)
	cd $(VIEWER) && npm run --silent build
	@touch $@

# --- the pipeline ---

# $(call stage,NAME,COMMAND): run a stage and note how long it took, for summary.json.
# `||`, since the shell's -e does not look at what comes before the last &&.
stage = start=$$(date +%s); $(2) || exit $$?; mkdir -p $(RUN); \
        echo "{\"stage\": \"$(1)\", \"seconds\": $$(($$(date +%s) - start))}" >> $(RUN)/stages.jsonl

$(RUN)/still-life/transforms_train.json: | .venv/.installed
	@$(call stage,scene,$(BIN)/python -m teacher demo --output $(RUN)/still-life)

$(RUN)/scene/transforms.json: $(CAPTURE) | .venv/.installed-sfm
	@$(call stage,process,$(BIN)/python -m teacher process --data $(CAPTURE) --output-dir $(RUN)/scene $(PROCESS_ARGS))

DATA_FILES := $(if $(CAPTURED),$(RUN)/scene/transforms.json,$(if $(SCENE),,$(RUN)/still-life/transforms_train.json))

$(RUN)/teacher/eval/metrics.json: $(DATA_FILES) | .venv/.installed
	@$(call stage,teacher,$(BIN)/python -m teacher train $(PRESET) --data $(DATA) \
	    $(if $(MAX_SIDE),--max-side $(MAX_SIDE),--downscale $(DOWNSCALE)) --output $(RUN)/teacher $(TEACHER_ARGS) && $(BIN)/python -m teacher eval --run $(RUN)/teacher)

$(RUN)/teacher/crop.json: $(RUN)/teacher/eval/metrics.json
	@$(call stage,crop,$(BIN)/python -m teacher crop --run $(RUN)/teacher $(CROP_ARGS))

$(RUN)/student/eval/metrics.json: $(RUN)/teacher/eval/metrics.json $(if $(OBJECT),$(RUN)/teacher/crop.json)
	@$(call stage,student,$(BIN)/python -m student train $(STUDENT) --teacher $(RUN)/teacher \
	    --output $(RUN)/student $(STUDENT_ARGS) && $(BIN)/python -m student eval --run $(RUN)/student)

$(RUN)/bundle/manifest.json: $(RUN)/student/eval/metrics.json
	@$(call stage,export,$(BIN)/python -m export bundle --student $(RUN)/student --output $(RUN)/bundle \
	    && $(BIN)/python -m export verify --bundle $(RUN)/bundle)

$(RUN)/site/index.html: $(RUN)/bundle/manifest.json $(VIEWER)/dist/index.html
	@$(call stage,web,$(BIN)/python -m export site --bundle $(RUN)/bundle --viewer $(VIEWER)/dist --output $(RUN)/site)

scene: $(DATA_FILES)
teacher: $(RUN)/teacher/eval/metrics.json
student: $(RUN)/student/eval/metrics.json
export: $(RUN)/bundle/manifest.json
web: $(RUN)/site/index.html

# One file for any static host: docs/hosting.md.
$(RUN)/site.zip: $(RUN)/site/index.html
	$(BIN)/python -m export publish --site $(RUN)/site --zip $@

publish: $(RUN)/site.zip

serve:
	$(BIN)/python -m export serve --folder $(RUN)/site --port $(PORT)

summary: $(RUN)/site/index.html
	$(BIN)/python -m export summary --run $(RUN)

# Truth, teacher, student and exports of all runs side by side: docs/panel.md.
panel: .venv/.installed-panel
	$(BIN)/python -m streamlit run web/panel/app.py --server.port $(PANEL_PORT) -- --runs $(RUNS)

# The same in one file to send; more runs: REPORT_ARGS="runs/other".
REPORT_ARGS ?=

$(RUN)/report.html: $(RUN)/bundle/manifest.json | .venv/.installed
	$(BIN)/python -m export report $(RUN) --output $@ $(REPORT_ARGS)

report: $(RUN)/report.html

page:
ifeq ($(CAPTURE),)
	@echo "error: make page VIDEO=clip.mp4, or PHOTOS=folder" >&2; exit 2
else
	@$(MAKE) --no-print-directory demo VIDEO="$(VIDEO)" PHOTOS="$(PHOTOS)" OBJECT=$(OBJECT)
endif

demo: summary
	@if [ "$(SERVE)" = 1 ]; then $(MAKE) --no-print-directory serve; fi

# --- checks: what people, `.ci/run` and this project's authors all run ---

test: lint types test-python test-viewer test-browser

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.installed-dev $(VIEWER)/node_modules/.installed
	$(BIN)/pyright
	cd $(VIEWER) && npm run --silent check

test-python: .venv/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m "not slow"

test-viewer: $(VIEWER)/node_modules/.installed
	cd $(VIEWER) && npm test --silent

test-browser: .venv/.installed-dev $(VIEWER)/dist/index.html browser
	cd $(VIEWER) && npm run --silent test:browser

# An installed Chromium, else the system's package manager, else the test tool's own download.
browser: $(VIEWER)/node_modules/.installed
	@bash tests/browser/ensure_chromium.sh

# Truth, teacher, student and canvas of a finished run side by side.
figure: $(RUN)/site/index.html browser
	node tests/browser/canvas.mjs $(RUN) wasm
	$(BIN)/python -m export figure --run $(RUN) --output $(RUN)/figure.png

test-cuda: .venv/.installed-dev
	$(BIN)/pytest -m cuda

# --- studies: minutes each, results in runs/bench and docs/benchmarks.md; on a machine that does nothing else ---

# Where the tables go; empty: they are only printed.
BENCH_ARGS ?= --write

bench: .venv/.installed-dev
	$(BIN)/python tests/bench/bench_ops.py --output runs/bench/ops.json $(BENCH_ARGS)
	$(BIN)/python -m tests.bench.bench_teacher $(BENCH_ARGS)
	$(BIN)/python -m tests.bench.kernel_report $(BENCH_ARGS)

# Students at equal minutes, from the teacher in runs/demo (trained if there is none); a quarter of an hour.
# BENCH_ARGS="--oracle --write": the analytic scene itself, fifteen minutes.
bench-student: .venv/.installed-dev
	$(BIN)/python -m tests.bench.bench_student $(BENCH_ARGS)
	$(BIN)/python -m tests.bench.frame_costs $(filter --write,$(BENCH_ARGS))

# What a visitor of the page waits for, and how fast it then draws, on WebAssembly and on software WebGPU.
bench-viewer: $(RUN)/site/index.html browser
	node tests/browser/page_figures.mjs $(RUN)/site

# How long the panel keeps somebody waiting: first paint, panes, a turned camera.
bench-panel: $(RUN)/bundle/manifest.json browser .venv/.installed-panel
	node tests/browser/panel_figures.mjs $(dir $(RUN))

# BENCH_ARGS="--data path/to/lego --write" for the figures that others publish.
bench-cuda: .venv/.installed
	$(BIN)/python -m tests.bench.bench_cuda $(BENCH_ARGS)

clean:
	rm -rf .venv $(VIEWER)/node_modules $(VIEWER)/dist
