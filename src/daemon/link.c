/* link - the connection to the broker: connecting, the handshake, reconnecting for ever; a part of mom_daemon */
#include "daemon/daemon.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection may wait in the broker's backlog behind strangers, and WELCOME for a sync of its disk: who gives up
 * early and comes again loses its place and makes the broker do it all again, so that a broker slower than this would
 * never be reached. A dead one is noticed as elsewhere. */
enum { LINK_NAMED_MS = 30000, LINK_CONNECT_MS = 5000, LINK_WELCOME_MS = PEER_DEAD_MS };

static void
link_failed(struct daemon *d, const char *why)
{
	link_say(d, why);
	link_down(d);
}

static void link_connect(struct daemon *d, int error);

/* Whatever answers at this address, it may be another one's that the broker listens at. */
static void
link_next(struct daemon *d, const char *why)
{
	if (d->tried < d->addresses)
		link_connect(d, 0);
	else
		link_failed(d, why);
}

static void
link_hello(struct daemon *d)
{
	char bytes[RECORD_HEADER + HELLO_MOST + 8], payload[HELLO_MOST], host[HOST_BYTES + 1] = "";
	struct hello h = { .version = WIRE_VERSION, .message_max = d->message_max, .slots = d->table->capacity,
	    .window = WINDOW_OF(d->message_max),
		.token = d->token };
	struct record r = { .type = REC_HELLO };
	memcpy(h.machine, d->machine, sizeof h.machine);
	memcpy(h.store, d->store, sizeof h.store);
	if (!d->hello_is_plain && gethostname(host, sizeof host) == 0) /* one that does not fit may lack its end */
		wire_host(h.host, host, sizeof host);
	uint32_t n = wire_hello_put(payload, &h);
	n = record_make(bytes, &r, NULL, payload, n);
	d->link = LINK_HELLO;
	d->link_until = clock_ms() + LINK_WELCOME_MS;
	d->hello_have = 0;
	if (send(d->socket, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		link_failed(d, strerror(errno));
}

/* What WELCOME gave, on disk. The first token comes with the serial, in one step: a broker that forgot this machine,
 * since it never had a client, knows the serial by it. Later ones wait until they are proven. What is on disk already
 * is not written again: whoever comes again answers at once. */
static int
link_identity(struct daemon *d, const struct welcome *w)
{
	uint32_t serial = d->serial;
	uint64_t token = d->token;
	int is_first = serial == 0, is_same = d->serial == w->serial && d->shards == w->shards &&
	    memcmp(d->store, w->store, sizeof d->store) == 0;
	d->serial = w->serial;
	d->shards = w->shards;
	memcpy(d->store, w->store, sizeof d->store);
	d->token = is_first ? w->token : d->token;
	d->token_fresh = is_first ? 0 : w->token;
	if (is_same || identity_save(d) == 0) {
		atomic_store(&d->table->token, d->token);
		return 0;
	}
	d->serial = serial;
	d->token = token;
	d->token_fresh = 0;
	return -1;
}

/* The broker keeps a place for us until it hears from us, and others may wait for it: requester and responser take
 * longer to start. */
static int
link_prove(struct daemon *d)
{
	char bytes[RECORD_HEADER];
	uint32_t n = record_make(bytes, &(struct record){ .type = REC_PING, .aux = d->token }, NULL, NULL, 0);
	if (send(d->socket, bytes, n, MSG_NOSIGNAL) == (ssize_t)n)
		return 0;
	link_failed(d, strerror(errno));
	return -1;
}

static void
link_welcome(struct daemon *d)
{
	struct welcome w;
	wire_welcome_get(&w, d->hello + RECORD_HEADER);
	if (w.version != WIRE_VERSION || w.shards < 1 || w.shards > SHARDS_MAX || w.serial == 0 ||
	    w.message_max > d->message_max || w.window != WINDOW_OF(w.message_max)) {
		link_failed(d, "it speaks another version of the protocol: use programs of one release");
		return;
	}
	if ((d->serial && d->serial != w.serial) || (d->shards && d->shards != w.shards)) {
		link_failed(d, "it knows this machine under another serial: is it another store? give this daemon a "
		    "new spool folder");
		return;
	}
	if (link_identity(d, &w) < 0) {
		d->spool_failed = 1;
		link_failed(d, "the spool cannot be written");
		door_serve(d);
		return;
	}
	d->spool_failed = 0;
	if (link_prove(d) < 0)
		return;
	if (w.message_max < d->message_max)
		log_peer(LOG_FROM_INFO, 0, "the broker takes payloads up to %u bytes: so does this daemon",
		    w.message_max);
	atomic_store(&d->table->message_max, w.message_max);
	atomic_store(&d->table->serial, w.serial);
	d->expiry = w.expiry;
	atomic_store(&d->table->window, w.window);
	atomic_store(&d->table->shards, w.shards);
	members_limits(d);
	d->link = LINK_UP;
	d->link_until = clock_ms();
	if (d->refused[0] == '\0')
		link_say(d, "");
	log_peer(LOG_FROM_INFO, 0, "connected to broker %s port %s as machine %u", d->host, d->port, d->serial);
	net_tune(d->socket, PEER_DEAD_MS);
	unit_connect(d);
	door_serve(d);
}

/* Exactly the answer's bytes are read: what follows is the responser's. */
static void
link_read(struct daemon *d)
{
	size_t want = d->hello_have < RECORD_HEADER ? RECORD_HEADER : record_stride(get_u32(d->hello));
	ssize_t n = recv(d->socket, d->hello + d->hello_have, want - d->hello_have, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		d->hello_is_plain = !d->hello_is_plain;
		link_next(d, n == 0 ? "it closed the connection" : strerror(errno));
		return;
	}
	d->hello_have += (size_t)n;
	if (d->hello_have < RECORD_HEADER)
		return;
	if (!record_header_is_sound(d->hello, sizeof d->hello - 8)) {
		link_next(d, "what answers there is no broker of ours");
		return;
	}
	if (d->hello_have < record_stride(get_u32(d->hello)))
		return;
	struct record r;
	record_get(&r, d->hello);
	if (r.type == REC_PING) {                      /* the broker is at it */
		d->hello_have = 0;
		d->link_until = clock_ms() + LINK_WELCOME_MS;
	} else if (r.type == REC_WELCOME && record_data_len(d->hello, &r) == WELCOME_BYTES)
		link_welcome(d);
	else if (r.type == REC_REFUSE) {
		char why[256];
		snprintf(why, sizeof why, "refused: %.*s", (int)(record_data_len(d->hello, &r) < 200
		    ? record_data_len(d->hello, &r) : 200),
		    d->hello + RECORD_HEADER);
		link_failed(d, why);
	} else
		link_next(d, "what answers there is no broker of ours");
}

/* The next of the broker's addresses; error: what connecting to the one before failed with, or 0. */
static void
link_connect(struct daemon *d, int error)
{
	int done = 0;
	fdio_close(&d->socket);
	while (d->socket < 0 && d->tried < d->addresses) {
		d->socket = net_connect(&d->address[d->tried++], &done);
		error = d->socket < 0 ? errno : error;
	}
	d->link = LINK_CONNECTING;
	d->link_until = clock_ms() + LINK_CONNECT_MS;
	if (d->socket < 0)
		link_failed(d, error == ETIMEDOUT ? "no answer" : strerror(error));
	else if (done)
		link_hello(d);
}

static void
link_addresses(struct daemon *d)
{
	char why[200];
	const char *reason;
	if (resolver_read(d, &reason) == 0) {
		link_connect(d, 0);
		return;
	}
	snprintf(why, sizeof why, "%s: is the name right? see `getent hosts`", reason);
	link_failed(d, why);
}

void
link_event(struct daemon *d)
{
	int error = 0;
	socklen_t n = sizeof error;
	if (d->link == LINK_HELLO)
		link_read(d);
	else if (d->link == LINK_NAMED)
		link_addresses(d);
	else if (getsockopt(d->socket, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error)
		link_connect(d, error ? error : errno);
	else
		link_hello(d);
}

static void
link_begin(struct daemon *d)
{
	const char *why;
	d->tried = 0;
	if (net_is_name(d->host)) {
		d->link = LINK_NAMED;
		d->link_until = clock_ms() + LINK_NAMED_MS;
		d->socket = resolver_start(d);
		if (d->socket < 0)
			link_failed(d, child_hint(errno));
		return;
	}
	d->addresses = net_resolve(d->address, d->host, d->port, &why);
	link_connect(d, EADDRNOTAVAIL);
}

int64_t
link_step(struct daemon *d, int64_t now)
{
	if (d->link == LINK_NAMED || d->link == LINK_CONNECTING || d->link == LINK_HELLO) {
		if (now < d->link_until)
			return d->link_until;
		if (d->link == LINK_CONNECTING)
			link_connect(d, ETIMEDOUT);
		else if (d->link == LINK_HELLO)
			link_next(d, "no answer");
		else
			link_failed(d, "whoever knows its address does not answer: see `getent hosts`, "
			    "/etc/resolv.conf");
	} else if (d->link != LINK_IDLE || d->forwarder == 0 || d->unit_ending)
		return -1;
	else if (now < d->link_due)
		return d->link_due;
	else
		link_begin(d);
	return d->link == LINK_IDLE ? d->link_due : d->link_until;
}
