# Gantry: `make run` to try it, `make test` to prove it, `make help` for the rest.
SHELL := /bin/sh
.DEFAULT_GOAL := help

# Always the whole workspace, never one package: cargo unifies features over what is selected, and another selection
# would compile wasmtime again.
UNIT := --lib --bins --test all --test captured --test cmma_ga --test dictionary_ga --test house --test incremental --test mabc --test promises --test quota_ga --test sandbox_equals_native --test system --test tcga
E2E := --test e2e --test real

.PHONY: help setup run simulate test check e2e soak bench referees papers deny fmt clean

export CARGO_TERM_COLOR ?= auto
# Scenarios wait for kube-scheduler's own pauses a good part of their time: three at once also on two cores, of which two
# have a control plane.
export RUST_TEST_THREADS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN); [ "$$cores" -gt 3 ] && echo "$$cores" || echo 3)
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

help: ## Lists the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: ## Installs what building needs and is missing
	@scripts/setup.sh build

run: setup ## Shows `simulate` on a recorded cluster, then serves on 127.0.0.1:8888; prints curl lines and their answers
	cargo build --release --locked -p gantry-extender -p kubectl-gantry
	@built=$$(cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release; \
	echo; echo 'kubectl gantry simulate examples/cluster.json'; echo; \
	"$$built/kubectl-gantry" simulate examples/cluster.json; \
	echo; exec "$$built/gantry-extender" serve --demo

simulate: setup ## On paper, Gantry beside kube-scheduler: `simulate` on a recorded cluster (FILE=examples/cluster.json)
	cargo run --release --locked -p kubectl-gantry -- simulate $(or $(FILE),examples/cluster.json)

test: ## Every test there is, the real control plane's too (what CI runs)
	@scripts/setup.sh check
	@scripts/setup.sh test
	tests/e2e/build.sh
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo test --locked --workspace

check: ## The fast loop: format, lints, and the tests that need no other program
	@scripts/setup.sh check
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo test --locked --workspace $(UNIT)

e2e: ## Only the tests against a real control plane, Prometheus and Redis (FULL=1: five seeds everywhere, as in README)
	@scripts/setup.sh test
	tests/e2e/build.sh
	cargo test --locked --workspace $(E2E)

soak: ## Half an hour of change at random on a real control plane (GANTRY_SOAK=10m and GANTRY_SOAK_SEED=7 for another)
	@scripts/setup.sh test
	tests/e2e/build.sh
	GANTRY_SOAK=$${GANTRY_SOAK:-30m} cargo test --locked --workspace --test e2e soak -- --nocapture

bench: ## Measures what the README quotes; prints machine, command, baseline and ratio (ONLY=solver, forecaster, "scheduling-time nodes=5000", FULL=1)
ifeq ($(ONLY),forecaster)
	@scripts/setup.sh build
	cargo run --release --locked -p gantry-forecaster -- backtest forecaster/data/nab
	cargo run --release --locked -p gantry-forecaster --example inference
	cargo run --release --locked -p gantry-forecaster --example poll
	cargo run --release --locked -p gantry-forecaster --example memory
else ifeq ($(firstword $(ONLY)),solver)
	@scripts/setup.sh build
	cargo bench --locked --workspace --bench solver -- $(wordlist 2,$(words $(ONLY)),$(ONLY))
else
	@scripts/setup.sh test
	tests/e2e/build.sh
	cargo bench --locked --workspace --bench gantry $(if $(ONLY),,--bench solver) -- $(ONLY)
	$(if $(ONLY),,$(MAKE) bench ONLY=forecaster)
endif

referees: setup ## pymoo, DEAP, OR-Tools and HiGHS place the same pods (Python 3.11); ONLY=forecaster: PyTorch's inference
ifeq ($(ONLY),forecaster)
	cargo build --release --locked -p gantry-forecaster --example inference
	python3 -m venv target/pytorch
	target/pytorch/bin/pip install --quiet --disable-pip-version-check --requirement forecaster/tests/fixtures/requirements.txt
	target/pytorch/bin/python forecaster/examples/inference.py target/release/examples/inference
else
	cargo build --release --locked -p gantry-papers --example placement
	python3 -m venv target/referees
	target/referees/bin/pip install --quiet --disable-pip-version-check --requirement tests/referees/requirements.txt
	target/referees/bin/python tests/referees/referees.py target/release/examples/placement $(ARGUMENTS)
endif

papers: setup ## Runs the source documents' experiments and writes docs/papers.md with its plots
	cargo run --release --locked -p gantry-papers -- docs

deny: ## Licences, sources and duplicate versions of all dependencies (installs cargo-deny when missing)
	@cargo deny --version >/dev/null 2>&1 || cargo install --locked cargo-deny@0.20.2
	cargo deny --all-features check licenses bans sources

fmt: ## Formats the code
	cargo fmt --all

clean: ## Removes build output
	cargo clean
