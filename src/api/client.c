/* client - a handle's life: create, open, close, destroy, options */
#include "api/register.h"
#include "api/caller.h"
#include "api/hand.h"
#include "api/settings.h"
#include "base/clock.h"
#include "format/topic.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A process that was killed between taking a number and publishing its frame left a number that nobody will ever send:
 * it is taken again, or the requester finds a gap. All numbers below `first` are answered, all others from there on are
 * in the ring. */
static void
client_mend_numbers(struct handle *h)
{
	struct client_segment *c = h->segment;
	uint64_t next[SHARDS_MAX];
	struct ring_reader r;
	int broken;
	for (uint32_t k = 0; k < SHARDS_MAX; k++)
		next[k] = atomic_load(&c->first[k]);
	ring_reader_init(&r, h->out.ring, h->ring, h->tail);
	for (const char *p; (p = ring_next(&r, &broken)) != NULL;)
		if (get_u16(p + 14) < SHARDS_MAX && get_u64(p + 40) >= next[get_u16(p + 14)])
			next[get_u16(p + 14)] = get_u64(p + 40) + 1;
	for (uint32_t k = 0; k < SHARDS_MAX; k++)
		if (atomic_load(&c->next[k]) == next[k] + 1)
			atomic_store(&c->next[k], next[k]);
}

static int
client_attach(struct handle *h, const struct registered *a)
{
	struct client_segment *c = ipcq_attach(a->segment, 1);
	if (c == NULL)
		return -1;
	/* if it is no segment of ours: ids come again, and mean another one in another namespace */
	errno = EIDRM;
	h->segment = c;
	h->owner = a->owner;
	h->ring = client_ring(ipcq_bytes(a->segment));
	h->window = h->window ? h->window : (long)h->ring;
	if (h->ring == 0 || c->magic != MAGIC_CLIENT || c->layout != IPC_LAYOUT || c->id != a->id)
		return -1;
	h->shards = atomic_load(&c->shards);
	ring_writer_init(&h->out, client_requests(c), h->ring, 0);
	h->tail = atomic_load(&h->out.ring->tail);
	client_mend_numbers(h);
	h->mail_tail = atomic_load(&client_mail(c, h->ring)->tail);
	ring_reader_init(&h->mail, client_mail(c, h->ring), h->ring, h->mail_tail);
	return h->shards >= 1 && h->shards <= SHARDS_MAX ? 0 : -1;
}

/* CREATE to every shard; for a client that is known it only says that the way is open. */
static int
client_announce(struct handle *h, int64_t deadline)
{
	uint64_t numbers[SHARDS_MAX];
	for (uint32_t k = 0; k < h->shards; k++) {
		struct ask ask = { .type = REC_CREATE, .flags = REC_F_DURABLE, .shard = k, .aux = h->segment->durable };
		int e = request_append(h, &ask, deadline, &numbers[k]);
		if (e)
			return e;
	}
	for (uint32_t k = 0; k < h->shards; k++) {
		uint64_t number;
		int64_t code;
		int e = request_outcome(h, k, numbers[k], deadline);
		if (e)
			return e;
		if (!result_read(&h->segment->answer[k].result[numbers[k] & 1], &number, &code, &h->hands_from[k]) ||
		    number != numbers[k])
			h->hands_from[k] = 0;
	}
	return 0;
}

static struct handle *
handle_new(const struct settings *s)
{
	struct handle *h = calloc(1, sizeof *h);
	if (h == NULL)
		return NULL;
	h->socket = h->watch = h->watch_timer = h->watch_mark = -1;
	h->timeout_ms = s->timeout_ms;
	h->window = s->window;
	h->prefetch = 1;
	h->era = handle_era();
	if (h->era == 0) {                             /* no page to know a fork by */
		free(h);
		return NULL;
	}
	return h;
}

static void
handle_abandon(struct handle *h, uint32_t goodbye)
{
	if (h->segment) {
		if (!handle_is_ended(h))
			atomic_store(&h->segment->goodbye, goodbye);
		ipcq_detach(h->segment);
	}
	door_close(h);
	hands_free(h);
	free(h);
}

static int
client_register(struct handle *h, const char *name, int64_t deadline, struct registered *a)
{
	for (int tries = 0;; tries++) {
		int e = door_register(name, deadline, a, h);
		if (e)
			return e;
		if (a->code < 0)
			return handle_fail(NULL, a->code, "%s", a->text);
		if (client_attach(h, a) == 0)
			return 0;
		int keep = errno;
		uint64_t here = ipcq_namespace();
		ipcq_detach(h->segment);
		h->segment = NULL;
		door_close(h);
		if (here && a->ipc_namespace && here != a->ipc_namespace)
			return handle_fail(NULL, MOM_ELIMIT, "this program is in another IPC namespace than its "
			    "mom_daemon and cannot share memory with it: run both in one container or pod, start the "
			    "container with --ipc=host, or run a mom_daemon in it");
		/* else the daemon died in between: its successor serves */
		if (tries == 3 || clock_ms() >= deadline)
			return handle_fail(NULL, MOM_ELIMIT, "shmat(%d): %s: see `ulimit -v` and kernel.shmmni, and "
			    "whether this program and its mom_daemon are in one IPC namespace (containers: --ipc=host)",
			    a->segment, strerror(keep));
	}
}

static int
client_begin(const char *name)
{
	int e;
	struct registered a;
	const struct settings *s = settings_get(&e);
	if (s == NULL)
		return e;
	struct handle *h = handle_new(s);
	int64_t deadline = clock_ms() + (s->timeout_ms < 0 || s->timeout_ms > INT32_MAX ? INT32_MAX : s->timeout_ms);
	if (h == NULL)
		return handle_fail(NULL, MOM_ELIMIT, "no memory for a handle (see `ulimit -v`), or a kernel older than "
		    "4.14");
	e = client_register(h, name, deadline, &a);
	if (e) {
		handle_abandon(h, 0);
		return e;
	}
	e = client_announce(h, deadline);
	/* whatever is on its way, there is no handle to ask what became of it */
	if (e == MOM_ETIMEDOUT || e == MOM_EAGAIN) {
		char trouble[400];
		door_trouble(trouble, sizeof trouble);
		e = handle_fail(h, MOM_ETIMEDOUT, "the broker gave no answer in time%s: no client was made, and "
		    "nothing was published; look whether the broker runs, then call again", trouble);
	}
	if (e == 0 && (h->id = handle_add(h, a.local_id)) < 0)
		e = handle_fail(h, MOM_ELIMIT, "this process has %d handles: close some", SLOTS_MAX);
	if (e) {
		handle_fail(NULL, e, "%s", h->text);
		handle_abandon(h, name ? GOODBYE_CLOSE : GOODBYE_DESTROY);
		return e;
	}
	return h->id;
}

int
mom_create(void)
{
	return client_begin(NULL);
}

int
mom_open(const char *name)
{
	const char *fault = client_name_fault(name);
	if (fault)
		return handle_fail(NULL, MOM_EINVAL, "mom_open: %s", fault);
	return client_begin(name);
}

/* The handle is gone afterwards; its text goes to this thread's, where a closed handle's caller finds it. */
static int
client_end(struct handle *h, int e, uint32_t goodbye)
{
	for (int k = 0; k < CALLER_KINDS; k++)
		if (h->caller[k])
			h->caller[k]->end(h->caller[k]);
	if (e == MOM_ETIMEDOUT)                        /* nobody can ask any more what became of it */
		handle_fail(NULL, e, "no answer in time (is the broker up?): the handle is gone; once the broker is "
		    "back, mom_daemon sends what is on its way%s",
		    goodbye == GOODBYE_DESTROY ? " and destroys the client" : "");
	else if (e)
		handle_fail(NULL, e, "%s", h->text);
	if (!h->manual_ack && !handle_is_ended(h))
		for (uint32_t k = 0; k < h->shards; k++)
			atomic_store(&h->segment->acked[k], atomic_load(&h->segment->handed[k]));
	if (!handle_is_ended(h))
		atomic_store(&h->segment->goodbye, goodbye);
	if (handle_remove(h)) {
		ipcq_detach(h->segment);
		watch_close(h);
		door_close(h);
		hands_free(h);
		free(h);
	}
	return e;
}

/* What was handed out is done, unless the program says itself what is. */
static void
settle_all(struct handle *h)
{
	if (!h->manual_ack && h->given_count && !handle_is_ended(h))
		hands_settled(h);              /* sent by the flush that follows */
}

static int
client_destroy(struct handle *h)
{
	int64_t deadline = handle_deadline(h->timeout_ms);
	uint64_t number[SHARDS_MAX];
	settle_all(h);
	int e = requests_flush(h, deadline, 0);
	/* A power cut may have taken what was acknowledged, and the next request shows it. Behind a DESTROY the broker
	 * would not know any more whom to tell, if it died before it said so. */
	if (e == 0 && h->has_fast && !handle_is_ended(h)) {
		e = requests_end_subscriptions(h, deadline);
		e = e == MOM_EAGAIN ? MOM_ETIMEDOUT : e ? e : requests_flush(h, deadline, 0);
	}
	int e2 = e == MOM_ETIMEDOUT || e == MOM_EPROTO ? e : 0;
	if (handle_is_ended(h))
		return client_end(h, e, 0);            /* it is no more, as was asked for; what had no answer is told */
	for (uint32_t k = 0; e2 == 0 && k < h->shards; k++) {
		struct ask ask = { .type = REC_DESTROY, .flags = REC_F_DURABLE, .shard = k };
		e2 = request_append(h, &ask, deadline, &number[k]);
	}
	for (uint32_t k = 0; e2 == 0 && k < h->shards; k++)
		e2 = request_outcome(h, k, number[k], deadline);
	e2 = e2 == MOM_EAGAIN ? MOM_ETIMEDOUT : e2;
	/* the broker has destroyed it before: that is what was asked for */
	if (e2 == MOM_EBADID)
		e2 = 0;
	return client_end(h, e ? e : e2, GOODBYE_DESTROY);
}

int
mom_destroy(int id)
{
	int e;
	struct handle *h = handle_get(id, &e);
	return h ? client_destroy(h) : e;
}

int
mom_close(int id)
{
	int e;
	struct handle *h = handle_get(id, &e);
	if (h == NULL)
		return e;
	if (!h->segment->durable)
		return client_destroy(h);
	/* not in time: on its way, before anything of its next process */
	int e2 = will_withdraw(h);
	settle_all(h);
	e = requests_flush(h, handle_deadline(h->timeout_ms), 0);
	return client_end(h, e || e2 == MOM_ETIMEDOUT ? e : e2, GOODBYE_CLOSE);
}

int
mom_flush(int id, int timeout_ms)
{
	int e;
	struct handle *h = handle_get(id, &e);
	if (h == NULL)
		return e;
	if (timeout_ms < -1)
		return handle_fail(h, MOM_EINVAL, "timeout_ms is -1 (for ever), 0 (only look) or more");
	return requests_flush(h, handle_deadline(timeout_ms), WAIT_INTERRUPTIBLE);
}

int
mom_set_option(int id, int option, long value)
{
	int e;
	struct handle *h = handle_get(id, &e);
	if (h == NULL)
		return e;
	switch (option) {
	case MOM_OPT_TIMEOUT_MS:
		if (value < -1)
			return handle_fail(h, MOM_EINVAL, "MOM_OPT_TIMEOUT_MS is -1 (for ever), 0 or more");
		h->timeout_ms = value;
		return 0;
	case MOM_OPT_MANUAL_ACK:
		if (value != 0 && value != 1)
			return handle_fail(h, MOM_EINVAL, "MOM_OPT_MANUAL_ACK is 0 or 1");
		h->manual_ack = (int)value;
		return 0;
	case MOM_OPT_PREFETCH:
		if (value < 1 || value > PREFETCH_MOST)
			return handle_fail(h, MOM_EINVAL, "MOM_OPT_PREFETCH is 1 to %d messages", PREFETCH_MOST);
		h->prefetch = value;
		return 0;
	case MOM_OPT_WINDOW:
		if (value < 4096)
			return handle_fail(h, MOM_EINVAL, "MOM_OPT_WINDOW is 4096 bytes or more");
		h->window = value;
		return 0;
	default:
		return handle_fail(h, MOM_EINVAL, "there is no option %d", option);
	}
}

void
mom_wake(int id)
{
	int keep = errno;
	struct handle *h = handle_borrow(id);
	if (h && h->era == handle_era()) {
		atomic_store(&h->woken, 1);
		watch_now(h);
		ipcq_post(atomic_load(&h->segment->sem));
	}
	handle_return(id);
	errno = keep;
}

uint64_t
mom_global_id(int id)
{
	int e;
	struct handle *h = handle_get(id, &e);
	return h ? h->segment->id : 0;
}

const char *
mom_error_text(int id)
{
	struct handle *h = id < 0 ? NULL : handle_peek(id);
	return h && h->era == handle_era() ? h->text : handle_thread_text();
}

const char *
mom_version(void)
{
	return MOM_VERSION;
}

