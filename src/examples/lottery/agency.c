/* agency - sends the bets of its file in batches, then waits for the draw: agency CONFIG NUMBER [--check] [--progress]
 * [--KEY VALUE ...]
 *
 * READS       agency-NUMBER.csv beside CONFIG (all of it is looked at before the first bet is sent); TOPIC/to/ID
 * WRITES      TOPIC/bets: a batch, then the next one when it is answered; winners-NUMBER.csv: the documents of its
 *             winners
 * STDOUT      a line at the end
 * SIGNALS     TERM, INT: ends at once; a batch on its way may be stored
 * EXIT        0 all bets are stored and the winners are known, or stopped   1 not so   100 wrong use or a bad file  
 *             111 system trouble */
#include "bet.h"
#include "config.h"
#include "say.h"
#include "tell.h"
#include <errno.h>
#include <mom.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct agency {
	struct config config;
	unsigned number;
	int id, check, progress;
	long bets, sent;
	uint32_t batches, documents, parts;
	uint32_t *document;
} a;
static volatile sig_atomic_t stopped;

static void
on_stop(int signal)
{
	(void)signal;
	stopped = 1;
	mom_wake(a.id);
}

/* Gives the handle back; where the broker is away that happens when it is back. */
static void __attribute__((noreturn))
leave(int status)
{
	mom_set_option(a.id, MOM_OPT_TIMEOUT_MS, 1000);
	mom_destroy(a.id);
	exit(status);
}

static void __attribute__((noreturn))
fail(const char *what, const char *why)
{
	tell("agency %u: %s: %s", a.number, what, why);
	leave(1);
}

static void
stop_if_told(void)
{
	if (stopped) {
		tell("agency %u: stopped; %ld of %ld bets were stored", a.number, a.sent, a.bets);
		leave(0);
	}
}

static void
open_bets(struct csv *csv)
{
	if (csv_open(csv, config_path(&a.config, "agency-%u.csv", a.number)) < 0)
		tell_fatal(100, "%s", csv->error);
}

/* Reads the file to its end: nothing is sent of one that is wrong somewhere. */
static void
check_bets(void)
{
	static struct csv csv;
	struct bet b;
	int r;
	open_bets(&csv);
	while ((r = bet_next(&b, &csv, a.number)) > 0)
		a.bets++;
	if (r < 0)
		tell_fatal(100, "%s", csv.error);
	csv_close(&csv);
}

/* ---- what the centre says ---- */

/* The next of its messages. Nothing for patience, a publish that failed, a signal: the end. */
static void
hear(struct say *s)
{
	struct mom_message m;
	long waited = 0;
	int r, step = 500;
	for (;;) {
		r = mom_receive(a.id, &m, step);
		stop_if_told();
		if (r == 0 && !(m.flags & MOM_GAP) && say_get(s, m.data, m.len) == 0)
			return;
		if (r == 0)
			fail("a message that is none of the centre's",
			    m.flags & MOM_GAP ? "messages are lost" : m.topic);
		if (r != MOM_ETIMEDOUT && r != MOM_EINTR)
			fail("receive", mom_error_text(a.id));
		r = mom_flush(a.id, 0);
		if (r < 0 && r != MOM_ETIMEDOUT && r != MOM_EINTR)
			fail("publish", mom_error_text(a.id));
		if ((waited += step) >= a.config.patience_ms)
			fail("no answer", "does the centre run? (`patience` in lottery.conf says how long is waited)");
	}
}

static void
take_winners(const struct say *s)
{
	if (s->part != a.parts)                        /* said again by a centre that came back */
		return;
	a.document = realloc(a.document, (a.documents + (size_t)s->count + 1) * sizeof *a.document);
	if (a.document == NULL)
		fail("no memory for the winners", "see `ulimit -v`");
	memcpy(a.document + a.documents, s->document, (size_t)s->count * sizeof *a.document);
	a.documents += (uint32_t)s->count;
	a.parts++;
}

static void
write_winners(void)
{
	const char *path = config_path(&a.config, "winners-%u.csv", a.number);
	FILE *f = fopen(path, "we");
	for (uint32_t i = 0; f && i < a.documents; i++)
		fprintf(f, "%u\n", a.document[i]);
	if (f == NULL || ferror(f) || fclose(f) != 0)
		fail(path, strerror(errno));
	printf("agency %u: %ld bets in %u batches stored, %u winners\n", a.number, a.sent, a.batches, a.documents);
}

/* To its last part; s is the first, or what was heard last. */
static void
hear_winners(struct say *s)
{
	while (s->kind != SAY_WINNERS || s->part != a.parts || !s->last) {
		if (s->kind == SAY_WINNERS)
			take_winners(s);
		hear(s);
	}
	take_winners(s);
	write_winners();
}

/* ---- what it sends ---- */

static void
show_progress(int last)
{
	static time_t shown;
	if (!a.progress || !isatty(2) || (!last && time(NULL) == shown))
		return;
	shown = time(NULL);
	fprintf(stderr, "\r\033[Kagency %u: %ld of %ld bets%s", a.number, a.sent, a.bets, last ? "\n" : "");
}

/* The first message waits for the centre: an agency may be started before it. */
static void
send_bytes(const void *bytes, size_t len)
{
	static int is_late;
	int r, step = 200;
	for (long waited = 0; (r = say_bets(a.id, a.config.topic, bytes, (unsigned)len, !is_late)) == MOM_ENOSUBSCRIBER;
	    waited += step) {
		stop_if_told();
		if (waited >= a.config.patience_ms)
			fail("publish", "there is no centre; start it (`patience` in lottery.conf says how long is "
			    "waited)");
		usleep((unsigned)step * 1000);
	}
	if (r < 0 && r != MOM_ETIMEDOUT)               /* the broker is away: it is on its way */
		fail("publish", mom_error_text(a.id));
	is_late = 1;
}

/* In steps, so that SIGTERM is seen while the broker is away. */
static void
listen_to_centre(void)
{
	int r, step = 2000;
	mom_set_option(a.id, MOM_OPT_TIMEOUT_MS, step);
	for (long waited = 0; (r = say_subscribe_own(a.id, a.config.topic)) == MOM_ETIMEDOUT &&
	    waited < a.config.patience_ms; waited += step)
		stop_if_told();
	if (r < 0 && r != MOM_EEXIST)
		fail("subscribe", mom_error_text(a.id));
}

static void
send_batch(const struct batch *b)
{
	static struct say s;
	send_bytes(b->bytes, b->len);
	a.batches++;
	do {
		hear(&s);
		if (s.kind == SAY_WINNERS) {
			tell("agency %u: the draw was before all of its bets were sent", a.number);
			hear_winners(&s);
			leave(1);
		}
	} while (s.number != a.batches);               /* an answer that is said again */
	if (s.count != b->bets)
		fail("a batch was refused", "its bets are not stored");
	a.sent += b->bets;
	show_progress(0);
}

static void
send_bets(void)
{
	static struct csv csv;
	static struct batch batch;
	struct bet b;
	int r;
	open_bets(&csv);
	batch_init(&batch);
	while ((r = bet_next(&b, &csv, a.number)) > 0) {
		if (batch_add(&batch, &b, (int)a.config.batch) == 0)
			continue;
		send_batch(&batch);
		batch_init(&batch);
		batch_add(&batch, &b, (int)a.config.batch);
	}
	if (r < 0)
		fail("the file has changed", csv.error);
	if (batch.bets > 0)
		send_batch(&batch);
	csv_close(&csv);
	show_progress(1);
}

static int
own_option(const char *option, const char *value)
{
	(void)value;
	if (strcmp(option, "--check") == 0)
		a.check = 1;
	else if (strcmp(option, "--progress") == 0)
		a.progress = 1;
	else
		return 0;
	return 1;
}

static void
parse(int argc, char **argv)
{
	int help = argc == 2 && strcmp(argv[1], "--help") == 0;
	long number = argc > 2 ? config_number(argv[2], 1, AGENCIES_MAX) : -1;
	if (argc < 3 || number < 0) {
		fprintf(help ? stdout : stderr, "usage: agency CONFIG NUMBER [--check] [--progress] [--KEY VALUE ...]\n"
		    "  --check       only look whether its file is in order\n  --progress    a line that counts, on a "
		    "terminal\n%s", config_help);
		exit(help ? 0 : 100);
	}
	config_load(&a.config, argv[1], argc, argv, 3, own_option);
	if (number > a.config.agencies)
		tell_fatal(100, "agency %ld: %s has `agencies %ld`", number, argv[1], a.config.agencies);
	a.number = (unsigned)number;
}

int
main(int argc, char **argv)
{
	static struct say s;
	struct sigaction stop = { .sa_handler = on_stop };
	unsigned char end;
	tell_program = "lottery agency";
	parse(argc, argv);
	check_bets();
	if (a.check)
		return printf("agency-%u.csv: %ld bets\n", a.number, a.bets) < 0;
	if ((a.id = mom_create()) < 0)
		tell_fatal(111, "%s", mom_error_text(-1));
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	listen_to_centre();
	send_bets();
	end = (unsigned char)a.number;
	send_bytes(&end, 1);
	hear_winners(&s);
	leave(0);
}
