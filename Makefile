# Everything here needs Go and nothing else. Java and the jars of the Cloud SDK's emulators are used where they are found;
# REQUIRE_EMULATORS=1 makes their absence an error. `make check` is what CI runs; its race detector needs a C compiler too.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
BUILD := .build
DATA ?= .data/run
DEMO_DATA ?= .data/demo

# Tools run at a fixed version and leave go.mod alone.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: help
help: ## Show the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the one binary, .build/arbridge
	@mkdir -p $(BUILD)
	$(GO) build -buildvcs=false -o $(BUILD)/arbridge ./functions/arbridge

.PHONY: run
run: build ## Run all functions in one process on an embedded store in DATA (default .data/run)
	@exec $(BUILD)/arbridge run --data $(DATA)

.PHONY: demo
demo: build ## Run the demonstration in DEMO_DATA (default .data/demo); interrupt and repeat it to continue
	@exec $(BUILD)/arbridge demo --data $(DEMO_DATA)

.PHONY: test
test: ## Run all tests
	$(GO) test ./...

.PHONY: check
check: check-generated check-format check-static ## Run everything CI runs: generated files, format, static analysis, race tests
	$(GO) test -race -shuffle=on -timeout 20m ./...

.PHONY: check-generated
check-generated:
	@rm -rf $(BUILD)/generated && mkdir -p $(BUILD)/generated
	$(GO) run ./pkg/settings/gen/settingsdoc -root $(BUILD)/generated
	@stale=0; while read -r file; do \
		cmp -s "$(BUILD)/generated/$$file" "$$file" || { echo "$$file is stale: run make generate"; stale=1; }; \
	done < <(cd $(BUILD)/generated && find . -type f | sed 's|^\./||' | sort); exit $$stale

.PHONY: check-format
check-format:
	@files=$$(gofmt -l functions pkg); test -z "$$files" || { echo "not in gofmt's format:"; echo "$$files"; exit 1; }

.PHONY: check-static
check-static:
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

.PHONY: lint
lint: ## Run golangci-lint (.golangci.yaml); the first run builds it
	$(GO) run $(GOLANGCI) run ./...

.PHONY: generate
generate: ## Write the generated files again
	$(GO) run ./pkg/settings/gen/settingsdoc

.PHONY: bench
bench: build ## Measure throughput and calls on the embedded stack against the sandboxes
	@exec $(BUILD)/arbridge bench

.PHONY: clean
clean: ## Remove what was built; data folders stay
	rm -rf $(BUILD)
