# Every task that a person or the build server runs. `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules --no-print-directory

WEB := web/app
VENV := target/venv
# What schemathesis needs to know of the API, and which version it is.
SCHEMATHESIS := internal/manager/tests/schemathesis
ADDON := target/flamenco-addon.zip
# Checks openapi.yaml against the names, types and status codes of Flamenco 3.9.
CONTRACT_CHECK ?= ../shared/tools/check_wire_contract.py

# A proxy is never between the programs of one machine.
export NO_PROXY := 127.0.0.1,localhost
export no_proxy := $(NO_PROXY)

# What the add-on is tested in: Debian's program, and the bpy module from PyPI in Pythons of their own.
BLENDERS := blender bpy-5.0.1
ALL_BLENDERS := $(BLENDERS) bpy-4.5.15

.PHONY: all web addon generate check check-sources test test-addon test-addon-all chaos schemathesis demo screenshots measure bench bench-addon dev clean help programs

all: web ## Build ./flamenco-manager and ./flamenco-worker, with the web app in them (this is the default)
	@.ci/install cargo cc
	cargo build --release --package flamenco-manager --package flamenco-worker
	@cp --force --remove-destination target/release/flamenco-manager target/release/flamenco-worker .
	@ls -l --human-readable flamenco-manager flamenco-worker

demo: all ## Render a small job on a farm of your own, and look at it in the browser
	@.ci/install blender ffmpeg
	@cargo xtask demo

screenshots: web programs ## Take the pictures of README and manual anew, of pages with really rendered frames
	@.ci/install blender ffmpeg chromium
	cd $(WEB) && npm run screenshots

measure: web ## Measure the web app in a browser: 10,000 jobs, 100,000 tasks, 500 updates a second, 100 MB of log
	@.ci/install chromium
	cargo build --release --package flamenco-manager
	cd $(WEB) && FLAMENCO_PROGRAMS=../../target/release npm run measure

bench: web ## Measure how many tasks a second a manager hands out, on SQLite and PostgreSQL
	@.ci/install cargo cc postgresql
	cargo build --release --package flamenco-manager --package xtask
	POSTGRES_DURABLE=1 .ci/with-postgres target/release/xtask bench --json target/bench.json --markdown target/bench.md

test: web programs test-addon ## Run every test there is
	@.ci/install blender ffmpeg chromium mosquitto postgresql
	.ci/with-postgres cargo test --workspace --no-fail-fast
	cd $(WEB) && npm test
	.ci/schemathesis
	.ci/e2e
	target/debug/xtask demo --once --programs target/debug --folder target/test-demo

schemathesis: $(VENV)/ready ## Send a manager requests that are made up from openapi.yaml
	@.ci/install cargo cc
	cargo build --package flamenco-manager
	.ci/schemathesis

bench-addon: $(ADDON) $(VENV)/ready ## Measure the way from Blender to the farm: first frame, uploads, memory
	@.ci/install cargo cc blender
	cargo build --release --package flamenco-manager --package flamenco-worker
	PROGRAMS=target/release $(VENV)/bin/python addon/tests/blender/measure.py

chaos: programs ## Kill a manager twenty times under load, on both databases; CHAOS_SEED=N has a bad day again
	@.ci/install postgresql
	CHAOS_TASKS=$${CHAOS_TASKS:-2000} CHAOS_KILLS=$${CHAOS_KILLS:-20} .ci/with-postgres \
	    cargo test --package flamenco-worker --test system -- --nocapture --test-threads 1 chaos
	CHAOS_TASKS=$${CHAOS_TASKS:-400} CHAOS_KILLS=$${CHAOS_KILLS:-10} .ci/with-postgres \
	    cargo test --package flamenco-manager-core --test it -- --nocapture --test-threads 1 chaos
	PROPTEST_CASES=$${PROPTEST_CASES:-2000} .ci/with-postgres \
	    cargo test --package flamenco-manager-core --test it -- state_machine

# Most of it in both Blenders, what takes long in one of them.
test-addon: $(ADDON) programs $(VENV)/ready $(patsubst bpy-%,target/venv-bpy-%/ready,$(filter bpy-%,$(BLENDERS))) ## Test the add-on in real Blenders
	@.ci/install blender xvfb
	FLAMENCO_TEST_BLENDERS='$(BLENDERS)' $(VENV)/bin/python -m pytest --quiet addon/tests

test-addon-all: BLENDERS := $(ALL_BLENDERS)
test-addon-all: $(patsubst bpy-%,target/venv-bpy-%/ready,$(filter bpy-%,$(ALL_BLENDERS))) test-addon ## The same, also in Blender 4.5

check: check-sources test ## Run what the build server runs: everything that can be checked, then every test

# With everything that the tests need, so that nothing is compiled twice.
programs:
	@.ci/install cargo cc
	cargo build --workspace --all-targets

check-sources: web programs $(VENV)/ready
	@.ci/install clippy rustfmt
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS='--deny warnings' cargo doc --workspace --no-deps
	target/debug/xtask arrows
	target/debug/xtask generate --check
	cd $(WEB) && npm run generate -- --check
	cd $(WEB) && npm run lint && npm run typecheck && npm run size
	cd addon && ../$(VENV)/bin/ruff check . && ../$(VENV)/bin/ruff format --check . && ../$(VENV)/bin/mypy flamenco build.py
	@if [ -e $(CONTRACT_CHECK) ]; then \
	    echo $(VENV)/bin/python $(CONTRACT_CHECK) openapi.yaml; \
	    $(VENV)/bin/python $(CONTRACT_CHECK) openapi.yaml; \
	else \
	    echo "Skipped: there is no $(CONTRACT_CHECK) to check openapi.yaml with."; \
	fi
	target/debug/xtask unimplemented

generate: $(WEB)/node_modules/.package-lock.json ## Write the code that follows from openapi.yaml
	@.ci/install cargo
	cargo xtask generate
	cd $(WEB) && npm run generate

web: $(WEB)/dist/index.html $(WEB)/dist/flamenco-addon.zip ## Build the web app, and the add-on that it offers

addon: $(ADDON) ## Build the add-on for Blender, target/flamenco-addon.zip

dev: $(WEB)/node_modules/.package-lock.json ## Run a manager, and the web app with live reload
	@.ci/install cargo cc
	cargo build --package flamenco-manager
	@mkdir -p target/dev
	@(cd target/dev && exec ../debug/flamenco-manager) & trap "kill $$!" EXIT; cd $(WEB) && npm run dev

clean: ## Remove everything that was built
	cargo clean
	rm -rf $(WEB)/dist $(WEB)/node_modules test-artifacts flamenco-manager flamenco-worker addon/flamenco/wheels

help: ## List these targets
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 22

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json
	@.ci/install node
	cd $(WEB) && npm ci --no-audit --no-fund
	@touch $@

$(WEB)/dist/index.html: $(WEB)/node_modules/.package-lock.json $(WEB)/index.html $(wildcard $(WEB)/*.config.ts $(WEB)/tsconfig*.json $(WEB)/scripts/*.mjs) \
    $(shell find $(WEB)/src $(WEB)/public -type f -not -name '*.test.ts')
	cd $(WEB) && npm run build

# Vite empties the folder whenever it builds, so this comes after it.
$(WEB)/dist/flamenco-addon.zip: $(ADDON) $(WEB)/dist/index.html
	cp $(ADDON) $@

$(ADDON): addon/build.py addon/wheels.txt LICENSE Cargo.toml $(VENV)/ready \
    $(shell find addon/flamenco -type f -not -path '*/__pycache__/*' -not -path '*/wheels/*')
	$(VENV)/bin/python addon/build.py $@

$(VENV)/ready: Makefile $(SCHEMATHESIS)/requirements.txt
	@.ci/install python3-venv
	python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check pytest urllib3 pyyaml zstandard ruff==0.17.6 mypy==2.4.1 \
	    blender-asset-tracer==1.23 --requirement $(SCHEMATHESIS)/requirements.txt
	@touch $@

target/venv-bpy-%/ready:
	@.ci/install python3-venv bpy
	python3 -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check bpy==$*
	@touch $@
