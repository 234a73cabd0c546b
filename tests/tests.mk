# The test programs: build/tests-VARIANT/{unit,integration,crash}/NAME from tests/*/NAME.c, each with tests/lib and our libraries.
# TEST_PROGRAMS lists them. Included by the Makefile.
TESTS_OUT     = build/tests-$(VARIANT)
TEST_SOURCES  = $(wildcard tests/unit/*.c tests/integration/*.c tests/crash/*.c)
TEST_PROGRAMS = $(patsubst tests/%.c,$(TESTS_OUT)/%,$(TEST_SOURCES))
TEST_LIB      = $(patsubst tests/%.c,$(TESTS_OUT)/%.o,$(wildcard tests/lib/*.c))

$(TESTS_OUT)/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -Itests -DT_BIN='"$(BIN)"' -MMD -MP -c -o $@ $<

# libmom.a first: what it does not show (everything but mom_*) unit tests take from libcommon.a and the objects they name
$(TEST_PROGRAMS): $(TESTS_OUT)/%: $(TESTS_OUT)/%.o $(TEST_LIB) $(LIB) $(OBJ)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $(filter-out %.a,$^) $(LIB) $(OBJ)/libcommon.a -lpthread

-include $(wildcard $(TESTS_OUT)/*/*.d)
.PRECIOUS: $(TESTS_OUT)/%.o
