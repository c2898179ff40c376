# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# What there is to make. How it is made stands in mk/build.mk; everything that
# is made goes to build/. V=1 shows the commands.

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# Targets that install what they need before they can build start a make of
# their own for that, so that nothing is probed before it is there.
.PHONY: all
all: programs ## build natxdp and its BPF objects

.PHONY: arm64
arm64: ## build for arm64 on another machine (make ARCH=arm64), and run its unit tests emulated
	@scripts/deps.sh build cross
	@+$(MAKE) --no-print-directory ARCH=arm64 programs units

.PHONY: deps
deps: ## install the packages that are missing, for everything below
	@scripts/deps.sh

.PHONY: test
test: ## install what is missing, build and run the tests; T=net/udp runs what matches
	@scripts/deps.sh build demo test package vm
	@+$(MAKE) --no-print-directory programs tests
	@selftests/run $(T)

.PHONY: lambda
lambda: ## install what is missing, and pack the Lambda functions: build/lambda/natxdp-*.zip
	@scripts/deps.sh build lambda
	@+$(MAKE) --no-print-directory lambda-zips

.PHONY: bench
bench: ## install what is missing, build and run the benchmarks; T=NAME runs what matches, SHORT=1
	@scripts/deps.sh build bench
	@+$(MAKE) --no-print-directory programs benches
	@scripts/bench.sh $(if $(SHORT),--short) $(T)

.PHONY: bench-doc
bench-doc: ## the tables and the plot of docs/performance.md from build/bench.json
	@scripts/bench.sh --doc

.PHONY: bench-ha
bench-ha: ## install what is missing, build, and measure failovers; T="crash hand-over" RUNS=30 CONNECTIONS=300
	@scripts/deps.sh build demo test
	@+$(MAKE) --no-print-directory programs vpctools
	@/usr/bin/python3 -B selftests/vpc/bench.py $(if $(RUNS),--runs $(RUNS)) \
		$(if $(CONNECTIONS),--connections $(CONNECTIONS)) $(T)

.PHONY: bench-ha-doc
bench-ha-doc: ## the table of failovers in docs/performance.md from build/bench-ha.json
	@/usr/bin/python3 -B selftests/vpc/bench.py --doc

.PHONY: demo
demo: ## install what is missing, build, and run traffic through a NAT; ARMS=1 KEEP=1
	@scripts/deps.sh build demo
	@+$(MAKE) --no-print-directory programs build/selftests/net/xdp_pass
	@ARMS="$(ARMS)" KEEP="$(KEEP)" scripts/demo.sh

.PHONY: package
package: ## install what is missing, build, and make the deb and the rpm in build/package
	@scripts/deps.sh build package
	@+$(MAKE) --no-print-directory packages

.PHONY: vpc
vpc: ## install what is missing, build, and give a shell in a miniature VPC; NODES=ab
	@scripts/deps.sh build demo test
	@+$(MAKE) --no-print-directory programs vpctools
	@/usr/bin/python3 -B selftests/vpc $(if $(NODES),--nodes $(NODES))

.PHONY: lint
lint: ## check format, static analysis and the rules of the tree
	@scripts/deps.sh build lint
	@scripts/lint.sh

.PHONY: fmt
fmt: ## format all C
	@scripts/deps.sh lint
	@scripts/lint.sh --fix

.PHONY: clean
clean: ## remove everything that was built
	rm -rf build

.PHONY: help
help: ## show this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile mk/build.mk

PROBING := $(filter-out deps arm64 test bench bench-doc bench-ha bench-ha-doc demo vpc package lambda lint fmt clean help,$(or $(MAKECMDGOALS),all))
ifneq ($(PROBING),)
include mk/build.mk
endif
