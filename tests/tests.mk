# The test programs: build/tests-VARIANT/{unit,integration,crash,storm}/NAME from tests/*/NAME.c, each with tests/lib and our libraries.
# TEST_PROGRAMS lists them. Included by the Makefile.
TESTS_OUT     = build/tests-$(VARIANT)
# tests/storm/NAME.c is a storm, a program too; with a NAME.h it is a part that all storms share (and the checker's unit test).
STORM_OWN     = tests/storm/disk.c                    # of images alone: it takes the system calls over
STORM_PARTS   = $(filter-out $(STORM_OWN),$(wildcard $(patsubst %.h,%.c,$(wildcard tests/storm/*.h))))
STORM_SOURCES = $(filter-out $(STORM_PARTS) $(STORM_OWN),$(wildcard tests/storm/*.c))
# the storms first, since they take longest
TEST_SOURCES  = $(STORM_SOURCES) $(wildcard tests/unit/*.c tests/integration/*.c tests/hostile/*.c tests/crash/*.c)
TEST_PROGRAMS = $(patsubst tests/%.c,$(TESTS_OUT)/%,$(TEST_SOURCES))
SOAK_PROGRAM  = $(TESTS_OUT)/soak/soak             # of make soak alone
STORM_PROGRAMS = $(patsubst tests/%.c,$(TESTS_OUT)/%,$(STORM_SOURCES))
TEST_LIB      = $(patsubst tests/%.c,$(TESTS_OUT)/%.o,$(wildcard tests/lib/*.c) $(STORM_PARTS))

$(TESTS_OUT)/%.o: tests/%.c
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) -Itests -DT_BIN='"$(BIN)"' -MMD -MP -c -o $@ $<

# libmom.a first: what it does not show (everything but mom_*) unit tests take from libcommon.a and the objects they name
$(filter-out %/images,$(TEST_PROGRAMS)) $(SOAK_PROGRAM): $(TESTS_OUT)/%: $(TESTS_OUT)/%.o $(TEST_LIB) $(LIB) $(OBJ)/libcommon.a
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $(filter-out %.a,$^) $(LIB) $(OBJ)/libcommon.a -lpthread

# ---- storms of the disk: the calls that change a folder are recorded ----
DISK_CALLS = openat close write pwrite ftruncate renameat unlinkat fsync fdatasync fallocate getrandom
SHARD_STATE = $(addprefix $(OBJ)/worker/,checkpoint.o shard.o shard_apply.o groups.o groups_apply.o hands.o)
$(TESTS_OUT)/storm/images: $(TESTS_OUT)/%: $(TESTS_OUT)/%.o $(TESTS_OUT)/storm/disk.o $(SHARD_STATE) $(TEST_LIB) $(LIB) $(OBJ)/libcommon.a
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) $(DISK_CALLS:%=-Wl,--wrap=%) -o $@ $(filter %.o,$^) $(LIB) $(OBJ)/libcommon.a -lpthread

# what a case preloads into a server
$(TESTS_OUT)/shim/%.so: tests/shim/%.c
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(filter-out -fsanitize% -fno-sanitize%,$(CFLAGS_ALL)) -shared -o $@ $< -ldl
$(addprefix $(TESTS_OUT)/integration/,slow_disk fair views subscriptions): | $(TESTS_OUT)/shim/slow_disk.so
$(TESTS_OUT)/integration/interrupted: | $(TESTS_OUT)/shim/interrupted.so
$(TESTS_OUT)/integration/mom_store: | $(TESTS_OUT)/shim/hold_log.so
$(TESTS_OUT)/integration/host_names: | $(TESTS_OUT)/shim/host_names.so

# ---- fuzzing: a target is tests/fuzz/NAME.c and what is listed here; inside it is hidden but for its two entries ----
FUZZ_TARGETS = frame answers request_ring ring log dump checkpoint registry client_list command_line names machines mail forwarder door config lineedit http_request coding rpc
FUZZ_TARGETS += coordinator coordinator_frames patterns properties
FUZZ_WITH_coordinator = $(addprefix $(OBJ)/,tools/coordinator/coordinator_state.o tools/coordinator/coordinator_snapshot.o api/resource/resource_wire.o api/coding.o)
FUZZ_WITH_request_ring = $(OBJ)/worker/decide.o
FUZZ_WITH_mail = $(OBJ)/api/settings.o
FUZZ_WITH_lineedit = $(TESTS_OUT)/lib/screen.o
FUZZ_WITH_properties = $(OBJ)/api/handle.o $(OBJ)/api/error.o
FUZZ_WITH_patterns = $(TESTS_OUT)/lib/levels.o
FUZZ_WITH_command_line = $(OBJ)/tools/user/user_prompt.o
FUZZ_TARGETS += bets news_request                     # of src/examples
FUZZ_WITH_bets = $(OBJ)/api/coding.o
FUZZ_REPLAYS = $(FUZZ_TARGETS:%=$(TESTS_OUT)/fuzz/%)
TEST_PROGRAMS += $(FUZZ_REPLAYS)

.SECONDEXPANSION:
$(TESTS_OUT)/fuzz/%.whole.o: $(TESTS_OUT)/fuzz/%.o $(TESTS_OUT)/fuzz/edge.o $$(FUZZ_WITH_$$*) $(OBJ)/libcommon.a
	@$(LD) -r -o $@ $(filter %.o,$^) $(OBJ)/libcommon.a
	@$(OBJCOPY) --keep-global-symbol=LLVMFuzzerTestOneInput --keep-global-symbol=fuzz_seeds $@
$(FUZZ_REPLAYS): $(TESTS_OUT)/fuzz/%: $(TESTS_OUT)/fuzz/%.whole.o $(TESTS_OUT)/fuzz/replay.o $(TEST_LIB) $(LIB) $(OBJ)/libcommon.a
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(OBJ)/libcommon.a -lpthread

# VARIANT=fuzz only, with clang
build/fuzz/%: $(TESTS_OUT)/fuzz/%.o $(TESTS_OUT)/fuzz/edge.o $$(FUZZ_WITH_$$*) $(OBJ)/libcommon.a
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^
fuzz-programs: $(FUZZ_TARGETS:%=build/fuzz/%)

# cases that look at files of this source tree
$(TESTS_OUT)/integration/python.o $(TESTS_OUT)/integration/install.o $(TESTS_OUT)/integration/systemd.o $(TESTS_OUT)/integration/eventloop.o $(TESTS_OUT)/integration/man.o: override CFLAGS += -DSOURCE='"$(CURDIR)"'

# ---- the simulator: each program as a shared object in which the system calls of tests/sim/calls.h have other names; VARIANT=sim only ----
SIM_PROGRAMS = $(SERVERS:%=build/sim/%.so) build/sim/client.so
SIM_WITH_broker_handler = $(OBJ)/broker/broker_handler.o $(BROKER_SHARED)
SIM_WITH_broker_sender  = $(OBJ)/broker/broker_sender.o $(BROKER_SHARED)
SIM_WITH_broker_server  = $(OBJ)/broker/broker_server.o $(BROKER_SHARED)
SIM_WITH_worker         = $(OBJ)/worker/worker.o $(WORKER_SHARED)
SIM_WITH_mom_daemon     = $(OBJ)/daemon/mom_daemon.o $(DAEMON_SHARED)
SIM_WITH_mom_requester  = $(OBJ)/daemon/mom_requester.o $(DAEMON_SHARED)
SIM_WITH_mom_responser  = $(OBJ)/daemon/mom_responser.o $(DAEMON_SHARED)
SIM_WITH_mom_forwarder  = $(OBJ)/daemon/mom_forwarder.o $(DAEMON_SHARED)
SIM_WITH_client         = $(OBJ)/sim/client.o $(API)
SIM_KERNEL = $(patsubst tests/sim/%.c,$(OBJ)/sim/%.o,$(filter-out %/client.c,$(wildcard tests/sim/*.c)))
sim-programs: $(SIM_PROGRAMS) build/sim/simulate
$(TESTS_OUT)/integration/simulator.o: override CFLAGS += -DSIMULATE='"$(CURDIR)/build/sim/simulate"'
$(TESTS_OUT)/integration/simulator: | sim-built
sim-built:
	@$(MAKE) --no-print-directory VARIANT=sim sim-programs

$(OBJ)/sim/client.o: tests/sim/client.c
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<
$(OBJ)/sim/%.o: tests/sim/%.c
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(filter-out -O1 -fsanitize-coverage=%,$(CFLAGS_ALL)) -O2 -MMD -MP -c -o $@ $<
build/sim/calls: tests/sim/calls.h
	@mkdir -p $(@D)
	@sed -n 's/^.*[ *]sim_\([a-z0-9_]*\)(.*/\1 sim_\1/p' $< >$@
	@echo 'main program_main' >>$@
build/sim/%.so: $$(SIM_WITH_$$*) $(OBJ)/libcommon.a build/sim/calls tests/sim/pure
	@echo "  LD $@"; $(LD) -r -o $(OBJ)/$*.whole.o $(filter %.o,$^) $(OBJ)/libcommon.a
	@$(OBJCOPY) --redefine-syms=build/sim/calls $(OBJ)/$*.whole.o
	@! nm -u $(OBJ)/$*.whole.o | sed 's/^ *U //' | grep -vxf tests/sim/pure || { echo "$*: the simulator knows no such call: add it to tests/sim/calls.h, or to tests/sim/pure"; exit 1; }
	@$(CC) -shared -Wl,-Bsymbolic -Wl,-z,norelro -Wl,-z,now -o $@ $(OBJ)/$*.whole.o
build/sim/simulate: $(SIM_KERNEL)
	@echo "  LD $@"; $(CC) -rdynamic -o $@ $^ -ldl

-include $(wildcard $(TESTS_OUT)/*/*.d)
.PRECIOUS: $(TESTS_OUT)/%.o
.PRECIOUS: $(TESTS_OUT)/%.o

# ---- tests/storm/shim: preloaded into the processes of a run; never linked ----
SHIM = $(TESTS_OUT)/storm/shim.so
WITNESS = $(TESTS_OUT)/storm/witness.so
$(SHIM) $(WITNESS): $(TESTS_OUT)/storm/%.so: tests/storm/shim/%.c tests/storm/shim/%.h $(wildcard src/format/*.h src/ipc/*.h)
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(filter-out -fsanitize% -fno-sanitize%,$(CFLAGS_ALL)) -shared -o $@ $<
$(TESTS_OUT)/storm/calls $(TESTS_OUT)/storm/clock: | $(SHIM)
$(TESTS_OUT)/storm/witness $(TESTS_OUT)/storm/power: | $(WITNESS)

# the plain state of mom_coordinator
$(TESTS_OUT)/unit/routes: $(OBJ)/daemon/routes.o
$(TESTS_OUT)/unit/shard $(TESTS_OUT)/unit/groups: $(SHARD_STATE)
$(TESTS_OUT)/unit/stream: $(OBJ)/broker/stream.o $(SHARD_STATE)
$(TESTS_OUT)/unit/coordinator_state: $(OBJ)/tools/coordinator/coordinator_state.o $(OBJ)/tools/coordinator/coordinator_snapshot.o $(OBJ)/api/resource/resource_wire.o
$(TESTS_OUT)/integration/resource: $(OBJ)/api/resource/resource_wire.o
