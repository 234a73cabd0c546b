/* crew - the clients of a storm: processes that publish or receive without end, write their history, die in every way,
 * and are replaced */
#include <storm/crew.h>
#include <lib/carried.h>
#include <lib/proc.h>
#include <lib/segment.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <errno.h>
#include "format/topic.h"
#include "ipc/layout.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* BUSY_MS: how long a name may be said to be in use after its last owner became another program. LOOK_MS: a client
 * looks at its orders */
enum { BUSY_MS = 10000, LOOK_MS = 50, LINGER_MS = 400 };

struct crew_client *crew;
int crew_size;
long crew_deaths[CREW_DEATHS];
enum payload_mix crew_mix = PAYLOAD_STORM;
static struct { atomic_uint next_publisher, last_word; } *shared;
static char folder[300], topics[CREW_TOPICS][64];
static int topic_count;
static pid_t ghosts[CREW_GHOSTS];            /* were clients, are other programs now */
static int ghost_count;

void
crew_begin(const char *a_folder, const char *names)
{
	snprintf(folder, sizeof folder, "%s", a_folder);
	if (!crew) {
		crew = t_shared_memory(CREW_MAX * sizeof *crew);
		shared = t_shared_memory(sizeof *shared);
	}
	memset(crew, 0, CREW_MAX * sizeof *crew);
	crew_size = topic_count = 0;
	shared->next_publisher = 1;
	shared->last_word = 0;
	char *copy = strdup(names);
	for (char *word = strtok(copy, ","); word && topic_count < CREW_TOPICS; word = strtok(NULL, ","))
		snprintf(topics[topic_count++], sizeof topics[0], "%s", word);
	free(copy);
}

uint32_t
crew_publisher_number(void)
{
	return atomic_fetch_add(&shared->next_publisher, 1);
}

const char *
crew_folder(void)
{
	return folder;
}

const char *
crew_topic(int i)
{
	return i < topic_count ? topics[i] : NULL;
}

struct crew_client *
crew_add(struct server *daemon, enum crew_job job, int how, unsigned flags)
{
	REQUIRE(crew_size < CREW_MAX, "too many clients");
	struct crew_client *c = &crew[crew_size];
	snprintf(c->run, sizeof c->run, "%s", daemon->run);
	c->daemon = daemon;
	c->job = job;
	c->how = how;
	c->flags = flags;
	c->number = crew_size++;
	c->tempo_ms = CREW_TEMPO_MS;
	snprintf(c->name, sizeof c->name, "%s-%d", job == CREW_PUBLISHER ? "mouth" : "ear", c->number);
	return c;
}

/* ---- in the client's process ---- */

static struct crew_client *me;
static struct history *history;
static struct t_rng rng;
static int id, sessions;
static uint32_t publisher, next[CREW_TOPICS];

static void
begin_session(void)
{
	char name[80];
	int64_t end = t_now_ms() + BUSY_MS;
	do
		id = me->how & CREW_NAMED ? mom_open(me->name) : mom_create();
	while (id == MOM_EBUSY && t_now_ms() < end && (usleep(10000), 1));
	REQUIRE(id >= 0, "%s of %s: %s: %s", me->name, me->run, mom_strerror(id), mom_error_text(-1));
	me->ended = 0;
	me->id = mom_global_id(id);
	publisher = crew_publisher_number();
	memset(next, 0, sizeof next);
	snprintf(name, sizeof name, me->how & CREW_NAMED ? "%s" : "%s.%d.%d", me->name, me->started, sessions++);
	history = history_begin(folder, name, me->how & CREW_NAMED ? HISTORY_DURABLE : HISTORY_ANONYMOUS,
	    mom_global_id(id), publisher, crew_mix);
	REQUIRE(mom_set_option(id, MOM_OPT_TIMEOUT_MS, -1) == 0, "%s", mom_error_text(id));
	if (me->how & CREW_MANUAL) {
		REQUIRE(mom_set_option(id, MOM_OPT_MANUAL_ACK, 1) == 0, "%s", mom_error_text(id));
		history_manual(history);
	}
}

static void
subscribe(const char *name)
{
	int r = mom_subscribe(id, name, 0);
	REQUIRE(r == 0 || (r == MOM_EEXIST && me->how & CREW_NAMED), "%s: subscribe to %s: %s: %s", me->name, name,
	    mom_strerror(r), mom_error_text(id));
}

/* A third of the clients by a pattern alone, a third by the topics' names, a third by both. A client's name decides: a
 * durable one has to ask for the same in each session. */
static void
subscribe_all(void)
{
	unsigned by = (unsigned)topic_hash64(me->name, strlen(me->name)) % 3;
	for (int k = 0; k < topic_count; k++)
		history_subscribe(history, topics[k]);
	if (by > 0)
		subscribe("#");
	for (int k = 0; k < topic_count && by < 2; k++)
		subscribe(topics[k]);
	for (int k = 0; k < topic_count; k++)
		history_subscribed(history, topics[k]);
}

/* Fast messages are gone: how many, says the text; it is told once. */
static int
was_lost(int r, int of)
{
	const char *text = mom_error_text(of), *number = strstr(text, " fast messages");
	if (r != MOM_ELOST)
		return 0;
	while (number && number > text && number[-1] >= '0' && number[-1] <= '9')
		number--;
	REQUIRE(number && strtoul(number, NULL, 10) > 0, "%s: no number of messages: %s", me->name, text);
	history_lost(history, strtoul(number, NULL, 10));
	return 1;
}

/* Somebody ended this client, and it was told so. */
static int
was_ended(int r)
{
	if (r != MOM_EBADID || !me->ended)
		return 0;
	history_ended(history);
	r = mom_destroy(id);
	REQUIRE(r == 0 || r == MOM_EBADID, "%s: leaving: %s: %s", me->name, mom_strerror(r), mom_error_text(-1));
	history_end(history, 0);
	return 1;
}

static void
end_session(int drained)
{
	int r;
	do {
		r = mom_flush(id, -1);
		history_flush(history, r);
	} while (was_lost(r, id));
	if (was_ended(r))
		return;
	REQUIRE(r == 0, "%s: flush: %s: %s", me->name, mom_strerror(r), mom_error_text(id));
	if (me->how & CREW_MANUAL) {
		REQUIRE(mom_ack(id) == 0, "%s", mom_error_text(id));
		history_acked(history);
	}
	r = (me->how & CREW_NAMED) && !me->stop ? mom_close(id) : mom_destroy(id);
	REQUIRE(r == 0 || was_lost(r, -1) || (r == MOM_EBADID && me->ended), "%s: leaving: %s: %s", me->name,
	    mom_strerror(r),
	    mom_error_text(-1));
	history_end(history, drained);
}

static void
die_with_a_child(void)
{
	if (fork() == 0) {                         /* keeps the socket, not the handle */
		prctl(PR_SET_PDEATHSIG, 0);
		t_sleep_ms(LINGER_MS);
		_exit(0);
	}
	kill(getpid(), SIGKILL);
}

static void
close_descriptors(void)
{
	int keep = history_fd(history);
	for (int fd = 0; fd < 256; fd++)
		if (fd != keep)
			close(fd);
}

/* an order that ends the process stays, so that whoever waits for it sees that it is still to come */
static void
obey(void)
{
	switch (me->order) {
	case ORDER_FORK:
		die_with_a_child();
		break;
	case ORDER_EXEC:
		execl("/bin/sleep", "sleep", "600", (char *)NULL);
		_exit(127);
	case ORDER_CLOSE:
		close_descriptors();
		break;
	case ORDER_LEAVE:
		end_session(0);
		begin_session();
		if (me->job == CREW_SUBSCRIBER)
			subscribe_all();
		break;
	default:
		return;
	}
	me->order = ORDER_NONE;
}

static void
publish_loop(void)
{
	char *buffer = malloc(MOM_MESSAGE_MAX);
	begin_session();
	me->working = 1;
	while (!me->stop) {
		int k = (int)t_rng_below(&rng, (uint64_t)topic_count), r;
		uint32_t n = next[k]++;
		size_t len = payload_make(buffer, crew_mix, publisher, topics[k], n);
		history_try(history, topics[k], n, me->flags);
		struct mom_properties properties = carried_by(topics[k], buffer, len);
		r = mom_publish_with(id, topics[k], buffer, len, me->flags, n % 3 ? NULL : &properties);
		history_told(history, topics[k], n, me->flags, r);
		if (was_ended(r)) {
			begin_session();
			continue;
		}
		REQUIRE(r == 0 || was_lost(r, id), "%s: publish: %s: %s", me->name, mom_strerror(r),
		    mom_error_text(id));
		me->count++;
		if (me->tempo_ms)
			usleep((unsigned)t_rng_below(&rng, (uint64_t)me->tempo_ms * 1000));
		obey();
	}
	free(buffer);
	end_session(0);
}

/* 1: the last word has come on all topics */
static int
hears_last_word(const struct mom_message *m, uint32_t *heard)
{
	uint32_t who, n, all = (1u << topic_count) - 1;
	for (int i = 0; i < topic_count && shared->last_word; i++)
		if (payload_who(m->data, m->len, &who, &n) && who == shared->last_word &&
		    strcmp(topics[i], m->topic) == 0)
			*heard |= 1u << i;
	return *heard == all;
}

static void
receive_loop(void)
{
	struct mom_message m;
	uint32_t heard = 0;
	int unacked = 0, done = 0;
	begin_session();
	subscribe_all();
	me->working = 1;
	while ((me->how & CREW_SLEEPER) == CREW_SLEEPER && !shared->last_word)
		t_tick();
	while (!done) {
		int r = mom_receive(id, &m, LOOK_MS);
		REQUIRE(r == 0 || r == MOM_ETIMEDOUT || r == MOM_EINTR, "%s: receive: %s: %s", me->name,
		    mom_strerror(r), mom_error_text(id));
		if (r == 0) {
			REQUIRE(is_carried(&m), "a message of %s has the properties of another", m.topic);
			history_got(history, &m);
			me->count++;
			done = hears_last_word(&m, &heard);
		} else if (!(me->how & CREW_MANUAL))
			history_acked(history);
		if ((me->how & CREW_MANUAL) && (unacked += r == 0) > 7) {
			REQUIRE(mom_ack(id) == 0, "%s", mom_error_text(id));
			history_acked(history);
			unacked = 0;
		}
		obey();
	}
	/* behind the last word nothing may come */
	for (int r; (r = mom_receive(id, &m, LOOK_MS)) != MOM_ETIMEDOUT;)
		if (r == 0)
			history_got(history, &m);
	me->stop = 1;
	end_session(1);
}

static void
client(void *argument)
{
	me = argument;
	setenv("MOM_RUN", me->run, 1);
	t_rng_init(&rng, (uint64_t)me->number << 32 | (uint64_t)me->started);
	if (me->job == CREW_PUBLISHER)
		publish_loop();
	else
		receive_loop();
	me->done = 1;
}

/* ---- in the case's process ---- */

static void
client_start(struct crew_client *c)
{
	c->order = ORDER_NONE;
	c->working = 0;
	c->started++;
	c->pid = t_spawn(client, c);
}

static void
ghosts_reap(void)
{
	for (int i = 0; i < ghost_count; i++)
		if (waitpid(ghosts[i], NULL, WNOHANG) == ghosts[i])
			ghosts[i--] = ghosts[--ghost_count];
}

static void
ghosts_end(void)
{
	for (int i = 0; i < ghost_count; i++) {
		kill(ghosts[i], SIGKILL);
		waitpid(ghosts[i], NULL, 0);
	}
	ghost_count = 0;
}

static void
client_look(struct crew_client *c)
{
	char comm[16];
	int status;
	if (c->pid == 0 || waitpid(c->pid, &status, WNOHANG) != 0) {
		REQUIRE(c->pid == 0 || WIFSIGNALED(status), "%s ended by itself: 0x%x", c->name, status);
		client_start(c);
		return;
	}
	if (c->order != ORDER_EXEC)
		return;
	proc_comm(c->pid, comm, sizeof comm);
	if (strcmp(comm, "sleep") != 0)
		return;
	if (ghost_count == CREW_GHOSTS)
		ghosts_end();
	ghosts[ghost_count++] = c->pid;
	client_start(c);
}

void
crew_tend(void)
{
	ghosts_reap();
	for (int i = 0; i < crew_size; i++)
		client_look(&crew[i]);
}

void
crew_kill(int i)
{
	/* not started again since its last death; 0 would be all of us */
	if (crew[i].pid == 0)
		return;
	kill(crew[i].pid, SIGKILL);
	waitpid(crew[i].pid, NULL, 0);
	crew[i].pid = 0;
	crew[i].order = ORDER_NONE;
	crew_deaths[ORDER_NONE]++;
}

void
crew_order(int i, enum crew_order order)
{
	if (crew[i].order != ORDER_NONE)
		return;
	crew[i].order = order;
	crew_deaths[order]++;
}

/* The descriptor of its registration, which is the only packet socket that it has: shut down as if it was closed. */
static void
hang_up(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	for (int fd = 3; pidfd >= 0 && fd < 64; fd++) {
		int type = 0, copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
		socklen_t n = sizeof type;
		if (copy < 0)
			continue;
		if (getsockopt(copy, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_SEQPACKET)
			shutdown(copy, SHUT_RDWR);
		close(copy);
	}
	if (pidfd >= 0)
		close(pidfd);
}

int
crew_end(int i)
{
	struct crew_client *c = &crew[i];
	int may = c->job == CREW_PUBLISHER && !(c->how & CREW_NAMED) && c->working && c->pid;
	struct client_segment *s = may ? segment_attach(c->daemon, c->id, NULL) : NULL;
	if (s == NULL)
		return 0;
	c->ended = 1;
	atomic_store(&s->goodbye, 2);
	/* it may have none just now: then the daemon looks at the word alone */
	hang_up(c->pid);
	shmdt(s);
	crew_deaths[CREW_ENDED]++;
	return 1;
}

void
crew_working(void)
{
	for (int i = 0; i < crew_size; i++)
		WAIT_FOR((crew_tend(), crew[i].working && crew[i].order == ORDER_NONE), "%s of %s is not at work",
		    crew[i].name, crew[i].run);
}

int
crew_subscribers(const struct server *daemon)
{
	int n = 0;
	for (int i = 0; i < crew_size; i++)
		n += crew[i].daemon == daemon && crew[i].job == CREW_SUBSCRIBER;
	return n;
}

/* clients that the daemon still has, dying ones too: each has a segment */
static int
segments_of(struct server *daemon)
{
	enum { MOST = 4096 };
	struct sysv_object *all = malloc(MOST * sizeof *all);
	int n = sysv_registry(server_registry(daemon), all, MOST), clients = 0;
	for (int i = 0; i < n; i++)
		clients += strcmp(all[i].kind, "shm") == 0 && strncmp(all[i].role, "client-", 7) == 0 &&
		    sysv_exists(&all[i]);
	free(all);
	return clients;
}

static void
speak_last_word(void *daemon)
{
	static char buffer[MOM_MESSAGE_MAX];
	use_daemon(daemon);
	id = mom_create();
	REQUIRE(id >= 0, "the last word: %s", mom_error_text(-1));
	publisher = crew_publisher_number();
	history = history_begin(folder, "last-word", HISTORY_ANONYMOUS, mom_global_id(id), publisher, crew_mix);
	shared->last_word = publisher;
	for (int k = 0; k < topic_count; k++) {
		size_t len = payload_make(buffer, crew_mix, publisher, topics[k], 0);
		history_try(history, topics[k], 0, 0);
		int r = mom_publish(id, topics[k], buffer, len, 0);
		history_told(history, topics[k], 0, 0, r);
		REQUIRE(r == 0, "the last word: %s", mom_error_text(id));
	}
	REQUIRE(mom_destroy(id) == 0, "%s", mom_error_text(-1));
	history_end(history, 0);
}

static void
await_done(enum crew_job job)
{
	for (int i = 0; i < crew_size; i++) {
		int status = 0;
		if (crew[i].job != job)
			continue;
		WAIT_FOR_WORK(waitpid(crew[i].pid, &status, WNOHANG) == crew[i].pid, crew[i].count,
		    "%s of %s does not come to its end (%ld so far)", crew[i].name, crew[i].run,
		    (long)crew[i].count);
		REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s ended with 0x%x", crew[i].name, status);
	}
}

void
crew_drain(void)
{
	ghosts_end();
	crew_working();
	for (int i = 0; i < crew_size; i++)
		crew[i].stop = crew[i].job == CREW_PUBLISHER;
	await_done(CREW_PUBLISHER);
	for (int i = 0; i < crew_size; i++) {
		struct server *d = crew[i].daemon;
		WAIT_FOR(segments_of(d) == crew_subscribers(d), "%s has %d clients, of which %d live: what the dead "
		    "ones published does not go out", d->name,
		    segments_of(d), crew_subscribers(d));
	}
	int status = t_join(t_spawn(speak_last_word, crew[0].daemon));
	REQUIRE(status == 0, "0x%x", status);
	await_done(CREW_SUBSCRIBER);
}
