/* history - what a client of a storm tried, was told and received, in a file of its own that only it appends to */
#include <storm/history.h>
#include <lib/t.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct history { int fd, quiet; };

static long long
now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void __attribute__((format(printf, 3, 4)))
line(struct history *h, const char *event, const char *format, ...)
{
	char text[600];
	va_list list;
	int n = snprintf(text, sizeof text, "%s %lld", event, now_ns());
	va_start(list, format);
	n += vsnprintf(text + n, sizeof text - (size_t)n, format, list);
	va_end(list);
	text[n++] = '\n';
	ssize_t put = write(h->fd, text, (size_t)n);
	REQUIRE(put == n, "a history cannot be written: %s", strerror(errno));
	h->quiet = 0;
}

struct history *
history_begin(const char *folder, const char *name, enum history_kind kind, uint64_t id, uint32_t publisher,
    enum payload_mix mix)
{
	struct history *h = calloc(1, sizeof *h);
	char path[400];
	snprintf(path, sizeof path, "%s/%s@%lld", folder, name, now_ns());
	h->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	REQUIRE(h->fd >= 0, "%s: %s", path, strerror(errno));
	line(h, "client", " %s %s %llx %u %d", name, kind == HISTORY_DURABLE ? "durable" : "anonymous",
	    (unsigned long long)id, publisher, (int)mix);
	return h;
}

void
history_try(struct history *h, const char *topic, uint32_t n, unsigned flags)
{
	line(h, "try", " %s %u %u", topic, n, flags);
}

void
history_told(struct history *h, const char *topic, uint32_t n, unsigned flags, int result)
{
	int on_its_way = result == MOM_ETIMEDOUT || (result == 0 && (flags & MOM_ASYNC));
	line(h, on_its_way ? "sent" : result == 0 ? "ok" : result == MOM_EBADID ? "maybe" : "no", " %s %u", topic, n);
}

void
history_ended(struct history *h)
{
	line(h, "ended", "%s", "");
}

void
history_flush(struct history *h, int result)
{
	line(h, "flush", " %d", result);
}

void
history_lost(struct history *h, unsigned long count)
{
	line(h, "lost", " %lu", count);
}

void
history_subscribe(struct history *h, const char *topic)
{
	line(h, "sub?", " %s", topic);
}

void
history_subscribed(struct history *h, const char *topic)
{
	line(h, "sub", " %s", topic);
}

void
history_unsubscribe(struct history *h, const char *topic)
{
	line(h, "unsub?", " %s", topic);
}

void
history_unsubscribed(struct history *h, const char *topic)
{
	line(h, "unsub", " %s", topic);
}

void
history_manual(struct history *h)
{
	line(h, "manual", "%s", "");
}

void
history_got(struct history *h, const struct mom_message *m)
{
	uint32_t publisher, n;
	char who[32] = "- -";
	if (m->flags & MOM_GAP) {
		line(h, "gap", " %llx", (unsigned long long)m->offset);
		return;
	}
	if (payload_who(m->data, m->len, &publisher, &n))
		snprintf(who, sizeof who, "%u %u", publisher, n);
	line(h, "got", " %s %llx %llx %zu %llx %u %s", m->topic, (unsigned long long)m->offset,
	    (unsigned long long)m->publisher, m->len,
	    (unsigned long long)payload_hash(m->data, m->len), m->flags, who);
}

void
history_acked(struct history *h)
{
	if (!h->quiet)                      /* once is enough */
		line(h, "ack", "%s", "");
	h->quiet = 1;
}

int
history_fd(const struct history *h)
{
	return h->fd;
}

void
history_end(struct history *h, int drained)
{
	line(h, "end", " %s", drained ? "drained" : "closed");
	close(h->fd);
	free(h);
}
