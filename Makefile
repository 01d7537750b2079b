# `make demo` and `make test` need Python >= 3.11 (with venv), make and a package registry; nothing else.
# PYTHON=/path/to/python3.12 chooses the interpreter, VENV=folder where the environment goes.

PYTHON ?=
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# -qq: errors only. --no-compile: of the 20 000 files only those that are imported get compiled, when they are.
INSTALL := $(PIP) install -qq --progress-bar off --no-compile --constraint constraints.txt

# Waiting threads sleep instead of spinning: on a machine that does something else too, that halves the time
# (one prompt on 2 cores beside one other process: 14 s instead of 26 to 30). Read when torch is loaded.
export OMP_WAIT_POLICY ?= PASSIVE

.DEFAULT_GOAL := help
.PHONY: help demo test lint fix docs bench clean

help: ## say what can be made
	@echo "make demo   install, fetch the built-in weights and three clips, write and print a prompt for each clip"
	@echo "make test   install with the developer tools and run the tests"
	@echo "make lint   ruff and mypy, changing nothing"
	@echo "make fix    let ruff format and mend what it can"
	@echo "make docs   write docs/cli.md from the live commands"
	@echo "make bench  measure speed on this machine (see benchmarks/)"
	@echo "make clean  remove the environment and the demo's output (fetched weights stay)"

# ---- environment ----------------------------------------------------------------------------------------------

# An environment that is there and new enough is used as it is. Otherwise the first interpreter that is new enough
# and can make environments is taken; when none is, the message says what each candidate lacked.
$(VENV)/.made:
	@if "$(BIN)/python" -c 'import sys, pip; sys.exit(sys.version_info[:2] < (3, 11))' 2>/dev/null; then \
	  echo "[1/4] using the environment in $(VENV)"; exit 0; \
	fi; \
	found=""; seen=""; \
	for candidate in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11 python3.14 python); do \
	  version=$$("$$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
	  seen="$$seen $$candidate is $$version;"; \
	  "$$candidate" -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' || continue; \
	  if "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then found="$$candidate"; break; fi; \
	  seen="$$seen but without its venv module (Debian and Ubuntu: apt install python3-venv);"; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "make: VidPrompter needs Python 3.11 or newer with venv;$${seen:- none was found;}" \
	       "install one, or name one: make demo PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	echo "[1/4] making $(VENV) with $$found ($$version)"; \
	"$$found" -m venv --clear "$(VENV)" && $(INSTALL) --upgrade pip
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	@echo "[2/4] installing VidPrompter (about 2 minutes; 3 GB to fetch the first time, 6 GB on disk)"
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.made pyproject.toml constraints.txt
	@echo "[2/4] installing VidPrompter and the developer tools (about 2 minutes; 3 GB to fetch, 6 GB on disk)"
	@$(INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.installed

# Prints file name and prompt (or what went wrong) of each row: the run itself prints only a summary.
SHOW = import json, pathlib, sys; \
  rows = map(json.loads, pathlib.Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()); \
  print(*("\n%s\n%s" % (pathlib.Path(r["path"]).name, r["prompt"] or r["error"]) for r in rows), sep="\n")

# ---- what people run ------------------------------------------------------------------------------------------

# The long time limit is for machines that are busy with something else.
demo: $(VENV)/.installed
	@echo "[3/4] fetching the built-in weights and three example clips (about 225 MB, kept for next time)"
	@$(BIN)/vidprompter models pull builtin example-clips >/dev/null
	@echo "[4/4] writing a prompt for each clip into demo/captions.jsonl"
	@mkdir -p demo
	@$(BIN)/vidprompter caption "$$($(BIN)/vidprompter models path example-clips)" --out demo/captions.jsonl \
	  --retry-failed --decode-timeout 300
	@$(BIN)/python -c '$(SHOW)' demo/captions.jsonl

test: $(VENV)/.installed-dev
	@echo "[3/4] fetching the built-in weights (about 225 MB, kept for next time)"
	@$(BIN)/vidprompter models pull builtin example-clips >/dev/null \
	  || echo "no weights: the tests marked 'weights' will be skipped, and say so" >&2
	@echo "[4/4] running the tests"
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

fix: $(VENV)/.installed-dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(VENV)/.installed-dev
	@$(BIN)/python docs/generate_cli.py

bench: $(VENV)/.installed-dev
	@$(BIN)/vidprompter models pull builtin example-clips >/dev/null
	@mkdir -p demo
	@echo "[1/2] camera motion on clips rendered from the example clips (about a minute)"
	@$(BIN)/python benchmarks/camera_motion.py --clips "$$($(BIN)/vidprompter models path example-clips)"
	@echo "[2/2] the form of the prompts for 30 ideas (some minutes on a CPU)"
	@$(BIN)/vidprompter expand --from benchmarks/data/ideas.txt --json >demo/ideas.json
	@$(BIN)/python benchmarks/prompt_form.py demo/ideas.json

clean:
	rm -rf $(VENV) demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
