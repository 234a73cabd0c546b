# The examples that are more than one file: src/examples/NAME/*.c become bin/example_NAME; they use include/mom*.h and libmom alone.
# `make example-NAME ARGS="..."` runs one with a broker and two daemons of its own. Included by the Makefile.
EXAMPLE_NAMES = rpc objects
EXAMPLES = $(EXAMPLE_NAMES:%=$(BIN)/example_%)

.SECONDEXPANSION:
$(EXAMPLES): $(BIN)/example_%: $$(addprefix $(OBJ)/,$$(addsuffix .o,$$(basename $$(subst src/,,$$(wildcard src/examples/$$*/*.c))))) $(LIB)
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB)
