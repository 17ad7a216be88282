# Basalt. Two commands do everything: make demo, make test.

GO ?= go

.PHONY: build test vet compat-record compat-live proto

build: need-tools
	$(GO) build -o bin/basalt ./cmd/basalt

# need-tools says what is missing and how to get it.
.PHONY: need-tools
need-tools:
	@command -v $(GO) >/dev/null || { echo "Go 1.26 or newer is needed: https://go.dev/doc/install"; exit 1; }
	@command -v cc >/dev/null || command -v gcc >/dev/null || { echo "A C compiler is needed (the SQL parser is C): apt-get install gcc, or your system's equivalent"; exit 1; }

test: need-tools
	$(GO) vet ./...
	$(GO) test -timeout 20m ./...

# compat-record asks a real PostgreSQL (COMPAT_POSTGRES=DSN, or one started from the installed binaries).
compat-record: need-tools
	$(GO) run ./compat/cmd/compat record -postgres "$(COMPAT_POSTGRES)" -only "$(ONLY)"

# compat-live runs PostgreSQL and a running Basalt side by side.
COMPAT_BASALT ?= host=127.0.0.1 port=5433 user=postgres dbname=postgres sslmode=disable
compat-live: need-tools
	$(GO) run ./compat/cmd/compat live -postgres "$(COMPAT_POSTGRES)" -basalt "$(COMPAT_BASALT)" -only "$(ONLY)"

# proto regenerates the protobuf code (needs protoc and protoc-gen-go).
proto:
	protoc --go_out=. --go_opt=module=github.com/basaltdb/basalt vexec/planpb/plan.proto
