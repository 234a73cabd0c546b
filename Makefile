# MOM: everything is made by `make`; `make help` lists the rest.
# VARIANT picks a build: release (bin/, lib/), debug, asan, tsan (each below build/VARIANT/); fuzz and sim are for `make fuzz` and `make sim` alone, aarch64 and i686 for `make cross`.
CC      ?= cc
OBJCOPY ?= objcopy
VARIANT ?= release
OPT_release = -O2 -g
OPT_debug   = -O0 -g -DMOM_FAULTS
OPT_asan    = -O1 -g -DMOM_FAULTS -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_tsan    = -O1 -g -fsanitize=thread -Wno-tsan
OPT_aarch64 = -O2 -g -static
OPT_i686    = -O2 -g -static -D_FILE_OFFSET_BITS=64
OPT_sim     = -O1 -g -fsanitize-coverage=trace-pc
OPT_fuzz    = -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
WARN    = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wundef
CFLAGS_ALL = -std=gnu11 -D_GNU_SOURCE $(OPT_$(VARIANT)) $(WARN) -Werror -fno-common -fPIC -Iinclude -Isrc $(CFLAGS)

OUT     = $(if $(filter release,$(VARIANT)),.,build/$(VARIANT))
BIN     = $(OUT)/bin
LIB     = $(OUT)/lib/libmom.a
VERSION = $(shell sed -n 's/^.define MOM_VERSION  *"\(.*\)"/\1/p' include/mom.h)
SONAME  = libmom.so.$(firstword $(subst ., ,$(VERSION)))
SHARED  = $(if $(filter release debug,$(VARIANT)),$(OUT)/lib/libmom.so.$(VERSION))     # a sanitizer's library belongs to its program alone
OBJ     = build/obj-$(VARIANT)

ROOMS   = base format config ipc log routing server look term                              # what all programs share, the ground floor first
COMMON  = $(patsubst src/%.c,$(OBJ)/%.o,$(wildcard $(ROOMS:%=src/%/*.c)))
API     = $(patsubst src/%.c,$(OBJ)/%.o,$(wildcard src/api/*.c src/api/*/*.c))
BROKER_SHARED = $(patsubst src/%.c,$(OBJ)/%.o,$(filter-out %/broker_server.c %/broker_handler.c %/broker_sender.c,$(wildcard src/broker/*.c)))
DAEMON_SHARED = $(patsubst src/%.c,$(OBJ)/%.o,$(filter-out %/mom_daemon.c %/mom_requester.c %/mom_responser.c %/mom_forwarder.c,$(wildcard src/daemon/*.c)))
WORKER_SHARED = $(patsubst src/%.c,$(OBJ)/%.o,$(filter-out %/worker.c,$(wildcard src/worker/*.c)))
SERVERS = broker_server broker_handler broker_sender worker mom_daemon mom_requester mom_responser mom_forwarder
# src/tools/ROOM/*.c is one program; tests/bench is mom_bench
parts   = $(patsubst src/%.c,$(OBJ)/%.o,$(wildcard src/tools/$1/*.c src/tools/$1/*/*.c))
BENCH   = $(patsubst tests/%.c,$(OBJ)/%.o,$(wildcard tests/bench/*.c))
TOOLS   = mom mom_bench mom_http mom_coordinator user_main db_dump

all: $(addprefix $(BIN)/,$(SERVERS) $(TOOLS)) $(LIB) $(SHARED)

$(OBJ)/%.o: src/%.c
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BIN)/broker_%: $(OBJ)/broker/broker_%.o $(BROKER_SHARED) $(OBJ)/libcommon.a
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^
$(BIN)/worker: $(OBJ)/worker/worker.o $(WORKER_SHARED) $(OBJ)/libcommon.a
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^
$(BIN)/mom_daemon $(BIN)/mom_requester $(BIN)/mom_responser $(BIN)/mom_forwarder: $(BIN)/%: $(OBJ)/daemon/%.o $(DAEMON_SHARED) $(OBJ)/libcommon.a
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^
$(BIN)/mom: $(call parts,mom)
$(BIN)/mom_bench: $(BENCH)
$(BIN)/mom_http: $(call parts,http)
$(BIN)/mom_coordinator: $(call parts,coordinator) $(OBJ)/api/resource/resource_wire.o
$(BIN)/user_main: $(call parts,user)
$(BIN)/db_dump: $(call parts,dump)
$(OBJ)/tools/http/http_html.o: src/tools/http/http_page.html
$(addprefix $(BIN)/,$(TOOLS)): $(LIB) $(OBJ)/libcommon.a
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^)
$(OBJ)/bench/%.o: tests/bench/%.c
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) -Itests -MMD -MP -c -o $@ $<
$(OBJ)/libcommon.a: $(COMMON)
	@rm -f $@
	@$(AR) rcs $@ $^
# one object with only the mom_ calls visible, so that no name of ours meets one of the program's
$(OBJ)/libmom.o: $(API) $(OBJ)/libcommon.a
	@$(LD) -r -o $@ $^
	@$(OBJCOPY) -w --keep-global-symbol='mom_*' --keep-global-symbol='__x86.*' $@     # the second: a 32-bit compiler's own, shared by all objects
$(LIB): $(OBJ)/libmom.o
	@mkdir -p $(@D)
	@rm -f $@
	@$(AR) rcs $@ $^
$(OUT)/lib/libmom.so.$(VERSION): $(OBJ)/libmom.o
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(CFLAGS_ALL) -shared -Wl,-soname,$(SONAME) -Wl,-z,defs -Wl,-z,relro -Wl,-z,now $(LDFLAGS) -o $@ $^
	@ln -sf $(@F) $(@D)/$(SONAME)
	@ln -sf $(SONAME) $(@D)/libmom.so

include tests/tests.mk
include src/examples/examples.mk
include src/tools/install.mk

# ---- running it ----
IP   = 127.0.0.1
PORT = 8080

run_broker run_boker: all    ## a broker on IP PORT (127.0.0.1 8080), store db/; Ctrl-C stops it
	@chmod go-rwx db             # as a checkout leaves it others may look into it
	@$(BIN)/broker_server $(IP) $(PORT)
run_daemon: all              ## a daemon that connects to it; Ctrl-C stops it; as root its spool is .spool/
	@[ "$$(id -u)" != 0 ] || set -- --spool "$(CURDIR)/.spool"; $(BIN)/mom_daemon $(IP) $(PORT) "$$@"
user: all                    ## the interactive tester
	@$(BIN)/user_main
demo: all                    ## broker, daemon and two user_main talk over two topics; all stops
	@BIN=$(BIN) sh src/tools/demo.sh

example-rpc example-objects example-exchanges: example-%: all $(EXAMPLE_BIN)/example_%  ## an example of src/examples with servers of its own; ARGS="--calls 1000": its flags
	@BIN=$(BIN) sh src/examples/run.sh $(EXAMPLE_BIN)/example_$* $(ARGS)

# ---- tests ----
BUILD_JOBS = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1))
test:                        ## all tests (T=substring: some); the last line counts them
	@$(MAKE) --no-print-directory $(BUILD_JOBS) test-programs
	@BIN=$(BIN) sh tests/run.sh $(TEST_PROGRAMS)
test-programs: all $(TEST_PROGRAMS)
	@:
test-long:                   ## the same with the long cases
	@LONG=1 $(MAKE) --no-print-directory test
storm: all $(STORM_PROGRAMS) ## all storms in their long form: SEED=n repeats, KILLS=n sets the kill storm's count, T=substring, VARIANT=asan
	@LONG=1 LIMIT=$(or $(LIMIT),5400) JOBS=1 BIN=$(BIN) sh tests/run.sh $(STORM_PROGRAMS)
soak: all $(SOAK_PROGRAM)    ## SOAK_MINUTES=n (30) of mixed load with reconnects and restarts: memory, descriptors, objects and disk stay flat
	@LIMIT=$(or $(LIMIT),100000) JOBS=1 BIN=$(BIN) sh tests/run.sh $(SOAK_PROGRAM)
debug:                       ## -O0 -g and fault points, in build/debug
	@$(MAKE) --no-print-directory VARIANT=debug all
asan:                        ## all tests under AddressSanitizer and UBSan
	@FAULTS=1 $(MAKE) --no-print-directory VARIANT=asan test
tsan:                        ## the ring's tests under ThreadSanitizer
	@$(MAKE) --no-print-directory VARIANT=tsan T=ring/ ring-test
ring-test: $(TESTS_OUT)/unit/ring
	@BIN=$(BIN) sh tests/run.sh $(TESTS_OUT)/unit/ring
fuzz:                        ## all fuzz targets, FUZZ_SECONDS each (60); needs clang. T=substring: some; FUZZ_RUNS=n: so many inputs instead
	@$(MAKE) --no-print-directory VARIANT=fuzz CC=clang fuzz-programs
	@sh tests/fuzz/fuzz.sh $(FUZZ_TARGETS)
mutants:                     ## bugs on purpose, each of which the named tests must catch; T=substring: some
	@sh tests/mutants/run.sh
model:                       ## the models of tests/models, searched to their last state; needs spin. T=substring: some
	@sh tests/models/run.sh
sim:                         ## the simulator, all roles in one process: SEEDS=n (200000) of them from FIRST on; SEED=n: that one, with a trace
	@$(MAKE) --no-print-directory VARIANT=sim sim-programs
	@build/sim/simulate $(if $(SEED),--trace $(SEED) 1,--twice $(or $(FIRST),1) $(or $(SEEDS),200000))
bench: all                   ## the workloads W1 to W9, each message checked; W="W1 W5": some; PEERS=1: W1 to W8 beside other brokers, by the bench in PEERS_DIR
	@$(if $(PEERS),BIN=$(BIN) PEERS="$(PEERS)" PEERS_DIR="$(or $(PEERS_DIR),../shared/peers)" W="$(W)" sh tests/bench/bench_peers.sh,$(BIN)/mom_bench --selfserve $(W))
bench-scale: all             ## what a message costs as subscribers, machines, topics, backlog and workers grow; some minutes
	@$(BIN)/mom_bench --selfserve scale
bench-recovery: all $(TESTS_OUT)/storm/recovery $(TESTS_OUT)/integration/sleeper  ## how soon all is served again: a worker killed, 1 GB in store; and the disk while 20 GB pass a sleeper
	@LONG=1 JOBS=1 BIN=$(BIN) sh tests/run.sh $(TESTS_OUT)/storm/recovery $(TESTS_OUT)/integration/sleeper

# ---- care ----
cross:                       ## the unit tests for aarch64 and 32 bits, where cross compilers and qemu-user are installed
	@sh tests/cross.sh
lint: all                    ## warnings of clang, arrows between rooms and files, heads of the process sources, bare system calls
	@sh tests/lint.sh
fmt:                         ## clang-format over all sources
	@clang-format -i $$(find src include tests -name '*.[ch]')
diagrams:                    ## the pictures diagrams/*.svg from their script; needs python3
	@python3 diagrams/draw.py
ipcs: all                    ## our System V objects
	@$(BIN)/mom ipc
ipcclean: all                ## remove those that a kill left behind; never anybody else's
	@$(BIN)/mom ipc clean || true
clean:                       ## all that was made
	rm -rf bin lib build
help:                        ## this list
	@sed -n 's/ run_boker//; s/^\([a-z_ -]*\):.*## \(.*\)/\1|\2/p' $(filter-out %.d,$(MAKEFILE_LIST)) | sort | while IFS='|' read -r name text; do printf '  make %-22s %s\n' "$$name" "$$text"; done

-include $(shell find build/obj-$(VARIANT) -name '*.d' 2>/dev/null)
.PHONY: $(shell sed -n 's/^\([a-z][a-z_ -]*\):.*/\1/p' Makefile src/tools/install.mk src/examples/examples.mk)
.SECONDARY:
.DEFAULT_GOAL = all
