/* load - client programs of a case: publishers and subscribers in processes of their own */
#include <lib/load.h>
#include <lib/t.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FLUSH_MS = 40000, LOOK_MS = 100 };

static void
load_fail_together(void)
{
	if (__atomic_load_n(&t_state->failed, __ATOMIC_SEQ_CST))
		_exit(1);
}

static int
load_client(struct load *l)
{
	setenv("MOM_RUN", l->run, 1);
	int id = l->name[0] ? mom_open(l->name) : mom_create();
	REQUIRE(id >= 0, "client of %s: %s: %s", l->run, mom_strerror(id), mom_error_text(-1));
	l->local = id;
	l->id = mom_global_id(id);
	return id;
}

static void
load_leave(struct load *l, int id)
{
	if (l->crash)
		_exit(0);
	int r = l->name[0] ? mom_close(id) : mom_destroy(id);
	REQUIRE(r == 0, "leaving: %s: %s", mom_strerror(r), mom_error_text(-1));
	l->done = 1;
}

static void
publish(void *argument)
{
	struct load *l = argument;
	int id = load_client(l), r;
	char *buffer = malloc(MOM_MESSAGE_MAX);

	l->ready = 1;
	for (long i = 0; (l->count == 0 || i < l->count) && !l->stop; i++) {
		int k = (int)(i % l->topic_count);
		size_t len = payload_make(buffer, l->mix, l->index, l->topics[k], l->next[k]);
		r = mom_publish(id, l->topics[k], buffer, len, l->flags);
		while (r == MOM_EAGAIN)
			r = mom_publish(id, l->topics[k], buffer, len, l->flags);
		REQUIRE(r == 0 || r == MOM_ETIMEDOUT, "publish number %ld: %s: %s", i, mom_strerror(r),
		    mom_error_text(id));
		if (r)
			l->timeouts++;
		l->next[k]++;
		l->sent++;
		if (l->pause_ms)
			t_sleep_ms(l->pause_ms);
		if (i % 64 == 0)
			load_fail_together();
	}
	r = mom_flush(id, FLUSH_MS);
	REQUIRE(r == 0, "flush after %ld: %s: %s", (long)l->sent, mom_strerror(r), mom_error_text(id));
	free(buffer);
	load_leave(l, id);
}

static void
subscribe(void *argument)
{
	struct load *l = argument;
	struct payload_judge j;
	struct mom_message m;
	int id = load_client(l), r, quiet = 0;

	payload_judge_init(&j, l->mix);
	j.again = l->again;
	j.from_middle = l->from_middle;
	for (int i = 0; i < l->topic_count; i++) {
		r = mom_subscribe(id, l->topics[i], l->flags);
		REQUIRE(r == 0 || (r == MOM_EEXIST && l->name[0]), "subscribe %s: %s: %s", l->topics[i],
		    mom_strerror(r), mom_error_text(id));
	}
	l->ready = 1;
	while (!quiet) {
		int stopping = l->stop;
		r = mom_receive(id, &m, LOOK_MS);
		if (r == MOM_EINTR)                    /* stopped and continued: a signal came */
			continue;
		if (r == MOM_ETIMEDOUT) {
			quiet = stopping;
			load_fail_together();
			continue;
		}
		REQUIRE(r == 0, "receive after %ld: %s: %s", j.good, mom_strerror(r), mom_error_text(id));
		REQUIRE(payload_judge(&j, &m), "subscriber %d: %s", l->local, j.bad);
		l->repeated = j.repeated;
		l->got = j.good;
	}
	free(j.streams);
	load_leave(l, id);
}

struct load *
load_new(struct server *daemon, const char *topics, enum payload_mix mix)
{
	struct load *l = t_shared_memory(sizeof *l);
	snprintf(l->run, sizeof l->run, "%s", daemon->run);
	char *copy = strdup(topics);
	for (char *word = strtok(copy, ","); word && l->topic_count < LOAD_TOPICS; word = strtok(NULL, ","))
		snprintf(l->topics[l->topic_count++], sizeof l->topics[0], "%s", word);
	free(copy);
	l->mix = mix;
	return l;
}

void
load_start(struct load *l)
{
	l->ready = l->stop = l->done = 0;
	l->pid = t_spawn(l->is_subscriber ? subscribe : publish, l);
}

struct load *
publisher_start(struct server *daemon, unsigned index, const char *topics, long count, enum payload_mix mix,
    unsigned flags)
{
	struct load *l = load_new(daemon, topics, mix);
	l->index = index;
	l->count = count;
	l->flags = flags;
	load_start(l);
	return l;
}

struct load *
subscriber_start(struct server *daemon, const char *topics, enum payload_mix mix)
{
	struct load *l = load_new(daemon, topics, mix);
	l->is_subscriber = 1;
	load_start(l);
	load_ready(l);
	return l;
}

void
load_ready(struct load *l)
{
	WAIT_FOR(l->ready, "client %u of %s is not ready", l->index, l->run);
}

static long
progress(struct load *l)
{
	return l->is_subscriber ? l->got : l->sent;
}

void
load_moves(struct load *l, long more)
{
	long start = progress(l);
	WAIT_FOR(progress(l) >= start + more, "%s of %s: %ld and no more",
	    l->is_subscriber ? "subscriber" : "publisher", l->run, progress(l));
}

static int
has_ended(struct load *l)
{
	siginfo_t info = {.si_pid = 0};
	return waitid(P_PID, (id_t)l->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == l->pid;
}

/* waits for a total, or for its end (total -1), as long as there is progress */
static void
settle(struct load *l, long total)
{
	int64_t end = t_now_ms() + T_PATIENCE_MS;
	long last = -1;
	while (total < 0 ? !has_ended(l) : progress(l) < total) {
		if (progress(l) != last) {
			last = progress(l);
			end = t_now_ms() + T_PATIENCE_MS;
		}
		REQUIRE(t_now_ms() < end, "%s %u of %s: no progress after %ld of %ld",
		    l->is_subscriber ? "subscriber" : "publisher", l->index,
		    l->run, last, total < 0 ? l->count : total);
		t_tick();
	}
}

void
load_expect(struct load *l, long total)
{
	settle(l, total);
	REQUIRE(progress(l) == total, "subscriber of %s got %ld, sent were %ld", l->run, progress(l), total);
}

void
load_stop(struct load *l)
{
	l->stop = 1;
}

void
load_finish(struct load *l)
{
	long before = l->got;
	if (l->is_subscriber)
		l->stop = 1;
	settle(l, -1);
	int status = t_join(l->pid);
	REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0, "client %u of %s ended with 0x%x", l->index, l->run,
	    status);
	REQUIRE(l->got == before, "subscriber of %s: %ld came after the %ld that were due", l->run, l->got - before,
	    before);
}

void
load_kill(struct load *l)
{
	kill(l->pid, SIGKILL);
	t_join(l->pid);
}
