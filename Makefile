# Everything here needs Go and nothing else. Java and the jars of the Cloud SDK's emulators are used where they are found;
# REQUIRE_EMULATORS=1 makes their absence an error. `make check` is what CI runs; its race detector needs a C compiler too.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
BUILD := .build
DATA ?= .data/run
DEMO_DATA ?= .data/demo
KILLS ?= 200
KILL_INVOICES ?= 10000
CLOUD_KILLS ?= 24
CLOUD_KILL_INVOICES ?= 1000
IMAGE ?= ko.local/arbridge
TAG ?= dev
SBOM ?= $(BUILD)/sbom

# Tools run at a fixed version and leave go.mod alone.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GITLEAKS := github.com/zricethezav/gitleaks/v8@v8.30.1
KO := github.com/google/ko@v0.19.1
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

.PHONY: sim
sim: build ## Simulate 2,000 seeds of the whole system with faults; print how often each fault happened
	@exec $(BUILD)/arbridge sim run --seeds 2000

.PHONY: sim-crash
sim-crash: ## Crash a process at every boundary of each workflow, and at every pair of them while a receipt is posted
	ARBRIDGE_CRASH_STEP=1 $(GO) test ./pkg/simulation -run 'Crash' -count=1 -v -timeout 60m

.PHONY: sim-bugs
sim-bugs: build ## Plant bugs one by one, and print after how many seeds the simulation notices each
	@exec $(BUILD)/arbridge sim bugs

.PHONY: test
test: ## Run all tests
	$(GO) test ./...

.PHONY: test-cloud
test-cloud: ## Run the main job as on Google Cloud: one process per function, the official emulators; needs Java and their jars
	REQUIRE_EMULATORS=1 $(GO) test ./functions/demo -run 'TestCloud$$' -count=1 -v

.PHONY: test-kill
test-kill: ## Kill the server KILLS times (200) during a backfill of KILL_INVOICES (10000) and under webhooks, and compare the books
	ARBRIDGE_KILLS=$(KILLS) ARBRIDGE_KILL_INVOICES=$(KILL_INVOICES) $(GO) test ./functions/demo -run 'TestKillsOfTheServer$$' -count=1 -v -timeout 60m

.PHONY: test-kill-cloud
test-kill-cloud: ## Kill the services CLOUD_KILLS times (24) on the Firestore and Pub/Sub emulators; needs Java and their jars
	REQUIRE_EMULATORS=1 ARBRIDGE_KILLS_FIRESTORE=$(CLOUD_KILLS) ARBRIDGE_KILL_FIRESTORE_INVOICES=$(CLOUD_KILL_INVOICES) \
		$(GO) test ./functions/demo -run 'TestKillsOnFirestore$$' -count=1 -v -timeout 30m

.PHONY: check
check: check-generated check-format check-static check-licences ## Run everything CI runs: generated files, format, static analysis, race tests
	$(GO) test -race -shuffle=on -timeout 20m $$($(GO) list ./... | grep -v /pkg/simulation)
	$(GO) test ./pkg/simulation # one thing at a time by design: no race to detect

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

.PHONY: check-licences
check-licences:
	$(GO) test -count=1 -run 'Licences' ./pkg/archtest

.PHONY: lint
lint: ## Run golangci-lint (.golangci.yaml); the first run builds it
	$(GO) run $(GOLANGCI) run ./...

.PHONY: scan
scan: ## Look for secrets in everything that was ever committed (.gitleaks.toml)
	$(GO) run $(GITLEAKS) $(if $(wildcard .git),git,dir) . --no-banner --redact --log-level warn

.PHONY: image
image: ## Build and push the container image IMAGE with tag TAG and its SBOM; prints it by digest
	@KO_DOCKER_REPO=$(IMAGE) KO_CONFIG_PATH=infra/image/ko.yaml $(GO) run $(KO) build --bare --tags $(TAG) --sbom spdx --sbom-dir $(SBOM) ./functions/arbridge

.PHONY: tf-check
tf-check: ## Check Terraform without a cloud: format, validation, tests, and each environment's plan against the code
	terraform/check.sh $(BUILD)/plans
	ARBRIDGE_PLANS=$(abspath $(BUILD)/plans) $(GO) test -count=1 ./pkg/infra

.PHONY: generate
generate: ## Write the generated files again
	$(GO) run ./pkg/settings/gen/settingsdoc

.PHONY: bench
bench: build ## Measure throughput and calls on the embedded stack against the sandboxes
	@exec $(BUILD)/arbridge bench

.PHONY: clean
clean: ## Remove what was built; data folders stay
	rm -rf $(BUILD)
