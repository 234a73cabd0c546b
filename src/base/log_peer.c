/* log_peer - see log_peer.h */
#include "base/log_peer.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct log_limits own, *limits = &own;

/* ---- the limit ---- */

struct log_kind *
log_limit_of(struct log_limits *of, const char *format)
{
	uint32_t kind = crc32c(0, format, strlen(format));
	kind += kind == 0;
	for (uint32_t i = 0; i < LOG_KINDS; i++) {
		struct log_kind *k = &of->kind[(kind + i) % LOG_KINDS];
		uint32_t is = atomic_load(&k->kind);
		if (is == kind || (is == 0 && (atomic_compare_exchange_strong(&k->kind, &is, kind) || is == kind)))
			return k;
	}
	return &of->kind[kind % LOG_KINDS];            /* more kinds than there are: two share one */
}

uint64_t
log_limit_turn(struct log_kind *k, int64_t now, int at_once, uint32_t *seconds)
{
	int64_t began = atomic_load(&k->began);
	if (began && now - began < LOG_PEER_MS && !at_once)
		return 0;
	if (!atomic_compare_exchange_strong(&k->began, &began, now))
		return 0;                              /* another process does it */
	for (int i = 0; i < LOG_PEERS; i++)
		atomic_store(&k->peer[i], 0);
	*seconds = (uint32_t)((now - began) / 1000);
	return atomic_exchange(&k->more, 0);
}

/* 1: this peer has a line left in these ten seconds */
static int
peer_has_line(struct log_kind *k, uint64_t peer)
{
	uint64_t number = (peer * UINT64_C(0x9e3779b97f4a7c15) | 1 << 8) & ~UINT64_C(0xff);
	for (int i = 0; i < LOG_PEERS; i++) {
		uint64_t is = atomic_load(&k->peer[i]);
		while (is == 0 || ((is & ~UINT64_C(0xff)) == number && (is & 0xff) < LOG_FIRST))
			if (atomic_compare_exchange_strong(&k->peer[i], &is, (is ? is : number) + 1))
				return 1;
		if ((is & ~UINT64_C(0xff)) == number)
			return 0;
	}
	return 0;
}

int
log_limit(struct log_kind *k, uint64_t peer, int64_t now, uint64_t *more, uint32_t *seconds)
{
	*more = log_limit_turn(k, now, 0, seconds);
	return peer_has_line(k, peer);
}

/* ---- lines ---- */

/* Of so many that are held back only these are made: a peer that causes a million costs little. */
static int
is_sampled(uint64_t n)
{
	return (n & (n - 1)) == 0;
}

static void
hold_back(struct log_kind *k, uint32_t from, const char *format, va_list ap)
{
	char text[LOG_SAMPLE];
	if (!is_sampled(atomic_fetch_add(&k->more, 1) + 1))
		return;
	int n = snprintf(text, sizeof text, "%s[%d]: ", log_role(), (int)getpid());
	vsnprintf(text + n, sizeof text - (size_t)n, format, ap);
	atomic_store(&k->from, from);
	memcpy(k->sample, text, sizeof text);
}

static void
tell(const struct log_kind *k, uint64_t more, uint32_t seconds)
{
	char sample[LOG_SAMPLE];
	memcpy(sample, k->sample, sizeof sample);
	sample[sizeof sample - 1] = '\0';
	log_from(atomic_load(&k->from), "and %llu more like this in %u s, one of them: %s", (unsigned long long)more,
	    seconds, sample);
}

static void
say(uint32_t from, uint64_t peer, const char *format, va_list ap)
{
	struct log_kind *k = log_limit_of(limits, format);
	uint64_t more;
	uint32_t seconds;
	int is_written = log_limit(k, peer, clock_ms(), &more, &seconds);
	if (more)
		tell(k, more, seconds);
	if (is_written)
		log_from_list(from, format, ap);
	else
		hold_back(k, from, format, ap);
}

void
log_peer(uint32_t from, uint64_t peer, const char *format, ...)
{
	va_list ap;
	if (!log_is_wanted(from))
		return;
	va_start(ap, format);
	say(from, peer, format, ap);
	va_end(ap);
}

void
log_peer_fatal(int status, uint64_t peer, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	say(LOG_FROM_ERROR, peer, format, ap);
	va_end(ap);
	exit(status);
}

uint64_t
log_peer_of(const char *address)
{
	const char *port = strrchr(address, ':');
	return crc32c(0, address, port ? (size_t)(port - address) : strlen(address));
}

void
log_peers_share(struct log_limits *with)
{
	limits = with ? with : &own;
}

static void
tell_all(int64_t now, int at_once)
{
	for (int i = 0; i < LOG_KINDS; i++) {
		struct log_kind *k = &limits->kind[i];
		uint32_t seconds;
		uint64_t more = atomic_load(&k->more) ? log_limit_turn(k, now, at_once, &seconds) : 0;
		if (more)
			tell(k, more, seconds);
	}
}

void
log_peers_tell(int64_t now)
{
	tell_all(now, 0);
}

void
log_peers_end(void)
{
	tell_all(clock_ms(), 1);
	limits = &own;
}
