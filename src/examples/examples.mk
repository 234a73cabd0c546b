# The examples that are more than one file: src/examples/NAME/*.c become bin/example_NAME; they use include/mom*.h and libmom alone.
# `make example-NAME ARGS="..."` runs one with a broker and two daemons of its own. Included by the Makefile.
EXAMPLE_NAMES = rpc objects
EXAMPLES = $(EXAMPLE_NAMES:%=$(BIN)/example_%)

.SECONDEXPANSION:
$(EXAMPLES): $(BIN)/example_%: $$(addprefix $(OBJ)/,$$(addsuffix .o,$$(basename $$(subst src/,,$$(wildcard src/examples/$$*/*.c))))) $(LIB)
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB)

# ---- lottery: several programs, in bin/examples/lottery ----
LOTTERY = $(OBJ)/examples/lottery
LOTTERY_SHARED = $(addprefix $(LOTTERY)/,bet.o config.o csv.o tell.o)
LOTTERY_PROGRAMS = $(addprefix $(BIN)/examples/lottery/,lottery centre agency make-agencies)
$(BIN)/examples/lottery/lottery: $(addprefix $(LOTTERY)/,lottery.o generate.o verify.o) $(LOTTERY_SHARED)
$(BIN)/examples/lottery/centre: $(addprefix $(LOTTERY)/,centre.o pool.o port.o say.o store.o) $(LOTTERY_SHARED)
$(BIN)/examples/lottery/agency: $(addprefix $(LOTTERY)/,agency.o say.o) $(LOTTERY_SHARED)
$(BIN)/examples/lottery/make-agencies: $(addprefix $(LOTTERY)/,make-agencies.o generate.o) $(LOTTERY_SHARED)
example-lottery: all $(LOTTERY_PROGRAMS)  ## 100,000 bets of five agencies, stored once each and drawn; ARGS="--bets 1000 --agencies 3"
	@BIN=$(BIN) sh src/examples/run.sh $(BIN)/examples/lottery/lottery $(ARGS)

# ---- news: several programs, in bin/examples/news ----
NEWS = $(OBJ)/examples/news
NEWS_DESK = $(addprefix $(NEWS)/,desk.o assets.o board.o config.o entry.o http.o request.o)
NEWS_PROGRAMS = $(addprefix $(BIN)/examples/news/,news pusher consumer)
$(BIN)/examples/news/news: $(addprefix $(NEWS)/,news.o client.o)
$(BIN)/examples/news/pusher: $(NEWS)/pusher.o $(NEWS_DESK)
$(BIN)/examples/news/consumer: $(NEWS)/consumer.o $(NEWS_DESK)
$(NEWS)/assets.o: $(addprefix src/examples/news/,comments.html news.html news.js news.css)
example-news: all $(NEWS_PROGRAMS)  ## two pages by server-sent events, written to and read as browsers do; ARGS="--stay 1": to be looked at
	@BIN=$(BIN) sh src/examples/run.sh $(BIN)/examples/news/news $(ARGS)

# ---- what the examples of several programs share ----
EXAMPLES += $(LOTTERY_PROGRAMS) $(NEWS_PROGRAMS)
$(LOTTERY_PROGRAMS) $(NEWS_PROGRAMS): $(LIB)
	@mkdir -p $(@D)
	@echo "  CC $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB)
examples: $(EXAMPLES)        ## build all of them
