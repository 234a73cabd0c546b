/* mom_coordinator - keeps the semaphores and variables of mom_resource.h, together with others of its kind, on any
 * machines
 * STARTED BY  a person or a service manager, next to a mom_daemon; two or more, so that one may die
 * READS       resource/log/G, the requests and events of each group that it holds; resource/alive, resource/gone,
 *             resource/state/ITS-ID (src/api/resource/resource.h)
 * WRITES      answers to resource/reply/CLIENT; its own events into the logs; signs of life; snapshots for others. No
 *             file
 * SLEEPS IN   mom_receive
 * MUST NOT    keep anything of a group that did not come from its log: no clock, no order of arrival of anything else
 *             decides about a request
 * SIGNALS     TERM, INT: end (its will tells the others)
 * EXIT        0 stopped   100 wrong use   111 system trouble
 * ON CRASH    its will, or its silence, tells the others; they take over what it held
 *
 * Resources are parted into 32 groups by their names, and each group is held by the two living coordinators whose names
 * weigh most for it (rendezvous hash), the primary and the backup. MOM gives each topic one order for all its
 * subscribers. So a group is a topic, resource/log/G: whatever changes it is a message there, both holders apply the
 * same messages in the same order to the same state (coordinator_state.c), and both know each answer. The primary gives
 * it. Who that is is part of the state, too.
 *
 * What a death may leave, and why no request is lost or doubled by it:
 *  - A request is acknowledged to its client by the broker once it is in the log on disk. It stays there: who holds the
 *  group reads it, sooner or later.
 *  - The primary died before it applied a request, or between that and its answer: the event GONE makes the backup the
 *  primary at one place of the
 *    log; from there on it answers, and there it gives all last answers once more, as it does not know which of them
 *    went out. A client takes the first answer with its request's number and drops others.
 *  - It died after its answer: the client gets it twice, and drops one.
 *  - A client that hears nothing asks again under the same number: a number that is known is answered from the state,
 *  not executed.
 *  - It is taken for dead and is not (stopped, cut off): it answers by the same log with the same answers, until it
 *  reads that it was taken for dead; it
 *    enters itself again.
 *  - It died while it joined: nobody counted on it. It died while it sent a snapshot: the one who waits asks again, the
 *  next primary answers.
 *  - A new holder: it subscribes to the log, writes JOIN there, and gets the state as of its JOIN; what came since it
 *  has kept, and applies. Only then
 *    it writes ACTIVE.
 *  - It wants to leave: LEAVE counts only where two others hold the group at that place of the log. So two that leave
 *  at once leave two.
 *  - Nobody holds the group (the first start; all died at once): FOUND begins it, empty. It names the JOIN after which
 *  its sender found that nobody
 *    subscribes to resource/held/G, and is void if the group was begun after that, so of several only the first counts,
 *    for everyone. Who holds a group subscribes to resource/held/G before anybody can count on it. Where such a
 *    subscriber is there and silent for --missed signs of life (its whole machine has gone) the group is begun anew as
 *    well: then its resources are lost, and if it comes back it reads FOUND and drops what it has.
 *  - A client died: its will, which is later than all else of it, makes both holders write GONE; its units are free
 *  again, it waits no more. The
 *    second GONE finds nothing to do. */
#include "base/arguments.h"
#include "base/clock.h"
#include "base/log_peer.h"
#include "base/notify.h"
#include "base/program.h"
#include "tools/coordinator/coordinator.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* LIST_MS: from word to word, LIST_MOST_MS: for all of them */
enum { SETTLE_MS = 150, LIST_MS = 400, LIST_MOST_MS = 5000, RETRY_MS = 1000 };

volatile sig_atomic_t coordinator_stop;
static int is_verbose, is_quiet, is_listing;
static char wanted_name[NAME_BYTES];

static const char usage[] =
	"usage: mom_coordinator [--name NAME] [--alive MS] [--missed N] [-q | -v]\n"
	"       mom_coordinator --list\n"
	"Keeps the semaphores and variables of mom_resource.h. Start two or more, on any machines that have a daemon "
	"of the same broker: each resource is kept\n"
	"by two of them, and one may die at any time. A coordinator that is started joins the others by itself. `ready "
	"NAME` on stdout: it has its share.\n"
	"  --name NAME  one that comes back under its name takes its old share (default: a new name at each start)\n"
	"  --alive MS   a sign of life so often (1000)\n"
	"  --missed N   without a word for so many signs of life: taken for dead (5). One whose process ends is "
	"noticed at once\n"
	"  --list       who is there, with how many groups of resources; exit 0 where each group is held\n"
	"  -q, -v       tell warnings and errors alone; tell more\n"
	"Exit status: 0 stopped, 100 wrong use, 111 system trouble\n"
	"Example: mom_coordinator --name left & mom_coordinator --name right &\n";

/* ---- begin, end, and what comes between ---- */

static void
on_signal(int number)
{
	(void)number;
	coordinator_stop = 1;
	if (co.id >= 0)
		mom_wake(co.id);
}

static int
subscribe_all(void)
{
	char own[RESOURCE_TOPIC_MAX];
	snprintf(own, sizeof own, RESOURCE_STATE "%016llx", (unsigned long long)co.global);
	const char *topics[] = { own, RESOURCE_GONE, RESOURCE_ALIVE };
	for (int i = 0; i < 3; i++) {
		int e = mom_subscribe(co.id, topics[i], 0);
		if (e && e != MOM_EEXIST) {
			log_peer(LOG_FROM_WARN, 0, "subscribe %s: %s", topics[i], mom_error_text(co.id));
			return -1;
		}
	}
	return 0;
}

static int
begin(void)
{
	co.id = mom_create();
	if (co.id < 0) {
		log_peer(LOG_FROM_ERROR, 0, "%s", mom_error_text(-1));
		return -1;
	}
	co.global = mom_global_id(co.id);
	co.is_ready = co.must_begin_anew = 0;
	co.echoes = 0;
	if (wanted_name[0])
		memcpy(co.name, wanted_name, sizeof co.name);
	else
		snprintf(co.name, sizeof co.name, "%016llx", (unsigned long long)co.global);
	member_say(ALIVE_DEAD);                /* the will, before anybody counts on us */
	if (subscribe_all() < 0)
		return -1;
	member_say(ALIVE_HELLO);
	return 0;
}

static void
end(void)
{
	int id = co.id;
	for (int g = 0; g < RESOURCE_GROUPS; g++)
		place_forget(g);
	members_forget();
	co.id = -1;
	if (id < 0)
		return;
	mom_set_option(id, MOM_OPT_TIMEOUT_MS, 2000);
	if (mom_destroy(id) < 0)
		log_peer(LOG_FROM_WARN, 0, "%s", mom_error_text(-1));
}

/* A client's will: which groups it used. */
static void
client_gone(const struct mom_message *m)
{
	struct mom_reader r;
	mom_reader_init(&r, m->data, m->len);
	uint64_t id = mom_get_u64(&r), groups = mom_get_u64(&r);
	for (int g = 0; g < RESOURCE_GROUPS && !mom_reader_failed(&r); g++)
		if (groups >> g & 1 && co.places[g].phase != PLACE_OUT)
			place_tell_gone(g, id);
}

static void
take(const struct mom_message *m)
{
	size_t log_len = sizeof RESOURCE_LOG - 1;
	if (m->flags & MOM_GAP) {
		log_peer(LOG_FROM_WARN, 0, "%.*s: what was missed cannot be known, begins anew", (int)m->len,
		    (const char *)m->data);
		co.must_begin_anew = 1;
	} else if (strncmp(m->topic, RESOURCE_LOG, log_len) == 0) {
		int group = atoi(m->topic + log_len);
		if (group >= 0 && group < RESOURCE_GROUPS)
			place_event(group, m);
	} else if (strcmp(m->topic, RESOURCE_ALIVE) == 0)
		member_heard(m);
	else if (strcmp(m->topic, RESOURCE_GONE) == 0)
		client_gone(m);
	else if (strncmp(m->topic, RESOURCE_STATE, sizeof RESOURCE_STATE - 1) == 0)
		place_snapshot(m);
}

/* Those who are here have answered the greeting by now: the share can be told. */
static void
settle(void)
{
	co.is_ready = 1;
	for (int g = 0; g < RESOURCE_GROUPS; g++)
		place_look(g);
}

static void
tell_ready(void)
{
	static int is_told;
	for (int g = 0; g < RESOURCE_GROUPS; g++)
		if (co.places[g].phase == PLACE_JOINING)
			return;
	if (!is_told)
		printf("ready %s\n", co.name);
	fflush(stdout);
	if (!is_told)
		notify_ready();
	is_told = 1;
}

/* Until the stop, or until it has to begin anew. */
static void
serve(void)
{
	int64_t next = clock_ms() + SETTLE_MS;
	while (!coordinator_stop && !co.must_begin_anew) {
		struct mom_message m;
		int64_t left = next - clock_ms();
		int e = mom_receive(co.id, &m, left < 0 ? 0 : (int)left);
		if (e == 0)
			take(&m);
		else if (e != MOM_ETIMEDOUT && e != MOM_EINTR) {
			log_peer(LOG_FROM_WARN, 0, "%s: begins anew", mom_error_text(co.id));
			co.must_begin_anew = 1;
		}
		if (clock_ms() >= next) {
			if (!co.is_ready)
				settle();
			member_say(ALIVE_HERE);
			notify_tick(clock_ms());
			log_peers_tell(clock_ms());
			next = clock_ms() + co.alive_ms;
		}
		if (co.is_ready)
			tell_ready();
	}
	if (coordinator_stop)
		notify_stopping();
}

static int
run(void)
{
	while (!coordinator_stop) {
		if (begin() == 0)
			serve();
		else if (!co.must_begin_anew && co.id < 0)
			return EXIT_SYSTEM;
		end();
		if (!coordinator_stop)
			nanosleep(&(struct timespec){ RETRY_MS / 1000, 0 }, NULL);
	}
	return 0;
}

/* ---- --list ---- */

static int
list_one(const struct mom_message *m, int *held, int *primary)
{
	struct mom_reader r;
	char name[NAME_BYTES];
	mom_reader_init(&r, m->data, m->len);
	unsigned kind = mom_get_u8(&r);
	uint64_t id = mom_get_u64(&r);
	mom_get_string8(&r, name, sizeof name);
	uint64_t holds = mom_get_u64(&r), answers = mom_get_u64(&r);
	if (mom_reader_failed(&r) || kind != ALIVE_HERE || member_find(id))
		return 0;
	co.members = realloc(co.members, (co.member_count + 1) * sizeof *co.members);
	if (co.members == NULL)
		log_fatal(EXIT_SYSTEM, "no memory: see ulimit -v");
	co.members[co.member_count++] = (struct peer){ .id = id };
	for (int g = 0; g < RESOURCE_GROUPS; g++) {
		held[g] += holds >> g & 1;
		primary[g] += answers >> g & 1;
	}
	printf("%-20s %016llx  answers for %2d groups, is backup of %2d\n", name, (unsigned long long)id,
	    __builtin_popcountll(answers),
	    __builtin_popcountll(holds & ~answers));
	return 1;
}

static int
list(void)
{
	struct mom_message m;
	int held[RESOURCE_GROUPS] = { 0 }, primary[RESOURCE_GROUPS] = { 0 }, by[3] = { 0 }, answered = 0;
	co.id = mom_create();
	if (co.id < 0 || mom_subscribe(co.id, RESOURCE_ALIVE, 0) < 0)
		log_fatal(EXIT_SYSTEM, "%s", mom_error_text(co.id));
	member_say(ALIVE_HELLO);               /* id 0: only asks */
	for (int64_t until = clock_ms() + LIST_MOST_MS; clock_ms() < until && mom_receive(co.id, &m, LIST_MS) == 0 &&
	    !coordinator_stop;)
		if (!list_one(&m, held, primary) && co.member_count && m.publisher != mom_global_id(co.id))
			break;                         /* somebody speaks for the second time: all have spoken */
	for (int g = 0; g < RESOURCE_GROUPS; g++) {
		by[held[g] > 2 ? 2 : held[g]]++;
		answered += primary[g] == 1;
	}
	printf("%zu coordinators; groups of resources: %d held by two, %d by one, %d by nobody; %d answered for\n",
	    co.member_count, by[2], by[1], by[0], answered);
	members_forget();
	mom_destroy(co.id);
	return by[0] ? 1 : 0;
}

/* ---- the command line ---- */

static long
number(const char *flag, const char *text, long least, long most)
{
	char *stop;
	long n = strtol(text, &stop, 10);
	if (*text == '\0' || *stop || n < least || n > most)
		log_fatal(EXIT_USAGE, "%s %s: a number from %ld to %ld", flag, text, least, most);
	return n;
}

static void
name_is(const char *text)
{
	size_t len = strlen(text);
	if (len == 0 || len >= sizeof wanted_name)
		log_fatal(EXIT_USAGE, "--name: 1 to %d bytes", MOM_NAME_MAX);
	memcpy(wanted_name, text, len + 1);
}

static void
parse(int argc, char **argv)
{
	static const struct option options[] = { { "name", 1, 0, 'n' }, { "alive", 1, 0, 'a' }, { "missed", 1, 0, 'm' },
	    { "list", 0, 0, 'l' }, { "help", 0, 0, 'h' }, { 0 } };
	struct arguments a;
	arguments_begin(&a, argc, argv, "qvh", options);
	for (int o; (o = arguments_next(&a)) != -1;) {
		switch (o) {
		case 'n': name_is(a.value); break;
		case 'a': co.alive_ms = number("--alive", a.value, 10, 3600000); break;
		case 'm': co.missed = number("--missed", a.value, 2, 1000000); break;
		case 'l': is_listing = 1; break;
		case 'q': is_quiet = 1; break;
		case 'v': is_verbose = 1; break;
		case 'h': fputs(usage, stdout); exit(program_end("mom_coordinator", 0, EXIT_SYSTEM));
		default: log_fatal(EXIT_USAGE, "%s; see mom_coordinator --help", a.fault);
		}
	}
	if (a.count)
		log_fatal(EXIT_USAGE, "%s: takes flags only; see mom_coordinator --help", a.word[0]);
}

int
main(int argc, char **argv)
{
	program_begin(argc, argv, "mom_coordinator");
	log_init("mom_coordinator", 0);
	parse(argc, argv);
	if (is_verbose || is_quiet)
		log_init("mom_coordinator", is_verbose ? LOG_FROM_DEBUG : LOG_FROM_WARN);
	program_catch_end(on_signal);
	for (int g = 0; g < RESOURCE_GROUPS; g++)
		state_init(&co.places[g].state, g);
	if (is_listing)
		return program_end("mom_coordinator", list(), EXIT_SYSTEM);
	notify_init();
	return run();
}
