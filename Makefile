# The commands of Match Stream Lab; `make help` lists them. They are the same on a desk and in CI.

PYTHON ?= python3
BIN := .venv/bin
# `make stage-2.3 run` names a stage by its goal.
STAGE := $(patsubst stage-%,%,$(filter stage-%,$(MAKECMDGOALS)))

.DEFAULT_GOAL := help
.PHONY: help setup demo lab results peers floor report test test-all check run clean
.DELETE_ON_ERROR:

help: ## List the targets
	@grep -hE '^[a-z.%-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18
	@printf 'stage-2.3 run     Serve a stage and play the sample match: telnet 127.0.0.1 9999\n'

setup: .venv/runtime ## Make .venv and install what the commands need

demo: .venv/runtime ## Measure stage 0 over a whole match: table, result (JSON) and chart (PNG) in out/demo
	@$(BIN)/harness measure --stage 0 -N 900 -C 4 --interval 0.1 --play elp-tig-2011-09-10 --speed 240 \
	  --slo 'failures=0,lost=0' --out out/demo

# What is measured below is only worth keeping if nothing else runs on the machine.

lab: .venv/runtime ## Measure the whole staircase and what each lesson is worth: some three hours; goes on where it was interrupted
	@$(BIN)/harness staircase --floor --out reports/results/staircase
	@$(BIN)/harness ablate --stage 2.5 --out reports/results/ablation

MEASURE = $(BIN)/harness measure --slo 'failures=0,lost=0'
STAGES = $(MEASURE) --out reports/results/stages
PEERS = redis nats mosquitto nchan websockets floor

results: .venv/runtime ## Measure every stage under the talk's loads: some five minutes
	-@$(STAGES) --stage 0 -N 900 -C 4 --interval 0.1
	-@$(STAGES) --stage 1 -N 4000 -C 4 --interval 0.025
	-@$(STAGES) --stage 2.1 -N 8000 -C 500
	-@$(STAGES) --stage 2.2 -N 8000 -C 1000
	-@$(STAGES) --stage 2.3 -N 17000 -C 5000 --rate 1
	-@$(STAGES) --stage 2.4 -N 17000 -C 5000 --rate 1
	-@$(STAGES) --stage 2.5 -N 10000 -C 1000 --rate 2
	-@$(STAGES) --stage 2.5 -N 17000 -C 8000 --rate 1
	-@$(STAGES) --stage 3 --nodes 6 -N 100000 -C 32000 --interval 10 --events 10 --rate 0.2
	-@$(MEASURE) --out reports/results/floor --peer floor -N 10000 -C 1000 --rate 2
	-@$(MEASURE) --out reports/results/floor --peer floor -N 17000 -C 5000 --rate 1

peers: .venv/dev ## Measure the servers one would choose instead, and the floor, under one load
	-@for peer in $(PEERS); do $(MEASURE) --out reports/results/peers --peer $$peer -N 8000 -C 1000; done
	-@$(MEASURE) --out reports/results/peers --stage 2.5 -N 8000 -C 1000
	-@$(MEASURE) --out reports/results/peers --stage 3 --nodes 2 -N 8000 -C 1000

floor: .venv/runtime ## Compile the bare epoll server in C, which does nothing else, and measure it
	@$(MEASURE) --out out/floor --peer floor -N 8000 -C 1000

report: .venv/dev ## Execute the notebooks, and make one page of them: out/report.html
	@$(BIN)/harness report

# Some tests wait more than they work, so there are more workers than two cores need. The tests start these programs a
# thousand times: to compile them each time, as this variable would have it, takes a sixth of that.
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 4 --dist worksteal

test: .venv/dev ## Run the tests: some three minutes
	@$(PYTEST) -m 'not slow' $(ARGS)

test-all: .venv/dev ## Run all tests, those of every stage too, with coverage and examples that are new each time
	@$(PYTEST) --cov --cov-report=term --hypothesis-profile=random $(ARGS)

check: .venv/dev ## Lint, formatting, types, and who imports whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

run: .venv/runtime
	@test -n "$(STAGE)" || { echo 'say which stage: make stage-0 run' >&2; exit 2; }
	@exec $(BIN)/matchstream serve --stage $(STAGE) --play elp-tig-2011-09-10 --speed 60 --loop

stage-%:
	@test -n "$(filter run,$(MAKECMDGOALS))" || { echo 'say what to do with it: make $@ run' >&2; exit 2; }

clean: ## Remove .venv and what tests and measurements wrote
	rm -rf .venv out build *.egg-info .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

.venv/runtime: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo 'Python 3.11 or newer is needed: apt-get install python3 (or make PYTHON=… setup)' >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo 'Python cannot make a virtual environment: apt-get install python3-venv' >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/dev: .venv/runtime
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,report,peers]'
	@touch $@
