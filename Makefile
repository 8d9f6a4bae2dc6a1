# Short names for what is done often. Everything works without make, too.

.DEFAULT_GOAL := help

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

local: ## Run the whole service on this machine.
	go run ./cmd/heliograph local

test: ## Run all tests.
	go test ./...

race: ## Run all tests with the race detector.
	go test -race ./...

lint: ## Check format, vet, staticcheck and the workflows.
	@files="$$(go tool gofumpt -l .)"; if [ -n "$$files" ]; then echo "not formatted, run make format:"; echo "$$files"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	go tool actionlint
	go mod verify

format: ## Format all Go files.
	go tool gofumpt -w .

tools: ## Install what some tests need from npm, into .ci/node_modules.
	npm ci --prefix .ci --ignore-scripts --no-audit --no-fund

generate: ## Write the reference pages of docs/ and the golden files anew.
	go test ./observability/catalogue -update
	go test ./infra/stack -run 'Document$$' -update

figures: ## Measure what the README and the docs quote.
	go test ./e2e -run '^TestFigures$$' -figures -v -count=1 -parallel 4 -timeout 20m
	go test ./presence -run '^(TestSweepAtScale|TestReconnectStorm)$$' -figures -v -count=1 -timeout 30m

compare: tools ## Compare the cost of metrics with Powertools for TypeScript.
	bench/compare

ci: ## Run what CI runs.
	bash .ci/run

.PHONY: help local test race lint format tools generate figures compare ci
