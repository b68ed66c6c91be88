# Thin: what to do is in meson.build and scripts/; here are the commands that people type.
BUILD ?= build
BIN = fairlead fairsql fairlead-sim fairlead-load

.PHONY: build run test check asan tsan fuzz bench docs clean deps

deps:
	@scripts/deps.sh build

build: deps
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) --buildtype=release -Db_lto=true -Ddebug=true > /dev/null
	@ninja -C $(BUILD) --quiet
	@mkdir -p bin && cd bin && for program in $(BIN); do ln -sf ../$(BUILD)/$$program $$program; done

# Starts Fairlead with what it finds on this machine, or with a simulated server. ARGS="--config FILE" for a configuration.
run: build
	@exec bin/fairlead serve $(ARGS)

# Fast unit tests only.
check: build
	@scripts/deps.sh test
	@scripts/unit.sh $(BUILD)

test:
	@python3 scripts/test.py

asan:
	@scripts/sanitize.sh address,undefined

tsan:
	@scripts/sanitize.sh thread

fuzz:
	@scripts/fuzz.sh

bench: build
	@scripts/deps.sh bench
	@python3 bench/bench.py

docs: build
	@scripts/docs.sh

clean:
	@rm -rf build build-* bin
