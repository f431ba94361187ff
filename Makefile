# Everything a user or the gate calls; each target does its own set-up.
.DEFAULT_GOAL := help
.PHONY: help setup packages commands toolchain demo test campaign e2e e2e-images e2e-kind mutation check workflows unit preview history rollback lab-up lab-down lab-status lab-logs lab-shell record-stacks

export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

# Without shellcheck and pyflakes, which some machines have: the result is the same everywhere.
ACTIONLINT = sh lab/bootstrap.sh go -C tools/actionlint tool actionlint -shellcheck= -pyflakes= \
	$(addprefix ../../,$(wildcard .github/workflows/*.yml))

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

setup: ## Install Node, Go and the packages this project needs
	@sh lab/bootstrap.sh

packages:
	@sh lab/bootstrap.sh packages

commands:
	@sh lab/bootstrap.sh commands

toolchain: setup
	@node lab/cli.ts build --browser

demo: setup ## Two clusters, the mesh, a release from 0 to 10, 30, 100 % and back, and one of a chain of services
	@node lab/cli.ts demo

# All of the tests, or a part of them: make test SUITE=faults, make test FILE=test/lab/order.test.ts
# The campaign is not among the suites, even if FILE would match one of its files.
SUITES = unit browser lab faults

test: setup ## Formatter, linter, types, dead code, generated files, unit tests, lab tests, browser tests
ifeq ($(strip $(SUITE) $(FILE)),)
	@# The linters mostly keep one core busy: the toolchain is built beside them.
	@$(MAKE) --silent --jobs check workflows toolchain
endif
	@vitest run $(addprefix --project ,$(or $(SUITE),$(SUITES))) $(if $(FILE),,--tags-filter '!campaign') $(FILE) $(VITEST_ARGS)

campaign: setup ## All lab tests, and more faults at random moments: make campaign RUNS=20 SEED=7
	@# What fails in one suite says nothing of the others.
	@status=0; \
	$(if $(strip $(FILE)),,vitest run --project lab --project faults || status=$$?;) \
	CAMPAIGN_RUNS=$(or $(RUNS),20) CAMPAIGN_SEED=$(or $(SEED),$(shell date +%s)) vitest run --project campaign $(FILE) || status=$$?; \
	exit $$status

# Needs pulumi, kubectl and helm on PATH; pulumi installs the plugins. docs/lab.md: "On clusters of your own".
e2e: $(if $(CONTEXTS),packages) ## Releases, and Pulumi's own provider, on two clusters of yours: make e2e CONTEXTS=a,b IMAGES=registry.example.com/e2e
	@: $(or $(CONTEXTS),$(error name two contexts: make e2e CONTEXTS=a,b IMAGES=registry.example.com/e2e))
	@: $(or $(IMAGES),$(error name where the images are, see make e2e-images: make e2e CONTEXTS=a,b IMAGES=registry.example.com/e2e))
	@status=0; \
	$(if $(strip $(FILE)),,for context in $$(printf '%s' '$(CONTEXTS)' | tr ',' ' '); do \
		echo "$$context:"; E2E_CONTEXT="$$context" vitest run --project provider || status=$$?; \
	done;) \
	E2E_CONTEXTS='$(CONTEXTS)' E2E_IMAGES='$(IMAGES)' vitest run --project e2e $(FILE) $(VITEST_ARGS) || status=$$?; \
	exit $$status

# make e2e-images CONTAINER=podman; with PUSH= they stay on the machine, for kind.
CONTAINER ?= docker
PUSH ?= yes
E2E_TAGS = user-service:v1 user-service:v2 client:1

e2e-images: ## Build and push the images of make e2e: make e2e-images IMAGES=registry.example.com/e2e
	@: $(or $(IMAGES),$(error say where to: make e2e-images IMAGES=registry.example.com/e2e))
	@set -e; for tag in $(E2E_TAGS); do \
		$(CONTAINER) build --file lab/Containerfile --target "$${tag%%:*}" --tag "$(IMAGES)/$$tag" lab/toolchain/echo; \
		$(if $(PUSH),$(CONTAINER) push "$(IMAGES)/$$tag";) \
	done

e2e-kind: packages ## Two kind clusters with a mesh, for make e2e CONTEXTS=kind-a,kind-b IMAGES=localhost/e2e
	@sh test/lab/kind.sh

mutation: packages ## Take what makes a release safe out of the program, piece by piece: unit tests must fail each time
	@node test/mutation/cli.ts

check: packages ## Formatter, linter, types, dead code and generated files only
	@npm run --silent check

workflows: ## The workflows of .github with actionlint; not part of check, since it needs Go to build
	@$(ACTIONLINT)

unit: packages ## Unit tests only, in seconds
	@vitest run --project unit

preview: commands ## What an update would do, as Markdown for a pull request: make preview STACK=prod
	@npm run --silent preview -- --stack $(or $(STACK),$(error name the stack: make preview STACK=prod))

history: commands ## The recorded states of a stack: make history STACK=prod
	@npm run --silent release -- history --stack $(or $(STACK),$(error name the stack: make history STACK=prod))

rollback: commands ## Back to an earlier state in every cluster: make rollback STACK=prod TO=7 (or previous, zero)
	@npm run --silent release -- rollback --to $(or $(TO),previous) \
		--stack $(or $(STACK),$(error name the stack: make rollback STACK=prod))

lab-up: setup ## Start the two clusters, or restart what has died
	@node lab/cli.ts up

lab-down: setup ## Stop the clusters and leave nothing behind
	@node lab/cli.ts down

lab-status: setup ## Show every component of every cluster
	@node lab/cli.ts status

lab-logs: setup ## Print the logs: make lab-logs COMPONENT=kubelet CLUSTER=cluster-a
	@node lab/cli.ts logs $(COMPONENT) $(if $(CLUSTER),--cluster $(CLUSTER))

record-stacks: lab-up ## Record two stacks of the lab for the test of updates, as a release needs them
	@node lab/cli.ts record

lab-shell: setup ## A shell in which pulumi, kubectl, istioctl and helm work on the lab
	@node lab/cli.ts shell
