build:
	go build -o bin/basalt ./cmd/basalt
