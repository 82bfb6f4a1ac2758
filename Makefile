# make up    tools, embedded control plane, the dev stack
# make test  every test
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help up down test build tools lint clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

up: tools build ## bring the dev stack up on the embedded control plane
	@bin/nova local up
	@bin/nova up --stack dev
	@bin/nova status --stack dev
	@echo
	@echo "What to try next:"
	@echo "  bin/nova preview --stack prod                              what production would get"
	@echo "  kubectl --kubeconfig .nova/kubeconfig -n nova-backend get pods"
	@echo "  bin/nova services                                          ports, needs and calls"
	@echo "  make down                                                  stop and remove everything"

down: ## remove the dev stack and the embedded control plane
	@if [ -x bin/nova ]; then bin/nova local down; fi
	@rm -rf .nova/state .nova/workspace

tools: ## build the pinned tools into bin/, once
	@go run ./tools/install

build: ## build bin/nova
	@mkdir -p bin
	@echo "building bin/nova (minutes on a cold cache, seconds afterwards)"
	@CGO_ENABLED=0 go build -trimpath -ldflags "-X main.version=$$(git describe --always --dirty 2>/dev/null || echo dev)" -o bin/nova ./cmd/nova

test: tools build lint ## every test: unit, engine and cluster
	@CGO_ENABLED=0 go test -timeout 20m ./...

lint: ## formatting, vet and staticcheck
	@test -z "$$(git ls-files '*.go' | xargs gofmt -l)" || { echo "gofmt:"; git ls-files '*.go' | xargs gofmt -l; exit 1; }
	@CGO_ENABLED=0 go vet ./...
	@CGO_ENABLED=0 go tool -modfile=tools/lint/go.mod staticcheck ./...

clean: down ## also remove what was built
	@rm -rf bin .nova
