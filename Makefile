# Everything that pgfeed does from a command line. `make` lists it.

# From another folder: make -C DIR ...; for env and token make -s -C DIR ..., because make
# itself prints the folder otherwise.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFILE := $(abspath $(lastword $(MAKEFILE_LIST)))
B := $(patsubst %/Makefile,%,$(MAKEFILE))/bin
# make changes folder before it runs anything; the caller's is what the shell left here.
export CALLED_FROM := $(PWD)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' "$(MAKEFILE)" | expand -t 10 | sed 's/^/  make /'

.PHONY: demo
demo: ## from nothing to a user's feed: install, start, a small world, train, print
	@"$(B)/demo"

.PHONY: up
up: ## start the instance, deploying what is new
	@"$(B)/up"

.PHONY: down
down: ## stop it; the data stays
	@"$(B)/down"

.PHONY: load
load: up ## DATA=dir [SHIFT=1]: load users, listings and interactions from CSV files
	@"$(B)/load" "$${DATA:-}" "$${SHIFT:-}"

.PHONY: synth
synth: up ## SCALE=tiny|small|medium: load a synthetic world
	@"$(B)/pgfeed" synth --scale "$${SCALE:-tiny}"

.PHONY: train
train: up ## run the jobs that compute, now
	@"$(B)/pgfeed" train

.PHONY: env
env: ## print export lines: eval "$(make env)"
	@"$(B)/env"

.PHONY: token
token: ## USER_UID=... [ROLE=...]: print a signed token
	@"$(B)/token" $${USER_UID:+"$$USER_UID"} --role "$${ROLE:-authenticated}"

.PHONY: psql
psql: ## psql in the instance's database
	@"$(B)/psql"

.PHONY: doctor
doctor: ## check everything, and say what to do about what is wrong
	@"$(B)/doctor"

.PHONY: bench
bench: ## SCALE=small|medium: measure beside baselines, one JSON object a line
	@"$(B)/install" --quiet
	@"$(B)/pgfeed" bench --scale "$${SCALE:-small}" $${REBUILD:+--rebuild} $${DOCUMENT:+--document}

.PHONY: plot
plot: ## the plot of feed latency against the number of listings, into docs/benchmarks/
	@"$(B)/install" --quiet
	@"$(B)/pgfeed" bench --plot

.PHONY: scaling
scaling: ## [DATA="dir dir"]: the plot of training by users, and what may be left out
	@"$(B)/install" --quiet
	@"$(B)/pgfeed" bench --scaling $${DATA:+$$(printf ' --data %s' $$DATA)}

.PHONY: steps
steps: ## what each step past one machine carries, from the figures in docs/benchmarks/
	@"$(B)/install" --quiet
	@"$(B)/pgfeed" bench --steps

.PHONY: docs
docs: up ## write the pages of docs/ that come from the database's comments
	@"$(B)/pgfeed" docs

.PHONY: evaluate
evaluate: ## DATA=dir|synth [DOCUMENT=1]: the feed beside baselines on data of the past
	@"$(B)/evaluate" "$${DATA:-}" $${REUSE:+--reuse} $${DOCUMENT:+--document}

.PHONY: lint
lint: ## sqlfluff, ruff and shellcheck
	@"$(B)/lint"

.PHONY: test
test: ## pgTAP, lint and pytest on an instance of its own
	@"$(B)/../tests/run"
