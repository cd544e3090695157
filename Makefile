# Gantry: `make run` to try it, `make test` to prove it, `make help` for the rest.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup run test check e2e bench deny fmt clean

export CARGO_TERM_COLOR ?= auto
export PATH := $(HOME)/.cargo/bin:$(PATH)

help: ## Lists the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: ## Installs what building needs and is missing
	@scripts/setup.sh build

run: setup ## Builds and serves on 127.0.0.1:8888 with the built-in plugin; prints a curl line and its answer
	cargo build --release --locked -p gantry-extender
	exec target/release/gantry-extender serve --demo

test: ## Every test there is, the real control plane's too (what CI runs)
	@scripts/setup.sh test
	tests/e2e/build.sh
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo build --locked -p gantry-extender
	cargo test --locked --workspace

check: setup ## The fast loop: format, lints, and the tests that need no control plane
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo test --locked --workspace --exclude gantry-tests

e2e: ## Only the tests against the real control plane
	@scripts/setup.sh test
	tests/e2e/build.sh
	cargo build --locked -p gantry-extender
	cargo test --locked -p gantry-tests

bench: ## Measures what the README quotes; prints machine, command, baseline and ratio
	@scripts/setup.sh test
	tests/e2e/build.sh
	cargo build --release --locked -p gantry-extender
	cargo bench --locked -p gantry-tests

deny: ## Licences, sources and duplicate versions of all dependencies (installs cargo-deny when missing)
	@cargo deny --version >/dev/null 2>&1 || cargo install --locked cargo-deny@0.20.2
	cargo deny --all-features check licenses bans sources

fmt: ## Formats the code
	cargo fmt --all

clean: ## Removes build output
	cargo clean
