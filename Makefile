# The commands of Match Stream Lab; `make help` lists them. They are the same on a desk and in CI.

PYTHON ?= python3
BIN := .venv/bin
# `make stage-2.3 run` names a stage by its goal.
STAGE := $(patsubst stage-%,%,$(filter stage-%,$(MAKECMDGOALS)))
BROWSERS := $(if $(filter 4,$(STAGE)),--browser-port 7777)

.DEFAULT_GOAL := help
.PHONY: help setup demo lab lab-stages lab-peers lab-microscope lab-beyond lab-growth lab-most lab-staircase lab-ablation lab-ablation-4 floor report docs test test-all check run clean
.DELETE_ON_ERROR:

help: ## List the targets
	@grep -hE '^[a-z.%-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18
	@printf 'stage-2.3 run     Serve a stage and play the sample match: telnet 127.0.0.1 9999\n'

setup: .venv/runtime ## Make .venv and install what the commands need

demo: .venv/runtime ## Stage 0 and stage 4 under the same waves, side by side: table, picture and results in out/demo
	@$(BIN)/harness demo --out out/demo

# What is measured below is only worth keeping if nothing else runs on the machine. Each target fills one directory of
# reports/results, with one commit (no file may differ from it) on one machine, and goes on with what is missing there.
# Whoever wants a directory measured anew removes it. The minutes are those of two fast cores: on slow ones they are
# twice as many. A campaign ends after its budget, complete but for rounds that would make its intervals narrower: the
# same target goes on with those.

lab: lab-stages lab-peers lab-microscope lab-beyond lab-growth lab-most lab-staircase lab-ablation lab-ablation-4 ## Measure all that reports/results has: some three hours; again, it goes on
.NOTPARALLEL: lab

# A trial that breaks its SLO exits with 1, an invalid one with 3: both are results. What cannot be measured ends it.
SLO = 'failures=0,lost=0,p99<1s'
define measured
@$(BIN)/harness measure --slo $(SLO) $(2) $(1) || { status=$$?; test $$status -eq 1 || test $$status -eq 3; }

endef
REPEATS = 1 2 3
# Machines drift, so what is compared comes round by round, and not three times each.
rounds = $(foreach repeat,$(REPEATS),$(call $(1),$(repeat)))
kept = $(call measured,$(1),--keep reports/results/$(2) --repeat $(3))

lab-stages: .venv/dev ## Every stage and the floor under the talk's loads, three times: 10 minutes
	$(call rounds,stages-round)

define stages-round
$(call kept,--stage 0 -N 900 -C 4 --interval 0.1,stages,$(1))
$(call kept,--stage 1 -N 4000 -C 4 --interval 0.025,stages,$(1))
$(call kept,--stage 2.1 -N 8000 -C 500,stages,$(1))
$(call kept,--stage 2.2 -N 8000 -C 1000,stages,$(1))
$(call kept,--stage 2.3 -N 17000 -C 5000 --rate 1 --events 10,stages,$(1))
$(call kept,--stage 2.4 -N 17000 -C 5000 --rate 1 --events 10,stages,$(1))
$(call kept,--stage 2.5 -N 10000 -C 1000 --rate 2,stages,$(1))
$(call kept,--stage 2.5 -N 17000 -C 8000 --rate 1 --events 10,stages,$(1))
$(call kept,--stage 3 --nodes 6 -N 100000 -C 32000 --interval 10 --events 10 --rate 0.2,stages,$(1))
$(call kept,--peer floor -N 10000 -C 1000 --rate 2,stages,$(1))
$(call kept,--peer floor -N 17000 -C 5000 --rate 1 --events 10,stages,$(1))
endef

# A fan of nchan is an EventSource, and those of four others are WebSockets: what stage 4 has doors for.
DOORS = event-source websocket
PEERS = redis nats mosquitto nchan websockets aiohttp uvicorn ws floor

lab-peers: .venv/dev ## The servers one would choose instead, and the floor, under one load, three times: 8 minutes
	$(call rounds,peers-round)

define peers-round
$(foreach peer,$(PEERS),$(call kept,--peer $(peer) -N 8000 -C 1000,peers,$(1)))
$(call kept,--stage 2.5 -N 8000 -C 1000,peers,$(1))
$(call kept,--stage 3 --nodes 2 -N 8000 -C 1000,peers,$(1))
$(call kept,--stage 4 --workers 1 -N 8000 -C 1000,peers,$(1))
$(foreach door,$(DOORS),$(call kept,--stage 4 --workers 1 --door $(door) -N 8000 -C 1000,peers,$(1)))
endef

# A wave of 8,000 alone: they come faster than any server here answers them, so what it measures is how far that lags.
WAVE = -N 17000 -C 8000 --interval 1 --rate 1 --events 10
CROWD = --stage 4 --workers 1 -N 10000 -C 1000 --rate 1 --events 10

lab-beyond: .venv/dev ## Stage 4 beyond the talk, beside the best peers and the floor, three times: 13 minutes
	$(call rounds,beyond-round)

define beyond-round
$(call kept,--stage 4 --workers 1 $(WAVE),beyond,$(1))
$(foreach peer,nchan redis floor,$(call kept,--peer $(peer) $(WAVE),beyond,$(1)))
$(call kept,--stage 4 --workers 6 -N 100000 -C 32000 --interval 10 --events 10 --rate 0.2,beyond,$(1))
$(call kept,--stage 4 --workers 1 -N 10000 -C 1000 --rate 10 --events 35 --joining 5000/500,beyond,$(1))
$(call kept,$(CROWD),beyond,$(1))
$(call kept,$(CROWD) --slow 5%,beyond,$(1))
endef

# Fans come at one rate, 4,000 a second, however many they are; a million needs some 8 GB and several minutes, so it comes once.
GROWN = --stage 4 -C 1000 --events 2
SOME = $(GROWN) --rate 0.2
RATES = 1 2 5 10 20 50 100

lab-growth: .venv/dev ## What more fans, events and workers cost stage 4: 20 minutes
	$(call rounds,growth-round)
	$(call measured,$(SOME) --workers 56 -N 1000000,--keep reports/results/growth --repeat 1)

define growth-round
$(call kept,$(SOME) --workers 1 -N 1000,growth,$(1))
$(call kept,$(SOME) --workers 1 -N 10000,growth,$(1))
$(call kept,$(SOME) --workers 6 -N 100000,growth,$(1))
$(foreach rate,$(RATES),$(call kept,--stage 4 --workers 1 -N 2000 -C 1000 --rate $(rate) --events $$(($(rate) * 5)),growth,$(1)))
$(foreach workers,1 2 4,$(call kept,--stage 4 --workers $(workers) -N 17000 -C 8000 --rate 1 --events 10,growth,$(1)))
endef

# It takes 17 GB, the kernel's settings for a million (harness tune apply million), and 5,200,000 open files on the machine
# (fs.file-max).
lab-most: .venv/dev ## As many fans as this machine has room for, once: 20 minutes
	$(call measured,$(GROWN) --rate 0.006 --workers 124 -N 2300000,--keep reports/results/most --repeat 1)

lab-microscope: .venv/dev ## One trial of stage 2.5 with all its moments, which the others are kept without: a minute
	@ls reports/results/microscope/*.json > /dev/null 2>&1 || { \
	  { $(BIN)/harness measure --stage 2.5 -N 17000 -C 5000 --rate 1 --events 10 --slo $(SLO) \
	    --out reports/results/microscope || test $$? -ne 2; } && rm -f reports/results/microscope/*.png; }

lab-staircase: .venv/dev ## Every stage's limits, and all of them under the same loads: 32 minutes of it
	@$(BIN)/harness staircase --floor --rounds 3 --budget 32m --out reports/results/staircase

lab-ablation: .venv/dev ## What each lesson of the talk is worth, where it is at work: 60 minutes of it
	@$(BIN)/harness ablate --stage 3 --rounds 3 --budget 60m --out reports/results/ablation

OF_STAGE_4 = fd-plane encode-once write-behind workers time-slices slow-fans resume admission drain event-source websocket

lab-ablation-4: .venv/dev ## … and each of stage 4: 25 minutes of it
	@$(BIN)/harness ablate $(foreach lesson,$(OF_STAGE_4),--lesson $(lesson)) --rounds 3 --budget 25m \
	  --out reports/results/ablation-4

floor: .venv/runtime ## Compile the bare epoll server in C, which does nothing else, and measure it
	@$(BIN)/harness measure --slo $(SLO) --out out/floor --peer floor -N 8000 -C 1000

report: .venv/dev ## Renew all that is made of results: notebooks, pictures, README, and one page, out/report.html
	@$(BIN)/harness report
	@$(BIN)/harness draw reports/results/staircase/staircase.json --out reports/pictures
	@test ! -d reports/results/growth || { $(BIN)/harness draw reports/results/growth --out out/growth && \
	  cp out/growth/all-growth.png reports/pictures/growth.png; }
	@$(BIN)/harness fill README.md
	@$(BIN)/harness fill docs/pages/course/index.md

# The variable has the theme not tell of a MkDocs 2, which is not the one that is pinned here.
docs: .venv/dev ## Build the documentation site, build/site/index.html: half a minute; a broken link fails it
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict -f docs/mkdocs.yml

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
	@exec $(BIN)/matchstream serve --stage $(STAGE) --play elp-tig-2011-09-10 --speed 60 --loop $(BROWSERS)

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
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[harness]'
	@touch $@

.venv/dev: .venv/runtime
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
