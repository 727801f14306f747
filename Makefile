# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
#
# `make` alone lists the targets: the text behind each `##`.

PREFIX ?= /usr/local
DESTDIR ?=
CONFIG ?= config.yaml
MAN_SECTIONS := 1 5 7 8
# Where the shells look for completions: below PREFIX/share.
COMPLETIONS := bash-completion/completions/routerctl zsh/site-functions/_routerctl fish/vendor_completions.d/routerctl.fish

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# One after the other: two builds in one .build folder would only wait for each other.
.NOTPARALLEL:

# Exclusivity checks at run time cost the data path a tenth; debug builds, and so the tests, keep them.
RELEASE := swift build -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked
# Only asked when a recipe needs it: it takes a second.
RELEASE_DIR = $$($(RELEASE) --show-bin-path)
SWIFT_FILES := Package.swift Sources Tests Benchmarks

.PHONY: help
help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Release binaries, under .build/**/release/; installs the packages that a build needs
	@scripts/install-packages.sh build
	$(RELEASE) --product routerd
	$(RELEASE) --product routerctl
	@echo "built: $(RELEASE_DIR)/routerd and routerctl"

.PHONY: test
test: ## Every test, against real processes; installs what they need. FILTER=... runs some
	@scripts/install-packages.sh test
	@scripts/test-setup.sh
	@scripts/agents-setup.sh
	@scripts/model.sh .build/model
	swift build --build-tests
	@mkdir -p .build; rm -f .build/test.log
	@# One after the other: tests that wait for processes hold the threads that others measure their deadlines on.
	@for part in $(if $(FILTER),'$(FILTER)','^(JSON|Core|Protocol)Tests' '^SlowTests' '^(Command|Console)Tests' '^IntegrationTests'); do \
	  echo "--- swift test --filter $$part"; \
	  swift test --skip-build --filter "$$part" 2>&1 | tee -a .build/test.log || \
	    { echo; echo "--- failed:"; grep -aE 'recorded an issue|error:' .build/test.log | tail -n 40; tail -n 3 .build/test.log; exit 1; }; \
	done
	@echo; echo "--- the suites' closing lines (whole log: .build/test.log)"; \
	  grep -aiE 'SKIPPED' .build/test.log | sort -u || true; grep -aE 'Test run with' .build/test.log

.PHONY: sanitize
sanitize: ## The tests of Core and of the real daemon under the thread and the address sanitizer, in .build-thread and .build-address
	@scripts/install-packages.sh test
	@scripts/model.sh .build/model
	@for kind in thread address; do \
	  echo "--- $$kind sanitizer"; \
	  swift build --build-tests --sanitize=$$kind --scratch-path .build-$$kind; \
	  for part in $(if $(FILTER),'$(FILTER)','^JSONTests' '^CoreTests' '^SlowTests' '^IntegrationTests'); do \
	    ROUTERD_BIN_DIR="$$PWD/.build-$$kind/debug" TSAN_OPTIONS="halt_on_error=1 suppressions=$$PWD/scripts/thread-sanitizer.supp" ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=8 \
	      swift test --skip-build --sanitize=$$kind --scratch-path .build-$$kind --filter "$$part"; \
	  done; \
	done

.PHONY: check
check: format lint ## Formats, then lints code, scripts and manual pages

.PHONY: lint
lint: ## Lints, and changes nothing
	swift format lint --strict --recursive --parallel $(SWIFT_FILES)
	@scripts/install-packages.sh test
	mandoc -T lint -W warning man/*.[1-9]
	@for script in scripts/*.sh Benchmarks/*.sh Benchmarks/*/*.sh; do bash -n "$$script"; done
	@echo "lint: clean"

.PHONY: format
format: ## Formats all Swift files in place
	swift format --in-place --recursive --parallel $(SWIFT_FILES)

.PHONY: run
run: build ## Starts routerd with config.yaml (CONFIG=...)
	exec "$(RELEASE_DIR)/routerd" --config "$(CONFIG)"

.PHONY: demo
demo: ## Three simulated endpoints, a router, real requests, and the console
	@scripts/demo.sh

.PHONY: model
model: ## The sentence model that the cache compares questions with (91 MB), where routerd looks for it
	@scripts/model.sh

.PHONY: real-model
real-model: ## Builds llama-server and fetches a small model, once, into ~/.cache (about 7 minutes)
	@scripts/real-model.sh

.PHONY: bench
bench: ## Cost beside nginx, the cache, then a decision of the scheduler (BENCH="--quick" for a short look, without the cache)
	@scripts/install-packages.sh bench
	@# A bar that is missed hides none of the others.
	@status=0; \
	  Benchmarks/run.sh $(BENCH) || status=$$?; \
	  [ -n "$(BENCH)" ] || $(MAKE) --no-print-directory bench-cache || status=$$?; \
	  $(MAKE) --no-print-directory fleet-sim SIM=--cost || status=$$?; \
	  exit $$status

.PHONY: bench-instructions
bench-instructions: ## Instructions per request and per token, counted by valgrind, beside nginx's and the bars (BENCH="--profile FILE": where they go)
	@scripts/install-packages.sh bench
	@Benchmarks/Instructions/run.sh $(BENCH)

.PHONY: fleet-sim
fleet-sim: ## Simulated fleets under the real scheduler and under other rules: the table and the bars (about 5 minutes after the build)
	@scripts/install-packages.sh build
	$(RELEASE) --product fleet-sim
	@"$(RELEASE_DIR)/fleet-sim" $(SIM)

.PHONY: bench-cache
bench-cache: ## How well and how fast the cache answers; beside onnxruntime if PYTHON has it (PYTHON=...)
	@scripts/install-packages.sh test
	@scripts/model.sh .build/model
	@Benchmarks/Meaning/run.sh

.PHONY: bench-control
bench-control: ## What subscribers of the control socket cost, and the console in each view (BENCH=--record, --quick, --console, "--view NAME")
	@scripts/install-packages.sh build
	$(RELEASE) --product routerd
	$(RELEASE) --product routerctl
	$(RELEASE) --product bench-control
	@ROUTERD_BIN_DIR="$(RELEASE_DIR)" "$(RELEASE_DIR)/bench-control" $(BENCH)

.PHONY: install
install: build ## Both binaries, the manual pages and the shells' completions, below PREFIX (/usr/local)
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 "$(RELEASE_DIR)/routerd" "$(RELEASE_DIR)/routerctl" "$(DESTDIR)$(PREFIX)/bin/"
	@for section in $(MAN_SECTIONS); do \
	  install -d "$(DESTDIR)$(PREFIX)/share/man/man$$section"; \
	  for page in man/*.$$section; do \
	    [ ! -f "$$page" ] || install -v -m 644 "$$page" "$(DESTDIR)$(PREFIX)/share/man/man$$section/"; \
	  done; \
	done
	@for file in $(COMPLETIONS); do \
	  install -v -d "$(DESTDIR)$(PREFIX)/share/$$(dirname $$file)"; \
	  "$(RELEASE_DIR)/routerctl" completion "$${file%%[-/]*}" > "$(DESTDIR)$(PREFIX)/share/$$file"; \
	  chmod 644 "$(DESTDIR)$(PREFIX)/share/$$file"; \
	done

.PHONY: uninstall
uninstall: ## Removes what `make install` with the same PREFIX put there
	rm -f "$(DESTDIR)$(PREFIX)/bin/routerd" "$(DESTDIR)$(PREFIX)/bin/routerctl"
	@for page in man/*.[1-9]; do rm -fv "$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$(basename "$$page")"; done
	@for file in $(COMPLETIONS); do rm -fv "$(DESTDIR)$(PREFIX)/share/$$file"; done

.PHONY: clean
clean: ## Removes everything that was built
	rm -rf .build .build-thread .build-address
