/* relay - a bad line, made of MOM's own calls. It knows the messages as mom_rpc.h describes them: a request's answer
 * topic is changed to one of ours, below which the caller's stands; what comes back there goes on to the caller. */
#include "relay.h"
#include <mom_rpc.h>
#include <stdio.h>
#include <string.h>

#define TO   "sum/relay/requests"
#define BACK "sum/relay/answers/"

struct line {
	int id, drop, twice;
	unsigned long long random;
	char server[MOM_TOPIC_MAX + 1];             /* where it takes requests */
	volatile struct relay_told *told;
	unsigned char bytes[4096];
};

static int
percent(struct line *l)
{
	l->random = l->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (int)(l->random >> 33) % 100;
}

/* 0, 1 or 2 times */
static int
pass(struct line *l, const char *topic, const void *data, size_t len)
{
	int n = percent(l), times = n < l->drop ? 0 : n < l->drop + l->twice ? 2 : 1;
	l->told->dropped += times == 0;
	l->told->doubled += times == 2;
	l->told->passed += times == 1;
	for (int i = 0; i < times; i++)
		if (mom_publish(l->id, topic, data, len, MOM_FAST | MOM_ASYNC) < 0)
			return -1;
	return 0;
}

static int
say_here(struct line *l, const char *caller, uint64_t number)
{
	struct mom_writer w;
	mom_writer_init(&w, l->bytes, sizeof l->bytes);
	mom_put_u8(&w, 33);
	mom_put_u64(&w, number);
	mom_put_string8(&w, TO);
	return pass(l, caller, w.bytes, w.len);
}

static int
forward(struct line *l, const struct mom_message *m)
{
	struct mom_reader r;
	struct mom_writer w;
	char caller[MOM_TOPIC_MAX + 1], name[MOM_TOPIC_MAX + 1], back[MOM_TOPIC_MAX + sizeof BACK];
	mom_reader_init(&r, m->data, m->len);
	uint8_t kind = mom_get_u8(&r), mode = mom_get_u8(&r);
	uint64_t from = mom_get_u64(&r), number = mom_get_u64(&r);
	mom_get_string8(&r, caller, sizeof caller);
	mom_get_string8(&r, name, sizeof name);
	if (mom_reader_failed(&r))
		return 0;
	if (kind == 1)
		return say_here(l, caller, number);
	snprintf(back, sizeof back, BACK "%s", caller);
	int e = mom_subscribe(l->id, back, 0);
	if (e && e != MOM_EEXIST)
		return e;
	mom_writer_init(&w, l->bytes, sizeof l->bytes);
	mom_put_u8(&w, kind), mom_put_u8(&w, mode), mom_put_u64(&w, from), mom_put_u64(&w, number);
	mom_put_string8(&w, back), mom_put_string8(&w, "sum");
	mom_put_raw(&w, (const char *)m->data + r.at, mom_reader_left(&r));
	return mom_writer_failed(&w) ? 0 : pass(l, l->server, w.bytes, w.len);
}

/* Who serves sum? The answer comes as a message. */
static int
find_server(struct line *l)
{
	struct mom_message m;
	struct mom_writer w;
	struct mom_reader r;
	mom_writer_init(&w, l->bytes, sizeof l->bytes);
	mom_put_u8(&w, 1), mom_put_u8(&w, 0), mom_put_u64(&w, mom_global_id(l->id)), mom_put_u64(&w, 1);
	mom_put_string8(&w, BACK "who"), mom_put_string8(&w, "sum");
	if (mom_subscribe(l->id, BACK "who", 0) < 0 || mom_publish(l->id, "rpc/service/sum", w.bytes, w.len,
	    MOM_NEED_SUBSCRIBER) < 0 ||
	    mom_receive(l->id, &m, 30000) < 0)
		return -1;
	mom_reader_init(&r, m.data, m.len);
	mom_get_u8(&r);
	mom_get_u64(&r);
	mom_get_string8(&r, l->server, sizeof l->server);
	return mom_reader_failed(&r) ? -1 : 0;
}

int
relay(int drop, int twice, unsigned seed, volatile const int *stop, volatile struct relay_told *told)
{
	static struct line l;
	struct mom_message m;
	int e = 0;
	l = (struct line){ .id = mom_create(), .drop = drop, .twice = twice, .random = seed, .told = told };
	if (l.id < 0 || find_server(&l) < 0 || mom_subscribe(l.id, TO, 0) < 0 ||
	    mom_subscribe(l.id, "rpc/service/" RELAY_SERVICE, 0) < 0)
		return fprintf(stderr, "the relay: %s\n", mom_error_text(l.id)), 1;
	told->ready = 1;
	while (!*stop && e >= 0) {
		e = mom_receive(l.id, &m, 20);
		if (e == MOM_ETIMEDOUT || e == MOM_EINTR)
			e = 0;
		else if (e == 0 && strncmp(m.topic, BACK, sizeof BACK - 1) == 0)
			e = pass(&l, m.topic + sizeof BACK - 1, m.data, m.len);
		else if (e == 0)
			e = forward(&l, &m);
	}
	if (e < 0)
		return fprintf(stderr, "the relay: %s\n", mom_error_text(l.id)), 1;
	return mom_destroy(l.id) < 0;
}
