# The example systems: bin/examples/NAME/PROGRAM from src/examples/NAME/. Included by the Makefile.
EXAMPLES = $(BIN)/examples
EXAMPLE_PROGRAMS =

examples:                    ## the example systems of src/examples, in bin/examples

# ---- lottery: agencies send bets in batches to a centre with a pool of workers ----
LOTTERY = $(OBJ)/examples/lottery
LOTTERY_SHARED = $(addprefix $(LOTTERY)/,bet.o config.o csv.o tell.o)
EXAMPLE_PROGRAMS += $(addprefix $(EXAMPLES)/lottery/,lottery centre agency make-agencies)
$(EXAMPLES)/lottery/lottery: $(addprefix $(LOTTERY)/,lottery.o generate.o verify.o) $(LOTTERY_SHARED)
$(EXAMPLES)/lottery/centre: $(addprefix $(LOTTERY)/,centre.o pool.o port.o say.o store.o) $(LOTTERY_SHARED)
$(EXAMPLES)/lottery/agency: $(addprefix $(LOTTERY)/,agency.o say.o) $(LOTTERY_SHARED)
$(EXAMPLES)/lottery/make-agencies: $(addprefix $(LOTTERY)/,make-agencies.o generate.o) $(LOTTERY_SHARED)
example-lottery: all examples  ## 100,000 bets of five agencies, stored once each and drawn; ARGS="--bets 1000 --agencies 3 ...", see its --help
	@BIN=$(BIN) sh src/examples/run.sh $(EXAMPLES)/lottery/lottery $(ARGS)

$(EXAMPLE_PROGRAMS): $(LIB)
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB)
examples: $(EXAMPLE_PROGRAMS)
