# The two commands are `make demo` and `make test`; both set themselves up and touch nothing outside this folder.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: coverage-own mutants
.PHONY: help demo test check quick run lint types status unit programs code alone steady coverage format bench bench-before bench-units bench-instructions faults
.PHONY: kills kills-alerts soak simulate upgrade pictures dist deb image clean before-given

help:
	@echo "make demo    see it at work: a lying gateway, an unlinked phone, a truthful list"
	@echo "make test    lint, type-check and test everything"
	@echo "make check   lint, type-check and run the quick tests, for the edit loop: about a minute"
	@echo "make steady  run the tests RUNS=10 times, beside BUSY=0 busy processes, to the first failure"
	@echo "make run     run the proxy with ./config.yaml"
	@echo "make format  format, and fix what can be fixed automatically"
	@echo "make bench   measure against nginx, haproxy and others (installs them: Debian, root)"
	@echo "             (AGAINST=HEAD~1: and against another revision or checkout)"
	@echo "make bench-before BEFORE=HEAD~1  measure side by side with another revision or checkout, and nothing else"
	@echo "make bench-units BEFORE=HEAD~1   the same for reading an event and correcting a list, without sockets"
	@echo "make bench-instructions BEFORE=HEAD~1   instructions for one answer: a change of two percent shows"
	@echo "make faults  repeat every fault of docs/reliability.md against the proxy: at most ten minutes"
	@echo "make kills   kill proxy and gateway in random order under load, KILLS=40 times, and look for what is lost"
	@echo "             (STORE=redis: two proxies and their Redis)"
	@echo "make kills-alerts  kill the proxy at each step of sending an alert, KILLS=40 times, and look for alerts that were not sent"
	@echo "make soak    ten minutes of mixed traffic, every byte checked (SOAK_SECONDS=60 for one), then 600 kills"
	@echo "make upgrade BEFORE=DIR  upgrade two proxies under load from another checkout (or revision) to this one"
	@echo "make simulate  ten thousand schedules of many proxies that share a map (SCHEDULES=, SEED=)"
	@echo "make coverage  run all tests once more, and name what none of them covers"
	@echo "make coverage-own  name each source file that its own test file does not cover (ROOM=status for one room)"
	@echo "make mutants  change the code in a sample of places, and name what no test notices (ROOM=, SAMPLE=, SEED=;"
	@echo "              OTHERS=1: try what the own tests do not notice against those beside them, too)"
	@echo "make pictures  draw, record and photograph the pictures of the README again (needs Chromium)"
	@echo "make dist    build the wheel and the source distribution into dist/, and check them: docs/python.md"
	@echo "make deb     build the Debian package for the release that this machine runs: docs/debian.md"
	@echo "make image   build the container image, with docker, podman or buildah: docs/docker.md"
	@echo "make clean   remove what the other commands made"

# One stamp for each set of packages. It is younger than the pins: then the environment holds just these versions.
# pip says what it does while it does it, and keeps no cache outside this folder.
tool = PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m
install = test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); $(tool) pip install -c constraints.txt

$(VENV)/.run: pyproject.toml constraints.txt
	@echo "Installing what statusproxy needs into $(VENV), once: about 11 MB to download"
	@$(install) -e .
	@touch $@

$(VENV)/.release: pyproject.toml constraints.txt
	@echo "Installing what builds the wheel into $(VENV), once: about 20 MB to download"
	@$(install) -e '.[release]'
	@touch $(VENV)/.run $@

$(VENV)/.ready: pyproject.toml constraints.txt
	@echo "Installing what the tests need into $(VENV), once: about 60 MB to download"
	@$(install) --quiet uv && $(tool) tests.quick_install -c constraints.txt -e '.[test]'
	@touch $(VENV)/.run $(VENV)/.release $@

demo: $(VENV)/.run
	@$(BIN)/statusproxy demo

run: $(VENV)/.run
	@$(BIN)/statusproxy run

# Side by side, each one's words in one piece where make can do that. A number right behind it bounds how many at once.
beside = $(MAKE) --no-print-directory $(if $(filter output-sync,$(.FEATURES)),--output-sync) -j

# Before a recipe: its words are shown as they come even so. That is what `+` does beside its own task, to run for
# `make -n` too: there it is left out.
live = $(if $(findstring n,$(firstword -$(MAKEFLAGS))),,+)

test: $(VENV)/.ready
	@$(beside)$(CORES) lint status $(VENV)/.compiled-programs types
	@$(MAKE) --no-print-directory unit alone

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/vulture

types: $(VENV)/.ready
	$(BIN)/mypy

CORES := $(shell nproc 2>/dev/null || echo 2)

# What `make code` does, in as many processes as there are cores. From sixteen on, single files take longer than a share.
shares := $(addprefix code-,$(shell seq $(CORES) | head -n 16))

# Compiled modules are kept, whatever the environment says: each worker and each of the hundreds of programs that the
# tests start would compile them again, and a start that is measured would be that of a program that no one runs.
status programs code $(shares) quick steady coverage: export PYTHONDONTWRITEBYTECODE :=
$(VENV)/.compiled $(VENV)/.compiled-programs: export PYTHONDONTWRITEBYTECODE :=
alone-computing alone-holding: export PYTHONDONTWRITEBYTECODE :=
bench bench-before bench-units bench-instructions faults kills kills-alerts soak upgrade: export PYTHONDONTWRITEBYTECODE :=

# The first time the tests are read, once, before each worker would do it for itself: all, or those of `make programs`.
# What is wrong shows when they run.
$(VENV)/.compiled $(VENV)/.compiled-programs: $(VENV)/.ready
	@$(BIN)/python -m pytest --collect-only -qq $(if $(findstring programs,$@),--part programs) >/dev/null || true
	@touch $@

spread = --dist loadgroup --no-loadscope-reorder

# What starts programs, machines and browsers waits more than it computes: twice as many workers as cores.
WORKERS ?= $(shell expr 2 \* $(CORES))
parallel = -n $(WORKERS) $(spread)

# The domain's own examples must cover it whole, branch by branch; its properties are tried unmeasured, with the others.
# One process: two would take a quarter more, and `make test` has other work for the second processor.
status: $(VENV)/.ready
	$(live)$(BIN)/python -m pytest --part status --cov=statusproxy.status --cov-report=term:skip-covered --cov-fail-under=100

unit: $(VENV)/.ready
	@$(beside) programs $(shares)

programs: $(VENV)/.compiled-programs
	$(BIN)/python -m pytest $(parallel) -m "not measuring" --part programs

code: $(VENV)/.ready
	@$(beside) $(shares)

.PHONY: $(shares)
$(shares): code-%: $(VENV)/.ready
	$(BIN)/python -m pytest -m "not measuring" --part code --share $*/$(words $(shares))

# What measures how long others wait, when nothing else runs. Those that compute take about half a processor each; those
# that only hold places take a sixth, and run beside them, one after the other.
alone: $(VENV)/.ready
	@$(beside) alone-computing alone-holding

.PHONY: alone-computing alone-holding
alone-computing: $(VENV)/.ready
	$(BIN)/python -m pytest -n $(CORES) $(spread) -m "measuring and not holding" tests/faults

alone-holding: $(VENV)/.ready
	$(BIN)/python -m pytest -m "measuring and holding" tests/faults

# The quick tests compute more than they wait: as many workers as cores, as each reads them all. What they leave idle,
# lint and types use.
check: $(VENV)/.ready
	@$(beside) lint types quick

# Properties are tried with fewer examples.
quick: $(VENV)/.compiled
	$(live)HYPOTHESIS_PROFILE=brief $(BIN)/python -m pytest -q -n $(CORES) $(spread) -m "not slow" --durations 5 --durations-min 2

coverage: $(VENV)/.ready
	$(BIN)/python -m pytest $(parallel) -m "not measuring" --cov=statusproxy --cov-report=term:skip-covered

# How well the tests hold. ROOM is a folder or file below statusproxy/.
ROOM ?=
SAMPLE ?= 200
SEED ?= 1
SECONDS ?= 600

coverage-own: $(VENV)/.ready
	$(BIN)/python -m tests.quality.coverage_own --room "$(ROOM)"

mutants: $(VENV)/.ready
	$(BIN)/python -m tests.quality.mutants --room "$(ROOM)" --sample $(SAMPLE) --seed $(SEED) --seconds $(SECONDS) $(if $(OTHERS),--others)

# The same bytes for the same commit: the time of all files in the archives is the commit's.
image:
	@packaging/container/build.sh

dist: $(VENV)/.release
	@rm -f dist/statusproxy-*.whl dist/statusproxy-*.tar.gz
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || echo 1767225600) \
		$(BIN)/python -m build --no-isolation --outdir dist .
	$(BIN)/python -m twine check --strict dist/statusproxy-*.whl dist/statusproxy-*.tar.gz
	$(BIN)/python -m check_wheel_contents dist/statusproxy-*.whl

# The whole suite repeatedly, to the first failure: RUNS times, beside BUSY processes that only compute.
RUNS ?= 10
BUSY ?= 0
steady: $(VENV)/.ready
	@bash tests/steady.sh $(RUNS) $(BUSY) $(MAKE) --no-print-directory status unit alone

format: $(VENV)/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# AGAINST is a revision, or another checkout that has its .venv: the same is measured of it, in the same turns.
AGAINST ?=
bench: $(VENV)/.ready
	$(BIN)/python -m benchmarks $(if $(AGAINST),--against $(AGAINST))

# Said before anything is installed.
before-given:
	@test -n "$(BEFORE)" || { echo "BEFORE=REF is missing, for example BEFORE=HEAD~1" >&2; exit 2; }

bench-before: before-given $(VENV)/.ready
	$(BIN)/python -m benchmarks.before $(BEFORE)

bench-units: before-given $(VENV)/.ready
	$(BIN)/python -m benchmarks.units_before $(BEFORE)

bench-instructions: before-given $(VENV)/.ready
	$(BIN)/python -m benchmarks.instructions $(BEFORE)

faults: $(VENV)/.ready
	$(BIN)/python -m tests.faults

KILLS ?= 40
STORE ?= sqlite
kills: $(VENV)/.ready
	$(BIN)/python -m tests.kills --kills $(KILLS) --store $(STORE)

kills-alerts: $(VENV)/.ready
	$(BIN)/python -m tests.kills --kills $(KILLS) --alerts

soak: $(VENV)/.ready
	$(BIN)/python -m tests.soak
	$(BIN)/python -m tests.kills --kills 300
	$(BIN)/python -m tests.kills --kills 300 --store redis

upgrade: before-given $(VENV)/.ready
	$(BIN)/python -m tests.upgrade $(BEFORE)

simulate: SCHEDULES ?= 10000
simulate: SEED ?= 0
simulate: $(VENV)/.ready
	$(BIN)/python -m tests.status.simulation $(SCHEDULES) $(SEED)

# The drawings, the recording of the demo, and the status page as a browser shows it, where that has changed.
pictures: $(VENV)/.ready
	$(BIN)/python -m tests.illustrations

deb:
	@bash packaging/deb/build.sh

clean:
	rm -rf $(VENV) build dist htmlcov artifacts .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
