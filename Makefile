# Everything that is typed twice. Only Go and make are needed, and no C compiler: race alone uses one.

GO          ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
BENCHSTAT   ?= golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
FUZZTIME    ?= 30s
BENCHTIME   ?= 1s
COUNT       ?= 1

TESTS        = $(GO) run ./internal/cmd/tests $(if $(K),-k $(K))

export CGO_ENABLED ?= 0

# of chaos: a seed (0: a random one, which is printed), how long, how many users, and nodes (0: one, without an engine outside)
SEED    ?= 0
MINUTES ?= 1
USERS   ?= 25
NODES   ?= 0

.PHONY: help test mission unit integration e2e detection list race lint bench fuzz golden chaos

help: ## what there is
	@awk -F ':.*## ' '/^[a-z0-9 ]+:.*## /{printf "  make %-36s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## vet and every test: unit, integration, end to end, detection; K=name chooses by name
	@$(GO) vet ./...
	@$(TESTS)

mission unit integration detection: ## the tests of one category: see make list
	@$(TESTS) $@

e2e: ## the program as users run it; URL=https://… tests a server that is deployed, as SWITCHBOARD_E2E_USERNAME, _PASSWORD
	@$(TESTS) $(if $(URL),--url $(URL)) e2e

list: ## the categories of tests, and what is in them
	@$(TESTS) --list mission unit integration e2e detection

race: export CGO_ENABLED = 1
race: ## every test under the race detector (needs a C compiler)
	$(GO) test -race -timeout 15m ./...

lint: ## gofmt, vet, ssot, staticcheck, and the rules of the house
	@bad=$$(gofmt -l .); if [ -n "$$bad" ]; then echo "gofmt -w these:"; echo "$$bad"; exit 1; fi
	$(GO) vet ./...
	$(GO) run ./cmd/ssot
	@if $(GO) run $(STATICCHECK) -version >/dev/null 2>&1; then echo staticcheck ./...; $(GO) run $(STATICCHECK) ./...; \
	else echo "staticcheck cannot be had here: left out"; fi
	$(GO) test ./internal/house

bench: ## every benchmark, and the table of goals at the end; OLD=a NEW=b compares two results instead
ifneq ($(and $(OLD),$(NEW)),)
	$(GO) run $(BENCHSTAT) $(OLD) $(NEW)
else
	@dirs=$$(grep -rl --include=*_test.go '^func Benchmark' . | xargs -n 1 dirname | sort -u | grep -v -F -x ./internal/bench); \
	[ -z "$$dirs" ] || $(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) -count $(COUNT) -timeout 60m $$dirs
	$(GO) test -run '^$$' -bench . -benchtime 1x -count $(COUNT) -timeout 60m ./internal/bench
endif

fuzz: ## every fuzz target for FUZZTIME (30s)
	@grep -rn --include=*_test.go -o '^func Fuzz[A-Za-z0-9]*' . | sed 's#/[^/]*_test.go:[0-9]*:func # #' | \
	while read -r dir target; do echo "$$dir $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 50x "$$dir" </dev/null || exit 1; done

chaos: ## kill, freeze and cut a server under load, and judge what is left: SEED=… MINUTES=… USERS=… NODES=…
	$(GO) test -v -count 1 -timeout 0 -run '^TestChaos$$' ./test/crash -chaos -seed $(SEED) -minutes $(MINUTES) -users $(USERS) -nodes $(NODES)

golden: ## write the golden files of the wire anew
	$(GO) test -run '^TestWire' -update .
