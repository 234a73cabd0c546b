# The examples that are more than one file: src/examples/NAME/*.c become build/examples-VARIANT/example_NAME; they use include/mom*.h and libmom alone.
# `make example-NAME ARGS="..."` runs one with a broker and two daemons of its own. Included by the Makefile.
EXAMPLE_NAMES = rpc objects exchanges
EXAMPLE_NAMES += philosophers museum
EXAMPLE_BIN   = build/examples-$(VARIANT)
EXAMPLES      = $(EXAMPLE_NAMES:%=$(EXAMPLE_BIN)/example_%)

.SECONDEXPANSION:
$(EXAMPLES): $(EXAMPLE_BIN)/example_%: $(OBJ)/examples/held.o $$(addprefix $(OBJ)/,$$(addsuffix .o,$$(basename $$(subst src/,,$$(wildcard src/examples/$$*/*.c))))) $(LIB)
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB)

$(TESTS_OUT)/integration/examples.o: override CFLAGS += -DEXAMPLES='"$(CURDIR)/$(EXAMPLE_BIN)"'
$(TESTS_OUT)/integration/examples: | $(EXAMPLES)

# ---- lottery: several programs, in build/examples-VARIANT/lottery ----
LOTTERY = $(OBJ)/examples/lottery
LOTTERY_SHARED = $(addprefix $(LOTTERY)/,bet.o config.o csv.o tell.o)
LOTTERY_PROGRAMS = $(addprefix $(EXAMPLE_BIN)/lottery/,lottery centre agency make-agencies)
$(EXAMPLE_BIN)/lottery/lottery: $(addprefix $(LOTTERY)/,lottery.o generate.o verify.o) $(LOTTERY_SHARED)
$(EXAMPLE_BIN)/lottery/centre: $(addprefix $(LOTTERY)/,centre.o pool.o port.o say.o store.o) $(LOTTERY_SHARED)
$(EXAMPLE_BIN)/lottery/agency: $(addprefix $(LOTTERY)/,agency.o say.o) $(LOTTERY_SHARED)
$(EXAMPLE_BIN)/lottery/make-agencies: $(addprefix $(LOTTERY)/,make-agencies.o generate.o) $(LOTTERY_SHARED)
example-lottery: all $(LOTTERY_PROGRAMS)  ## 100,000 bets of five agencies, stored once each and drawn; ARGS="--bets 1000 --agencies 3"
	@BIN=$(BIN) sh src/examples/run.sh $(EXAMPLE_BIN)/lottery/lottery $(ARGS)

# ---- news: several programs, in build/examples-VARIANT/news ----
NEWS = $(OBJ)/examples/news
NEWS_DESK = $(addprefix $(NEWS)/,desk.o assets.o board.o config.o entry.o http.o request.o)
NEWS_PROGRAMS = $(addprefix $(EXAMPLE_BIN)/news/,news pusher consumer)
$(EXAMPLE_BIN)/news/news: $(addprefix $(NEWS)/,news.o client.o)
$(EXAMPLE_BIN)/news/pusher: $(NEWS)/pusher.o $(NEWS_DESK)
$(EXAMPLE_BIN)/news/consumer: $(NEWS)/consumer.o $(NEWS_DESK)
$(NEWS)/assets.o: $(addprefix src/examples/news/,comments.html news.html news.js news.css)
example-news: all $(NEWS_PROGRAMS)  ## two pages by server-sent events, written to and read as browsers do; ARGS="--stay 1": to be looked at
	@BIN=$(BIN) sh src/examples/run.sh $(EXAMPLE_BIN)/news/news $(ARGS)

# ---- what the examples of several programs share ----
EXAMPLES += $(LOTTERY_PROGRAMS) $(NEWS_PROGRAMS)
$(LOTTERY_PROGRAMS) $(NEWS_PROGRAMS): $(LIB)
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB)
examples: all $(EXAMPLES)    ## build all of them
$(addprefix $(TESTS_OUT)/integration/,lottery.o news.o): override CFLAGS += -DEXAMPLES='"$(CURDIR)/$(EXAMPLE_BIN)"'
$(addprefix $(TESTS_OUT)/integration/,lottery news): | $(LOTTERY_PROGRAMS) $(NEWS_PROGRAMS)

# ---- semaphores: programs that start coordinators ----
EXAMPLES_CREW = $(addprefix $(EXAMPLE_BIN)/example_,philosophers museum)
$(EXAMPLES_CREW): $(OBJ)/examples/crew.o | $(BIN)/mom_coordinator
example-philosophers example-museum: example-%: all $(EXAMPLE_BIN)/example_%  ## semaphores and variables that two or more coordinators keep; ARGS="--seed 2": its flags
	@BIN=$(BIN) sh src/examples/run.sh $(EXAMPLE_BIN)/example_$* $(ARGS)
