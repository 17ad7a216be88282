# Basalt. Two commands do everything: make demo, make test.

GO ?= go

# The vector forms of internal/simd need a compiler's experiment (Go 1.26); everything works without.
# GOEXPERIMENT=nosimd make build leaves them out.
experiments := simd$(if $(GOEXPERIMENT),$(shell printf ',%s' '$(GOEXPERIMENT)'))
ifneq ($(shell GOEXPERIMENT=$(experiments) $(GO) env GOEXPERIMENT 2>/dev/null),)
export GOEXPERIMENT := $(experiments)
endif

.PHONY: build demo cluster-demo test isolation histories compat-record compat-live proto

# demo starts a node, loads TPC-H, runs its queries beside transfers and leaves the node running.
# DATA=DIR keeps the data there; SF=0.1 is the scale factor; SQL_ADDR where to listen.
SF ?= 0.1
SQL_ADDR ?= 127.0.0.1:5433
demo: build
	bin/basalt demo --sf $(SF) --sql-addr $(SQL_ADDR) --data "$(DATA)"

# cluster-demo starts a gateway and three storage processes, loads TPC-H through SQL, checks the 22 answers and
# prints what Q1, Q3 and Q18 did on each node, and what every query moved between processes. KEEP=--keep leaves the processes running.
cluster-demo: build
	bin/basalt demo --cluster --sf $(SF) --sql-addr $(SQL_ADDR) --data "$(DATA)" $(KEEP)

VERSION ?= $(shell git describe --always --dirty 2>/dev/null || echo dev)
build: need-tools
	$(GO) build -ldflags "-X main.version=$(VERSION)" -o bin/basalt ./cmd/basalt

# need-tools says what is missing and how to get it.
.PHONY: need-tools
need-tools:
	@command -v $(GO) >/dev/null || { echo "Go 1.26 or newer is needed: https://go.dev/doc/install"; exit 1; }
	@command -v cc >/dev/null || command -v gcc >/dev/null || { echo "A C compiler is needed (the SQL parser is C): apt-get install gcc, or your system's equivalent"; exit 1; }

# test is what CI runs: every package, the end-to-end tests on the built binary among them, what has vector forms
# once more without, and the concurrency tests of the storage side once more under the race detector.
test: need-tools
	$(GO) vet ./...
	$(GO) test -timeout 20m ./...
	GOEXPERIMENT=nosimd $(GO) test ./internal/simd ./vexec/kernel
	$(GO) test -race -short -timeout 10m ./txn/... ./storage/... ./compat/history/...

# fuzz runs every fuzz target of the tree for FUZZTIME, one after the other; ONLY=NAME picks those whose names contain
# it. A failing input is left in the package's testdata/fuzz, where it becomes a test.
FUZZTIME ?= 60s
.PHONY: fuzz
fuzz: need-tools
	@failed=""; for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for f in $$($(GO) test -list '^Fuzz.*$(ONLY)' $$dir | grep '^Fuzz'); do \
	    echo "== $$dir $$f"; \
	    nice $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -parallel 1 $$dir || failed="$$failed $$dir:$$f"; \
	  done; \
	done; if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi

# isolation plays PostgreSQL's own isolation specs (isolationtester and Debian's source package are needed; PGSRC names
# a source tree instead). ONLY=NAME,… picks some; NODES=3 plays them on a gateway with so many storage processes.
NODES ?= 0
isolation: build
	$(GO) run ./compat/isolation/cmd/isolation -only "$(ONLY)" -nodes $(NODES)

# histories has concurrent transactions judged by their level: in peace, through kills, over several nodes. TIME is for each of
# the parts; a running server of any make is judged by go run ./compat/history/cmd/history.
TIME ?= 1m
histories: need-tools
	$(GO) test ./compat/history/workload -v -run 'TestInProcess|TestKills|TestCluster' -history $(TIME) -timeout 10h

# compat-record asks a real PostgreSQL (COMPAT_POSTGRES=DSN, or one started from the installed binaries).
compat-record: need-tools
	$(GO) run ./compat/cmd/compat record -postgres "$(COMPAT_POSTGRES)" -only "$(ONLY)"

# compat-live runs PostgreSQL and a running Basalt side by side.
COMPAT_BASALT ?= host=127.0.0.1 port=5433 user=postgres dbname=postgres sslmode=disable
compat-live: need-tools
	$(GO) run ./compat/cmd/compat live -postgres "$(COMPAT_POSTGRES)" -basalt "$(COMPAT_BASALT)" -only "$(ONLY)"

# proto regenerates the protobuf code (needs protoc, protoc-gen-go and protoc-gen-go-grpc).
proto:
	protoc --go_out=. --go_opt=module=github.com/basaltdb/basalt --go-grpc_out=. --go-grpc_opt=module=github.com/basaltdb/basalt rpc/proto/node.proto
	protoc --go_out=. --go_opt=module=github.com/basaltdb/basalt vexec/planpb/plan.proto
