# make up    tools, embedded control plane, the dev stack
# make test  every test
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help up down unit test race packages build tools test-tools real real-long release-long lint clean

# The same flags everywhere: build, test and vet then share what is compiled.
export CGO_ENABLED := 0
GO_FLAGS := -trimpath
# Packages whose tests need no tool, cluster or network.
UNIT := ./catalog/... ./monitoring/... ./components/... ./internal/config/... ./internal/stack/... ./internal/workload/... \
	./internal/compose/... ./internal/evaluate/... ./internal/envfile/... ./internal/iampolicy/... ./internal/layering/... \
	./internal/stackfile/... ./internal/realpods/... ./internal/testing/contract/... ./migrations/...
# Packages that start goroutines or share files with other processes.
CONCURRENT := ./internal/cluster/... ./internal/engine/... ./internal/image/... ./internal/plugin/... ./internal/toolchain/...

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

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
	@go run $(GO_FLAGS) ./tools/install

# Programs that tests run and `make up` does not: those of real pods where they can run.
TEST_TOOLS := weed rollouts-controller
ifeq ($(shell uname -s)$(shell id -u),Linux0)
TEST_TOOLS += etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kube-router \
	containerd containerd-shim-runc-v2 ctr coredns postgres_exporter
endif

test-tools: tools
	@go run $(GO_FLAGS) ./tools/install $(TEST_TOOLS)

build: ## build bin/nova
	@mkdir -p bin
	@echo "building bin/nova (minutes on a cold cache, seconds afterwards)"
	@go build $(GO_FLAGS) -ldflags "-X main.version=$$(git describe --always --dirty 2>/dev/null || echo dev)" -o bin/nova ./cmd/nova

unit: ## the tests of the pure packages and of the components: seconds, no tools, no cluster
	@go test $(GO_FLAGS) -short -timeout 5m $$(go list -e -f '{{if or .GoFiles .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' $(UNIT) 2>/dev/null)

# The packages with the longest tests, which start first.
LONGEST := ./tests ./tests/real ./cmd/nova ./internal/image

test: tools test-tools packages build lint ## every test: unit, engine and cluster
	@go test $(GO_FLAGS) -timeout 45m $(LONGEST) ./...

real: test-tools packages ## the tests on real pods: Linux as root, or NOVA_REAL_KUBECONFIG and NOVA_REAL_LOAD; see docs/REAL_PODS.md
	@go test $(GO_FLAGS) -count 1 -v -timeout 45m ./tests/real

real-long: test-tools packages ## those and the longer trials
	@NOVA_REAL_LONG=1 go test $(GO_FLAGS) -count 1 -v -timeout 120m ./tests/real

release-long: test-tools packages ## a release is killed in every phase and goes on; ten minutes
	@NOVA_RELEASE_LONG=1 go test $(GO_FLAGS) -count 1 -v -timeout 60m -run TestRelease_goes_on_after_a_kill_in_every_phase ./cmd/nova

race: tools ## the short tests of the concurrent packages under the race detector; needs a C compiler
	@CGO_ENABLED=1 go test $(GO_FLAGS) -race -short -timeout 30m $(CONCURRENT)

# Debian packages, and the command or file by which each is recognised.
PACKAGES := prometheus:prometheus prometheus-alertmanager:prometheus-alertmanager docker.io:dockerd mmdebstrap:mmdebstrap \
	postgresql-15:/usr/lib/postgresql/15/bin/initdb redis-server:redis-server python3-yaml:/usr/lib/python3/dist-packages/yaml \
	runc:runc containernetworking-plugins:/usr/lib/cni/bridge iptables:iptables ipset:ipset conntrack:conntrack iproute2:ip kmod:modprobe

packages: # the real Prometheus, Alertmanager, Docker engine, PostgreSQL and Redis, and what nodes of real pods need, which tests run; nothing is started as a service
	@missing=; for each in $(PACKAGES); do command -v $${each#*:} >/dev/null || [ -e $${each#*:} ] || missing="$$missing $${each%%:*}"; done; \
	if [ -n "$$missing" ]; then \
		if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
			echo "installing the Debian packages$$missing"; \
			apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
		else \
			echo "not installed:$$missing; the tests that need them are skipped"; \
		fi; \
	fi

lint: ## formatting and the linters of .golangci.yml
	@GOFLAGS="$$GOFLAGS $(GO_FLAGS)" go tool -modfile=tools/lint/go.mod golangci-lint run ./...

clean: down ## also remove what was built
	@rm -rf bin .nova
