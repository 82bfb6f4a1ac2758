# make up    tools, embedded control plane, the dev stack
# make test  every test
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help up down test packages build tools lint clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

up: tools build ## bring the dev stack up on the embedded control plane
	@bin/nova local up
	@bin/nova up --stack dev
	@bin/nova status --stack dev
	@echo
	@echo "What to try next:"
	@echo "  bin/nova preview --stack prod                              what production would get"
	@echo "  bin/kubectl --kubeconfig .nova/kubeconfig -n nova-backend get pods"
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

test: tools packages build lint ## every test: unit, engine and cluster
	@CGO_ENABLED=0 go test -timeout 45m ./...

# Debian packages, and the command by which each is recognised.
PACKAGES := prometheus:prometheus prometheus-alertmanager:prometheus-alertmanager docker.io:dockerd mmdebstrap:mmdebstrap \
	postgresql-15:/usr/lib/postgresql/15/bin/initdb redis-server:redis-server

packages: # the real Prometheus, Alertmanager, Docker engine, PostgreSQL and Redis, which tests run; nothing is started as a service
	@missing=; for each in $(PACKAGES); do command -v $${each#*:} >/dev/null || missing="$$missing $${each%%:*}"; done; \
	if [ -n "$$missing" ]; then \
		if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
			echo "installing the Debian packages$$missing"; \
			apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
		else \
			echo "not installed:$$missing; the tests that need them are skipped"; \
		fi; \
	fi

lint: ## formatting, vet and staticcheck
	@test -z "$$(git ls-files '*.go' | xargs gofmt -l)" || { echo "gofmt:"; git ls-files '*.go' | xargs gofmt -l; exit 1; }
	@CGO_ENABLED=0 go vet ./...
	@CGO_ENABLED=0 go tool -modfile=tools/lint/go.mod staticcheck ./...

clean: down ## also remove what was built
	@rm -rf bin .nova
