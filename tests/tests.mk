# The test programs: build/tests-VARIANT/{unit,integration,crash,storm}/NAME from tests/*/NAME.c, each with tests/lib and our libraries.
# TEST_PROGRAMS lists them. Included by the Makefile.
TESTS_OUT     = build/tests-$(VARIANT)
# tests/storm/NAME.c is a storm, a program too; with a NAME.h it is a part that all storms share (and the checker's unit test).
STORM_OWN     = tests/storm/disk.c                    # of images alone: it takes the system calls over
STORM_PARTS   = $(filter-out $(STORM_OWN),$(wildcard $(patsubst %.h,%.c,$(wildcard tests/storm/*.h))))
STORM_SOURCES = $(filter-out $(STORM_PARTS) $(STORM_OWN),$(wildcard tests/storm/*.c))
TEST_SOURCES  = $(wildcard tests/unit/*.c tests/integration/*.c tests/crash/*.c) $(STORM_SOURCES)
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
$(TESTS_OUT)/storm/images: $(TESTS_OUT)/%: $(TESTS_OUT)/%.o $(TESTS_OUT)/storm/disk.o $(OBJ)/worker/checkpoint.o $(OBJ)/worker/shard.o $(TEST_LIB) $(LIB) $(OBJ)/libcommon.a
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) $(DISK_CALLS:%=-Wl,--wrap=%) -o $@ $(filter %.o,$^) $(LIB) $(OBJ)/libcommon.a -lpthread

# what a case preloads into a server
$(TESTS_OUT)/shim/%.so: tests/shim/%.c
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(filter-out -fsanitize% -fno-sanitize%,$(CFLAGS_ALL)) -shared -o $@ $< -ldl
$(TESTS_OUT)/integration/slow_disk: | $(TESTS_OUT)/shim/slow_sync.so

# ---- fuzzing: a target is tests/fuzz/NAME.c and what is listed here; inside it is hidden but for its two entries ----
FUZZ_TARGETS = frame answers request_ring ring log dump checkpoint registry client_list command_line names machines mail forwarder door
FUZZ_WITH_request_ring = $(OBJ)/worker/shard.o
FUZZ_REPLAYS = $(FUZZ_TARGETS:%=$(TESTS_OUT)/fuzz/%)
TEST_PROGRAMS += $(FUZZ_REPLAYS)

.SECONDEXPANSION:
$(TESTS_OUT)/fuzz/%.whole.o: $(TESTS_OUT)/fuzz/%.o $(TESTS_OUT)/fuzz/edge.o $$(FUZZ_WITH_$$*) $(OBJ)/libcommon.a
	@ld -r -o $@ $(filter %.o,$^) $(OBJ)/libcommon.a
	@objcopy --keep-global-symbol=LLVMFuzzerTestOneInput --keep-global-symbol=fuzz_seeds $@
$(FUZZ_REPLAYS): $(TESTS_OUT)/fuzz/%: $(TESTS_OUT)/fuzz/%.whole.o $(TESTS_OUT)/fuzz/replay.o $(TEST_LIB) $(LIB) $(OBJ)/libcommon.a
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(OBJ)/libcommon.a -lpthread

# VARIANT=fuzz only, with clang
build/fuzz/%: $(TESTS_OUT)/fuzz/%.o $(TESTS_OUT)/fuzz/edge.o $$(FUZZ_WITH_$$*) $(OBJ)/libcommon.a
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^
fuzz-programs: $(FUZZ_TARGETS:%=build/fuzz/%)

-include $(wildcard $(TESTS_OUT)/*/*.d)
.PRECIOUS: $(TESTS_OUT)/%.o
.PRECIOUS: $(TESTS_OUT)/%.o

# ---- tests/storm/shim: preloaded into the processes of a run; never linked ----
SHIM = $(TESTS_OUT)/storm/shim.so
$(SHIM): tests/storm/shim/shim.c tests/storm/shim/shim.h
	@mkdir -p $(@D)
	$(CC) $(filter-out -fsanitize% -fno-sanitize%,$(CFLAGS_ALL)) -shared -o $@ $<
$(TESTS_OUT)/storm/calls $(TESTS_OUT)/storm/clock: | $(SHIM)
