# The examples that are more than one file: src/examples/NAME/*.c become bin/example_NAME; they use include/mom*.h and libmom alone.
# `make example-NAME ARGS="..."` runs one with a broker and two daemons of its own. Included by the Makefile.
EXAMPLE_NAMES = rpc objects
EXAMPLE_NAMES += philosophers museum
EXAMPLES = $(EXAMPLE_NAMES:%=$(BIN)/example_%)

.SECONDEXPANSION:
$(EXAMPLES): $(BIN)/example_%: $$(addprefix $(OBJ)/,$$(addsuffix .o,$$(basename $$(subst src/,,$$(wildcard src/examples/$$*/*.c))))) $(LIB)
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB)

# ---- semaphores: programs that start coordinators ----
EXAMPLES_CREW = $(BIN)/example_philosophers $(BIN)/example_museum
$(EXAMPLES_CREW): $(OBJ)/examples/crew.o $(BIN)/mom_coordinator
example-philosophers example-museum: example-%: all $(BIN)/example_%  ## semaphores kept by coordinators that die meanwhile; ARGS="--kills 9": its flags
	@BIN=$(BIN) sh src/examples/run.sh $(BIN)/example_$* $(ARGS)
