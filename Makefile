# Obhut. `make demo` and `make test` set up what they lack; `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

CARGO ?= cargo
SETUP := scripts/setup.sh
# A Node.js that setup fetched from npm because the system's is too old comes first.
export PATH := $(CURDIR)/target/tools/node/bin:$(PATH)

WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -path web/test-results -prune -o -type f -print 2>/dev/null)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# ---------------------------------------------------------------- demo

.PHONY: demo
demo: ## A ward, live in the browser; options in ARGS, e.g. make demo ARGS="--beds 16 --speed 2"
	@$(SETUP) demo
	@$(MAKE) web
	@echo "==> server: building (the first time takes some minutes)"
	@$(CARGO) build --release --locked -p obhut
	@exec target/release/obhut demo $(ARGS)

# ---------------------------------------------------------------- the web pages, embedded in the server

NPM := web/node_modules/.package-lock.json
PAGES := web/dist/index.html

.PHONY: web
web: $(PAGES)
	@:

$(NPM): web/package.json web/package-lock.json
	@echo "==> web: installing packages"
	@cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGES): $(NPM) $(WEB_SOURCES)
	@echo "==> web: building pages"
	@cd web && npm run --silent build
	@touch $@

# ---------------------------------------------------------------- tests

.PHONY: test
test: ## All tests: Rust, documentation examples, web, browser, a short kill -9 torture
	@$(SETUP) test
	@$(MAKE) test-rust test-web test-browser test-torture
	@echo "==> all tests passed"

.PHONY: test-rust
test-rust: web
	@echo "==> rust: building and running tests"
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
	  $(CARGO) nextest run --workspace --locked $(ARGS); \
	else \
	  $(CARGO) test --workspace --locked --lib --bins --tests $(ARGS); \
	fi
	@$(CARGO) test --workspace --locked --doc --quiet

.PHONY: test-web
test-web: $(NPM)
	@echo "==> web: unit tests"
	@cd web && npm test --silent

.PHONY: test-browser
test-browser: web
	@echo "==> browser: server"
	@$(CARGO) build --locked -p obhut
	@scripts/browser-tests.sh target/debug/obhut

.PHONY: test-torture
test-torture: web
	@$(CARGO) build --locked -p obhut
	@python3 scripts/torture.py --obhut target/debug/obhut --runs 3 --full-disk-runs 1 --seed 1

# ---------------------------------------------------------------- before review

.PHONY: check
check: ## Everything that must be clean before review: format, lints, house rules, documentation, web types
	@$(SETUP) check
	@$(MAKE) web
	@echo "==> format"; $(CARGO) fmt --all --check
	@echo "==> house rules"; $(CARGO) xtask tidy
	@echo "==> clippy"; $(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@echo "==> documentation"; RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet
	@echo "==> web"; cd web && npm run --silent check && npm run --silent lint
	@if $(CARGO) deny --version >/dev/null 2>&1; then echo "==> dependencies"; $(CARGO) deny --log-level error check bans licenses sources; \
	else echo "    (cargo-deny is not installed: licences and sources were not checked)"; fi
	@echo "==> clean"

# ---------------------------------------------------------------- longer runs

RUNS ?= 200
.PHONY: torture
torture: ## kill -9 under load RUNS times (200), and RUNS/10 times on a full disk; then look for every acknowledged frame
	@$(SETUP) test
	@$(MAKE) web
	@$(CARGO) build --release --locked -p obhut
	@python3 scripts/torture.py --obhut target/release/obhut --runs $(RUNS) --full-disk-runs $$(( $(RUNS) / 10 )) $(ARGS)

FUZZ_SECONDS ?= 60
.PHONY: fuzz
fuzz: ## Fuzz every decoder FUZZ_SECONDS (60) each; FUZZ_RUNS=10000000 counts executions instead
	@$(SETUP) fuzz
	@scripts/fuzz.sh $(FUZZ_SECONDS) $(TARGETS)

.PHONY: bench
bench: ## Obhut beside mosquitto and beside mosquitto + PostgreSQL, in one run; prints the ratios
	@$(SETUP) bench
	@$(MAKE) web
	@$(CARGO) build --release --locked -p obhut
	@$(CARGO) build --release --locked --manifest-path bench/Cargo.toml
	@python3 bench/run.py --obhut target/release/obhut $(ARGS)

# ---------------------------------------------------------------- release

.PHONY: release
release: ## The shipped binary and its unit, under target/dist
	@$(SETUP) demo
	@$(MAKE) web
	@scripts/release.sh

.PHONY: clean
clean: ## Remove what was built
	@$(CARGO) clean
	@rm -rf web/dist web/node_modules bench/target bench/out fuzz/target
